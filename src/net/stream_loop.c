/*
 * stream_loop: the four libevent events: one for reading that stays added, one for writing only
 * while the kernel is full, one timer that is moved lazily, and the wake-up, which reports to the
 * owner what happens inside the owner's own calls.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/stream_internal.h"

/* The kernel may report "readable" when nothing can be read, but not without end. */
enum { STREAM_IDLE_MAX = 100 };

/* ---- reports to the owner ---- */

static bool
stream_take_fact(struct stream *s, enum stream_fact fact)
{
	if (s->life == LIFE_FREED || !(stream_due(s) & fact))
		return false;
	s->facts &= (unsigned char)~fact;
	s->has_progress = true;
	return true;
}

static void
stream_report_facts(struct stream *s)
{
	if (stream_take_fact(s, FACT_CONNECTED))
		s->events->connected(s, s->arg);
	if (stream_take_fact(s, FACT_SECURED))
		s->events->secured(s, s->arg);
	if (stream_take_fact(s, FACT_INPUT))
		s->events->readable(s, s->arg);
	if (stream_take_fact(s, FACT_DRAINED) && s->events->drained)
		s->events->drained(s, s->arg);
	if (stream_take_fact(s, FACT_END)) {
		stream_enter(s, STREAM_ENDED);
		s->events->ended(s, s->end, s->arg);
	}
}

/* ---- one event ---- */

static void
stream_begin_event(struct stream *s)
{
	s->life = LIFE_BUSY;
	s->has_progress = false;
}

/* A wake-up without effect would come again at once, and the loop would do nothing else: that is a
 * bug, which must cost only this one connection. */
static void
stream_count_idle(struct stream *s, unsigned allowed)
{
	char peer[INET6_ADDRSTRLEN_];
	uint16_t port;

	if (s->idle++ < allowed)
		return;
	stream_peer(s, peer, &port);
	log_error(
	    "stream: an event of the connection with %s:%u did nothing, state \"%s\", facts %#x, "
	    "former states %08x: the connection is closed; please report this",
	    peer, port, stream_row(s)->name, s->facts, s->recent_states);
#ifdef STRICT_CHECKS
	die("stream: an event did nothing");
#endif
	stream_end_now(s, STREAM_ERROR, "internal error: an event did nothing");
}

/* Reports to the owner, then sends what is left. */
static void
stream_end_event(struct stream *s, unsigned idle_allowed)
{
	stream_report_facts(s);
	if (s->life == LIFE_FREED) {
		stream_destroy(s);
		return;
	}
	if (s->output.n && s->sending == SENDING_FREE && s->state < STREAM_SEND_FAILED)
		stream_send(s);
	if (s->has_progress)
		s->idle = 0;
	else
		stream_count_idle(s, idle_allowed);
	s->life = LIFE_IDLE;
	stream_wake(s);
}

static void
stream_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd;
	(void)what;
	stream_begin_event(s);
	if (stream_wants_input(s))
		stream_receive(s);
	else
		stream_disarm(s);
	stream_end_event(s, STREAM_IDLE_MAX);
}

static void
stream_on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd;
	(void)what;
	stream_begin_event(s);
	stream_row(s)->writable(s);
	stream_end_event(s, STREAM_IDLE_MAX);
}

static void
stream_on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd;
	(void)what;
	stream_begin_event(s);
	if (stream_due(s) & FACT_FINAL_INPUT)
		stream_read_final_input(s);
	if (stream_due(s) & FACT_STALLED) {
		stream_decrypt(s);
		tls_session_feed_end(s->tls_session);
	}
	stream_arm(s);
	stream_end_event(s, 0);
}

static void
stream_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;
	int64_t now_ms = clock_mono_ms();

	(void)fd;
	(void)what;
	s->timer_ms = 0;
	if (!s->deadline_ms)
		return;
	if (now_ms < s->deadline_ms) {
		stream_set_timer(s, now_ms);
		return;
	}
	stream_begin_event(s);
	s->has_progress = true; /* so that the timer is not set again automatically */
	stream_row(s)->expired(s);
	stream_end_event(s, 0);
}

/* ---- creation and end ---- */

void
stream_loop_init(struct stream *s, struct event_base *base)
{
	event_assign(&s->read_event, base, s->fd, EV_READ | EV_PERSIST, stream_on_readable, s);
	event_assign(&s->write_event, base, s->fd, EV_WRITE | EV_PERSIST, stream_on_writable, s);
	event_assign(&s->timer_event, base, -1, 0, stream_on_timer, s);
	event_assign(&s->wake_event, base, -1, 0, stream_on_wake, s);
}

void
stream_destroy(struct stream *s)
{
	tls_session_free(&s->tls_session);
	buf_clear(&s->input);
	buf_clear(&s->written);
	buf_clear(&s->output);
	mem_free(s);
}
