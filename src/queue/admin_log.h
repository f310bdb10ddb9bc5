/*
 * admin_log: the line of the log about a command of the operator that changed messages: who, by
 * which filter, how many, which, why.
 */
#ifndef QUEUE_ADMIN_LOG_H
#define QUEUE_ADMIN_LOG_H

#include "queue/admin_command.h"

void errand_log(const struct errand *errand);

#endif
