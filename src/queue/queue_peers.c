/*
 * queue_peers: owns the peers and their channels. Before the spool is open a peer is only a
 * descriptor. A peer with the role and index of another one replaces it, and the loss of that one
 * is handled first. Relay is asked for its running attempts at once; nothing is scheduled before
 * the answer. A descriptor in a message is closed.
 */
#include "queue/queue_peers.h"

#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "queue/admin/admin.h"
#include "queue/admin/admin_flow.h"
#include "queue/dispatch.h"
#include "queue/expiry.h"
#include "queue/intake.h"
#include "queue/leases.h"
#include "queue/outcomes.h"

static void
handle_relay_packet(struct queue_peer *peer, const struct channel_packet *p)
{
	struct queue *q = peer->queue;

	switch (p->type) {
	case MESSAGE_RESULT:
		outcomes_handle(q, &p->message->result);
		break;
	case MESSAGE_RUNNING:
		dispatch_relay_running(q, &p->message->running);
		break;
	default:
		log_error("relay: unexpected %s", message_name(p->type));
		channel_refuse(peer->channel, p->call);
	}
}

static void
queue_peer_packet(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct queue_peer *peer = arg;

	if (p->fd >= 0)
		close(p->fd);
	if (p->type == MESSAGE_HELLO)
		return;
	if (p->is_fd_lost)
		channel_refuse(c, p->call);
	else if (peer->role.kind == ROLE_SUBMISSION)
		intake_handle_packet(peer, p);
	else if (peer->role.kind == ROLE_RELAY)
		handle_relay_packet(peer, p);
	else if (p->type == MESSAGE_ADMIN)
		queue_admin_handle_packet(peer, p);
	else if (p->type == MESSAGE_ADMIN_TAKEN)
		admin_flow_rows_taken(peer, p);
	else
		channel_refuse(c, p->call);
}

static void
free_queue_peer(struct queue_peer *peer)
{
	LIST_REMOVE(peer, link);
	leases_clear(peer);
	channel_free(&peer->channel);
	if (peer->fd >= 0)
		close(peer->fd);
	mem_free(peer);
}

static void
queue_peer_lost(struct channel *c, void *arg)
{
	struct queue_peer *peer = arg;
	struct queue *q = peer->queue;

	if (peer->role.kind == ROLE_SUBMISSION)
		intake_peer_lost(peer);
	if (peer->role.kind == ROLE_CONTROL)
		queue_admin_peer_lost(peer);
	if (peer == q->relay) {
		q->relay = NULL;
		dispatch_relay_lost(q);
		expiry_relay_lost(q);
	}
	/* c NULL: a new channel to the same peer exists already */
	if (c)
		role_peer_lost(q->role, peer->role);
	free_queue_peer(peer);
	queue_check_stopped(q);
}

/* Before relay has sent its attempts nothing may be scheduled.  When it does not answer, its
 * channel is closed, as if it were lost. */
static void
relay_running_answered(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct queue_peer *peer = arg;
	char text[REQUEST_TEXT_BYTES];

	(void)p;
	if (end == REQUEST_ANSWERED) {
		dispatch_relay_caught_up(peer->queue);
		return;
	}
	if (end == REQUEST_LOST)
		return; /* queue_peer_lost follows */
	log_error("running deliveries are not known: %s; the channel to it is given up",
	    request_text("relay", &peer->running, end, text));
	role_peer_lost(peer->queue->role, peer->role);
	channel_end(&peer->channel);
	queue_peer_lost(NULL, peer);
}

static bool
is_accepted_role(enum role_kind kind)
{
	return kind == ROLE_SUBMISSION || kind == ROLE_RELAY || kind == ROLE_CONTROL;
}

static void
open_peer_channel(struct queue_peer *peer)
{
	struct queue *q = peer->queue;

	peer->channel =
	    channel_new(q->role->base, peer->fd, queue_peer_packet, queue_peer_lost, peer);
	peer->fd = -1;
	if (peer->role.kind != ROLE_RELAY)
		return;
	q->relay = peer;
	request_init(&peer->running, relay_running_answered, peer);
	request_ask(&peer->running, peer->channel, MESSAGE_RUNNING_ASK,
	    &(struct message_running_ask){0});
}

/* The new channel arrived before the end of the old one was seen. */
static void
queue_peers_drop_former(const struct queue_peer *latest)
{
	struct queue_peer *peer, *next;

	for (peer = LIST_FIRST(&latest->queue->peers); peer; peer = next) {
		next = LIST_NEXT(peer, link);
		if (peer == latest || peer->role.kind != latest->role.kind ||
		    peer->role.index != latest->role.index)
			continue;
		channel_end(&peer->channel);
		if (peer->fd < 0)
			queue_peer_lost(NULL, peer);
		else
			free_queue_peer(peer); /* it has no channel yet */
	}
}

void
queue_peers_add(struct queue *q, struct role_peer role, int fd)
{
	struct queue_peer *peer;

	if (!is_accepted_role(role.kind) || fd < 0) {
		if (fd >= 0)
			close(fd);
		return;
	}
	peer = MEM_NEW(struct queue_peer);
	*peer = (struct queue_peer){.queue = q, .role = role, .fd = fd};
	LIST_INSERT_HEAD(&q->peers, peer, link);
	if (role.kind == ROLE_SUBMISSION)
		leases_init(peer);
	queue_peers_drop_former(peer);
	if (q->spool)
		open_peer_channel(peer);
}

void
queue_peers_attach(struct queue *q)
{
	struct queue_peer *peer;

	LIST_FOREACH(peer, &q->peers, link)
		open_peer_channel(peer);
}

void
queue_peers_clear(struct queue *q)
{
	struct queue_peer *peer;

	while ((peer = LIST_FIRST(&q->peers)))
		free_queue_peer(peer);
}
