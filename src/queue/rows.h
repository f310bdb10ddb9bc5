/*
 * rows: how a queued message is shown to the operator: keyed values, keys stable.
 */
#ifndef QUEUE_ROWS_H
#define QUEUE_ROWS_H

#include "queue/core.h"

enum { ROW_BYTES_MAX = 131072 };

/* One row for a message, with a "to" per recipient that is open. */
void rows_message(struct queue *q, const struct entry *e, struct buf *out);
/* What `show` says beyond that, from the stored message. */
void rows_envelope(const struct spool_content *content, struct buf *out);
/* One recipient. */
void rows_recipient(struct queue *q, const struct entry *e, uint32_t number, struct buf *out);
/* The whole queue, by counters: active and deferred count deliveries (a message has one for each
 * domain of its recipients), held counts messages. */
void rows_status(struct queue *q, struct buf *out);

#endif
