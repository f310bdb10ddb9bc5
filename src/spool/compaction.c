/*
 * compaction: decides when the oldest segment is worth emptying, and frees it when nothing live is
 * left in it.  On a full disk it works in rounds over the whole log.
 */
#include "spool/compaction.h"

#include "base/clock.h"

enum {
	COMPACTION_SEGMENTS_MIN = 4,
	COMPACTION_ROUND_PAUSE_MS = 10000,
};

static bool
segment_has_note(const struct spool *s, const struct segment *g)
{
	for (const struct spool_note *n = s->index.notes; n; n = n->next)
		if (n->segment == g && n->value.n > 0)
			return true;
	return false;
}

/* Has the segment entries of a newer version? */
static bool
segment_has_unknown(const struct spool *s, const struct segment *g)
{
	return unknown_entries_next(&s->index.unknown, g, NULL) != NULL;
}

/* Bytes of closed segments that belong to no live message or note; part of them is padding. */
static uint64_t
compaction_dead_bytes(const struct spool *s)
{
	const struct spool_index *x = &s->index;
	uint64_t closed = (x->segment_count - 1) * s->writer.pool.bytes;
	uint64_t live = x->live_bytes - x->newest->live_bytes;

	return closed > live ? closed - live : 0;
}

/* On a full disk the whole log is compacted once (a round), with the reserve segment as room, until
 * a segment is spare.  If that frees nothing, the next round comes after a pause, so that the disk
 * has time for other work.  A segment with messages that cannot be read would keep the reserve in
 * use. */
static bool
compaction_is_worth_when_full(const struct spool *s)
{
	const struct segment *g = s->index.oldest;
	uint64_t dead;

	if (g->live_bytes <= s->writer.pool.bytes / 16 || s->round_left > 0)
		return true;
	dead = compaction_dead_bytes(s);
	if (clock_mono_ms() < s->round_next_ms || g->retry_ms)
		return false;
	return (s->index.segment_count > COMPACTION_SEGMENTS_MIN &&
	        dead >= s->index.segment_count * s->writer.pool.bytes / 2) ||
	    (atomic_load(&s->writer.is_full_for_reports) && dead >= s->writer.pool.bytes / 4);
}

/* Compaction is worth its copies when half of the log or more is dead, or when space is short. */
static bool
compaction_is_worth(const struct spool *s)
{
	uint64_t used = s->index.segment_count * s->writer.pool.bytes;

	/* a segment that is to be set aside is emptied as soon as possible */
	if (s->index.unusable_count)
		return true;
	if (atomic_load(&s->writer.is_full))
		return compaction_is_worth_when_full(s);
	return s->index.segment_count >= COMPACTION_SEGMENTS_MIN && s->index.live_bytes <= used / 2;
}

/* The earlier one of two times; 0 stands for no time. */
static int64_t
compaction_earlier_ms(int64_t a, int64_t b)
{
	return a && (!b || a < b) ? a : b;
}

int64_t
spool_retry_ms(const struct spool *s)
{
	const struct spool_index *x = &s->index;
	int64_t at_ms = 0;

	if (x->oldest == x->newest)
		return 0;
	if (compaction_is_worth(s))
		at_ms = compaction_earlier_ms(x->oldest->retry_ms, s->copies.next_ms);
	else if (atomic_load(&s->writer.is_full))
		at_ms = s->round_next_ms > clock_mono_ms() ? s->round_next_ms : 0;
	return at_ms;
}

/* A round that left the disk full is followed by a pause. */
static void
compaction_end_round(struct spool *s)
{
	int64_t now_ms = clock_mono_ms(), pause_ms = 10 * (now_ms - s->round_began_ms);

	s->round_left = 0;
	s->round_next_ms = 0;
	if (atomic_load(&s->writer.is_full))
		s->round_next_ms =
		    now_ms +
		    (pause_ms > COMPACTION_ROUND_PAUSE_MS ? pause_ms : COMPACTION_ROUND_PAUSE_MS);
}

/* A file with a range that cannot be read would stop the next start, and a file with damage that
 * was not copied is the only place where the damaged bytes are left: both are set aside. */
static void
compaction_free_oldest(struct spool *s)
{
	struct segment *g = index_take_oldest(&s->index);

	g->is_unusable |= g->has_read_error || g->is_uncopied;
	g->retry_ms = 0;
	g->is_pass_done = false;
	writer_free_segment(&s->writer, g, s->index.oldest->generation);
	if (s->round_left > 0 && --s->round_left == 0)
		compaction_end_round(s);
}

/* An upper limit for the bytes of its copies, which include the statuses of the recipients. */
static unsigned
compaction_copy_bytes(const struct segment *g)
{
	uint64_t bytes = g->live_bytes + g->live_bytes / 8 + g->live_count * FRAME_ALIGN;

	return bytes < UINT32_MAX ? (unsigned)bytes : UINT32_MAX;
}

/* Tells the writer how many bytes it must leave for the copies of this round. */
static void
compaction_begin_or_end_round(struct spool *s, bool is_worth)
{
	bool is_full = atomic_load(&s->writer.is_full);

	if (is_full && is_worth && s->round_left == 0) {
		s->round_left = s->index.segment_count;
		s->round_began_ms = clock_mono_ms();
	} else if (s->round_left > 0 && (!is_full || s->index.oldest->retry_ms)) {
		compaction_end_round(s);
	}
	atomic_store(&s->writer.compaction_bytes,
	    s->round_left ? compaction_copy_bytes(s->index.oldest) : 0);
}

void
compaction_run(struct spool *s)
{
	struct spool_index *x = &s->index;
	bool is_worth_it;

	while (x->oldest != x->newest && !x->oldest->messages && !x->oldest->reads &&
	    !segment_has_note(s, x->oldest) && !segment_has_unknown(s, x->oldest))
		compaction_free_oldest(s);
	if (x->oldest == x->newest)
		return;
	is_worth_it = compaction_is_worth(s);
	compaction_begin_or_end_round(s, is_worth_it);
	if (is_worth_it)
		compaction_copies_run(s, x->oldest);
}
