/*
 * smtp_client: the session, in protocol order: greeting, EHLO, STARTTLS, AUTH, transactions, QUIT.
 * It knows neither sockets nor time nor hosts.  Nothing that was learned before TLS counts after
 * it.
 */
#include "relay/smtp_client.h"

#include <stdio.h>

#include "base/mem.h"
#include "relay/phases.h"
#include "relay/reason.h"

enum { OUTPUT_MAX = 2 << 20, FIRST_EXPECTED = 8, LINE_MAX_BYTES = 12288, ANSWER_BYTES = 160 };

/* ---- greeting ---- */

/* Before any mail was spoken of: a temporary refusal is about the host as a whole. */
static enum client_step
client_turned_away(struct client *c, const struct status *r)
{
	return client_fail(c, r, status_is_temporary(r) ? REASON_BUSY : REASON_REFUSED);
}

static enum client_step
got_greeting(struct client *c, const struct status *r, uint32_t about)
{
	(void)about;
	if (!status_is_ok(r))
		return client_turned_away(c, r);
	if (client_meets_itself(c, r))
		return CLIENT_OVER;
	c->next = PHASE_EHLO;
	return CLIENT_WAIT;
}

/* ---- EHLO, LHLO, HELO ---- */

static enum phase
say_ehlo(struct client *c)
{
	c->extensions = (struct extensions){.has = 0};
	buf_addf(&c->out, "%s %.*s\r\n", c->o.is_lmtp ? "LHLO" : "EHLO", STR_ARG(c->o.hostname));
	client_expect(c, PHASE_EHLO, ABOUT_NONE);
	return PHASE_NONE;
}

enum client_step
client_stands(struct client *c)
{
	c->is_ready = true;
	return CLIENT_READY;
}

static enum client_step
tls_is_missing(struct client *c)
{
	struct status s =
	    status_make(450, "4.7.4", "TLS is required, but the host does not offer STARTTLS");

	return client_fail(c, &s, REASON_TLS);
}

/* RFC 5321 sections 3.2 and 4.1.4: a host that knows HELO alone, as far as codes tell. */
static bool
is_without_ehlo(const struct status *r)
{
	return (r->code >= 500 && r->code <= 502) || r->code == 504 || r->code == 550;
}

static enum client_step
got_ehlo(struct client *c, const struct status *r, uint32_t about)
{
	(void)about;
	if (is_without_ehlo(r) && !c->o.is_lmtp && !c->is_secure) {
		if (c->o.tls == CLIENT_TLS_MUST)
			return tls_is_missing(c);
		c->next = PHASE_HELO;
		return CLIENT_WAIT;
	}
	if (!status_is_ok(r))
		return client_turned_away(c, r);
	if (client_meets_itself(c, r))
		return CLIENT_OVER;
	if (!c->is_secure && c->o.tls != CLIENT_TLS_NEVER && (c->extensions.has & EXT_STARTTLS)) {
		c->next = PHASE_STARTTLS;
		return CLIENT_WAIT;
	}
	if (!c->is_secure && c->o.tls == CLIENT_TLS_MUST)
		return tls_is_missing(c);
	return c->o.username.n ? client_auth_begin(c) : client_stands(c);
}

static enum phase
say_helo(struct client *c)
{
	c->extensions = (struct extensions){.has = 0};
	buf_addf(&c->out, "HELO %.*s\r\n", STR_ARG(c->o.hostname));
	client_expect(c, PHASE_HELO, ABOUT_NONE);
	return PHASE_NONE;
}

static enum client_step
got_helo(struct client *c, const struct status *r, uint32_t about)
{
	(void)about;
	if (!status_is_ok(r))
		return client_turned_away(c, r);
	return c->o.username.n ? client_auth_begin(c) : client_stands(c);
}

/* ---- STARTTLS ---- */

static enum phase
say_starttls(struct client *c)
{
	buf_addz(&c->out, "STARTTLS\r\n");
	client_expect(c, PHASE_STARTTLS, ABOUT_NONE);
	return PHASE_NONE;
}

static enum client_step
got_starttls(struct client *c, const struct status *r, uint32_t about)
{
	struct status s;

	(void)about;
	if (r->code == 220)
		return CLIENT_SECURE;
	if (c->o.tls == CLIENT_TLS_MUST) {
		s = status_make(450, "4.7.4", "the host refused STARTTLS: %u %s", r->code, r->text);
		return client_fail(c, &s, REASON_TLS);
	}
	return c->o.username.n ? client_auth_begin(c) : client_stands(c);
}

/* RFC 3207 section 4.2: all that was learned before is forgotten. */
enum client_step
client_secured(struct client *c, bool is_verified)
{
	c->is_secure = true;
	c->is_verified = is_verified;
	c->extensions = (struct extensions){.has = 0};
	c->turn++;
	if (c->o.tls == CLIENT_TLS_STANDS) {
		client_expect(c, PHASE_GREETING, ABOUT_NONE);
		return CLIENT_WAIT;
	}
	c->next = say_ehlo(c);
	return CLIENT_WAIT;
}

/* ---- QUIT ---- */

void
client_quit(struct client *c)
{
	if (!c->is_over && client_expected(c) == 0)
		buf_addz(&c->out, "QUIT\r\n");
	c->is_over = true;
	c->is_ready = false;
}

/* ---- the table ---- */

#define PATIENCE(x) offsetof(struct client_patience, x)

static const struct phase_row phases[PHASES] = {
    /* phase            name        patience                good  says          hears */
    [PHASE_NONE] = {"idle", PATIENCE(mail_ms), 0, NULL, NULL},
    [PHASE_GREETING] = {"greeting", PATIENCE(greeting_ms), 220, NULL, got_greeting},
    [PHASE_EHLO] = {"EHLO", PATIENCE(ehlo_ms), 250, say_ehlo, got_ehlo},
    [PHASE_HELO] = {"HELO", PATIENCE(ehlo_ms), 250, say_helo, got_helo},
    [PHASE_STARTTLS] = {"STARTTLS", PATIENCE(ehlo_ms), 220, say_starttls, got_starttls},
    [PHASE_AUTH] = {"AUTH", PATIENCE(ehlo_ms), 235, client_auth_say, client_auth_got},
    [PHASE_RSET] = {"RSET", PATIENCE(mail_ms), 250, say_rset, got_rset},
    [PHASE_MAIL] = {"MAIL", PATIENCE(mail_ms), GOOD_OF_MAIL, say_mail, got_mail},
    [PHASE_RCPT] = {"RCPT", PATIENCE(rcpt_ms), GOOD_OF_MAIL, say_rcpt, got_rcpt},
    [PHASE_DATA] = {"DATA", PATIENCE(data_ms), 354, say_data, got_data},
    [PHASE_BDAT] = {"BDAT", PATIENCE(body_ms), 0, say_bdat, NULL},
    [PHASE_FINAL] = {"final", PATIENCE(final_ms), GOOD_OF_MAIL, NULL, got_final},
    [PHASE_QUIT] = {"QUIT", PATIENCE(mail_ms), 0, NULL, NULL},
};

/* A success that answers something else (RFC 5321 section 4.2.1: help, the channel, a login; or a
 * step on the way where none is) shows that the host and we speak of different commands. */
static bool
is_out_of_place(enum phase phase, const struct status *r)
{
	unsigned good = phases[phase].good, about = r->code / 10 % 10;

	if (!status_is_ok(r) || (phase == PHASE_AUTH && r->code == 334))
		return false;
	if (good != GOOD_OF_MAIL)
		return r->code != good;
	return r->code >= 300 || (about >= 1 && about <= 3);
}

/* ---- the machine ---- */

size_t
client_expected(const struct client *c)
{
	return c->queue_end - c->queue_at;
}

void
client_expect(struct client *c, enum phase phase, uint32_t about)
{
	if (client_expected(c) == 0) {
		c->queue_at = c->queue_end = 0;
		c->turn++;
	}
	if (c->queue_end == c->queue_cap) {
		c->queue_cap = c->queue_cap ? 2 * c->queue_cap : FIRST_EXPECTED;
		c->queue = mem_grow(c->queue, c->queue_cap * sizeof *c->queue);
	}
	c->queue[c->queue_end++] = (struct expected){(uint8_t)phase, about};
}

enum client_step
client_fail(struct client *c, const struct status *why, const char *reason)
{
	struct status late;

	if (c->is_over)
		return CLIENT_OVER;
	if (transaction_disk_is_late(c)) {
		late = outgoing_late_status();
		why = &late;
		reason = REASON_LOCAL;
		c->end.has_no_content = true;
	}
	c->is_over = true;
	c->is_ready = false;
	c->end.status = *why;
	c->end.reason = reason;
	proof_clear(&c->login);
	return CLIENT_OVER;
}

/* Its first line, which status_make cleans. */
static enum client_step
client_confused_by(struct client *c, const char *what, struct str answer)
{
	size_t n = 0;
	struct status s;

	while (n < answer.n && n < ANSWER_BYTES && answer.p[n] != '\r' && answer.p[n] != '\n')
		n++;
	s = status_make(451, "4.5.0", "the host's reply to %s breaks the protocol: %.*s", what,
	    (int)n, answer.p);
	if (c->t.message)
		transaction_lost(c);
	return client_fail(c, &s, REASON_PROTOCOL);
}

enum client_step
client_confused(struct client *c, const char *what)
{
	struct status r = reply_status(&c->reply);
	char answer[ANSWER_BYTES], code[STATUS_ENHANCED_BYTES];

	snprintf(answer, sizeof answer, "%u %s%s%.120s", r.code,
	    r.class ? status_enhanced(&r, code) : "", r.class ? " " : "", r.text);
	return client_confused_by(c, what, str_of(answer));
}

/* Speaks as far as it may: one command, or with PIPELINING up to where an answer is needed. */
static enum client_step
speak(struct client *c, enum client_step step)
{
	while (step == CLIENT_WAIT && c->next != PHASE_NONE &&
	       (client_expected(c) == 0 || transaction_may_pipeline(c, c->next)))
		c->next = phases[c->next].says(c);
	if (step == CLIENT_WAIT && c->t.message && client_expected(c) == 0) {
		c->t.message = NULL;
		return client_stands(c);
	}
	return c->is_over ? CLIENT_OVER : step;
}

/* RFC 5321 section 3.8: 421, which a host may say at any time. */
static enum client_step
client_closed(struct client *c, const struct status *r)
{
	return client_fail(c, r, c->t.message ? reason_of_reply(r) : REASON_BUSY);
}

/* Takes one whole reply; more of the host's bytes are at hand when has_more. */
static enum client_step
hear(struct client *c, bool has_more)
{
	struct expected e = c->queue[c->queue_at];
	struct status r = reply_status(&c->reply);
	enum client_step step;

	if (r.code != 421 && is_out_of_place((enum phase)e.phase, &r))
		return client_confused(c, phases[e.phase].name);
	c->queue_at++;
	c->turn++;
	c->is_ahead = has_more && client_expected(c) == 0;
	step = r.code == 421 ? client_closed(c, &r) : phases[e.phase].hears(c, &r, e.about);
	/* a challenge may be a hash, a reply may be a secret's echo: kept no longer than needed */
	reply_clear(&c->reply);
	reply_init(&c->reply, NULL);
	return step;
}

/* Bytes that answer nothing that was said: what follows would be taken for the answers to other
 * commands. */
static enum client_step
out_of_step(struct client *c, struct str in)
{
	struct status r;
	size_t used;

	reply_clear(&c->reply);
	reply_init(&c->reply, NULL);
	if (reply_take(&c->reply, in, &used) != REPLY_DONE || c->reply.code != 421)
		return client_confused_by(c, "a command that was never sent", in);
	r = reply_status(&c->reply);
	return client_closed(c, &r);
}

static void
await_reply(struct client *c)
{
	bool is_ehlo = c->queue[c->queue_at].phase == PHASE_EHLO;

	if (c->reply.lines == 0)
		c->reply.extensions = is_ehlo ? &c->extensions : NULL;
}

enum client_step
client_take(struct client *c, struct str in, size_t *used_out)
{
	enum client_step step = c->is_over ? CLIENT_OVER : c->is_ready ? CLIENT_READY : CLIENT_WAIT;
	size_t used;

	*used_out = 0;
	while (in.n && step == CLIENT_WAIT && client_expected(c)) {
		enum reply_progress progress;

		await_reply(c);
		progress = reply_take(&c->reply, in, &used);
		*used_out += used;
		if (progress == REPLY_BAD)
			return client_confused_by(
			    c, phases[c->queue[c->queue_at].phase].name, in);
		in = str_from(in, used);
		if (progress == REPLY_DONE) {
			step = hear(c, in.n > 0);
			if (step == CLIENT_WAIT && in.n && client_expected(c) == 0)
				return out_of_step(c, in);
			step = speak(c, step);
		} else if (used == 0)
			break;
	}
	return step == CLIENT_READY && in.n ? out_of_step(c, in) : step;
}

enum client_step
client_send(struct client *c, struct outgoing *message)
{
	if (!c->is_ready)
		die("client: a transaction begins out of turn");
	if (message->count > c->t.results_cap) {
		mem_free(c->t.results);
		c->t.results = mem_new(message->count * sizeof *c->t.results);
		c->t.results_cap = message->count;
	}
	memset(c->t.results, 0, message->count * sizeof *c->t.results);
	c->t = (struct transaction){
	    .message = message, .results = c->t.results, .results_cap = c->t.results_cap};
	c->is_ready = false;
	c->turn++;
	c->next = c->needs_reset ? PHASE_RSET : PHASE_MAIL;
	message->awaited_since_ms = 0;
	outgoing_ahead(message, 0);
	return speak(c, CLIENT_WAIT);
}

enum client_step
client_lost(struct client *c, const struct status *why, const char *reason)
{
	if (c->t.message)
		transaction_lost(c);
	return client_fail(c, why, reason);
}

enum client_step
client_expired(struct client *c)
{
	struct status s =
	    status_make(451, "4.4.2", "the host did not answer in time (%s)", client_phase(c));

	return client_lost(c, &s, REASON_TIMEOUT);
}

/* ---- what the owner asks ---- */

struct client *
client_new(const struct client_options *o)
{
	struct client *c = MEM_NEW(struct client);

	c->o = *o;
	buf_init(&c->out, OUTPUT_MAX);
	reply_init(&c->reply, NULL);
	if (o->tls != CLIENT_TLS_STANDS)
		client_expect(c, PHASE_GREETING, ABOUT_NONE);
	return c;
}

void
client_free(struct client **c)
{
	if (!*c)
		return;
	proof_clear(&(*c)->login);
	buf_clear(&(*c)->out);
	reply_clear(&(*c)->reply);
	mem_free((*c)->queue);
	mem_free((*c)->t.results);
	mem_free(*c);
	*c = NULL;
}

struct buf *
client_output(struct client *c)
{
	return &c->out;
}

unsigned
client_turn(const struct client *c)
{
	return c->turn;
}

static enum phase
phase_now(const struct client *c)
{
	if (client_has_more(c))
		return PHASE_BDAT;
	return client_expected(c) ? c->queue[c->queue_at].phase : PHASE_NONE;
}

int64_t
client_patience_ms(const struct client *c)
{
	int64_t ms;

	memcpy(&ms, (const char *)&c->o.patience + phases[phase_now(c)].patience, sizeof ms);
	return ms;
}

const char *
client_phase(const struct client *c)
{
	return phases[phase_now(c)].name;
}

const struct client_result *
client_results(const struct client *c)
{
	return c->t.results;
}

const struct client_end *
client_end(const struct client *c)
{
	return &c->end;
}

uint64_t
client_content_bytes(const struct client *c)
{
	return c->t.message ? outgoing_bytes(c->t.message) : 0;
}

bool
client_has_envelope(const struct client *c)
{
	return c->t.message && c->t.form != BODY_NOT_BEGUN &&
	       (client_expected(c) == 0 || c->queue[c->queue_at].phase == PHASE_FINAL);
}

bool
client_has_content(const struct client *c)
{
	return c->t.message && c->t.form != BODY_NOT_BEGUN && c->t.is_body_sent;
}
