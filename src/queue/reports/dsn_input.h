/*
 * dsn_input: what a report is made of: the message that it is about, the states of its recipients,
 * and how much of the message is returned.  Everything belongs to the caller of dsn_compose.
 */
#ifndef QUEUE_REPORTS_DSN_INPUT_H
#define QUEUE_REPORTS_DSN_INPUT_H

#include "mail/envelope.h"
#include "mail/smtp_status.h"

enum {
	DSN_RETURN_MAX = 50 << 10, /* of a larger message only the header is returned */
	DSN_HEADER_MAX = 32 << 10, /* and at most this much of it */
	DSN_BRIEF_MAX = 2 << 10,   /* or this much while the disk is nearly full */
	/* reports are returned whole, to the postmaster: no report is larger */
	DSN_REPORT_MAX = 112 << 10,
};

enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_RELAYED, DSN_DELIVERED, DSN_ACTIONS };

/* The state of one recipient. */
struct dsn_item {
	uint32_t number; /* of the recipient, from 1 */
	enum dsn_action action;
	struct smtp_status status; /* the last status; is_remote: the host sent it; code 0: none */
	bool is_expired; /* FAILED: the failure was temporary, but the message has expired */
	struct str host, address; /* of the host that was tried; empty: none */
	int64_t at_ms;            /* of that attempt; 0: none */
	int64_t found_ms; /* when an attempt for another message got the status; 0: its own attempt
	                     did */
};

struct dsn {
	const struct envelope *envelope; /* of the message that the report is about */
	/* in any order; DELAYED items are in a report of their own */
	const struct dsn_item *items;
	size_t count;
	struct str header; /* of that message; empty: lost */
	struct str body;
	bool has_body; /* body is all of it */
	bool is_brief; /* the disk is nearly full: only a short header is returned, and no body */
	struct str hostname;
	struct str postmaster; /* receives reports about reports */
	int64_t now_ms;
	int64_t retry_until_ms; /* DELAYED */
};

#endif
