/*
 * stock: see the header.  Nothing here is waited for, except by stock_fill when nothing is ready.
 */
#include "queue/stock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/stock_room.h"

enum {
	PIECE_BYTES = 1 << 20,
	FREE_MAX = 2,
	RETRY_MS = 1000,
	RETRY_DOUBLINGS = 6,
	SLOT_TRIES = 64,
};

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
stock_release(struct stock *p, struct segment *s)
{
	if (s->generation > p->mark.freed)
		p->mark.freed = s->generation;
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

static int
failed(struct stock *p, const char *what)
{
	int error = errno;

	log_warn("spool: %s: %m", what);
	if (p->is_patient)
		p->retry_ms = clock_mono_ms() + RETRY_MS;
	errno = error;
	return -1;
}

int
stock_tell_mark(struct stock *p)
{
	if (!p->newest ||
	    (p->told_freed >= p->mark.freed && p->told_missing >= p->mark.missing_count))
		return 0;
	if (segment_write_mark(p->newest, p->io, &p->mark, p->told_count++) != 0)
		return -1;
	p->told_freed = p->mark.freed;
	p->told_missing = p->mark.missing_count;
	return 0;
}

/* One header that cannot be written is that segment's matter; a second one right after it is rather
 * the disk's: then the next one is tried after a pause, so that not all of them are set aside. */
static void
stock_count_unwritten(struct stock *p)
{
	unsigned doublings = p->unwritten++;

	if (!p->is_patient || doublings == 0)
		return;
	doublings = doublings - 1 < RETRY_DOUBLINGS ? doublings - 1 : RETRY_DOUBLINGS;
	p->header_ms = clock_mono_ms() + ((int64_t)RETRY_MS << doublings);
}

static bool
stock_is_pausing(const struct stock *p)
{
	return p->header_ms > clock_mono_ms();
}

/* One that the disk cannot write is set aside in its turn: it must not stop the others.  What is
 * damaged where the first frame belongs would pass for damage of the new use. */
static int
stock_write_header(struct stock *p, struct segment *s, const char *what)
{
	if (segment_write_header(s, p->io, &p->mark) == 0 &&
	    (!s->has_bad_start || segment_clear_start(s, p->io) == 0)) {
		if (s != p->making)
			p->unwritten = 0;
		return 0;
	}
	s->is_kept = segment_is_medium_error(errno);
	/* one in the making is removed, and says nothing of those in use before */
	if (s->is_kept && s != p->making)
		stock_count_unwritten(p);
	/* a part of its name when it is set aside */
	s->tag = segment_draw_tag();
	return failed(p, what);
}

static int
prepare(struct stock *p, struct segment *s)
{
	/* when the newest cannot be written, the header itself has to do */
	(void)!stock_tell_mark(p);
	s->generation = ++p->generation;
	s->tag = segment_draw_tag();
	return stock_write_header(p, s, "cannot prepare a segment");
}

/* Holds nothing, and has no place in the order of the log. */
static int
stock_write_free(struct stock *p, struct segment *s, const char *what)
{
	(void)!stock_tell_mark(p);
	s->generation = 0;
	s->tag = 0;
	return stock_write_header(p, s, what);
}

static void
unmake(struct stock *p, const char *name)
{
	int error = errno;

	p->io->ops->unlink(p->io, name);
	segment_free(&p->making, p->io);
	errno = error;
}

/* A file under the next number, in the making; -1 with errno, EEXIST: the number is taken, perhaps
 * by a file that is not ours. */
static int
stock_make_slot(struct stock *p)
{
	char name[SEGMENT_NAME_BYTES];
	struct fsio_file file;
	uint32_t slot = p->slot < SEGMENT_SLOTS_MAX ? p->slot : 1;
	int fd;

	p->slot = slot + 1;
	if (p->io->ops->inspect(p->io, segment_name(slot, name), &file) == 0) {
		errno = EEXIST;
		return -1;
	}
	if (errno != ENOENT)
		return -1;
	fd = p->io->ops->open(p->io, segment_new_name(slot, name), O_RDWR | O_CREAT | O_EXCL);
	if (fd < 0)
		return -1;
	p->making = segment_new(slot, fd, p->bytes);
	p->made_bytes = 0;
	return 0;
}

static int
make_begin(struct stock *p)
{
	for (int tries = 0; tries < SLOT_TRIES; tries++) {
		if (stock_make_slot(p) == 0)
			return 0;
		if (errno != EEXIST)
			return failed(p, "cannot make a segment");
	}
	errno = ENOSPC;
	return failed(p, "no number is free for a segment");
}

/* Zeros once written and synced, so that later syncs of frames do not have to allocate. */
static int
make_piece(struct stock *p)
{
	uint32_t left = p->bytes - p->made_bytes, n = left < PIECE_BYTES ? left : PIECE_BYTES;
	char name[SEGMENT_NAME_BYTES];

	if (segment_write_zeros(p->io, p->making->fd, p->made_bytes, n) != 0 ||
	    p->io->ops->sync_data(p->io, p->making->fd) != 0) {
		failed(p, "cannot make a segment");
		unmake(p, segment_new_name(p->making->slot, name));
		return -1;
	}
	p->made_bytes += n;
	return 0;
}

/* A reserve bears no generation until it is used: with one it would pass for the segment that was
 * made ready behind the newest (chain_is_whole). */
static int
make_header(struct stock *p, bool is_reserve)
{
	if (is_reserve)
		return stock_write_free(p, p->making, "cannot make a reserve");
	return prepare(p, p->making);
}

/* It gets its header and its name. */
static struct segment *
make_end(struct stock *p, bool is_reserve)
{
	char from[SEGMENT_NAME_BYTES], to[SEGMENT_NAME_BYTES];
	struct segment *s = p->making;

	segment_new_name(s->slot, from);
	segment_name(s->slot, to);
	if (make_header(p, is_reserve) != 0) {
		unmake(p, from);
		return NULL;
	}
	if (p->io->ops->rename(p->io, from, to) != 0) {
		failed(p, "cannot name a segment");
		unmake(p, from);
		return NULL;
	}
	if (p->io->ops->sync_directory(p->io) != 0) {
		failed(p, "cannot name a segment");
		unmake(p, to);
		return NULL;
	}
	p->making = NULL;
	return s;
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
		return failed(p, "cannot set a segment aside");
	log_warn("spool: %s is not used any more, kept as %s", from, to);
	p->returned = s->next;
	p->retry_ms = 0;
	segment_free(&s, p->io);
	return 0;
}

/* The oldest one given back; -1 with errno. */
static int
make_unreadable(struct stock *p)
{
	struct segment *s = p->returned;

	if (s->is_kept)
		return stock_set_aside(p);
	if (stock_is_pausing(p))
		return -1;
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
	bool is_good = s && prepare(p, s) == 0;

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
			return NULL;
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
		return failed(p, "cannot remove a segment");
	*list = s->next;
	p->free_count -= list == &p->free;
	segment_free(&s, p->io);
	return 0;
}

/* A whole new one, here and now: a segment that exists never lacks space. */
static int
make_whole(struct stock *p, enum stock_claim claim)
{
	while (p->odd && p->retry_ms <= clock_mono_ms() && stock_unlink(p, &p->odd) == 0)
		;
	if (stock_room_ask(p, claim) != 0)
		return -1;
	if (p->retry_ms > clock_mono_ms()) {
		errno = ENOSPC;
		return -1;
	}
	if (!p->making && make_begin(p) != 0)
		return -1;
	while (p->made_bytes < p->bytes)
		if (make_piece(p) != 0)
			return -1;
	p->ready = make_end(p, false);
	return p->ready ? 0 : -1;
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
	return p->ready ? 0 : make_whole(p, claim);
}

struct segment *
stock_take(struct stock *p, enum stock_claim claim)
{
	struct segment *s;

	if (stock_fill(p, claim) != 0) {
		if (claim != STOCK_COPY || !(s = take_from(p, &p->reserve)))
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
	return p->ready ||
	    ((p->free || (p->returned && p->returned->bytes == p->bytes)) && !stock_is_pausing(p));
}

bool
stock_may_make(const struct stock *p, enum stock_claim claim)
{
	struct stock_room room;

	return p->retry_ms <= clock_mono_ms() && stock_room_find(p, claim, &room) == 0;
}

/* A free one as it is, for the reserve. */
static bool
stock_may_keep(const struct stock *p)
{
	return p->free && !p->reserve && (p->ready || p->is_lent);
}

/* The pause after headers that the disk did not write is for what writes into a used one. */
bool
stock_has_work(const struct stock *p)
{
	int64_t now = clock_mono_ms();
	bool may_write = p->header_ms <= now, is_missing = !p->ready || !p->reserve;
	bool is_free = p->free && (may_write || stock_may_keep(p));

	return p->retry_ms <= now &&
	    ((is_missing && (is_free || p->ahead_ms <= now)) ||
	        (p->returned && (may_write || p->returned->is_kept)) || p->odd ||
	        p->free_count > FREE_MAX);
}

static void
stock_make_last(struct stock *p, bool is_reserve)
{
	struct segment *s = make_end(p, is_reserve);

	if (!is_reserve)
		p->ready = s;
	else if (s)
		stock_keep(p, s);
}

/* A piece of a segment that nobody needs yet. */
static void
stock_make_ahead(struct stock *p)
{
	char name[SEGMENT_NAME_BYTES];
	bool is_reserve;

	if (p->ahead_ms > clock_mono_ms())
		return;
	is_reserve = stock_room_is_for_reserve(p);
	if ((!p->making || p->made_bytes < p->bytes) &&
	    stock_room_ask(p, is_reserve ? STOCK_RESERVE : STOCK_MESSAGE) != 0) {
		if (p->making)
			unmake(p, segment_new_name(p->making->slot, name));
		p->ahead_ms = p->is_patient ? clock_mono_ms() + RETRY_MS : 0;
	} else if (!p->making) {
		(void)make_begin(p);
	} else if (p->made_bytes < p->bytes) {
		(void)make_piece(p);
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
	if (p->returned && (p->returned->is_kept || !stock_is_pausing(p)))
		(void)!make_unreadable(p);
	else if (p->odd)
		(void)!stock_unlink(p, &p->odd);
	else if (p->free_count > FREE_MAX)
		(void)!stock_unlink(p, &p->free);
	else if (!p->ready || !p->reserve)
		stock_make_ahead(p);
}
