/*
 * kept_rig: spools with damage on a simulated disk, and what is kept of it, for the programs that
 * try starts which find some.
 */
#ifndef TESTS_KEPT_RIG_H
#define TESTS_KEPT_RIG_H

#include "cases.h"
#include "model.h"
#include "spool/damage_copies.h"
#include "spool/spool_internal.h"

enum { SEEDS = 15, MESSAGES = 12, ACTS_MAX = 400, MANY = 70 };

extern const struct spool_options kept_options;

struct kept_sum {
	struct model *m;
	uint64_t sum;
	unsigned copies;                 /* of damaged stretches */
	unsigned wrong;                  /* those that are not what stands in the segment */
	uint32_t slot;                   /* of the segment that was damaged */
};

struct kept_heard {
	unsigned messages;
	bool is_strange;                 /* the first one */
};

/* What stood where messages were damaged, as the disk has it. */
struct kept_evidence {
	struct str bytes[MANY];
	unsigned count;
	char header[SEGMENT_SECTOR];     /* of their segment */
};

extern const struct fsio_ops *kept_ops; /* those of the disk */
extern int kept_inspect_error;

/* The same for the same names and bytes. */
uint64_t kept_disk(struct model *m);
/* Of damaged stretches of that segment, whole ones. */
unsigned kept_copies(struct model *m, uint32_t slot);
/* m->spool; false with errno. */
bool kept_open_as(struct model *m, struct kept_heard *h, bool accept_damage);
bool kept_open(struct model *m, struct kept_heard *h);
void kept_clear_evidence(struct kept_evidence *e);
/* Opens it and stores messages. */
void kept_fill(struct model *m, unsigned messages, size_t body_bytes);
/* Every second message is damaged, `count` of them from this one on, and the spool is closed;
 * returns the slot of their segment.  evidence may be NULL. */
uint32_t kept_damage_from(
    struct model *m, unsigned first, unsigned count, struct kept_evidence *evidence);
/* Both, from the second message on. */
uint32_t kept_damage(struct model *m, unsigned messages, unsigned count, size_t body_bytes);
/* In place of kept_ops->inspect: a name damaged-* ends with kept_inspect_error. */
int kept_inspect(struct fsio *io, const char *name, struct fsio_file *out);
/* Leaves the disk so many free bytes. */
void kept_leave_room(struct model *m, uint64_t bytes);
/* All segments but the one that holds the messages; nothing names the newest, as in older versions.
 */
void kept_remove_unused(struct model *m, uint32_t slot);

#endif
