/*
 * client: the session, in protocol order: greeting, EHLO, STARTTLS, AUTH, transactions, QUIT.  It
 * knows neither sockets nor time nor hosts.  Nothing that was learned before TLS counts after it.
 */
#include "relay/client.h"

#include "base/encode.h"
#include "base/mem.h"
#include "relay/phases.h"
#include "relay/reason.h"

enum { OUTPUT_MAX = 2 << 20, FIRST_EXPECTED = 8, LINE_MAX_BYTES = 12288 };

/* ---- greeting ---- */

static enum client_step
got_greeting(struct client *c, const struct status *r, uint32_t about)
{
	(void)about;
	if (r->code != 220)
		return status_is_ok(r) ? client_confused(c, "the greeting")
		                       : client_fail(c, r, REASON_REFUSED);
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

static enum client_step
visit_stands(struct client *c)
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

/* Credentials go only where the certificate was checked. */
static enum client_step
begin_auth(struct client *c)
{
	struct status s;

	if (!c->is_secure || !c->is_verified)
		s = status_make(450, "4.7.5", "the host is not verified: no credentials are sent");
	else if (!(c->extensions.has & EXT_AUTH) ||
	         !proof_begin(&c->login, c->extensions.auth, c->o.username, c->o.password, NULL))
		s = status_make(450, "4.7.0", "the host offers no way to log in that we know");
	else {
		c->next = PHASE_AUTH;
		return CLIENT_WAIT;
	}
	return client_fail(c, &s, REASON_AUTH);
}

static enum client_step
got_ehlo(struct client *c, const struct status *r, uint32_t about)
{
	(void)about;
	if (status_is_permanent(r) && !c->o.is_lmtp && !c->is_secure) {
		c->next = PHASE_HELO;
		return CLIENT_WAIT;
	}
	if (r->code != 250)
		return status_is_ok(r) ? client_confused(c, "EHLO")
		                       : client_fail(c, r, REASON_REFUSED);
	if (client_meets_itself(c, r))
		return CLIENT_OVER;
	if (!c->is_secure && c->o.tls != CLIENT_TLS_NEVER && (c->extensions.has & EXT_STARTTLS)) {
		c->next = PHASE_STARTTLS;
		return CLIENT_WAIT;
	}
	if (!c->is_secure && c->o.tls == CLIENT_TLS_MUST)
		return tls_is_missing(c);
	return c->o.username.n ? begin_auth(c) : visit_stands(c);
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
	if (r->code != 250)
		return status_is_ok(r) ? client_confused(c, "HELO")
		                       : client_fail(c, r, REASON_REFUSED);
	if (c->o.tls == CLIENT_TLS_MUST)
		return tls_is_missing(c);
	return c->o.username.n ? begin_auth(c) : visit_stands(c);
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
	if (status_is_ok(r))
		return client_confused(c, "STARTTLS");
	if (c->o.tls == CLIENT_TLS_MUST) {
		s = status_make(450, "4.7.4", "the host refused STARTTLS: %u %s", r->code, r->text);
		return client_fail(c, &s, REASON_TLS);
	}
	return c->o.username.n ? begin_auth(c) : visit_stands(c);
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

/* ---- AUTH ---- */

static void
add_token(struct client *c, struct buf *token)
{
	if (token->n)
		encode_base64(&c->out, buf_str(token));
	buf_addz(&c->out, "\r\n");
	if (token->p)
		mem_wipe(token->p, token->cap);
	buf_clear(token);
}

static enum phase
say_auth(struct client *c)
{
	struct buf token;
	bool has_initial;

	buf_init(&token, PROOF_TOKEN_MAX);
	has_initial = proof_first(&c->login, &token);
	buf_addf(&c->out, "AUTH %s%s", proof_name(&c->login), has_initial ? " " : "");
	add_token(c, &token);
	client_expect(c, PHASE_AUTH, ABOUT_NONE);
	return PHASE_NONE;
}

static enum client_step
auth_failed(struct client *c, const char *why)
{
	struct status s = status_make(450, "4.7.8", "login at the host failed: %s", why);

	return client_fail(c, &s, REASON_AUTH);
}

static bool
answer_challenge(struct client *c)
{
	struct buf challenge, token;
	bool ok;

	buf_init(&challenge, PROOF_TOKEN_MAX);
	buf_init(&token, PROOF_TOKEN_MAX);
	ok = decode_base64(&challenge, str_trim(buf_str(&c->reply.text))) &&
	     proof_step(&c->login, buf_str(&challenge), &token);
	if (ok)
		add_token(c, &token);
	buf_clear(&token);
	buf_clear(&challenge);
	return ok;
}

/* Our credentials are the operator's to mend: never a reason to return mail. */
static enum client_step
got_auth(struct client *c, const struct status *r, uint32_t about)
{
	(void)about;
	/* what was said is sent long since, and may hold the password */
	if (c->out.p && c->out.n == 0)
		mem_wipe(c->out.p, c->out.cap);
	if (r->code == 334) {
		if (!answer_challenge(c))
			return auth_failed(c, "its challenge is not what it should be");
		client_expect(c, PHASE_AUTH, ABOUT_NONE);
		return CLIENT_WAIT;
	}
	if (r->code != 235)
		return auth_failed(c, r->text);
	if (!proof_is_complete(&c->login))
		return auth_failed(c, "it did not prove that it knows the password");
	proof_clear(&c->login);
	return visit_stands(c);
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
    /* phase            name        patience                says          hears */
    [PHASE_NONE] = {"idle", PATIENCE(mail_ms), NULL, NULL},
    [PHASE_GREETING] = {"greeting", PATIENCE(greeting_ms), NULL, got_greeting},
    [PHASE_EHLO] = {"EHLO", PATIENCE(ehlo_ms), say_ehlo, got_ehlo},
    [PHASE_HELO] = {"HELO", PATIENCE(ehlo_ms), say_helo, got_helo},
    [PHASE_STARTTLS] = {"STARTTLS", PATIENCE(ehlo_ms), say_starttls, got_starttls},
    [PHASE_AUTH] = {"AUTH", PATIENCE(ehlo_ms), say_auth, got_auth},
    [PHASE_RSET] = {"RSET", PATIENCE(mail_ms), say_rset, got_rset},
    [PHASE_MAIL] = {"MAIL", PATIENCE(mail_ms), say_mail, got_mail},
    [PHASE_RCPT] = {"RCPT", PATIENCE(rcpt_ms), say_rcpt, got_rcpt},
    [PHASE_DATA] = {"DATA", PATIENCE(data_ms), say_data, got_data},
    [PHASE_BDAT] = {"BDAT", PATIENCE(body_ms), say_bdat, NULL},
    [PHASE_FINAL] = {"final", PATIENCE(final_ms), NULL, got_final},
    [PHASE_QUIT] = {"QUIT", PATIENCE(mail_ms), NULL, NULL},
};

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
	if (c->is_over)
		return CLIENT_OVER;
	c->is_over = true;
	c->is_ready = false;
	c->end.status = *why;
	c->end.reason = reason;
	proof_clear(&c->login);
	return CLIENT_OVER;
}

enum client_step
client_confused(struct client *c, const char *what)
{
	struct status s = status_make(451, "4.5.0", "the host's answer to %s makes no sense", what);

	if (c->t.message)
		transaction_lost(c);
	return client_fail(c, &s, REASON_PROTOCOL);
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
		return visit_stands(c);
	}
	return c->is_over ? CLIENT_OVER : step;
}

static enum client_step
hear(struct client *c)
{
	struct expected e = c->queue[c->queue_at++];
	struct status r = reply_status(&c->reply);
	enum client_step step;

	c->turn++;
	/* RFC 5321 section 3.8: at any time */
	if (r.code == 421)
		step = client_fail(c, &r, reason_of_reply(&r));
	else if (r.code < 200 || r.code > 599)
		step = client_confused(c, phases[e.phase].name);
	else
		step = phases[e.phase].hears(c, &r, e.about);
	/* a challenge may be a hash, a reply may be a secret's echo: kept no longer than needed */
	reply_clear(&c->reply);
	reply_init(&c->reply, NULL);
	return speak(c, step);
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
		in = str_from(in, used);
		if (progress == REPLY_BAD)
			return client_confused(c, phases[c->queue[c->queue_at].phase].name);
		if (progress == REPLY_DONE)
			step = hear(c);
		else if (used == 0)
			break;
	}
	/* a host that speaks without being asked, mostly to say that it closes */
	if (step == CLIENT_READY && in.n)
		return client_confused(c, "nothing that was said");
	return step;
}

enum client_step
client_send(struct client *c, const struct outgoing *message)
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
	mem_free((*c)->room);
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
