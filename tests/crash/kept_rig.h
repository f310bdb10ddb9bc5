/*
 * kept_rig: spools with damage on a simulated disk, and the copies that are made of it, for the
 * programs that test starts with damage.
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
	unsigned copies;                 /* of damaged ranges */
	unsigned wrong;                  /* those that differ from the bytes of the segment */
	uint32_t slot;                   /* of the segment that was damaged */
};

struct kept_heard {
	unsigned messages;
	bool is_strange;                 /* the first message is not understood */
};

/* The damaged bytes of messages, as they are on the disk. */
struct kept_evidence {
	struct str bytes[MANY];
	unsigned count;
	char header[SEGMENT_SECTOR];     /* of their segment */
};

extern const struct fsio_ops *kept_ops; /* those of the disk */
extern int kept_inspect_error;

/* A sum over the disk: the same for the same names and bytes. */
uint64_t kept_disk(struct model *m);
/* How many complete copies of damaged ranges of that segment exist. */
unsigned kept_copies(struct model *m, uint32_t slot);
/* Opens m->spool; false with errno. */
bool kept_open_as(struct model *m, struct kept_heard *h, bool accept_damage);
bool kept_open(struct model *m, struct kept_heard *h);
void kept_clear_evidence(struct kept_evidence *e);
/* Opens the spool and stores messages. */
void kept_fill(struct model *m, unsigned messages, size_t body_bytes);
/* Damages every second message, `count` of them from `first` on, and closes the spool; returns the
 * slot of their segment.  evidence may be NULL. */
uint32_t kept_damage_from(
    struct model *m, unsigned first, unsigned count, struct kept_evidence *evidence);
/* Both, from the second message on. */
uint32_t kept_damage(struct model *m, unsigned messages, unsigned count, size_t body_bytes);
/* Replaces kept_ops->inspect: for a name damaged-* it fails with kept_inspect_error. */
int kept_inspect(struct fsio *io, const char *name, struct fsio_file *out);
/* Leaves the disk so many free bytes. */
void kept_leave_room(struct model *m, uint64_t bytes);
/* Removes all segments but the one that holds the messages; nothing names the newest, as in older
 * versions. */
void kept_remove_unused(struct model *m, uint32_t slot);

#endif
