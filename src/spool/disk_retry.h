/*
 * disk_retry: an operation that the disk refuses, perhaps repeatedly.  The next attempt comes after
 * a pause.  The log gets one line for each reason, again after ten minutes, and one line when the
 * operation works again.
 */
#ifndef SPOOL_DISK_RETRY_H
#define SPOOL_DISK_RETRY_H

#include <stdbool.h>
#include <stdint.h>

/* All zeros: no failure. */
struct disk_retry {
	int error;                       /* why the next attempt waits; 0: it does not */
	unsigned failures;               /* in a row, counted by the owner */
	int64_t until_ms;                /* monotonic: no attempt before */
	int logged_error;                /* this reason was logged ... */
	int64_t logged_ms;               /* ... at this time; monotonic */
};

/* Logs that `what` failed with errno, unless the same was logged within ten minutes.  errno is
 * unchanged. */
void disk_retry_log(struct disk_retry *t, const char *what);
/* The operation failed with errno, which is unchanged: no attempt for `ms` milliseconds. */
void disk_retry_pause(struct disk_retry *t, int64_t ms);
/* Is the time of the next attempt still to come? */
bool disk_retry_is_pausing(const struct disk_retry *t);
/* The pause after so many earlier failures: one second, doubled for each of them, at most 64 s. */
int64_t disk_retry_pause_ms(unsigned failures);
/* The operation worked.  Logs that, if a failure was logged, and resets the struct. */
void disk_retry_end(struct disk_retry *t, const char *what);

#endif
