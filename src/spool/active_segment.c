/*
 * active_segment: chooses the segment for each commit.  While the pool has no other segment ready,
 * a part of the active one is reserved, by the kind of the commit.
 */
#include "spool/active_segment.h"

#include <errno.h>

#include "spool/segment_pool.h"

/* The bytes of the active segment that messages may not use while no other segment is ready.  They
 * are enough for the entries about the messages of the oldest segment that must be written before
 * that segment is free.  Reports may use half of this reserve; statuses, holds and notes all but a
 * sixteenth of the segment; copies by compaction all of it. */
static uint32_t
active_segment_reserve_bytes(const struct segment *s, bool is_report)
{
	return is_report ? s->bytes / 4 : s->bytes / 2;
}

/* When compaction has taken the reserve segment it must be able to finish, because that frees the
 * oldest segment: so these bytes stay for it. */
static uint32_t
active_segment_lent_bytes(const struct spool_writer *w)
{
	uint32_t bytes = atomic_load(&w->compaction_bytes), limit = w->pool.bytes;

	if (!w->pool.is_lent)
		return 0;
	return bytes < limit ? bytes : limit;
}

/* Bytes at the end of the active segment that this commit may not use while no other segment is
 * ready. */
static uint32_t
active_segment_reserved_bytes(const struct spool_writer *w, const struct batch_commit *c)
{
	uint32_t reserved = w->active->bytes / 16;

	if (c->is_copy)
		return 0;
	if (c->is_bulk)
		reserved = active_segment_reserve_bytes(w->active, c->is_report);
	reserved += active_segment_lent_bytes(w);
	return reserved < w->active->bytes ? reserved : w->active->bytes;
}

void
active_segment_close(struct spool_writer *w)
{
	w->seal = (struct frame_seal){w->active->generation, w->durable, w->at};
	w->active = NULL;
}

static int
active_segment_open_for(struct spool_writer *w, enum segment_purpose purpose)
{
	struct segment *s;

	if (w->active)
		return 0;
	s = segment_pool_take(&w->pool, purpose);
	if (!s)
		return -1;
	w->active = s;
	w->is_active_new = true;
	w->at = SEGMENT_DATA;
	return 0;
}

int
active_segment_open(struct spool_writer *w)
{
	return active_segment_open_for(w, SEGMENT_FOR_ANY);
}

/* Reports and statuses may use the free share of the disk, because they empty the queue. */
static enum segment_purpose
active_segment_purpose(const struct batch_commit *c)
{
	if (c->is_copy)
		return SEGMENT_FOR_COPY;
	return c->is_bulk && !c->is_report ? SEGMENT_FOR_MESSAGE : SEGMENT_FOR_ANY;
}

bool
active_segment_fits(const struct spool_writer *w, const struct batch_commit *c, uint32_t at)
{
	uint32_t end = w->active->bytes;

	if (!segment_pool_is_ready(&w->pool))
		end -= active_segment_reserved_bytes(w, c);
	return at <= end && c->span <= end - at;
}

static uint32_t
active_segment_next_offset(const struct spool_writer *w)
{
	return w->at + (w->is_active_new ? ACTIVE_SEGMENT_SEAL_BYTES : 0);
}

/* False with errno: ENOSPC when there is no room for the commit, or why the disk accepts no further
 * segment. */
static bool
active_segment_has_room(struct spool_writer *w, const struct batch_commit *c)
{
	if (active_segment_fits(w, c, active_segment_next_offset(w)))
		return true;
	if (c->is_bulk && segment_pool_fill(&w->pool, active_segment_purpose(c)) != 0)
		return false;
	errno = ENOSPC;
	return c->is_bulk && active_segment_fits(w, c, active_segment_next_offset(w));
}

int
active_segment_make_room(struct spool_writer *w, const struct batch_commit *c)
{
	struct segment *next;

	if (active_segment_open_for(w, active_segment_purpose(c)) != 0)
		return -1;
	if (active_segment_has_room(w, c))
		return 0;
	if (w->is_active_new || (c->is_bulk && !segment_pool_is_ready(&w->pool)))
		return -1;
	next = segment_pool_take(&w->pool, active_segment_purpose(c));
	if (!next)
		return -1;
	active_segment_close(w);
	w->active = next;
	w->is_active_new = true;
	w->at = SEGMENT_DATA;
	return active_segment_has_room(w, c) ? 0 : -1;
}

static bool
active_segment_is_low(const struct spool_writer *w, bool is_report)
{
	uint32_t reserved =
	    active_segment_reserve_bytes(w->active, is_report) + active_segment_lent_bytes(w);

	/* One sixteenth more, so that a client is refused before it sends its message and not
	 * after, and so that compaction begins before a report is refused. */
	reserved += w->active->bytes / 16;
	return reserved >= w->active->bytes || w->at > w->active->bytes - reserved;
}

/* Is there room neither in the active segment nor in a new one? */
static bool
active_segment_is_out(const struct spool_writer *w, enum segment_purpose purpose)
{
	return (!w->active || active_segment_is_low(w, purpose != SEGMENT_FOR_MESSAGE)) &&
	    !segment_pool_may_make(&w->pool, purpose);
}

void
active_segment_publish(struct spool_writer *w)
{
	bool is_ready = segment_pool_is_ready(&w->pool);
	bool is_full = !is_ready && active_segment_is_out(w, SEGMENT_FOR_MESSAGE);

	/* full_error goes first, so that no reader of is_full sees an outdated reason */
	atomic_store(&w->full_error, is_full ? segment_pool_error(&w->pool) : ENOSPC);
	atomic_store(&w->is_full, is_full);
	atomic_store(
	    &w->is_full_for_reports, !is_ready && active_segment_is_out(w, SEGMENT_FOR_ANY));
	atomic_store(&w->idle_bytes, segment_pool_idle_bytes(&w->pool));
	atomic_store(&w->spare_segments, w->pool.free_count + (w->pool.ready ? 1 : 0));
}
