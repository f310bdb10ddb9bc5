/* rig_parts: what the files of the rig share with one another only. */
#ifndef TESTS_UNIT_QUEUE_RIG_PARTS_H
#define TESTS_UNIT_QUEUE_RIG_PARTS_H

#include "ipc/channel.h"
#include "rig.h"

extern struct rig_disk *rig_disk; /* of the queue that is started next; NULL: the real one */

/* A channel to the queue, of which it gets the other end. */
struct channel *rig_give_peer(struct rig *r, enum role_kind kind, channel_fn *fn);
/* The same with ends that are there already. */
struct channel *rig_give_end(struct rig *r, enum role_kind kind, channel_fn *fn, int ends[2]);

/* Cut where it does not fit. */
static inline void
rig_copy_text(char *to, size_t size, struct str from)
{
	snprintf(to, size, "%.*s", STR_ARG(from));
}

#endif
