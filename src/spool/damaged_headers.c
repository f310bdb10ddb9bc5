/*
 * damaged_headers: reads each such file completely, collects the sequence numbers of its frames,
 * and compares them with the seals of all segments, the most reliable way first.
 */
#include "spool/damaged_headers.h"

#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "spool/lost_messages.h"
#include "spool/replay_refuse.h"
#include "spool/segment_chain.h"

enum { DAMAGED_HEADERS_BYTES_MAX = 1 << 30, DAMAGED_HEADERS_PIECE_BYTES = 1 << 20 };

/* ---- reading the file ---- */

/* The tag is taken only from the place of the first frame: bytes elsewhere that look like a frame
 * may be the text of a message. */
static bool
find_first_frame_tag(struct segment *g, struct str bytes, struct frame_header *f)
{
	struct str first = str_from(bytes, SEGMENT_DATA);

	if (!frame_header_tag(first, &g->tag) || !frame_check(first, g->tag, f))
		return false;
	return true;
}

static void
count_whole_frames(struct damaged_header *c, struct str bytes)
{
	struct frame_header f;
	size_t at = SEGMENT_DATA;

	while (at + FRAME_HEADER_BYTES <= bytes.n) {
		if (at % DAMAGED_HEADERS_PIECE_BYTES == 0)
			metrics_progress();
		if (!frame_check(str_from(bytes, at), c->segment->tag, &f)) {
			at += FRAME_ALIGN;
			continue;
		}
		c->first = c->frames == 0 ? f.sequence : c->first;
		c->last = f.sequence > c->last ? f.sequence : c->last;
		c->frames++;
		at += f.span;
	}
}

/* Is there a frame of any tag? */
static bool
has_any_frame(struct str bytes)
{
	uint64_t tag;

	for (size_t at = SEGMENT_DATA; at < bytes.n; at += FRAME_ALIGN) {
		if (at % DAMAGED_HEADERS_PIECE_BYTES == 0)
			metrics_progress();
		if (frame_header_tag(str_from(bytes, at), &tag))
			return true;
	}
	return false;
}

static int
read_damaged_segment(struct replay *r, struct segment *g, struct str *out)
{
	struct fsio *io = r->spool->io;
	struct segment_holes holes = {0};
	char name[SEGMENT_NAME_BYTES];
	struct iovec buffer = {0};
	off_t bytes;
	int result = io->ops->size(io, g->fd, &bytes), error;

	out->n = 0;
	if (result == 0 && (bytes < SPOOL_SEGMENT_MIN || bytes > DAMAGED_HEADERS_BYTES_MAX))
		bytes = 0;
	if (result == 0) {
		buffer.iov_len = (size_t)bytes;
		buffer.iov_base = mem_new(buffer.iov_len + 1);
		result = r->spool->options.accept_damage
		    ? segment_salvage(io, g->fd, buffer, &holes, &out->n)
		    : fsio_read_all(io, g->fd, buffer, 0, &out->n);
	}
	/* not used again, even if its frames belong to an earlier use */
	g->is_unusable |= holes.count > 0;
	segment_holes_clear(&holes);
	out->p = buffer.iov_base;
	if (result != 0) {
		error = errno;
		mem_free(buffer.iov_base);
		errno = error;
		return replay_refuse(segment_name(g->slot, name), out->n);
	}
	return 0;
}

int
damaged_headers_examine(
    struct replay *r, struct segment *g, struct damaged_header **list, bool *is_segment_out)
{
	struct damaged_header *c;
	struct frame_header f;
	struct str bytes;
	bool has_first;

	if (read_damaged_segment(r, g, &bytes) != 0)
		return -1;
	g->bytes = (uint32_t)bytes.n;
	has_first = find_first_frame_tag(g, bytes, &f);
	*is_segment_out = has_first || has_any_frame(bytes);
	if (*is_segment_out) {
		c = MEM_NEW(struct damaged_header);
		*c = (struct damaged_header){
		    .next = *list, .segment = g, .has_bad_first = !has_first};
		*list = c;
		g->generation = 0;
		g->has_bad_header = true;
		count_whole_frames(c, bytes);
		c->has_seal =
		    has_first && seals_find(g, bytes, &c->seal, &c->seal_sequence) == SEAL_VALID;
	}
	mem_free((char *)(uintptr_t)bytes.p);
	return 0;
}

void
damaged_headers_clear(struct damaged_header **list)
{
	for (struct damaged_header *c = *list, *next; c; c = next) {
		next = c->next;
		mem_free(c);
	}
	*list = NULL;
}

/* ---- finding the generation ---- */

struct damaged_headers_known {
	uint64_t generation;
	bool has_seal;
	/* its seal is damaged or unreadable: the segment that it names is not known */
	bool is_unknown;
	struct frame_seal seal;
	uint64_t seal_sequence;          /* sequence number of that seal */
};

struct damaged_headers_known_list {
	struct damaged_headers_known *known;
	size_t count;
};

static bool
generation_is_known(const struct damaged_headers_known_list *a, uint64_t generation)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->known[i].generation == generation)
			return true;
	return false;
}

static void
assign_generation(
    struct damaged_headers_known_list *a, struct damaged_header *c, uint64_t generation)
{
	c->segment->generation = generation;
	a->known[a->count++] = (struct damaged_headers_known){
	    generation, c->has_seal, false, c->seal, c->seal_sequence};
}

/* Does the seal name the end of this segment? */
static bool
seal_names_segment(const struct damaged_headers_known_list *a, const struct damaged_header *c,
    const struct frame_seal *seal)
{
	return seal->last_sequence >= c->first && seal->last_sequence <= c->last &&
	    seal->generation > 0 && !generation_is_known(a, seal->generation);
}

static bool
assign_by_next_seal(struct damaged_headers_known_list *a, struct damaged_header *c,
    const struct damaged_header *damaged)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->known[i].has_seal && seal_names_segment(a, c, &a->known[i].seal)) {
			assign_generation(a, c, a->known[i].seal.generation);
			return true;
		}
	for (const struct damaged_header *o = damaged; o; o = o->next)
		if (o != c && o->has_seal && seal_names_segment(a, c, &o->seal)) {
			assign_generation(a, c, o->seal.generation);
			return true;
		}
	return false;
}

/* The newest segment of the log follows the newest one of all that hold frames. */
static bool
assign_as_newest(struct damaged_headers_known_list *a, struct damaged_header *c)
{
	uint64_t newest = 0;

	if (!c->has_seal)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct damaged_headers_known *k = &a->known[i];

		/* written earlier, after the same segment, and then voided */
		if (k->has_seal && k->generation > c->seal.generation &&
		    !(k->seal_sequence < c->first && k->seal.generation == c->seal.generation))
			return false;
		/* its seal may be the one that names this segment */
		if (k->is_unknown && k->generation > c->seal.generation)
			return false;
		newest = k->generation > newest ? k->generation : newest;
	}
	newest = c->seal.generation > newest ? c->seal.generation : newest;
	assign_generation(a, c, newest + 1);
	return true;
}

/* Segments are freed in order: so a segment that follows one that is not freed, or that follows the
 * last one that is freed, is needed. */
static bool
damaged_segment_is_needed(const struct replay *r, const struct damaged_header *c)
{
	return r->mark.is_known && c->has_seal && c->seal.generation >= r->mark.freed;
}

/* Was another segment begun in its place later? */
static bool
damaged_segment_is_void(const struct damaged_headers_known_list *a, const struct damaged_header *c)
{
	for (size_t i = 0; i < a->count; i++)
		if (c->has_seal && a->known[i].has_seal &&
		    a->known[i].seal.generation == c->seal.generation &&
		    a->known[i].seal_sequence > c->last)
			return true;
	return false;
}

/* The seal that names this segment is damaged.  The segment stands after the one that its own seal
 * names, and before the next one, if that is the one with the damaged seal. */
static bool
assign_before_damaged_seal(
    const struct replay *r, struct damaged_headers_known_list *a, struct damaged_header *c)
{
	const struct damaged_headers_known *next = NULL;

	if (!damaged_segment_is_needed(r, c) || damaged_segment_is_void(a, c))
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct damaged_headers_known *k = &a->known[i];

		if (k->generation > c->seal.generation && (k->has_seal || k->is_unknown) &&
		    (!next || k->generation < next->generation))
			next = k;
	}
	if (!next || !next->is_unknown || generation_is_known(a, next->generation - 1))
		return false;
	assign_generation(a, c, next->generation - 1);
	return true;
}

enum damaged_headers_way {
	DAMAGED_HEADERS_BY_NEXT_SEAL,
	DAMAGED_HEADERS_AS_NEWEST,
	DAMAGED_HEADERS_BEFORE_DAMAGED,
	DAMAGED_HEADERS_WAYS
};

static bool
assign_one_generation(const struct replay *r, struct damaged_headers_known_list *a,
    struct damaged_header *damaged, enum damaged_headers_way way)
{
	for (struct damaged_header *c = damaged; c; c = c->next) {
		if (c->segment->generation > 0 || c->has_bad_first)
			continue;
		if (way == DAMAGED_HEADERS_BY_NEXT_SEAL   ? assign_by_next_seal(a, c, damaged)
		    : way == DAMAGED_HEADERS_AS_NEWEST ? assign_as_newest(a, c)
		                            : assign_before_damaged_seal(r, a, c))
			return true;
	}
	return false;
}

/* The most reliable ways come first. */
static bool
assign_by_surest_way(
    const struct replay *r, struct damaged_headers_known_list *a, struct damaged_header *damaged)
{
	for (enum damaged_headers_way way = DAMAGED_HEADERS_BY_NEXT_SEAL;
	     way < DAMAGED_HEADERS_WAYS; way++)
		if (assign_one_generation(r, a, damaged, way))
			return true;
	return false;
}

/* Does it belong to an earlier use of the file, or was it voided?  Then all its frames are older
 * than the end of the segment that the oldest one follows, or the segment after it was freed, or
 * another segment was begun in its place. */
static bool
damaged_segment_is_obsolete(const struct replay *r, const struct damaged_headers_known_list *a,
    const struct damaged_header *c)
{
	uint64_t oldest = UINT64_MAX, end = 0;

	if (c->segment->generation > 0)
		return r->mark.is_known && c->segment->generation <= r->mark.freed;
	if (c->has_bad_first)
		return false;
	if (damaged_segment_is_void(a, c) ||
	    (r->mark.is_known && c->has_seal && c->seal.generation < r->mark.freed))
		return true;
	for (size_t i = 0; i < a->count; i++) {
		const struct damaged_headers_known *k = &a->known[i];

		if ((!k->has_seal && !k->is_unknown) ||
		    (r->mark.is_known && k->generation <= r->mark.freed) ||
		    k->generation >= oldest)
			continue;
		oldest = k->generation;
		end = k->has_seal ? k->seal.last_sequence : 0;
	}
	return c->last < end;
}

/* A message in a file that is set aside may still be delivered from there: it is logged as such. */
static int
scan_unassigned_segment(struct replay *r, struct segment *g)
{
	struct str bytes;

	if (read_damaged_segment(r, g, &bytes) != 0)
		return -1;
	lost_messages_scan_file(r, g, bytes);
	mem_free((char *)(uintptr_t)bytes.p);
	return 0;
}

static int
log_damaged_header(
    struct replay *r, const struct damaged_headers_known_list *a, struct damaged_header *c)
{
	char name[SEGMENT_NAME_BYTES];

	segment_name(c->segment->slot, name);
	segment_chain_merge_mark(r, c->segment, &c->mark);
	if (damaged_segment_is_obsolete(r, a, c)) {
		c->segment->generation = 0;
		return 0;
	}
	if (c->segment->generation > 0) {
		log_error("spool: the header of %s is damaged; %u records in it are whole and are "
			  "used, and the header is written anew", name, c->frames);
		r->spool->stats.quarantined++;
		return 0;
	}
	log_error("spool: the header of %s is damaged, and it is not known where its %u records "
		  "belong; messages that were acknowledged may stand in it; put the file back from "
		  "a backup, or start once with --accept-damage, which sets it aside", name,
	    c->frames);
	return segment_chain_accept_loss(r, 0) == 0 ? scan_unassigned_segment(r, c->segment) : -1;
}

/* A segment without a seal: did it have one that was durable?  -1 with errno, logged. */
static int
check_known_unsealed(struct replay *r, struct segment *g, struct damaged_headers_known *k)
{
	struct seals_summary summary;
	struct str bytes;

	if (read_damaged_segment(r, g, &bytes) != 0)
		return -1;
	seals_scan(g, bytes, &summary);
	mem_free((char *)(uintptr_t)bytes.p);
	k->is_unknown = seals_was_durable(&summary);
	return 0;
}

static int
read_known_seal(struct replay *r, struct segment *g, struct damaged_headers_known *k)
{
	char name[SEGMENT_NAME_BYTES];
	enum seal_state state = seals_read(r->spool->io, g, &k->seal, &k->seal_sequence);

	k->generation = g->generation;
	k->has_seal = state == SEAL_VALID;
	k->is_unknown = state == SEAL_DAMAGED || state == SEAL_UNREAD;
	if (state == SEAL_UNREAD &&
	    (!r->spool->options.accept_damage || !segment_is_medium_error(errno)))
		return replay_refuse(segment_name(g->slot, name), SEGMENT_DATA);
	return state == SEAL_NONE ? check_known_unsealed(r, g, k) : 0;
}

/* Reads the seals of the segments whose header is good.  -1 with errno, logged: one cannot be
 * read. */
static int
read_known_seals(struct replay *r, struct damaged_headers_known_list *a,
    struct segment *const *good, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (read_known_seal(r, good[i], &a->known[a->count++]) != 0)
			return -1;
	return 0;
}

int
damaged_headers_assign(struct replay *r, struct damaged_header *damaged,
    struct segment *const *good, size_t good_count)
{
	struct damaged_headers_known_list a = {NULL, 0};
	size_t count = good_count;
	int result = 0, error;

	for (struct damaged_header *c = damaged; c; c = c->next)
		count++;
	if (!damaged)
		return 0;
	a.known = mem_new(count * sizeof *a.known);
	if (read_known_seals(r, &a, good, good_count) != 0) {
		error = errno;
		mem_free(a.known);
		errno = error;
		return -1;
	}
	while (assign_by_surest_way(r, &a, damaged))
		continue;
	for (struct damaged_header *c = damaged; c; c = c->next)
		if (log_damaged_header(r, &a, c) != 0)
			result = -1;
	mem_free(a.known);
	if (result != 0)
		errno = ENOTRECOVERABLE;
	return result;
}
