/*
 * notice_mail: the envelope is that of a report: null sender, no login, and no report about it.
 * dsn.h explains its number. The envelope points into the struct that holds it, which must not be
 * copied or moved. A notice that does not fit into its bounds is refused as a whole and not cut.
 */
#include "queue/reports/notice_mail.h"

#include <stdio.h>

#include "base/clock.h"
#include "queue/reports/dsn.h"
#include "queue/reports/dsn_write.h"

#define INDENT "    "

struct msgid
notice_mail_id(uint64_t id)
{
	return (struct msgid){.session = id, .number = DSN_NOTICE_NUMBER};
}

/* ---- the header ---- */

static void
notice_mail_header(
    struct dsn_writer *w, const struct notice_mail_content *n, const struct notice_mail *mail)
{
	char stamp[CLOCK_TEXT_BYTES], id[ID_NUMBER_TEXT_BYTES];
	size_t start;

	buf_addf(w->out, "Date: %s\r\nFrom: \"Mail gateway %.*s\"\r\n\t<%s>\r\nTo: <",
	    clock_rfc5322(n->now_ms, stamp), STR_ARG(n->hostname), mail->from);
	dsn_write_address(w, n->postmaster);
	buf_addz(w->out, ">\r\n");
	start = w->out->n;
	buf_addf(w->out, "Subject: %.*s: ", STR_ARG(n->hostname));
	dsn_write_words(w, n->subject, w->out->n - start, "\t");
	buf_addf(w->out,
	    "\r\nMessage-ID: <%s@%.*s>\r\nAuto-Submitted: auto-generated\r\n"
	    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=%s\r\n%s",
	    msgid_text(notice_mail_id(n->id), 0, id), STR_ARG(n->hostname),
	    w->is_utf8 ? "utf-8" : "us-ascii",
	    w->is_utf8 ? "Content-Transfer-Encoding: 8bit\r\n" : "");
}

/* ---- the body ---- */

static void
notice_mail_line(struct dsn_writer *w, struct str line)
{
	const char *indent = line.n && line.p[0] == ' ' ? INDENT : "";

	line = str_trim(line);
	if (line.n) {
		buf_addz(w->out, indent);
		dsn_write_words(w, line, strlen(indent), indent);
	}
	buf_addz(w->out, "\r\n");
}

static void
notice_mail_body(struct dsn_writer *w, const struct notice_mail_content *n)
{
	struct str text = n->text, line;

	buf_addf(w->out, "This is the mail gateway of %.*s.\r\n\r\n", STR_ARG(n->hostname));
	while (str_split(&text, '\n', &line))
		if (line.n || text.n)
			notice_mail_line(w, line);
}

/* ---- the whole ---- */

static void
notice_mail_envelope(const struct notice_mail_content *n, bool is_utf8, struct notice_mail *mail)
{
	mail->recipient =
	    (struct envelope_recipient){.address = n->postmaster, .notify = NOTIFY_NEVER};
	mail->envelope = (struct envelope){
	    .id = notice_mail_id(n->id),
	    .kind = ENVELOPE_REPORT,
	    .arrival_ms = n->now_ms,
	    .header_from = str_of(mail->from),
	    .body = is_utf8 ? BODY_8BITMIME : BODY_7BIT,
	    .smtputf8 = is_utf8,
	    .header_bytes = (uint32_t)mail->header.n,
	    .body_bytes = mail->body.n,
	    .recipients = &mail->recipient,
	    .recipient_count = 1,
	};
}

bool
notice_mail_compose(const struct notice_mail_content *n, struct notice_mail *mail)
{
	struct dsn_writer w = {.is_utf8 = !str_is_ascii(n->postmaster)};

	snprintf(mail->from, sizeof mail->from, "MAILER-DAEMON@%.*s", STR_ARG(n->hostname));
	buf_init(&mail->header, NOTICE_HEADER_MAX);
	buf_init(&mail->body, NOTICE_BODY_MAX);
	w.out = &mail->header;
	notice_mail_header(&w, n, mail);
	w.out = &mail->body;
	notice_mail_body(&w, n);
	notice_mail_envelope(n, w.is_utf8, mail);
	return buf_ok(&mail->header) && buf_ok(&mail->body);
}

void
notice_mail_clear(struct notice_mail *mail)
{
	buf_clear(&mail->header);
	buf_clear(&mail->body);
}
