/*
 * next_hops: the texts of destinations as the queue decided them (policy/destination.h), the answer
 * of relay for each (which hosts), and the deliveries that wait for that.  For schedule.c.
 */
#ifndef QUEUE_SCHEDULE_NEXT_HOPS_H
#define QUEUE_SCHEDULE_NEXT_HOPS_H

#include "base/map.h"
#include "queue/schedule/destinations.h"
#include "queue/schedule/lookups.h"
#include "queue/schedule/sched_delivery.h"

enum sched_next_hop_state {
	SCHED_NEXT_HOP_UNKNOWN,
	SCHED_NEXT_HOP_ASKED,
	SCHED_NEXT_HOP_KNOWN,
	SCHED_NEXT_HOP_DELAYED, /* a temporary failure; looked up again when its timer ends */
	SCHED_NEXT_HOP_REFUSED,
};

struct sched_next_hop {
	struct timer timer;
	struct sched_lookup lookup; /* waiting: UNKNOWN; open: ASKED */
	struct str name;
	struct sched_destination *destination; /* KNOWN */
	struct smtp_status *status;            /* DELAYED, REFUSED */
	struct sched_delivery *first, *last;   /* ASKING */
	struct sched_next_hop *next;           /* in todo */
	int64_t found_ms;                      /* of the last failure */
	uint32_t references;                   /* deliveries that are not IDLE */
	uint32_t asking;                       /* deliveries from first to last */
	uint32_t failures;                     /* in a row */
	uint8_t state;
	bool is_listed;
	bool is_failure_unreported; /* DELAYED: no delivery has been deferred for it yet */
};

struct sched_next_hops {
	struct map *by_name;
	struct sched_next_hop *todo, *todo_last; /* those with a pending step of the schedule */
	struct sched_lookups lookups;
	struct timers *timers;
	struct sched_destinations *destinations;
	uint8_t timer_kind;
	size_t asking;
	size_t delayed; /* of asking: their next hop is DELAYED */
};

void sched_next_hops_init(struct sched_next_hops *all, struct timers *timers,
    struct sched_destinations *destinations, uint8_t timer_kind);
void sched_next_hops_clear(struct sched_next_hops *all);

/* Finds or creates it. */
struct sched_next_hop *sched_next_hops_get(struct sched_next_hops *all, struct str name);
/* Adds it to todo, unless it is there. */
void sched_next_hops_list(struct sched_next_hops *all, struct sched_next_hop *d);
void sched_next_hops_unlist_first(struct sched_next_hops *all);
/* Requests a lookup, in the turn of the user of its first delivery. */
void sched_next_hops_look_up(struct sched_next_hops *all, struct sched_next_hop *d);
/* The next one to look up, ASKED now; NULL: none. */
struct sched_next_hop *sched_next_hops_next_lookup(struct sched_next_hops *all);
/* Frees it when it has no reference.  An answer is kept until its timer ends, used or not. */
void sched_next_hops_free_if_unused(struct sched_next_hops *all, struct sched_next_hop *d);
/* A temporary failure: it is DELAYED, and one delivery is to be deferred for it. */
void sched_next_hops_delay(struct sched_next_hops *all, struct sched_next_hop *d);
void sched_next_hops_forget_answer(struct sched_next_hops *all, struct sched_next_hop *d);
/* Forgets the answer, and looks the next hop up again when a delivery waits for it. */
void sched_next_hops_ask(struct sched_next_hops *all, struct sched_next_hop *d);
/* Those that are ASKED: their answers will not come. */
void sched_next_hops_ask_again(struct sched_next_hops *all);

/* The delivery waits for the destination of its next hop. */
void sched_next_hops_push(struct sched_next_hops *all, struct sched_delivery *p);
void sched_next_hops_pull(struct sched_next_hops *all, struct sched_delivery *p);

#endif
