/*
 * admin_format: how a queued message is shown to the operator: keyed values, keys stable.  "row"
 * says what a row is about: message, recipient, content, body.
 */
#ifndef QUEUE_ADMIN_FORMAT_H
#define QUEUE_ADMIN_FORMAT_H

#include "ipc/message.h"
#include "queue/queue_internal.h"

enum { ROW_BYTES_MAX = 131072, ROW_BODY_BYTES_MAX = MESSAGE_CONTENT_MAX + 1024 };

/* One row for a message, with a "to" per recipient that is open. */
void rows_message(struct queue *q, const struct entry *e, struct buf *out);
/* What `show` says beyond that, from the stored message. */
void rows_envelope(const struct spool_content *content, struct buf *out);
/* The body, when it stands in the log with its message; of one in a file of its own only that.
 * out: of ROW_BODY_BYTES_MAX. */
void rows_body(const struct spool_content *content, struct buf *out);
/* One recipient. */
void rows_recipient(struct queue *q, const struct entry *e, uint32_t number, struct buf *out);
/* What became of the messages that a changing command fits. */
void rows_total(const struct errand *errand, struct buf *out);
/* The user of the errand's filter: limits, what is used of them, what waits. */
void rows_user(const struct errand *errand, struct buf *out);
/* The whole queue, by counters: active and deferred count deliveries (a message has one for each
 * domain of its recipients), held counts messages. */
void rows_status(struct queue *q, struct buf *out);

#endif
