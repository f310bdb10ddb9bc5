/*
 * lost_messages_state: what a start knows of lost messages.  For lost_messages.c, which collects
 * it, and lost_messages_report.c only.
 */
#ifndef SPOOL_LOST_MESSAGES_STATE_H
#define SPOOL_LOST_MESSAGES_STATE_H

#include "spool/lost_messages.h"

enum { LOST_MESSAGES_GAPS_MAX = 200 };

/* A gap between messages that exist, or after all of them: a missing segment, its missing end, or a
 * damaged range.  The last gap also stands for those above the maximum. */
struct lost_messages_gap {
	uint64_t generation;             /* 0: it is not known which one */
	uint32_t slot, from, to;         /* of a range; to 0: it is a segment */
	unsigned more;                   /* further gaps */
	bool is_passed;                  /* messages of later segments were read */
	struct msgid before;             /* the newest message before it; session 0: none */
	struct msgid after;              /* the first newer message after it; session 0: none yet */
};

/* A message in a damaged range. */
struct lost_messages_damaged {
	struct msgid id;
	uint32_t slot, offset;           /* of the segment, and of its frame there */
	bool is_readable;                /* undamaged, in a file that is set aside */
	struct str addresses;            /* owned; sender and recipients as text */
	uint32_t recipient_count;
	uint32_t settled_count;
	bool *is_settled;                /* by recipient; owned */
};

struct lost_messages {
	const struct spool_recovery *recovery; /* of the start that collects them; or NULL */
	struct map *waiting;             /* recipients of missing messages that are not settled */
	struct map *messages;            /* those in damaged ranges */
	struct lost_messages_gap gaps[LOST_MESSAGES_GAPS_MAX];
	unsigned gap_count;
	struct msgid newest;             /* of all messages that were read */
};

/* A recipient of a missing message. */
struct lost_messages_recipient {
	struct msgid id;
	uint32_t recipient;
};

/* Less than, equal to or greater than 0: the first id is older, the same or newer. */
int lost_messages_compare_ids(struct msgid a, struct msgid b);

#endif
