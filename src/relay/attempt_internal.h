/*
 * attempt_internal: one attempt as the few files that carry it out see it.
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
	struct message_deliver deliver; /* strings in the arena */
	struct envelope envelope;
	struct message_source source;
	uint32_t *numbers; /* those that are undecided */
	struct body_reader body;
	int64_t began_ms;
	bool needs_new_connection; /* idle connections are not tried again */
	bool is_scanning; /* at the content: what it needs of a host is not known yet */
	bool is_sending;
	bool was_ready; /* MAIL could be said to a host */
	bool is_cancelled; /* the operator wants no more of it: as is_late */
	bool is_late; /* the time for an attempt is over: no other host is tried */
	struct event deadline;
	struct event next_scan; /* at the content, a block in each turn of the loop */
	struct destination_cache_lookup *lookup;
	struct resolver_query *query;
	struct cached_destination *destination;
	struct smtp_connection *connection;
	struct host_iterator hosts;
};

/* One recipient's result, kept until the queue has stored it. */
void attempt_report_result(
    struct attempt *attempt, uint32_t number, const struct smtp_client_result *r, bool is_last);
/* All that are left share one fate; the attempt is gone. */
void attempt_finish(struct attempt *attempt, const struct smtp_status *s, const char *reason);
/* Lets go of all that it asked for and holds. */
void attempt_drop(struct attempt *attempt);
/* timeouts.attempt begins anew. */
void attempt_start_deadline(struct attempt *attempt);
/* The first step; the attempt may be gone afterwards. */
void attempt_find_destination(struct attempt *attempt);

#endif
