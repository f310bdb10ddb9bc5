/*
 * outcome_log: log lines about results of relay for messages that have left the queue, and the keys
 * about the remote host.
 */
#ifndef QUEUE_OUTCOME_LOG_H
#define QUEUE_OUTCOME_LOG_H

#include "base/log.h"
#include "ipc/message.h"

/* mx=, src=, tls= and destination= */
void outcome_log_other_side(struct log_line *l, const struct message_result *m);
/* The message was deleted during the attempt, and the host accepted it all the same. */
void outcome_log_deleted(const struct message_result *m);
/* Only an earlier queue process knew the message.  Relay forgets the result now, so this line is
 * the only trace of it. */
void outcome_log_unknown(const struct message_result *m);

#endif
