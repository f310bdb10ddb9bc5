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

struct attempt;

LIST_HEAD(attempt_list, attempt);

/* What attempts work with; the role's. */
struct attempt_context {
	struct event_base *base;
	struct destination_cache *destinations;
	struct connection_pool *pool;
	struct tls_trust *tls_trust;
	struct pending_results *results;
	struct async_io *disk; /* reads the bodies */
	struct route_host_log route_hosts; /* that have no address */
	size_t closing_max;    /* with so many files that wait to be closed no attempt with one is
	                          begun */
	struct channel *queue; /* NULL: none now */
	struct attempt_list attempts;
	size_t attempt_count;
	void (*attempt_ended)(struct attempt_context *y); /* an attempt ended; may be NULL */
	void *arg;
};

/* Copies what it needs; the body's descriptor is the attempt's from now on.  Every recipient that
 * the message names gets one result, and one result is the last of the attempt: also when the
 * message cannot be read, and then with recipient 0 when it names none. */
void attempt_begin(struct attempt_context *context, const struct message_deliver *m, int fd);
/* Relay is about to end: the queue hears at once that nothing was begun.  fd: as above, or
 * -1. */
void attempt_decline(struct attempt_context *context, const struct message_deliver *m, int fd);
/* RUNNING for every attempt, to a new queue; false: it did not take them. */
bool attempts_report_running(struct attempt_context *context, struct channel *queue) MUST_USE;
/* All that are left of this one are told to be tried again.  is_forced: the queue waits no longer
 * for it.  Else its message is held or deleted: while the answer to the whole message is awaited,
 * breaking off would leave open whether it was delivered, so that is waited for, and no other host
 * is tried. */
void attempts_cancel(struct attempt_context *context, uint64_t attempt_id, bool is_forced);
/* Stopping: all that has not begun to talk about its message is declined. */
void attempts_stop(struct attempt_context *context);
/* The end: the queue counts those that are left as unknown. */
void attempts_abandon(struct attempt_context *context);

#endif
