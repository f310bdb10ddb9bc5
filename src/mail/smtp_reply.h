/*
 * smtp_reply: what a server says to us (RFC 5321 section 4.2), taken from a stream in pieces of any
 * size, in bounded memory however long the reply is, and the extensions of an EHLO reply.
 */
#ifndef MAIL_SMTP_REPLY_H
#define MAIL_SMTP_REPLY_H

#include "mail/smtp_status.h"

enum {
	SMTP_REPLY_TEXT_MAX = 2048,
	SMTP_REPLY_LINE_MAX = 2048,     /* what is longer is cut */
	SMTP_REPLY_BYTES_MAX = 1 << 20, /* a reply without an end before that is none */
};

enum smtp_reply_progress { SMTP_REPLY_MORE, SMTP_REPLY_DONE, SMTP_REPLY_BAD };

enum smtp_extension {
	EXT_PIPELINING = 1 << 0,
	EXT_SIZE = 1 << 1,
	EXT_8BITMIME = 1 << 2,
	EXT_SMTPUTF8 = 1 << 3,
	EXT_DSN = 1 << 4,
	EXT_CHUNKING = 1 << 5,
	EXT_STARTTLS = 1 << 6,
	EXT_AUTH = 1 << 7,
	EXT_ENHANCEDSTATUSCODES = 1 << 8,
};

struct smtp_extensions {
	unsigned has;
	uint64_t size;      /* 0: no limit told */
	char auth[200];     /* " PLAIN LOGIN " upper case, a blank at both ends */
};

struct smtp_reply {
	uint16_t code;
	bool is_done;
	bool is_bad; /* stays so, whatever comes */
	size_t bytes; /* of all lines so far */
	size_t lines;
	size_t line_bytes;
	bool is_line_cut;
	char line[SMTP_REPLY_LINE_MAX];
	/* the lines' texts joined by a blank, cut at SMTP_REPLY_TEXT_MAX */
	struct buf text;
	struct smtp_extensions *extensions; /* or NULL: filled from each line but the first */
};

/* extensions: where EHLO's keywords go, or NULL. */
void smtp_reply_init(struct smtp_reply *r, struct smtp_extensions *extensions);
void smtp_reply_clear(struct smtp_reply *r);
/* Takes what belongs to this reply from `in`.  The code decides: a long line is cut, LF alone ends
 * a line too, and text may hold any byte.  A reply whose lines differ in code, that is no reply, or
 * that does not end within SMTP_REPLY_BYTES_MAX is BAD: its stream cannot be trusted any more. */
enum smtp_reply_progress smtp_reply_take(struct smtp_reply *r, struct str in, size_t *used_out);
struct smtp_status smtp_reply_status(const struct smtp_reply *r);

#endif
