/*
 * submission: the submission role, which accepts mail from clients. ipc/role.h defines what each
 * member of a role does.
 */
#ifndef SUBMISSION_SUBMISSION_H
#define SUBMISSION_SUBMISSION_H

#include "ipc/role.h"

extern const struct role_spec submission_role;

#endif
