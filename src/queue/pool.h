/*
 * pool: the segments that hold nothing: one ready for use, some free, one in the making, and those
 * given back.  Works in the writer; zeroes new files in bounded pieces before they are needed, so
 * that a commit rarely waits for space.  Segments given back become unreadable oldest first: while an older
 * one can still be read, what a newer one says of its messages is still needed.
 */
#ifndef QUEUE_POOL_H
#define QUEUE_POOL_H

#include "queue/segment.h"

struct pool {
	struct fsio *io;
	uint32_t bytes;                  /* of a segment */
	bool is_patient;                 /* a failed attempt is tried again later, not at once */
	uint64_t generation;             /* the last one given */
	uint32_t slot;                   /* of the next new file */
	struct segment *ready;           /* its header is durable */
	struct segment *free;            /* unreadable, durably */
	unsigned free_count;
	struct segment *returned;        /* oldest first */
	struct segment *making;
	uint32_t made_bytes;
	int64_t retry_ms;                /* monotonic */
};

void pool_clear(struct pool *p);
/* Still readable: is made unreadable in its turn. */
void pool_give_back(struct pool *p, struct segment *s);
/* A segment without frames, with a new generation; NULL with errno. */
struct segment *pool_take(struct pool *p) MUST_USE;
/* Has one ready afterwards, whatever it takes; -1 with errno. */
int pool_fill(struct pool *p) MUST_USE;
/* Is there one without asking the disk for space? */
bool pool_is_ready(const struct pool *p);
bool pool_has_work(const struct pool *p);
/* One bounded piece of work. */
void pool_work(struct pool *p);

#endif
