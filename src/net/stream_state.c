/*
 * stream_state: changes of the state, the set of facts, and the ends.
 */
#include "net/stream_internal.h"

#include <errno.h>

#include "base/clock.h"

static void
stream_set_limit(struct stream *s)
{
	int limit_ms = stream_row(s)->limit_ms;

	if (limit_ms && (!s->deadline_ms || s->is_own_limit)) {
		stream_deadline(s, clock_mono_ms() + limit_ms);
		s->is_own_limit = true;
	} else if (s->is_own_limit) {
		s->deadline_ms = 0;
		s->is_own_limit = false;
	}
}

void
stream_enter(struct stream *s, enum stream_state state)
{
	s->state = (unsigned char)state;
	s->recent_states = s->recent_states << 4 | state;
	s->has_progress = true;
	if (state >= STREAM_SEND_FAILED) {
		stream_disarm(s);
		event_del(&s->write_event);
		s->sending = SENDING_FREE;
	}
	if (state == STREAM_ENDED) {
		event_del(&s->timer_event);
		event_del(&s->wake_event);
	}
	stream_set_limit(s);
	stream_wake(s);
}

/* ---- facts ---- */

unsigned char
stream_due(const struct stream *s)
{
	unsigned facts = s->facts & stream_row(s)->due_facts;

	if (!s->wants_input)
		facts &= ~(unsigned)(FACT_INPUT | FACT_STALLED);
	if (stream_unread(s) >= STREAM_INPUT_MAX)
		facts &= ~(unsigned)FACT_STALLED;
	if (s->state == STREAM_HALF_CLOSED && !s->wants_input)
		facts &= ~(unsigned)FACT_END;
	return (unsigned char)facts;
}

/* A busy stream is woken at the end of its event, if needed. */
void
stream_wake(struct stream *s)
{
	if (s->life != LIFE_IDLE)
		return;
	if (stream_due(s))
		event_active(&s->wake_event, EV_TIMEOUT, 0);
	else
		event_del(&s->wake_event);
}

void
stream_add_fact(struct stream *s, enum stream_fact fact)
{
	s->facts |= (unsigned char)fact;
	stream_wake(s);
}

/* ---- ends ---- */

void
stream_end_of_input(struct stream *s, enum stream_end why, const char *text)
{
	s->end = (unsigned char)why;
	s->text = text;
	stream_enter(s, STREAM_HALF_CLOSED);
	stream_add_fact(s, FACT_END);
}

void
stream_end_now(struct stream *s, enum stream_end why, const char *text)
{
	if (s->state >= STREAM_SEND_FAILED)
		return;
	s->end = (unsigned char)why;
	s->text = text;
	stream_enter(s, STREAM_ENDING);
	stream_add_fact(s, FACT_END);
}

static const char *
stream_errno_text(int error)
{
	const char *text = strerrordesc_np(error);

	return text ? text : "unknown error";
}

void
stream_end_errno(struct stream *s, int error)
{
	if (s->state < STREAM_SEND_FAILED)
		s->error = error;
	stream_end_now(s, STREAM_ERROR, stream_errno_text(error));
}

void
stream_end_after_final_input(struct stream *s, int error)
{
	s->error = error;
	s->end = STREAM_ERROR;
	s->text = stream_errno_text(error);
	stream_enter(s, STREAM_SEND_FAILED);
	stream_add_fact(s, FACT_FINAL_INPUT);
}

/* ---- the deadline ---- */

void
stream_set_timer(struct stream *s, int64_t now_ms)
{
	int64_t wait_ms = s->deadline_ms > now_ms ? s->deadline_ms - now_ms : 1;
	struct timeval tv = {wait_ms / 1000, wait_ms % 1000 * 1000};

	s->timer_ms = s->deadline_ms;
	event_add(&s->timer_event, &tv);
}

void
stream_deadline(struct stream *s, int64_t mono_ms)
{
	s->deadline_ms = mono_ms;
	s->is_own_limit = false;
	if (!mono_ms)
		stream_set_limit(s);
	else if ((!s->timer_ms || mono_ms < s->timer_ms) && s->state != STREAM_ENDED)
		stream_set_timer(s, clock_mono_ms());
}
