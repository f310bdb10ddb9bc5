/*
 * leases: the tokens of users' sending limits that submission processes were lent (one token a
 * recipient).  They are taken from the user's buckets when they are lent; a commit spends them when
 * it is durable, and what is returned, or was lent to a process that is lost, goes back.  Near the
 * limit no more is lent than is wanted, and what others hold is called back, so that a user is
 * refused only when the limit is really used up.
 */
#ifndef QUEUE_LEASES_H
#define QUEUE_LEASES_H

#include "queue/queue_internal.h"

enum {
	LEASE_TOKENS_MAX = 100,    /* lent at once beyond what is wanted */
	LEASES_PER_PEER_MAX = 50000,/* users to whose tokens one process may hold leases */
};

void leases_init(struct queue_peer *peer);
/* All that it holds goes back. */
void leases_clear(struct queue_peer *peer);
void leases_ask(struct queue_peer *peer, uint64_t call, const struct message_lease_ask *m);
void leases_returned(struct queue_peer *peer, const struct message_lease_return *m);
/* Tokens of this user's that submission holds now and has not spent. */
uint64_t leases_count(const struct queue *q, struct str user);
/* A message with so many recipients is durable.  peer NULL: the one that sent it is lost.  What was
 * not lent (a queue before us may have lent it) is taken from the buckets as far as it is there. */
void leases_spend(struct queue *q, struct queue_peer *peer, struct str user, uint64_t count);

#endif
