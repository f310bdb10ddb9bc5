/*
 * user_queues: one user's parcels that are ready at one site, in the order of their coming.  A lane
 * is in its site's list `lanes`, or parked while its user holds its share.  For destinations.c.
 */
#ifndef QUEUE_USER_QUEUES_H
#define QUEUE_USER_QUEUES_H

#include "queue/destinations.h"

struct lane {
	TAILQ_ENTRY(lane) link;    /* site->lanes or site->parked */
	TAILQ_ENTRY(lane) waiting; /* share->parked[kind] */
	struct site *site;
	struct share *share;
	struct parcel *first, *last;
	uint8_t kind; /* enum share_kind, while it is parked */
	bool is_parked;
};

static inline enum share_kind
site_kind(const struct site *site)
{
	return site->is_proven ? SHARE_PROVEN : SHARE_UNPROVEN;
}

/* At the end of its user's lane, which is made when there is none. */
void lane_add(struct sites *all, struct site *site, struct parcel *p);
/* Out of its lane, which ends when it is empty. */
void lane_remove(struct sites *all, struct parcel *p);
/* Its user holds its share of what its site counts for. */
void lane_park(struct sites *all, struct lane *lane);
/* To the head of its lane, and that to the head of its site's lanes. */
void lane_lead(struct sites *all, struct parcel *p);
/* To the end of its site's lanes again. */
void lane_unpark(struct sites *all, struct lane *lane);

#endif
