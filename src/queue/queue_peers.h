/*
 * queue_peers: the channels to submission, relay and control, and who hears what they say.
 */
#ifndef QUEUE_QUEUE_PEERS_H
#define QUEUE_QUEUE_PEERS_H

#include "queue/queue_internal.h"

/* Our end of a channel to that role; no one is heard before the spool is open. */
void queue_peers_add(struct queue *q, struct role_peer who, int fd);
/* The spool is open: those who came before are heard from now on. */
void queue_peers_attach(struct queue *q);
void queue_peers_clear(struct queue *q);

#endif
