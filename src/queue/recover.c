/*
 * recover: list, sort, replay, tidy.  Changes nothing that a second start could not do again.
 */
#include "queue/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "queue/replay.h"

struct listing {
	struct spool *spool;
	struct segment **segments;
	size_t count;
	size_t cap;
	uint32_t slot_max;
	struct map *files;               /* body files seen; value: their own name, owned */
	struct buf stale;                /* names to remove, each with its NUL */
};

enum { STALE_BYTES_MAX = 64 << 20 };

/* ---- the directory ---- */

static void
saw_segment(struct listing *l, uint32_t slot)
{
	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->segments = mem_grow(l->segments, l->cap * sizeof(struct segment *));
	}
	l->segments[l->count++] = segment_new(slot, -1, 0);
	l->slot_max = slot > l->slot_max ? slot : l->slot_max;
}

static void
saw(const char *name, void *arg)
{
	struct listing *l = arg;
	struct str s = str_of(name);
	uint32_t slot;

	if (segment_parse_name(name, "seg-", &slot)) {
		saw_segment(l, slot);
	} else if (segment_parse_name(name, "new-", &slot)) {
		buf_add(&l->stale, name, s.n + 1);
		l->slot_max = slot > l->slot_max ? slot : l->slot_max;
	} else if (str_iends(s, STR(".body"))) {
		mem_free(map_put(l->files, s, mem_text(name, s.n)));
	}
}

/* What cannot be used is renamed, for a person to look at. */
static void
set_aside(struct listing *l, size_t at, const char *why)
{
	struct spool *s = l->spool;
	char from[SEGMENT_NAME_BYTES], to[64];

	segment_name(l->segments[at]->slot, from);
	snprintf(to, sizeof to, "damaged-%s-%016llx", from,
	    (unsigned long long)segment_draw_tag());
	log_error("spool: %s: %s, kept as %s", from, why, to);
	if (s->io->ops->rename(s->io, from, to) != 0)
		log_error("spool: cannot rename %s: %m", from);
	s->stats.quarantined++;
	segment_free(&l->segments[at], s->io);
}

/* A link, a directory, a pipe without a reader, a file of someone else: not what we made. */
static bool
is_foreign(int error)
{
	return error == ELOOP || error == EISDIR || error == ENXIO || error == EACCES ||
	    error == ENOENT;
}

/* -1: the whole spool must be left alone. */
static int
open_segment(struct listing *l, size_t at)
{
	struct segment *g = l->segments[at];
	struct fsio *io = l->spool->io;
	char name[SEGMENT_NAME_BYTES];

	g->fd = io->ops->open(io, segment_name(g->slot, name), O_RDWR);
	if (g->fd < 0 && !is_foreign(errno))
		return -1;
	if (g->fd < 0 || io->ops->trust(io, g->fd) != 0) {
		set_aside(l, at, "not a file of ours");
		return 0;
	}
	switch (segment_read_header(g, io)) {
	case SEGMENT_FOREIGN:
		log_error("spool: %s is of another version", name);
		errno = EPROTO;
		return -1;
	case SEGMENT_BAD:
		set_aside(l, at, "damaged header");
		return 0;
	case SEGMENT_GOOD:
		break;
	}
	return 0;
}

static int
by_generation(const void *a, const void *b)
{
	const struct segment *x = *(struct segment *const *)a, *y = *(struct segment *const *)b;

	return (x->generation > y->generation) - (x->generation < y->generation);
}

/* Opened, without holes, oldest first; free ones go to the pool. */
static int
open_segments(struct listing *l)
{
	struct stock *p = &l->spool->writer.pool;
	size_t kept = 0;

	for (size_t i = 0; i < l->count; i++)
		if (open_segment(l, i) != 0)
			return -1;
	for (size_t i = 0; i < l->count; i++) {
		struct segment *g = l->segments[i];

		if (!g)
			continue;
		l->segments[i] = NULL;
		if (g->generation == 0)
			stock_give_back(p, g);
		else
			l->segments[kept++] = g;
	}
	l->count = kept;
	if (kept == 0)
		return 0;
	qsort(l->segments, kept, sizeof(struct segment *), by_generation);
	p->generation = l->segments[kept - 1]->generation;
	return 0;
}

/* ---- the log ---- */

static int
replay_segments(struct listing *l)
{
	struct spool *s = l->spool;
	struct replay r = {.spool = s};

	replay_find_ends(&r, l->segments, l->count);
	for (size_t i = 0; i < l->count; i++) {
		struct segment *g = l->segments[i];

		l->segments[i] = NULL;
		if (replay_segment(&r, g, i) != 0) {
			replay_clear(&r);
			return -1;
		}
	}
	s->writer.sequence = r.last_sequence;
	s->writer.durable = r.last_sequence;
	s->writer.seal = r.last;
	s->writer.newest_ms = s->index.newest_ms;
	replay_clear(&r);
	return 0;
}

/* ---- body files ---- */

struct missing {
	struct listing *listing;
	struct item *items[256];
	size_t count;
};

static void
check_body(struct missing *m, struct item *i)
{
	struct fsio *io = m->listing->spool->io;
	char name[WRITER_FILE_NAME_BYTES];
	char *seen;
	off_t bytes = -1;
	int fd;

	writer_file_name(i->id, name);
	seen = map_remove(m->listing->files, str_of(name));
	fd = seen ? io->ops->open(io, name, O_RDONLY) : -1;
	if (fd >= 0 && (io->ops->trust(io, fd) != 0 || io->ops->size(io, fd, &bytes) != 0))
		bytes = -1;
	if (fd >= 0)
		io->ops->close(io, fd);
	mem_free(seen);
	if (bytes >= 0 && (uint64_t)bytes == i->body_bytes)
		return;
	log_error("spool: %s is missing or not whole: its message is lost", name);
	m->listing->spool->stats.quarantined++;
	if (m->count < 256)
		m->items[m->count++] = i;
}

static void
check_bodies(struct listing *l)
{
	struct missing m = {.listing = l};
	struct index *x = &l->spool->index;

	for (struct segment *g = x->oldest; g; g = g->next)
		for (struct item *i = g->items; i; i = i->next)
			if (i->in_file)
				check_body(&m, i);
	for (size_t i = 0; i < m.count; i++)
		index_remove(x, m.items[i]);
}

/* A body without a record was never acknowledged, unless records were lost: then it is kept. */
static void
tidy_body(struct str key, void *value, void *arg)
{
	struct spool *s = arg;
	char *name = value, lost[300];

	(void)key;
	if (s->stats.quarantined == 0) {
		if (s->io->ops->unlink(s->io, name) != 0)
			log_warn("spool: cannot remove %s: %m", name);
	} else {
		snprintf(lost, sizeof lost, "%s.lost", name);
		log_error("spool: %s belongs to no message, kept as %s", name, lost);
		if (s->io->ops->rename(s->io, name, lost) != 0)
			log_warn("spool: cannot rename %s: %m", name);
	}
	mem_free(name);
}

static void
tidy(struct listing *l)
{
	struct fsio *io = l->spool->io;

	check_bodies(l);
	map_each(l->files, tidy_body, l->spool);
	map_free(&l->files);
	l->files = map_new();
	for (size_t at = 0; at < l->stale.n; at += strlen(l->stale.p + at) + 1)
		io->ops->unlink(io, l->stale.p + at);
}

static void
free_name(struct str key, void *value, void *arg)
{
	(void)key;
	(void)arg;
	mem_free(value);
}

static void
clear(struct listing *l)
{
	for (size_t i = 0; i < l->count; i++)
		segment_free(&l->segments[i], l->spool->io);
	mem_free(l->segments);
	map_each(l->files, free_name, NULL);
	map_free(&l->files);
	buf_clear(&l->stale);
}

int
recover(struct spool *s)
{
	struct listing l = {.spool = s, .files = map_new()};
	int result = -1, error;

	buf_init(&l.stale, STALE_BYTES_MAX);
	/* what a killed process left in memory only is made durable before it is relied on */
	if (s->io->ops->sync_directory(s->io) == 0 && s->io->ops->list(s->io, saw, &l) == 0) {
		s->writer.pool.slot = l.slot_max + 1;
		if (open_segments(&l) == 0 && replay_segments(&l) == 0) {
			tidy(&l);
			result = 0;
		}
	}
	error = errno;
	clear(&l);
	errno = error;
	return result;
}
