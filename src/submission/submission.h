/*
 * submission: the role; see ipc/role.h for its life.
 */
#ifndef SUBMISSION_SUBMISSION_H
#define SUBMISSION_SUBMISSION_H

#include "ipc/role.h"

extern const struct role_spec submission_role;

#endif
