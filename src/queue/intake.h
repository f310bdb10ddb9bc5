/*
 * intake: requests of submission: a file for a large body, and a message to queue. 250 is answered
 * when the message is durable, and not before.
 */
#ifndef QUEUE_INTAKE_H
#define QUEUE_INTAKE_H

#include "queue/admin/admin_command.h"

void intake_init(struct queue *q);
void intake_clear(struct queue *q);
void intake_handle_packet(struct queue_peer *peer, const struct channel_packet *p);
/* Closes the files of the peer; its commits are not answered any more. */
void intake_peer_lost(struct queue_peer *peer);

/* Is a message being stored that the command waits for? */
bool intake_is_awaited(const struct admin_command *command);

#endif
