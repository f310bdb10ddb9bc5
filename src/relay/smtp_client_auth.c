/*
 * smtp_client_auth: the login at a smarthost (RFC 4954), between EHLO and the first transaction.
 * If it fails, the operator has to correct that: the failure is always temporary, and mail is never
 * returned for it.
 */
#include "base/encode.h"
#include "base/mem.h"
#include "relay/reason.h"
#include "relay/smtp_client_internal.h"

enum smtp_client_step
smtp_client_auth_begin(struct smtp_client *c)
{
	struct smtp_status s;

	if (!c->is_secure || !c->is_verified)
		s = smtp_status_make(
		    450, "4.7.5", "the host is not verified: no credentials are sent");
	else if (!(c->extensions.has & EXT_AUTH) ||
	         !smtp_sasl_begin(
	             &c->sasl, c->extensions.auth, c->options.username, c->options.password, NULL))
		s = smtp_status_make(450, "4.7.0", "the host offers no way to log in that we know");
	else {
		c->next_phase = PHASE_AUTH;
		return SMTP_CLIENT_WAIT;
	}
	return smtp_client_fail(c, &s, REASON_AUTH);
}

static void
smtp_client_auth_add_token(struct smtp_client *c, struct buf *token)
{
	if (token->n)
		encode_base64(&c->output, buf_str(token));
	buf_addz(&c->output, "\r\n");
	if (token->p)
		mem_wipe(token->p, token->cap);
	buf_clear(token);
}

enum phase
smtp_client_auth_send(struct smtp_client *c)
{
	struct buf token;
	bool has_initial;

	buf_init(&token, SMTP_SASL_TOKEN_MAX);
	has_initial = smtp_sasl_initial_response(&c->sasl, &token);
	buf_addf(
	    &c->output, "AUTH %s%s", smtp_sasl_mechanism_name(&c->sasl), has_initial ? " " : "");
	smtp_client_auth_add_token(c, &token);
	smtp_client_expect(c, PHASE_AUTH, PHASE_ABOUT_NONE);
	return PHASE_NONE;
}

static enum smtp_client_step
smtp_client_auth_failed(struct smtp_client *c, const char *why)
{
	struct smtp_status s = smtp_status_make(450, "4.7.8", "login at the host failed: %s", why);

	return smtp_client_fail(c, &s, REASON_AUTH);
}

static bool
smtp_client_auth_answer(struct smtp_client *c)
{
	struct buf challenge, token;
	bool ok;

	buf_init(&challenge, SMTP_SASL_TOKEN_MAX);
	buf_init(&token, SMTP_SASL_TOKEN_MAX);
	ok = decode_base64(&challenge, str_trim(buf_str(&c->reply.text))) &&
	     smtp_sasl_respond(&c->sasl, buf_str(&challenge), &token);
	if (ok)
		smtp_client_auth_add_token(c, &token);
	buf_clear(&token);
	buf_clear(&challenge);
	return ok;
}

enum smtp_client_step
smtp_client_auth_got(struct smtp_client *c, const struct smtp_status *r, uint32_t about)
{
	(void)about;
	/* what was sent earlier may contain the password */
	if (c->output.p && c->output.n == 0)
		mem_wipe(c->output.p, c->output.cap);
	if (r->code == 334) {
		if (!smtp_client_auth_answer(c))
			return smtp_client_auth_failed(c, "the host sent an invalid challenge");
		smtp_client_expect(c, PHASE_AUTH, PHASE_ABOUT_NONE);
		return SMTP_CLIENT_WAIT;
	}
	if (r->code != 235)
		return smtp_client_auth_failed(c, r->text);
	if (!smtp_sasl_is_complete(&c->sasl))
		return smtp_client_auth_failed(
		    c, "the host did not prove that it knows the password");
	smtp_sasl_clear(&c->sasl);
	return smtp_client_set_ready(c);
}
