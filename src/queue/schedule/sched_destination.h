/*
 * sched_destination: one destination of the schedule, and all of them.  Changed by destinations;
 * the lists of user queues by user_queues too, found_ms by schedule alone.
 */
#ifndef QUEUE_SCHEDULE_SCHED_DESTINATION_H
#define QUEUE_SCHEDULE_SCHED_DESTINATION_H

#include "base/map.h"
#include "mail/smtp_status.h"
#include "queue/schedule/shares.h"

struct sched_delivery;

/* The window of a destination that has answered once. */
enum { SCHEDULE_WINDOW_START = 5 };

struct sched_destination {
	struct timer timer; /* set while it is paused */
	struct timer order; /* set: in all->open[order.kind], it may begin a delivery */
	struct str name;
	struct user_queue_list user_queues;  /* that may begin, the next one first */
	struct user_queue_list parked; /* whose users have used up their share */
	struct sched_delivery *first;      /* running */
	struct smtp_status *status;     /* of the last failure; or NULL */
	int64_t found_ms;          /* when it was found unreachable the last time */
	uint64_t turn;
	uint32_t ready, running;
	uint32_t window;     /* how many deliveries may run */
	uint32_t failures;   /* in a row */
	uint32_t references; /* from next hops */
	bool is_proven;      /* it answered the last time */
	bool is_paused;      /* no delivery begins */
};

struct sched_destinations {
	struct map *by_name;
	struct map *user_queues; /* by destination and user */
	struct sched_shares shares;
	/* destinations that may begin; the smallest rank first */
	struct timers open[SCHED_SHARE_KINDS];
	struct timers *timers;
	uint64_t turn;
	uint32_t concurrency, destination_concurrency;
	uint8_t timer_kind;
	size_t ready, running;
	size_t running_unproven;
	size_t ready_paused; /* of ready: at paused destinations */
};

#endif
