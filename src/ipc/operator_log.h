/*
 * operator_log: the beginning of the log line about an operator's command, equal in all roles.
 */
#ifndef IPC_OPERATOR_LOG_H
#define IPC_OPERATOR_LOG_H

#include "base/buf.h"
#include "base/log.h"
#include "ipc/message.h"

/* id, action, by, via, and the claimed name of the person; the caller adds what changed, and ends
 * the line. */
void operator_log_begin(struct log_line *l, const struct message_admin *m);
/* Appends who gave the command, for a text: "root", or "root for SUDO_USER=eva loginuid=1000" when
 * the tool knows more about the person. */
void operator_log_add_who(struct buf *out, struct str by, struct str claimed_name);
/* Logs the whole line about a command that the user has no right to. */
void operator_log_refused(const struct message_admin *m);

#endif
