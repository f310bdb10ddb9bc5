/*
 * message_source: one message that is sent to one host: the envelope, the recipients to try, and
 * the content (header, empty line, body) as it is stored, or with its header encoded for that
 * host.  The content is read in blocks.  The source does not know the host or the protocol.
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
	    1000, /* a host may close the connection when a block takes longer */
};

enum message_source_answer {
	MESSAGE_SOURCE_AVAILABLE,
	MESSAGE_SOURCE_AWAITED, /* the owner is notified when the block can be read */
	MESSAGE_SOURCE_UNREADABLE,
};

/* Reads n bytes of the body from `at`, at most MESSAGE_SOURCE_BLOCK_BYTES.  They stay valid until
 * the next call for other bytes. */
typedef enum message_source_answer message_source_read_fn(
    void *arg, uint64_t at, size_t n, struct str *block_out);

struct message_source {
	const struct envelope *envelope;
	const uint32_t *numbers; /* of the recipients to try, from 1 */
	size_t count;
	struct str header; /* as stored */
	struct str body;   /* used when read is NULL */
	uint64_t body_bytes;
	message_source_read_fn *read;
	void *arg;
	/* each block is checked against its sum (base/block_sums); empty: no check */
	struct str sums;
	bool is_damaged; /* a block did not match its sum */
	/* monotonic: since when a needed block is awaited; 0: no block is */
	int64_t awaited_since_ms;
	bool body_is_8bit; /* see message_source_scan */
	bool is_8bit;      /* of the content in the form for this host */
	bool needs_utf8;
	struct buf ascii; /* the encoded header, made for the first host without SMTPUTF8 */
	bool is_encoded;  /* this host gets the encoded header; see message_source_choose_header */
	uint64_t scanned_bytes; /* how much of the content was scanned */
	struct body_facts facts;
};

enum message_source_scan_state {
	MESSAGE_SOURCE_SCANNED,
	MESSAGE_SOURCE_SCAN_MORE,    /* call message_source_scan again */
	MESSAGE_SOURCE_SCAN_AWAITED, /* call it again when the owner was notified */
	MESSAGE_SOURCE_SCAN_FAILED,  /* the content cannot be read, or is_damaged */
};

/* Finds out what the content needs of a host.  In most cases the envelope contains this.
 * Otherwise, for a message of version 0.1.0 or a report, each call scans one more block, until
 * SCANNED. */
enum message_source_scan_state message_source_scan(struct message_source *source) MUST_USE;
/* Chooses the form of the header, before a transaction with a host.  A host without SMTPUTF8 gets
 * the header in ASCII (mail/header_ascii) if the message was submitted with SMTPUTF8; in all other
 * cases the header goes as it is stored.  False: the header cannot be encoded, see *fault_out. */
bool message_source_choose_header(
    struct message_source *source, bool has_smtputf8, struct header_fault *fault_out) MUST_USE;
/* Frees the encoded header. */
void message_source_clear(struct message_source *source);
/* The recipient at this index of the numbers. */
const struct envelope_recipient *message_source_recipient(
    const struct message_source *source, size_t index);
/* The size of the content in the form for this host. */
uint64_t message_source_bytes(const struct message_source *source);
/* Reads the content from `at` on: at most MESSAGE_SOURCE_BLOCK_BYTES from a file, otherwise all
 * that is left of the header or body.  An empty view: the end.  UNREADABLE: it cannot be read, or
 * (is_damaged) it differs from what was stored. */
enum message_source_answer message_source_read(
    struct message_source *source, uint64_t at, struct str *piece_out) MUST_USE;
/* Starts to read the first block of the file from `at` on, which will be needed soon. */
void message_source_read_ahead(struct message_source *source, uint64_t at);
/* For how long message_source_read has answered AWAITED; 0: it has not. */
int64_t message_source_awaited_ms(const struct message_source *source);
/* The status for recipients when the disk did not deliver the content in time. */
struct smtp_status message_source_late_status(void);
/* True: the content is in memory, and small, so that it may be sent with pipelining. */
bool message_source_is_small(const struct message_source *source);

#endif
