/*
 * clock: the only state is the time and the divisor of timeouts that tests set; both are atomic,
 * because threads read the time too. clock_mono_us does not stop with the clock. Texts have the
 * local time zone, and names that do not follow the locale.
 */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static _Atomic int64_t fake_ms = -1;
static _Atomic int timeout_divisor = 1;

static int64_t
read_clock_ms(clockid_t which)
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
	return read_clock_ms(CLOCK_REALTIME);
}

int64_t
clock_mono_ms(void)
{
	return read_clock_ms(CLOCK_MONOTONIC);
}

int64_t
clock_mono_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Writes the last `count` digits of value. */
static char *
clock_digits(char *to, int count, unsigned value)
{
	for (int i = count - 1; i >= 0; i--, value /= 10)
		to[i] = (char)('0' + value % 10);
	return to + count;
}

/* Without printf: a busy log formats thousands of these in a second. */
char *
clock_iso(int64_t ms, char out[CLOCK_TEXT_BYTES])
{
	static const char ends[] = "--T::.";
	time_t s = (time_t)(ms / 1000);
	unsigned zone;
	char *to = out;
	struct tm tm;

	localtime_r(&s, &tm);
	zone = (unsigned)(labs(tm.tm_gmtoff) / 60);
	const int parts[] = {
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec};

	for (int i = 0; i < 6; i++) {
		to = clock_digits(to, i == 0 ? 4 : 2, (unsigned)parts[i]);
		*to++ = ends[i];
	}
	to = clock_digits(to, 3, (unsigned)(ms % 1000));
	*to++ = tm.tm_gmtoff < 0 ? '-' : '+';
	to = clock_digits(to, 2, zone / 60);
	*to++ = ':';
	to = clock_digits(to, 2, zone % 60);
	*to = '\0';
	return out;
}

/* Without strftime: names of days and months must not follow the locale. */
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
clock_timeout_ms(int64_t ms)
{
	return ms / atomic_load_explicit(&timeout_divisor, memory_order_relaxed);
}

void
clock_shorten_timeouts(int times)
{
	atomic_store_explicit(&timeout_divisor, times, memory_order_relaxed);
}
