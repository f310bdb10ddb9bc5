/*
 * rewrite: the repairs that a submission server makes in a header (RFC 6409 section 8): it adds
 * missing fields, removes fields that must not be sent, and completes unqualified addresses; all
 * other bytes are unchanged.
 */
#ifndef MAIL_REWRITE_H
#define MAIL_REWRITE_H

#include "mail/display_name.h"

struct rewrite {
	struct str hostname;
	struct str domain;        /* completes addresses without a domain */
	struct str user;          /* the login, for the refusal */
	struct str sender;        /* envelope sender: for a missing From, Sender and Resent-From */
	struct str id;            /* text of the message id, for Received and Message-ID */
	struct str helo;          /* shown only with client */
	struct str client;        /* client address; empty: hidden */
	struct str protocol;      /* "ESMTPSA", "UTF8SMTPSA" (RFC 3848, 6531) */
	struct str tls;           /* "TLSv1.3", for a comment in Received; may be empty */
	struct str for_recipient; /* the only recipient; empty: not disclosed */
	int64_t now_ms;
	bool smtputf8;
	bool passes_duplicates; /* accepts repeated fields that RFC 5322 allows once, except From
	                           and Sender */
	display_name_may_fn *may;
	void *may_arg;
};

enum { REWRITE_RECEIVED_MAX = 50 };

/* Writes the new header (without the empty line) to out, and the first From address as complete
 * text to *from_out (arena). code 250, or the refusal: 550 5.7.1 (an address in From, Sender,
 * Resent-From or Resent-Sender that the user may not use, also one that is only shown, see
 * display_name.h; both addresses are in the text, and *from_out is that address), 554 5.6.0 (From
 * cannot be parsed; no From, and no envelope sender to make one of; a field is repeated that is
 * allowed once; a control character in a field that is parsed here; the result is not
 * header_is_sendable), 554 5.4.6 (more than 50 Received), 554 5.6.7 (UTF-8 without SMTPUTF8), 552
 * 5.3.4 (out too large). */
struct smtp_status rewrite_submission(const struct header *h, const struct rewrite *r,
    struct arena *arena, struct buf *out, struct str *from_out);

#endif
