/*
 * stream_input: input from the socket: plain bytes, TLS records, the handshake.
 */
#include <errno.h>
#include <sys/socket.h>

#include "net/stream_internal.h"

enum { STREAM_RECV_BYTES = 64 << 10 }; /* of one recv; on the stack */

/* ---- the read event ---- */

bool
stream_wants_input(const struct stream *s)
{
	if (stream_row(s)->input != INPUT_WHEN_WANTED)
		return stream_row(s)->input == INPUT_ALWAYS;
	return s->wants_input && !(s->facts & FACT_STALLED) && stream_unread(s) < STREAM_INPUT_MAX;
}

void
stream_arm(struct stream *s)
{
	if (!stream_wants_input(s) || event_pending(&s->read_event, EV_READ, NULL))
		return;
	if (event_add(&s->read_event, NULL) != 0)
		stream_end_errno(s, errno);
}

void
stream_disarm(struct stream *s)
{
	event_del(&s->read_event);
	s->has_progress = true;
}

/* ---- plain ---- */

static void
stream_compact_input(struct stream *s)
{
	if (s->input_at)
		buf_drop(&s->input, s->input_at);
	s->input_at = 0;
}

void
stream_received_plain(struct stream *s, struct str bytes)
{
	stream_compact_input(s);
	buf_adds(&s->input, bytes);
	stream_add_fact(s, FACT_INPUT);
}

/* ---- TLS ---- */

static void
stream_secured(struct stream *s)
{
	stream_enter(s, STREAM_SECURED);
	if (tls_session_sent_ticket(s->tls_session) && s->sending == SENDING_FREE)
		s->sending = SENDING_TICKET;
	if (tls_session_has_input(s->tls_session))
		s->facts |= FACT_STALLED;
	stream_add_fact(s, FACT_SECURED);
	if (s->is_flush_held)
		stream_flush(s);
}

void
stream_handshake(struct stream *s)
{
	enum tls_session_result r = tls_session_handshake(s->tls_session);

	if (r == TLS_SESSION_DONE)
		stream_secured(s);
	else if (r != TLS_SESSION_WAIT)
		stream_tls_session_failed(s);
}

/* Removes FACT_STALLED, or adds input. */
void
stream_decrypt(struct stream *s)
{
	enum tls_session_result r;
	size_t before;

	stream_compact_input(s);
	before = s->input.n;
	r = tls_session_read(s->tls_session, &s->input, STREAM_INPUT_MAX);
	s->facts &= (unsigned char)~FACT_STALLED;
	if (r == TLS_SESSION_FULL)
		s->facts |= FACT_STALLED;
	s->has_progress |= r != TLS_SESSION_FULL || s->input.n > before;
	if (s->input.n > before)
		stream_add_fact(s, FACT_INPUT);
	else if (s->input.n == 0)
		buf_clear(&s->input);
	if (r == TLS_SESSION_FAILED)
		stream_tls_session_failed(s);
	else if (r == TLS_SESSION_CLOSED || r == TLS_SESSION_TRUNCATED)
		stream_end_of_input(s, r == TLS_SESSION_TRUNCATED ? STREAM_TRUNCATED : STREAM_EOF,
		    r == TLS_SESSION_TRUNCATED ? tls_session_failure_text(s->tls_session) : "");
}

void
stream_received_records(struct stream *s, struct str bytes)
{
	tls_session_feed(s->tls_session, bytes);
	s->facts |= FACT_STALLED;
	if (stream_due(s) & FACT_STALLED)
		stream_decrypt(s);
	tls_session_feed_end(s->tls_session);
}

/* Data that follows the handshake at once is shown after `secured`. */
void
stream_received_handshake(struct stream *s, struct str bytes)
{
	tls_session_feed(s->tls_session, bytes);
	stream_handshake(s);
	if (s->state == STREAM_SECURED && stream_due(s) & FACT_STALLED)
		stream_decrypt(s);
	tls_session_feed_end(s->tls_session);
}

void
stream_ended_records(struct stream *s)
{
	tls_session_end_input(s->tls_session);
	stream_received_records(s, STR_NULL);
}

void
stream_ended_handshake(struct stream *s)
{
	tls_session_end_input(s->tls_session);
	stream_received_handshake(s, STR_NULL);
}

/* ---- the socket ---- */

void
stream_receive(struct stream *s)
{
	char scratch[STREAM_RECV_BYTES];
	ssize_t n = recv(s->fd, scratch, sizeof scratch, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	s->has_progress = true;
	if (n > 0) {
		stream_row(s)->received(s, str_make(scratch, (size_t)n));
		return;
	}
	if (n < 0) {
		stream_end_errno(s, errno);
		return;
	}
	stream_disarm(s);
	stream_row(s)->peer_ended(s);
}

/* The end is already decided.  What is read here is shown, and an alert of the peer describes the
 * failure better than the error of the send. */
static void
stream_take_final_input(struct stream *s, struct str bytes)
{
	enum tls_session_result r;

	if (!s->tls_session) {
		stream_received_plain(s, bytes);
		return;
	}
	tls_session_feed(s->tls_session, bytes);
	if (tls_session_is_established(s->tls_session)) {
		stream_compact_input(s);
		r = tls_session_read(s->tls_session, &s->input, STREAM_INPUT_MAX);
		if (stream_unread(s))
			s->facts |= FACT_INPUT;
	} else {
		r = tls_session_handshake(s->tls_session);
	}
	tls_session_drop_input(s->tls_session);
	if (r != TLS_SESSION_FAILED || !tls_session_has_alert(s->tls_session))
		return;
	s->end = STREAM_TLS_FAILED;
	s->text = tls_session_failure_text(s->tls_session);
}

void
stream_read_final_input(struct stream *s)
{
	char scratch[STREAM_RECV_BYTES];
	bool is_securing = s->tls_session && !tls_session_is_established(s->tls_session);
	ssize_t n = 0;

	s->facts &= (unsigned char)~FACT_FINAL_INPUT;
	if (is_securing || (s->wants_input && stream_unread(s) < STREAM_INPUT_MAX))
		n = recv(s->fd, scratch, sizeof scratch, 0);
	if (n > 0 || (s->facts & FACT_STALLED))
		stream_take_final_input(s, str_make(scratch, n > 0 ? (size_t)n : 0));
	stream_enter(s, STREAM_ENDING);
	stream_add_fact(s, FACT_END);
}
