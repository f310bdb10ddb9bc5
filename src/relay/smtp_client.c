/*
 * smtp_client: the session in the order of the protocol: greeting, EHLO, STARTTLS, AUTH,
 * transactions, QUIT.  It does not know sockets, time or hosts.  Nothing that the host said before
 * TLS is used after it.
 */
#include "relay/smtp_client.h"

#include <stdio.h>

#include "base/mem.h"
#include "relay/reason.h"
#include "relay/smtp_client_internal.h"

enum { OUTPUT_MAX = 2 << 20, FIRST_EXPECTED = 8, LINE_MAX_BYTES = 12288, ANSWER_BYTES = 160 };

/* ---- greeting ---- */

/* Before any command about mail a temporary refusal is about the host as a whole. */
static enum smtp_client_step
smtp_client_refused_by_host(struct smtp_client *c, const struct smtp_status *r)
{
	return smtp_client_fail(c, r, smtp_status_is_temporary(r) ? REASON_BUSY : REASON_REFUSED);
}

static enum smtp_client_step
got_greeting(struct smtp_client *c, const struct smtp_status *r, uint32_t about)
{
	(void)about;
	if (!smtp_status_is_ok(r))
		return smtp_client_refused_by_host(c, r);
	if (smtp_client_detects_loop(c, r))
		return SMTP_CLIENT_OVER;
	c->next_phase = PHASE_EHLO;
	return SMTP_CLIENT_WAIT;
}

/* ---- EHLO, LHLO, HELO ---- */

static enum phase
send_ehlo(struct smtp_client *c)
{
	c->extensions = (struct smtp_extensions){.has = 0};
	buf_addf(&c->output, "%s %.*s\r\n", c->options.is_lmtp ? "LHLO" : "EHLO",
	    STR_ARG(c->options.hostname));
	smtp_client_expect(c, PHASE_EHLO, PHASE_ABOUT_NONE);
	return PHASE_NONE;
}

enum smtp_client_step
smtp_client_set_ready(struct smtp_client *c)
{
	c->is_ready = true;
	return SMTP_CLIENT_READY;
}

static enum smtp_client_step
tls_is_missing(struct smtp_client *c)
{
	struct smtp_status s =
	    smtp_status_make(450, "4.7.4", "TLS is required, but the host does not offer STARTTLS");

	return smtp_client_fail(c, &s, REASON_TLS);
}

/* RFC 5321 sections 3.2 and 4.1.4: the codes of a host that only knows HELO. */
static bool
is_without_ehlo(const struct smtp_status *r)
{
	return (r->code >= 500 && r->code <= 502) || r->code == 504 || r->code == 550;
}

static enum smtp_client_step
got_ehlo(struct smtp_client *c, const struct smtp_status *r, uint32_t about)
{
	(void)about;
	if (is_without_ehlo(r) && !c->options.is_lmtp && !c->is_secure) {
		if (c->options.tls == SMTP_CLIENT_TLS_REQUIRED)
			return tls_is_missing(c);
		c->next_phase = PHASE_HELO;
		return SMTP_CLIENT_WAIT;
	}
	if (!smtp_status_is_ok(r))
		return smtp_client_refused_by_host(c, r);
	if (smtp_client_detects_loop(c, r))
		return SMTP_CLIENT_OVER;
	if (!c->is_secure && c->options.tls != SMTP_CLIENT_TLS_NEVER &&
	    (c->extensions.has & EXT_STARTTLS)) {
		c->next_phase = PHASE_STARTTLS;
		return SMTP_CLIENT_WAIT;
	}
	if (!c->is_secure && c->options.tls == SMTP_CLIENT_TLS_REQUIRED)
		return tls_is_missing(c);
	return c->options.username.n ? smtp_client_auth_begin(c) : smtp_client_set_ready(c);
}

static enum phase
send_helo(struct smtp_client *c)
{
	c->extensions = (struct smtp_extensions){.has = 0};
	buf_addf(&c->output, "HELO %.*s\r\n", STR_ARG(c->options.hostname));
	smtp_client_expect(c, PHASE_HELO, PHASE_ABOUT_NONE);
	return PHASE_NONE;
}

static enum smtp_client_step
got_helo(struct smtp_client *c, const struct smtp_status *r, uint32_t about)
{
	(void)about;
	if (!smtp_status_is_ok(r))
		return smtp_client_refused_by_host(c, r);
	return c->options.username.n ? smtp_client_auth_begin(c) : smtp_client_set_ready(c);
}

/* ---- STARTTLS ---- */

static enum phase
send_starttls(struct smtp_client *c)
{
	buf_addz(&c->output, "STARTTLS\r\n");
	smtp_client_expect(c, PHASE_STARTTLS, PHASE_ABOUT_NONE);
	return PHASE_NONE;
}

static enum smtp_client_step
got_starttls(struct smtp_client *c, const struct smtp_status *r, uint32_t about)
{
	struct smtp_status s;

	(void)about;
	if (r->code == 220)
		return SMTP_CLIENT_SECURE;
	if (c->options.tls == SMTP_CLIENT_TLS_REQUIRED) {
		s = smtp_status_make(
		    450, "4.7.4", "the host refused STARTTLS: %u %s", r->code, r->text);
		return smtp_client_fail(c, &s, REASON_TLS);
	}
	return c->options.username.n ? smtp_client_auth_begin(c) : smtp_client_set_ready(c);
}

/* RFC 3207 section 4.2: what was learned before TLS is forgotten. */
enum smtp_client_step
smtp_client_secured(struct smtp_client *c, bool is_verified)
{
	c->is_secure = true;
	c->is_verified = is_verified;
	c->extensions = (struct smtp_extensions){.has = 0};
	c->turn++;
	if (c->options.tls == SMTP_CLIENT_TLS_IMPLICIT) {
		smtp_client_expect(c, PHASE_GREETING, PHASE_ABOUT_NONE);
		return SMTP_CLIENT_WAIT;
	}
	c->next_phase = send_ehlo(c);
	return SMTP_CLIENT_WAIT;
}

/* ---- QUIT ---- */

void
smtp_client_quit(struct smtp_client *c)
{
	if (!c->is_over && smtp_client_expected(c) == 0)
		buf_addz(&c->output, "QUIT\r\n");
	c->is_over = true;
	c->is_ready = false;
}

/* ---- the table ---- */

#define TIMEOUT_OFFSET(x) offsetof(struct smtp_client_timeouts, x)

static const struct phase_row phases[PHASE_COUNT] = {
    /* phase            name        timeout                success  send      receive */
    [PHASE_NONE] = {"idle", TIMEOUT_OFFSET(mail_ms), 0, NULL, NULL},
    [PHASE_GREETING] = {"greeting", TIMEOUT_OFFSET(greeting_ms), 220, NULL, got_greeting},
    [PHASE_EHLO] = {"EHLO", TIMEOUT_OFFSET(ehlo_ms), 250, send_ehlo, got_ehlo},
    [PHASE_HELO] = {"HELO", TIMEOUT_OFFSET(ehlo_ms), 250, send_helo, got_helo},
    [PHASE_STARTTLS] = {"STARTTLS", TIMEOUT_OFFSET(ehlo_ms), 220, send_starttls, got_starttls},
    [PHASE_AUTH] = {"AUTH", TIMEOUT_OFFSET(ehlo_ms), 235, smtp_client_auth_send,
	smtp_client_auth_got},
    [PHASE_RSET] = {"RSET", TIMEOUT_OFFSET(mail_ms), 250, smtp_transaction_send_rset,
	smtp_transaction_got_rset},
    [PHASE_MAIL] = {"MAIL", TIMEOUT_OFFSET(mail_ms), PHASE_ANY_MAIL_SUCCESS,
	smtp_transaction_send_mail, smtp_transaction_got_mail},
    [PHASE_RCPT] = {"RCPT", TIMEOUT_OFFSET(rcpt_ms), PHASE_ANY_MAIL_SUCCESS,
	smtp_transaction_send_rcpt, smtp_transaction_got_rcpt},
    [PHASE_DATA] = {"DATA", TIMEOUT_OFFSET(data_ms), 354, smtp_transaction_send_data,
	smtp_transaction_got_data},
    [PHASE_BDAT] = {"BDAT", TIMEOUT_OFFSET(body_ms), 0, smtp_transaction_send_bdat, NULL},
    [PHASE_FINAL] = {"final", TIMEOUT_OFFSET(final_ms), PHASE_ANY_MAIL_SUCCESS, NULL,
	smtp_transaction_got_final},
    [PHASE_QUIT] = {"QUIT", TIMEOUT_OFFSET(mail_ms), 0, NULL, NULL},
};

/* A success reply that answers something else (RFC 5321 section 4.2.1: help, the channel, a login;
 * or an intermediate reply where none is expected) shows that host and client are out of step. */
static bool
is_unexpected_success(enum phase phase, const struct smtp_status *r)
{
	unsigned success_code = phases[phase].success_code, about = r->code / 10 % 10;

	if (!smtp_status_is_ok(r) || (phase == PHASE_AUTH && r->code == 334))
		return false;
	if (success_code != PHASE_ANY_MAIL_SUCCESS)
		return r->code != success_code;
	return r->code >= 300 || (about >= 1 && about <= 3);
}

/* ---- replies and commands ---- */

size_t
smtp_client_expected(const struct smtp_client *c)
{
	return c->expected_end - c->expected_first;
}

void
smtp_client_expect(struct smtp_client *c, enum phase phase, uint32_t about)
{
	if (smtp_client_expected(c) == 0) {
		c->expected_first = c->expected_end = 0;
		c->turn++;
	}
	if (c->expected_end == c->expected_cap) {
		c->expected_cap = c->expected_cap ? 2 * c->expected_cap : FIRST_EXPECTED;
		c->expected = mem_grow(c->expected, c->expected_cap * sizeof *c->expected);
	}
	c->expected[c->expected_end++] = (struct phase_expected_reply){(uint8_t)phase, about};
}

enum smtp_client_step
smtp_client_fail(struct smtp_client *c, const struct smtp_status *why, const char *reason)
{
	struct smtp_status late;

	if (c->is_over)
		return SMTP_CLIENT_OVER;
	if (smtp_transaction_disk_is_late(c)) {
		late = message_source_late_status();
		why = &late;
		reason = REASON_LOCAL;
		c->end.has_no_content = true;
	}
	c->is_over = true;
	c->is_ready = false;
	c->end.status = *why;
	c->end.reason = reason;
	smtp_sasl_clear(&c->sasl);
	return SMTP_CLIENT_OVER;
}

/* Ends the session.  The first line of the reply goes into the status; smtp_status_make cleans
 * it. */
static enum smtp_client_step
smtp_client_bad_reply(struct smtp_client *c, const char *what, struct str answer)
{
	size_t n = 0;
	struct smtp_status s;

	while (n < answer.n && n < ANSWER_BYTES && answer.p[n] != '\r' && answer.p[n] != '\n')
		n++;
	s = smtp_status_make(451, "4.5.0", "the host's reply to %s breaks the protocol: %.*s", what,
	    (int)n, answer.p);
	if (c->transaction.message)
		smtp_transaction_lost(c);
	return smtp_client_fail(c, &s, REASON_PROTOCOL);
}

enum smtp_client_step
smtp_client_protocol_error(struct smtp_client *c, const char *what)
{
	struct smtp_status r = smtp_reply_status(&c->reply);
	char answer[ANSWER_BYTES], code[SMTP_STATUS_ENHANCED_BYTES];

	snprintf(answer, sizeof answer, "%u %s%s%.120s", r.code,
	    r.class ? smtp_status_enhanced(&r, code) : "", r.class ? " " : "", r.text);
	return smtp_client_bad_reply(c, what, str_of(answer));
}

/* Sends as many commands as allowed: one, or with PIPELINING up to the next one that needs a
 * reply. */
static enum smtp_client_step
send_next_commands(struct smtp_client *c, enum smtp_client_step step)
{
	while (step == SMTP_CLIENT_WAIT && c->next_phase != PHASE_NONE &&
	       (smtp_client_expected(c) == 0 || smtp_transaction_may_pipeline(c, c->next_phase)))
		c->next_phase = phases[c->next_phase].send(c);
	if (step == SMTP_CLIENT_WAIT && c->transaction.message && smtp_client_expected(c) == 0) {
		c->transaction.message = NULL;
		return smtp_client_set_ready(c);
	}
	return c->is_over ? SMTP_CLIENT_OVER : step;
}

/* RFC 5321 section 3.8: a host may send 421 at any time. */
static enum smtp_client_step
smtp_client_closed(struct smtp_client *c, const struct smtp_status *r)
{
	return smtp_client_fail(c, r, c->transaction.message ? reason_of_reply(r) : REASON_BUSY);
}

/* Handles one complete reply. has_more: the host has sent further bytes. */
static enum smtp_client_step
handle_smtp_reply(struct smtp_client *c, bool has_more)
{
	struct phase_expected_reply e = c->expected[c->expected_first];
	struct smtp_status r = smtp_reply_status(&c->reply);
	enum smtp_client_step step;

	if (r.code != 421 && is_unexpected_success((enum phase)e.phase, &r))
		return smtp_client_protocol_error(c, phases[e.phase].name);
	c->expected_first++;
	c->turn++;
	c->has_extra_input = has_more && smtp_client_expected(c) == 0;
	step = r.code == 421 ? smtp_client_closed(c, &r) : phases[e.phase].receive(c, &r, e.about);
	/* a challenge may be a hash, and a reply may echo a secret: not kept longer than needed */
	smtp_reply_clear(&c->reply);
	smtp_reply_init(&c->reply, NULL);
	return step;
}

/* The host sent bytes without a command: they would be read as the replies to later commands. */
static enum smtp_client_step
unsolicited_reply(struct smtp_client *c, struct str in)
{
	struct smtp_status r;
	size_t used;

	smtp_reply_clear(&c->reply);
	smtp_reply_init(&c->reply, NULL);
	if (smtp_reply_take(&c->reply, in, &used) != SMTP_REPLY_DONE || c->reply.code != 421)
		return smtp_client_bad_reply(c, "a command that was never sent", in);
	r = smtp_reply_status(&c->reply);
	return smtp_client_closed(c, &r);
}

static void
await_reply(struct smtp_client *c)
{
	bool is_ehlo = c->expected[c->expected_first].phase == PHASE_EHLO;

	if (c->reply.lines == 0)
		c->reply.extensions = is_ehlo ? &c->extensions : NULL;
}

enum smtp_client_step
smtp_client_take_input(struct smtp_client *c, struct str in, size_t *used_out)
{
	enum smtp_client_step step = c->is_over    ? SMTP_CLIENT_OVER
	                             : c->is_ready ? SMTP_CLIENT_READY
	                                           : SMTP_CLIENT_WAIT;
	size_t used;

	*used_out = 0;
	while (in.n && step == SMTP_CLIENT_WAIT && smtp_client_expected(c)) {
		enum smtp_reply_progress progress;

		await_reply(c);
		progress = smtp_reply_take(&c->reply, in, &used);
		*used_out += used;
		if (progress == SMTP_REPLY_BAD)
			return smtp_client_bad_reply(
			    c, phases[c->expected[c->expected_first].phase].name, in);
		in = str_from(in, used);
		if (progress == SMTP_REPLY_DONE) {
			step = handle_smtp_reply(c, in.n > 0);
			if (step == SMTP_CLIENT_WAIT && in.n && smtp_client_expected(c) == 0)
				return unsolicited_reply(c, in);
			step = send_next_commands(c, step);
		} else if (used == 0)
			break;
	}
	return step == SMTP_CLIENT_READY && in.n ? unsolicited_reply(c, in) : step;
}

enum smtp_client_step
smtp_client_send(struct smtp_client *c, struct message_source *message)
{
	if (!c->is_ready)
		die("relay: a transaction begins before the session is ready");
	if (message->count > c->transaction.results_cap) {
		mem_free(c->transaction.results);
		c->transaction.results = mem_new(message->count * sizeof *c->transaction.results);
		c->transaction.results_cap = message->count;
	}
	memset(c->transaction.results, 0, message->count * sizeof *c->transaction.results);
	c->transaction = (struct smtp_transaction){.message = message,
	    .results = c->transaction.results,
	    .results_cap = c->transaction.results_cap};
	c->is_ready = false;
	c->turn++;
	c->next_phase = c->needs_reset ? PHASE_RSET : PHASE_MAIL;
	message->awaited_since_ms = 0;
	message_source_read_ahead(message, 0);
	return send_next_commands(c, SMTP_CLIENT_WAIT);
}

enum smtp_client_step
smtp_client_lost(struct smtp_client *c, const struct smtp_status *why, const char *reason)
{
	if (c->transaction.message)
		smtp_transaction_lost(c);
	return smtp_client_fail(c, why, reason);
}

enum smtp_client_step
smtp_client_expired(struct smtp_client *c)
{
	struct smtp_status s = smtp_status_make(
	    451, "4.4.2", "the host did not answer in time (%s)", smtp_client_phase(c));

	return smtp_client_lost(c, &s, REASON_TIMEOUT);
}

/* ---- life cycle and timeouts ---- */

struct smtp_client *
smtp_client_new(const struct smtp_client_options *o)
{
	struct smtp_client *c = MEM_NEW(struct smtp_client);

	c->options = *o;
	buf_init(&c->output, OUTPUT_MAX);
	smtp_reply_init(&c->reply, NULL);
	if (o->tls != SMTP_CLIENT_TLS_IMPLICIT)
		smtp_client_expect(c, PHASE_GREETING, PHASE_ABOUT_NONE);
	return c;
}

void
smtp_client_free(struct smtp_client **c)
{
	if (!*c)
		return;
	smtp_sasl_clear(&(*c)->sasl);
	buf_clear(&(*c)->output);
	smtp_reply_clear(&(*c)->reply);
	mem_free((*c)->expected);
	mem_free((*c)->transaction.results);
	mem_free(*c);
	*c = NULL;
}

static enum phase
phase_now(const struct smtp_client *c)
{
	if (smtp_client_has_more_content(c))
		return PHASE_BDAT;
	return smtp_client_expected(c) ? c->expected[c->expected_first].phase : PHASE_NONE;
}

int64_t
smtp_client_timeout_ms(const struct smtp_client *c)
{
	int64_t ms;

	memcpy(&ms, (const char *)&c->options.timeouts + phases[phase_now(c)].timeout_offset,
	    sizeof ms);
	return ms;
}

const char *
smtp_client_phase(const struct smtp_client *c)
{
	return phases[phase_now(c)].name;
}
