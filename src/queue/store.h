/*
 * store: what a spool is made of; for spool, recover and clean only.
 */
#ifndef QUEUE_STORE_H
#define QUEUE_STORE_H

#include "queue/index.h"
#include "queue/bodies.h"
#include "queue/writer.h"

struct reading;

struct spool {
	struct spool_options options;
	struct fsio *io;
	struct writer writer;
	struct bodies bodies;
	struct index index;
	struct reading *readings;        /* oldest first */
	struct buf room;                 /* for what is read */
	struct spool_stats stats;
	struct batch *answering;         /* whose callbacks are being called */
	uint64_t waiting_bytes;          /* appended, not answered */
	int64_t space_ms;                /* when the disk was last asked; monotonic */
	bool is_low;                     /* no free share, idle segments counted in */
	bool is_tight;                   /* no free share outside of segments */
};

/* Writes anew what is there already; body_bytes: of a message, also of a file. */
int store_copy(struct spool *s, const struct spool_batch *b, uint64_t body_bytes) MUST_USE;

#endif
