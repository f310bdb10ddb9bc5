/*
 * body_reader: the body of an attempt that stands in a file.  A thread reads it (ipc/async_io), one
 * block at a time: the next one is read while the one before is on its way to the host.
 */
#ifndef RELAY_BODY_READER_H
#define RELAY_BODY_READER_H

#include "ipc/async_io.h"
#include "relay/message_source.h"

struct body_reader {
	struct async_io_file *file; /* NULL: there is none */
	/* the block that was asked for last, and the one that is read or was */
	uint64_t wanted_at, read_at;
	size_t wanted_n, read_n;
	bool is_answered; /* read is what was asked for: bytes, or why not */
	int error;
	struct str bytes;
	void (*ready)(void *arg);
	void *arg;
};

/* The descriptor is the body's from now on.  ready: in the loop, when a block that was answered
 * with MESSAGE_SOURCE_AWAITED is there, or cannot be read; it may clear the body. */
void body_reader_init(
    struct body_reader *reader, struct async_io_file *file, void (*ready)(void *arg), void *arg);
/* In any state. */
void body_reader_clear(struct body_reader *reader);
/* message_source_read_fn; arg: the body.  A block that could not be read is read anew when it is
 * asked for again. */
enum message_source_answer body_reader_read(
    void *arg, uint64_t at, size_t n, struct str *block_out);

#endif
