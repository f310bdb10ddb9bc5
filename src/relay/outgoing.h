/*
 * outgoing: one message on its way to one host: the envelope, which recipients, and the content
 * as stored (header, empty line, body), taken in blocks.
 */
#ifndef RELAY_OUTGOING_H
#define RELAY_OUTGOING_H

#include "mail/envelope.h"
#include "mail/facts.h"

enum { OUTGOING_BLOCK_BYTES = 65536 };

/* Fills `to` with n bytes of the body from `at`; false: it cannot be read. */
typedef bool outgoing_read_fn(void *arg, uint64_t at, char *to, size_t n);

struct outgoing {
	const struct envelope *envelope;
	const uint32_t *numbers; /* of the recipients to be tried, from 1 */
	size_t count;
	struct str header;
	struct str body; /* when read is NULL */
	uint64_t body_bytes;
	outgoing_read_fn *read;
	void *arg;
	struct str sums; /* each block that is read must fit (mail/sums); empty: not known */
	bool is_damaged; /* one did not */
	bool is_8bit; /* see outgoing_look */
	bool needs_utf8;
	uint64_t looked_at; /* so much of the content was looked at */
	struct facts facts;
};

enum outgoing_sight { OUTGOING_SEEN, OUTGOING_MORE, OUTGOING_UNREADABLE };

/* Finds out what the content needs of a host.  Mostly the envelope tells; else, for a message of
 * version 0.1.0 or a report, each call looks at one more piece, until SEEN. */
enum outgoing_sight outgoing_look(struct outgoing *o) MUST_USE;
const struct recipient *outgoing_recipient(const struct outgoing *o, size_t index);
uint64_t outgoing_bytes(const struct outgoing *o);
/* The piece that begins at `at`: at most OUTGOING_BLOCK_BYTES from a file (put into room, of that
 * size), else all that is held in one piece.  An empty view: the end.  False: it cannot be read, or
 * (is_damaged) it is not what was stored. */
bool outgoing_piece(
    struct outgoing *o, uint64_t at, char *room, struct str *piece_out) MUST_USE;
/* The content is small and in memory: it may be sent without asking first. */
bool outgoing_is_small(const struct outgoing *o);

#endif
