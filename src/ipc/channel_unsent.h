/*
 * channel_unsent: a packet that waits in a channel until the kernel takes it, with a descriptor of
 * its own.  For channel.c.
 */
#ifndef IPC_CHANNEL_UNSENT_H
#define IPC_CHANNEL_UNSENT_H

#include <sys/queue.h>

#include "base/str.h"

struct channel_unsent {
	STAILQ_ENTRY(channel_unsent) link;
	int fd;
	size_t n;
	char bytes[];
};

/* Copies packet and descriptor; where the latter cannot be copied, the packet is marked. */
struct channel_unsent *channel_unsent_new(struct str packet, int fd);
/* Closes and frees; what is secret is wiped. */
void channel_unsent_free(struct channel_unsent *w);
/* Logs that the descriptor of that packet cannot be passed, and marks the packet. */
void channel_unsent_lose_fd(char *bytes, int error);

#endif
