/*
 * place: see the header.  A run that fails takes its segment out of use; what was durable in it
 * stands.
 */
#include "queue/place.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/crc.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/writer_jobs.h"

/* Segment bytes that messages may not use while no other segment is ready: enough for what must be
 * said of the messages in the oldest segment before that one is free.  Reports may use half of it,
 * statuses, holds and notes all but a sixteenth, copies of compaction all. */
static uint32_t
reserve(const struct segment *s, bool is_report)
{
	return is_report ? s->bytes / 4 : s->bytes / 2;
}

/* When compaction has taken the reserve it must come to its end, which frees the oldest segment. */
static uint32_t
place_lent_bytes(const struct writer *w)
{
	uint32_t bytes = atomic_load(&w->cleaning_bytes), most = w->pool.bytes;

	if (!w->pool.is_lent)
		return 0;
	return bytes < most ? bytes : most;
}

/* Of the active segment, while no other one is ready. */
static uint32_t
place_kept_bytes(const struct writer *w, const struct commit *c)
{
	uint32_t kept = c->is_bulk ? reserve(w->active, c->is_report) : w->active->bytes / 16;

	if (c->is_copy)
		return 0;
	kept += place_lent_bytes(w);
	return kept < w->active->bytes ? kept : w->active->bytes;
}

enum { SEAL_BYTES = 128 };

/* Its record is not there, so its body shall not be either. */
static void
place_remove_file(struct writer *w, struct commit *c)
{
	writer_jobs_remove_body(w, c->id);
	c->is_named = false;
}

/* ---- segments ---- */

static void
leave(struct writer *w)
{
	w->seal = (struct record_seal){w->active->generation, w->durable, w->at};
	w->active = NULL;
}

static int
place_open_for(struct writer *w, enum stock_claim claim)
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
place_open(struct writer *w)
{
	return place_open_for(w, STOCK_ANY);
}

/* Reports and statuses may use what must stay free of the disk: they empty the queue. */
static enum stock_claim
place_claim(const struct commit *c)
{
	if (c->is_copy)
		return STOCK_COPY;
	return c->is_bulk && !c->is_report ? STOCK_MESSAGE : STOCK_ANY;
}

static bool
fits(const struct writer *w, const struct commit *c, uint32_t at)
{
	uint32_t end = w->active->bytes;

	if (!stock_is_ready(&w->pool))
		end -= place_kept_bytes(w, c);
	return at <= end && c->span <= end - at;
}

static uint32_t
next_at(const struct writer *w)
{
	return w->at + (w->is_virgin ? SEAL_BYTES : 0);
}

static bool
has_room(struct writer *w, const struct commit *c)
{
	if (fits(w, c, next_at(w)))
		return true;
	return c->is_bulk && stock_fill(&w->pool, place_claim(c)) == 0 && fits(w, c, next_at(w));
}

/* Makes sure that the commit has a segment with room; -1 with errno. */
static int
make_room(struct writer *w, const struct commit *c)
{
	struct segment *next;

	if (place_open_for(w, place_claim(c)) != 0)
		return -1;
	if (has_room(w, c))
		return 0;
	errno = ENOSPC;
	if (w->is_virgin || (c->is_bulk && !stock_is_ready(&w->pool)))
		return -1;
	next = stock_take(&w->pool, place_claim(c));
	if (!next)
		return -1;
	leave(w);
	w->active = next;
	w->is_virgin = true;
	w->at = SEGMENT_DATA;
	errno = ENOSPC;
	return has_room(w, c) ? 0 : -1;
}

/* ---- runs ---- */

struct run {
	struct batch *batch;
	size_t first;
	size_t count;
	bool is_late;                    /* written, but not for those whose time is over */
	uint32_t at;                     /* of its first frame in the segment */
	uint32_t end;
};

static void
patch(struct writer *w, char *bytes, uint32_t span)
{
	struct str head = str_make(bytes, RECORD_HEADER_BYTES);
	struct record_frame f;
	uint64_t tag;

	/* not 0 in one that was placed before, see refuse_late */
	if (!record_frame_tag(head, &tag) || !record_frame_read(head, tag, &f))
		die("spool: a frame in memory is damaged");
	f.tag = w->active->tag;
	f.sequence = ++w->sequence;
	f.durable = w->durable;
	f.span = span;
	w->newest_ms = f.newest_ms > w->newest_ms ? f.newest_ms : w->newest_ms;
	record_frame_write(&f, bytes);
}

/* Who asked has been told 451, or soon will be: what were stored now would be sent again. */
static bool
place_is_late(const struct commit *c, int64_t now_ms)
{
	return c->late_ms && c->late_ms <= now_ms;
}

static uint32_t
sector_up(uint32_t at)
{
	return (at + SEGMENT_SECTOR - 1) & ~(uint32_t)(SEGMENT_SECTOR - 1);
}

/* As many whole frames as the segment takes; the next run begins at a sector of its own, so that no
 * later write touches what is durable. */
static void
lay_out(struct writer *w, struct run *r)
{
	struct commit *c = r->batch->commits + r->first;
	int64_t now_ms = clock_mono_ms();
	uint32_t at = r->at;
	size_t n = 0;

	/* the first one was looked at */
	while (r->first + n < r->batch->count && !c[n].error && fits(w, &c[n], at) &&
	    (n == 0 || !place_is_late(&c[n], now_ms))) {
		c[n].offset = at;
		at += c[n].span;
		n++;
	}
	r->count = n;
	r->end = sector_up(at);
	for (size_t i = 0; i < n; i++)
		patch(w, r->batch->bytes.p + c[i].at,
		    i + 1 < n ? c[i].span : r->end - c[i].offset);
}

static void
build_seal(struct writer *w, char bytes[SEAL_BYTES], uint32_t span)
{
	struct buf out = {.p = bytes, .cap = SEAL_BYTES, .max = SEAL_BYTES};
	struct record_frame f = {.tag = w->active->tag,
	    .sequence = ++w->sequence,
	    .durable = w->durable,
	    .newest_ms = w->newest_ms,
	    .span = span,
	    .entries = 1};

	out.n = RECORD_HEADER_BYTES;
	record_put_seal(&out, &w->seal);
	f.payload_bytes = (uint32_t)(out.n - RECORD_HEADER_BYTES);
	f.payload_crc = crc32c(0, bytes + RECORD_HEADER_BYTES, f.payload_bytes);
	record_frame_write(&f, bytes);
}

static int
sync_run(struct writer *w, struct batch *b)
{
	int64_t before = clock_mono_ms();
	int result = w->io->ops->sync_data(w->io, w->active->fd);

	b->syncs++;
	b->sync_ms += clock_mono_ms() - before;
	return result;
}

/* One write, one sync: seal if the segment is new, frames, zeros up to the next sector. */
static int
write_run(struct writer *w, struct run *r)
{
	static const char zeros[SEGMENT_SECTOR];
	char seal[SEAL_BYTES] = {0};
	struct iovec v[3] = {{seal, 0}, {NULL, 0}, {(void *)(uintptr_t)zeros, 0}};
	uint32_t start = w->at, bytes = 0;
	bool is_alone = r->first == r->batch->count;

	if (w->is_virgin) {
		build_seal(w, seal, is_alone ? SEGMENT_SECTOR : SEAL_BYTES);
		v[0].iov_len = SEAL_BYTES;
		r->at += SEAL_BYTES;
	}
	r->end = sector_up(r->at);
	if (!is_alone)
		lay_out(w, r);
	if (r->count) {
		struct commit *first = &r->batch->commits[r->first], *last = first + r->count - 1;

		bytes = last->at + last->span - first->at;
		v[1] = (struct iovec){r->batch->bytes.p + first->at, bytes};
	}
	v[2].iov_len = r->end - r->at - bytes;
	if (segment_write(w->io, w->active->fd, v, 3, start) != 0)
		return -1;
	return sync_run(w, r->batch);
}

static void
append_opened(struct batch *b, struct segment *s)
{
	struct segment **at = &b->opened;

	while (*at)
		at = &(*at)->next;
	s->next = NULL;
	*at = s;
}

static void
run_stands(struct writer *w, struct run *r)
{
	for (size_t i = 0; i < r->count; i++)
		r->batch->commits[r->first + i].segment = w->active;
	if (w->is_virgin) {
		append_opened(r->batch, w->active);
		w->pool.newest = w->active;
	}
	w->is_virgin = false;
	trouble_end(&w->write_trouble, "frames are written");
	w->durable = w->sequence;
	w->at = r->end;
}

/* One segment that does not take what is written into it is that segment's matter; a new one right
 * after it, and it is rather the disk's. */
static void
tell_failed(struct writer *w, int error)
{
	struct trouble *t = &w->write_trouble;
	char what[80];

	errno = error;
	snprintf(what, sizeof what, "segment %u left at offset %u", w->active->slot, w->at);
	trouble_tell(t, what);
	if (t->failures++ > 0 && w->is_virgin)
		stock_pause(&w->pool);
}

static void
abandon(struct writer *w)
{
	if (!w->is_virgin) {
		leave(w);
		return;
	}
	/* the one before stays the newest; nothing in this one stands: it must not be read again */
	newest_segment_tell(&w->newest_segment, w->pool.newest);
	stock_give_back(&w->pool, w->active);
	w->active = NULL;
}

/* The others of the run are to be placed anew, behind the seal that makes this one void. */
static void
refuse_late(struct writer *w, struct run *r)
{
	int64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < r->count; i++) {
		struct commit *c = &r->batch->commits[r->first + i];

		if (!place_is_late(c, now_ms))
			continue;
		c->error = ETIMEDOUT;
		r->is_late = true;
	}
	if (r->is_late)
		log_warn("spool: segment %u left at offset %u: what was written there was durable "
			 "after those who asked had to be told 451", w->active->slot, w->at);
}

static int
place_run(struct writer *w, struct run *r)
{
	int error;

	r->at = w->at;
	if (write_run(w, r) == 0) {
		/* durable before anyone is answered: only it tells that this file is missing */
		if (w->is_virgin)
			newest_segment_tell(&w->newest_segment, w->active);
		refuse_late(w, r);
		if (!r->is_late) {
			run_stands(w, r);
			return 0;
		}
		error = ETIMEDOUT;
	} else {
		error = errno ? errno : EIO;
		for (size_t i = 0; i < r->count; i++)
			r->batch->commits[r->first + i].error = error;
		tell_failed(w, error);
	}
	abandon(w);
	errno = error;
	return -1;
}

int
place_seal(struct writer *w, struct batch *b)
{
	struct run r = {.batch = b, .first = b->count};

	return place_run(w, &r);
}

/* Before anyone hears of the failure, the disk does, so that a crash cannot bring back what was
 * refused.  A disk that takes this neither leaves that window open. */
static void
make_void(struct writer *w, struct batch *b)
{
	if (!w->active && w->pool.returned)
		stock_work(&w->pool);
	if (place_open(w) == 0 && w->is_virgin)
		(void)!place_seal(w, b);
}

static void
place_frames(struct writer *w, struct batch *b)
{
	struct commit *c;

	for (size_t i = 0; i < b->count;) {
		struct run r = {.batch = b, .first = i};

		c = &b->commits[i];
		if (!c->error && place_is_late(c, clock_mono_ms()))
			c->error = ETIMEDOUT;
		if (!c->error && make_room(w, c) != 0)
			c->error = errno ? errno : EIO;
		if (c->error) {
			i++;
			continue;
		}
		if (place_run(w, &r) != 0)
			make_void(w, b);
		if (!r.is_late)
			i += r.count ? r.count : 1;
	}
}

void
place_batch(struct writer *w, struct batch *b)
{
	place_frames(w, b);
	for (size_t i = 0; i < b->count; i++)
		if (b->commits[i].error && b->commits[i].is_named)
			place_remove_file(w, &b->commits[i]);
}

static bool
place_is_beyond(const struct writer *w, bool is_report)
{
	uint32_t kept = reserve(w->active, is_report) + place_lent_bytes(w);

	/* so that a client is told before it sends its message, not afterwards, and compaction
	 * begins before a report is refused */
	kept += w->active->bytes / 16;
	return kept >= w->active->bytes || w->at > w->active->bytes - kept;
}

/* Neither in the active segment nor by a new one. */
static bool
place_is_out(const struct writer *w, enum stock_claim claim)
{
	return (!w->active || place_is_beyond(w, claim != STOCK_MESSAGE)) &&
	    !stock_may_make(&w->pool, claim);
}

void
place_report(struct writer *w)
{
	bool is_ready = stock_is_ready(&w->pool);
	bool is_dry = !is_ready && place_is_out(w, STOCK_MESSAGE);

	/* first, so that no other reason is ever read */
	atomic_store(&w->dry_error, is_dry ? stock_error(&w->pool) : ENOSPC);
	atomic_store(&w->is_dry, is_dry);
	atomic_store(&w->is_spent, !is_ready && place_is_out(w, STOCK_ANY));
	atomic_store(&w->idle_bytes, stock_idle_bytes(&w->pool));
	atomic_store(&w->spare_segments, w->pool.free_count + (w->pool.ready ? 1 : 0));
}
