/*
 * queue_peers: the channels to submission, relay and control, and which part handles their
 * messages.  Messages are read only when the spool is open.
 */
#ifndef QUEUE_QUEUE_PEERS_H
#define QUEUE_QUEUE_PEERS_H

#include "queue/queue_internal.h"

/* fd: the queue's end of a channel to that role. */
void queue_peers_add(struct queue *q, struct role_peer role, int fd);
/* The spool is open: opens the channels of all peers. */
void queue_peers_attach(struct queue *q);
void queue_peers_clear(struct queue *q);

#endif
