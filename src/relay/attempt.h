/*
 * attempt: the delivery of one message to the recipients of one domain, from DELIVER to the last
 * RESULT.  An attempt looks up the hosts, takes an idle connection or opens one, and goes on to the
 * next host while a recipient has no result.
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

/* What all attempts share; the role owns it. */
struct attempt_context {
	struct event_base *base;
	struct destination_cache *destinations;
	struct connection_pool *pool;
	struct tls_trust *tls_trust;
	struct pending_results *results;
	struct async_io *disk;             /* reads the body files */
	struct route_host_log route_hosts; /* the route hosts without an address that were logged */
	/* when so many files wait to be closed, an attempt with a body file is refused */
	size_t closing_max;
	struct channel *queue; /* NULL: not connected */
	struct attempt_list attempts;
	size_t attempt_count;
	/* called when an attempt has ended; may be NULL */
	void (*attempt_ended)(struct attempt_context *context);
	void *arg;
};

/* Starts an attempt.  Copies what it needs, and owns the descriptor of the body file from now on.
 * Every recipient that the message names gets one result, and exactly one of these results is
 * marked as the last one.  This holds also for a message that cannot be read; if that names no
 * recipient, the result is for recipient 0. */
void attempt_begin(struct attempt_context *context, const struct message_deliver *m, int fd);
/* Why an attempt is not started: relay is stopping; or its configuration has not the credentials of
 * the destination, as it or the queue has not reloaded yet. */
struct attempt_declined {
	struct smtp_status status;
	const char *reason;
};
struct attempt_declined attempt_stopping(void);
struct attempt_declined attempt_reloading(void);
/* Reports to the queue at once that the attempt was not started.  fd: as for attempt_begin, or
 * -1. */
void attempt_decline(struct attempt_context *context, const struct message_deliver *m, int fd,
    struct attempt_declined why);
/* Sends RUNNING for every attempt to a new queue; false: the channel did not take all of them. */
bool attempts_report_running(struct attempt_context *context, struct channel *queue) MUST_USE;
/* Ends one attempt; its remaining recipients get a temporary failure.  is_forced: the queue does
 * not wait any longer.  Otherwise the operator has held or deleted the message: if the host has the
 * whole message and its reply is missing, the attempt waits for that reply, because without it
 * nobody knows whether the message was delivered; it tries no other host. */
void attempts_cancel(struct attempt_context *context, uint64_t attempt_id, bool is_forced);
/* Relay is stopping: declines every attempt that is not in a transaction. */
void attempts_stop(struct attempt_context *context);
/* Frees all attempts without results; the queue counts their outcome as unknown. */
void attempts_abandon(struct attempt_context *context);

#endif
