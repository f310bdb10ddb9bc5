/*
 * admin_rows: sends the rows of an answer.  The ids of messages that were changed are sent in rows
 * of several ("row" is "ids"), which the tool takes apart, so that a change of many messages costs
 * few packets.
 */
#ifndef QUEUE_ADMIN_ADMIN_ROWS_H
#define QUEUE_ADMIN_ADMIN_ROWS_H

#include "queue/admin/admin_command.h"

/* Sends a row of the answer; clears the values. */
void admin_rows_send(struct admin_command *command, struct buf *values);
/* The same with a descriptor, or -1. */
void admin_rows_send_with(struct admin_command *command, struct buf *values, int fd);
/* Counts a message that was changed, or would be, and adds its id to a row of several. */
void admin_rows_changed(struct admin_command *command, struct msgid id);
/* Sends the row of ids, if there are any. */
void admin_rows_send_ids(struct admin_command *command);

#endif
