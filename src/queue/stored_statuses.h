/*
 * stored_statuses: the queue is the owner of the statuses of the recipients
 * (spool/spool_statuses.h): it says what became of each when the spool writes a message again.
 */
#ifndef QUEUE_STORED_STATUSES_H
#define QUEUE_STORED_STATUSES_H

#include "queue/queue_internal.h"

/* For spool_options.statuses; arg: the struct queue. */
spool_statuses_fn queued_statuses;
/* The status of one recipient, with the strings of the message. */
struct spool_recipient queued_status(const struct queued_message *e, uint32_t number);

#endif
