/*
 * names: which resolver is used, from the configuration and the files that main passed on:
 * resolv.conf(5), hosts(5) and the trust anchor.
 */
#ifndef RELAY_NAMES_H
#define RELAY_NAMES_H

#include "ipc/role.h"
#include "net/resolver.h"

/* All that the choice depends on; a reload that brings the same text needs no new resolver. */
void names_source(const struct role *role, struct buf *out);
/* In prepare or reload.  NULL: logged. */
struct resolver *names_resolver(const struct role *role) MUST_USE;
/* One row for each resolver. */
void names_status(struct channel *control, uint64_t call, const struct conf *conf,
    const struct resolver *r);

#endif
