/* active_segment: how much of the active segment is reserved for reports, statuses and copies, and
 * that a commit keeps the room that it was given. */
#include "spool/active_segment.h"

#include <criterion/criterion.h>

#include "rig.h"

enum { LOG_BYTES = 1 << 20, LOG_SPAN = 4096, COPY_BYTES = 100000 };

static struct spool_writer writer;
static struct segment active = {.bytes = LOG_BYTES};

static const struct batch_commit message = {.span = LOG_SPAN, .is_bulk = true},
			   report = {.span = LOG_SPAN, .is_bulk = true, .is_report = true},
			   status = {.span = LOG_SPAN},
			   copy = {.span = LOG_SPAN, .is_copy = true};

/* The writer gets the answer that it would get if compaction had taken all the room since
 * active_segment_make_room. */
static atomic_bool is_room_taken;

bool __real_active_segment_fits(
    const struct spool_writer *w, const struct batch_commit *c, uint32_t at);
bool __wrap_active_segment_fits(
    const struct spool_writer *w, const struct batch_commit *c, uint32_t at);

bool
__wrap_active_segment_fits(const struct spool_writer *w, const struct batch_commit *c, uint32_t at)
{
	return !is_room_taken && __real_active_segment_fits(w, c, at);
}

static void
begin(void)
{
	writer = (struct spool_writer){.active = &active};
	writer.pool.bytes = LOG_BYTES;
}

TestSuite(active_segment, .init = begin);

/* Exactly so many bytes at the end of the segment are reserved from this commit. */
static void
expect_reserved(const char *what, const struct batch_commit *c, uint32_t reserved)
{
	uint32_t last = LOG_BYTES - reserved - LOG_SPAN;

	cr_expect(active_segment_fits(&writer, c, last), "%s: more is reserved", what);
	cr_expect_not(active_segment_fits(&writer, c, last + 1), "%s: less is reserved", what);
}

Test(active_segment, reports_statuses_and_copies_may_use_more_room)
{
	expect_reserved("a message", &message, LOG_BYTES / 2);
	expect_reserved("a report", &report, LOG_BYTES / 4);
	expect_reserved("a status", &status, LOG_BYTES / 16);
	expect_reserved("a copy", &copy, 0);
	/* compaction needs nothing of this segment while it has not taken the reserve */
	atomic_store(&writer.compaction_bytes, COPY_BYTES);
	expect_reserved("a message", &message, LOG_BYTES / 2);
}

/* Compaction has taken the reserve segment, and must be able to finish in it. */
Test(active_segment, room_for_copies_is_reserved_when_compaction_has_the_reserve)
{
	writer.pool.is_lent = true;
	atomic_store(&writer.compaction_bytes, COPY_BYTES);
	expect_reserved("a message", &message, LOG_BYTES / 2 + COPY_BYTES);
	expect_reserved("a report", &report, LOG_BYTES / 4 + COPY_BYTES);
	expect_reserved("a status", &status, LOG_BYTES / 16 + COPY_BYTES);
	expect_reserved("a copy", &copy, 0);
	/* more than a segment holds: all of it is reserved */
	atomic_store(&writer.compaction_bytes, 3 * LOG_BYTES);
	cr_expect_not(active_segment_fits(&writer, &status, 0));
	expect_reserved("a copy", &copy, 0);
}

static void
watch_nothing(struct fsio_ops *ops)
{
	(void)ops;
}

/* The event loop may reserve room after a message was given its room and before it is written: the
 * message keeps its room. */
Test(active_segment, a_commit_keeps_the_room_that_it_was_given, .timeout = 60)
{
	struct spool_options o = {.segment_bytes = LOG_BYTES};
	int answers[3];

	rig_begin(&o, watch_nothing);
	rig_store(1);
	is_room_taken = true;
	for (uint32_t n = 0; n < 3; n++)
		rig_store_soon(2 + n, &answers[n]);
	for (uint32_t n = 0; n < 3; n++) {
		rig_until(&answers[n]);
		cr_expect_eq(answers[n], 0);
	}
	is_room_taken = false;
	rig_end();
}
