/*
 * smtp_client_auth: our login at a smarthost (RFC 4954), between EHLO and the first transaction.
 * What is wrong with it is the operator's to mend: always temporary, never a reason to return mail.
 */
#include "base/encode.h"
#include "base/mem.h"
#include "relay/phases.h"
#include "relay/reason.h"

/* Credentials go only where the certificate was checked. */
enum client_step
client_auth_begin(struct client *c)
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

static void
client_auth_add_token(struct client *c, struct buf *token)
{
	if (token->n)
		encode_base64(&c->out, buf_str(token));
	buf_addz(&c->out, "\r\n");
	if (token->p)
		mem_wipe(token->p, token->cap);
	buf_clear(token);
}

enum phase
client_auth_say(struct client *c)
{
	struct buf token;
	bool has_initial;

	buf_init(&token, PROOF_TOKEN_MAX);
	has_initial = proof_first(&c->login, &token);
	buf_addf(&c->out, "AUTH %s%s", proof_name(&c->login), has_initial ? " " : "");
	client_auth_add_token(c, &token);
	client_expect(c, PHASE_AUTH, ABOUT_NONE);
	return PHASE_NONE;
}

static enum client_step
client_auth_failed(struct client *c, const char *why)
{
	struct status s = status_make(450, "4.7.8", "login at the host failed: %s", why);

	return client_fail(c, &s, REASON_AUTH);
}

static bool
client_auth_answer(struct client *c)
{
	struct buf challenge, token;
	bool ok;

	buf_init(&challenge, PROOF_TOKEN_MAX);
	buf_init(&token, PROOF_TOKEN_MAX);
	ok = decode_base64(&challenge, str_trim(buf_str(&c->reply.text))) &&
	     proof_step(&c->login, buf_str(&challenge), &token);
	if (ok)
		client_auth_add_token(c, &token);
	buf_clear(&token);
	buf_clear(&challenge);
	return ok;
}

/* Our credentials are the operator's to mend: never a reason to return mail. */
enum client_step
client_auth_got(struct client *c, const struct status *r, uint32_t about)
{
	(void)about;
	/* what was said is sent long since, and may hold the password */
	if (c->out.p && c->out.n == 0)
		mem_wipe(c->out.p, c->out.cap);
	if (r->code == 334) {
		if (!client_auth_answer(c))
			return client_auth_failed(c, "the host sent an invalid challenge");
		client_expect(c, PHASE_AUTH, ABOUT_NONE);
		return CLIENT_WAIT;
	}
	if (r->code != 235)
		return client_auth_failed(c, r->text);
	if (!proof_is_complete(&c->login))
		return client_auth_failed(c, "the host did not prove that it knows the password");
	proof_clear(&c->login);
	return client_stands(c);
}
