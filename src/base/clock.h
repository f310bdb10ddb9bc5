/*
 * clock: the only module that reads the time.  Tests may stop the clock and move it by hand.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since 1970, UTC: for timestamps, ids and values that survive a restart. */
int64_t clock_ms(void);
/* Monotonic milliseconds: for deadlines and durations inside one process. */
int64_t clock_mono_ms(void);
/* Monotonic microseconds, never faked: for measuring. */
int64_t clock_mono_us(void);

enum { CLOCK_TEXT_BYTES = 80 };

/* "2026-11-21T16:57:52.104+01:00", local zone; returns out. */
char *clock_iso(int64_t ms, char out[CLOCK_TEXT_BYTES]);
/* "Sat, 21 Nov 2026 16:57:52 +0100" (RFC 5322 section 3.3), local zone; returns out. */
char *clock_rfc5322(int64_t ms, char out[CLOCK_TEXT_BYTES]);

/* Reads the time zone files while they can still be opened (before the sandbox). */
void clock_prepare(void);
/* For tests: both clocks stop at `ms` until they are moved again; a negative value lets them
 * run. */
void clock_fake(int64_t ms);

/* The time limit for a wait on another process that should need at most ms. */
int64_t clock_timeout_ms(int64_t ms);
/* For tests: each clock_timeout_ms from now on is divided by `times`, in child processes too. */
void clock_shorten_timeouts(int times);

#endif
