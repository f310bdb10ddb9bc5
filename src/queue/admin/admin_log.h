/*
 * admin_log: the log line about a command of the operator that changed messages: by whom, with
 * which filter, how many, which, and why.
 */
#ifndef QUEUE_ADMIN_ADMIN_LOG_H
#define QUEUE_ADMIN_ADMIN_LOG_H

#include "queue/admin/admin_command.h"

void admin_command_log(const struct admin_command *command);

#endif
