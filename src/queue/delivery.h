/*
 * delivery: the recipients of a message in one domain, which are tried together.  There may be
 * millions: what only those need that were tried is in struct delivery_run, which is allocated with
 * the first of it and freed with the last.
 */
#ifndef QUEUE_DELIVERY_H
#define QUEUE_DELIVERY_H

#include "queue/schedule/schedule.h"

struct dispatch_attempt;

/* A number of a recipient or of a delivery of one message; an offset in its texts. */
enum { QUEUED_COUNT_BITS = 10, QUEUED_TEXT_BITS = 20, DELIVERY_REQUEUES_MAX = 7 };

struct delivery_run {
	struct dispatch_attempt *attempt; /* running */
	/* of an attempt that was given up and may still report; 0: none */
	uint64_t late_attempt_id;
	int64_t unanswered_ms;           /* see lifetime_may_begin */
};

struct delivery {
	struct sched_delivery sched; /* first: its address is that of the delivery */
	struct delivery_run *run;        /* or NULL */
	uint16_t open; /* recipients that are not settled and owe no report */
	uint16_t pauses; /* in a row: for schedule_backoff_ms */
	uint32_t place : QUEUED_COUNT_BITS; /* in the deliveries of its message */
	uint32_t first : QUEUED_COUNT_BITS; /* place of its first recipient */
	/* the domain is not the end of that recipient's address as it stands there */
	uint32_t has_own_domain : 1;
	uint32_t unreadable : 8; /* in a row: reads of the content that failed */
	uint32_t requeues : 3; /* see struct lifetime_attempt; at most DELIVERY_REQUEUES_MAX */
};

/* The attempt that is running, or NULL. */
static inline struct dispatch_attempt *
delivery_attempt(const struct delivery *delivery)
{
	return delivery->run ? delivery->run->attempt : NULL;
}

/* The attempt that was given up and may still report; 0: none. */
static inline uint64_t
delivery_late_attempt(const struct delivery *delivery)
{
	return delivery->run ? delivery->run->late_attempt_id : 0;
}

/* When its last attempt ended without a result; 0: it had one, or there was none. */
static inline int64_t
delivery_unanswered_ms(const struct delivery *delivery)
{
	return delivery->run ? delivery->run->unanswered_ms : 0;
}

/* NULL: none is running. */
void delivery_set_attempt(struct delivery *delivery, struct dispatch_attempt *attempt);
void delivery_set_late_attempt(struct delivery *delivery, uint64_t attempt_id);
void delivery_set_unanswered(struct delivery *delivery, int64_t at_ms);

#endif
