/*
 * lifetime: reads no clock and keeps nothing: the same values always give the same decision. The
 * times since which relay is ready or absent are spans of the monotonic clock, all others are
 * moments of the wall clock; the two are never compared with each other.
 */
#include "queue/lifetime.h"

static int64_t
lifetime_earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
lifetime_later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

int64_t
lifetime_expires_ms(int64_t accepted_ms, int64_t lifetime_ms, int64_t deliver_by_ms)
{
	int64_t at_ms = accepted_ms + lifetime_ms;

	return deliver_by_ms ? lifetime_earlier(at_ms, deliver_by_ms) : at_ms;
}

bool
lifetime_is_over(int64_t expires_ms, bool is_held_by_operator, int64_t now_ms)
{
	return now_ms >= expires_ms && !is_held_by_operator;
}

int64_t
lifetime_next_ms(int64_t expires_ms, int64_t pause_ms, int64_t now_ms)
{
	int64_t next_ms = now_ms + pause_ms;

	return now_ms < expires_ms ? lifetime_earlier(next_ms, expires_ms) : next_ms;
}

int64_t
lifetime_due_ms(int64_t expires_ms, int64_t due_ms, int64_t now_ms)
{
	return lifetime_earlier(due_ms, lifetime_later(expires_ms, now_ms));
}

/* Soon, when nothing is known of the attempt, but not again and again: the message could be what
 * crashes relay.  A last attempt that relay did not begin does not count as made. */
int64_t
lifetime_after_attempt_ms(const struct lifetime_attempt *a, int64_t now_ms)
{
	bool is_last = now_ms >= a->expires_ms;
	bool is_soon = !a->is_deferred && a->pauses <= 1;

	if (is_last)
		is_soon = !a->is_deferred && !a->is_tried && a->requeues <= LIFETIME_REQUEUES_MAX;
	return lifetime_next_ms(a->expires_ms, is_soon ? LIFETIME_SOON_MS : a->pause_ms, now_ms);
}

bool
lifetime_may_begin(int64_t expires_ms, int64_t unanswered_ms, int64_t now_ms)
{
	return unanswered_ms == 0 || unanswered_ms < expires_ms || unanswered_ms > now_ms;
}

bool
lifetime_finding_counts(int64_t expires_ms, int64_t since_ms, int64_t found_ms, int64_t now_ms)
{
	return found_ms >= since_ms && found_ms >= expires_ms - LIFETIME_FINDING_MS &&
	       found_ms <= now_ms;
}

int64_t
lifetime_bounded_ms(int64_t lifetime_ms, int64_t patience_ms)
{
	return lifetime_earlier(lifetime_ms, patience_ms);
}

/* Relay may still send the result of an attempt. */
static bool
lifetime_may_get_result(const struct lifetime_wait *w)
{
	return w->relay_ready_ms < 0 &&
	       w->relay_absent_ms < lifetime_bounded_ms(w->lifetime_ms, LIFETIME_RELAY_ABSENT_MS);
}

/* The wait for the last attempt begins when the message has expired, is due, and relay takes
 * attempts: a hold may have ended since then, or relay or the queue may have been restarted. */
static bool
lifetime_has_patience(const struct lifetime_wait *w, int64_t now_ms)
{
	int64_t patience_ms = lifetime_bounded_ms(w->lifetime_ms, LIFETIME_PATIENCE_MS);

	return now_ms < lifetime_later(w->due_ms, w->expires_ms) + patience_ms ||
	       w->relay_ready_ms < patience_ms;
}

bool
lifetime_ends_untried(const struct lifetime_wait *w, int64_t now_ms)
{
	if (!lifetime_is_over(w->expires_ms, w->is_held_by_operator, now_ms) ||
	    lifetime_may_get_result(w) || w->is_running)
		return false;
	if (w->is_held || w->relay_ready_ms < 0 || w->is_unreadable ||
	    !lifetime_has_patience(w, now_ms))
		return true;
	return !w->is_in_line && w->due_ms > now_ms + LIFETIME_SOON_MS;
}

int64_t
lifetime_warning_ms(int64_t accepted_ms, int64_t after_ms, int64_t expires_ms)
{
	int64_t at_ms = accepted_ms + after_ms;

	return after_ms && at_ms < expires_ms ? at_ms : INT64_MAX;
}
