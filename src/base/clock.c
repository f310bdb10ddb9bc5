/*
 * clock: see the header.  What tests set is all that can change here.
 */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static _Atomic int64_t fake_ms = -1;
static _Atomic int hurry = 1;

static int64_t
now(clockid_t which)
{
	struct timespec t;
	int64_t fake = atomic_load_explicit(&fake_ms, memory_order_relaxed);

	if (fake >= 0)
		return fake;
	clock_gettime(which, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t
clock_ms(void)
{
	return now(CLOCK_REALTIME);
}

int64_t
clock_mono_ms(void)
{
	return now(CLOCK_MONOTONIC);
}

int64_t
clock_mono_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

char *
clock_iso(int64_t ms, char out[CLOCK_TEXT_BYTES])
{
	time_t s = (time_t)(ms / 1000);
	struct tm tm;
	long zone;

	localtime_r(&s, &tm);
	zone = tm.tm_gmtoff / 60;
	snprintf(out, CLOCK_TEXT_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%03d%c%02ld:%02ld",
	    (tm.tm_year + 1900) % 10000, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
	    tm.tm_sec, (int)(ms % 1000), zone < 0 ? '-' : '+', (zone < 0 ? -zone : zone) / 60 % 100,
	    (zone < 0 ? -zone : zone) % 60);
	return out;
}

/* Not strftime: names of days and months must not follow the locale. */
char *
clock_rfc5322(int64_t ms, char out[CLOCK_TEXT_BYTES])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t s = (time_t)(ms / 1000);
	struct tm tm;
	long zone;

	localtime_r(&s, &tm);
	zone = tm.tm_gmtoff / 60;
	snprintf(out, CLOCK_TEXT_BYTES, "%.3s, %d %.3s %04d %02d:%02d:%02d %c%02ld%02ld",
	    days + tm.tm_wday % 7 * 3, tm.tm_mday, months + tm.tm_mon % 12 * 3,
	    (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min, tm.tm_sec, zone < 0 ? '-' : '+',
	    (zone < 0 ? -zone : zone) / 60 % 100, (zone < 0 ? -zone : zone) % 60);
	return out;
}

void
clock_prepare(void)
{
	tzset();
}

void
clock_fake(int64_t ms)
{
	atomic_store(&fake_ms, ms);
}

int64_t
clock_patience(int64_t ms)
{
	return ms / atomic_load_explicit(&hurry, memory_order_relaxed);
}

void
clock_hurry(int times)
{
	atomic_store_explicit(&hurry, times, memory_order_relaxed);
}
