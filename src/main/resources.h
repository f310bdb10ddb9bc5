/*
 * resources: what main has opened for the roles under one configuration: each role's part of the
 * configuration as a sealed memory file, listening sockets, certificates, keys and other files, and
 * the log.  Everything is opened, or nothing, before any role is changed: a reload that fails has
 * no effect.  A role that is started again gets the same descriptors; nothing is opened then.
 */
#ifndef MAIN_RESOURCES_H
#define MAIN_RESOURCES_H

#include "main/resources_types.h"

/* Opens everything for c.  For a reload, `before` is what is in use: its sockets are kept where
 * address and port are the same.  Returns NULL on failure: *out says what failed, for which role,
 * with which error.  A certificate that cannot be used with its key refuses a reload; at a start
 * (before NULL) it is left out, unless there is no other one, and then does not refuse a reload
 * either.  Other files that are missing or may not be read at the start are logged and left out.
 * Free with resources_free. */
struct resources *resources_new(struct conf *c, const struct resources *before,
    unsigned submission_count, struct resources_refusal *out) MUST_USE;
/* Closes and frees everything; NULL does nothing.  Sets *resources to NULL. */
void resources_free(struct resources **resources);

/* After resources are replaced: shuts down those of their listening sockets that `current` (NULL:
 * none) does not have, so that no client can connect to them, even if a process that does not end
 * still has them open. */
void resources_shut_listeners(const struct resources *o, const struct resources *current);

/* Opens and checks all certificates and keys again; replaces all of them or none, with the rules of
 * a reload. */
bool resources_renew_certificates(
    struct resources *resources, struct resources_refusal *out) MUST_USE;
/* True if a reload with c would take its certificates; nothing stays open. */
bool resources_may_use_certificates(
    struct conf *c, const struct resources *before, struct resources_refusal *out) MUST_USE;

#endif
