/*
 * content: up to the size of one packet, header and body are in one buffer; a larger message
 * continues in a file that the queue opened. A fault is stored until the end of the data and
 * reported then, so that client and server agree about where the commands continue (RFC 5321
 * section 4.5.2, and all smuggling attacks).
 */
#include "submission/content.h"

#include "mail/header.h"
#include "submission/content_commit.h"
#include "submission/smtpd_transaction.h"

enum {
	WRITING_LONGEST_MS =
	    180000, /* a client does not wait longer (RFC 5321 section 4.5.3.2.5) */
};

void
content_begin(struct session *s, session_chunk_fn *on_chunk_end)
{
	smtpd_transaction_clear_content(s);
	s->content.on_chunk_end = on_chunk_end;
	s->message_deadline_ms =
	    s->services->mono_ms(s->arg) + s->conf->submission.message_timeout_ms;
}

/* The message will be refused for this fault; from now on its content is discarded. */
static void
fail_content(struct session *s, const char *reason, const struct smtp_status *status)
{
	struct content *c = &s->content;

	if (c->fault)
		return;
	c->fault = ARENA_NEW(&s->transaction.arena, struct smtp_status);
	*c->fault = *status;
	c->fault_reason = reason;
	buf_clear(&c->bytes);
	c->bytes.over = true;
}

void
content_fail_bare(struct session *s)
{
	struct smtp_status bare = smtp_status_make(550, "5.6.11", "Bare CR or LF in message");

	fail_content(s, "bare_line_end", &bare);
}

/* ---- input ---- */

size_t
content_room(const struct session *s)
{
	const struct content *c = &s->content;

	if (c->fault)
		return SIZE_MAX;
	/* one byte more than a packet holds shows that the content needs a file */
	return MESSAGE_CONTENT_MAX + 1 > c->bytes.n ? MESSAGE_CONTENT_MAX + 1 - c->bytes.n : 1;
}

/* Searches the end of the header in new bytes only. */
static void
find_content_body(struct session *s)
{
	struct content *c = &s->content;
	const char *from, *found;
	struct smtp_status status;

	if (c->body_offset > 0 || c->bytes.n < 2)
		return;
	if (memcmp(c->bytes.p, "\r\n", 2) == 0) {
		c->body_offset = 2;
		return;
	}
	from = c->bytes.p + c->scanned;
	found = memmem(from, c->bytes.n - c->scanned, "\r\n\r\n", 4);
	c->scanned = c->bytes.n > 3 ? c->bytes.n - 3 : 0;
	if (found)
		c->body_offset = (size_t)(found - c->bytes.p) + 4;
	if ((c->body_offset > 0 ? c->body_offset : c->bytes.n) <= HEADER_BYTES_MAX)
		return;
	status =
	    smtp_status_make(552, "5.3.4", "Header is larger than %d octets", HEADER_BYTES_MAX);
	fail_content(s, "header_too_large", &status);
}

static void
check_content_octets(struct session *s)
{
	unsigned faults = s->content.dot.faults | s->content.check.faults;
	struct smtp_status nul;

	if (faults & (CRLF_BARE_CR | CRLF_BARE_LF))
		content_fail_bare(s);
	if (!faults || s->content.fault)
		return;
	nul = smtp_status_make(550, "5.6.0", "NUL in message");
	fail_content(s, "nul", &nul);
}

/* Takes the part of the new bytes that is body. */
static void
note_content_facts(struct session *s, size_t before)
{
	struct content *c = &s->content;

	if (!c->in_file && before < c->body_offset)
		before = c->body_offset;
	if (c->in_file || c->body_offset > 0)
		body_facts_take(&c->facts, str_from(buf_str(&c->bytes), before));
}

static void
check_new_content(struct session *s, size_t before)
{
	struct content *c = &s->content;
	struct smtp_status large;

	check_content_octets(s);
	if (c->fault)
		return;
	c->total_bytes += c->bytes.n - before;
	if (c->total_bytes > s->conf->limits.message_size) {
		large = smtp_status_make(552, "5.3.4", "Message is larger than %llu bytes",
		    (unsigned long long)s->conf->limits.message_size);
		fail_content(s, "too_large", &large);
		return;
	}
	if (!c->has_8bit_body)
		c->has_8bit_body = !str_is_ascii(str_from(buf_str(&c->bytes), before));
	find_content_body(s);
	note_content_facts(s, before);
}

/* ---- the file ---- */

static void
write_content_buffer(struct session *s)
{
	struct content *c = &s->content;

	s->services->write_file(s->arg, c->file_bytes, buf_str(&c->bytes));
	c->is_writing = true;
	c->file_bytes += c->bytes.n;
	buf_reset(&c->bytes);
}

/* True: all of the content is where the queue can commit it; otherwise the rest is being written to
 * the file. */
static bool
flush_content(struct session *s)
{
	struct content *c = &s->content;

	if (c->in_file && !c->is_writing && c->bytes.n > 0)
		write_content_buffer(s);
	return !c->is_writing;
}

/* Releases the file at once: the queue counts the size that it may reach as room in use. */
static void
fail_content_file(struct session *s, const struct smtp_status *status)
{
	s->content.is_writing = false;
	fail_content(s, "storage", status);
	smtpd_transaction_release(s);
}

static void
fail_slow_content_file(struct session *s)
{
	struct smtp_status slow =
	    smtp_status_make(451, "4.3.0", "Message was not stored in time, try again later");

	fail_content_file(s, &slow);
}

void
content_written(struct session *s, const struct smtp_status *fault)
{
	s->content.is_writing = false;
	if (fault)
		fail_content_file(s, fault);
}

/* No input is taken until a write has ended. */
static enum session_step
wait_for_content_write(struct session *s)
{
	s->state_before = s->state;
	s->content.wait_began_ms = s->services->mono_ms(s->arg);
	session_enter(s, STATE_WRITING);
	return SESSION_WAIT;
}

enum session_step
content_end(struct session *s)
{
	/* the reader has done its part, and is not called again after the wait */
	s->content.on_chunk_end = content_end;
	if (!s->content.fault && !flush_content(s))
		return wait_for_content_write(s);
	return content_commit_begin(s);
}

/* Continues with what the reader does when a chunk is complete; before that, with more input. */
static enum session_step
end_chunk_if_complete(struct session *s)
{
	return s->content.is_chunk_complete ? s->content.on_chunk_end(s) : SESSION_NEXT;
}

static enum session_step
on_spool_file_opened(struct session *s, const struct smtp_status *answer)
{
	struct content *c = &s->content;

	if (!smtp_status_is_ok(answer)) {
		fail_content(s, "storage", answer);
		return end_chunk_if_complete(s);
	}
	c->in_file = true;
	c->header =
	    arena_str(&s->transaction.arena, str_upto(buf_str(&c->bytes), c->body_offset - 2));
	buf_drop(&c->bytes, c->body_offset);
	write_content_buffer(s);
	return end_chunk_if_complete(s);
}

static enum session_step
ask_spool_file(struct session *s)
{
	struct message_spool_file m = {
	    s->id, s->number, s->content.total_bytes, buf_str(&s->user)};
	uint64_t announced = s->transaction.announced_bytes;
	struct smtp_status status = smtpd_transaction_file_unavailable();

	m.size_hint = announced > m.size_hint ? announced : m.size_hint;
	if (!s->services->may_open_file(s->arg)) {
		fail_content(s, "storage", &status);
		return end_chunk_if_complete(s);
	}
	if (!s->services->open_file(s->arg, &m)) {
		status = session_queue_lost();
		fail_content(s, "queue_away", &status);
		return end_chunk_if_complete(s);
	}
	s->transaction.has_file = true;
	s->on_answer = on_spool_file_opened;
	return SESSION_WAIT;
}

/* Writes a full buffer to the file; the next one is collected meanwhile. */
static enum session_step
continue_with_buffer(struct session *s)
{
	struct content *c = &s->content;
	bool is_full = !c->fault && c->bytes.n > MESSAGE_CONTENT_MAX;

	if (is_full && !c->in_file)
		return ask_spool_file(s);
	if (is_full && c->is_writing)
		return wait_for_content_write(s);
	if (is_full)
		write_content_buffer(s);
	return end_chunk_if_complete(s);
}

enum session_step
content_continue(struct session *s, size_t before)
{
	check_new_content(s, before);
	return continue_with_buffer(s);
}

/* The time that the disk took does not count against the client. */
enum session_step
content_resume(struct session *s)
{
	s->message_deadline_ms += s->services->mono_ms(s->arg) - s->content.wait_began_ms;
	session_enter(s, s->state_before);
	return continue_with_buffer(s);
}

/* The writes of all sessions are done in turn: one may wait for long while the disk makes
 * progress. */
enum session_step
content_expired(struct session *s)
{
	int64_t now = s->services->mono_ms(s->arg),
	        stalled_ms = s->services->disk_stalled_ms(s->arg);
	int64_t longest = s->content.wait_began_ms + WRITING_LONGEST_MS;
	int64_t next = now + CONTENT_WRITING_MS - stalled_ms;

	if (next > now && longest > now) {
		s->services->deadline(s->arg, next < longest ? next : longest);
		return SESSION_WAIT;
	}
	fail_slow_content_file(s);
	return content_resume(s);
}
