/*
 * admin_flow: flow control of the rows of a command.  They go through control to a tool, which may
 * stop reading for as long as its user wants.  For each command at most MESSAGE_ROWS_WINDOW bytes
 * and the rows of one message are buffered.  Control reports the bytes that the tool took
 * (ADMIN_TAKEN).
 */
#ifndef QUEUE_ADMIN_ADMIN_FLOW_H
#define QUEUE_ADMIN_ADMIN_FLOW_H

#include "queue/admin/admin_command.h"

/* Called before the rows of the next message, or the next part of a long one.  False: not now; the
 * commands are woken when it may go on. */
bool admin_flow_has_window(const struct admin_command *command);
/* False: control does not read; the caller tries again until it does. */
bool admin_flow_can_send(const struct admin_command *command);
/* Counts a row about so many messages that is about to be sent; false: it has no receiver. */
bool admin_flow_count_row(struct admin_command *command, size_t row_bytes, size_t messages);
/* Handles ADMIN_TAKEN from control.  Its command may have ended meanwhile. */
void admin_flow_rows_taken(struct queue_peer *peer, const struct channel_packet *p);

#endif
