/*
 * leases: tokens of the users' sending limits, lent to submission processes (one token for each
 * recipient).  They are taken from the user's limit when they are lent.  A durable commit spends
 * them; tokens that are returned, or were lent to a process that is lost, go back to the limit.
 * Near the limit no more is lent than is wanted, and unused tokens are recalled from other
 * processes, so that a user is refused only when the limit is really used up.
 */
#ifndef QUEUE_LEASES_H
#define QUEUE_LEASES_H

#include "queue/queue_internal.h"

enum {
	LEASE_TOKENS_MAX = 100,    /* lent at once beyond what is wanted */
	LEASES_PER_PEER_MAX = 50000,/* users of whom one process may have tokens */
};

void leases_init(struct queue_peer *peer);
/* All of its tokens go back. */
void leases_clear(struct queue_peer *peer);
void leases_ask(struct queue_peer *peer, uint64_t call, const struct message_lease_ask *m);
void leases_returned(struct queue_peer *peer, const struct message_lease_return *m);
/* Tokens of this user that submission has now and has not spent. */
uint64_t leases_count(const struct queue *q, struct str user);
/* A message with so many recipients is durable. peer NULL: the channel to the sender of it is lost.
 * Tokens that were not lent (an earlier queue process may have lent them) are taken from the limit,
 * as far as they are free. */
void leases_spend(struct queue *q, struct queue_peer *peer, struct str user, uint64_t count);

#endif
