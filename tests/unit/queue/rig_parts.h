/* rig_parts: shared by the files of the rig. */
#ifndef TESTS_UNIT_QUEUE_RIG_PARTS_H
#define TESTS_UNIT_QUEUE_RIG_PARTS_H

#include "ipc/channel.h"
#include "rig.h"

extern struct rig_disk *rig_disk; /* for the next queue process; NULL: the real disk */

/* A channel to the queue, which gets the other end. */
struct channel *rig_give_peer(struct rig *r, enum role_kind kind, channel_fn *fn);
/* The same with given ends. */
struct channel *rig_give_end(struct rig *r, enum role_kind kind, channel_fn *fn, int ends[2]);

/* Cut when it does not fit. */
static inline void
rig_copy_text(char *to, size_t size, struct str from)
{
	snprintf(to, size, "%.*s", STR_ARG(from));
}

#endif
