/*
 * admin_flow: how much an errand may say.  Its rows go to control and on to a tool, which may stand
 * for as long as its reader likes; nobody keeps for it more than MESSAGE_ROWS_WINDOW bytes and the
 * rows of one message.  Control tells what was taken (ADMIN_TAKEN).
 */
#ifndef QUEUE_ADMIN_FLOW_H
#define QUEUE_ADMIN_FLOW_H

#include "queue/admin_command.h"

/* Asked before the rows of the next message, or the next part of a long one: false: not now, and
 * the errands are woken when it may. */
bool admin_flow_has_window(const struct admin_command *errand);
/* False: control itself does not read; asked again and again until it does. */
bool admin_flow_can_send(const struct admin_command *errand);
/* A row of so many bytes is about to be said; false: to nobody. */
bool admin_flow_count_row(struct admin_command *errand, size_t row_bytes);
/* A packet of control's that is ADMIN_TAKEN.  Its errand may have ended meanwhile. */
void admin_flow_rows_taken(struct queue_peer *peer, const struct channel_packet *p);

#endif
