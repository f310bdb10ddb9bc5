/*
 * admin: what the operator asks of the queue: list, show, retry, hold, release, delete, status.
 * Long errands go on piece by piece, so that mail does not wait for them.
 */
#ifndef QUEUE_ADMIN_H
#define QUEUE_ADMIN_H

#include "queue/queue_internal.h"

void queue_admin_handle_packet(struct queue_peer *peer, const struct channel_packet *p);
void queue_admin_peer_lost(struct queue_peer *peer);
/* The entry is about to leave the book. */
void queue_admin_message_gone(struct queue *q, struct queued_message *e);
/* Timer callback: the next piece. */
void queue_admin_continue(evutil_socket_t fd, short what, void *arg);
void queue_admin_clear(struct queue *q);

#endif
