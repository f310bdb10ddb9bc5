/*
 * admin: what the operator asks of the queue: list, show, retry, hold, release, delete, status.
 * Long errands go on piece by piece, so that mail does not wait for them.
 */
#ifndef QUEUE_ADMIN_H
#define QUEUE_ADMIN_H

#include "queue/queue_internal.h"

void admin_take(struct peer *peer, const struct packet *p);
void admin_peer_lost(struct peer *peer);
/* The entry is about to leave the book. */
void admin_entry_gone(struct queue *q, struct entry *e);
/* Timer callback: the next piece. */
void admin_go_on(evutil_socket_t fd, short what, void *arg);
void admin_clear(struct queue *q);

#endif
