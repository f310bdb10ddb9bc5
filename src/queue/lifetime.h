/*
 * lifetime: when a message is tried next, and when it ends (pure: times are passed in, as
 * milliseconds of the wall clock unless stated otherwise).  No other file decides that.
 *
 * - A message expires queue.lifetime after it was accepted, or at the sender's own limit when that
 *   comes first.  A reload counts again from the same moment.
 * - A temporary failure before that defers it: the next attempt is due after a pause, or when it
 *   expires, whichever comes first.  An attempt whose failure is known at or after the expiry is
 *   the last one.  A message that has expired and was not tried since then has one attempt left,
 *   whatever delayed it: an unreachable destination, a shorter lifetime, a hold, an end of the
 *   queue or of relay.
 * - A failure that keeps a destination or a domain waiting counts as that last attempt when it was
 *   found not long before the expiry, so that thousands that expire together cost one connection.
 * - A last attempt that cannot be made is waited for during a limited time, then the message ends
 *   without it.
 * - A message that the operator holds does not end, and its sender gets no delay report.
 *
 * When the clock is set back, all that is counted from a stored time moves with it: nothing ends
 * early, and a failure with a time in the future is ignored.
 */
#ifndef QUEUE_LIFETIME_H
#define QUEUE_LIFETIME_H

#include <stdbool.h>
#include <stdint.h>

enum {
	LIFETIME_SOON_MS = 5000,            /* after an attempt without any result */
	LIFETIME_SLACK_MS = 2000,           /* after the expiry, for the last attempt to begin */
	LIFETIME_PATIENCE_MS = 3600 * 1000, /* more, for an attempt that is about to begin */
	LIFETIME_RELAY_ABSENT_MS =
	    600 * 1000, /* for a relay without a channel, which may have results */
	LIFETIME_FINDING_MS =
	    30 * 1000,             /* before the expiry: a failure counts as the last attempt */
	LIFETIME_REQUEUES_MAX = 3, /* last attempts that relay was given and did not begin */
};

/* deliver_by_ms: the sender's own limit; 0: none. */
int64_t lifetime_expires_ms(int64_t accepted_ms, int64_t lifetime_ms, int64_t deliver_by_ms);

/* Does a temporary failure that is known now end the message?  Then an attempt that fails now was
 * the last one. */
bool lifetime_is_over(int64_t expires_ms, bool is_held_by_operator, int64_t now_ms);

/* When the next attempt is due, after a failure that is known now and was not the end. */
int64_t lifetime_next_ms(int64_t expires_ms, int64_t pause_ms, int64_t now_ms);

/* The same for a delivery that is due at due_ms, after a start or a change of its lifetime. */
int64_t lifetime_due_ms(int64_t expires_ms, int64_t due_ms, int64_t now_ms);

/* After an attempt without results: relay did not begin it, or its result is not known. */
struct lifetime_attempt {
	int64_t expires_ms;
	int64_t pause_ms;   /* the next pause after a failure */
	unsigned pauses;    /* how many there were */
	/* since the expiry: attempts that ended before relay began them, for any reason: that relay
	 * is lost, or a hold */
	unsigned requeues;
	bool is_deferred;   /* a failure is known */
	bool is_tried;      /* it may have reached a host */
};
int64_t lifetime_after_attempt_ms(const struct lifetime_attempt *a, int64_t now_ms);

/* Before it is handed to relay. unanswered_ms: when its previous attempt ended without a result,
 * because relay ended or did not answer; 0: it had a result.  False: that was the last attempt, and
 * the message ends, because no result might ever end it. */
bool lifetime_may_begin(int64_t expires_ms, int64_t unanswered_ms, int64_t now_ms);

/* Does a failure of the destination or domain, found at found_ms, count as the last attempt of a
 * delivery that has waited since since_ms? */
bool lifetime_finding_counts(
    int64_t expires_ms, int64_t since_ms, int64_t found_ms, int64_t now_ms);

/* A delivery that waits, LIFETIME_SLACK_MS after its expiry. */
struct lifetime_wait {
	int64_t expires_ms;
	int64_t due_ms;       /* of its next attempt */
	int64_t lifetime_ms;  /* queue.lifetime: no wait is longer */
	int64_t relay_ready_ms;    /* for how long relay has taken attempts; -1: it does not */
	int64_t relay_absent_ms;      /* then: for how long it has not */
	bool is_held;         /* by an operator, or because it is damaged */
	bool is_held_by_operator;
	bool is_unreadable;   /* the last read failed */
	bool is_in_line;      /* due, and waiting for a destination or a slot */
	bool is_running;      /* in relay, or being read for it */
};
/* True: it ends now, without another attempt. */
bool lifetime_ends_untried(const struct lifetime_wait *w, int64_t now_ms);
/* patience_ms, but at most queue.lifetime: where messages live for seconds, no wait takes an hour.
 */
int64_t lifetime_bounded_ms(int64_t lifetime_ms, int64_t patience_ms);

/* When the delay report is due; INT64_MAX: never. */
int64_t lifetime_warning_ms(int64_t accepted_ms, int64_t after_ms, int64_t expires_ms);

#endif
