/*
 * envelope: the sender, the recipients and the options of a message, apart from its content (RFC
 * 5321, 3461), and their stored form: tagged fields, so that an older or newer program preserves
 * fields that it does not know.
 */
#ifndef MAIL_ENVELOPE_H
#define MAIL_ENVELOPE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/id.h"
#include "mail/envelope_options.h"

enum envelope_kind {
	ENVELOPE_MESSAGE,
	ENVELOPE_REPORT, /* made by the queue; null sender */
};

enum {
	ENVELOPE_BYTES_MAX = 65536,
	ENVELOPE_RECIPIENTS_MAX = 1000,
	ENVELOPE_TEXT_MAX = 1024,
	ENVELOPE_NUMBER_MAX = 999999, /* transactions of one session; reports have larger numbers */
};

struct envelope_recipient {
	struct str address; /* as given in RCPT, without brackets */
	struct str orcpt;   /* "rfc822;..." in xtext, as given; empty: none */
	unsigned notify;    /* enum envelope_notify bits; 0: not given */
	struct str unknown; /* see `unknown` below, for this recipient */
};

struct envelope {
	struct msgid id;
	enum envelope_kind kind;
	int64_t arrival_ms;
	struct str user;        /* login; empty for reports */
	struct str sender;      /* reverse-path without brackets; empty: the null sender */
	struct str header_from; /* first From address, for the log and the queue list */
	struct str client;      /* "203.0.113.7"; empty: unknown */
	struct str credential;  /* id of the credential; not used yet */
	struct str pool;        /* source address pool; not used yet */
	enum envelope_body body;
	bool smtputf8;
	bool requiretls;
	enum envelope_return ret;
	struct str envid; /* in xtext */
	uint32_t priority;
	int64_t hold_until_ms; /* 0: none */
	int64_t deliver_by_ms; /* 0: none */
	uint32_t header_bytes; /* of the stored header */
	uint64_t body_bytes;
	uint32_t facts; /* enum body_facts_bit, of the body; 0: not examined */
	struct envelope_recipient *recipients; /* number n (from 1) is recipients[n - 1] */
	uint32_t recipient_count;
	struct str unknown; /* fields with tags of another version, unchanged */
};

/* Appends the stored form. False when it would be larger than ENVELOPE_BYTES_MAX. */
bool envelope_encode(const struct envelope *e, struct buf *out) MUST_USE;
/* Accepts any bytes. Strings point into `bytes`; the recipients are in the arena. False also when a
 * text is not one that submission could have accepted: an address that is not
 * mail_address_is_storable, an ENVID or ORCPT that MAIL and RCPT would refuse, a login, client
 * address, credential or pool with control characters, malformed UTF-8 or more than
 * ENVELOPE_TEXT_MAX octets, a recipient without an address. Fields of other versions are not
 * checked. */
bool envelope_decode(struct str bytes, struct arena *arena, struct envelope *out) MUST_USE;

#endif
