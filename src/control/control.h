/*
 * control: the role that takes commands from the tool; see ipc/role.h for the life of a role.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "ipc/role.h"

extern const struct role_spec control_role;

#endif
