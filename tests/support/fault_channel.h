/*
 * fault_channel: a pair of ends for a channel with a thread between them that passes packets on and
 * does to them what a table says.
 */
#ifndef TESTS_SUPPORT_FAULT_CHANNEL_H
#define TESTS_SUPPORT_FAULT_CHANNEL_H

#include "ipc/message.h"

enum fault_kind {
	FAULT_DELAY,      /* value: milliseconds */
	FAULT_DROP,
	FAULT_DOUBLE,
	FAULT_REORDER,    /* goes after the next packet of its direction */
	FAULT_RETYPE,     /* value: the type that comes instead, all zeros */
	FAULT_TRUNCATE,   /* half of the message is missing */
	FAULT_LOSE_FD,    /* arrives marked, as when the receiver has no descriptor left */
	FAULT_SECOND_FD,  /* two descriptors beside one packet */
	FAULT_KINDS
};

struct fault {
	enum message_type type; /* of the packets that it is for; MESSAGE_NONE: all */
	enum fault_kind kind;
	int value;
	unsigned count;         /* the first so many of them; 0: all */
};

struct fault_channel;

/* Two ends, as of channel_pair. */
struct fault_channel *fault_channel_new(int ends_out[2]);
/* Closes its sides: both ends are lost then. */
void fault_channel_free(struct fault_channel **f);
/* From now on; table NULL: all is passed on as it comes. */
void fault_channel_set(struct fault_channel *f, const struct fault *table, size_t count);
/* Nothing is taken from either end, as if both peers were stopped: buffers fill. */
void fault_channel_stall(struct fault_channel *f, bool is_stalled);
/* How many packets of that type came, whatever became of them. */
unsigned fault_channel_seen(struct fault_channel *f, enum message_type type);

#endif
