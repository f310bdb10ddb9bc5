/*
 * replay: see the header.
 */
#include "queue/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"

enum { KEPT_MAX = 64 };

/* ---- seals ---- */

static bool
read_seal(struct fsio *io, const struct segment *g, struct record_seal *out)
{
	char bytes[4 * RECORD_ALIGN];
	struct iovec v = {bytes, sizeof bytes};
	struct record_frame f;
	struct record r;
	struct str rest;
	bool bad;

	rest.n = segment_read(io, g->fd, v, SEGMENT_DATA);
	rest.p = bytes;
	if (!record_frame_check(rest, g->tag, &f))
		return false;
	rest = str_upto(str_from(rest, RECORD_HEADER_BYTES), f.payload_bytes);
	if (!record_next(&rest, &r, &bad) || r.type != RECORD_SEAL)
		return false;
	*out = r.seal;
	return r.seal.generation < g->generation;
}

/* Newest first: a segment that another one voids seals nothing. */
void
replay_find_ends(struct replay *r, struct segment *const *segments, size_t count)
{
	r->ends = mem_new((count + 1) * sizeof *r->ends);
	for (size_t i = count; i-- > 0;) {
		struct record_seal seal;

		if (r->ends[i].kind == REPLAY_NEVER_WAS)
			continue;
		if (!read_seal(r->spool->io, segments[i], &seal))
			continue;
		for (size_t j = i; j-- > 0 && segments[j]->generation >= seal.generation;) {
			bool is_it = segments[j]->generation == seal.generation;

			r->ends[j].kind = is_it ? REPLAY_SEALED : REPLAY_NEVER_WAS;
			r->ends[j].seal = seal;
		}
	}
}

/* ---- frames ---- */

struct image {
	struct segment *segment;
	struct str bytes;                /* of the file, up to its seal */
	uint32_t end;
	bool is_sealed;
	bool is_out_of_order;            /* whole frames stand in the stretch that was passed */
};

/* The next acceptable frame at or after `at`; image.end if there is none. */
static uint32_t
find_frame(const struct replay *r, struct image *m, uint32_t at, struct record_frame *out)
{
	m->is_out_of_order = false;
	for (; at + RECORD_HEADER_BYTES <= m->end; at += RECORD_ALIGN) {
		if (!record_frame_check(str_from(m->bytes, at), m->segment->tag, out))
			continue;
		if (out->sequence > r->last_sequence)
			return at;
		m->is_out_of_order = true;
	}
	return m->end;
}

static void
apply_frame(struct replay *r, const struct image *m, uint32_t at, const struct record_frame *f)
{
	struct index_place place = {m->segment, at, RECORD_HEADER_BYTES + f->payload_bytes};
	struct str rest = str_from(m->bytes, at + RECORD_HEADER_BYTES);
	struct index *x = &r->spool->index;
	struct record record;
	bool bad;

	rest = str_upto(rest, f->payload_bytes);
	while (record_next(&rest, &record, &bad))
		index_apply(x, &record, &place);
	if (bad)
		log_error("spool: segment %u: a frame at %u is whole but not understood",
		    m->segment->slot, at);
	if (f->newest_ms > x->newest_ms)
		x->newest_ms = f->newest_ms;
	r->last_sequence = f->sequence;
}

/* A copy of the damaged stretch, once. */
static void
keep_aside(struct replay *r, const struct image *m, uint32_t from, uint32_t to)
{
	struct fsio *io = r->spool->io;
	struct iovec v = {(char *)(uintptr_t)m->bytes.p + from, to - from};
	char name[64];
	int fd;

	snprintf(name, sizeof name, "damaged-%llu-%u", (unsigned long long)m->segment->generation,
	    from);
	log_error("spool: segment %u is damaged from %u to %u, kept as %s", m->segment->slot, from,
	    to, name);
	r->spool->stats.quarantined++;
	if (r->kept++ >= KEPT_MAX)
		return;
	fd = io->ops->open(io, name, O_RDWR | O_CREAT | O_EXCL);
	if (fd < 0 && errno != EEXIST)
		log_warn("spool: cannot write %s: %m", name);
	if (fd < 0)
		return;
	if (segment_write(io, fd, &v, 1, 0) != 0)
		log_warn("spool: cannot write %s: %m", name);
	io->ops->close(io, fd);
}

/* Was anything in the stretch acknowledged?  What follows it knows; and a frame behind a later one
 * is no torn write: the disk put something in a wrong place. */
static bool
is_loss(const struct replay *r, const struct image *m, uint32_t to, const struct record_frame *next)
{
	if (m->is_sealed || m->is_out_of_order)
		return true;
	return to < m->end && next->durable > r->last_sequence;
}

static void
walk(struct replay *r, struct image *m)
{
	struct record_frame f;
	uint32_t at = SEGMENT_DATA, found;

	while (at < m->end) {
		found = find_frame(r, m, at, &f);
		if (found > at && is_loss(r, m, found, &f))
			keep_aside(r, m, at, found);
		if (found >= m->end)
			break;
		apply_frame(r, m, found, &f);
		/* a hostile span ends at the segment */
		at = f.span > m->end - found ? m->end : found + f.span;
		r->last = (struct record_seal){m->segment->generation, r->last_sequence, at};
	}
}

/* ---- segments ---- */

static int
load(struct replay *r, struct segment *g, const struct replay_end *end, struct image *out)
{
	struct fsio *io = r->spool->io;
	struct iovec v;
	off_t bytes;

	*out = (struct image){.segment = g, .is_sealed = end->kind == REPLAY_SEALED};
	if (io->ops->size(io, g->fd, &bytes) != 0)
		return -1;
	/* what a killed process wrote and did not sync must not be relied on before it is */
	if (!out->is_sealed && io->ops->sync_data(io, g->fd) != 0)
		return -1;
	if (bytes > g->bytes)
		bytes = g->bytes;
	if (out->is_sealed && (off_t)end->seal.end < bytes)
		bytes = end->seal.end;
	v.iov_len = (size_t)bytes;
	v.iov_base = mem_new(v.iov_len);
	out->bytes = str_make(v.iov_base, segment_read(io, g->fd, v, 0));
	out->end = (uint32_t)out->bytes.n;
	return 0;
}

/* The file may have lost its end: it was written whole before it got its name. */
static void
check_end(struct replay *r, const struct image *m, const struct replay_end *end)
{
	uint32_t whole = m->is_sealed ? end->seal.end : m->segment->bytes;

	if (m->end >= whole)
		return;
	if (m->is_sealed && r->last_sequence >= end->seal.last_sequence)
		return;
	log_error("spool: segment %u is damaged: it ends at %u of %u", m->segment->slot, m->end,
	    whole);
	r->spool->stats.quarantined++;
}

int
replay_segment(struct replay *r, struct segment *g, size_t number)
{
	const struct replay_end *end = &r->ends[number];
	uint64_t before = r->last_sequence;
	struct image m;
	int error;

	if (end->kind == REPLAY_NEVER_WAS) {
		stock_give_back(&r->spool->writer.pool, g);
		return 0;
	}
	if (load(r, g, end, &m) != 0) {
		error = errno;
		segment_free(&g, r->spool->io);
		errno = error;
		return -1;
	}
	walk(r, &m);
	check_end(r, &m, end);
	mem_free((char *)(uintptr_t)m.bytes.p);
	/* prepared and never used, or nothing in it can be read */
	if (r->last_sequence == before)
		stock_give_back(&r->spool->writer.pool, g);
	else
		index_add_segment(&r->spool->index, g);
	return 0;
}

void
replay_clear(struct replay *r)
{
	mem_free(r->ends);
	r->ends = NULL;
}
