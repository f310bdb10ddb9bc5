/*
 * keys: the role; see ipc/role.h for its life.
 */
#ifndef KEYS_KEYS_H
#define KEYS_KEYS_H

#include "ipc/role.h"

extern const struct role_spec keys_role;

#endif
