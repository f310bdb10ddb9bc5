/*
 * dsn_text: which recipient failed, which host answered what, and what the sender can do.  The text
 * distinguishes answers of a host from what this system found.
 */
#include "queue/reports/dsn_text.h"

#include <stdio.h>

#include "base/clock.h"

#define INDENT "    "

/* ---- advice ---- */

struct dsn_advice {
	uint8_t subject, detail; /* RFC 3463; 0: any of that subject */
	const char *text;
};

/* The first entry that matches the enhanced code of a failure. */
static const struct dsn_advice dsn_advices[] = {
    {1, 0, "Check the address for typing errors, or ask the recipient for the right one."},
    {2, 2, "The recipient's mailbox is full. Tell the recipient in another way, or try later."},
    {2, 0, "The recipient's mailbox takes no mail now. Try to reach the recipient in another way."},
    {3, 4, "The message is too large for the recipient's system. Send it with less attached."},
    {6, 7, "The recipient's system does not know addresses with letters beyond ASCII. Ask the "
	   "recipient for another address."},
    {7, 0, "The recipient's system does not take this message by its own rules. Its postmaster "
	   "can say why."},
};

static const char *
dsn_advice_for(const struct dsn_item *item)
{
	const struct smtp_status *s = &item->status;

	if (smtp_status_is_may_have_arrived(s))
		return "It may have arrived already, perhaps several times. Ask the recipient "
		       "before you send it again.";
	if (item->is_expired)
		return "Check the part of the address after the @. If it is right, send the "
		       "message again later.";
	for (size_t i = 0; s->class && i < sizeof dsn_advices / sizeof *dsn_advices; i++)
		if (dsn_advices[i].subject == s->subject &&
		    (!dsn_advices[i].detail || dsn_advices[i].detail == s->detail))
			return dsn_advices[i].text;
	return "If you do not know what to do, show this report to your mail administrator.";
}

static void
dsn_text_line(struct dsn_writer *w, const char *indent, const char *text)
{
	buf_addz(w->out, indent);
	dsn_write_words(w, str_of(text), strlen(indent), indent);
	buf_addz(w->out, "\r\n");
}

/* ---- one recipient ---- */

static void
dsn_text_source(struct dsn_writer *w, const struct dsn_item *item)
{
	bool is_last = item->is_expired || item->action == DSN_DELAYED;

	if (item->status.is_remote)
		buf_addz(w->out, is_last ? INDENT "The last answer of " : INDENT "The answer of ");
	else
		buf_addz(w->out, INDENT "No host decided this. This system found");
	if (item->status.is_remote && (!item->host.n || str_eq(item->host, item->address)))
		buf_addz(w->out, item->address.n ? "the host " : "the host");
	if (!item->status.is_remote && item->host.n + item->address.n)
		buf_addz(w->out, " at ");
	dsn_write_host(w, item);
	buf_addz(w->out, ":\r\n" INDENT);
}

static void
dsn_text_reason(struct dsn_writer *w, const struct dsn_item *item)
{
	const struct smtp_status *s = &item->status;
	char code[SMTP_STATUS_ENHANCED_BYTES];
	size_t start;

	if (s->code == 0)
		return;
	dsn_text_source(w, item);
	start = w->out->n;
	if (s->is_remote)
		buf_addf(w->out, "%u ", s->code);
	if (s->is_remote && s->class)
		buf_addf(w->out, "%s ", smtp_status_enhanced(s, code));
	dsn_write_words(w, str_of(s->text), strlen(INDENT) + w->out->n - start, INDENT);
	buf_addz(w->out, "\r\n");
}

/* No attempt was made; an attempt for another message kept it waiting. */
static void
dsn_text_untried(struct dsn_writer *w, const struct dsn_item *item)
{
	char stamp[CLOCK_TEXT_BYTES], text[200];

	if (item->at_ms || !item->found_ms)
		return;
	snprintf(text, sizeof text,
	    "It was %s, because its host could not be found or reached, the last time at %s.",
	    item->action == DSN_DELAYED ? "not tried yet" : "never tried",
	    clock_rfc5322(item->found_ms, stamp));
	dsn_text_line(w, INDENT, text);
}

static void
dsn_text_recipient(struct dsn_writer *w, const struct dsn_item *item)
{
	buf_addz(w->out, "  <");
	dsn_write_address(w, w->d->envelope->recipients[item->number - 1].address);
	buf_addz(w->out, ">\r\n");
	if (item->is_expired)
		dsn_text_line(w, INDENT, "It could not be delivered in the time allowed.");
	dsn_text_untried(w, item);
	dsn_text_reason(w, item);
	if (item->action == DSN_FAILED && w->d->envelope->kind != ENVELOPE_REPORT)
		dsn_text_line(w, INDENT, dsn_advice_for(item));
	buf_addz(w->out, "\r\n");
}

/* ---- all of one action ---- */

static size_t
dsn_count_action(const struct dsn_writer *w, enum dsn_action action)
{
	size_t n = 0;

	for (size_t i = 0; i < w->count; i++)
		n += w->d->items[i].action == action;
	return n;
}

static void
dsn_text_action(struct dsn_writer *w, enum dsn_action action)
{
	static const char *const words[DSN_ACTIONS] = {
	    "could not be delivered to",
	    "has not been delivered yet to",
	    "was taken by a mail system that sends no reports of delivery, for",
	    "was delivered to",
	};
	size_t count = dsn_count_action(w, action);
	const char *what =
	    w->d->envelope->kind == ENVELOPE_REPORT ? "A report of" : "Your message of";
	char stamp[CLOCK_TEXT_BYTES];

	if (count == 0)
		return;
	buf_addf(w->out, "%s %s\r\n%s %s:\r\n\r\n", what,
	    clock_rfc5322(w->d->envelope->arrival_ms, stamp), words[action],
	    count == 1 ? "this recipient" : "these recipients");
	for (size_t i = 0; i < w->count; i++)
		if (w->d->items[i].action == action)
			dsn_text_recipient(w, &w->d->items[i]);
}

/* ---- the whole ---- */

static void
dsn_text_outlook(struct dsn_writer *w)
{
	char stamp[CLOCK_TEXT_BYTES];

	if (w->d->envelope->kind == ENVELOPE_REPORT)
		dsn_text_line(w, "",
		    "It was to tell the sender of a message what became of it. It will not be "
		    "tried again, and nobody else is told.");
	else if (dsn_count_action(w, DSN_FAILED))
		dsn_text_line(w, "", "A failed delivery is not tried again.");
	if (dsn_count_action(w, DSN_DELAYED) == 0)
		return;
	dsn_text_line(w, "", "You need not do anything: it is tried again until");
	buf_addf(w->out, "%s.\r\n", clock_rfc5322(w->d->retry_until_ms, stamp));
	dsn_text_line(w, "", "If it fails until then, you get another report.");
}

void
dsn_text(struct dsn_writer *w, const struct dsn_text *t)
{
	const char *what = w->d->envelope->kind == ENVELOPE_REPORT ? "The report" : "Your message";

	buf_addz(w->out, "This is the mail system of ");
	dsn_write_text(w, w->d->hostname);
	buf_addz(w->out, ".\r\n\r\n");
	for (enum dsn_action action = DSN_FAILED; action < DSN_ACTIONS; action++)
		dsn_text_action(w, action);
	dsn_text_outlook(w);
	if (w->d->header.n == 0)
		return;
	buf_addf(w->out, "%s%s is attached.\r\n", t->is_whole ? "" : "The header of ",
	    t->is_whole || w->d->envelope->kind == ENVELOPE_REPORT ? what : "your message");
	if (t->is_unfit)
		dsn_text_line(w, "",
		    "The rest of it is not attached: it has 8-bit text or long lines, which not "
		    "every mail system can carry.");
}

const char *
dsn_subject(const struct dsn_writer *w)
{
	if (w->d->envelope->kind == ENVELOPE_REPORT)
		return "Undeliverable delivery report";
	if (dsn_count_action(w, DSN_DELAYED))
		return "Delayed mail (it is still being tried)";
	if (dsn_count_action(w, DSN_FAILED) == w->count)
		return "Undelivered mail returned to sender";
	if (dsn_count_action(w, DSN_FAILED))
		return "Mail delivery report (not all of it was delivered)";
	return "Mail delivery report (successful)";
}
