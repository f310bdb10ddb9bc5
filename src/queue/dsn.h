/*
 * dsn: reports of failed delivery (RFC 3464 in a multipart/report of RFC 6522; wishes of RFC 3461;
 * addresses beyond ASCII by RFC 6533).  Pure: what failed goes in, a message comes out.  Whatever
 * another host or the sender said stands in it as printable text and can begin no line.
 */
#ifndef QUEUE_DSN_H
#define QUEUE_DSN_H

#include "mail/envelope.h"
#include "mail/status.h"

enum {
	DSN_RETURN_MAX = 50 << 10, /* larger messages are returned as their header only */
	DSN_HEADER_MAX = 32 << 10, /* of which not more than this */
	DSN_NUMBER = 1000000, /* messages of a session have smaller numbers, reports larger ones */
};

struct dsn_failure {
	uint32_t number;          /* of the recipient, from 1 */
	struct status status;     /* the last that was said about it */
	bool is_expired;          /* it was temporary, but time is up */
	struct str host, address; /* who said it; empty: we did */
	int64_t at_ms;
};

struct dsn {
	const struct envelope *envelope; /* of the message that failed */
	const struct dsn_failure *failures;
	size_t count;
	struct str header; /* of that message; empty: lost */
	struct str body;
	bool has_body; /* body is all of it */
	struct str hostname;
	int64_t now_ms;
};

/* Is anyone told when this recipient fails?  Never about reports, never a null sender, never
 * against NOTIFY. */
bool dsn_is_wanted(const struct envelope *e, const struct recipient *r);
/* Should the body be at hand? */
bool dsn_returns_body(const struct envelope *e);

struct dsn_report {
	struct envelope envelope; /* strings point into the dsn and into this */
	struct recipient recipient;
	char from[320];
	struct buf header, body;
};

/* Composes a report about as many of the failures as fit, the first ones; returns how many (at
 * least 1, as count is).  report: clear with dsn_clear; not to be moved. */
size_t dsn_compose(const struct dsn *d, struct dsn_report *report) MUST_USE;
void dsn_clear(struct dsn_report *report);

#endif
