/*
 * segment_chain: a missing segment is found by the seal that names it, by the generations around a
 * damaged seal, by the file newest-segment, or by the marks if nothing else is left.
 */
#include "spool/segment_chain.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "spool/lost_messages.h"

/* A segment of 64 MiB holds 2^19 frames; as many again may have been refused. */
enum { SEGMENT_CHAIN_SEQUENCE_SHIFT = 20 };
/* More than the generations that missing files without a trace can have had. */
enum { SEGMENT_CHAIN_SKIP = SEGMENT_SLOTS_MAX };

static const char put_back[] =
    "put the file back, from a backup or from where it was moved, or start once with "
    "--accept-damage, which delivers the rest and tells where in this log to look for the lost "
    "ones";
static const char put_all_back[] =
    "put the files back, from a backup or from where they were moved, or start once with "
    "--accept-damage, which begins anew";

void
segment_chain_merge_mark(struct replay *r, const struct segment *g, const struct segment_mark *mark)
{
	if (g->generation > 0 && g->generation >= r->newest_header) {
		r->newest_header = g->generation;
		r->mark.is_known = mark->is_known;
	}
	segment_add_mark(&r->mark, mark);
}

const char *
segment_chain_advice(const struct replay *r, const char *if_refused)
{
	if (!r->spool->options.accept_damage)
		return if_refused;
	return "--accept-damage is given: this start goes on without it, and names the messages "
	       "that are lost, or says where in this log to look for them; put back later it may "
	       "not be read any more: sallyportd(8), BACKUP AND RESTORE, tells how its mail is "
	       "delivered then";
}

int
segment_chain_accept_loss(struct replay *r, uint64_t generation)
{
	r->spool->stats.quarantined++;
	r->has_loss = true;
	lost_messages_add_gap(r, generation);
	if (r->spool->options.accept_damage) {
		if (generation && !segment_add_missing(&r->mark, generation))
			r->unlisted++;
		return 0;
	}
	errno = ENOTRECOVERABLE;
	return -1;
}

static bool
segment_chain_has(struct segment *const *segments, size_t count, uint64_t generation)
{
	for (size_t i = 0; i < count; i++)
		if (segments[i]->generation == generation)
			return true;
	return false;
}

int
segment_chain_check_generations(struct segment *const *segments, size_t count)
{
	char name[SEGMENT_NAME_BYTES], other[SEGMENT_NAME_BYTES];
	bool is_twice = false;

	for (size_t i = 1; i < count; i++) {
		const struct segment *a = segments[i - 1], *b = segments[i];

		if (a->generation != b->generation)
			continue;
		is_twice = true;
		log_error("spool: %s and %s have the same generation (%llu): one of them was put "
			  "back, or is a copy; the spool is not opened and nothing is changed; "
			  "move the one that does not belong to this log out of the directory, "
			  "and start again",
		    segment_name(a->slot < b->slot ? a->slot : b->slot, name),
		    segment_name(a->slot < b->slot ? b->slot : a->slot, other),
		    (unsigned long long)a->generation);
	}
	errno = EEXIST;
	return is_twice ? -1 : 0;
}

bool
segment_chain_is_read(const struct replay_end *end)
{
	return end->kind == REPLAY_OPEN || end->kind == REPLAY_SEALED;
}

/* The index of the next older segment that has frames; count: there is none. */
static size_t
segment_chain_previous(const struct replay *r, size_t number, size_t count)
{
	while (number-- > 0)
		if (segment_chain_is_read(&r->ends[number]) && r->ends[number].state != SEAL_NONE)
			return number;
	return count;
}

bool
segment_chain_is_freed(const struct replay *r, uint64_t generation)
{
	return r->mark.is_known && generation <= r->mark.freed;
}

/* Does its seal name a segment that is not there?  The first seal of a log that begins anew names
 * no segment, only a generation above all missing ones; no other seal has its end where frames
 * begin. */
static bool
segment_chain_names_missing(
    struct segment *const *segments, size_t count, const struct replay_end *end)
{
	return end->state == SEAL_VALID && end->own_seal.generation > 0 &&
	       end->own_seal.end > SEGMENT_DATA &&
	       !segment_chain_has(segments, count, end->own_seal.generation);
}

bool
segment_chain_follows_freed(const struct replay *r, struct segment *const *segments, size_t count,
    const struct replay_end *end)
{
	return segment_chain_names_missing(segments, count, end) &&
	       segment_chain_is_freed(r, end->own_seal.generation);
}

/* 0.1.0 did not record what was freed: then only a gap between two segments shows it. */
static bool
segment_chain_is_gap(
    const struct replay *r, struct segment *const *segments, size_t count, size_t number)
{
	const struct replay_end *end = &r->ends[number];

	if (!segment_chain_names_missing(segments, count, end) ||
	    segment_chain_is_freed(r, end->own_seal.generation))
		return false;
	return r->mark.is_known || segment_chain_previous(r, number, count) < count;
}

static int
segment_chain_log_gap(
    struct replay *r, struct segment *const *segments, size_t count, size_t number)
{
	const struct frame_seal *own_seal = &r->ends[number].own_seal;
	size_t before = segment_chain_previous(r, number, count);
	char name[SEGMENT_NAME_BYTES], older[SEGMENT_NAME_BYTES] = "the beginning";

	if (segment_is_missing(&r->mark, own_seal->generation)) {
		r->spool->stats.known_damages++;
		log_info("spool: the segment of generation %llu is missing, as an earlier start "
			 "with --accept-damage has logged",
		    (unsigned long long)own_seal->generation);
		return 0;
	}
	if (before < count)
		segment_name(segments[before]->slot, older);
	log_error("spool: a segment file is missing: that of generation %llu, which stood between "
		  "%s and %s (and perhaps more before it); the messages that were stored in it, "
		  "and the statuses of others, are lost with it; %s",
	    (unsigned long long)own_seal->generation, older,
	    segment_name(segments[number]->slot, name), segment_chain_advice(r, put_back));
	return segment_chain_accept_loss(r, own_seal->generation);
}

/* The first start after 0.1.0 assumes that what is older than the oldest segment was freed. */
static void
segment_chain_init_mark(struct replay *r, size_t count)
{
	for (size_t i = 0; i < count && !r->mark.is_known; i++) {
		if (r->ends[i].state != SEAL_VALID)
			continue;
		if (r->ends[i].own_seal.generation > r->mark.freed)
			r->mark.freed = r->ends[i].own_seal.generation;
		return;
	}
}

int
segment_chain_check(struct replay *r, struct segment *const *segments, size_t count)
{
	int result = 0, error = 0;

	for (size_t i = 0; i < count; i++)
		if (segment_chain_is_gap(r, segments, count, i) &&
		    segment_chain_log_gap(r, segments, count, i) != 0) {
			result = -1;
			error = errno;
		}
	segment_chain_init_mark(r, count);
	errno = error;
	return result;
}

/* ---- where the seal is damaged ---- */

/* Is nothing missing between what was read and its first frame, or can no segment be between? */
static bool
segment_chain_is_contiguous(
    const struct replay *r, const struct segment *g, const struct seals_summary *s)
{
	if (s->has_frame &&
	    (s->first_durable <= r->last_sequence || s->first <= r->last_sequence + 2))
		return true;
	/* the log began anew with this segment */
	if (s->has_frame && s->first >> SEGMENT_CHAIN_SEQUENCE_SHIFT == g->generation - 1)
		return true;
	/* without a mark, what is older than the oldest segment counts as freed */
	if (r->mark.is_known ? g->generation - 1 <= r->mark.freed : r->last.generation == 0)
		return true;
	return r->last.generation == g->generation - 1;
}

int
segment_chain_check_unsealed(
    struct replay *r, const struct segment *g, const struct replay_end *end, struct str bytes)
{
	struct seals_summary summary;
	char name[SEGMENT_NAME_BYTES];
	bool is_damaged;

	if (end->state == SEAL_VALID)
		return 0;
	seals_scan(g, bytes, &summary);
	/* nothing is left of it, which is logged elsewhere */
	if (end->kind == REPLAY_OPEN && end->state == SEAL_DAMAGED && !summary.has_frame)
		return 0;
	/* sealed although no frame is left in it: then its own seal is what was there; if an older
	 * segment that is needed was read, all that was durable must have been read */
	is_damaged = end->state != SEAL_NONE || seals_was_durable(&summary) ||
	    (end->kind == REPLAY_SEALED && !summary.has_frame) ||
	    (summary.has_frame && r->last.generation > 0);
	if (!is_damaged || segment_chain_is_contiguous(r, g, &summary))
		return 0;
	segment_name(g->slot, name);
	if (segment_is_missing(&r->mark, g->generation - 1)) {
		r->spool->stats.known_damages++;
		log_info("spool: what stood before %s is not known, as an earlier start with "
			 "--accept-damage has logged", name);
		return 0;
	}
	/* what was before it is not needed */
	if (g->generation <= r->mark.oldest)
		return 0;
	log_error("spool: the first record of %s is damaged, which names the segment before it, "
		  "and records before it are missing: a segment may be missing, with the "
		  "messages that were stored in it; %s", name, segment_chain_advice(r, put_back));
	return segment_chain_accept_loss(r, g->generation - 1);
}

/* ---- the newest segment ---- */

/* No segment is in its place or after it; a damaged one was logged already. */
static bool
segment_chain_is_newest_missing(const struct replay *r)
{
	const struct newest_segment *n = &r->spool->writer.newest_segment;

	return n->is_recorded && n->generation > r->newest_seal &&
	       n->generation > r->last.generation;
}

int
segment_chain_check_newest(struct replay *r)
{
	const struct newest_segment *n = &r->spool->writer.newest_segment;
	char name[SEGMENT_NAME_BYTES];

	if (r->last.generation == 0 || !segment_chain_is_newest_missing(r))
		return 0;
	segment_name(n->slot, name);
	if (segment_is_missing(&r->mark, n->generation)) {
		r->spool->stats.known_damages++;
		log_info("spool: the newest segment (%s, generation %llu) is missing, as an "
			 "earlier start with --accept-damage has logged", name,
		    (unsigned long long)n->generation);
		return 0;
	}
	log_error("spool: the newest segment file is missing: %s, of generation %llu (%s names "
		  "it); the messages that were stored in it, and the statuses of others, are lost "
		  "with it; %s",
	    name, (unsigned long long)n->generation, NEWEST_SEGMENT_NAME,
	    segment_chain_advice(r, put_back));
	return segment_chain_accept_loss(r, n->generation);
}

/* ---- an empty log ---- */

/* Files that could not be read completely, or are truncated or damaged, and contained no usable
 * frame. */
static unsigned
segment_chain_count_unreadable(const struct replay *r)
{
	unsigned count = 0;

	for (const struct segment *g = r->spool->writer.pool.returned; g; g = g->next)
		count += g->is_unusable && g->generation > 0;
	return count;
}

static void
segment_chain_log_all_missing(const struct replay *r)
{
	unsigned unread = segment_chain_count_unreadable(r);
	char name[SEGMENT_NAME_BYTES];

	if (r->mark.freed == 0 && segment_chain_is_newest_missing(r))
		log_error("spool: all segment files that held messages are missing, up to %s, of "
			  "generation %llu (%s names it); %s",
		    segment_name(r->spool->writer.newest_segment.slot, name),
		    (unsigned long long)r->spool->writer.newest_segment.generation,
		    NEWEST_SEGMENT_NAME, segment_chain_advice(r, put_all_back));
	else if (r->mark.freed == 0)
		log_error("spool: %u body files of messages%s are there, and no segment file that "
			  "holds messages: the whole log is missing, with all its messages (the "
			  "bodies are kept as *.body.lost if it is accepted); %s",
		    r->body_count, r->spool->writer.newest_segment.is_unknown
			? ", and the file " NEWEST_SEGMENT_NAME ", whose content is damaged," : "",
		    segment_chain_advice(r, put_all_back));
	else if (unread > 0)
		log_error("spool: no record can be read of the segment files that are there, %u of "
			  "them are damaged; %llu generations were freed, and all messages after "
			  "them are lost; %s", unread, (unsigned long long)r->mark.freed,
		    segment_chain_advice(r, "restore the files from a backup, or start once with "
				       "--accept-damage, which sets them aside and begins anew"));
	else
		log_error("spool: all segment files that held messages are missing: %llu "
			  "generations were freed, and nothing is left of those after them; %s",
		    (unsigned long long)r->mark.freed, segment_chain_advice(r, put_all_back));
}

/* Was there a log?  A mark records that segments were freed; or a segment is recorded as the
 * newest; or, where that is not known, the file that recorded it exists, or body files do, whose
 * records would have been logged as damaged if a part of the log existed. */
static bool
segment_chain_existed(const struct replay *r)
{
	const struct newest_segment *n = &r->spool->writer.newest_segment;

	if (r->mark.freed > 0 || segment_chain_is_newest_missing(r))
		return true;
	return !n->is_recorded && (n->is_unknown || r->body_count > 0) &&
	       segment_chain_count_unreadable(r) == 0;
}

int
segment_chain_check_any(struct replay *r, size_t count)
{
	uint64_t next = r->mark.freed + 1;

	/* a seal that was repaired is no frame, and shows that the log exists */
	for (size_t i = 0; i < count && r->last.generation == 0; i++)
		if (r->ends[i].state == SEAL_VALID) {
			r->last_sequence = r->ends[i].own_seal.last_sequence + 1;
			return 0;
		}
	if (r->last.generation > 0 || !segment_chain_existed(r))
		return 0;
	r->is_log_lost = true;
	if (segment_is_missing(&r->mark, next)) {
		r->spool->stats.known_damages++;
		log_info("spool: the whole log is missing, as an earlier start with "
			 "--accept-damage has logged");
		return 0;
	}
	segment_chain_log_all_missing(r);
	return segment_chain_accept_loss(r, next);
}

bool
segment_chain_is_complete(const struct replay *r, uint64_t newest)
{
	return r->last.generation > 0 && newest == r->last.generation + 1 && newest == r->unused;
}

/* Far above all generations that were used before, and at least the time in ms.  So it is also
 * above what was used after a backup, when that backup is restored later: no disk fills 1000
 * segments in a second. */
static uint64_t
segment_chain_next_generation(uint64_t generation)
{
	int64_t now_ms = clock_ms();

	generation += SEGMENT_CHAIN_SKIP;
	return now_ms > 0 && (uint64_t)now_ms > generation ? (uint64_t)now_ms : generation;
}

void
segment_chain_skip_generations(struct replay *r)
{
	struct spool_writer *w = &r->spool->writer;

	if (w->pool.generation == 0)
		return;
	w->pool.generation = segment_chain_next_generation(w->pool.generation);
	if (!r->is_log_lost)
		return;
	w->sequence = w->durable = w->pool.generation << SEGMENT_CHAIN_SEQUENCE_SHIFT;
	w->seal = (struct frame_seal){w->pool.generation, w->sequence, SEGMENT_DATA};
}
