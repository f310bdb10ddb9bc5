/*
 * queue_sizes: the sizes of the queue and its spool at this moment: for `sallyport status` and for
 * the metrics, which so have the same numbers.
 */
#ifndef QUEUE_QUEUE_SIZES_H
#define QUEUE_QUEUE_SIZES_H

#include "base/disk_space.h"
#include "queue/queue_internal.h"

struct queue_sizes {
	struct schedule_totals schedule;
	struct spool_stats spool;
	struct disk_space disk;
	uint64_t messages, recipients, held, bytes;
	uint64_t active, deferred; /* deliveries: running or due; waiting */
	uint64_t damages;          /* of the spool, found by the last start */
	int64_t oldest_ms;         /* age of the oldest message; 0: there is none */
};

/* Reads the sizes. */
void queue_sizes_read(struct queue *q, struct queue_sizes *out);
/* Sets the metrics to them. */
void queue_sizes_publish(struct queue *q);

#endif
