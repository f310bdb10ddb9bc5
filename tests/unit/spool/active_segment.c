/* What is kept of the active segment for those that empty the queue. */
#include "spool/active_segment.h"

#include <criterion/criterion.h>

#include "rig.h"

enum { LOG_BYTES = 1 << 20, LOG_SPAN = 4096, LOG_CLEANING = 100000 };

static struct spool_writer writer;
static struct segment active = {.bytes = LOG_BYTES};

static const struct batch_commit message = {.span = LOG_SPAN, .is_bulk = true},
			   report = {.span = LOG_SPAN, .is_bulk = true, .is_report = true},
			   status = {.span = LOG_SPAN},
			   copy = {.span = LOG_SPAN, .is_copy = true};

/* Place asks as if compaction had taken all the room since active_segment_make_room gave some. */
static atomic_bool is_taken_meanwhile;

bool __real_active_segment_fits(
    const struct spool_writer *w, const struct batch_commit *c, uint32_t at);
bool __wrap_active_segment_fits(
    const struct spool_writer *w, const struct batch_commit *c, uint32_t at);

bool
__wrap_active_segment_fits(const struct spool_writer *w, const struct batch_commit *c, uint32_t at)
{
	return !is_taken_meanwhile && __real_active_segment_fits(w, c, at);
}

static void
log_room_begin(void)
{
	writer = (struct spool_writer){.active = &active};
	writer.pool.bytes = LOG_BYTES;
}

TestSuite(log_room, .init = log_room_begin);

/* So much is kept of the segment's end from this one, and no more. */
static void
log_room_expect(const char *what, const struct batch_commit *c, uint32_t kept)
{
	uint32_t last = LOG_BYTES - kept - LOG_SPAN;

	cr_expect(active_segment_fits(&writer, c, last), "%s: more is kept", what);
	cr_expect_not(active_segment_fits(&writer, c, last + 1), "%s: less is kept", what);
}

Test(log_room, those_that_empty_the_queue_may_use_more)
{
	log_room_expect("a message", &message, LOG_BYTES / 2);
	log_room_expect("a report", &report, LOG_BYTES / 4);
	log_room_expect("a status", &status, LOG_BYTES / 16);
	log_room_expect("a copy", &copy, 0);
	/* compaction needs nothing of this segment while it has not taken the reserve */
	atomic_store(&writer.compaction_bytes, LOG_CLEANING);
	log_room_expect("a message", &message, LOG_BYTES / 2);
}

/* Compaction has taken the segment that was in reserve, and comes to its end in it. */
Test(log_room, what_compaction_has_to_copy_is_kept_when_the_reserve_is_lent)
{
	writer.pool.is_lent = true;
	atomic_store(&writer.compaction_bytes, LOG_CLEANING);
	log_room_expect("a message", &message, LOG_BYTES / 2 + LOG_CLEANING);
	log_room_expect("a report", &report, LOG_BYTES / 4 + LOG_CLEANING);
	log_room_expect("a status", &status, LOG_BYTES / 16 + LOG_CLEANING);
	log_room_expect("a copy", &copy, 0);
	/* more than a segment holds: all of it */
	atomic_store(&writer.compaction_bytes, 3 * LOG_BYTES);
	cr_expect_not(active_segment_fits(&writer, &status, 0));
	log_room_expect("a copy", &copy, 0);
}

static void
watch_nothing(struct fsio_ops *ops)
{
	(void)ops;
}

/* The loop may take of the room that a message was given before it has its place: it keeps that. */
Test(log_room, what_was_given_its_room_has_it, .timeout = 60)
{
	struct spool_options o = {.segment_bytes = LOG_BYTES};
	int answers[3];

	rig_begin(&o, watch_nothing);
	rig_store(1);
	is_taken_meanwhile = true;
	for (uint32_t n = 0; n < 3; n++)
		rig_store_soon(2 + n, &answers[n]);
	for (uint32_t n = 0; n < 3; n++) {
		rig_until(&answers[n]);
		cr_expect_eq(answers[n], 0);
	}
	is_taken_meanwhile = false;
	rig_end();
}
