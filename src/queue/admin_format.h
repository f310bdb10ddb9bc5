/*
 * admin_format: how a queued message is shown to the operator: keyed values, keys stable.  "row"
 * says what a row is about: message, recipient, content, body.
 */
#ifndef QUEUE_ADMIN_FORMAT_H
#define QUEUE_ADMIN_FORMAT_H

#include "ipc/message.h"
#include "queue/queue_internal.h"

enum { ADMIN_ROW_BYTES_MAX = 131072, ADMIN_ROW_BODY_BYTES_MAX = MESSAGE_CONTENT_MAX + 1024 };

/* One row for a message, with a "to" per recipient that is open. */
void admin_format_message(struct queue *q, const struct queued_message *e, struct buf *out);
/* What `show` says beyond that, from the stored message. */
void admin_format_envelope(const struct spool_content *content, struct buf *out);
/* The body, when it stands in the log with its message; of one in a file of its own only that.
 * out: of ADMIN_ROW_BODY_BYTES_MAX. */
void admin_format_body(const struct spool_content *content, struct buf *out);
/* One recipient. */
void admin_format_recipient(
    struct queue *q, const struct queued_message *e, uint32_t number, struct buf *out);
/* What became of the messages that a changing command fits. */
void admin_format_total(const struct admin_command *errand, struct buf *out);
/* The user of the errand's filter: limits, what is used of them, what waits. */
void admin_format_user(const struct admin_command *errand, struct buf *out);
/* The whole queue, by counters: active and deferred count deliveries (a message has one for each
 * domain of its recipients), held counts messages. */
void admin_format_status(struct queue *q, struct buf *out);

#endif
