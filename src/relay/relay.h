/*
 * relay: the role that delivers messages to other hosts.  See ipc/role.h for the stages of a role.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include "ipc/role.h"

/* The functions and the sandbox of the role. */
extern const struct role_spec relay_role;

#endif
