/*
 * queue: the role; see ipc/role.h for its life.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "ipc/role.h"

extern const struct role_spec queue_role;

#endif
