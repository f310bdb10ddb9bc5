/*
 * expiry: ends messages that get no further attempt.  A message with attempts ends by the result of
 * the first attempt after its time.  A message without attempts, for whatever reason, ends here,
 * and its sender gets a report.  A message that the operator holds does not end. lifetime.h has the
 * rules.
 */
#ifndef QUEUE_EXPIRY_H
#define QUEUE_EXPIRY_H

#include "queue/queue_internal.h"

/* When the message is to be checked for the first time. */
int64_t expiry_ms(const struct queued_message *e);
/* Ends what has to end now; returns when the message is to be checked again, or INT64_MAX.  The
 * message may be removed. */
int64_t expiry_check(struct queue *q, struct queued_message *e, int64_t now_ms);
/* Relay is lost, or was not there yet when the role began. */
void expiry_relay_lost(struct queue *q);

#endif
