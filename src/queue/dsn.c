/*
 * dsn: the three parts of a report: words for people, fields for programs, and what was sent.  When
 * the sender's address is ASCII the report stays deliverable everywhere: addresses beyond ASCII are
 * written as utf-8-addr-xtext, and a header beyond ASCII travels as message/global in base64.
 */
#include "queue/dsn.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/encode.h"
#include "mail/header.h"

enum {
	REPORT_MAX = 131072, /* one inline message */
	TELL_MAX = 56 << 10, /* what failures may take of it, both parts together */
	FAILURE_OVERHEAD = 700,
	LINE_WISH = 76,
	BOUNDARY_BYTES = 80,
	BASE64_LINE = 57,
};

struct writer {
	const struct dsn *d;
	struct buf *out;
	size_t count; /* failures to tell of */
	bool is_utf8; /* the report itself may hold UTF-8 */
	bool needs_8bit;
	char boundary[BOUNDARY_BYTES];
};

bool
dsn_is_wanted(const struct envelope *e, const struct recipient *r)
{
	if (e->kind == ENVELOPE_REPORT || e->sender.n == 0 || (r->notify & NOTIFY_NEVER))
		return false;
	return r->notify == 0 || (r->notify & NOTIFY_FAILURE);
}

bool
dsn_returns_body(const struct envelope *e)
{
	return e->ret != RETURN_HEADERS && e->header_bytes + e->body_bytes <= DSN_RETURN_MAX;
}

/* The same for the same message and recipient, so that what is replayed makes no second report. */
static struct msgid
report_id(struct msgid message, uint32_t first_recipient)
{
	message.number += first_recipient * DSN_NUMBER;
	return message;
}

/* ---- words of strangers ---- */

/* Printable on one line; UTF-8 where the report may hold it. */
static void
add_plain(struct writer *w, struct str s)
{
	bool keep = w->is_utf8 && str_is_utf8(s);

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		buf_addc(w->out, (c >= 0x20 && c < 0x7f) || (c >= 0x80 && keep) ? (char)c : '?');
	}
}

static bool
is_break(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Word by word, so that no line grows long and none begins with a stranger's word (RFC 5322
 * section 2.2.3: a folded line begins with a blank). */
static void
add_folded(struct writer *w, struct str text, size_t column, const char *indent)
{
	size_t words = 0;

	while (text.n) {
		size_t n = 0;

		while (n < text.n && !is_break(text.p[n]))
			n++;
		if (n && words++ && column + 1 + n > LINE_WISH) {
			buf_addf(w->out, "\r\n%s", indent);
			column = strlen(indent);
		} else if (n && words > 1) {
			buf_addc(w->out, ' ');
			column++;
		}
		add_plain(w, str_make(text.p, n));
		column += n;
		text = str_from(text, n < text.n ? n + 1 : n);
	}
}

/* utf-8-addr-xtext: \x{HEX} for what is not printable ASCII (RFC 6533 section 3). */
static void
add_unitext(struct writer *w, struct str s)
{
	for (size_t i = 0; i < s.n;) {
		unsigned char c = (unsigned char)s.p[i];
		unsigned n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
		unsigned long value = n == 1 ? c : c & (0x7fu >> n);

		for (unsigned k = 1; k < n; k++)
			value = value << 6 | ((unsigned char)s.p[i + k] & 0x3f);
		if (n == 1 && c > 0x20 && c < 0x7f && c != '\\' && c != '+' && c != '=')
			buf_addc(w->out, (char)c);
		else
			buf_addf(w->out, "\\x{%lX}", value);
		i += n;
	}
}

/* ---- words for people ---- */

static void
human_address(struct writer *w, struct str address)
{
	buf_addz(w->out, "  <");
	if (str_is_utf8(address) && !str_is_ascii(address) && !w->is_utf8)
		add_unitext(w, address);
	else
		add_plain(w, address);
	buf_addz(w->out, ">\r\n");
}

static void
human_reason(struct writer *w, const struct dsn_failure *f)
{
	char code[STATUS_ENHANCED_BYTES];

	buf_addz(w->out, "    ");
	if (f->is_expired)
		buf_addz(w->out, "It could not be delivered in the time allowed. ");
	if (f->host.n) {
		buf_addz(w->out, f->is_expired ? "The last answer, of " : "The answer of ");
		add_plain(w, f->host);
		if (f->address.n) {
			buf_addz(w->out, " [");
			add_plain(w, f->address);
			buf_addc(w->out, ']');
		}
		buf_addz(w->out, ":\r\n    ");
		buf_addf(w->out, "%u %s ", f->status.code, status_enhanced(&f->status, code));
	} else if (f->is_expired) {
		buf_addz(w->out, "The last reason:\r\n    ");
	}
	add_folded(w, str_of(f->status.text), 14, "    ");
	buf_addz(w->out, "\r\n\r\n");
}

static void
human_part(struct writer *w)
{
	const struct dsn *d = w->d;
	char stamp[CLOCK_TEXT_BYTES];

	buf_addz(w->out, "This is the mail system of ");
	add_plain(w, d->hostname);
	buf_addf(w->out, ".\r\n\r\nYour message of %s\r\ncould not be delivered to %s:\r\n\r\n",
	    clock_rfc5322(d->envelope->arrival_ms, stamp),
	    w->count == 1 ? "this recipient" : "these recipients");
	for (size_t i = 0; i < w->count; i++) {
		const struct dsn_failure *f = &d->failures[i];

		human_address(w, d->envelope->recipients[f->number - 1].address);
		human_reason(w, f);
	}
	buf_addf(w->out, "It will not be tried again. %s\r\n",
	    d->has_body ? "Your message is attached." : "The header of your message is attached.");
}

/* ---- fields for programs ---- */

static void
typed_address(struct writer *w, struct str type, struct str address)
{
	bool is_wide = !str_is_ascii(address) && str_is_utf8(address);

	if (is_wide)
		type = STR("utf-8");
	add_plain(w, type);
	buf_addc(w->out, ';');
	if (is_wide && !w->is_utf8)
		add_unitext(w, address);
	else
		add_plain(w, address);
	buf_addz(w->out, "\r\n");
}

/* "rfc822;bob+40example.net": what cannot be decoded is left out. */
static void
original_recipient(struct writer *w, struct str orcpt)
{
	size_t semicolon = str_find(orcpt, ';');
	struct buf plain;

	if (semicolon == 0 || semicolon == orcpt.n)
		return;
	buf_init(&plain, 2048);
	if (decode_xtext(&plain, str_from(orcpt, semicolon + 1)) && plain.n) {
		buf_addz(w->out, "Original-Recipient: ");
		typed_address(w, str_make(orcpt.p, semicolon), buf_str(&plain));
	}
	buf_clear(&plain);
}

static void
field_xtext(struct writer *w, const char *name, struct str xtext)
{
	struct buf plain;

	buf_init(&plain, 2048);
	if (xtext.n && decode_xtext(&plain, xtext)) {
		buf_addf(w->out, "%s: ", name);
		add_plain(w, buf_str(&plain));
		buf_addz(w->out, "\r\n");
	}
	buf_clear(&plain);
}

static void
machine_diagnostic(struct writer *w, const struct dsn_failure *f)
{
	char code[STATUS_ENHANCED_BYTES], start[64];
	int n;

	if (f->host.n) {
		buf_addz(w->out, "Remote-MTA: dns; ");
		add_plain(w, f->host);
		buf_addz(w->out, "\r\n");
		n = snprintf(start, sizeof start, "Diagnostic-Code: smtp; %u %s ", f->status.code,
		    status_enhanced(&f->status, code));
	} else {
		n = snprintf(start, sizeof start, "Diagnostic-Code: x-sallyport; ");
	}
	buf_addz(w->out, start);
	add_folded(w, str_of(f->status.text), (size_t)n, " ");
	buf_addz(w->out, "\r\n");
}

static void
machine_recipient(struct writer *w, const struct dsn_failure *f)
{
	const struct recipient *r = &w->d->envelope->recipients[f->number - 1];
	char code[STATUS_ENHANCED_BYTES], stamp[CLOCK_TEXT_BYTES];

	buf_addz(w->out, "\r\n");
	original_recipient(w, r->orcpt);
	buf_addz(w->out, "Final-Recipient: ");
	typed_address(w, STR("rfc822"), r->address);
	/* RFC 3463 section 3.5: 4.4.7 when time ran out over a temporary failure */
	buf_addf(w->out, "Action: failed\r\nStatus: %s\r\n",
	    f->is_expired ? "4.4.7" : status_enhanced(&f->status, code));
	machine_diagnostic(w, f);
	if (f->at_ms)
		buf_addf(w->out, "Last-Attempt-Date: %s\r\n", clock_rfc5322(f->at_ms, stamp));
}

static void
machine_part(struct writer *w)
{
	const struct dsn *d = w->d;
	char stamp[CLOCK_TEXT_BYTES];

	field_xtext(w, "Original-Envelope-Id", d->envelope->envid);
	buf_addz(w->out, "Reporting-MTA: dns; ");
	add_plain(w, d->hostname);
	buf_addf(w->out, "\r\nArrival-Date: %s\r\n", clock_rfc5322(d->envelope->arrival_ms, stamp));
	for (size_t i = 0; i < w->count; i++)
		machine_recipient(w, &d->failures[i]);
}

/* ---- what was sent ---- */

/* Whole lines, as many as may be returned. */
static struct str
cut_header(struct str header)
{
	size_t n = DSN_HEADER_MAX;

	if (header.n <= n)
		return header;
	while (n && header.p[n - 1] != '\n')
		n--;
	return str_make(header.p, n);
}

static void
add_base64_lines(struct buf *out, struct str in)
{
	while (in.n) {
		size_t n = in.n < BASE64_LINE ? in.n : BASE64_LINE;

		encode_base64(out, str_make(in.p, n));
		buf_addz(out, "\r\n");
		in = str_from(in, n);
	}
}

static void
add_original(struct buf *out, const struct dsn *d)
{
	buf_adds(out, d->has_body ? d->header : cut_header(d->header));
	if (d->has_body) {
		buf_addz(out, "\r\n");
		buf_adds(out, d->body);
	}
}

static void
original_wide(struct writer *w)
{
	struct buf plain;

	buf_addf(w->out,
	    "Content-Type: message/global%s\r\nContent-Transfer-Encoding: base64\r\n\r\n",
	    w->d->has_body ? "" : "-headers");
	buf_init(&plain, REPORT_MAX);
	add_original(&plain, w->d);
	add_base64_lines(w->out, buf_str(&plain));
	buf_clear(&plain);
}

static void
original_part(struct writer *w)
{
	const struct dsn *d = w->d;
	bool is_wide = !str_is_ascii(d->header);
	bool is_8bit = is_wide || (d->has_body && !str_is_ascii(d->body));

	if (is_wide && !w->is_utf8) {
		original_wide(w);
		return;
	}
	if (is_wide)
		buf_addf(
		    w->out, "Content-Type: message/global%s\r\n", d->has_body ? "" : "-headers");
	else
		buf_addf(w->out, "Content-Type: %s\r\n",
		    d->has_body ? "message/rfc822" : "text/rfc822-headers");
	if (is_8bit)
		buf_addz(w->out, "Content-Transfer-Encoding: 8bit\r\n");
	buf_addz(w->out, "\r\n");
	add_original(w->out, d);
}

/* ---- the whole ---- */

static bool
occurs(struct str in, const char *boundary)
{
	return in.n && memmem(in.p, in.n, boundary, strlen(boundary)) != NULL;
}

/* The sender knows the id, and could have written it into the message. */
static void
choose_boundary(struct writer *w, const char *id)
{
	unsigned n = 0;

	do
		snprintf(w->boundary, sizeof w->boundary, "=_%s_%u", id, n++);
	while (occurs(w->d->header, w->boundary) || occurs(w->d->body, w->boundary));
}

static void
begin_part(struct writer *w, const char *type)
{
	buf_addf(w->out, "--%s\r\n", w->boundary);
	if (type)
		buf_addf(w->out, "Content-Type: %s\r\n%s\r\n", type,
		    w->is_utf8 ? "Content-Transfer-Encoding: 8bit\r\n" : "");
}

static void
compose_body(struct writer *w)
{
	begin_part(w, w->is_utf8 ? "text/plain; charset=utf-8" : "text/plain; charset=us-ascii");
	human_part(w);
	buf_addz(w->out, "\r\n");
	begin_part(w, w->is_utf8 ? "message/global-delivery-status" : "message/delivery-status");
	machine_part(w);
	buf_addz(w->out, "\r\n");
	begin_part(w, NULL);
	original_part(w);
	buf_addf(w->out, "\r\n--%s--\r\n", w->boundary);
}

/* Only when it is harmless: one msg-id and nothing else. */
static void
add_references(struct writer *w)
{
	const struct header_field *f;
	struct header h;
	struct arena arena;
	struct status parsed;

	arena_init(&arena, 1 << 20);
	parsed = header_parse(w->d->header, &arena, &h);
	if (status_is_ok(&parsed) && (f = header_find(&h, "Message-ID"))) {
		struct str id = str_trim(f->body);

		if (id.n > 2 && id.n < 250 && id.p[0] == '<' && str_find(id, '>') == id.n - 1 &&
		    str_is_printable(id) && str_find(id, ' ') == id.n)
			buf_addf(w->out, "References: %.*s\r\n", STR_ARG(id));
	}
	arena_clear(&arena);
}

static void
compose_header(struct writer *w, const struct dsn_report *report, const char *id)
{
	char stamp[CLOCK_TEXT_BYTES];

	buf_addf(w->out, "Date: %s\r\nFrom: Mail delivery system <%s>\r\nTo: <",
	    clock_rfc5322(w->d->now_ms, stamp), report->from);
	add_plain(w, w->d->envelope->sender);
	buf_addf(w->out,
	    ">\r\nSubject: Undelivered mail returned to sender\r\nMessage-ID: <%s@%.*s>\r\n", id,
	    STR_ARG(w->d->hostname));
	add_references(w);
	buf_addf(w->out,
	    "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=%s;\r\n\tboundary=\"%s\"\r\n",
	    w->is_utf8 ? "global-delivery-status" : "delivery-status", w->boundary);
	if (w->needs_8bit)
		buf_addz(w->out, "Content-Transfer-Encoding: 8bit\r\n");
}

/* How many of the failures surely fit, with every byte of an address written as \x{HEX}. */
static size_t
count_that_fits(const struct dsn *d)
{
	size_t bytes = 0, i;

	for (i = 0; i < d->count; i++) {
		const struct recipient *r = &d->envelope->recipients[d->failures[i].number - 1];

		bytes += FAILURE_OVERHEAD + 6 * r->address.n + 3 * r->orcpt.n +
		         2 * strlen(d->failures[i].status.text) + 2 * d->failures[i].host.n;
		if (i && bytes > TELL_MAX)
			break;
	}
	return i;
}

static void
fill_envelope(const struct dsn *d, const struct writer *w, struct dsn_report *report)
{
	report->recipient =
	    (struct recipient){.address = d->envelope->sender, .notify = NOTIFY_NEVER};
	report->envelope = (struct envelope){
	    .id = report_id(d->envelope->id, d->failures[0].number),
	    .kind = ENVELOPE_REPORT,
	    .arrival_ms = d->now_ms,
	    .header_from = str_of(report->from),
	    .body = w->needs_8bit ? BODY_8BITMIME : BODY_7BIT,
	    .smtputf8 = w->is_utf8,
	    .header_bytes = (uint32_t)report->header.n,
	    .body_bytes = report->body.n,
	    .recipients = &report->recipient,
	    .recipient_count = 1,
	};
}

size_t
dsn_compose(const struct dsn *d, struct dsn_report *report)
{
	struct writer w = {.d = d, .count = count_that_fits(d), .out = &report->body};
	char id[ID_NUMBER_TEXT_BYTES];

	w.is_utf8 = !str_is_ascii(d->envelope->sender);
	msgid_text(report_id(d->envelope->id, d->failures[0].number), 0, id);
	snprintf(report->from, sizeof report->from, "MAILER-DAEMON@%.*s", STR_ARG(d->hostname));
	buf_init(&report->header, DSN_HEADER_MAX);
	buf_init(&report->body, REPORT_MAX);
	choose_boundary(&w, id);
	compose_body(&w);
	w.needs_8bit = !str_is_ascii(buf_str(&report->body));
	w.out = &report->header;
	compose_header(&w, report, id);
	fill_envelope(d, &w, report);
	return w.count;
}

void
dsn_clear(struct dsn_report *report)
{
	buf_clear(&report->header);
	buf_clear(&report->body);
}
