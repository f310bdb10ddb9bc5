/*
 * intake: what submission asks: a file for a large body, and to take a message.  250 is said when
 * the message is durable, and not before.
 */
#ifndef QUEUE_INTAKE_H
#define QUEUE_INTAKE_H

#include "queue/admin_command.h"

void intake_init(struct queue *q);
void intake_clear(struct queue *q);
void intake_handle_packet(struct queue_peer *peer, const struct channel_packet *p);
/* The files of the peer are closed; the answers to its commits find no one. */
void intake_peer_lost(struct queue_peer *peer);

/* Is something being stored that the errand waits for? */
bool intake_is_awaited(const struct admin_command *errand);

/* Why nothing can be taken, by errno: smtp_status_not_stored, EAGAIN: too busy, EILSEQ: the body
 * may not leave. */
struct smtp_status intake_no_room(int error);

#endif
