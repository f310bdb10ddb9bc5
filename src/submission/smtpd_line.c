/*
 * smtpd_line: refuses what cannot be a command before it is parsed: a bare CR or LF, a NUL, an
 * overlong line. Overlong lines are discarded up to their end, without using memory.
 */
#include "submission/smtpd_line.h"

#include "mail/smtp_command.h"
#include "submission/smtpd_auth.h"

enum {
	LONG_LINES_MAX = 10,
	DISCARD_MAX = 64 << 10,
	IDLE_COMMANDS_MAX = 20000, /* twenty times the recipients of the largest message */
};

static enum session_step
refuse_bare_line_end(struct session *s)
{
	struct smtp_status status =
	    smtp_status_make(500, "5.5.2", "Lines end in CRLF, and hold no CR, LF or NUL");

	session_refuse(s, "command", "bare_line_end", &status);
	s->reason = "protocol";
	return SESSION_CLOSE;
}

/* A TLS handshake record: the client expects implicit TLS (port 465), or does not support
 * STARTTLS. */
static bool
is_tls_handshake(const struct session *s, struct str in)
{
	return !s->is_secure && str_starts(in, STR("\x16\x03"));
}

static enum session_step
refuse_tls_on_clear_port(struct session *s)
{
	struct smtp_status status = smtp_status_make(
	    554, "5.7.0", "TLS begins here with STARTTLS; port 465 has it from the start");

	session_refuse(s, "command", "tls_on_clear_port", &status);
	s->reason = "tls_on_clear_port";
	return SESSION_CLOSE;
}

static enum session_step
refuse_long_line(struct session *s, bool is_final)
{
	struct smtp_status status = smtp_status_make(500, "5.5.2", "Line too long");

	if (is_final || ++s->long_lines >= LONG_LINES_MAX)
		return session_reply_close(s, "line_too_long", &status);
	if (s->state == STATE_AUTH)
		return smtpd_auth_refuse_long_line(s);
	if (s->is_auth_line)
		status = smtpd_auth_line_too_long();
	return session_refuse(s, "command", "line_too_long", &status);
}

/* Discards an overlong line up to its end and no further. */
static enum session_step
discard_long_line(struct session *s, struct str in, size_t *used_out)
{
	size_t end = str_find(in, '\n');
	bool has_end = end < in.n, is_crlf;

	*used_out = has_end ? end + 1 : in.n;
	is_crlf = end > 0 ? in.p[end - 1] == '\r' : s->is_after_cr;
	s->discarded_bytes += (uint32_t)*used_out;
	s->is_after_cr = in.n > 0 && in.p[in.n - 1] == '\r';
	if (has_end && !is_crlf)
		return refuse_bare_line_end(s);
	if (s->discarded_bytes > DISCARD_MAX)
		return refuse_long_line(s, true);
	if (!has_end)
		return SESSION_NEXT;
	s->discarded_bytes = 0;
	return refuse_long_line(s, false);
}

/* A session that sends messages may continue without end; one that only sends commands may not. */
static enum session_step
run_command_line(struct session *s, struct str line)
{
	struct smtp_status status =
	    smtp_status_make(421, "4.7.0", "Too many commands without a message, connect again");

	if (++s->idle_commands > IDLE_COMMANDS_MAX)
		return session_reply_close(s, "idle_commands", &status);
	return session_command(s, line);
}

enum session_step
smtpd_line_read(struct session *s, struct str in, size_t *used_out)
{
	bool is_auth = s->state == STATE_AUTH || str_istarts(in, STR("AUTH "));
	size_t max = is_auth ? SMTP_COMMAND_AUTH_LINE_MAX : SMTP_COMMAND_LINE_MAX;
	size_t end;
	struct str line;

	if (s->discarded_bytes > 0)
		return discard_long_line(s, in, used_out);
	if (is_tls_handshake(s, in)) {
		*used_out = in.n;
		return refuse_tls_on_clear_port(s);
	}
	end = str_find(str_upto(in, max), '\n');
	if (end == max) {
		s->is_auth_line = is_auth;
		return discard_long_line(s, in, used_out);
	}
	if (end == in.n)
		return SESSION_NEXT;
	*used_out = end + 1;
	s->bytes_after_line = in.n - end - 1;
	line = str_upto(in, end ? end - 1 : 0);
	if (end == 0 || in.p[end - 1] != '\r' || str_has(line, '\r') || str_has(line, '\0'))
		return refuse_bare_line_end(s);
	return s->state == STATE_AUTH ? smtpd_auth_response(s, line) : run_command_line(s, line);
}
