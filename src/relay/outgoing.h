/*
 * outgoing: one message on its way to one host: the envelope, which recipients, and the content
 * as stored (header, empty line, body), taken in blocks.
 */
#ifndef RELAY_OUTGOING_H
#define RELAY_OUTGOING_H

#include "mail/envelope.h"
#include "mail/facts.h"
#include "mail/status.h"

enum {
	OUTGOING_BLOCK_BYTES = 65536,
	OUTGOING_LATE_MS = 1000, /* a host may lose patience with a block that is awaited so long */
};

enum outgoing_answer {
	OUTGOING_HERE,
	OUTGOING_AWAITED, /* the owner hears when it is worth while to ask again */
	OUTGOING_UNREADABLE,
};

/* n bytes of the body from `at`, at most OUTGOING_BLOCK_BYTES; valid until the next call for other
 * bytes. */
typedef enum outgoing_answer outgoing_read_fn(
    void *arg, uint64_t at, size_t n, struct str *block_out);

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
	int64_t awaited_since_ms; /* monotonic: a block that is needed now; 0: none */
	bool is_8bit; /* see outgoing_look */
	bool needs_utf8;
	uint64_t looked_at; /* so much of the content was looked at */
	struct facts facts;
};

enum outgoing_sight {
	OUTGOING_SEEN,
	OUTGOING_MORE,       /* call it again */
	OUTGOING_NOT_YET,    /* as OUTGOING_AWAITED */
	OUTGOING_NOT_SEEN,   /* it cannot be read, or is_damaged */
};

/* Finds out what the content needs of a host.  Mostly the envelope tells; else, for a message of
 * version 0.1.0 or a report, each call looks at one more piece, until SEEN. */
enum outgoing_sight outgoing_look(struct outgoing *o) MUST_USE;
const struct recipient *outgoing_recipient(const struct outgoing *o, size_t index);
uint64_t outgoing_bytes(const struct outgoing *o);
/* The piece that begins at `at`: at most OUTGOING_BLOCK_BYTES from a file, else all that is held in
 * one piece.  An empty view: the end.  UNREADABLE: it cannot be read, or (is_damaged) it is not
 * what was stored. */
enum outgoing_answer outgoing_piece(
    struct outgoing *o, uint64_t at, struct str *piece_out) MUST_USE;
/* The first piece of a file from `at` on will be asked for soon. */
void outgoing_ahead(struct outgoing *o, uint64_t at);
/* For how long outgoing_piece has answered AWAITED; 0: it is not awaited. */
int64_t outgoing_awaited_ms(const struct outgoing *o);
/* Why nobody got it: the disk did not give it in time. */
struct status outgoing_late_status(void);
/* The content is small and in memory: it may be sent without asking first. */
bool outgoing_is_small(const struct outgoing *o);

#endif
