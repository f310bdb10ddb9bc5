/*
 * auth: the roles that check logins, and the back ends; see ipc/role.h for the life of a role.
 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "auth/auth_backend.h"

extern const struct role_spec auth_role;   /* the broker: it decides logins */
extern const struct role_spec worker_role;   /* a worker that checks passwords */
extern const struct role_spec accounts_role; /* the worker that has the account store */

extern const struct auth_backend accounts_backend; /* its back end */

#endif
