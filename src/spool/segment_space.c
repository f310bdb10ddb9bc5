/*
 * segment_space: reads the free space of the file system each time, and compares it with what must
 * stay free.
 */
#include "spool/segment_space.h"

#include <errno.h>

#include "base/disk_space.h"
#include "base/log.h"

uint64_t
segment_space_share_bytes(const struct segment_pool *p, uint64_t all)
{
	return disk_space_share_bytes(all, atomic_load(&p->minimum_free_percent));
}

/* How much of the disk a new segment must leave free: one for messages the free share, and room for
 * a reserve that does not exist yet; one for reports and statuses half of the share; one for
 * compaction, which frees others, nothing. */
static void
segment_space_set_reserved(
    const struct segment_pool *p, enum segment_purpose purpose, struct disk_space *s)
{
	uint64_t share = segment_space_share_bytes(p, s->all_bytes);

	switch (purpose) {
	case SEGMENT_FOR_MESSAGE:
		s->share_bytes = share;
		s->reserve_bytes = p->reserve ? 0 : p->bytes;
		break;
	case SEGMENT_FOR_ANY:
	case SEGMENT_FOR_RESERVE:
		s->share_bytes = share / 2;
		break;
	case SEGMENT_FOR_COPY:
		break;
	}
}

static bool
segment_space_has_used(const struct segment_pool *p)
{
	for (const struct segment *g = p->returned; g; g = g->next)
		if (!g->is_unusable && g->bytes == p->bytes)
			return true;
	return false;
}

uint64_t
segment_space_first_bytes(const struct segment_pool *p, uint64_t all)
{
	uint64_t share = segment_space_share_bytes(p, all);

	return share + (segment_space_has_used(p) ? 0 : p->bytes);
}

int
segment_space_find(
    const struct segment_pool *p, enum segment_purpose purpose, struct segment_space *out)
{
	struct disk_space s = {0};

	*out = (struct segment_space){.is_unknown = true};
	if (p->io->ops->space(p->io, &s.free_bytes, &s.all_bytes) != 0)
		return -1;
	segment_space_set_reserved(p, purpose, &s);
	s.segment_bytes = p->bytes - (p->making ? p->made_bytes : 0);
	*out = (struct segment_space){.have = s.free_bytes,
	    .keep = s.share_bytes + s.reserve_bytes,
	    .need = s.segment_bytes};
	if (disk_space_has_segment(&s))
		return 0;
	errno = ENOSPC;
	return -1;
}

bool
segment_space_is_for_reserve(const struct segment_pool *p)
{
	struct segment_space space;

	if (p->reserve || p->ready)
		return !p->reserve;
	return segment_space_find(p, SEGMENT_FOR_MESSAGE, &space) != 0 ||
	       space.have < space.keep + space.need;
}

int
segment_space_check(struct segment_pool *p, enum segment_purpose purpose)
{
	static const char *const whose[] = {[SEGMENT_FOR_MESSAGE] = "messages",
	    [SEGMENT_FOR_ANY] = "reports and statuses",
	    [SEGMENT_FOR_COPY] = "compaction",
	    [SEGMENT_FOR_RESERVE] = "the reserve of compaction"};
	struct segment_space space;
	int result = segment_space_find(p, purpose, &space), error = errno;

	if (result == 0) {
		p->is_short[purpose] = false;
		return 0;
	}
	if (!p->is_short[purpose] && space.is_unknown)
		log_warn(
		    "spool: no new segment for %s: the free space of the disk is not known: %m",
		    whose[purpose]);
	else if (!p->is_short[purpose])
		log_warn("spool: no new segment for %s: the disk has %llu bytes free, a segment "
			 "needs %llu and %llu must stay free (queue.minimum_free)", whose[purpose],
		    (unsigned long long)space.have, (unsigned long long)space.need,
		    (unsigned long long)space.keep);
	p->is_short[purpose] = true;
	errno = error;
	return -1;
}
