/*
 * envelope: who sends what to whom, apart from the message (RFC 5321, 3461), and its stored form:
 * tagged fields, so that an older or newer program keeps the tags that it does not know.
 */
#ifndef MAIL_ENVELOPE_H
#define MAIL_ENVELOPE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/id.h"

enum envelope_body { BODY_7BIT, BODY_8BITMIME };
enum envelope_return { RETURN_UNSET, RETURN_FULL, RETURN_HEADERS };
enum envelope_notify { NOTIFY_NEVER = 1, NOTIFY_SUCCESS = 2, NOTIFY_FAILURE = 4, NOTIFY_DELAY = 8 };
enum envelope_kind { ENVELOPE_MESSAGE, ENVELOPE_REPORT }; /* REPORT: composed by us; null sender */

enum {
	ENVELOPE_BYTES_MAX = 65536,
	ENVELOPE_RECIPIENTS_MAX = 1000,
	ENVELOPE_TEXT_MAX = 1024,
	ENVELOPE_NUMBER_MAX = 999999, /* transactions of one session; reports have larger numbers */
};

struct envelope_recipient {
	struct str address; /* as given in RCPT, no brackets */
	struct str orcpt;   /* "rfc822;…" still in xtext, as given; empty: none */
	unsigned notify;    /* enum envelope_notify bits; 0: not given */
	struct str unknown; /* as below, of this recipient */
};

struct envelope {
	struct msgid id;
	enum envelope_kind kind;
	int64_t arrival_ms;
	struct str user;        /* login; empty for reports */
	struct str sender;      /* reverse-path without brackets; empty: null */
	struct str header_from; /* first From address, for the log and the queue list */
	struct str client;      /* "203.0.113.7"; empty: unknown */
	struct str credential;  /* id of the credential used; later */
	struct str pool;        /* source pool; later */
	enum envelope_body body;
	bool smtputf8;
	bool requiretls;
	enum envelope_return ret;
	struct str envid; /* still in xtext */
	uint32_t priority;
	int64_t hold_until_ms; /* 0: none */
	int64_t deliver_by_ms; /* 0: none */
	uint32_t header_bytes; /* of the stored header */
	uint64_t body_bytes;
	uint32_t facts;           /* enum body_facts_bit, of the body; 0: nobody has looked */
	struct envelope_recipient *recipients; /* number n (from 1) is recipients[n - 1] */
	uint32_t recipient_count;
	struct str unknown; /* fields with tags of another version, kept as they came */
};

/* False when the result would be larger than ENVELOPE_BYTES_MAX. */
bool envelope_encode(const struct envelope *e, struct buf *out) MUST_USE;
/* Total.  Strings point into `bytes`, the recipient array into the arena.  False also when a text
 * is not what submission may have accepted: an address that is not mail_address_is_storable, an
 * ENVID or ORCPT that MAIL and RCPT would refuse, a login, client address, credential or pool with
 * control characters, malformed UTF-8 or more than ENVELOPE_TEXT_MAX octets, a recipient without an
 * address.  Fields of other versions are not judged. */
bool envelope_decode(struct str bytes, struct arena *arena, struct envelope *out) MUST_USE;

#endif
