/*
 * header_origin: where a submitted message comes from and who sends it. Its header is checked
 * against this (header_policy), completed from it (header_complete) and gets its trace from it
 * (rewrite).
 */
#ifndef MAIL_HEADER_ORIGIN_H
#define MAIL_HEADER_ORIGIN_H

#include "mail/display_name.h"

struct header_origin {
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

#endif
