/*
 * segment_pool: each call of segment_pool_work does one bounded piece.  A commit waits for this
 * work only in segment_pool_fill, when no segment is ready.
 */
#include "spool/segment_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "spool/pool_header.h"
#include "spool/segment_maker.h"
#include "spool/segment_space.h"

enum { SEGMENT_POOL_FREE_MAX = 2 };

static void
segment_pool_free_list(struct segment *list, struct fsio *io)
{
	for (struct segment *s = list, *next; s; s = next) {
		next = s->next;
		segment_free(&s, io);
	}
}

void
segment_pool_clear(struct segment_pool *p)
{
	segment_pool_free_list(p->ready, p->io);
	segment_pool_free_list(p->free, p->io);
	segment_pool_free_list(p->other_sizes, p->io);
	segment_pool_free_list(p->reserve, p->io);
	segment_pool_free_list(p->returned, p->io);
	segment_pool_free_list(p->making, p->io);
	p->ready = p->free = p->other_sizes = p->returned = p->making = p->reserve = NULL;
}

void
segment_pool_return(struct segment_pool *p, struct segment *s)
{
	struct segment **at = &p->returned;

	while (*at)
		at = &(*at)->next;
	s->next = NULL;
	*at = s;
}

void
segment_pool_release(struct segment_pool *p, struct segment *s, uint64_t oldest)
{
	segment_add_mark(&p->mark,
	    &(struct segment_mark){.freed = s->generation, .oldest = oldest});
	segment_pool_return(p, s);
}

static void
segment_pool_set_reserve(struct segment_pool *p, struct segment *s)
{
	s->next = NULL;
	p->reserve = s;
	p->is_lent = false;
}

static void
segment_pool_put_free(struct segment_pool *p, struct segment *s)
{
	struct segment **list = s->bytes == p->bytes ? &p->free : &p->other_sizes;

	s->generation = 0;
	if (!p->reserve && list == &p->free) {
		segment_pool_set_reserve(p, s);
		return;
	}
	s->next = *list;
	*list = s;
	p->free_count += list == &p->free;
}

static bool
segment_pool_is_pausing(const struct segment_pool *p)
{
	return disk_retry_is_pausing(&p->header_retry);
}

void
segment_pool_pause(struct segment_pool *p)
{
	if (!p->has_retry_pause)
		return;
	disk_retry_pause(&p->header_retry, disk_retry_pause_ms(0));
	disk_retry_pause(&p->making_retry, disk_retry_pause_ms(0));
}

/* A segment that cannot be read completely, or cannot be written: its file stays, under a name that
 * is never read again. */
static int
segment_pool_set_aside(struct segment_pool *p)
{
	char from[SEGMENT_NAME_BYTES], to[SEGMENT_SET_ASIDE_BYTES];
	struct segment *s = p->returned;

	segment_name(s->slot, from);
	segment_set_aside_name(s, to);
	/* ENOENT: it was renamed before, and the directory could not be synced */
	if (segment_pool_write_mark(p) != 0 ||
	    (p->io->ops->rename(p->io, from, to) != 0 && errno != ENOENT) ||
	    p->io->ops->sync_directory(p->io) != 0)
		return segment_pool_failed(p, &p->removal_retry, "cannot set a segment aside");
	log_warn("spool: %s is not used any more, kept as %s", from, to);
	p->returned = s->next;
	disk_retry_end(&p->removal_retry, "segments can be set aside");
	segment_free(&s, p->io);
	return 0;
}

/* May the oldest returned segment be made unreadable now? */
static bool
segment_pool_may_free(const struct segment_pool *p)
{
	return p->returned && !disk_retry_is_pausing(p->returned->is_unusable ? &p->removal_retry
								       : &p->header_retry);
}

/* Frees the oldest returned segment; -1: not now. */
static int
segment_pool_free_returned(struct segment_pool *p)
{
	struct segment *s = p->returned;

	if (!segment_pool_may_free(p))
		return -1;
	if (s->is_unusable)
		return segment_pool_set_aside(p);
	if (segment_pool_write_free(p, s, "cannot free a segment") != 0)
		return -1;
	p->returned = s->next;
	segment_pool_put_free(p, s);
	return 0;
}

static struct segment *
segment_pool_take_from(struct segment_pool *p, struct segment **list)
{
	struct segment *s = *list;
	bool is_good = s && segment_pool_prepare(p, s) == 0;

	if (!s || (!is_good && (!s->is_unusable || list == &p->returned)))
		return NULL;
	*list = s->next;
	p->free_count -= list == &p->free;
	s->next = NULL;
	if (!is_good)
		segment_pool_return(p, s);
	return is_good ? s : NULL;
}

static struct segment *
segment_pool_take_used(struct segment_pool *p)
{
	struct segment *s;

	if (segment_pool_is_pausing(p))
		return NULL;
	while (p->returned && (p->returned->is_unusable || p->returned->bytes != p->bytes ||
	                          (p->is_lent && !p->reserve)))
		if (segment_pool_free_returned(p) != 0)
			return p->returned->is_unusable ? segment_pool_take_from(p, &p->free)
			                                : NULL;
	s = segment_pool_take_from(p, &p->returned);
	return s ? s : segment_pool_take_from(p, &p->free);
}

static int
segment_pool_unlink(struct segment_pool *p, struct segment **list)
{
	char name[SEGMENT_NAME_BYTES];
	struct segment *s = *list;

	if (segment_pool_write_mark(p) != 0 ||
	    p->io->ops->unlink(p->io, segment_name(s->slot, name)) != 0)
		return segment_pool_failed(p, &p->removal_retry, "cannot remove a segment");
	*list = s->next;
	p->free_count -= list == &p->free;
	segment_free(&s, p->io);
	disk_retry_end(&p->removal_retry, "segments can be removed");
	return 0;
}

/* Makes a complete new segment at once: a segment that exists never lacks space. */
static int
segment_pool_make_now(struct segment_pool *p, enum segment_purpose purpose)
{
	while (p->other_sizes && !disk_retry_is_pausing(&p->removal_retry) &&
	       segment_pool_unlink(p, &p->other_sizes) == 0)
		;
	if (segment_space_check(p, purpose) != 0)
		return -1;
	if (disk_retry_is_pausing(&p->making_retry)) {
		errno = p->making_retry.error;
		return -1;
	}
	if (!p->making && segment_maker_begin(p) != 0)
		return -1;
	while (p->made_bytes < p->bytes)
		if (segment_maker_write_piece(p) != 0)
			return -1;
	p->ready = segment_maker_finish(p, false);
	return p->ready ? 0 : -1;
}

/* There are unused segments, and their headers cannot be written. */
static bool
segment_pool_has_unwritable(const struct segment_pool *p)
{
	return (p->free || p->returned) && p->header_retry.error;
}

int
segment_pool_fill(struct segment_pool *p, enum segment_purpose purpose)
{
	if (p->ready)
		return 0;
	p->ready = segment_pool_take_used(p);
	/* the header of that one could not be written: another one may work */
	if (!p->ready && p->returned && p->returned->is_unusable)
		p->ready = segment_pool_take_used(p);
	if (p->ready || segment_pool_make_now(p, purpose) == 0)
		return 0;
	/* this reason rather than a lack of room for a new one */
	if (segment_pool_has_unwritable(p))
		errno = p->header_retry.error;
	return -1;
}

int
segment_pool_error(const struct segment_pool *p)
{
	struct segment_space space;

	if (segment_pool_has_unwritable(p))
		return p->header_retry.error;
	if (segment_space_find(p, SEGMENT_FOR_MESSAGE, &space) != 0)
		return errno;
	return p->making_retry.error ? p->making_retry.error : ENOSPC;
}

struct segment *
segment_pool_take(struct segment_pool *p, enum segment_purpose purpose)
{
	struct segment *s;

	if (segment_pool_fill(p, purpose) != 0) {
		if (purpose != SEGMENT_FOR_COPY || segment_pool_is_pausing(p) ||
		    !(s = segment_pool_take_from(p, &p->reserve)))
			return NULL;
		p->is_lent = true;
		return s;
	}
	s = p->ready;
	p->ready = NULL;
	return s;
}

static uint64_t
segment_pool_list_bytes(const struct segment *s)
{
	uint64_t bytes = 0;

	for (; s; s = s->next)
		bytes += s->bytes;
	return bytes;
}

uint64_t
segment_pool_idle_bytes(const struct segment_pool *p)
{
	return (p->ready ? p->ready->bytes : 0) + (p->reserve ? p->reserve->bytes : 0) +
	    segment_pool_list_bytes(p->free) + segment_pool_list_bytes(p->other_sizes) +
	    segment_pool_list_bytes(p->returned);
}

bool
segment_pool_is_ready(const struct segment_pool *p)
{
	return p->ready || ((p->free || (p->returned && p->returned->bytes == p->bytes)) &&
			       !p->header_retry.error);
}

bool
segment_pool_may_make(const struct segment_pool *p, enum segment_purpose purpose)
{
	const struct disk_retry *t = &p->making_retry;
	struct segment_space space;

	/* for messages one is made ahead again and again: a failure counts until an attempt
	 * succeeds */
	if (purpose == SEGMENT_FOR_MESSAGE ? t->error != 0 : disk_retry_is_pausing(t))
		return false;
	return segment_space_find(p, purpose, &space) == 0;
}

/* May a free segment become the reserve, unchanged? */
static bool
segment_pool_may_set_reserve(const struct segment_pool *p)
{
	return p->free && !p->reserve && (p->ready || p->is_lent);
}

static bool
segment_pool_may_make_ahead(const struct segment_pool *p)
{
	return (!p->ready || !p->reserve) && p->ahead_ms <= clock_mono_ms() &&
	    !disk_retry_is_pausing(&p->making_retry);
}

static bool
segment_pool_may_remove(const struct segment_pool *p)
{
	return (p->other_sizes || p->free_count > SEGMENT_POOL_FREE_MAX) &&
	       !disk_retry_is_pausing(&p->removal_retry);
}

/* The pause after headers that the disk did not write applies only to writes into used segments. */
bool
segment_pool_has_work(const struct segment_pool *p)
{
	return segment_pool_may_set_reserve(p) ||
	       (!p->ready && p->free && !segment_pool_is_pausing(p)) || segment_pool_may_free(p) ||
	       segment_pool_may_remove(p) || segment_pool_may_make_ahead(p);
}

static void
segment_pool_finish_making(struct segment_pool *p, bool is_reserve)
{
	struct segment *s = segment_maker_finish(p, is_reserve);

	if (!is_reserve)
		p->ready = s;
	else if (s)
		segment_pool_set_reserve(p, s);
}

/* Makes a piece of a segment that is not needed yet. */
static void
segment_pool_make_ahead(struct segment_pool *p)
{
	bool is_reserve;

	is_reserve = segment_space_is_for_reserve(p);
	if ((!p->making || p->made_bytes < p->bytes) &&
	    segment_space_check(p, is_reserve ? SEGMENT_FOR_RESERVE : SEGMENT_FOR_MESSAGE) != 0) {
		segment_maker_cancel(p);
		p->ahead_ms = p->has_retry_pause ? clock_mono_ms() + disk_retry_pause_ms(0) : 0;
	} else if (!p->making) {
		(void)!segment_maker_begin(p);
	} else if (p->made_bytes < p->bytes) {
		(void)!segment_maker_write_piece(p);
	} else {
		segment_pool_finish_making(p, is_reserve);
	}
}

void
segment_pool_work(struct segment_pool *p)
{
	struct segment *s = p->free;

	if (segment_pool_may_set_reserve(p)) {
		p->free = s->next;
		p->free_count--;
		segment_pool_set_reserve(p, s);
		return;
	}
	if (!p->ready && (p->returned || p->free) && (p->ready = segment_pool_take_used(p)))
		return;
	if (segment_pool_may_free(p))
		(void)!segment_pool_free_returned(p);
	else if (segment_pool_may_remove(p))
		(void)!segment_pool_unlink(p, p->other_sizes ? &p->other_sizes : &p->free);
	else if (segment_pool_may_make_ahead(p))
		segment_pool_make_ahead(p);
}
