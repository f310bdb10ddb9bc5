/*
 * smtp_transaction: sends one message to the recipients that share a host: MAIL, RCPT, DATA or
 * BDAT, the content, and one reply for all recipients (SMTP) or for each accepted one (LMTP).  What
 * the host cannot take (smtp_transaction_fit.c) is refused before any command is sent.
 */
#include "relay/smtp_client_internal.h"

#include "base/mem.h"
#include "mail/dot.h"
#include "relay/reason.h"

/* The recipient belongs to this transaction and has no result yet. */
static bool
recipient_is_open(const struct smtp_client *c, size_t index)
{
	const struct smtp_client_result *r = &c->transaction.results[index];

	return r->status.code == 0 && !r->is_for_later;
}

/* Gives every recipient without a result this one. */
static void
set_open_results(struct smtp_client *c, const struct smtp_status *s, const char *reason)
{
	for (size_t i = 0; i < c->transaction.message->count; i++)
		if (recipient_is_open(c, i))
			c->transaction.results[i] =
			    (struct smtp_client_result){.status = *s, .reason = reason};
}

static bool
host_has_extension(const struct smtp_client *c, enum smtp_extension e)
{
	return (c->extensions.has & e) != 0;
}

/* ---- RSET, when the last transaction is still open ---- */

enum phase
smtp_transaction_send_rset(struct smtp_client *c)
{
	buf_addz(&c->output, "RSET\r\n");
	c->needs_reset = false;
	smtp_client_expect(c, PHASE_RSET, PHASE_ABOUT_NONE);
	return PHASE_MAIL;
}

enum smtp_client_step
smtp_transaction_got_rset(struct smtp_client *c, const struct smtp_status *r, uint32_t about)
{
	(void)about;
	return smtp_status_is_ok(r) ? SMTP_CLIENT_WAIT : smtp_client_protocol_error(c, "RSET");
}

/* ---- MAIL ---- */

static bool
some_address_is_utf8(const struct message_source *m)
{
	for (size_t i = 0; i < m->count; i++)
		if (!str_is_ascii(message_source_recipient(m, i)->address))
			return true;
	return m->needs_utf8;
}

static void
add_mail_command(struct smtp_client *c)
{
	const struct message_source *m = c->transaction.message;
	const struct envelope *e = m->envelope;

	buf_addf(&c->output, "MAIL FROM:<%.*s>", STR_ARG(e->sender));
	if (host_has_extension(c, EXT_SIZE))
		buf_addf(&c->output, " SIZE=%llu", (unsigned long long)message_source_bytes(m));
	if (host_has_extension(c, EXT_8BITMIME) && m->is_8bit)
		buf_addz(&c->output, " BODY=8BITMIME");
	if (host_has_extension(c, EXT_SMTPUTF8) && e->smtputf8 && some_address_is_utf8(m))
		buf_addz(&c->output, " SMTPUTF8");
	if (host_has_extension(c, EXT_DSN) && e->ret != RETURN_UNSET)
		buf_addz(&c->output, e->ret == RETURN_FULL ? " RET=FULL" : " RET=HDRS");
	if (host_has_extension(c, EXT_DSN) && e->envid.n)
		buf_addf(&c->output, " ENVID=%.*s", STR_ARG(e->envid));
	buf_addz(&c->output, "\r\n");
}

enum phase
smtp_transaction_send_mail(struct smtp_client *c)
{
	const char *reason;
	struct smtp_status s = smtp_transaction_unfit(c, &reason);

	if (s.code) {
		set_open_results(c, &s, reason);
		return PHASE_NONE;
	}
	add_mail_command(c);
	smtp_client_expect(c, PHASE_MAIL, PHASE_ABOUT_ALL);
	return PHASE_RCPT;
}

enum smtp_client_step
smtp_transaction_got_mail(struct smtp_client *c, const struct smtp_status *r, uint32_t about)
{
	(void)about;
	if (smtp_status_is_ok(r)) {
		c->transaction.has_sender = true;
		return SMTP_CLIENT_WAIT;
	}
	set_open_results(c, r, reason_of_reply(r));
	/* without PIPELINING no further command was sent */
	c->next_phase = PHASE_NONE;
	return SMTP_CLIENT_WAIT;
}

/* ---- RCPT ---- */

static void
add_notify(struct smtp_client *c, unsigned notify)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {{NOTIFY_NEVER, "NEVER"}, {NOTIFY_SUCCESS, "SUCCESS"},
	    {NOTIFY_FAILURE, "FAILURE"}, {NOTIFY_DELAY, "DELAY"}};
	const char *before = " NOTIFY=";

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (notify & names[i].bit) {
			buf_addf(&c->output, "%s%s", before, names[i].name);
			before = ",";
		}
}

static void
add_rcpt_command(struct smtp_client *c, const struct envelope_recipient *r)
{
	buf_addf(&c->output, "RCPT TO:<%.*s>", STR_ARG(r->address));
	if (host_has_extension(c, EXT_DSN)) {
		add_notify(c, r->notify);
		if (r->orcpt.n)
			buf_addf(&c->output, " ORCPT=%.*s", STR_ARG(r->orcpt));
	}
	buf_addz(&c->output, "\r\n");
}

/* LMTP uses DATA, because the number of replies after the content is known only after RCPT. */
static enum phase
content_phase(const struct smtp_client *c)
{
	return host_has_extension(c, EXT_CHUNKING) && !c->options.is_lmtp &&
	               !c->options.without_chunking
	           ? PHASE_BDAT
	           : PHASE_DATA;
}

enum phase
smtp_transaction_send_rcpt(struct smtp_client *c)
{
	size_t index = c->transaction.rcpt_done++;
	const struct envelope_recipient *r =
	    message_source_recipient(c->transaction.message, index);
	struct smtp_client_result *result = &c->transaction.results[index];

	result->status = smtp_transaction_unfit_recipient(c, r, &result->reason);
	if (result->status.code == 0) {
		add_rcpt_command(c, r);
		smtp_client_expect(c, PHASE_RCPT, (uint32_t)index);
	}
	return c->transaction.rcpt_done < c->transaction.message->count ? PHASE_RCPT
	                                                                : content_phase(c);
}

/* RFC 5321 section 4.5.3.1.10: too many recipients for one transaction; old hosts send 552.  An
 * enhanced code may give another meaning. */
static bool
is_too_many_recipients(const struct smtp_status *r)
{
	return (r->code == 452 || r->code == 552) &&
	       (r->class == 0 || (r->subject == 5 && r->detail == 3));
}

/* If some recipients were accepted, they get the message now; this one gets it in the next
 * transaction. */
static void
postpone_recipient(
    struct smtp_client *c, struct smtp_client_result *result, const struct smtp_status *r)
{
	if (c->transaction.accepted) {
		result->is_for_later = true;
		return;
	}
	*result = (struct smtp_client_result){.status = *r, .reason = REASON_REFUSED};
	if (r->code == 552)
		result->status = smtp_status_make(
		    452, "4.5.3", "the host takes no recipient: %u %s", r->code, r->text);
}

enum smtp_client_step
smtp_transaction_got_rcpt(struct smtp_client *c, const struct smtp_status *r, uint32_t about)
{
	struct smtp_client_result *result = &c->transaction.results[about];

	if (result->status.code != 0)
		return SMTP_CLIENT_WAIT; /* MAIL was refused, and this reply only repeats that */
	if (smtp_status_is_ok(r)) {
		c->transaction.accepted++;
		return SMTP_CLIENT_WAIT;
	}
	if (is_too_many_recipients(r))
		postpone_recipient(c, result, r);
	else
		*result = (struct smtp_client_result){.status = *r, .reason = reason_of_reply(r)};
	return SMTP_CLIENT_WAIT;
}

/* ---- DATA ---- */

/* True: all replies so far were read, and no recipient was accepted. */
static bool
no_recipient_is_left(struct smtp_client *c)
{
	if (smtp_client_expected(c) || c->transaction.accepted)
		return false;
	c->needs_reset = c->transaction.has_sender;
	return true;
}

enum phase
smtp_transaction_send_data(struct smtp_client *c)
{
	if (!no_recipient_is_left(c)) {
		buf_addz(&c->output, "DATA\r\n");
		smtp_client_expect(c, PHASE_DATA, PHASE_ABOUT_ALL);
	}
	return PHASE_NONE;
}

static void
expect_final_replies(struct smtp_client *c)
{
	if (!c->options.is_lmtp) {
		smtp_client_expect(
		    c, PHASE_FINAL, c->transaction.accepted ? PHASE_ABOUT_ALL : PHASE_ABOUT_NONE);
		return;
	}
	for (size_t i = 0; i < c->transaction.message->count; i++)
		if (recipient_is_open(c, i))
			smtp_client_expect(c, PHASE_FINAL, (uint32_t)i);
}

/* RFC 2920 section 3.1: a host may reply 354 although it refused every recipient; it gets an empty
 * message. */
static enum smtp_client_step
end_unwanted_data(struct smtp_client *c)
{
	if (c->options.is_lmtp)
		return smtp_client_protocol_error(c, "DATA");
	buf_addz(&c->output, ".\r\n");
	c->transaction.is_body_sent = true;
	expect_final_replies(c);
	return SMTP_CLIENT_WAIT;
}

enum smtp_client_step
smtp_transaction_got_data(struct smtp_client *c, const struct smtp_status *r, uint32_t about)
{
	(void)about;
	if (r->code == 354) {
		if (c->transaction.accepted == 0)
			return end_unwanted_data(c);
		c->transaction.had_extra_input = c->has_extra_input;
		c->transaction.form = SMTP_TRANSACTION_DATA;
		c->transaction.at_line_start = true;
		expect_final_replies(c);
		return smtp_client_fill(c);
	}
	c->needs_reset = c->transaction.has_sender;
	set_open_results(c, r, reason_of_reply(r));
	return SMTP_CLIENT_WAIT;
}

/* ---- BDAT ---- */

enum phase
smtp_transaction_send_bdat(struct smtp_client *c)
{
	if (no_recipient_is_left(c))
		return PHASE_NONE;
	buf_addf(&c->output, "BDAT %llu LAST\r\n",
	    (unsigned long long)message_source_bytes(c->transaction.message));
	c->transaction.form = SMTP_TRANSACTION_BDAT;
	smtp_client_expect(c, PHASE_FINAL, PHASE_ABOUT_ALL);
	(void)smtp_client_fill(c);
	return PHASE_NONE;
}

/* ---- content ---- */

static bool
put_content(struct smtp_client *c, struct str piece)
{
	if (c->transaction.form == SMTP_TRANSACTION_BDAT)
		return buf_adds(&c->output, piece);
	return dot_stuff(piece, &c->transaction.at_line_start, &c->output);
}

static enum smtp_client_step
content_read_failed(struct smtp_client *c)
{
	struct smtp_status s =
	    smtp_status_make(451, "4.3.0", "the stored message could not be read");

	c->end.has_no_content = true;
	return smtp_client_fail(
	    c, &s, c->transaction.message->is_damaged ? REASON_DAMAGED : REASON_LOCAL);
}

bool
smtp_client_has_more_content(const struct smtp_client *c)
{
	return c->transaction.message && c->transaction.form != SMTP_TRANSACTION_NOT_BEGUN &&
	       !c->transaction.is_body_sent && !c->is_over;
}

bool
smtp_client_awaits_content(const struct smtp_client *c)
{
	return smtp_client_has_more_content(c) && c->transaction.awaits_content;
}

/* The host has waited for our disk so long that it may close the connection for that. */
bool
smtp_transaction_disk_is_late(const struct smtp_client *c)
{
	int64_t late_ms = c->options.timeouts.body_ms / 2;

	if (late_ms > MESSAGE_SOURCE_LATE_MS)
		late_ms = MESSAGE_SOURCE_LATE_MS;
	return smtp_client_awaits_content(c) &&
	       message_source_awaited_ms(c->transaction.message) >= late_ms;
}

/* False: the content cannot be read. */
static bool
put_next_block(struct smtp_client *c)
{
	bool is_new_wait = c->transaction.message->awaited_since_ms == 0;
	struct str piece;

	switch (message_source_read(c->transaction.message, c->transaction.content_bytes, &piece)) {
	case MESSAGE_SOURCE_AVAILABLE:
		if (!put_content(c, piece))
			return false;
		c->transaction.content_bytes += piece.n;
		c->transaction.is_body_sent = piece.n == 0;
		c->turn++;
		return true;
	case MESSAGE_SOURCE_AWAITED:
		c->turn += is_new_wait;
		c->transaction.awaits_content = true;
		return true;
	default:
		return false;
	}
}

enum smtp_client_step
smtp_client_fill(struct smtp_client *c)
{
	c->transaction.awaits_content = false;
	while (smtp_client_has_more_content(c) && !c->transaction.awaits_content &&
	       c->output.n < MESSAGE_SOURCE_BLOCK_BYTES)
		if (!put_next_block(c))
			return content_read_failed(c);
	if (c->transaction.is_body_sent && c->transaction.form == SMTP_TRANSACTION_DATA)
		dot_end(c->transaction.at_line_start, &c->output);
	if (smtp_client_has_more_content(c))
		message_source_read_ahead(c->transaction.message, c->transaction.content_bytes);
	return SMTP_CLIENT_WAIT;
}

/* ---- the final reply ---- */

/* Some hosts announce CHUNKING but do not know BDAT: they read the content as commands. 503 is the
 * correct reply when no recipient was accepted. */
static bool
host_lacks_bdat(const struct smtp_client *c, const struct smtp_status *r)
{
	return c->transaction.form == SMTP_TRANSACTION_BDAT && r->code >= 500 &&
	       r->code <= (c->transaction.accepted ? 504 : 502);
}

static enum smtp_client_step
host_answered_early(struct smtp_client *c)
{
	struct smtp_status s =
	    smtp_status_make(451, "4.5.0", "the host answered before it had the whole message");

	return smtp_client_fail(c, &s, REASON_PROTOCOL);
}

static void
set_recipient_result(struct smtp_client *c, size_t index, const struct smtp_status *r)
{
	struct smtp_client_result *result = &c->transaction.results[index];

	if (recipient_is_open(c, index))
		*result = (struct smtp_client_result){.status = *r,
		    .reason = reason_of_reply(r),
		    .dsn_passed_on = smtp_status_is_ok(r) && host_has_extension(c, EXT_DSN),
		    .is_delivered = smtp_status_is_ok(r) && c->options.is_lmtp};
}

enum smtp_client_step
smtp_transaction_got_final(struct smtp_client *c, const struct smtp_status *r, uint32_t about)
{
	if (smtp_transaction_disk_is_late(c))
		return host_answered_early(c);
	if (host_lacks_bdat(c, r)) {
		c->end.bad_chunking = true;
		return smtp_client_protocol_error(c, "BDAT");
	}
	if ((!c->transaction.is_body_sent || c->transaction.had_extra_input) &&
	    smtp_status_is_ok(r))
		return host_answered_early(c);
	for (size_t i = 0; about == PHASE_ABOUT_ALL && i < c->transaction.message->count; i++)
		set_recipient_result(c, i, r);
	if (about < PHASE_ABOUT_NONE)
		set_recipient_result(c, about, r);
	/* refused while the content was sent: the host would read the rest of it as commands */
	if (!c->transaction.is_body_sent || c->transaction.had_extra_input)
		return host_answered_early(c);
	if (about == PHASE_ABOUT_NONE) {
		/* a host that replied 354 without a recipient may handle the empty message in any
		 * way */
		smtp_client_quit(c);
		return SMTP_CLIENT_OVER;
	}
	if (about == PHASE_ABOUT_ALL && !smtp_status_is_ok(r))
		c->needs_reset =
		    c->transaction.has_sender && c->transaction.form == SMTP_TRANSACTION_BDAT;
	return SMTP_CLIENT_WAIT;
}

bool
smtp_transaction_may_pipeline(const struct smtp_client *c, enum phase phase)
{
	if (!host_has_extension(c, EXT_PIPELINING) || !c->transaction.message)
		return false;
	return phase != PHASE_BDAT || message_source_is_small(c->transaction.message);
}

void
smtp_transaction_lost(struct smtp_client *c)
{
	struct smtp_status s = smtp_status_may_have_arrived();

	if (c->transaction.is_body_sent && !c->end.bad_chunking && c->transaction.accepted &&
	    smtp_client_expected(c))
		set_open_results(c, &s, REASON_LOST);
}
