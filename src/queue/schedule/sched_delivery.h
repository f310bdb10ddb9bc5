/*
 * sched_delivery: one delivery in the schedule.  Its owner sets user, due_ms, expires_ms and tries;
 * the rest belongs to schedule and its parts: next_hops, destinations and user_queues.  There may
 * be millions.
 */
#ifndef QUEUE_SCHEDULE_SCHED_DELIVERY_H
#define QUEUE_SCHEDULE_SCHED_DELIVERY_H

#include "queue/schedule/timers.h"

struct sched_next_hop;
struct user_queue;
struct sched_destination;

/* Of a time in milliseconds since 1970; ids have 42 bits (base/id.h). */
enum { SCHED_TIME_BITS = 45 };

enum sched_delivery_state {
	DELIVERY_IDLE,    /* not in the schedule (held, new, or returned to the owner) */
	DELIVERY_WAITING, /* until due_ms */
	DELIVERY_ASKING,  /* due; the destination of its next hop is not known yet */
	DELIVERY_READY,   /* due; in its user queue */
	DELIVERY_RUNNING, /* returned by SCHEDULE_DELIVER */
};

/* Embedded in the struct of the owner, zeroed before the first use. */
struct sched_delivery {
	struct timer timer;
	struct sched_delivery *next, *previous;
	struct sched_next_hop *next_hop;
	union {
		struct user_queue *user_queue;        /* READY: it names the destination */
		struct sched_destination *running_at; /* RUNNING */
	};
	const void *user; /* equal pointers for equal users; users take turns */
	int64_t due_ms;
	int64_t expires_ms;
	uint64_t since_ms : SCHED_TIME_BITS; /* when it was added for the first time */
	uint64_t tries : 16; /* set by the owner: attempts with a connection */
	uint64_t state : 3; /* enum sched_delivery_state; written only by schedule */
};

#endif
