/*
 * role_peers: the kinds of roles, the name of a channel's other end, and the channels that came
 * before START, which wait for the sandbox (for role.c).  It reads nothing from them.
 */
#ifndef IPC_ROLE_PEERS_H
#define IPC_ROLE_PEERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum role_kind {
	ROLE_MAIN, ROLE_KEYS, ROLE_AUTH, ROLE_WORKER, ROLE_ACCOUNTS, ROLE_SUBMISSION, ROLE_QUEUE,
	ROLE_RELAY, ROLE_CONTROL, ROLE_KINDS
};

/* Identifies the other end of a channel that main gave: which role, which of several, and the
 * number of the pair.  The owner of the channel keeps it with the channel. */
struct role_peer {
	enum role_kind kind;
	unsigned index;
	uint32_t number;
};

struct role_waiting;
STAILQ_HEAD(role_peers, role_waiting);

void role_peers_init(struct role_peers *peers);
/* Keeps one of each kind and index, as main has replaced the one before; the list owns fd. */
void role_peers_keep(struct role_peers *peers, struct role_peer peer, int fd);
/* Removes the first one and returns its channel, which the caller owns; -1: none is left. */
int role_peers_take(struct role_peers *peers, struct role_peer *out);
/* Closes all. */
void role_peers_drop(struct role_peers *peers);

#endif
