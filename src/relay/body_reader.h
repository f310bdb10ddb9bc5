/*
 * body_reader: reads the body of an attempt from its file.  A thread reads the file (ipc/async_io),
 * one block at a time: the next block is read while the block before it is sent to the host.
 */
#ifndef RELAY_BODY_READER_H
#define RELAY_BODY_READER_H

#include "ipc/async_io.h"
#include "relay/message_source.h"

struct body_reader {
	struct async_io_file *file; /* NULL: there is no file */
	/* the block that was requested last, and the block that is being read or was read last */
	uint64_t wanted_at, read_at;
	size_t wanted_n, read_n;
	bool is_answered; /* the wanted block was read (bytes), or could not be read (error) */
	int error;
	struct str bytes;
	void (*ready)(void *arg);
	void *arg;
};

/* Takes over the file.  ready is called from the loop when a block that body_reader_read answered
 * with MESSAGE_SOURCE_AWAITED was read, or could not be read; it may clear the reader. */
void body_reader_init(
    struct body_reader *reader, struct async_io_file *file, void (*ready)(void *arg), void *arg);
/* Frees the file.  Allowed in any state, also while a block is read. */
void body_reader_clear(struct body_reader *reader);
/* A message_source_read_fn; arg is the body reader.  A block that could not be read is read again
 * when it is requested again. */
enum message_source_answer body_reader_read(
    void *arg, uint64_t at, size_t n, struct str *block_out);

#endif
