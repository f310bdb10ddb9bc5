/*
 * relay_internal: the state of the role, shared by relay.c, resolver_renewal.c and route_test.c.
 */
#ifndef RELAY_RELAY_INTERNAL_H
#define RELAY_RELAY_INTERNAL_H

#include "ipc/role.h"
#include "relay/attempt.h"
#include "relay/resolver_choice.h"

struct relay_destination_query; /* a DESTINATION_ASK that is not answered yet */
struct route_test;

LIST_HEAD(relay_destination_query_list, relay_destination_query);
LIST_HEAD(route_test_list, route_test);

struct relay {
	struct role *role;
	struct attempt_context context;
	struct resolver *resolver;
	/* what the resolver was made from, or will be made from: see renewal_timer */
	struct resolver_choice choice;
	struct event *renewal_timer; /* pending: the resolver is still one of a former choice */
	/* resolvers of former configurations, which running attempts still use */
	struct resolver **retired;
	size_t retired_count;
	struct channel *control;
	int queue_fd, control_fd; /* received before the start; -1: none */
	struct role_peer queue_peer, control_peer;
	struct relay_destination_query_list queries;
	struct route_test_list tests;
	struct event *drain_timer; /* NULL: not stopping */
	int64_t drain_end_ms;      /* monotonic */
	bool attempts_ended;       /* stopping, and all attempts have ended */
};

/* The resolver of the role.  It is made in prepare (r->resolver is NULL if that fails), and made
 * again in a reload that changes what it is made from. resolver_renewal_end frees it. */
void resolver_renewal_prepare(struct relay *r);
void resolver_renewal_reload(struct relay *r);
void resolver_renewal_end(struct relay *r);

/* Starts one `route test` command of the operator: finds out which way mail for this address would
 * go, and sends that in rows to control. */
void route_test_begin(struct relay *r, uint64_t call, struct str address);
/* Frees all tests: the channel to control is closed. */
void route_tests_cancel(struct relay *r);

#endif
