/*
 * keys: the role that holds the private keys and signs with them.  See ipc/role.h for the stages of
 * a role.
 */
#ifndef KEYS_KEYS_H
#define KEYS_KEYS_H

#include "ipc/role.h"

/* The functions and the sandbox of the role. */
extern const struct role_spec keys_role;

#endif
