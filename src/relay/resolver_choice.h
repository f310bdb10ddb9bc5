/*
 * resolver_choice: which resolver is used, from the configuration and the files that main passed
 * on: resolv.conf(5), hosts(5) and the trust anchor.
 */
#ifndef RELAY_RESOLVER_CHOICE_H
#define RELAY_RESOLVER_CHOICE_H

#include "ipc/role.h"
#include "net/resolv_conf.h"

/* All that a resolver is made of: of the files, what counts in them. */
struct resolver_choice {
	struct conf *conf; /* counted */
	bool has_anchor;
	struct buf anchor, hosts;
	struct resolv_conf system;
};

/* In prepare or reload. */
void resolver_choice_make(const struct role *role, struct resolver_choice *out);
void resolver_choice_clear(struct resolver_choice *choice);
/* The same resolver would be made of both. */
bool resolver_choice_are_same(const struct resolver_choice *a, const struct resolver_choice *b);
/* NULL: logged. */
struct resolver *resolver_choice_new_resolver(
    const struct resolver_choice *choice, struct event_base *base) MUST_USE;
/* One row for each resolver. */
void resolver_choice_send_status(struct channel *control, uint64_t call, const struct conf *conf,
    const struct resolver *r);

#endif
