/*
 * resolver_choice: which resolver is used, from the configuration and the files that main passed
 * on: resolv.conf(5), hosts(5) and the trust anchor.
 */
#ifndef RELAY_RESOLVER_CHOICE_H
#define RELAY_RESOLVER_CHOICE_H

#include "ipc/role.h"
#include "net/resolv_conf.h"

/* All that a resolver is made of: of the files, what counts in them. */
struct names {
	struct conf *conf; /* counted */
	bool has_anchor;
	struct buf anchor, hosts;
	struct resolv_conf system;
};

/* In prepare or reload. */
void names_take(const struct role *role, struct names *out);
void names_clear(struct names *n);
/* The same resolver would be made of both. */
bool names_are_same(const struct names *a, const struct names *b);
/* NULL: logged. */
struct resolver *names_resolver(const struct names *n, struct event_base *base) MUST_USE;
/* One row for each resolver. */
void names_status(struct channel *control, uint64_t call, const struct conf *conf,
    const struct resolver *r);

#endif
