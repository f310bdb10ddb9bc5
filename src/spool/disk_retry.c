/*
 * disk_retry: the pauses double from one second to 64 s; the same reason is logged again after ten
 * minutes.
 */
#include "spool/disk_retry.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"

enum { DISK_RETRY_LOG_AGAIN_MS = 600 * 1000, DISK_RETRY_FIRST_MS = 1000, DISK_RETRY_DOUBLINGS = 6 };

void
disk_retry_log(struct disk_retry *t, const char *what)
{
	int error = errno;
	int64_t now_ms = clock_mono_ms();

	if (t->logged_error == error && now_ms < t->logged_ms + DISK_RETRY_LOG_AGAIN_MS)
		return;
	t->logged_error = error;
	t->logged_ms = now_ms;
	log_warn("spool: %s: %m", what);
	errno = error;
}

void
disk_retry_pause(struct disk_retry *t, int64_t ms)
{
	t->error = errno;
	t->until_ms = clock_mono_ms() + ms;
}

bool
disk_retry_is_pausing(const struct disk_retry *t)
{
	return t->error && t->until_ms > clock_mono_ms();
}

int64_t
disk_retry_pause_ms(unsigned failures)
{
	return (int64_t)DISK_RETRY_FIRST_MS
	    << (failures < DISK_RETRY_DOUBLINGS ? failures : DISK_RETRY_DOUBLINGS);
}

void
disk_retry_end(struct disk_retry *t, const char *what)
{
	if (t->logged_error)
		log_warn("spool: %s again", what);
	*t = (struct disk_retry){0};
}
