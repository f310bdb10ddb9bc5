/*
 * disk_retry: an act of the spool that the disk refuses, perhaps again and again.  The next try
 * comes after a pause; the log is told once for each reason, again after ten minutes, and once when
 * it works again.
 */
#ifndef SPOOL_DISK_RETRY_H
#define SPOOL_DISK_RETRY_H

#include <stdbool.h>
#include <stdint.h>

/* All zeros: none. */
struct disk_retry {
	int error;                       /* why the next try waits; 0: it does not */
	unsigned failures;               /* in a row, counted by the owner */
	int64_t until_ms;                /* monotonic: not tried before */
	int logged_error;                /* the log knows this reason ... */
	int64_t logged_ms;               /* ... since then; monotonic */
};

/* `what` failed with errno, which stays as it is. */
void disk_retry_log(struct disk_retry *t, const char *what);
/* It failed with errno, which stays as it is: no try for so long. */
void disk_retry_pause(struct disk_retry *t, int64_t ms);
bool disk_retry_is_pausing(const struct disk_retry *t);
/* A second, then twice as long after each failure, 64 s at most; from 0 failures before on. */
int64_t disk_retry_pause_ms(unsigned failures);
/* It worked; the log is told so if it was told of a failure. */
void disk_retry_end(struct disk_retry *t, const char *what);

#endif
