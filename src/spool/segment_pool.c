/*
 * segment_pool: see the header.  Nothing here is waited for, except by stock_fill when nothing is
 * ready.
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

enum { FREE_MAX = 2 };

static void
free_list(struct segment *list, struct fsio *io)
{
	for (struct segment *s = list, *next; s; s = next) {
		next = s->next;
		segment_free(&s, io);
	}
}

void
stock_clear(struct stock *p)
{
	free_list(p->ready, p->io);
	free_list(p->free, p->io);
	free_list(p->odd, p->io);
	free_list(p->reserve, p->io);
	free_list(p->returned, p->io);
	free_list(p->making, p->io);
	p->ready = p->free = p->odd = p->returned = p->making = p->reserve = NULL;
}

void
stock_give_back(struct stock *p, struct segment *s)
{
	struct segment **at = &p->returned;

	while (*at)
		at = &(*at)->next;
	s->next = NULL;
	*at = s;
}

void
stock_release(struct stock *p, struct segment *s, uint64_t oldest)
{
	segment_add_mark(&p->mark,
	    &(struct segment_mark){.freed = s->generation, .oldest = oldest});
	stock_give_back(p, s);
}

static void
stock_keep(struct stock *p, struct segment *s)
{
	s->next = NULL;
	p->reserve = s;
	p->is_lent = false;
}

static void
put_free(struct stock *p, struct segment *s)
{
	struct segment **list = s->bytes == p->bytes ? &p->free : &p->odd;

	s->generation = 0;
	if (!p->reserve && list == &p->free) {
		stock_keep(p, s);
		return;
	}
	s->next = *list;
	*list = s;
	p->free_count += list == &p->free;
}

static bool
stock_is_pausing(const struct stock *p)
{
	return trouble_is_pausing(&p->header_trouble);
}

void
stock_pause(struct stock *p)
{
	if (!p->is_patient)
		return;
	trouble_pause(&p->header_trouble, trouble_pause_ms(0));
	trouble_pause(&p->making_trouble, trouble_pause_ms(0));
}

/* One that cannot be read everywhere, or cannot be written: its file stays, under a name that is
 * never read again. */
static int
stock_set_aside(struct stock *p)
{
	char from[SEGMENT_NAME_BYTES], to[SEGMENT_ASIDE_BYTES];
	struct segment *s = p->returned;

	segment_name(s->slot, from);
	segment_aside_name(s, to);
	/* no such name: it was renamed before, and the directory could not be synced */
	if (stock_tell_mark(p) != 0 ||
	    (p->io->ops->rename(p->io, from, to) != 0 && errno != ENOENT) ||
	    p->io->ops->sync_directory(p->io) != 0)
		return stock_failed(p, &p->removal_trouble, "cannot set a segment aside");
	log_warn("spool: %s is not used any more, kept as %s", from, to);
	p->returned = s->next;
	trouble_end(&p->removal_trouble, "segments can be set aside");
	segment_free(&s, p->io);
	return 0;
}

/* May the oldest one given back be made unreadable now? */
static bool
stock_may_free(const struct stock *p)
{
	return p->returned && !trouble_is_pausing(p->returned->is_kept ? &p->removal_trouble
								       : &p->header_trouble);
}

/* The oldest one given back; -1: not now. */
static int
make_unreadable(struct stock *p)
{
	struct segment *s = p->returned;

	if (!stock_may_free(p))
		return -1;
	if (s->is_kept)
		return stock_set_aside(p);
	if (stock_write_free(p, s, "cannot free a segment") != 0)
		return -1;
	p->returned = s->next;
	put_free(p, s);
	return 0;
}

static struct segment *
take_from(struct stock *p, struct segment **list)
{
	struct segment *s = *list;
	bool is_good = s && stock_prepare(p, s) == 0;

	if (!s || (!is_good && (!s->is_kept || list == &p->returned)))
		return NULL;
	*list = s->next;
	p->free_count -= list == &p->free;
	s->next = NULL;
	if (!is_good)
		stock_give_back(p, s);
	return is_good ? s : NULL;
}

static struct segment *
take_used(struct stock *p)
{
	struct segment *s;

	if (stock_is_pausing(p))
		return NULL;
	while (p->returned &&
	    (p->returned->is_kept || p->returned->bytes != p->bytes || (p->is_lent && !p->reserve)))
		if (make_unreadable(p) != 0)
			return p->returned->is_kept ? take_from(p, &p->free) : NULL;
	s = take_from(p, &p->returned);
	return s ? s : take_from(p, &p->free);
}

static int
stock_unlink(struct stock *p, struct segment **list)
{
	char name[SEGMENT_NAME_BYTES];
	struct segment *s = *list;

	if (stock_tell_mark(p) != 0 ||
	    p->io->ops->unlink(p->io, segment_name(s->slot, name)) != 0)
		return stock_failed(p, &p->removal_trouble, "cannot remove a segment");
	*list = s->next;
	p->free_count -= list == &p->free;
	segment_free(&s, p->io);
	trouble_end(&p->removal_trouble, "segments can be removed");
	return 0;
}

/* A whole new one, here and now: a segment that exists never lacks space. */
static int
make_whole(struct stock *p, enum stock_claim claim)
{
	while (p->odd && !trouble_is_pausing(&p->removal_trouble) && stock_unlink(p, &p->odd) == 0)
		;
	if (stock_room_ask(p, claim) != 0)
		return -1;
	if (trouble_is_pausing(&p->making_trouble)) {
		errno = p->making_trouble.error;
		return -1;
	}
	if (!p->making && stock_make_begin(p) != 0)
		return -1;
	while (p->made_bytes < p->bytes)
		if (stock_make_piece(p) != 0)
			return -1;
	p->ready = stock_make_end(p, false);
	return p->ready ? 0 : -1;
}

/* There are some, and they cannot be used. */
static bool
stock_has_unwritable(const struct stock *p)
{
	return (p->free || p->returned) && p->header_trouble.error;
}

int
stock_fill(struct stock *p, enum stock_claim claim)
{
	if (p->ready)
		return 0;
	p->ready = take_used(p);
	/* the header of one could not be written: without it there may be another */
	if (!p->ready && p->returned && p->returned->is_kept)
		p->ready = take_used(p);
	if (p->ready || make_whole(p, claim) == 0)
		return 0;
	/* rather than that there is no room for one more */
	if (stock_has_unwritable(p))
		errno = p->header_trouble.error;
	return -1;
}

int
stock_error(const struct stock *p)
{
	struct stock_room room;

	if (stock_has_unwritable(p))
		return p->header_trouble.error;
	if (stock_room_find(p, STOCK_MESSAGE, &room) != 0)
		return errno;
	return p->making_trouble.error ? p->making_trouble.error : ENOSPC;
}

struct segment *
stock_take(struct stock *p, enum stock_claim claim)
{
	struct segment *s;

	if (stock_fill(p, claim) != 0) {
		if (claim != STOCK_COPY || stock_is_pausing(p) ||
		    !(s = take_from(p, &p->reserve)))
			return NULL;
		p->is_lent = true;
		return s;
	}
	s = p->ready;
	p->ready = NULL;
	return s;
}

bool
stock_is_ready(const struct stock *p)
{
	return p->ready || ((p->free || (p->returned && p->returned->bytes == p->bytes)) &&
			       !p->header_trouble.error);
}

bool
stock_may_make(const struct stock *p, enum stock_claim claim)
{
	const struct trouble *t = &p->making_trouble;
	struct stock_room room;

	/* for messages one is made ahead again and again: that it failed holds until it works */
	if (claim == STOCK_MESSAGE ? t->error != 0 : trouble_is_pausing(t))
		return false;
	return stock_room_find(p, claim, &room) == 0;
}

/* A free one as it is, for the reserve. */
static bool
stock_may_keep(const struct stock *p)
{
	return p->free && !p->reserve && (p->ready || p->is_lent);
}

static bool
stock_may_make_ahead(const struct stock *p)
{
	return (!p->ready || !p->reserve) && p->ahead_ms <= clock_mono_ms() &&
	    !trouble_is_pausing(&p->making_trouble);
}

static bool
stock_may_remove(const struct stock *p)
{
	return (p->odd || p->free_count > FREE_MAX) && !trouble_is_pausing(&p->removal_trouble);
}

/* The pause after headers that the disk did not write is for what writes into a used one. */
bool
stock_has_work(const struct stock *p)
{
	return stock_may_keep(p) || (!p->ready && p->free && !stock_is_pausing(p)) ||
	    stock_may_free(p) || stock_may_remove(p) || stock_may_make_ahead(p);
}

static void
stock_make_last(struct stock *p, bool is_reserve)
{
	struct segment *s = stock_make_end(p, is_reserve);

	if (!is_reserve)
		p->ready = s;
	else if (s)
		stock_keep(p, s);
}

/* A piece of a segment that nobody needs yet. */
static void
stock_make_ahead(struct stock *p)
{
	bool is_reserve;

	is_reserve = stock_room_is_for_reserve(p);
	if ((!p->making || p->made_bytes < p->bytes) &&
	    stock_room_ask(p, is_reserve ? STOCK_RESERVE : STOCK_MESSAGE) != 0) {
		stock_make_give_up(p);
		p->ahead_ms = p->is_patient ? clock_mono_ms() + trouble_pause_ms(0) : 0;
	} else if (!p->making) {
		(void)!stock_make_begin(p);
	} else if (p->made_bytes < p->bytes) {
		(void)!stock_make_piece(p);
	} else {
		stock_make_last(p, is_reserve);
	}
}

void
stock_work(struct stock *p)
{
	struct segment *s = p->free;

	if (stock_may_keep(p)) {
		p->free = s->next;
		p->free_count--;
		stock_keep(p, s);
		return;
	}
	if (!p->ready && (p->returned || p->free) && (p->ready = take_used(p)))
		return;
	if (stock_may_free(p))
		(void)!make_unreadable(p);
	else if (stock_may_remove(p))
		(void)!stock_unlink(p, p->odd ? &p->odd : &p->free);
	else if (stock_may_make_ahead(p))
		stock_make_ahead(p);
}
