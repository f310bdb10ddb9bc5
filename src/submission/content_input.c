/*
 * content_input: one piece of a body is written to the file while the next one is collected. A
 * fault is stored until the end of the data and reported then, so that client and server agree
 * about where the commands continue (RFC 5321 section 4.5.2, and all smuggling attacks).
 */
#include "submission/content_input.h"

#include "mail/header.h"
#include "submission/smtpd_transaction.h"

enum {
	WRITING_LONGEST_MS =
	    180000, /* a client does not wait longer (RFC 5321 section 4.5.3.2.5) */
};

void
content_input_begin(struct session *s)
{
	smtpd_transaction_clear_content(s);
	s->message_deadline_ms =
	    s->services->mono_ms(s->arg) + s->conf->submission.message_timeout_ms;
}

/* The message will be refused for this fault; from now on its content is discarded. */
static void
fail_content(struct session *s, const char *reason, const struct smtp_status *status)
{
	struct content_input *c = &s->input;

	if (c->fault)
		return;
	c->fault = ARENA_NEW(&s->transaction.arena, struct smtp_status);
	*c->fault = *status;
	c->fault_reason = reason;
	content_discard(&s->content);
}

void
content_input_fail_bare(struct session *s)
{
	struct smtp_status bare = smtp_status_make(550, "5.6.11", "Bare CR or LF in message");

	fail_content(s, "bare_line_end", &bare);
}

/* ---- input ---- */

struct str
content_input_next(const struct session *s, struct str in)
{
	return s->input.fault ? in : content_next_part(&s->content, in);
}

static void
check_content_octets(struct session *s)
{
	unsigned faults = s->input.dot.faults | s->input.check.faults;
	struct smtp_status nul;

	if (faults & (CRLF_BARE_CR | CRLF_BARE_LF))
		content_input_fail_bare(s);
	if (!faults || s->input.fault)
		return;
	nul = smtp_status_make(550, "5.6.0", "NUL in message");
	fail_content(s, "nul", &nul);
}

static void
check_new_content(struct session *s, size_t before)
{
	struct content_input *c = &s->input;
	struct smtp_status status;

	check_content_octets(s);
	if (c->fault)
		return;
	c->total_bytes += content_part_bytes(&s->content)->n - before;
	if (c->total_bytes > s->conf->limits.message_size) {
		status = smtp_status_make(552, "5.3.4", "Message is larger than %llu bytes",
		    (unsigned long long)s->conf->limits.message_size);
		fail_content(s, "too_large", &status);
		return;
	}
	content_added(&s->content, before);
	if (content_header_fits(&s->content))
		return;
	status = header_too_large();
	fail_content(s, "header_too_large", &status);
}

/* ---- the file ---- */

static void
write_content_piece(struct session *s)
{
	struct content_body *body = &s->content.body;

	s->services->write_file(s->arg, body->file_bytes, buf_str(&body->bytes));
	s->input.is_writing = true;
	body->file_bytes += body->bytes.n;
	buf_reset(&body->bytes);
}

/* Releases the file at once: the queue counts the size that it may reach as room in use. */
static void
fail_content_file(struct session *s, const struct smtp_status *status)
{
	s->input.is_writing = false;
	fail_content(s, smtpd_transaction_storage_reason(status), status);
	smtpd_transaction_release(s);
}

void
content_input_written(struct session *s, const struct smtp_status *fault)
{
	s->input.is_writing = false;
	if (fault)
		fail_content_file(s, fault);
}

/* No input is taken until a write has ended. */
static enum session_step
wait_for_content_write(struct session *s)
{
	s->state_before = s->state;
	s->input.wait_began_ms = s->services->mono_ms(s->arg);
	session_enter(s, STATE_WRITING);
	return SESSION_WAIT;
}

static enum session_step
on_spool_file_opened(struct session *s, const struct smtp_status *answer)
{
	if (!smtp_status_is_ok(answer)) {
		fail_content(s, smtpd_transaction_storage_reason(answer), answer);
		return SESSION_NEXT;
	}
	s->content.body.in_file = true;
	write_content_piece(s);
	return SESSION_NEXT;
}

static enum session_step
ask_spool_file(struct session *s)
{
	struct message_spool_file m = {s->id, s->number, s->input.total_bytes, buf_str(&s->user)};
	uint64_t announced = s->transaction.announced_bytes;
	struct smtp_status status = smtpd_transaction_file_unavailable();

	m.size_hint = announced > m.size_hint ? announced : m.size_hint;
	if (!s->services->may_open_file(s->arg)) {
		fail_content(s, "storage", &status);
		return SESSION_NEXT;
	}
	if (!s->services->open_file(s->arg, &m)) {
		status = session_queue_lost();
		fail_content(s, "queue_away", &status);
		return SESSION_NEXT;
	}
	s->transaction.has_file = true;
	s->on_answer = on_spool_file_opened;
	return SESSION_WAIT;
}

enum session_step
content_input_continue(struct session *s, size_t before)
{
	const struct content *c = &s->content;

	check_new_content(s, before);
	if (s->input.fault || !content_is_full(c))
		return SESSION_NEXT;
	if (!c->body.in_file)
		return ask_spool_file(s);
	if (s->input.is_writing)
		return wait_for_content_write(s);
	write_content_piece(s);
	return SESSION_NEXT;
}

enum session_step
content_input_end(struct session *s)
{
	const struct content_body *body = &s->content.body;

	if (s->input.fault || !body->in_file)
		return SESSION_NEXT;
	if (!s->input.is_writing && body->bytes.n > 0)
		write_content_piece(s);
	return s->input.is_writing ? wait_for_content_write(s) : SESSION_NEXT;
}

/* The time that the disk took does not count against the client. */
void
content_input_resume(struct session *s)
{
	s->message_deadline_ms += s->services->mono_ms(s->arg) - s->input.wait_began_ms;
	session_enter(s, s->state_before);
}

/* The writes of all sessions are done in turn: one may wait for long while the disk makes
 * progress. */
bool
content_input_fails_late(struct session *s)
{
	int64_t now = s->services->mono_ms(s->arg),
	        stalled_ms = s->services->disk_stalled_ms(s->arg);
	int64_t longest = s->input.wait_began_ms + WRITING_LONGEST_MS;
	int64_t next = now + CONTENT_INPUT_WRITING_MS - stalled_ms;
	struct smtp_status slow =
	    smtp_status_make(451, "4.3.0", "Message was not stored in time, try again later");

	if (next > now && longest > now) {
		s->services->deadline(s->arg, next < longest ? next : longest);
		return false;
	}
	fail_content_file(s, &slow);
	return true;
}
