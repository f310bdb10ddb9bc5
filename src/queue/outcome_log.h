/*
 * outcome_log: what the log says of a result of relay whose message is not in the queue any more,
 * and of the host that it came from.
 */
#ifndef QUEUE_OUTCOME_LOG_H
#define QUEUE_OUTCOME_LOG_H

#include "base/log.h"
#include "ipc/message.h"

/* mx=, src=, tls= and route= */
void outcome_log_other_side(struct log_line *l, const struct message_result *m);
/* It was deleted while it was under way: the host took it all the same. */
void outcome_log_deleted(const struct message_result *m);
/* A queue before this one knew the message.  Relay forgets the result now, so this line is all that
 * is left of it. */
void outcome_log_unknown(const struct message_result *m);

#endif
