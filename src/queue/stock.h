/*
 * stock: the segments that hold nothing: one ready for use, some free, one in the making, and those
 * given back.  Works in the writer; zeroes new files in bounded pieces before they are needed, so
 * that a commit rarely waits for space.  Segments given back become unreadable oldest first: while
 * an older one can still be read, what a newer one says of its messages is still needed.
 */
#ifndef QUEUE_STOCK_H
#define QUEUE_STOCK_H

#include "queue/segment.h"

struct stock {
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

void stock_clear(struct stock *p);
/* Still readable: is made unreadable in its turn. */
void stock_give_back(struct stock *p, struct segment *s);
/* A segment without frames, with a new generation; NULL with errno. */
struct segment *stock_take(struct stock *p) MUST_USE;
/* Has one ready afterwards, whatever it takes; -1 with errno. */
int stock_fill(struct stock *p) MUST_USE;
/* Is there one without asking the disk for space? */
bool stock_is_ready(const struct stock *p);
bool stock_has_work(const struct stock *p);
/* One bounded piece of work. */
void stock_work(struct stock *p);

#endif
