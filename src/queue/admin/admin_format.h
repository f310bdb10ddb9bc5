/*
 * admin_format: rows about queued messages for the operator: keys with values; keys are stable.
 * "row" names what a row is about: message, recipient, content, body.
 */
#ifndef QUEUE_ADMIN_ADMIN_FORMAT_H
#define QUEUE_ADMIN_ADMIN_FORMAT_H

#include "ipc/message.h"
#include "queue/queue_internal.h"

enum { ADMIN_ROW_BYTES_MAX = 131072, ADMIN_ROW_BODY_BYTES_MAX = MESSAGE_CONTENT_MAX + 1024 };

/* One row for a message, with a "to" for each open recipient. */
void admin_format_message(struct queue *q, const struct queued_message *e, struct buf *out);
/* More for `show`, from the stored message. */
void admin_format_envelope(const struct spool_content *content, struct buf *out);
/* The body, when it is stored in the log with its message; for a body in a file, only that fact.
 * out: of ADMIN_ROW_BODY_BYTES_MAX. */
void admin_format_body(const struct spool_content *content, struct buf *out);
/* One recipient. */
void admin_format_recipient(
    struct queue *q, const struct queued_message *e, uint32_t number, struct buf *out);
/* The result of a command that changes messages. */
void admin_format_total(const struct admin_command *command, struct buf *out);
/* A text: how many messages were changed, and how many match and stay as they were. */
void admin_format_count_text(const struct admin_command *command, char *out, size_t size);
/* The user of the command's filter: limits, how much of them is used, and queued messages. */
void admin_format_user(const struct admin_command *command, struct buf *out);
/* Counters of the whole queue: active and deferred count deliveries (a message has one for each
 * domain of its recipients), held counts messages. */
void admin_format_status(struct queue *q, struct buf *out);

#endif
