/*
 * rewrite: the repairs of a submission server (RFC 6409 section 8): what is missing is added, what
 * must not leave is removed, unqualified addresses are completed; all other bytes stay as they are.
 */
#ifndef MAIL_REWRITE_H
#define MAIL_REWRITE_H

#include "mail/display_name.h"

struct rewrite {
	struct str hostname;
	struct str domain;        /* completes addresses without one */
	struct str user;          /* the login, for the refusal */
	struct str sender;        /* envelope sender, for a missing From and Sender's comparison */
	struct str id;            /* message id text, for Received and Message-ID */
	struct str helo;          /* shown only with client */
	struct str client;        /* client address, or empty: hidden */
	struct str protocol;      /* "ESMTPSA", "UTF8SMTPSA" (RFC 3848, 6531) */
	struct str tls;           /* "TLSv1.3", for the comment; may be empty */
	struct str for_recipient; /* the only recipient, else empty: not disclosed */
	int64_t now_ms;
	bool smtputf8;
	bool passes_doubled; /* fields that RFC 5322 allows once, but for From and Sender */
	display_name_may_fn *may;
	void *may_arg;
};

enum { REWRITE_RECEIVED_MAX = 50 };

/* The new header (without the empty line) into out, and the first From address as complete text
 * into *from_out (arena).  code 250, or the refusal: 550 5.7.1 (a From, Sender or Resent-
 * address that is not the user's, also one that is only shown, see display_name.h; both addresses
 * in the text, and *from_out is that address), 554 5.6.0 (From unreadable; no From, and no envelope
 * sender to make one of; a field given twice that may be there once; a control character in a field
 * that is read here; the result is not header_is_sendable), 554 5.4.6 (more than 50 Received), 554
 * 5.6.7 (UTF-8 without SMTPUTF8), 552 5.3.4 (out too large). */
struct smtp_status rewrite_submission(const struct header *h, const struct rewrite *r,
    struct arena *arena, struct buf *out, struct str *from_out);

#endif
