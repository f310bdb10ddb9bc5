/*
 * queue_peers: see the header.
 */
#include "queue/queue_peers.h"

#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "queue/admin.h"
#include "queue/admin_flow.h"
#include "queue/dispatch.h"
#include "queue/expiry.h"
#include "queue/intake.h"
#include "queue/leases.h"
#include "queue/outcomes.h"

static void
from_relay(struct peer *peer, const struct packet *p)
{
	struct queue *q = peer->queue;

	switch (p->type) {
	case MESSAGE_RESULT:
		results_take(q, &p->message->result);
		break;
	case MESSAGE_RUNNING:
		jobs_running(q, &p->message->running);
		break;
	default:
		log_error("relay: unexpected %s", message_name(p->type));
		channel_refuse(peer->channel, p->call);
	}
}

static void
on_packet(struct channel *c, const struct packet *p, void *arg)
{
	struct peer *peer = arg;

	if (p->fd >= 0)
		close(p->fd);
	if (p->type == MESSAGE_HELLO)
		return;
	if (p->is_fd_lost)
		channel_refuse(c, p->call);
	else if (peer->who.kind == ROLE_SUBMISSION)
		intake_take(peer, p);
	else if (peer->who.kind == ROLE_RELAY)
		from_relay(peer, p);
	else if (p->type == MESSAGE_ADMIN)
		admin_take(peer, p);
	else if (p->type == MESSAGE_ADMIN_TAKEN)
		credit_take(peer, p);
	else
		channel_refuse(c, p->call);
}

static void
drop_peer(struct peer *peer)
{
	LIST_REMOVE(peer, link);
	leases_clear(peer);
	channel_free(&peer->channel);
	if (peer->fd >= 0)
		close(peer->fd);
	mem_free(peer);
}

static void
on_lost(struct channel *c, void *arg)
{
	struct peer *peer = arg;
	struct queue *q = peer->queue;

	if (peer->who.kind == ROLE_SUBMISSION)
		intake_peer_lost(peer);
	if (peer->who.kind == ROLE_CONTROL)
		admin_peer_lost(peer);
	if (peer == q->relay) {
		q->relay = NULL;
		jobs_relay_lost(q);
		expiry_relay_lost(q);
	}
	/* c NULL: a new channel to the same peer is here already */
	if (c)
		role_peer_lost(q->role, peer->who);
	drop_peer(peer);
	queue_check_stopped(q);
}

/* Until relay has told what it holds, nothing may be scheduled; one that does not tell is given
 * up, as if it were lost. */
static void
got_running(enum request_end end, const struct packet *p, void *arg)
{
	struct peer *peer = arg;
	char text[REQUEST_TEXT_BYTES];

	(void)p;
	if (end == REQUEST_ANSWERED) {
		jobs_caught_up(peer->queue);
		return;
	}
	if (end == REQUEST_LOST)
		return; /* on_lost follows */
	log_error("running deliveries are not known: %s; the channel to it is given up",
	    request_text("relay", &peer->running, end, text));
	role_peer_lost(peer->queue->role, peer->who);
	channel_end(&peer->channel);
	on_lost(NULL, peer);
}

static bool
is_welcome(enum role_kind kind)
{
	return kind == ROLE_SUBMISSION || kind == ROLE_RELAY || kind == ROLE_CONTROL;
}

static void
attach(struct peer *peer)
{
	struct queue *q = peer->queue;

	peer->channel = channel_new(q->role->base, peer->fd, on_packet, on_lost, peer);
	peer->fd = -1;
	if (peer->who.kind != ROLE_RELAY)
		return;
	q->relay = peer;
	request_init(&peer->running, got_running, peer);
	request_ask(&peer->running, peer->channel, MESSAGE_RUNNING_ASK,
	    &(struct message_running_ask){0});
}

/* The new one came before the end of the old one was seen. */
static void
peers_drop_former(const struct peer *latest)
{
	struct peer *peer, *next;

	for (peer = LIST_FIRST(&latest->queue->peers); peer; peer = next) {
		next = LIST_NEXT(peer, link);
		if (peer == latest || peer->who.kind != latest->who.kind ||
		    peer->who.index != latest->who.index)
			continue;
		channel_end(&peer->channel);
		if (peer->fd < 0)
			on_lost(NULL, peer);
		else
			drop_peer(peer); /* nobody has heard it */
	}
}

void
peers_take(struct queue *q, struct role_peer who, int fd)
{
	struct peer *peer;

	if (!is_welcome(who.kind) || fd < 0) {
		if (fd >= 0)
			close(fd);
		return;
	}
	peer = MEM_NEW(struct peer);
	*peer = (struct peer){.queue = q, .who = who, .fd = fd};
	LIST_INSERT_HEAD(&q->peers, peer, link);
	if (who.kind == ROLE_SUBMISSION)
		leases_init(peer);
	peers_drop_former(peer);
	if (q->spool)
		attach(peer);
}

void
peers_attach(struct queue *q)
{
	struct peer *peer;

	LIST_FOREACH(peer, &q->peers, link)
		attach(peer);
}

void
peers_clear(struct queue *q)
{
	struct peer *peer;

	while ((peer = LIST_FIRST(&q->peers)))
		drop_peer(peer);
}
