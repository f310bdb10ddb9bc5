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
	MESSAGE_SOURCE_BLOCK_BYTES = 65536,
	MESSAGE_SOURCE_LATE_MS =
	    1000, /* a host may lose patience with a block that is awaited so long */
};

enum message_source_answer {
	MESSAGE_SOURCE_HERE,
	MESSAGE_SOURCE_AWAITED, /* the owner hears when it is worth while to ask again */
	MESSAGE_SOURCE_UNREADABLE,
};

/* n bytes of the body from `at`, at most MESSAGE_SOURCE_BLOCK_BYTES; valid until the next call for
 * other bytes. */
typedef enum message_source_answer message_source_read_fn(
    void *arg, uint64_t at, size_t n, struct str *block_out);

struct message_source {
	const struct envelope *envelope;
	const uint32_t *numbers; /* of the recipients to be tried, from 1 */
	size_t count;
	struct str header; /* as stored */
	struct str body;   /* when read is NULL */
	uint64_t body_bytes;
	message_source_read_fn *read;
	void *arg;
	struct str sums; /* each block that is read must fit (base/block_sums); empty: not known */
	bool is_damaged; /* one did not */
	int64_t awaited_since_ms; /* monotonic: a block that is needed now; 0: none */
	bool body_is_8bit; /* see message_source_scan */
	bool is_8bit; /* as it goes to this host */
	bool needs_utf8;
	struct buf ascii; /* the header for a host without SMTPUTF8, from when one was met */
	bool is_encoded;  /* that is what goes to this host; see message_source_choose_header */
	uint64_t scanned_bytes; /* so much of the content was looked at */
	struct body_facts facts;
};

enum message_source_scan_state {
	MESSAGE_SOURCE_SCANNED,
	MESSAGE_SOURCE_SCAN_MORE,       /* call it again */
	MESSAGE_SOURCE_SCAN_AWAITED,    /* as MESSAGE_SOURCE_AWAITED */
	MESSAGE_SOURCE_SCAN_FAILED,   /* it cannot be read, or is_damaged */
};

/* Finds out what the content needs of a host.  Mostly the envelope tells; else, for a message of
 * version 0.1.0 or a report, each call looks at one more piece, until SEEN. */
enum message_source_scan_state message_source_scan(struct message_source *source) MUST_USE;
/* Before the message is offered to a host: one that has no SMTPUTF8 gets the header in ASCII
 * (mail/header_ascii), if the message was sent with SMTPUTF8; else it goes as stored.  False:
 * *fault_out tells why it cannot be encoded. */
bool message_source_choose_header(
    struct message_source *source, bool has_smtputf8, struct header_fault *fault_out) MUST_USE;
/* Gives back what message_source_choose_header took. */
void message_source_clear(struct message_source *source);
const struct envelope_recipient *message_source_recipient(
    const struct message_source *source, size_t index);
uint64_t message_source_bytes(const struct message_source *source);
/* The piece that begins at `at`: at most MESSAGE_SOURCE_BLOCK_BYTES from a file, else all that is
 * held in one piece.  An empty view: the end.  UNREADABLE: it cannot be read, or (is_damaged) it is
 * not what was stored. */
enum message_source_answer message_source_read(
    struct message_source *source, uint64_t at, struct str *piece_out) MUST_USE;
/* The first piece of a file from `at` on will be asked for soon. */
void message_source_read_ahead(struct message_source *source, uint64_t at);
/* For how long message_source_read has answered AWAITED; 0: it is not awaited. */
int64_t message_source_awaited_ms(const struct message_source *source);
/* Why nobody got it: the disk did not give it in time. */
struct smtp_status message_source_late_status(void);
/* The content is small and in memory: it may be sent without asking first. */
bool message_source_is_small(const struct message_source *source);

#endif
