/*
 * missing_rig: spools after random work with power cuts, of which something is then removed or
 * damaged, and what is expected of the next start.
 */
#ifndef TESTS_MISSING_RIG_H
#define TESTS_MISSING_RIG_H

#include "model.h"
#include "spool/seals.h"
#include "spool/spool_internal.h"

enum { SEEDS = 60, CUTS = 3, ACTS = 250, SEGMENTS = 64, CUT_ACTS_MAX = 300 };

struct missing_log {
	uint32_t slot[SEGMENTS];         /* oldest first; the last one is the newest */
	uint32_t end;                    /* end of what is written in the newest */
	size_t count;
};

enum missing_harm { MISSING_BIT, MISSING_ALL, MISSING_UNREADABLE };

struct missing_case {
	const char *what;
	void (*fn)(struct model *m, const struct missing_log *log);
};

bool missing_open(struct model *m, bool accept_damage);
/* The files of the log. */
struct missing_log missing_list(struct model *m);
/* 0.1.0 left zeros where later versions write the mark. */
void missing_unmark(struct model *m);
void missing_expect_refusal(struct model *m, const char *what);
bool missing_opens_quietly(struct model *m);
/* With the option what is left is there (and some statuses are lost); then without it. */
void missing_expect_acceptance(struct model *m);
void missing_remove(struct model *m, uint32_t slot);
/* Of the first frame, which names the segment before: 64 bytes of header, 32 of payload. */
void missing_harm_seal(struct model *m, uint32_t slot, enum missing_harm harm);

/* So many tests follow; nothing is logged. */
void missing_begin(size_t count);
/* The numbers of the tests begin with `first`. */
bool missing_run_all(const struct missing_case *cases, size_t count, size_t first);

#endif
