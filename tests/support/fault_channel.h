/*
 * fault_channel: two connected ends for a channel, with a thread between them that forwards packets
 * and applies a table of faults to them.
 */
#ifndef TESTS_SUPPORT_FAULT_CHANNEL_H
#define TESTS_SUPPORT_FAULT_CHANNEL_H

#include "ipc/message.h"

enum fault_kind {
	FAULT_DELAY,      /* value: milliseconds */
	FAULT_DROP,
	FAULT_DOUBLE,
	FAULT_REORDER,    /* is sent after the next packet of its direction */
	FAULT_RETYPE,     /* value: the type that is sent instead, all zeros */
	FAULT_TRUNCATE,   /* half of the message is missing */
	FAULT_LOSE_FD,    /* arrives marked, as if the receiver had no descriptor left */
	FAULT_SECOND_FD,  /* two descriptors with one packet */
	FAULT_KINDS
};

struct fault {
	enum message_type type; /* applies to packets of this type; MESSAGE_NONE: to all */
	enum fault_kind kind;
	int value;
	unsigned count;         /* applies to the first `count` of them; 0: to all */
};

struct fault_channel;

/* Creates two ends, as channel_pair does. */
struct fault_channel *fault_channel_new(int ends_out[2]);
/* Closes its sides, so that both ends lose their peer, and frees it. */
void fault_channel_free(struct fault_channel **f);
/* Sets the table from now on; NULL: all packets are forwarded unchanged. */
void fault_channel_set(struct fault_channel *f, const struct fault *table, size_t count);
/* While stalled, nothing is read from either end, as if both peers were stopped: buffers fill. */
void fault_channel_stall(struct fault_channel *f, bool is_stalled);
/* Returns how many packets of that type were read, whatever was done with them. */
unsigned fault_channel_seen(struct fault_channel *f, enum message_type type);

#endif
