/*
 * recovery_log: first finds the end of each segment from the seals, then replays those that the log
 * needs, oldest first, then examines the others.
 */
#include "spool/recovery_log.h"

#include <errno.h>

#include "base/log.h"
#include "spool/lost_messages.h"
#include "spool/replay.h"
#include "spool/replay_refuse.h"
#include "spool/segment_chain.h"
#include "spool/stale_segments.h"

/* Damage that an earlier start has copied is not logged again; if the name cannot be inspected, it
 * is not known whether there is a copy. */
static int
recovery_log_refuse_unsure(const struct damage_copies *k)
{
	errno = k->error;
	log_error("spool: %s cannot be looked at: %m; so it is not known whether a copy of what is "
		  "damaged is there; the spool is not opened and nothing is changed; remove the "
		  "cause, or move this name away, and start again%s", k->unchecked,
	    replay_may_accept(k->error)
	        ? "; or start once with --accept-damage, which copies nothing to it"
	        : "");
	errno = k->error;
	return -1;
}

/* Handles the segments that are read, or the others: for these it logs the messages that the log
 * does not contain. */
static int
recovery_log_each(struct replay *r, struct segment **segments, size_t count, bool is_read)
{
	for (size_t i = 0; i < count; i++) {
		struct segment *g = segments[i];

		if (segment_chain_is_read(&r->ends[i]) != is_read)
			continue;
		segments[i] = NULL;
		if ((is_read ? replay_segment(r, g, i) : stale_segments_check(r, g, &r->ends[i])) !=
		    0)
			return -1;
	}
	return 0;
}

static int
recovery_log_read_all(struct replay *r, struct segment **segments, size_t count)
{
	if (segment_chain_check_generations(segments, count) != 0 ||
	    replay_find_ends(r, segments, count) != 0 ||
	    segment_chain_check(r, segments, count) != 0 ||
	    recovery_log_each(r, segments, count, true) != 0 || segment_chain_check_newest(r) != 0)
		return -1;
	if (!index_end_replay(&r->spool->index)) {
		log_error("spool: more entries of a newer Sallyport than this version can keep; "
			  "start the newer version again");
		errno = EPROTO;
		return -1;
	}
	if (r->damage_copies.error)
		return recovery_log_refuse_unsure(&r->damage_copies);
	if (segment_chain_check_any(r, count) != 0)
		return -1;
	if (recovery_log_each(r, segments, count, false) != 0)
		return -1;
	lost_messages_report(r);
	return 0;
}

int
recovery_log_run(struct replay *r, struct segment **segments, size_t count, bool *is_whole_out)
{
	struct spool *s = r->spool;
	struct spool_writer *w = &s->writer;
	int result = recovery_log_read_all(r, segments, count);
	uint64_t last_named = segment_mark_last(&r->mark);

	*is_whole_out = segment_chain_is_complete(r, w->pool.generation);
	w->sequence = r->last_sequence;
	w->durable = r->last_sequence;
	w->seal = r->last;
	w->newest_ms = s->index.newest_ms;
	/* nothing before it is missing, or that was accepted: no later start asks for it */
	if (s->index.oldest && s->index.oldest->generation > r->mark.oldest)
		r->mark.oldest = s->index.oldest->generation;
	w->pool.mark = r->mark;
	/* also when the files are missing: a number that is used again would count as freed */
	if (last_named > w->pool.generation)
		w->pool.generation = last_named;
	if (w->newest_segment.is_recorded && w->newest_segment.generation > w->pool.generation)
		w->pool.generation = w->newest_segment.generation;
	segment_chain_skip_generations(r);
	w->pool.newest = s->index.newest;
	return result;
}
