/*
 * dsn: composes the three parts of a report, each in its own buffer, so that a boundary can be
 * chosen that occurs in none of them: text for people, fields for programs, and the original
 * message.
 */
#include "queue/reports/dsn.h"

#include <stdio.h>

#include "base/clock.h"
#include "mail/header.h"
#include "queue/reports/dsn_fields.h"
#include "queue/reports/dsn_original.h"
#include "queue/reports/dsn_text.h"

enum {
	PART_MAX = 131072, /* one inline message */
	RECIPIENTS_TEXT_MAX = 56 << 10, /* bytes about recipients, both parts together */
	ITEM_OVERHEAD = 1200,
	BOUNDARY_BYTES = 80,
	/* number of a report: its kind and first recipient, then the number of the message */
	DELAYED_FROM = ENVELOPE_RECIPIENTS_MAX,
	ABOUT_REPORT_FROM = 2 * ENVELOPE_RECIPIENTS_MAX,
};

_Static_assert((2 * ABOUT_REPORT_FROM + 1ull) * DSN_NUMBER <= DSN_NOTICE_NUMBER &&
	(2 * ABOUT_REPORT_FROM + 1ull) * DSN_NUMBER <= UINT32_MAX,
    "numbers of their own");

enum dsn_part { PART_TEXT, PART_FIELDS, PART_ORIGINAL, PARTS };

struct dsn_parts {
	struct buf part[PARTS];
	char boundary[BOUNDARY_BYTES];
};

/* ---- conditions ---- */

bool
dsn_is_about_report(struct msgid id)
{
	return id.number / DSN_NUMBER > ABOUT_REPORT_FROM && !dsn_is_notice(id);
}

bool
dsn_is_notice(struct msgid id)
{
	return id.number >= DSN_NOTICE_NUMBER;
}

bool
dsn_is_wanted(const struct dsn_conditions *w, enum dsn_action action)
{
	static const unsigned wishes[DSN_ACTIONS] = {
	    NOTIFY_FAILURE, NOTIFY_DELAY, NOTIFY_SUCCESS, NOTIFY_SUCCESS};

	if (w->kind == ENVELOPE_REPORT)
		return action == DSN_FAILED && !dsn_is_about_report(w->id) &&
		       !dsn_is_notice(w->id);
	if (!w->has_sender || (w->notify & NOTIFY_NEVER))
		return false;
	if (w->notify == 0)
		return action == DSN_FAILED || action == DSN_DELAYED;
	return w->notify & wishes[action];
}

bool
dsn_returns_body(const struct envelope *e)
{
	size_t max = e->kind == ENVELOPE_REPORT ? DSN_REPORT_MAX : DSN_RETURN_MAX;

	return e->ret != RETURN_HEADERS && e->header_bytes + e->body_bytes <= max;
}

static struct msgid
dsn_id(const struct dsn *d)
{
	struct msgid id = d->envelope->id;
	uint32_t first = d->items[0].number;

	if (d->envelope->kind == ENVELOPE_REPORT)
		first = ABOUT_REPORT_FROM;
	else if (d->items[0].action == DSN_DELAYED)
		first += DELAYED_FROM;
	id.number += first * DSN_NUMBER;
	return id;
}

static struct str
dsn_report_recipient(const struct dsn *d)
{
	return d->envelope->kind == ENVELOPE_REPORT ? d->postmaster : d->envelope->sender;
}

/* ---- the body ---- */

static bool
dsn_occurs(const struct dsn_parts *p, struct str text)
{
	for (size_t i = 0; i < PARTS; i++)
		if (p->part[i].n && memmem(p->part[i].p, p->part[i].n, text.p, text.n))
			return true;
	return false;
}

/* Others know the id and could have put it into the quoted message. */
static void
dsn_choose_boundary(struct dsn_parts *p, const char *id)
{
	unsigned n = 0;

	do
		snprintf(p->boundary, sizeof p->boundary, "=_%s_%u", id, n++);
	while (dsn_occurs(p, str_of(p->boundary)));
}

static void
dsn_compose_parts(struct dsn_writer *w, struct dsn_parts *p)
{
	struct dsn_text text = {0};
	enum dsn_original form = dsn_original_form(w, &text.is_unfit);
	const char *wide = w->is_utf8 ? "Content-Transfer-Encoding: 8bit\r\n" : "";

	for (size_t i = 0; i < PARTS; i++)
		buf_init(&p->part[i], PART_MAX);
	text.is_whole = form == DSN_ORIGINAL_WHOLE || form == DSN_ORIGINAL_ENCODED;
	w->out = &p->part[PART_TEXT];
	buf_addf(w->out, "Content-Type: text/plain; charset=%s\r\n%s\r\n",
	    w->is_utf8 ? "utf-8" : "us-ascii", wide);
	dsn_text(w, &text);
	w->out = &p->part[PART_FIELDS];
	buf_addf(w->out, "Content-Type: message/%sdelivery-status\r\n%s\r\n",
	    w->is_utf8 ? "global-" : "", wide);
	dsn_fields(w);
	w->out = &p->part[PART_ORIGINAL];
	dsn_original(w, form);
}

static void
dsn_join_parts(struct dsn_parts *p, struct buf *out)
{
	for (size_t i = 0; i < PARTS; i++) {
		if (p->part[i].n == 0)
			continue;
		buf_addf(out, "--%s\r\n", p->boundary);
		buf_adds(out, buf_str(&p->part[i]));
		buf_addz(out, "\r\n");
		out->over |= p->part[i].over;
	}
	buf_addf(out, "--%s--\r\n", p->boundary);
}

/* ---- the header ---- */

/* Only when it is one msg-id and nothing else. */
static void
dsn_add_references(struct dsn_writer *w)
{
	const struct header_field *f;
	struct header h;
	struct arena arena;
	struct smtp_status parsed;

	arena_init(&arena, 1 << 20);
	parsed = header_parse(w->d->header, &arena, &h);
	if (smtp_status_is_ok(&parsed) && (f = header_find(&h, "Message-ID"))) {
		struct str id = str_trim(f->body);

		if (id.n > 2 && id.n < 250 && id.p[0] == '<' && str_find(id, '>') == id.n - 1 &&
		    str_is_printable(id) && str_find(id, ' ') == id.n)
			buf_addf(w->out, "References: %.*s\r\n", STR_ARG(id));
	}
	arena_clear(&arena);
}

static void
dsn_compose_header(struct dsn_writer *w, const struct dsn_report *report, const char *boundary)
{
	char stamp[CLOCK_TEXT_BYTES], id[ID_NUMBER_TEXT_BYTES];

	buf_addf(w->out, "Date: %s\r\nFrom: Mail delivery system <%s>\r\nTo: <",
	    clock_rfc5322(w->d->now_ms, stamp), report->from);
	dsn_write_address(w, dsn_report_recipient(w->d));
	buf_addf(w->out, ">\r\nSubject: %s\r\nMessage-ID: <%s@%.*s>\r\n", dsn_subject(w),
	    msgid_text(dsn_id(w->d), 0, id), STR_ARG(w->d->hostname));
	dsn_add_references(w);
	buf_addf(w->out,
	    "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=%sdelivery-status;\r\n"
	    "\tboundary=\"%s\"\r\n%s",
	    w->is_utf8 ? "global-" : "", boundary,
	    w->is_utf8 ? "Content-Transfer-Encoding: 8bit\r\n" : "");
}

/* ---- the whole ---- */

static size_t
dsn_item_bytes(const struct dsn_writer *w, const struct dsn_item *item)
{
	const struct envelope_recipient *r = &w->d->envelope->recipients[item->number - 1];
	size_t address = dsn_width(w, r->address), text = dsn_width(w, str_of(item->status.text));

	if (address > DSN_ADDRESS_MAX)
		address = DSN_ADDRESS_MAX;
	/* folding adds an indent to each line */
	return ITEM_OVERHEAD + 2 * address + dsn_width(w, r->orcpt) + 2 * text + text / 4 +
	       2 * dsn_width(w, item->host);
}

/* How many of the items certainly fit. */
static size_t
dsn_count_that_fits(const struct dsn_writer *w)
{
	size_t bytes = 0, i;

	for (i = 0; i < w->d->count; i++) {
		bytes += dsn_item_bytes(w, &w->d->items[i]);
		if (i && bytes > RECIPIENTS_TEXT_MAX)
			break;
	}
	return i;
}

static void
dsn_fill_envelope(const struct dsn_writer *w, struct dsn_report *report)
{
	report->recipient = (struct envelope_recipient){
	    .address = dsn_report_recipient(w->d), .notify = NOTIFY_NEVER};
	report->envelope = (struct envelope){
	    .id = dsn_id(w->d),
	    .kind = ENVELOPE_REPORT,
	    .arrival_ms = w->d->now_ms,
	    .header_from = str_of(report->from),
	    .body = w->is_utf8 ? BODY_8BITMIME : BODY_7BIT,
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
	struct dsn_writer w = {.d = d, .is_utf8 = !str_is_ascii(dsn_report_recipient(d))};
	char id[ID_NUMBER_TEXT_BYTES];
	struct dsn_parts parts;

	w.count = dsn_count_that_fits(&w);
	snprintf(report->from, sizeof report->from, "MAILER-DAEMON@%.*s", STR_ARG(d->hostname));
	buf_init(&report->header, DSN_HEADER_MAX);
	buf_init(&report->body, PART_MAX);
	dsn_compose_parts(&w, &parts);
	dsn_choose_boundary(&parts, msgid_text(dsn_id(d), 0, id));
	dsn_join_parts(&parts, &report->body);
	w.out = &report->header;
	dsn_compose_header(&w, report, parts.boundary);
	dsn_fill_envelope(&w, report);
	for (size_t i = 0; i < PARTS; i++)
		buf_clear(&parts.part[i]);
	return w.count;
}

void
dsn_clear(struct dsn_report *report)
{
	buf_clear(&report->header);
	buf_clear(&report->body);
}
