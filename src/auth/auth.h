/*
 * auth: the two roles that check logins; see ipc/role.h for the life of a role.
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "ipc/role.h"

extern const struct role_spec auth_role;   /* the broker: it decides logins */
extern const struct role_spec worker_role; /* a worker: it runs what blocks */

#endif
