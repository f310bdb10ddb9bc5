/*
 * dsn: delivery status notifications, called reports (RFC 3464 in a multipart/report of RFC 6522;
 * NOTIFY, RET, ENVID and ORCPT of RFC 3461; addresses beyond ASCII by RFC 6533).  Pure: the state
 * of recipients goes in, a message comes out.  Text of another host or of the sender appears as
 * printable text and never begins a line.  A report to an ASCII address is 7-bit with lines of at
 * most 998 octets, so that every host can accept it.  Only a report to an address beyond ASCII
 * needs SMTPUTF8, as that address itself does.
 */
#ifndef QUEUE_REPORTS_DSN_H
#define QUEUE_REPORTS_DSN_H

#include "queue/reports/dsn_input.h"

enum {
	/* messages of a session have smaller numbers, reports larger ones */
	DSN_NUMBER = ENVELOPE_NUMBER_MAX + 1,
};

/* Numbers from here on are those of notices (queue/reports/notice_mail.h), for which no report is
 * sent. */
#define DSN_NOTICE_NUMBER (UINT32_C(4001) * DSN_NUMBER)

/* What decides whether a report is sent. */
struct dsn_conditions {
	struct msgid id; /* of the message */
	enum envelope_kind kind;
	bool has_sender;
	unsigned notify; /* of the recipient */
};

/* Is a report owed?  The sender gets it by NOTIFY; without NOTIFY for failures and delays; a null
 * sender never.  When a report itself fails, the postmaster gets one; when that one fails, no one.
 */
bool dsn_is_wanted(const struct dsn_conditions *w, enum dsn_action action);
/* The message is a report to the postmaster about a report. */
bool dsn_is_about_report(struct msgid id);
/* It is a notice to the postmaster. */
bool dsn_is_notice(struct msgid id);
/* Does the report need the body? */
bool dsn_returns_body(const struct envelope *e);

struct dsn_report {
	struct envelope envelope; /* strings point into the dsn and into this struct */
	struct envelope_recipient recipient;
	char from[320];
	struct buf header, body;
};

/* Composes a report about as many of the items as fit, the first ones; returns how many (at least
 * 1, as count is).  Its id is derived from the ids of the message and of the first recipient, so
 * that a repetition creates no second report. report: clear with dsn_clear; not to be moved. */
size_t dsn_compose(const struct dsn *d, struct dsn_report *report) MUST_USE;
void dsn_clear(struct dsn_report *report);

#endif
