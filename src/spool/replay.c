/*
 * replay: a segment is read into memory as a whole.  Frames are accepted in rising order of their
 * sequence numbers; a range without such a frame is either the remains of an unfinished write or
 * damage.
 */
#include "spool/replay.h"

#include <errno.h>
#include <stdio.h>

#include "base/error_text.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "spool/lost_messages.h"
#include "spool/replay_refuse.h"
#include "spool/segment_chain.h"
#include "spool/segment_pool.h"
#include "spool/spool_fault.h"
#include "spool/stale_segments.h"

enum { REPLAY_PIECE_BYTES = 1 << 20 };

/* ---- refusing a start ---- */

/* -1 with errno, logged; 0, logged: the log does not need the segment any more. */
static int
replay_refuse_segment(struct replay *r, struct segment *g, uint64_t offset)
{
	char name[SEGMENT_NAME_BYTES];

	if (segment_chain_is_freed(r, g->generation))
		return stale_segments_unreadable(r, g, offset);
	return replay_refuse(segment_name(g->slot, name), offset);
}

/* ---- seals ---- */

/* -1 with errno, logged.  Only when damage is accepted does the start go on after a seal that
 * cannot be read.  A segment that was freed is not needed, nor are those before it. */
static int
replay_find_seal(struct replay *r, struct segment *g, struct replay_end *end)
{
	char name[SEGMENT_NAME_BYTES];

	end->state = seals_read(r->spool->io, g, &end->own_seal, &end->sequence);
	if (end->state != SEAL_NONE && g->generation > r->newest_seal)
		r->newest_seal = g->generation;
	if (end->state != SEAL_UNREAD)
		return 0;
	if (segment_chain_is_freed(r, g->generation)) {
		end->kind = REPLAY_FREED;
		return stale_segments_unreadable(r, g, SEGMENT_DATA);
	}
	if (segment_is_medium_error(errno) && r->spool->options.accept_damage)
		return 0;
	return replay_refuse(segment_name(g->slot, name), SEGMENT_DATA);
}

/* Applies what the first frame of segment i records about those before it. */
static void
replay_set_ends(struct replay *r, struct segment *const *segments, size_t i)
{
	const struct frame_seal *seal = &r->ends[i].own_seal;

	if (r->ends[i].state != SEAL_VALID)
		return;
	for (size_t j = i; j-- > 0 && segments[j]->generation >= seal->generation;) {
		bool is_it = segments[j]->generation == seal->generation;

		r->ends[j].kind = is_it ? REPLAY_SEALED : REPLAY_VOIDED;
		r->ends[j].seal = *seal;
		r->ends[j].voided_by = r->ends[i].sequence;
	}
}

/* Newest first: the seal of a segment that is void has no effect, nor has that of a segment before
 * those that were freed and are gone. */
int
replay_find_ends(struct replay *r, struct segment *const *segments, size_t count)
{
	uint64_t newest_freed = 0;

	r->ends = mem_new((count + 1) * sizeof *r->ends);
	for (size_t i = count; i-- > 0;) {
		struct replay_end *end = &r->ends[i];

		if (end->kind == REPLAY_VOIDED)
			continue;
		if (segments[i]->generation < newest_freed) {
			end->kind = REPLAY_FREED;
			continue;
		}
		if (replay_find_seal(r, segments[i], end) != 0)
			return -1;
		replay_set_ends(r, segments, i);
		if (end->kind == REPLAY_FREED)
			newest_freed = segments[i]->generation;
		else if (segment_chain_follows_freed(r, segments, count, end))
			newest_freed = end->own_seal.generation;
	}
	return 0;
}

/* ---- frames ---- */

struct replay_image {
	struct segment *segment;
	struct str bytes;                /* of the file, up to its seal */
	struct segment_holes holes;      /* what could not be read is zero in bytes */
	uint32_t end;
	bool is_sealed;
	struct seals_summary summary;    /* of its frames, damaged or not */
	bool has_damaged_seal;           /* it was written, and is damaged */
	bool is_out_of_order;            /* the skipped range contains undamaged frames */
};

/* The offset of the next acceptable frame from `at` on; m->end if there is none. */
static uint32_t
replay_find_frame(
    const struct replay *r, struct replay_image *m, uint32_t at, struct frame_header *out)
{
	m->is_out_of_order = false;
	for (; at + FRAME_HEADER_BYTES <= m->end; at += FRAME_ALIGN) {
		if (at % REPLAY_PIECE_BYTES == 0)
			metrics_progress();
		if (!frame_check(str_from(m->bytes, at), m->segment->tag, out))
			continue;
		if (out->sequence > r->last_sequence)
			return at;
		m->is_out_of_order = true;
	}
	return m->end;
}

/* Adds a copy of readable bytes, once.  False: it exists, and an earlier start has logged
 * everything. */
static bool
replay_copy_damage(struct replay *r, const struct replay_image *m, uint32_t from, uint32_t to)
{
	struct damage_copies_stretch s = {m->segment, from, to};
	char name[DAMAGE_COPIES_NAME_BYTES];
	int found = damage_copies_find(r->spool->io, &s, name), error = errno;

	if (found > 0) {
		log_info("spool: segment %u is damaged from %u to %u, as is known: %s",
		    m->segment->slot, from, to, name);
		return false;
	}
	log_error("spool: segment %u is damaged from %u to %u", m->segment->slot, from, to);
	errno = error;
	if (found < 0)
		damage_copies_set_unsure(&r->damage_copies, &s, name,
		    r->spool->options.accept_damage && replay_may_accept(error));
	else
		damage_copies_add(&r->damage_copies, &s);
	return true;
}

/* Copies the readable parts of a damaged range; zeros that stand for unreadable bytes are not
 * content. */
static void
replay_copy_readable(struct replay *r, const struct replay_image *m, uint32_t from, uint32_t to)
{
	const struct segment_holes *h = &m->holes;
	bool is_new = segment_has_hole(h, from, to);
	uint32_t begin = from;

	for (size_t i = 0; i < h->count && from < to; i++) {
		if (h->item[i].to <= from || h->item[i].from >= to)
			continue;
		log_error("spool: segment %u cannot be read from %u to %u: %s", m->segment->slot,
		    h->item[i].from, h->item[i].to, error_text(h->error));
		if (h->item[i].from > from)
			(void)replay_copy_damage(r, m, from, h->item[i].from);
		from = h->item[i].to;
	}
	if (from < to)
		is_new |= replay_copy_damage(r, m, from, to);
	if (!is_new) {
		r->spool->stats.known_damages++;
		return;
	}
	r->spool->stats.quarantined++;
	lost_messages_scan_stretch(r, m->segment, str_upto(m->bytes, to), begin);
}

/* -1 with errno: a newer version wrote it. */
static int
replay_check_frame(const struct replay_image *m, uint32_t at, const struct frame_header *f,
    const struct frame_entry *record, bool is_bad)
{
	char name[SEGMENT_NAME_BYTES];
	uint32_t version = f->version > SEGMENT_VERSION ? f->version : SEGMENT_VERSION + 1;

	segment_name(m->segment->slot, name);
	if (f->version > SEGMENT_VERSION)
		return replay_refuse_version(name, at, version);
	if (!is_bad || !frame_is_critical((uint32_t)record->type))
		return 0;
	log_error("spool: %s, offset %u: an entry of type %u, which must be understood", name, at,
	    (unsigned)record->type);
	return replay_refuse_version(name, at, version);
}

static int
replay_apply_frame(
    struct replay *r, const struct replay_image *m, uint32_t at, const struct frame_header *f)
{
	struct str rest = str_upto(str_from(m->bytes, at + FRAME_HEADER_BYTES), f->payload_bytes);
	struct index_position position = {
	    m->segment, at, FRAME_HEADER_BYTES + f->payload_bytes, rest};
	struct spool_index *x = &r->spool->index;
	struct frame_entry record = {0};
	bool bad;

	if (replay_check_frame(m, at, f, &record, false) != 0)
		return -1;
	while (frame_next_entry(&rest, &record, &bad)) {
		if (record.type == FRAME_MESSAGE)
			lost_messages_pass_stored(r, record.entry.id, m->segment->generation);
		if (record.type == FRAME_STATUS)
			lost_messages_pass_status(r, &record.entry);
		index_apply(x, &record, &position);
		if (record.type == FRAME_MESSAGE && r->spool->recovery)
			kept_envelopes_add(&r->envelopes, &record.entry, &position);
	}
	if (bad && replay_check_frame(m, at, f, &record, true) != 0)
		return -1;
	if (bad) {
		log_error("spool: segment %u: a frame at %u is whole, but an entry of type %u in "
			  "it is not well-formed", m->segment->slot, at, (unsigned)record.type);
		replay_copy_readable(r, m, at, at + position.bytes);
	}
	if (x->unknown.is_full) {
		log_error("spool: segment %u, offset %u: more entries of a newer Sallyport than "
			  "this version can keep", m->segment->slot, at);
		errno = EPROTO;
		return -1;
	}
	if (f->newest_ms > x->newest_ms)
		x->newest_ms = f->newest_ms;
	r->last_sequence = f->sequence;
	return 0;
}

/* Was anything in the range acknowledged?  A later write shows that; the next frame may belong to
 * the same write.  An older frame after a newer one is no torn write: the disk put something in a
 * wrong place; nor is a damaged seal. */
static bool
replay_is_loss(const struct replay *r, const struct replay_image *m, uint32_t from, uint32_t to,
    const struct frame_header *next)
{
	if (m->is_sealed || m->is_out_of_order || segment_has_hole(&m->holes, from, to))
		return true;
	if (to == m->end)
		return from > SEGMENT_DATA && m->summary.durable > r->last_sequence;
	return (from == SEGMENT_DATA && m->has_damaged_seal) ||
	    (m->summary.durable > r->last_sequence && next->sequence > r->last_sequence + 1);
}

/* Is the range the remains of an unfinished write?  At the end of a file only the header of a frame
 * shows it. */
static bool
replay_is_unfinished(const struct replay *r, const struct replay_image *m, uint32_t from,
    uint32_t to, const struct frame_header *next)
{
	if (to < m->end)
		return from > SEGMENT_DATA && next->sequence > r->last_sequence + 1;
	return from > SEGMENT_DATA && m->summary.last_at >= from && m->end == m->segment->bytes;
}

static void
replay_pass_stretch(struct replay *r, const struct replay_image *m, uint32_t from, uint32_t to,
    const struct frame_header *next)
{
	if (replay_is_loss(r, m, from, to, next))
		replay_copy_readable(r, m, from, to);
	else if (replay_is_unfinished(r, m, from, to, next))
		lost_messages_log_unfinished(r, m->segment, from);
}

static int
replay_image_frames(struct replay *r, struct replay_image *m)
{
	struct frame_header f;
	uint32_t at = SEGMENT_DATA, found;

	while (at < m->end) {
		metrics_progress();
		found = replay_find_frame(r, m, at, &f);
		if (found > at)
			replay_pass_stretch(r, m, at, found, &f);
		if (found >= m->end)
			break;
		if (replay_apply_frame(r, m, found, &f) != 0)
			return -1;
		/* a span that is too large ends at the end of the segment */
		at = f.span > m->end - found ? m->end : found + f.span;
		r->last = (struct frame_seal){m->segment->generation, r->last_sequence, at};
	}
	return 0;
}

/* ---- segments ---- */

/* Reads every byte, or the start is refused, unless damage is accepted. */
static int
replay_read_image(
    struct replay *r, struct segment *g, struct iovec buffer, struct replay_image *out)
{
	size_t got;

	out->bytes.p = buffer.iov_base;
	if (!r->spool->options.accept_damage) {
		if (fsio_read_all(r->spool->io, g->fd, buffer, 0, &got) != 0)
			return replay_refuse_segment(r, g, got);
	} else if (segment_salvage(r->spool->io, g->fd, buffer, &out->holes, &got) != 0) {
		return replay_refuse_segment(r, g, got);
	}
	g->is_unusable |= out->holes.count > 0;
	out->bytes.n = got;
	out->end = (uint32_t)got;
	return 0;
}

/* One buffer for all segments: its memory is touched for the first time only once. */
static char *
replay_ensure_buffer(struct replay *r, size_t bytes)
{
	if (bytes > r->buffer_bytes) {
		mem_free(r->buffer);
		r->buffer = mem_new(bytes);
		r->buffer_bytes = bytes;
	}
	return r->buffer;
}

static int
replay_load_image(
    struct replay *r, struct segment *g, const struct replay_end *end, struct replay_image *out)
{
	struct fsio *io = r->spool->io;
	struct iovec v;
	off_t bytes;

	*out = (struct replay_image){.segment = g, .is_sealed = end->kind == REPLAY_SEALED};
	if (io->ops->size(io, g->fd, &bytes) != 0)
		return replay_refuse_segment(r, g, 0);
	/* what a killed process wrote and did not sync is made durable before the start relies on
	 * it */
	if (!out->is_sealed && io->ops->sync_data(io, g->fd) != 0 &&
	    !(r->spool->options.accept_damage && segment_is_medium_error(errno)))
		return replay_refuse_segment(r, g, 0);
	if (bytes > g->bytes)
		bytes = g->bytes;
	if (out->is_sealed && (off_t)end->seal.end < bytes)
		bytes = end->seal.end;
	v.iov_len = (size_t)bytes;
	v.iov_base = replay_ensure_buffer(r, v.iov_len);
	if (replay_read_image(r, g, v, out) != 0)
		return -1;
	out->has_damaged_seal = end->state == SEAL_DAMAGED;
	seals_scan(g, out->bytes, &out->summary);
	g->has_bad_start = seals_is_bad_start(g, out->bytes);
	return 0;
}

static void
replay_image_clear(struct replay_image *m)
{
	int error = errno;

	segment_holes_clear(&m->holes);
	errno = error;
}

/* The end of the last frame that was read. */
static uint32_t
replay_last_frame_end(const struct replay *r, const struct replay_image *m)
{
	return r->last.generation == m->segment->generation ? r->last.end : SEGMENT_DATA;
}

/* Does the log go on after the end of the file?  After the last frame of an open segment stands
 * either the next frame or bytes that are no frame. */
static bool
replay_is_truncated(
    const struct replay *r, const struct replay_image *m, const struct replay_end *end)
{
	struct frame_header f;
	uint32_t at = replay_last_frame_end(r, m);

	if (m->is_sealed)
		return m->end < end->seal.end && r->last_sequence < end->seal.last_sequence;
	return m->end < m->segment->bytes &&
	    (at + FRAME_HEADER_BYTES > m->end ||
	        frame_header_read(str_from(m->bytes, at), m->segment->tag, &f));
}

/* Has the file lost its end?  It was written in full before it got its name, so no crash truncates
 * it.  -1 with errno, logged: messages are lost, and the start does not accept that. */
static int
replay_check_end(struct replay *r, const struct replay_image *m, const struct replay_end *end)
{
	char name[SEGMENT_NAME_BYTES];

	segment_name(m->segment->slot, name);
	if (!replay_is_truncated(r, m, end) || segment_chain_is_freed(r, m->segment->generation))
		return 0;
	if (segment_is_missing(&r->mark, m->segment->generation)) {
		r->spool->stats.known_damages++;
		log_info("spool: %s ends at %u of %u, as an earlier start with --accept-damage "
			 "has logged", name, m->end, m->segment->bytes);
		return 0;
	}
	log_error("spool: %s is cut short: it ends at %u of %u; messages that were acknowledged "
	          "are lost with its end; %s",
	    name, m->end, m->segment->bytes,
	    segment_chain_advice(r,
	        "put the whole file back, or start once with --accept-damage, which "
	        "delivers the rest and logs what is lost, as far as is known"));
	/* in a sealed segment this was done already, as for a damaged range */
	if (!m->is_sealed)
		lost_messages_scan_damage(r, m->segment, m->bytes, replay_last_frame_end(r, m));
	return segment_chain_accept_loss(r, m->segment->generation);
}

/* None of its records can be read: the segment is free, unless it had a seal. */
static void
replay_check_empty(struct replay *r, const struct replay_image *m)
{
	struct segment *g = m->segment;
	char name[SEGMENT_NAME_BYTES], new_name[SEGMENT_SET_ASIDE_BYTES];

	if (!g->is_unusable && !m->has_damaged_seal)
		r->unused = g->generation;
	if (g->is_unusable || !m->has_damaged_seal)
		return;
	g->is_unusable = true;
	r->spool->stats.quarantined++;
	log_error("spool: %s (generation %llu) was written to, and none of its records can be "
		  "read: messages that were acknowledged may be lost; it is set aside as %s",
	    segment_name(g->slot, name), (unsigned long long)g->generation,
	    segment_set_aside_name(g, new_name));
	lost_messages_scan_stretch(r, g, m->bytes, SEGMENT_DATA);
}

int
replay_segment(struct replay *r, struct segment *g, size_t number)
{
	const struct replay_end *end = &r->ends[number];
	uint64_t before = r->last_sequence;
	struct replay_image m;
	bool is_lost, is_empty;
	int error;

	metrics_work("recover: read a segment");
	metrics_progress();
	if (replay_load_image(r, g, end, &m) != 0 ||
	    segment_chain_check_unsealed(r, g, end, m.bytes) != 0 ||
	    replay_image_frames(r, &m) != 0) {
		error = errno;
		replay_image_clear(&m);
		index_add_segment(&r->spool->index, g);
		errno = error;
		return -1;
	}
	is_lost = replay_check_end(r, &m, end) != 0;
	error = errno;
	is_empty = r->last_sequence == before && end->kind != REPLAY_SEALED;
	if (is_empty)
		replay_check_empty(r, &m);
	replay_image_clear(&m);
	if (is_empty)
		segment_pool_return(&r->spool->writer.pool, g);
	else
		index_add_segment(&r->spool->index, g);
	errno = error;
	return is_lost ? -1 : 0;
}

void
replay_clear(struct replay *r)
{
	lost_messages_clear(r);
	kept_envelopes_clear(&r->envelopes);
	mem_free(r->buffer);
	r->buffer = NULL;
	mem_free(r->ends);
	r->ends = NULL;
}
