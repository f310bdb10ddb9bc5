/*
 * smtp_status: the result of a command or a delivery, copied by value into replies, the log and
 * reports: an SMTP reply code (RFC 5321 section 4.2), an enhanced code (RFC 3463) and one line of
 * text.
 */
#ifndef MAIL_SMTP_STATUS_H
#define MAIL_SMTP_STATUS_H

#include "base/buf.h"

enum { SMTP_STATUS_TEXT_BYTES = 240 };

struct smtp_status {
	uint16_t code; /* 200..599; 0: no status yet */
	uint8_t class; /* of the enhanced code: 2, 4 or 5; 0: there is none */
	uint16_t subject;
	uint16_t detail;
	bool is_remote; /* a reply of another host; else our own status */
	/* printable ASCII or valid UTF-8, one line, zero-terminated */
	char text[SMTP_STATUS_TEXT_BYTES];
};

/* enhanced: "5.7.1", or NULL for none. Text of others is made printable. */
struct smtp_status smtp_status_make(unsigned code, const char *enhanced, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The reply of another host, the only status with is_remote: takes a leading enhanced code off the
 * text when its class fits the code. */
struct smtp_status smtp_status_remote(unsigned code, struct str text);

static inline bool
smtp_status_is_ok(const struct smtp_status *s)
{
	return s->code >= 200 && s->code < 400;
}

static inline bool
smtp_status_is_temporary(const struct smtp_status *s)
{
	return s->code >= 400 && s->code < 500;
}

static inline bool
smtp_status_is_permanent(const struct smtp_status *s)
{
	return s->code >= 500;
}

/* Appends "550 5.7.1 text\r\n". */
void smtp_status_reply(const struct smtp_status *s, struct buf *out);

/* 452: there is no room for a message of that size; 0: for no message. */
struct smtp_status smtp_status_no_room(uint64_t bytes);
/* A message could not be stored; error is an errno: 452 without room, else 451. */
struct smtp_status smtp_status_not_stored(int error);
/* The same for a lack of descriptors; and whether a status is that one. */
struct smtp_status smtp_status_no_descriptors(void);
bool smtp_status_is_no_descriptors(const struct smtp_status *s);

/* The connection ended after the final dot: only the host knows whether it has the message. */
struct smtp_status smtp_status_may_have_arrived(void);
bool smtp_status_is_may_have_arrived(const struct smtp_status *s);

enum { SMTP_STATUS_ENHANCED_BYTES = 16 };
/* "5.7.1"; without an enhanced code, one of the reply code's class: "5.0.0". Returns out. */
char *smtp_status_enhanced(const struct smtp_status *s, char out[SMTP_STATUS_ENHANCED_BYTES]);

#endif
