/*
 * stream_output: output to the socket, at once as long as the kernel accepts it.
 */
#include <errno.h>
#include <sys/socket.h>

#include "net/stream_internal.h"

void
stream_write(struct stream *s, struct str bytes)
{
	if (stream_row(s)->flush == FLUSH_NEVER)
		return;
	if (stream_waiting(s) + bytes.n > STREAM_OUTPUT_MAX || !buf_adds(&s->written, bytes))
		stream_end_errno(s, ENOBUFS);
}

size_t
stream_waiting(const struct stream *s)
{
	return s->written.n + s->output.n - s->output_at;
}

/* Plain: the two buffers are swapped, so that nothing is copied. */
static void
stream_move_written(struct stream *s)
{
	struct buf empty = s->output;

	if (s->output.n) {
		buf_adds(&s->output, buf_str(&s->written));
		buf_clear(&s->written);
		return;
	}
	s->output = s->written;
	s->output.max = STREAM_OUTPUT_CAP;
	s->written = empty;
	s->written.max = STREAM_OUTPUT_MAX;
}

/* False: nothing can be sent now. */
bool
stream_move(struct stream *s)
{
	enum stream_flush_rule rule = stream_row(s)->flush;

	if (rule == FLUSH_NEVER || s->written.n == 0)
		return false;
	s->is_flush_held = rule == FLUSH_LATER;
	if (s->is_flush_held)
		return false;
	if (!s->tls_session) {
		stream_move_written(s);
	} else if (tls_session_write(s->tls_session, buf_str(&s->written))) {
		buf_clear(&s->written);
	} else {
		buf_clear(&s->written);
		stream_tls_session_failed(s);
		return false;
	}
	return true;
}

void
stream_flush(struct stream *s)
{
	if (stream_move(s) && s->sending != SENDING_BLOCKED)
		stream_send(s);
}

/* ---- the socket ---- */

void
stream_block(struct stream *s)
{
	if (s->sending == SENDING_BLOCKED)
		return;
	s->sending = SENDING_BLOCKED;
	if (event_add(&s->write_event, NULL) != 0)
		stream_end_errno(s, errno);
}

static void
stream_output_taken(struct stream *s)
{
	buf_clear(&s->output);
	s->output_at = 0;
	if (s->sending == SENDING_BLOCKED) {
		event_del(&s->write_event);
		if (stream_row(s)->flush != FLUSH_NEVER)
			stream_add_fact(s, FACT_DRAINED);
	}
	s->sending = SENDING_FREE;
	if (stream_row(s)->all_sent)
		stream_row(s)->all_sent(s);
}

/* Frees the sent part when it is more than half of the buffer. */
static void
stream_compact_output(struct stream *s)
{
	if (s->output_at <= s->output.n / 2 || s->output_at == s->output.n)
		return;
	buf_drop(&s->output, s->output_at);
	s->output_at = 0;
}

/* The last bytes are sent together with the end of sending that follows them. */
static int
stream_send_flags(const struct stream *s)
{
	bool is_last = s->state == STREAM_FINISHING || s->state == STREAM_FLUSHING;

	return is_last ? MSG_NOSIGNAL | MSG_MORE : MSG_NOSIGNAL;
}

void
stream_send(struct stream *s)
{
	while (s->output_at < s->output.n) {
		ssize_t n = send(s->fd, s->output.p + s->output_at, s->output.n - s->output_at,
		    stream_send_flags(s));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			stream_block(s);
			return;
		}
		if (n < 0) {
			stream_row(s)->send_failed(s, errno);
			return;
		}
		s->has_progress = true;
		s->output_at += (size_t)n;
		stream_compact_output(s);
	}
	stream_output_taken(s);
}

void
stream_tls_session_failed(struct stream *s)
{
	bool is_free = s->sending != SENDING_BLOCKED;

	if (!buf_ok(&s->output)) {
		stream_end_errno(s, ENOBUFS);
		return;
	}
	stream_end_now(s, STREAM_TLS_FAILED, tls_session_failure_text(s->tls_session));
	/* whether the alert arrives makes no difference: no second try, and its error is ignored */
	if (is_free && s->output_at < s->output.n)
		(void)!send(s->fd, s->output.p + s->output_at, s->output.n - s->output_at,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
	buf_clear(&s->output);
	s->output_at = 0;
}
