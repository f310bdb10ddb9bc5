/*
 * segment_space: see the header.
 */
#include "spool/segment_space.h"

#include <errno.h>

#include "base/disk_space.h"
#include "base/log.h"

static uint64_t
stock_room_list_bytes(const struct segment *s)
{
	uint64_t bytes = 0;

	for (; s; s = s->next)
		bytes += s->bytes;
	return bytes;
}

uint64_t
stock_idle_bytes(const struct stock *p)
{
	return (p->ready ? p->ready->bytes : 0) + (p->reserve ? p->reserve->bytes : 0) +
	    stock_room_list_bytes(p->free) + stock_room_list_bytes(p->odd) +
	    stock_room_list_bytes(p->returned);
}

uint64_t
stock_share_bytes(const struct stock *p, uint64_t all)
{
	return space_share_bytes(all, atomic_load(&p->minimum_free_percent));
}

/* What a new segment leaves free of the disk: messages its free share, and room for a reserve that
 * is not there yet; reports and statuses half of the share; compaction, which gives back, none. */
static void
stock_room_keep(const struct stock *p, enum stock_claim claim, struct space *s)
{
	uint64_t share = stock_share_bytes(p, s->all_bytes);

	switch (claim) {
	case STOCK_MESSAGE:
		s->share_bytes = share;
		s->reserve_bytes = p->reserve ? 0 : p->bytes;
		break;
	case STOCK_ANY:
	case STOCK_RESERVE:
		s->share_bytes = share / 2;
		break;
	case STOCK_COPY:
		break;
	}
}

static bool
stock_room_has_used(const struct stock *p)
{
	for (const struct segment *g = p->returned; g; g = g->next)
		if (!g->is_kept && g->bytes == p->bytes)
			return true;
	return false;
}

uint64_t
stock_room_first_bytes(const struct stock *p, uint64_t all)
{
	uint64_t share = stock_share_bytes(p, all);

	return share + (stock_room_has_used(p) ? 0 : p->bytes);
}

int
stock_room_find(const struct stock *p, enum stock_claim claim, struct stock_room *out)
{
	struct space s = {0};

	*out = (struct stock_room){.is_unknown = true};
	if (p->io->ops->space(p->io, &s.free_bytes, &s.all_bytes) != 0)
		return -1;
	stock_room_keep(p, claim, &s);
	s.segment_bytes = p->bytes - (p->making ? p->made_bytes : 0);
	*out = (struct stock_room){.have = s.free_bytes,
	    .keep = s.share_bytes + s.reserve_bytes,
	    .need = s.segment_bytes};
	if (space_has_segment(&s))
		return 0;
	errno = ENOSPC;
	return -1;
}

bool
stock_room_is_for_reserve(const struct stock *p)
{
	struct stock_room room;

	if (p->reserve || p->ready)
		return !p->reserve;
	return stock_room_find(p, STOCK_MESSAGE, &room) != 0 || room.have < room.keep + room.need;
}

int
stock_room_ask(struct stock *p, enum stock_claim claim)
{
	static const char *const whose[] = {[STOCK_MESSAGE] = "messages",
	    [STOCK_ANY] = "reports and statuses",
	    [STOCK_COPY] = "compaction",
	    [STOCK_RESERVE] = "the reserve of compaction"};
	struct stock_room room;
	int result = stock_room_find(p, claim, &room), error = errno;

	if (result == 0) {
		p->is_short[claim] = false;
		return 0;
	}
	if (!p->is_short[claim] && room.is_unknown)
		log_warn("spool: no new segment for %s: the disk does not say what room it has: %m",
		    whose[claim]);
	else if (!p->is_short[claim])
		log_warn("spool: no new segment for %s: the disk has %llu bytes free, a segment "
			 "needs %llu and %llu must stay free (queue.minimum_free)", whose[claim],
		    (unsigned long long)room.have, (unsigned long long)room.need,
		    (unsigned long long)room.keep);
	p->is_short[claim] = true;
	errno = error;
	return -1;
}
