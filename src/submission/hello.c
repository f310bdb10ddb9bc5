/*
 * hello: STARTTLS discards everything that the client sent before TLS, and bytes that came together
 * with the command end the session (RFC 3207 section 4.2, the "NO STARTTLS" attacks).
 */
#include "submission/hello.h"

#include "mail/smtp_command.h"
#include "submission/smtpd_auth.h"
#include "submission/smtpd_transaction.h"

enum session_step
hello_greet(struct session *s)
{
	s->was_greeted = true;
	buf_addf(&s->out, "220 %.*s ESMTP sallyport\r\n", STR_ARG(s->conf->hostname));
	return SESSION_NEXT;
}

/* EHLO and HELO end a transaction (RFC 5321 section 4.1.4). */
static bool
take_hello_name(struct session *s, struct str name)
{
	if (!smtp_command_is_helo(name))
		return false;
	buf_reset(&s->helo);
	buf_adds(&s->helo, name);
	smtpd_transaction_drop(s);
	return true;
}

static enum session_step
refuse_hello_name(struct session *s)
{
	struct smtp_status status =
	    smtp_status_make(501, "5.5.4", "A domain or an address literal is expected");

	return session_refuse(s, "command", "bad_hello", &status);
}

static void
list_auth_mechanisms(struct session *s)
{
	const struct conf_strs *all = &s->conf->auth.mechanisms;

	buf_addz(&s->out, "250-AUTH");
	for (size_t i = 0; i < all->count; i++)
		if (smtpd_auth_is_offered(s, all->str[i])) {
			buf_addz(&s->out, " ");
			buf_adds(&s->out, all->str[i]);
		}
	buf_addz(&s->out, "\r\n");
}

enum session_step
hello_ehlo(struct session *s, struct str args)
{
	if (!take_hello_name(s, args))
		return refuse_hello_name(s);
	buf_addf(&s->out, "250-%.*s\r\n", STR_ARG(s->conf->hostname));
	buf_addz(&s->out,
	    "250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n"
	    "250-DSN\r\n250-CHUNKING\r\n");
	if (s->is_secure)
		list_auth_mechanisms(s);
	else if (s->may_tls)
		buf_addz(&s->out, "250-STARTTLS\r\n");
	buf_addf(&s->out, "250 SIZE %llu\r\n", (unsigned long long)s->conf->limits.message_size);
	return SESSION_NEXT;
}

enum session_step
hello_helo(struct session *s, struct str args)
{
	if (!take_hello_name(s, args))
		return refuse_hello_name(s);
	buf_addf(&s->out, "250 %.*s\r\n", STR_ARG(s->conf->hostname));
	return SESSION_NEXT;
}

static enum session_step
refuse_hello_arguments(struct session *s)
{
	struct smtp_status status = smtp_status_make(501, "5.5.4", "No parameters allowed");

	return session_refuse(s, "command", "parameters", &status);
}

/* ---- STARTTLS ---- */

enum session_step
hello_starttls(struct session *s, struct str args)
{
	struct smtp_status status;

	if (s->bytes_after_line > 0 || s->services->has_unseen(s->arg)) {
		status = smtp_status_make(
		    501, "5.5.1", "Data was sent after STARTTLS, before the TLS handshake");
		session_refuse(s, "tls", "injection", &status);
		s->reason = "injection";
		return SESSION_CLOSE;
	}
	if (args.n > 0)
		return refuse_hello_arguments(s);
	if (!s->may_tls || !s->services->start_tls(s->arg)) {
		status = smtp_status_make(454, "4.7.0", "TLS is not available now");
		return session_refuse(s, "tls", "tls_unavailable", &status);
	}
	session_enter(s, STATE_HANDSHAKE);
	status = smtp_status_make(220, "2.0.0", "Ready to start TLS");
	session_reply(s, &status);
	return SESSION_WAIT;
}

enum session_step
session_secured(struct session *s, const char *version, bool has_binding)
{
	if (s->state != STATE_HANDSHAKE)
		return SESSION_WAIT;
	buf_reset(&s->helo);
	s->is_secure = true;
	s->has_binding = has_binding;
	memcpy(s->tls, version, strnlen(version, sizeof s->tls - 1));
	session_enter(s, STATE_TLS);
	return s->was_greeted ? SESSION_NEXT : hello_greet(s);
}

/* ---- other commands ---- */

enum session_step
hello_noop(struct session *s, struct str args)
{
	struct smtp_status status = smtp_status_make(250, "2.0.0", "Ok");

	(void)args;
	return session_reply(s, &status);
}

enum session_step
hello_quit(struct session *s, struct str args)
{
	struct smtp_status status = smtp_status_make(221, "2.0.0", "Bye");

	if (args.n > 0)
		return refuse_hello_arguments(s);
	return session_reply_close(s, "quit", &status);
}

enum session_step
hello_vrfy(struct session *s, struct str args)
{
	struct smtp_status status = smtp_status_make(
	    252, "2.0.0", "Cannot VRFY user, but will accept message and attempt delivery");

	if (args.n == 0)
		status = smtp_status_make(501, "5.5.4", "An address is needed");
	return args.n > 0 ? session_reply(s, &status)
	                  : session_refuse(s, "command", "parameters", &status);
}

enum session_step
hello_help(struct session *s, struct str args)
{
	struct smtp_status status =
	    smtp_status_make(214, "2.0.0", "Message submission, RFC 6409; log in, then send");

	(void)args;
	return session_reply(s, &status);
}

enum session_step
hello_unimplemented(struct session *s, struct str args)
{
	struct smtp_status status = smtp_status_make(502, "5.5.1", "Command not implemented");

	(void)args;
	return session_refuse(s, "command", "not_implemented", &status);
}

/* A browser that was made to send a form to this port: nothing that follows may be run as a
 * command. */
enum session_step
hello_http(struct session *s, struct str args)
{
	struct smtp_status status = smtp_status_make(500, "5.5.1", "This is not a web server");

	(void)args;
	session_refuse(s, "command", "http", &status);
	s->reason = "http";
	return SESSION_CLOSE;
}
