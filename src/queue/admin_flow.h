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
bool credit_is_left(const struct errand *errand);
/* False: control itself does not read; asked again and again until it does. */
bool credit_has_way(const struct errand *errand);
/* A row of so many bytes is about to be said; false: to nobody. */
bool credit_use(struct errand *errand, size_t row_bytes);
/* A packet of control's that is ADMIN_TAKEN.  Its errand may have ended meanwhile. */
void credit_take(struct peer *peer, const struct packet *p);

#endif
