/*
 * smtp_reply: parses the replies of a server (RFC 5321 section 4.2) from a stream in parts of any
 * size, with bounded memory for a reply of any length, and the extensions in an EHLO reply.
 */
#ifndef MAIL_SMTP_REPLY_H
#define MAIL_SMTP_REPLY_H

#include "mail/smtp_status.h"

enum {
	SMTP_REPLY_TEXT_MAX = 2048,
	SMTP_REPLY_LINE_MAX = 2048,     /* longer lines are cut */
	SMTP_REPLY_BYTES_MAX = 1 << 20, /* a reply that does not end before is invalid */
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
	uint64_t size;  /* 0: no limit given */
	char auth[200]; /* " PLAIN LOGIN ": upper case, a blank at both ends */
};

struct smtp_reply {
	uint16_t code;
	bool is_done;
	bool is_bad;  /* never reset */
	size_t bytes; /* of all lines so far */
	size_t lines;
	size_t line_bytes;
	bool is_line_cut;
	char line[SMTP_REPLY_LINE_MAX];
	/* the texts of the lines joined by a blank, cut at SMTP_REPLY_TEXT_MAX */
	struct buf text;
	struct smtp_extensions *extensions; /* NULL, or filled from each line but the first */
};

/* Begins a reply. extensions: NULL, or filled with the keywords of an EHLO reply. */
void smtp_reply_init(struct smtp_reply *r, struct smtp_extensions *extensions);
/* Frees the text. */
void smtp_reply_clear(struct smtp_reply *r);
/* Takes the part of `in` that belongs to this reply. Only the code must be correct: a long line is
 * cut, LF alone ends a line too, and text may hold any byte. BAD: lines with different codes, no
 * reply at all, or no end within SMTP_REPLY_BYTES_MAX; the stream cannot be used any more. */
enum smtp_reply_progress smtp_reply_take(struct smtp_reply *r, struct str in, size_t *used_out);
/* The status of a complete reply. */
struct smtp_status smtp_reply_status(const struct smtp_reply *r);

#endif
