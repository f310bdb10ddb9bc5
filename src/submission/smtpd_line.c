/*
 * smtpd_line: what cannot be a command is refused here, before anyone reads it: a bare CR or LF, a
 * NUL, a line over its limit.  Overlong lines are eaten to their end in no memory.
 */
#include "submission/smtpd_line.h"

#include "mail/smtp_command.h"
#include "submission/smtpd_auth.h"

enum {
	LONG_LINES_MAX = 10,
	SWALLOW_MAX = 64 << 10,
	IDLE_COMMANDS_MAX = 20000, /* twenty times the recipients of the largest message */
};

static enum session_step
bare_line_end(struct session *s)
{
	struct status status =
	    status_make(500, "5.5.2", "Lines end in CRLF, and hold no CR, LF or NUL");

	session_refuse(s, "command", "bare_line_end", &status);
	s->reason = "protocol";
	return SESSION_CLOSE;
}

/* A TLS record of a handshake: the client wants port 465, or does not know STARTTLS. */
static bool
is_tls(const struct session *s, struct str in)
{
	return !s->is_secure && str_starts(in, STR("\x16\x03"));
}

static enum session_step
tls_on_clear_port(struct session *s)
{
	struct status status = status_make(
	    554, "5.7.0", "TLS begins here with STARTTLS; port 465 has it from the start");

	session_refuse(s, "command", "tls_on_clear_port", &status);
	s->reason = "tls_on_clear_port";
	return SESSION_CLOSE;
}

static enum session_step
line_too_long(struct session *s, bool is_final)
{
	struct status status = status_make(500, "5.5.2", "Line too long");

	if (is_final || ++s->long_lines >= LONG_LINES_MAX)
		return session_leave(s, "line_too_long", &status);
	if (s->state == STATE_LOGIN)
		return login_too_long(s);
	if (s->is_auth_line)
		status = login_line_too_long();
	return session_refuse(s, "command", "line_too_long", &status);
}

/* Eats an overlong line up to its end and no further, keeping nothing of it. */
static enum session_step
swallow(struct session *s, struct str in, size_t *used_out)
{
	size_t end = str_find(in, '\n');
	bool has_end = end < in.n, is_crlf;

	*used_out = has_end ? end + 1 : in.n;
	is_crlf = end > 0 ? in.p[end - 1] == '\r' : s->after_cr;
	s->swallowed += (uint32_t)*used_out;
	s->after_cr = in.n > 0 && in.p[in.n - 1] == '\r';
	if (has_end && !is_crlf)
		return bare_line_end(s);
	if (s->swallowed > SWALLOW_MAX)
		return line_too_long(s, true);
	if (!has_end)
		return SESSION_NEXT;
	s->swallowed = 0;
	return line_too_long(s, false);
}

/* A session of messages may go on for ever; one that only keeps us busy may not. */
static enum session_step
take_command(struct session *s, struct str line)
{
	struct status status =
	    status_make(421, "4.7.0", "Too many commands without a message, connect again");

	if (++s->idle_commands > IDLE_COMMANDS_MAX)
		return session_leave(s, "idle_commands", &status);
	return session_command(s, line);
}

enum session_step
line_read(struct session *s, struct str in, size_t *used_out)
{
	bool is_auth = s->state == STATE_LOGIN || str_istarts(in, STR("AUTH "));
	size_t max = is_auth ? COMMAND_AUTH_LINE_MAX : COMMAND_LINE_MAX;
	size_t end;
	struct str line;

	if (s->swallowed > 0)
		return swallow(s, in, used_out);
	if (is_tls(s, in)) {
		*used_out = in.n;
		return tls_on_clear_port(s);
	}
	end = str_find(str_upto(in, max), '\n');
	if (end == max) {
		s->is_auth_line = is_auth;
		return swallow(s, in, used_out);
	}
	if (end == in.n)
		return SESSION_NEXT;
	*used_out = end + 1;
	s->behind = in.n - end - 1;
	line = str_upto(in, end ? end - 1 : 0);
	if (end == 0 || in.p[end - 1] != '\r' || str_has(line, '\r') || str_has(line, '\0'))
		return bare_line_end(s);
	return s->state == STATE_LOGIN ? login_response(s, line) : take_command(s, line);
}
