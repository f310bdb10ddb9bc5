/*
 * chain: see the header.
 */
#include "queue/chain.h"

#include <errno.h>

#include "base/log.h"

void
chain_see_mark(struct replay *r, const struct segment *g, const struct segment_mark *mark)
{
	if (g->generation > 0 && g->generation >= r->newest_header) {
		r->newest_header = g->generation;
		r->mark.is_known = mark->is_known;
	}
	segment_add_mark(&r->mark, mark);
}

int
chain_accept(struct replay *r, uint64_t generation)
{
	r->spool->stats.quarantined++;
	r->has_loss = true;
	if (r->spool->options.accept_damage) {
		if (!segment_add_missing(&r->mark, generation))
			r->unlisted++;
		return 0;
	}
	errno = ENOTRECOVERABLE;
	return -1;
}

static bool
chain_is_there(struct segment *const *segments, size_t count, uint64_t generation)
{
	for (size_t i = 0; i < count; i++)
		if (segments[i]->generation == generation)
			return true;
	return false;
}

/* The next older one that holds frames; count: none. */
static size_t
chain_before(const struct replay *r, size_t number, size_t count)
{
	while (number-- > 0)
		if (r->ends[number].kind != REPLAY_NEVER_WAS && r->ends[number].has_own)
			return number;
	return count;
}

/* 0.1.0 did not say what was freed: then only a hole between two segments shows it. */
static bool
chain_is_gap(const struct replay *r, struct segment *const *segments, size_t count, size_t number)
{
	const struct replay_end *end = &r->ends[number];

	if (end->kind == REPLAY_NEVER_WAS || !end->has_own || end->own.generation == 0 ||
	    chain_is_there(segments, count, end->own.generation))
		return false;
	if (r->mark.is_known && end->own.generation <= r->mark.freed)
		return false;
	return r->mark.is_known || chain_before(r, number, count) < count;
}

static int
chain_tell_gap(struct replay *r, struct segment *const *segments, size_t count, size_t number)
{
	const struct record_seal *own = &r->ends[number].own;
	size_t before = chain_before(r, number, count);
	char name[SEGMENT_NAME_BYTES], older[SEGMENT_NAME_BYTES] = "the beginning";

	if (segment_is_missing(&r->mark, own->generation)) {
		r->spool->stats.known_damages++;
		log_info("spool: the segment of generation %llu is missing, as an earlier start "
			 "with --accept-damage has told",
		    (unsigned long long)own->generation);
		return 0;
	}
	if (before < count)
		segment_name(segments[before]->slot, older);
	log_error("spool: a segment file is missing: that of generation %llu, which stood between "
		  "%s and %s (and perhaps more before it); the messages that were stored in it, "
		  "and what became of others, are lost with it, up to record %llu; put the file "
		  "back, from a backup or from where it was moved, or start once with "
		  "--accept-damage, which delivers the rest",
	    (unsigned long long)own->generation, older,
	    segment_name(segments[number]->slot, name), (unsigned long long)own->last_sequence);
	return chain_accept(r, own->generation);
}

/* The first start after 0.1.0 believes that what is older than the oldest was freed. */
static void
chain_begin_mark(struct replay *r, size_t count)
{
	for (size_t i = 0; i < count && !r->mark.is_known; i++) {
		if (r->ends[i].kind == REPLAY_NEVER_WAS || !r->ends[i].has_own)
			continue;
		if (r->ends[i].own.generation > r->mark.freed)
			r->mark.freed = r->ends[i].own.generation;
		return;
	}
}

int
chain_check(struct replay *r, struct segment *const *segments, size_t count)
{
	int result = 0, error = 0;

	for (size_t i = 0; i < count; i++)
		if (chain_is_gap(r, segments, count, i) &&
		    chain_tell_gap(r, segments, count, i) != 0) {
			result = -1;
			error = errno;
		}
	chain_begin_mark(r, count);
	errno = error;
	return result;
}
