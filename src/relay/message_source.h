/*
 * message_source: one message on its way to one host: the envelope, which recipients, and the
 * content (header, empty line, body) as stored, or with its header encoded for that host; taken in
 * blocks.
 */
#ifndef RELAY_MESSAGE_SOURCE_H
#define RELAY_MESSAGE_SOURCE_H

#include "mail/body_facts.h"
#include "mail/envelope.h"
#include "mail/header_ascii.h"
#include "mail/smtp_status.h"

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
	struct str header; /* as stored */
	struct str body;   /* when read is NULL */
	uint64_t body_bytes;
	outgoing_read_fn *read;
	void *arg;
	struct str sums; /* each block that is read must fit (base/block_sums); empty: not known */
	bool is_damaged; /* one did not */
	int64_t awaited_since_ms; /* monotonic: a block that is needed now; 0: none */
	bool body_is_8bit; /* see outgoing_look */
	bool is_8bit; /* as it goes to this host */
	bool needs_utf8;
	struct buf ascii; /* the header for a host without SMTPUTF8, from when one was met */
	bool is_encoded;  /* that is what goes to this host; see outgoing_fit */
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
/* Before the message is offered to a host: one that has no SMTPUTF8 gets the header in ASCII
 * (mail/header_ascii), if the message was sent with SMTPUTF8; else it goes as stored.  False:
 * *fault_out tells why it cannot be encoded. */
bool outgoing_fit(
    struct outgoing *o, bool has_smtputf8, struct header_fault *fault_out) MUST_USE;
/* Gives back what outgoing_fit took. */
void outgoing_clear(struct outgoing *o);
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
