/*
 * operator_log: how the log line about a command of an operator begins, whichever role carries it
 * out.
 */
#ifndef IPC_OPERATOR_LOG_H
#define IPC_OPERATOR_LOG_H

#include "base/log.h"
#include "ipc/message.h"

/* id, action, by, via, and who the person claims to be; the caller adds what it changed, and ends
 * the line. */
void operator_log_begin(struct log_line *l, const struct message_admin *m);
/* The whole line about a command that who asked has no right to. */
void operator_log_refused(const struct message_admin *m);

#endif
