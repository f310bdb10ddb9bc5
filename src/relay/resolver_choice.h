/*
 * resolver_choice: determines which resolver is used, from the configuration and from the files
 * that main passes: resolv.conf(5), hosts(5) and the trust anchor.
 */
#ifndef RELAY_RESOLVER_CHOICE_H
#define RELAY_RESOLVER_CHOICE_H

#include "ipc/role.h"
#include "net/resolv_conf.h"

/* Everything that a resolver is made from; of the files only the parts that matter. */
struct resolver_choice {
	struct conf *conf; /* a counted reference */
	bool has_anchor;
	struct buf anchor, hosts;
	struct resolv_conf system;
};

/* Reads the configuration and the files of the role, in prepare or reload. */
void resolver_choice_make(const struct role *role, struct resolver_choice *out);
/* Frees the files and drops the configuration. */
void resolver_choice_clear(struct resolver_choice *choice);
/* True: both choices give the same resolver. */
bool resolver_choice_are_same(const struct resolver_choice *a, const struct resolver_choice *b);
/* NULL: it could not be made, and the error was logged. */
struct resolver *resolver_choice_new_resolver(
    const struct resolver_choice *choice, struct event_base *base) MUST_USE;
/* Sends one row for each DNS server, as the answer to `dns status`. */
void resolver_choice_send_status(
    struct channel *control, uint64_t call, const struct conf *conf, const struct resolver *r);

#endif
