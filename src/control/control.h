/*
 * control: the role; see ipc/role.h for its life.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "ipc/role.h"

extern const struct role_spec control_role;

#endif
