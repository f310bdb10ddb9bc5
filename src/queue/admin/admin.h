/*
 * admin: the operator's commands on the queue: list, show, retry, hold, release, delete, status.  A
 * long command runs in parts on the event loop, so that mail does not wait for it.  All functions
 * are called from the loop of the queue role.
 */
#ifndef QUEUE_ADMIN_ADMIN_H
#define QUEUE_ADMIN_ADMIN_H

#include "queue/queue_internal.h"

void queue_admin_handle_packet(struct queue_peer *peer, const struct channel_packet *p);
void queue_admin_peer_lost(struct queue_peer *peer);
/* The message is about to be removed from the queue. */
void queue_admin_message_gone(struct queue *q, struct queued_message *e);
/* Timer callback: runs the next part of each command. */
void queue_admin_continue(evutil_socket_t fd, short what, void *arg);
void queue_admin_clear(struct queue *q);

#endif
