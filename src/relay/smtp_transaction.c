/*
 * smtp_transaction: one message to the recipients that share a host: MAIL, RCPT, DATA or BDAT,
 * content, one answer for all (SMTP) or for each accepted recipient (LMTP).  What the host cannot
 * take (smtp_transaction_fit.c) is refused before anything is said.
 */
#include "relay/phases.h"

#include "base/mem.h"
#include "mail/dot.h"
#include "relay/reason.h"

/* In this transaction, and without a result yet. */
static bool
is_open(const struct client *c, size_t index)
{
	const struct client_result *r = &c->t.results[index];

	return r->status.code == 0 && !r->is_for_later;
}

/* Settles every recipient that has no result yet. */
static void
settle_rest(struct client *c, const struct status *s, const char *reason)
{
	for (size_t i = 0; i < c->t.message->count; i++)
		if (is_open(c, i))
			c->t.results[i] = (struct client_result){.status = *s, .reason = reason};
}

static bool
has(const struct client *c, enum extension e)
{
	return (c->extensions.has & e) != 0;
}

/* ---- RSET, when the last transaction was left open ---- */

enum phase
say_rset(struct client *c)
{
	buf_addz(&c->out, "RSET\r\n");
	c->needs_reset = false;
	client_expect(c, PHASE_RSET, ABOUT_NONE);
	return PHASE_MAIL;
}

enum client_step
got_rset(struct client *c, const struct status *r, uint32_t about)
{
	(void)about;
	return status_is_ok(r) ? CLIENT_WAIT : client_confused(c, "RSET");
}

/* ---- MAIL ---- */

static bool
some_address_is_utf8(const struct outgoing *m)
{
	for (size_t i = 0; i < m->count; i++)
		if (!str_is_ascii(outgoing_recipient(m, i)->address))
			return true;
	return m->needs_utf8;
}

static void
add_mail(struct client *c)
{
	const struct outgoing *m = c->t.message;
	const struct envelope *e = m->envelope;

	buf_addf(&c->out, "MAIL FROM:<%.*s>", STR_ARG(e->sender));
	if (has(c, EXT_SIZE))
		buf_addf(&c->out, " SIZE=%llu", (unsigned long long)outgoing_bytes(m));
	if (has(c, EXT_8BITMIME) && m->is_8bit)
		buf_addz(&c->out, " BODY=8BITMIME");
	if (has(c, EXT_SMTPUTF8) && e->smtputf8 && some_address_is_utf8(m))
		buf_addz(&c->out, " SMTPUTF8");
	if (has(c, EXT_DSN) && e->ret != RETURN_UNSET)
		buf_addz(&c->out, e->ret == RETURN_FULL ? " RET=FULL" : " RET=HDRS");
	if (has(c, EXT_DSN) && e->envid.n)
		buf_addf(&c->out, " ENVID=%.*s", STR_ARG(e->envid));
	buf_addz(&c->out, "\r\n");
}

enum phase
say_mail(struct client *c)
{
	const char *reason;
	struct status s = transaction_unfit(c, &reason);

	if (s.code) {
		settle_rest(c, &s, reason);
		return PHASE_NONE;
	}
	add_mail(c);
	client_expect(c, PHASE_MAIL, ABOUT_ALL);
	return PHASE_RCPT;
}

enum client_step
got_mail(struct client *c, const struct status *r, uint32_t about)
{
	(void)about;
	if (status_is_ok(r)) {
		c->t.has_sender = true;
		return CLIENT_WAIT;
	}
	settle_rest(c, r, reason_of_reply(r));
	/* without PIPELINING nothing more was said */
	c->next = PHASE_NONE;
	return CLIENT_WAIT;
}

/* ---- RCPT ---- */

static void
add_notify(struct client *c, unsigned notify)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = {{NOTIFY_NEVER, "NEVER"}, {NOTIFY_SUCCESS, "SUCCESS"},
	    {NOTIFY_FAILURE, "FAILURE"}, {NOTIFY_DELAY, "DELAY"}};
	const char *before = " NOTIFY=";

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (notify & names[i].bit) {
			buf_addf(&c->out, "%s%s", before, names[i].name);
			before = ",";
		}
}

static void
add_rcpt(struct client *c, const struct recipient *r)
{
	buf_addf(&c->out, "RCPT TO:<%.*s>", STR_ARG(r->address));
	if (has(c, EXT_DSN)) {
		add_notify(c, r->notify);
		if (r->orcpt.n)
			buf_addf(&c->out, " ORCPT=%.*s", STR_ARG(r->orcpt));
	}
	buf_addz(&c->out, "\r\n");
}

/* DATA for LMTP: how many answers follow its content is known only after RCPT was answered. */
static enum phase
content_phase(const struct client *c)
{
	return has(c, EXT_CHUNKING) && !c->o.is_lmtp && !c->o.without_chunking ? PHASE_BDAT
	                                                                       : PHASE_DATA;
}

enum phase
say_rcpt(struct client *c)
{
	size_t index = c->t.said++;
	const struct recipient *r = outgoing_recipient(c->t.message, index);
	struct client_result *result = &c->t.results[index];

	result->status = transaction_unfit_recipient(c, r, &result->reason);
	if (result->status.code == 0) {
		add_rcpt(c, r);
		client_expect(c, PHASE_RCPT, (uint32_t)index);
	}
	return c->t.said < c->t.message->count ? PHASE_RCPT : content_phase(c);
}

/* RFC 5321 section 4.5.3.1.10: too many recipients for one transaction, which old hosts say with
 * 552.  An enhanced code may tell that something else is meant. */
static bool
is_too_many(const struct status *r)
{
	return (r->code == 452 || r->code == 552) &&
	       (r->class == 0 || (r->subject == 5 && r->detail == 3));
}

/* Those that were taken get the message, the others get theirs in the next transaction. */
static void
postpone(struct client *c, struct client_result *result, const struct status *r)
{
	if (c->t.accepted) {
		result->is_for_later = true;
		return;
	}
	*result = (struct client_result){.status = *r, .reason = REASON_REFUSED};
	if (r->code == 552)
		result->status = status_make(
		    452, "4.5.3", "the host takes no recipient: %u %s", r->code, r->text);
}

enum client_step
got_rcpt(struct client *c, const struct status *r, uint32_t about)
{
	struct client_result *result = &c->t.results[about];

	if (result->status.code != 0)
		return CLIENT_WAIT; /* MAIL was refused; this answer only repeats it */
	if (status_is_ok(r)) {
		c->t.accepted++;
		return CLIENT_WAIT;
	}
	if (is_too_many(r))
		postpone(c, result, r);
	else
		*result = (struct client_result){.status = *r, .reason = reason_of_reply(r)};
	return CLIENT_WAIT;
}

/* ---- DATA ---- */

/* All answers so far are in, and no recipient is left. */
static bool
is_pointless(struct client *c)
{
	if (client_expected(c) || c->t.accepted)
		return false;
	c->needs_reset = c->t.has_sender;
	return true;
}

enum phase
say_data(struct client *c)
{
	if (!is_pointless(c)) {
		buf_addz(&c->out, "DATA\r\n");
		client_expect(c, PHASE_DATA, ABOUT_ALL);
	}
	return PHASE_NONE;
}

static void
expect_final(struct client *c)
{
	if (!c->o.is_lmtp) {
		client_expect(c, PHASE_FINAL, c->t.accepted ? ABOUT_ALL : ABOUT_NONE);
		return;
	}
	for (size_t i = 0; i < c->t.message->count; i++)
		if (is_open(c, i))
			client_expect(c, PHASE_FINAL, (uint32_t)i);
}

/* RFC 2920 section 3.1: a host may say 354 though it refused every recipient; it gets a lone dot.
 */
static enum client_step
nobody_wants_it(struct client *c)
{
	if (c->o.is_lmtp)
		return client_confused(c, "DATA");
	buf_addz(&c->out, ".\r\n");
	c->t.is_body_sent = true;
	expect_final(c);
	return CLIENT_WAIT;
}

enum client_step
got_data(struct client *c, const struct status *r, uint32_t about)
{
	(void)about;
	if (r->code == 354) {
		if (c->t.accepted == 0)
			return nobody_wants_it(c);
		c->t.is_ahead = c->is_ahead;
		c->t.form = BODY_DOTTED;
		c->t.at_line_start = true;
		expect_final(c);
		return client_fill(c);
	}
	c->needs_reset = c->t.has_sender;
	settle_rest(c, r, reason_of_reply(r));
	return CLIENT_WAIT;
}

/* ---- BDAT ---- */

enum phase
say_bdat(struct client *c)
{
	if (is_pointless(c))
		return PHASE_NONE;
	buf_addf(&c->out, "BDAT %llu LAST\r\n", (unsigned long long)outgoing_bytes(c->t.message));
	c->t.form = BODY_CHUNK;
	client_expect(c, PHASE_FINAL, ABOUT_ALL);
	(void)client_fill(c);
	return PHASE_NONE;
}

/* ---- content ---- */

static bool
put_piece(struct client *c, struct str piece)
{
	if (c->t.form == BODY_CHUNK)
		return buf_adds(&c->out, piece);
	return dot_stuff(piece, &c->t.at_line_start, &c->out);
}

static enum client_step
content_is_lost(struct client *c)
{
	struct status s = status_make(451, "4.3.0", "the stored message could not be read");

	c->end.has_no_content = true;
	return client_fail(c, &s, c->t.message->is_damaged ? REASON_DAMAGED : REASON_LOCAL);
}

bool
client_has_more(const struct client *c)
{
	return c->t.message && c->t.form != BODY_NOT_BEGUN && !c->t.is_body_sent && !c->is_over;
}

bool
client_awaits_content(const struct client *c)
{
	return client_has_more(c) && c->t.awaits_content;
}

/* The host has waited for our disk long enough to give us up. */
bool
transaction_disk_is_late(const struct client *c)
{
	int64_t late_ms = c->o.patience.body_ms / 2;

	if (late_ms > OUTGOING_LATE_MS)
		late_ms = OUTGOING_LATE_MS;
	return client_awaits_content(c) && outgoing_awaited_ms(c->t.message) >= late_ms;
}

/* False: the content is lost. */
static bool
take_piece(struct client *c)
{
	bool is_new_wait = c->t.message->awaited_since_ms == 0;
	struct str piece;

	switch (outgoing_piece(c->t.message, c->t.at, &piece)) {
	case OUTGOING_HERE:
		if (!put_piece(c, piece))
			return false;
		c->t.at += piece.n;
		c->t.is_body_sent = piece.n == 0;
		c->turn++;
		return true;
	case OUTGOING_AWAITED:
		c->turn += is_new_wait;
		c->t.awaits_content = true;
		return true;
	default:
		return false;
	}
}

enum client_step
client_fill(struct client *c)
{
	c->t.awaits_content = false;
	while (client_has_more(c) && !c->t.awaits_content && c->out.n < OUTGOING_BLOCK_BYTES)
		if (!take_piece(c))
			return content_is_lost(c);
	if (c->t.is_body_sent && c->t.form == BODY_DOTTED)
		dot_end(c->t.at_line_start, &c->out);
	if (client_has_more(c))
		outgoing_ahead(c->t.message, c->t.at);
	return CLIENT_WAIT;
}

/* ---- the answer to the whole ---- */

/* Hosts that announce CHUNKING and then do not know BDAT: they take the content for commands.  503
 * is the right answer when nobody was accepted. */
static bool
is_no_bdat(const struct client *c, const struct status *r)
{
	return c->t.form == BODY_CHUNK && r->code >= 500 && r->code <= (c->t.accepted ? 504 : 502);
}

static enum client_step
answered_early(struct client *c)
{
	struct status s =
	    status_make(451, "4.5.0", "the host answered before it had the whole message");

	return client_fail(c, &s, REASON_PROTOCOL);
}

static void
settle(struct client *c, size_t index, const struct status *r)
{
	struct client_result *result = &c->t.results[index];

	if (is_open(c, index))
		*result = (struct client_result){.status = *r,
		    .reason = reason_of_reply(r),
		    .dsn_passed_on = status_is_ok(r) && has(c, EXT_DSN),
		    .is_delivered = status_is_ok(r) && c->o.is_lmtp};
}

enum client_step
got_final(struct client *c, const struct status *r, uint32_t about)
{
	if (transaction_disk_is_late(c))
		return answered_early(c);
	if (is_no_bdat(c, r)) {
		c->end.bad_chunking = true;
		return client_confused(c, "BDAT");
	}
	if ((!c->t.is_body_sent || c->t.is_ahead) && status_is_ok(r))
		return answered_early(c);
	for (size_t i = 0; about == ABOUT_ALL && i < c->t.message->count; i++)
		settle(c, i, r);
	if (about < ABOUT_NONE)
		settle(c, about, r);
	/* refused in the middle of the content: the rest of it would be read as commands */
	if (!c->t.is_body_sent || c->t.is_ahead)
		return answered_early(c);
	if (about == ABOUT_NONE) {
		/* a host that said 354 to nobody may count the lone dot as it likes */
		client_quit(c);
		return CLIENT_OVER;
	}
	if (about == ABOUT_ALL && !status_is_ok(r))
		c->needs_reset = c->t.has_sender && c->t.form == BODY_CHUNK;
	return CLIENT_WAIT;
}

bool
transaction_may_pipeline(const struct client *c, enum phase phase)
{
	if (!has(c, EXT_PIPELINING) || !c->t.message)
		return false;
	return phase != PHASE_BDAT || outgoing_is_small(c->t.message);
}

void
transaction_lost(struct client *c)
{
	struct status s = status_may_have_arrived();

	if (c->t.is_body_sent && !c->end.bad_chunking && c->t.accepted && client_expected(c))
		settle_rest(c, &s, REASON_LOST);
}
