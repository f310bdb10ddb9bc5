/*
 * attempt_internal: the state of one attempt, shared by attempt.c and attempt_begin.c.  Nobody else
 * includes it.
 */
#ifndef RELAY_ATTEMPT_INTERNAL_H
#define RELAY_ATTEMPT_INTERNAL_H

#include <event2/event_struct.h>

#include "relay/attempt.h"
#include "relay/body_reader.h"
#include "relay/host_iterator.h"

struct attempt {
	LIST_ENTRY(attempt) link;
	struct attempt_context *context;
	struct arena arena;
	struct message_deliver deliver; /* its strings are in the arena */
	struct envelope envelope;
	struct message_source source;
	uint32_t *numbers; /* of the recipients without a result */
	struct body_reader body;
	int64_t began_ms;
	bool needs_new_connection; /* no idle connection is used any more */
	bool is_scanning; /* the content is scanned: what it needs of a host is not known yet */
	bool is_sending;
	bool was_ready;    /* a host was ready to receive MAIL */
	bool is_cancelled; /* the operator ended the attempt: no other host is tried */
	bool is_late;      /* the time of the attempt is over: no other host is tried */
	struct event deadline;
	struct event next_scan; /* scans one block of the content in each turn of the loop */
	struct destination_cache_lookup *lookup;
	struct resolver_query *query;
	struct cached_destination *destination;
	struct smtp_connection *connection;
	struct host_iterator hosts;
};

/* Sends the result of one recipient to the queue and keeps it until the queue has stored it. */
void attempt_report_result(
    struct attempt *attempt, uint32_t number, const struct smtp_client_result *r, bool is_last);
/* Gives every remaining recipient the same result, and frees the attempt. */
void attempt_finish(struct attempt *attempt, const struct smtp_status *s, const char *reason);
/* Cancels all pending operations of the attempt and frees it. */
void attempt_drop(struct attempt *attempt);
/* Starts the time of timeouts.attempt anew, for at least one transaction. */
void attempt_start_deadline(struct attempt *attempt);
/* The first step.  The attempt may have ended and been freed when this returns. */
void attempt_find_destination(struct attempt *attempt);

#endif
