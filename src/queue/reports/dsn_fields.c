/*
 * dsn_fields: the fields of the message, then a block of fields for each recipient.  Only the text
 * of a host is a diagnostic of type smtp (RFC 3464 section 2.3.6); a status of this system has the
 * type x-sallyport.
 */
#include "queue/reports/dsn_fields.h"

#include "base/clock.h"
#include "base/encode.h"

enum { XTEXT_BYTES_MAX = 2048 };

static void
dsn_field_date(struct dsn_writer *w, const char *name, int64_t ms)
{
	char stamp[CLOCK_TEXT_BYTES];

	buf_addf(w->out, "%s: %s\r\n", name, clock_rfc5322(ms, stamp));
}

/* An ENVID that cannot be decoded is left out. */
static void
dsn_field_envid(struct dsn_writer *w, struct str xtext)
{
	struct buf plain;

	buf_init(&plain, XTEXT_BYTES_MAX);
	if (xtext.n && decode_xtext(&plain, xtext) && plain.n) {
		buf_addz(w->out, "Original-Envelope-Id: ");
		dsn_write_address(w, buf_str(&plain));
		buf_addz(w->out, "\r\n");
	}
	buf_clear(&plain);
}

/* "rfc822;bob+40example.net", "utf-8;b\x{FC}cher@example.net" (not xtext, RFC 6533 section 3).
 * What cannot be decoded is left out. */
static void
dsn_field_orcpt(struct dsn_writer *w, struct str orcpt)
{
	size_t semicolon = str_find(orcpt, ';');
	struct str type = str_upto(orcpt, semicolon), value = str_from(orcpt, semicolon + 1);
	struct buf plain;
	bool ok;

	if (semicolon == 0 || semicolon == orcpt.n)
		return;
	buf_init(&plain, XTEXT_BYTES_MAX);
	ok = str_ieq(type, STR("utf-8")) ? buf_adds(&plain, value) : decode_xtext(&plain, value);
	if (ok && plain.n) {
		buf_addz(w->out, "Original-Recipient: ");
		dsn_write_typed(w, type, buf_str(&plain));
		buf_addz(w->out, "\r\n");
	}
	buf_clear(&plain);
}

/* The class is that of the action.  Expiry after temporary failures is 4.4.7 (RFC 3463 section
 * 3.5), so that programs can distinguish it from a refusal. */
static void
dsn_field_status(struct dsn_writer *w, const struct dsn_item *item)
{
	static const char classes[DSN_ACTIONS] = {'5', '4', '2', '2'};
	char code[SMTP_STATUS_ENHANCED_BYTES];

	if (item->is_expired)
		buf_addz(w->out, "Status: 4.4.7\r\n");
	else if (smtp_status_enhanced(&item->status, code)[0] == classes[item->action])
		buf_addf(w->out, "Status: %s\r\n", code);
	else
		buf_addf(w->out, "Status: %c.0.0\r\n", classes[item->action]);
}

/* A host without a name is given by its address (RFC 5321 section 4.1.3). */
static void
dsn_field_remote(struct dsn_writer *w, const struct dsn_item *item)
{
	bool is_named = item->host.n && !str_eq(item->host, item->address);

	if (item->host.n + item->address.n == 0)
		return;
	buf_addz(w->out, "Remote-MTA: dns; ");
	if (!is_named)
		buf_addz(w->out, str_has(item->address, ':') ? "[IPv6:" : "[");
	dsn_write_text(w, is_named ? item->host : item->address);
	buf_addz(w->out, is_named ? "\r\n" : "]\r\n");
}

static void
dsn_field_diagnostic(struct dsn_writer *w, const struct dsn_item *item)
{
	const struct smtp_status *s = &item->status;
	char code[SMTP_STATUS_ENHANCED_BYTES];
	size_t start = w->out->n;

	if (s->code == 0)
		return;
	if (s->is_remote) {
		dsn_field_remote(w, item);
		start = w->out->n;
	}
	if (s->is_remote)
		buf_addf(w->out, "Diagnostic-Code: smtp; %u", s->code);
	else
		buf_addz(w->out, "Diagnostic-Code: x-sallyport;");
	if (s->is_remote && s->class)
		buf_addf(w->out, " %s", smtp_status_enhanced(s, code));
	if (s->text[0])
		buf_addc(w->out, ' ');
	dsn_write_words(w, str_of(s->text), w->out->n - start, " ");
	buf_addz(w->out, "\r\n");
}

static void
dsn_field_recipient(struct dsn_writer *w, const struct dsn_item *item)
{
	static const char *const actions[DSN_ACTIONS] = {
	    "failed", "delayed", "relayed", "delivered"};
	const struct envelope_recipient *r = &w->d->envelope->recipients[item->number - 1];

	buf_addz(w->out, "\r\n");
	dsn_field_orcpt(w, r->orcpt);
	buf_addz(w->out, "Final-Recipient: ");
	dsn_write_typed(w, STR("rfc822"), r->address);
	buf_addf(w->out, "\r\nAction: %s\r\n", actions[item->action]);
	dsn_field_status(w, item);
	dsn_field_diagnostic(w, item);
	if (item->at_ms)
		dsn_field_date(w, "Last-Attempt-Date", item->at_ms);
	if (item->action == DSN_DELAYED)
		dsn_field_date(w, "Will-Retry-Until", w->d->retry_until_ms);
}

void
dsn_fields(struct dsn_writer *w)
{
	dsn_field_envid(w, w->d->envelope->envid);
	buf_addz(w->out, "Reporting-MTA: dns; ");
	dsn_write_text(w, w->d->hostname);
	buf_addz(w->out, "\r\n");
	dsn_field_date(w, "Arrival-Date", w->d->envelope->arrival_ms);
	for (size_t i = 0; i < w->count; i++)
		dsn_field_recipient(w, &w->d->items[i]);
}
