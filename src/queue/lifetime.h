/*
 * lifetime: when a message is tried next, and when it comes to its end (pure: times are passed in,
 * as milliseconds of the wall clock unless said otherwise).  No other file decides that.
 *
 * - A message expires queue.lifetime after it was accepted, or at the sender's own limit when that
 *   comes first.  A reload counts anew from the same moment.
 * - A temporary failure before that defers it: the next attempt is due after a pause, or when it
 *   expires, whatever comes first.  An attempt whose failure is known when the message has expired,
 *   or later, is the last one.  A message that has expired and was not tried since then has one
 *   attempt left, whatever made it late: a site that is away, a shorter lifetime, a hold, an end of
 *   the queue or of relay.
 * - What keeps a site or a domain waiting counts as that last attempt when it was found out not
 *   long before the end, so that thousands that expire together cost one connection.
 * - A last attempt that cannot be made is waited for with patience, then the message ends without.
 * - What an operator holds does not end, and is not warned of.
 *
 * When the clock is set back, all that is counted from a stored time moves with it: nothing ends
 * early, and what was found out at a time that is yet to come counts for nothing.
 */
#ifndef QUEUE_LIFETIME_H
#define QUEUE_LIFETIME_H

#include <stdbool.h>
#include <stdint.h>

enum {
	LIFETIME_SOON_MS = 5000,            /* after an attempt of which nothing is known */
	LIFETIME_SLACK_MS = 2000,           /* beyond its time, for the last attempt to begin */
	LIFETIME_PATIENCE_MS = 3600 * 1000, /* more, for one that is about to begin */
	LIFETIME_AWAY_MS = 600 * 1000,      /* for a relay that is away, and may have results */
	LIFETIME_FINDING_MS = 30 * 1000,    /* before its time: a finding is its last attempt */
	LIFETIME_REQUEUES_MAX = 3,         /* last attempts that were given out and not begun */
};

/* deliver_by_ms: the sender's own limit; 0: none. */
int64_t lifetime_expires_ms(int64_t accepted_ms, int64_t lifetime_ms, int64_t deliver_by_ms);

/* Is a temporary failure that is known now the end?  So a failed attempt that ends now, or a
 * finding of now, was the last one. */
bool lifetime_is_over(int64_t expires_ms, bool is_held_by_operator, int64_t now_ms);

/* After a failure that is known now, and was not the end: when the next attempt is due. */
int64_t lifetime_next_ms(int64_t expires_ms, int64_t pause_ms, int64_t now_ms);

/* The same for one that waits for due_ms already, when it begins to wait again (after a start) or
 * when its lifetime was changed. */
int64_t lifetime_due_ms(int64_t expires_ms, int64_t due_ms, int64_t now_ms);

/* After a job without results: it was not begun, or nobody knows what became of it. */
struct lifetime_attempt {
	int64_t expires_ms;
	int64_t pause_ms;   /* that is its turn after a failure */
	unsigned pauses;    /* how many it had */
	unsigned put_backs; /* since it expired: jobs that ended before relay began them, whatever
	                       the reason; that no relay is there is one, and a hold another */
	bool is_deferred;   /* a failure is known */
	bool is_tried;      /* it may have reached a host */
};
int64_t lifetime_after_attempt_ms(const struct lifetime_attempt *j, int64_t now_ms);

/* It is about to be handed to relay.  unanswered_ms: when its attempt before this one ended without
 * a result, as relay ended or was silent; 0: it had one.  False: that was its last attempt, and it
 * is over, for no result might ever end it. */
bool lifetime_may_begin(int64_t expires_ms, int64_t unanswered_ms, int64_t now_ms);

/* Is what was found out then, of the site or domain that it has waited for since since_ms, its last
 * attempt? */
bool lifetime_finding_counts(
    int64_t expires_ms, int64_t since_ms, int64_t found_ms, int64_t now_ms);

/* One that waits, when its time is over by the slack. */
struct lifetime_wait {
	int64_t expires_ms;
	int64_t due_ms;       /* of its next attempt */
	int64_t lifetime_ms;  /* queue.lifetime: no patience is longer */
	int64_t served_ms;    /* for how long relay has taken jobs; -1: it does not */
	int64_t away_ms;      /* then: for how long it has not */
	bool is_held;         /* by an operator, or because it is damaged */
	bool is_held_by_operator;
	bool is_unreadable;   /* the last time */
	bool is_in_line;      /* due, and waiting for a site or a slot */
	bool is_running;      /* with relay, or being read for it */
};
/* True: it ends now, without another attempt. */
bool lifetime_ends_untried(const struct lifetime_wait *w, int64_t now_ms);
/* A patience, which is queue.lifetime at most: where messages live for seconds, nothing waits for
 * an hour. */
int64_t lifetime_bounded_ms(int64_t lifetime_ms, int64_t patience_ms);

/* When the sender is told that it waits; INT64_MAX: never. */
int64_t lifetime_warning_ms(int64_t accepted_ms, int64_t after_ms, int64_t expires_ms);

#endif
