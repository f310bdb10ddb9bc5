/*
 * notice_mail: a mail to the postmaster about something that needs an administrator.  Pure: text
 * goes in, a message comes out.  It is 7-bit with short lines, as a report is; characters that are
 * not printable are replaced, and text of other systems, which is indented, never begins a line.
 */
#ifndef QUEUE_REPORTS_NOTICE_MAIL_H
#define QUEUE_REPORTS_NOTICE_MAIL_H

#include "mail/envelope.h"

enum { NOTICE_BODY_MAX = 112 << 10, NOTICE_HEADER_MAX = 8 << 10 };

struct notice_mail_content {
	uint64_t id;        /* from which the id of the message is made */
	struct str subject; /* without the host name, which is put in front */
	/* lines that end in \n; a line that begins with a blank is indented and folded */
	struct str text;
	struct str hostname, postmaster;
	int64_t now_ms;
};

struct notice_mail {
	struct envelope envelope; /* strings point into the content and into this struct */
	struct envelope_recipient recipient;
	char from[320];
	struct buf header, body;
};

struct msgid notice_mail_id(uint64_t id);
/* False: the text is too long.  mail: clear with notice_mail_clear in either case; not to be
 * moved. */
bool notice_mail_compose(const struct notice_mail_content *n, struct notice_mail *mail) MUST_USE;
void notice_mail_clear(struct notice_mail *mail);

#endif
