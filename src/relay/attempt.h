/*
 * attempt: one message for the recipients of one domain, from DELIVER to the last RESULT: finds the
 * hosts, takes or opens a connection, goes on to the next host while anybody is undecided.
 */
#ifndef RELAY_ATTEMPT_H
#define RELAY_ATTEMPT_H

#include <sys/queue.h>

#include "ipc/async_io.h"
#include "relay/connection_pool.h"
#include "relay/destination_cache.h"
#include "relay/pending_results.h"
#include "relay/route_host_log.h"
#include "relay/tls_trust.h"

struct job;

LIST_HEAD(job_list, job);

/* What jobs work with; the role's. */
struct yard {
	struct event_base *base;
	struct finder *finder;
	struct pool *pool;
	struct trust *trust;
	struct results *results;
	struct disk *disk; /* reads the bodies */
	struct route_hosts route_hosts; /* that have no address */
	size_t closing_max; /* with so many files that wait to be closed no job with one is begun */
	struct channel *queue; /* NULL: none now */
	struct job_list jobs;
	size_t job_count;
	void (*emptied)(struct yard *y); /* a job ended; may be NULL */
	void *arg;
};

/* Copies what it needs; the body's descriptor is the job's from now on.  Every recipient that the
 * message names gets one result, and one result is the last of the job: also when the message
 * cannot be read, and then with recipient 0 when it names none. */
void job_begin(struct yard *y, const struct message_deliver *m, int fd);
/* Relay is about to end: the queue hears at once that nothing was begun.  fd: as above, or
 * -1. */
void job_decline(struct yard *y, const struct message_deliver *m, int fd);
/* RUNNING for every job, to a new queue; false: it did not take them. */
bool jobs_tell(struct yard *y, struct channel *queue) MUST_USE;
/* All that are left of this one are told to be tried again.  is_forced: the queue waits no longer
 * for it.  Else its message is held or deleted: while the answer to the whole message is awaited,
 * breaking off would leave open whether it was delivered, so that is waited for, and no other host
 * is tried. */
void jobs_cancel(struct yard *y, uint64_t number, bool is_forced);
/* Stopping: all that has not begun to talk about its message is declined. */
void jobs_stop(struct yard *y);
/* The end: the queue counts those that are left as unknown. */
void jobs_abandon(struct yard *y);

#endif
