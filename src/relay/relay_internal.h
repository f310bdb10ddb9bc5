/*
 * relay_internal: the role's own, shared by its few files.
 */
#ifndef RELAY_RELAY_INTERNAL_H
#define RELAY_RELAY_INTERNAL_H

#include "ipc/role.h"
#include "relay/attempt.h"
#include "relay/resolver_choice.h"

struct relay_destination_query; /* an open SITE_ASK */
struct route_test;

LIST_HEAD(relay_destination_query_list, relay_destination_query);
LIST_HEAD(route_test_list, route_test);

struct relay {
	struct role *role;
	struct attempt_context context;
	struct resolver *resolver;
	struct resolver_choice choice; /* what it was made of, or is to be made of: see renewal */
	struct event *renewal_timer; /* pending: the resolver is one of former names */
	/* those of configurations before, which running attempts still ask */
	struct resolver **retired;
	size_t retired_count;
	struct channel *control;
	int queue_fd, control_fd; /* given before the start; -1: none */
	struct role_peer queue_peer, control_peer;
	struct relay_destination_query_list queries;
	struct route_test_list tests;
	struct event *drain_timer;  /* stopping */
	int64_t drain_end_ms; /* monotonic */
	bool attempts_ended;         /* stopping, all attempts have ended */
};

/* The resolver: made in prepare (r->resolver NULL: it cannot be), and made anew in a reload that
 * brings other names. */
void resolver_renewal_prepare(struct relay *r);
void resolver_renewal_reload(struct relay *r);
void resolver_renewal_end(struct relay *r);

/* One call of the operator's tool: which way would mail for this address go?  The answers follow.
 */
void route_test_begin(struct relay *r, uint64_t call, struct str address);
/* The tool, or the channel to it, is gone. */
void route_tests_cancel(struct relay *r);

#endif
