/*
 * relay: the role; see ipc/role.h for its life.
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include "ipc/role.h"

extern const struct role_spec relay_role;

#endif
