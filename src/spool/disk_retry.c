/*
 * disk_retry: see the header.
 */
#include "spool/disk_retry.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"

enum { TROUBLE_TELL_AGAIN_MS = 600 * 1000, TROUBLE_FIRST_MS = 1000, TROUBLE_DOUBLINGS = 6 };

void
trouble_tell(struct trouble *t, const char *what)
{
	int error = errno;
	int64_t now_ms = clock_mono_ms();

	if (t->told == error && now_ms < t->told_ms + TROUBLE_TELL_AGAIN_MS)
		return;
	t->told = error;
	t->told_ms = now_ms;
	log_warn("spool: %s: %m", what);
	errno = error;
}

void
trouble_pause(struct trouble *t, int64_t ms)
{
	t->error = errno;
	t->until_ms = clock_mono_ms() + ms;
}

bool
trouble_is_pausing(const struct trouble *t)
{
	return t->error && t->until_ms > clock_mono_ms();
}

int64_t
trouble_pause_ms(unsigned failures)
{
	return (int64_t)TROUBLE_FIRST_MS
	    << (failures < TROUBLE_DOUBLINGS ? failures : TROUBLE_DOUBLINGS);
}

void
trouble_end(struct trouble *t, const char *what)
{
	if (t->told)
		log_warn("spool: %s again", what);
	*t = (struct trouble){0};
}
