/*
 * active_segment: see the header.
 */
#include "spool/active_segment.h"

#include <errno.h>

/* Segment bytes that messages may not use while no other segment is ready: enough for what must be
 * said of the messages in the oldest segment before that one is free.  Reports may use half of it,
 * statuses, holds and notes all but a sixteenth, copies of compaction all. */
static uint32_t
log_room_reserve(const struct segment *s, bool is_report)
{
	return is_report ? s->bytes / 4 : s->bytes / 2;
}

/* When compaction has taken the reserve it must come to its end, which frees the oldest segment. */
static uint32_t
log_room_lent_bytes(const struct writer *w)
{
	uint32_t bytes = atomic_load(&w->cleaning_bytes), most = w->pool.bytes;

	if (!w->pool.is_lent)
		return 0;
	return bytes < most ? bytes : most;
}

/* Of the active segment, while no other one is ready. */
static uint32_t
log_room_kept_bytes(const struct writer *w, const struct commit *c)
{
	uint32_t kept = w->active->bytes / 16;

	if (c->is_copy)
		return 0;
	if (c->is_bulk)
		kept = log_room_reserve(w->active, c->is_report);
	kept += log_room_lent_bytes(w);
	return kept < w->active->bytes ? kept : w->active->bytes;
}

void
log_room_leave(struct writer *w)
{
	w->seal = (struct record_seal){w->active->generation, w->durable, w->at};
	w->active = NULL;
}

static int
log_room_open_for(struct writer *w, enum stock_claim claim)
{
	struct segment *s;

	if (w->active)
		return 0;
	s = stock_take(&w->pool, claim);
	if (!s)
		return -1;
	w->active = s;
	w->is_virgin = true;
	w->at = SEGMENT_DATA;
	return 0;
}

int
log_room_open(struct writer *w)
{
	return log_room_open_for(w, STOCK_ANY);
}

/* Reports and statuses may use what must stay free of the disk: they empty the queue. */
static enum stock_claim
log_room_claim(const struct commit *c)
{
	if (c->is_copy)
		return STOCK_COPY;
	return c->is_bulk && !c->is_report ? STOCK_MESSAGE : STOCK_ANY;
}

bool
log_room_fits(const struct writer *w, const struct commit *c, uint32_t at)
{
	uint32_t end = w->active->bytes;

	if (!stock_is_ready(&w->pool))
		end -= log_room_kept_bytes(w, c);
	return at <= end && c->span <= end - at;
}

static uint32_t
next_at(const struct writer *w)
{
	return w->at + (w->is_virgin ? LOG_ROOM_SEAL_BYTES : 0);
}

/* False: errno says whether there is no room for it or the disk takes no segment more. */
static bool
has_room(struct writer *w, const struct commit *c)
{
	if (log_room_fits(w, c, next_at(w)))
		return true;
	if (c->is_bulk && stock_fill(&w->pool, log_room_claim(c)) != 0)
		return false;
	errno = ENOSPC;
	return c->is_bulk && log_room_fits(w, c, next_at(w));
}

int
log_room_make(struct writer *w, const struct commit *c)
{
	struct segment *next;

	if (log_room_open_for(w, log_room_claim(c)) != 0)
		return -1;
	if (has_room(w, c))
		return 0;
	if (w->is_virgin || (c->is_bulk && !stock_is_ready(&w->pool)))
		return -1;
	next = stock_take(&w->pool, log_room_claim(c));
	if (!next)
		return -1;
	log_room_leave(w);
	w->active = next;
	w->is_virgin = true;
	w->at = SEGMENT_DATA;
	return has_room(w, c) ? 0 : -1;
}

static bool
log_room_is_beyond(const struct writer *w, bool is_report)
{
	uint32_t kept = log_room_reserve(w->active, is_report) + log_room_lent_bytes(w);

	/* so that a client is told before it sends its message, not afterwards, and compaction
	 * begins before a report is refused */
	kept += w->active->bytes / 16;
	return kept >= w->active->bytes || w->at > w->active->bytes - kept;
}

/* Neither in the active segment nor by a new one. */
static bool
log_room_is_out(const struct writer *w, enum stock_claim claim)
{
	return (!w->active || log_room_is_beyond(w, claim != STOCK_MESSAGE)) &&
	    !stock_may_make(&w->pool, claim);
}

void
log_room_report(struct writer *w)
{
	bool is_ready = stock_is_ready(&w->pool);
	bool is_dry = !is_ready && log_room_is_out(w, STOCK_MESSAGE);

	/* first, so that no other reason is ever read */
	atomic_store(&w->dry_error, is_dry ? stock_error(&w->pool) : ENOSPC);
	atomic_store(&w->is_dry, is_dry);
	atomic_store(&w->is_spent, !is_ready && log_room_is_out(w, STOCK_ANY));
	atomic_store(&w->idle_bytes, stock_idle_bytes(&w->pool));
	atomic_store(&w->spare_segments, w->pool.free_count + (w->pool.ready ? 1 : 0));
}
