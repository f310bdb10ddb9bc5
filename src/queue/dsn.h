/*
 * dsn: delivery reports (RFC 3464 in a multipart/report of RFC 6522; wishes of RFC 3461; addresses
 * beyond ASCII by RFC 6533).  Pure: what became of recipients goes in, a message comes out.
 * Whatever another host or the sender said stands in it as printable text and can begin no line.
 * A report to an ASCII address is 7-bit with lines of at most 998 octets, so that every host can
 * take it.  Only one to an address beyond ASCII needs SMTPUTF8, as that address itself does.
 */
#ifndef QUEUE_DSN_H
#define QUEUE_DSN_H

#include "mail/envelope.h"
#include "mail/smtp_status.h"

enum {
	DSN_RETURN_MAX = 50 << 10, /* larger messages are returned as their header only */
	DSN_HEADER_MAX = 32 << 10, /* of which not more than this */
	DSN_BRIEF_MAX = 2 << 10,   /* nor than this while the disk is low */
	/* reports are returned whole, to the postmaster: none is larger */
	DSN_REPORT_MAX = 112 << 10,
	/* messages of a session have smaller numbers, reports larger ones */
	DSN_NUMBER = ENVELOPE_NUMBER_MAX + 1,
};

/* From here on they are those of notices (queue/notice_mail.h), about which nobody is told. */
#define DSN_NOTICE_NUMBER (UINT32_C(4001) * DSN_NUMBER)

enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_RELAYED, DSN_DELIVERED, DSN_ACTIONS };

/* What became of one recipient. */
struct dsn_item {
	uint32_t number; /* of the recipient, from 1 */
	enum dsn_action action;
	struct smtp_status
	    status;               /* the last about it; is_remote: the host said so; code 0: none */
	bool is_expired;          /* FAILED: it was temporary, but time is up */
	struct str host, address; /* of the host that was asked; empty: none was */
	int64_t at_ms;            /* of that attempt; 0: none */
	int64_t found_ms;         /* when another message's attempt found the status; 0: not so */
};

struct dsn {
	const struct envelope *envelope; /* of the message that is reported about */
	/* in any order; DELAYED ones in a report of their own */
	const struct dsn_item *items;
	size_t count;
	struct str header; /* of that message; empty: lost */
	struct str body;
	bool has_body; /* body is all of it */
	bool is_brief; /* room is scarce: little of the header is returned, and no body */
	struct str hostname;
	struct str postmaster; /* hears of reports that could not be delivered */
	int64_t now_ms;
	int64_t retry_until_ms; /* DELAYED */
};

/* What decides whether anyone is told. */
struct dsn_conditions {
	struct msgid id; /* of the message */
	enum envelope_kind kind;
	bool has_sender;
	unsigned notify; /* of the recipient */
};

/* Is a report owed?  To the sender by NOTIFY, where failures and delays are told unless it says
 * otherwise; never to a null sender.  When a report fails, to the postmaster; never about that. */
bool dsn_is_wanted(const struct dsn_conditions *w, enum dsn_action action);
/* The message is a report to the postmaster about a report. */
bool dsn_is_about_report(struct msgid id);
/* It is a notice to the postmaster. */
bool dsn_is_notice(struct msgid id);
/* Should the body be at hand? */
bool dsn_returns_body(const struct envelope *e);

struct dsn_report {
	struct envelope envelope; /* strings point into the dsn and into this */
	struct envelope_recipient recipient;
	char from[320];
	struct buf header, body;
};

/* Composes a report about as many of the items as fit, the first ones; returns how many (at least
 * 1, as count is).  Its id derives from the message's and the first recipient's, so that what is
 * replayed makes no second one.  report: clear with dsn_clear; not to be moved. */
size_t dsn_compose(const struct dsn *d, struct dsn_report *report) MUST_USE;
void dsn_clear(struct dsn_report *report);

#endif
