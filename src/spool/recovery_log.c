/*
 * recovery_log: see the header.
 */
#include "spool/recovery_log.h"

#include <errno.h>

#include "base/log.h"
#include "spool/lost_messages.h"
#include "spool/segment_chain.h"
#include "spool/stale_segments.h"

/* Damage that an earlier start has copied is not told again; without that name nothing is known. */
static int
recover_log_refuse_unsure(const struct kept *k)
{
	errno = k->error;
	log_error("spool: %s cannot be looked at: %m; so it is not known whether a copy of what is "
		  "damaged is there; the spool is not opened and nothing is changed; remove the "
		  "cause, or move this name away, and start again%s", k->unsure,
	    replay_may_accept(k->error)
	        ? "; or start once with --accept-damage, which copies nothing to it"
	        : "");
	errno = k->error;
	return -1;
}

/* Those that are read, or the others: of these it is told what the log does not have. */
static int
recover_log_each(struct replay *r, struct segment **segments, size_t count, bool is_read)
{
	for (size_t i = 0; i < count; i++) {
		struct segment *g = segments[i];

		if (replay_is_read(&r->ends[i]) != is_read)
			continue;
		segments[i] = NULL;
		if ((is_read ? replay_segment(r, g, i) : passed_segment(r, g, &r->ends[i])) != 0)
			return -1;
	}
	return 0;
}

static int
recover_log_read(struct replay *r, struct segment **segments, size_t count)
{
	if (chain_check_generations(segments, count) != 0 ||
	    replay_find_ends(r, segments, count) != 0 || chain_check(r, segments, count) != 0 ||
	    recover_log_each(r, segments, count, true) != 0 || chain_check_newest(r) != 0)
		return -1;
	if (!index_end_replay(&r->spool->index)) {
		log_error("spool: more entries of a newer Sallyport than this version can keep; "
			  "start the newer version again");
		errno = EPROTO;
		return -1;
	}
	if (r->kept.error)
		return recover_log_refuse_unsure(&r->kept);
	if (chain_check_any(r, count) != 0)
		return -1;
	if (recover_log_each(r, segments, count, false) != 0)
		return -1;
	losses_tell(r);
	return 0;
}

int
recover_log(struct replay *r, struct segment **segments, size_t count, bool *is_whole_out)
{
	struct spool *s = r->spool;
	struct writer *w = &s->writer;
	int result = recover_log_read(r, segments, count);
	uint64_t spoken_of = segment_mark_last(&r->mark);

	*is_whole_out = chain_is_whole(r, w->pool.generation);
	w->sequence = r->last_sequence;
	w->durable = r->last_sequence;
	w->seal = r->last;
	w->newest_ms = s->index.newest_ms;
	/* nothing before it is missing, or that was accepted: no later start asks */
	if (s->index.oldest && s->index.oldest->generation > r->mark.oldest)
		r->mark.oldest = s->index.oldest->generation;
	w->pool.mark = r->mark;
	/* also where the files are gone: a number that is used again would pass for freed */
	if (spoken_of > w->pool.generation)
		w->pool.generation = spoken_of;
	if (w->newest_segment.is_said && w->newest_segment.generation > w->pool.generation)
		w->pool.generation = w->newest_segment.generation;
	chain_go_on(r);
	w->pool.newest = s->index.newest;
	return result;
}
