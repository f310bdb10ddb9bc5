/*
 * admin_log: the line of the log about a command of the operator that changed messages: who, by
 * which filter, how many, which, why.
 */
#ifndef QUEUE_ADMIN_LOG_H
#define QUEUE_ADMIN_LOG_H

#include "queue/admin_command.h"

void admin_command_log(const struct admin_command *errand);

#endif
