/*
 * role_peers: a list in the order of arrival; there are few of them.
 */
#include "ipc/role_peers.h"

#include <unistd.h>

#include "base/mem.h"

struct role_waiting {
	STAILQ_ENTRY(role_waiting) link;
	struct role_peer peer;
	int fd;
};

void
role_peers_init(struct role_peers *peers)
{
	STAILQ_INIT(peers);
}

static void
role_drop_waiting(struct role_peers *peers, struct role_waiting *w)
{
	STAILQ_REMOVE(peers, w, role_waiting, link);
	if (w->fd >= 0)
		close(w->fd);
	mem_free(w);
}

void
role_peers_keep(struct role_peers *peers, struct role_peer peer, int fd)
{
	struct role_waiting *w = STAILQ_FIRST(peers);

	while (w && (w->peer.kind != peer.kind || w->peer.index != peer.index))
		w = STAILQ_NEXT(w, link);
	if (w)
		role_drop_waiting(peers, w);
	w = MEM_NEW(struct role_waiting);
	w->peer = peer;
	w->fd = fd;
	STAILQ_INSERT_TAIL(peers, w, link);
}

int
role_peers_take(struct role_peers *peers, struct role_peer *out)
{
	struct role_waiting *w = STAILQ_FIRST(peers);
	int fd;

	if (!w)
		return -1;
	*out = w->peer;
	fd = w->fd;
	w->fd = -1;
	role_drop_waiting(peers, w);
	return fd;
}

void
role_peers_drop(struct role_peers *peers)
{
	while (!STAILQ_EMPTY(peers))
		role_drop_waiting(peers, STAILQ_FIRST(peers));
}
