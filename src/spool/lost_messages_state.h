/*
 * lost_messages_state: what a start has seen of lost messages, for lost_messages.c, which collects
 * it, and lost_messages_report.c.
 */
#ifndef SPOOL_LOST_MESSAGES_STATE_H
#define SPOOL_LOST_MESSAGES_STATE_H

#include "spool/lost_messages.h"

enum { LOST_MESSAGES_GAPS_MAX = 200 };

/* What is missing between messages that are there, or behind all of them: a segment or its end, or
 * a damaged stretch, and those that no other gap has room for. */
struct lost_messages_gap {
	uint64_t generation;             /* 0: which one is not known */
	uint32_t slot, from, to;         /* of a stretch; to 0: it is a segment */
	unsigned more;                   /* stretches */
	bool is_passed;                  /* messages of later segments were seen */
	struct msgid before;             /* the newest one that stood before it; session 0: none */
	struct msgid after;              /* the first newer one behind it; session 0: none yet */
};

/* A message in a damaged place. */
struct lost_messages_damaged {
	struct msgid id;
	uint32_t slot, offset;           /* of the segment, and of its frame there */
	bool is_readable;                /* whole, in a file that is set aside */
	struct str addresses;            /* owned */
	uint32_t recipient_count;
	uint32_t settled_count;
	bool *is_settled;                /* by recipient; owned */
};

struct lost_messages {
	const struct spool_recovery *recovery; /* of the start that collects them; or NULL */
	struct map *waiting;             /* recipients of missing messages, by their last status */
	struct map *messages;            /* in damaged places */
	struct lost_messages_gap gaps[LOST_MESSAGES_GAPS_MAX];
	unsigned gap_count;
	struct msgid newest;             /* of all messages seen */
};

/* A recipient of a missing message. */
struct lost_messages_recipient {
	struct msgid id;
	uint32_t recipient;
};

/* Less than, equal to or greater than 0: the first id is older, the same or newer. */
int lost_messages_compare_ids(struct msgid a, struct msgid b);

#endif
