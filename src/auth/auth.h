/*
 * auth: the role; see ipc/role.h for its life.
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "ipc/role.h"

extern const struct role_spec auth_role;   /* the broker */
extern const struct role_spec worker_role; /* what blocks */

#endif
