/*
 * stream_loop: one event for reading that stays armed, one for writing only while the kernel is
 * full, one timer that is moved lazily, and one (`news`) through which everything that happens
 * inside a call of the owner's reaches the owner later.
 */
#include "net/stream_loop.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum { SCRATCH_BYTES = 64 << 10 }; /* of one recv; on the stack */

/* ---- what the owner hears ---- */

void
stream_loop_destroy(struct stream *s)
{
	tunnel_free(&s->tunnel);
	buf_clear(&s->input);
	buf_clear(&s->written);
	buf_clear(&s->output);
	mem_free(s);
}

void
stream_loop_wake(struct stream *s)
{
	if (!s->is_busy)
		event_active(&s->news_event, EV_TIMEOUT, 0);
}

static void
tell(struct stream *s, unsigned char news)
{
	s->news |= news;
	stream_loop_wake(s);
}

/* EOF waits for a reader, everything else does not. */
static bool
is_soft(enum stream_end why)
{
	return why == STREAM_EOF || why == STREAM_CUT;
}

void
stream_loop_end(struct stream *s, enum stream_end why, const char *text)
{
	if (s->has_ended && (!is_soft(s->end) || is_soft(why)))
		return;
	s->has_ended = true;
	s->end = why;
	s->text = text;
	stream_loop_wake(s);
}

void
stream_loop_end_errno(struct stream *s, int error)
{
	const char *text = strerrordesc_np(error);

	if (!s->has_ended || is_soft(s->end))
		s->error = error;
	stream_loop_end(s, STREAM_ERROR, text ? text : "unknown error");
}

bool
stream_loop_is_over(const struct stream *s)
{
	return s->is_told || (s->has_ended && !is_soft(s->end));
}

bool
stream_loop_may_tell_end(const struct stream *s)
{
	if (!s->has_ended || s->is_told || s->is_broken)
		return false;
	if (!is_soft(s->end))
		return true;
	return s->is_finishing ? s->output.n == 0 : s->is_reading && !s->is_stalled;
}

static unsigned char
news_now(const struct stream *s)
{
	if (s->is_finishing || s->is_told)
		return 0;
	return s->is_reading ? s->news : s->news & (unsigned char)~NEWS_INPUT;
}

static bool
take_news(struct stream *s, unsigned char news)
{
	if (s->is_freed || !(news_now(s) & news))
		return false;
	s->news &= (unsigned char)~news;
	return true;
}

static void
announce(struct stream *s)
{
	if (take_news(s, NEWS_CONNECTED))
		s->events->connected(s, s->arg);
	if (take_news(s, NEWS_SECURED))
		s->events->secured(s, s->arg);
	if (take_news(s, NEWS_INPUT))
		s->events->readable(s, s->arg);
	if (take_news(s, NEWS_DRAINED) && s->events->drained)
		s->events->drained(s, s->arg);
	if (!s->is_freed && stream_loop_may_tell_end(s)) {
		s->is_told = true;
		event_del(&s->read_event);
		event_del(&s->write_event);
		event_del(&s->timer_event);
		s->events->ended(s, s->end, s->arg);
	}
}

/* ---- input ---- */

static bool
wants_input(const struct stream *s)
{
	if (s->has_ended || s->is_connecting)
		return false;
	if (s->is_finishing || s->is_securing)
		return true;
	return s->is_reading && !s->is_stalled && stream_unread(s) < STREAM_INPUT_MAX;
}

bool
stream_loop_may_decrypt(const struct stream *s)
{
	return s->is_stalled && s->is_reading && !s->is_securing && !s->is_finishing &&
	       !stream_loop_is_over(s) && stream_unread(s) < STREAM_INPUT_MAX;
}

void
stream_loop_arm(struct stream *s)
{
	if (s->is_armed || !wants_input(s))
		return;
	s->is_armed = event_add(&s->read_event, NULL) == 0;
	if (!s->is_armed)
		stream_loop_end_errno(s, errno);
}

static void
disarm(struct stream *s)
{
	if (s->is_armed)
		event_del(&s->read_event);
	s->is_armed = false;
}

static void
compact_input(struct stream *s)
{
	if (s->input_at)
		buf_drop(&s->input, s->input_at);
	s->input_at = 0;
}

void
stream_loop_tunnel_failed(struct stream *s)
{
	if (!buf_ok(&s->output)) {
		stream_loop_end_errno(s, ENOBUFS);
		return;
	}
	stream_loop_end(s, STREAM_TLS_FAILED, tunnel_text(s->tunnel));
	stream_loop_send(s); /* the alert */
}

void
stream_loop_handshake(struct stream *s)
{
	switch (tunnel_handshake(s->tunnel)) {
	case TUNNEL_WAIT:
		return;
	case TUNNEL_DONE:
		s->is_securing = false;
		s->is_patient = tunnel_sent_ticket(s->tunnel);
		s->is_stalled = tunnel_has_input(s->tunnel);
		tell(s, NEWS_SECURED);
		if (s->is_flushing)
			stream_flush(s);
		return;
	default:
		stream_loop_tunnel_failed(s);
	}
}

static void
decrypt(struct stream *s)
{
	size_t before;
	enum tunnel_result r;

	compact_input(s);
	before = s->input.n;
	r = tunnel_read(s->tunnel, &s->input, STREAM_INPUT_MAX);
	s->is_stalled = r == TUNNEL_FULL;
	if (s->input.n > before)
		tell(s, NEWS_INPUT);
	else if (s->input.n == 0)
		buf_clear(&s->input);
	if (r == TUNNEL_CLOSED)
		stream_loop_end(s, STREAM_EOF, "");
	if (r == TUNNEL_CUT)
		stream_loop_end(s, STREAM_CUT, tunnel_text(s->tunnel));
	if (r == TUNNEL_FAILED)
		stream_loop_tunnel_failed(s);
}

static void
feed(struct stream *s, struct str bytes)
{
	tunnel_lend(s->tunnel, bytes);
	if (bytes.n == 0)
		tunnel_end_input(s->tunnel);
	if (s->is_securing)
		stream_loop_handshake(s);
	if (!s->is_securing && !stream_loop_is_over(s)) {
		s->is_stalled = tunnel_has_input(s->tunnel);
		/* what follows the handshake at once is shown behind `secured` */
		if (stream_loop_may_decrypt(s))
			decrypt(s);
	}
	tunnel_unlend(s->tunnel);
}

static void
receive(struct stream *s)
{
	char scratch[SCRATCH_BYTES];
	ssize_t n = recv(s->fd, scratch, sizeof scratch, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		disarm(s);
	if (n < 0) {
		stream_loop_end_errno(s, errno);
		return;
	}
	if (s->is_finishing || (n == 0 && !s->tunnel)) {
		if (n == 0)
			stream_loop_end(s, STREAM_EOF, "");
		return;
	}
	if (s->tunnel) {
		feed(s, str_make(scratch, (size_t)n));
		return;
	}
	compact_input(s);
	buf_add(&s->input, scratch, (size_t)n);
	tell(s, NEWS_INPUT);
}

/* ---- output ---- */

void
stream_loop_block(struct stream *s)
{
	if (s->is_blocked)
		return;
	s->is_blocked = event_add(&s->write_event, NULL) == 0;
	if (!s->is_blocked)
		stream_loop_end_errno(s, errno);
}

static void
output_taken(struct stream *s)
{
	buf_clear(&s->output);
	s->output_at = 0;
	if (s->is_blocked) {
		event_del(&s->write_event);
		s->is_blocked = false;
		tell(s, NEWS_DRAINED);
	}
	if (s->is_finishing) {
		shutdown(s->fd, SHUT_WR);
		stream_loop_wake(s);
	}
}

void
stream_loop_send(struct stream *s)
{
	s->is_patient = false;
	while (s->output_at < s->output.n) {
		ssize_t n = send(
		    s->fd, s->output.p + s->output_at, s->output.n - s->output_at, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			stream_loop_block(s);
			return;
		}
		if (n < 0) {
			/* the peer's last words may still be there to read, once: see on_news.
			 * An alert that cannot be sent after a failure of TLS changes nothing. */
			s->is_broken = !stream_loop_is_over(s);
			stream_loop_end_errno(s, errno);
			output_taken(s);
			return;
		}
		s->output_at += (size_t)n;
		if (s->output_at > s->output.n / 2 && s->output_at < s->output.n) {
			buf_drop(&s->output, s->output_at);
			s->output_at = 0;
		}
	}
	output_taken(s);
}

/* Leaves an event: the owner hears, then what is left to send goes out. */
static void
leave(struct stream *s)
{
	announce(s);
	if (!s->is_freed && s->output.n && !s->is_blocked && !s->is_told && !s->is_patient)
		stream_loop_send(s);
	s->is_busy = false;
	if (s->is_freed)
		stream_loop_destroy(s);
	else if (!s->is_told && (news_now(s) || s->is_broken || stream_loop_may_tell_end(s) ||
	                            stream_loop_may_decrypt(s)))
		stream_loop_wake(s);
}

/* ---- events ---- */

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd;
	(void)what;
	s->is_busy = true;
	if (wants_input(s))
		receive(s);
	else
		disarm(s);
	leave(s);
}

static void
connected(struct stream *s)
{
	socklen_t size = sizeof s->error;

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &s->error, &size) != 0)
		s->error = errno;
	if (s->error) {
		stream_loop_end_errno(s, s->error);
		return;
	}
	s->is_connecting = false;
	tell(s, NEWS_CONNECTED);
	stream_loop_arm(s);
	if (s->is_flushing)
		stream_flush(s);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd;
	(void)what;
	s->is_busy = true;
	if (s->is_connecting) {
		event_del(&s->write_event);
		s->is_blocked = false;
		connected(s);
	} else {
		stream_loop_send(s);
	}
	leave(s);
}

static void
on_news(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd;
	(void)what;
	s->is_busy = true;
	if (s->is_broken) {
		s->is_broken = false;
		if (s->is_reading && !s->is_stalled && stream_unread(s) < STREAM_INPUT_MAX &&
		    !s->is_told)
			receive(s);
	}
	if (stream_loop_may_decrypt(s)) {
		decrypt(s);
		tunnel_unlend(s->tunnel);
	}
	if (!s->is_freed)
		stream_loop_arm(s);
	leave(s);
}

void
stream_loop_set_timer(struct stream *s, int64_t now_ms)
{
	int64_t wait_ms = s->deadline_ms > now_ms ? s->deadline_ms - now_ms : 1;
	struct timeval tv = {wait_ms / 1000, wait_ms % 1000 * 1000};

	s->timer_ms = s->deadline_ms;
	event_add(&s->timer_event, &tv);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;
	int64_t now_ms = clock_mono_ms();

	(void)fd;
	(void)what;
	s->timer_ms = 0;
	if (!s->deadline_ms || s->is_told)
		return;
	if (now_ms < s->deadline_ms) {
		stream_loop_set_timer(s, now_ms);
		return;
	}
	s->is_busy = true;
	if (s->events->expired && !s->is_finishing && !stream_loop_is_over(s)) {
		s->deadline_ms = 0;
		s->events->expired(s, s->arg);
	} else {
		stream_loop_end(s, STREAM_EXPIRED, "the deadline passed");
	}
	leave(s);
}

void
stream_loop_init(struct stream *s, struct event_base *base)
{
	event_assign(&s->read_event, base, s->fd, EV_READ | EV_PERSIST, on_readable, s);
	event_assign(&s->write_event, base, s->fd, EV_WRITE | EV_PERSIST, on_writable, s);
	event_assign(&s->timer_event, base, -1, 0, on_timer, s);
	event_assign(&s->news_event, base, -1, 0, on_news, s);
}
