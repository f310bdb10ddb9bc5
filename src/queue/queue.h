/*
 * queue: the queue role; see ipc/role.h for the calls.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "ipc/role.h"

extern const struct role_spec queue_role;

#endif
