/*
 * backend_worker: the role of the workers of a back end (auth_backend.h), the same for each: it
 * decodes the broker's requests, calls the back end, and answers, one request at a time. It reports
 * the state of the back end before the answer to the request that changed it.
 */
#ifndef AUTH_BACKEND_WORKER_H
#define AUTH_BACKEND_WORKER_H

#include "auth/auth_backend.h"

/* The functions of such a role; the file of the back end puts them into its struct role_spec. The
 * back end is that of the row of the role in worker_kinds.c. */
void backend_worker_grant(struct role *r, const struct message_grant *grant, int fd);
void backend_worker_prepare(struct role *r, struct sandbox *sandbox);
void backend_worker_peer(struct role *r, struct role_peer peer, int fd);
int backend_worker_start(struct role *r);
void backend_worker_end(struct role *r);

#endif
