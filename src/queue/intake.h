/*
 * intake: requests of submission: a file for a large body, and a message to queue. 250 is answered
 * when the message is durable, and not before.
 */
#ifndef QUEUE_INTAKE_H
#define QUEUE_INTAKE_H

#include "queue/queue_internal.h"

void intake_init(struct queue *q);
void intake_clear(struct queue *q);
void intake_handle_packet(struct queue_peer *peer, const struct channel_packet *p);
/* Closes the files of the peer; its commits are not answered any more. */
void intake_peer_lost(struct queue_peer *peer);

#endif
