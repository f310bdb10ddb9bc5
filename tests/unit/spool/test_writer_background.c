/* writer_background: files that the disk does not remove at once. */
#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "rig.h"

enum { BODY_BYTES = 200000, BODIES = 20 };

static atomic_uint unlinks, refused; /* of bodies */
static atomic_bool is_refusing;

static atomic_uint let_through = UINT_MAX; /* only so many unlinks end */

static int
refuse_unlink(struct fsio *f, const char *name)
{
	bool is_body = strstr(name, ".body") != NULL;

	unlinks += is_body;
	while (is_body && unlinks > let_through)
		usleep(1000);
	if (is_body && is_refusing) {
		refused++;
		errno = EIO;
		return -1;
	}
	return rig.disk->unlink(f, name);
}

static void
watch(struct fsio_ops *ops)
{
	ops->unlink = refuse_unlink;
}

static void
count_body(const char *name, void *arg)
{
	*(unsigned *)arg += strstr(name, ".body") != NULL;
}

static unsigned
bodies(void)
{
	unsigned count = 0;

	cr_assert_eq(rig.disk->list(rig.io, count_body, &count), 0);
	return count;
}

static uint64_t
unremoved(void)
{
	struct spool_stats stats;

	spool_stats(rig.spool, &stats);
	return stats.unremoved;
}

static unsigned
log_count(int log, const char *words)
{
	static char text[65536];
	ssize_t n = pread(log, text, sizeof text - 1, 0);
	unsigned count = 0;

	text[n > 0 ? n : 0] = 0;
	for (const char *at = text; (at = strstr(at, words)); at++)
		count++;
	return count;
}

/* They are counted, retried after a pause, and logged once; they are removed when the disk allows
 * it. */
Test(writer_background, removals_of_bodies_are_retried, .timeout = 60)
{
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN};
	int64_t end_ms;
	int log = memfd_create("log", MFD_CLOEXEC);

	log_open(dup(log), LOG_TO_FILE);
	rig_begin(&o, watch);
	is_refusing = true;
	for (unsigned n = 1; n <= BODIES; n++) {
		rig_store_in_file(n, BODY_BYTES);
		rig_settle(n);
	}
	rig_until_count(&refused, BODIES, "removals");
	rig_store(BODIES + 1);
	cr_expect_eq(bodies(), BODIES);
	cr_expect_eq(unremoved(), BODIES);
	rig_until_count(&refused, BODIES + 1, "another try");
	cr_expect_lt(refused, BODIES + 5, "%u tries", refused);
	cr_expect_eq(log_count(log, "cannot remove"), 1);
	is_refusing = false;
	end_ms = clock_mono_ms() + RIG_TIMEOUT_MS;
	while (unremoved() && clock_mono_ms() < end_ms)
		usleep(10000);
	cr_expect_eq(unremoved(), 0);
	cr_expect_eq(bodies(), 0);
	rig_end();
	close(log);
}

/* One removal is blocked: what was made durable before it is answered. */
Test(writer_background, answers_do_not_wait_for_removals, .timeout = 60)
{
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN};
	struct spool_entry done[] = {rig_done(1, 1), rig_done(2, 1)};
	int answer;

	rig_begin(&o, watch);
	rig_store_in_file(1, BODY_BYTES);
	rig_store_in_file(2, BODY_BYTES);
	let_through = 0;
	rig_append(done, 2);
	rig_until_count(&unlinks, 1, "removals");
	rig_store_soon(3, &answer);
	/* longer than one turn of the writer spends on removals */
	usleep(200000);
	let_through = 1;
	rig_until(&answer);
	cr_expect_eq(answer, 0);
	cr_expect_eq(bodies(), 1);
	let_through = UINT_MAX;
	rig_end();
}
