/*
 * operator_log: the beginning of the log line about an operator's command, equal in all roles.
 */
#ifndef IPC_OPERATOR_LOG_H
#define IPC_OPERATOR_LOG_H

#include "base/log.h"
#include "ipc/message.h"

/* id, action, by, via, and the claimed name of the person; the caller adds what changed, and ends
 * the line. */
void operator_log_begin(struct log_line *l, const struct message_admin *m);
/* Logs the whole line about a command that the user has no right to. */
void operator_log_refused(const struct message_admin *m);

#endif
