/* lifetime: tables of times. 0 is the time at which the message was accepted. */
#include "queue/lifetime.h"

#include "support.h"

enum { S = 1000, MIN = 60 * S, H = 60 * MIN };
#define DAYS(n) ((int64_t)(n) * 24 * H)
#define END DAYS(5)
#define NEVER INT64_MAX

Test(lifetime, expires)
{
	static const struct {
		const char *what;
		int64_t accepted, lifetime, deliver_by, expires;
	} rows[] = {
	    {"the configuration", 7, END, 0, END + 7},
	    {"the sender wants it earlier", 7, END, H, H},
	    {"the sender would wait for longer", 7, END, DAYS(9), END + 7},
	    {"made shorter by a reload", 7, H, DAYS(4), H + 7},
	    {"no lifetime at all", 7, 0, 0, 7},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		cr_expect_eq(lifetime_expires_ms(rows[i].accepted, rows[i].lifetime,
				 rows[i].deliver_by), rows[i].expires, "%s", rows[i].what);
}

/* Does a failure that is known now end the message, and if not, when is the next attempt; the
 * expiry ends the pause. */
Test(lifetime, a_temporary_failure)
{
	static const struct {
		const char *what;
		int64_t now, pause;
		bool is_held, is_over;
		int64_t next;
	} rows[] = {
	    {"early", H, MIN, false, false, H + MIN},
	    {"the pause would end with it", END - MIN, MIN, false, false, END},
	    {"the pause would end after it", END - MIN, 4 * H, false, false, END},
	    {"a moment before", END - 1, 4 * H, false, false, END},
	    {"at the end", END, 4 * H, false, true, END + 4 * H},
	    {"after it", DAYS(9), 4 * H, false, true, DAYS(9) + 4 * H},
	    {"held before", H, MIN, true, false, H + MIN},
	    {"held, and its time is over", DAYS(9), MIN, true, false, DAYS(9) + MIN},
	    {"no pause", H, 0, false, false, H},
	    {"the clock was set back before it came", -DAYS(3), MIN, false, false, -DAYS(3) + MIN},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		cr_expect_eq(lifetime_is_over(END, rows[i].is_held, rows[i].now), rows[i].is_over,
		    "%s", rows[i].what);
		cr_expect_eq(lifetime_next_ms(END, rows[i].pause, rows[i].now), rows[i].next, "%s",
		    rows[i].what);
	}
}

/* A delivery that waits already, after a reload or a start. */
Test(lifetime, a_waiting_delivery_after_a_start_or_reload)
{
	static const struct {
		const char *what;
		int64_t expires, due, now, then;
	} rows[] = {
	    {"nothing changed", END, H, MIN, H},
	    {"due since long", END, H, DAYS(2), H},
	    {"a shorter life that is not over", H, 4 * H, MIN, H},
	    {"a shorter life that is over: one attempt, now", H, 8 * H, 4 * H, 4 * H},
	    {"a longer life does not make it wait for longer", DAYS(9), END, DAYS(4), END},
	    {"the queue was down when it ended", END, END, DAYS(9), END},
	    {"it was down before, and the pause ends later", END, DAYS(9) + H, DAYS(9), DAYS(9)},
	    {"the clock was set back", END, DAYS(4), -DAYS(3), DAYS(4)},
	    {"and what was deferred by the wrong clock", END, DAYS(400), H, END},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		cr_expect_eq(lifetime_due_ms(rows[i].expires, rows[i].due, rows[i].now),
		    rows[i].then, "%s", rows[i].what);
}

Test(lifetime, an_attempt_without_results)
{
	static const struct {
		const char *what;
		struct lifetime_attempt attempt;
		int64_t now, after;
	} rows[] = {
	    {"put back", {.pause_ms = H}, H, 5 * S},
	    {"relay ended", {.pause_ms = H, .pauses = 1, .is_tried = true}, H, 5 * S},
	    {"and again", {.pause_ms = H, .pauses = 2, .is_tried = true}, H, H},
	    {"given up", {.pause_ms = H, .is_tried = true, .is_deferred = true}, H, H},
	    {"not understood", {.pause_ms = H, .is_deferred = true}, H, H},
	    {"put back just before the end", {.pause_ms = H}, END - S, S},
	    {"given up just before the end", {.pause_ms = H, .is_deferred = true}, END - S, S},
	    {"a last attempt, not begun: it is left", {.pause_ms = H, .pauses = 9}, END, 5 * S},
	    {"not begun for a third time", {.pause_ms = H, .requeues = 3}, END, 5 * S},
	    {"but not for ever", {.pause_ms = H, .requeues = 4}, END, H},
	    {"a last attempt whose end nobody knows", {.pause_ms = H, .is_tried = true}, END, H},
	    {"a last attempt that was given up",
		{.pause_ms = H, .is_tried = true, .is_deferred = true}, END + MIN, H},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct lifetime_attempt attempt = rows[i].attempt;

		attempt.expires_ms = END;
		cr_expect_eq(lifetime_after_attempt_ms(&attempt, rows[i].now),
		    rows[i].now + rows[i].after, "%s", rows[i].what);
	}
}

Test(lifetime, may_begin)
{
	static const struct {
		const char *what;
		int64_t unanswered, now;
		bool may;
	} rows[] = {
	    {"early", 0, H, true},
	    {"its last attempt", 0, DAYS(9), true},
	    {"one had no result, and there is time", END - H, END - 1, true},
	    {"one had no result before the end: it has a last attempt", END - 1, END, true},
	    {"a day before", DAYS(4), DAYS(9), true},
	    {"at the end: no result would end it", END, END, false},
	    {"after it", END + H, END + H, false},
	    {"the clock was set back since", DAYS(9), END, true},
	    {"far, before the message came", DAYS(9), -DAYS(3), true},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		cr_expect_eq(lifetime_may_begin(END, rows[i].unanswered, rows[i].now), rows[i].may,
		    "%s", rows[i].what);
}

Test(lifetime, a_failure_found_by_another_attempt)
{
	static const struct {
		const char *what;
		int64_t since, found, now;
		bool counts;
	} rows[] = {
	    {"at the end", H, END, END, true},
	    {"after it", H, END + H, END + H, true},
	    {"half a minute before", H, END - 30 * S, END, true},
	    {"too long before", H, END - 30 * S - 1, END, false},
	    {"before it waited for that destination", END + H, END + MIN, END + H, false},
	    {"never", H, 0, END, false},
	    {"before the clock was set back", H, END + DAYS(9), END, false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		cr_expect_eq(
		    lifetime_finding_counts(END, rows[i].since, rows[i].found, rows[i].now),
		    rows[i].counts, "%s", rows[i].what);
}

/* Fields that are not given: due since the expiry, and relay has taken attempts for long. */
static const struct untried {
	const char *what;
	struct lifetime_wait wait;
	int64_t now;
	bool ends;
} untried[] = {
    {"its time is not over", {.due_ms = H}, END - 1, false},
    {"an attempt is about to begin", {.is_in_line = true}, END + 2 * S, false},
    {"it is due, nobody looked yet", {0}, END + 2 * S, false},
    {"due in a moment: what was put back", {.due_ms = END + 7 * S}, END + 2 * S, false},
    {"due later: its last attempt was made", {.due_ms = END + 8 * S}, END + 2 * S, true},
    {"it is with relay, for however long", {.is_running = true}, DAYS(9), false},
    {"in line for almost an hour", {.is_in_line = true}, END + H - 1, false},
    {"in line for an hour", {.is_in_line = true}, END + H, true},
    {"released long after its end", {.due_ms = DAYS(9), .is_in_line = true}, DAYS(9) + H - 1,
	false},
    {"and an hour passed", {.due_ms = DAYS(9), .is_in_line = true}, DAYS(9) + H, true},
    {"the queue was down", {.relay_ready_ms = MIN, .is_in_line = true}, DAYS(9), false},
    {"short lives have short patience", {.lifetime_ms = S, .is_in_line = true}, END + S, true},
    {"held by an operator", {.is_held = true, .is_held_by_operator = true}, DAYS(9), false},
    {"held as it is damaged", {.is_held = true}, END, true},
    {"damaged, but its time is not over", {.is_held = true}, END - 1, false},
    {"unreadable", {.is_unreadable = true}, END, true},
    {"relay is away, it may have a result", {.relay_ready_ms = -1, .relay_absent_ms = 10 * MIN - 1},
	END, false},
    {"relay is away for long", {.relay_ready_ms = -1, .relay_absent_ms = 10 * MIN}, END, true},
    {"relay is away for long, its time is not over",
	{.relay_ready_ms = -1, .relay_absent_ms = DAYS(3)}, END - 1, false},
    {"relay is away, short lives", {.lifetime_ms = S, .relay_ready_ms = -1, .relay_absent_ms = S},
	END, true},
    {"relay was lost, its attempt counts as running",
	{.is_running = true, .relay_ready_ms = -1, .relay_absent_ms = DAYS(3)}, END, false},
    {"the clock was set back", {.due_ms = DAYS(3), .is_in_line = true}, -DAYS(9), false},
};

Test(lifetime, without_an_attempt)
{
	for (size_t i = 0; i < sizeof untried / sizeof *untried; i++) {
		struct lifetime_wait w = untried[i].wait;

		w.expires_ms = END;
		w.due_ms = w.due_ms ? w.due_ms : END;
		w.lifetime_ms = w.lifetime_ms ? w.lifetime_ms : END;
		w.relay_ready_ms = w.relay_ready_ms ? w.relay_ready_ms : DAYS(1);
		cr_expect_eq(lifetime_ends_untried(&w, untried[i].now), untried[i].ends, "%s",
		    untried[i].what);
	}
}

Test(lifetime, delay_report)
{
	static const struct {
		const char *what;
		int64_t after, expires, at;
	} rows[] = {
	    {"usual", 4 * H, END, 4 * H},
	    {"never", 0, END, NEVER},
	    {"not when its time is over then", 4 * H, 4 * H, NEVER},
	    {"nor later", 4 * H, H, NEVER},
	    {"just before", 4 * H, 4 * H + 1, 4 * H},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		cr_expect_eq(lifetime_warning_ms(0, rows[i].after, rows[i].expires), rows[i].at,
		    "%s", rows[i].what);
}
