/*
 * losses_rig: messages whose records are damaged, and what the log must say of them.
 */
#ifndef TESTS_CRASH_LOSSES_RIG_H
#define TESTS_CRASH_LOSSES_RIG_H

#include "model.h"

/* The log of this case has so many lines with both. */
void losses_expect(struct model *m, const char *words, const char *more, unsigned count);
/* Changes bytes of the message's body on the disk. */
void losses_spoil(struct model *m, const struct model_message *g);
/* Stores a message. */
struct model_message *losses_submit_any(struct model *m);
/* The newest message in segments up to this generation, or the oldest one after it. */
struct msgid losses_beside(struct model *m, uint64_t generation, bool is_behind);
/* Messages that cannot be named were accepted between these two; after: 0 for none. */
void losses_expect_between(struct model *m, struct msgid before, struct msgid after);
/* The start that accepts the loss logs what is done, not how to start. */
void losses_expect_accepted(struct model *m);

#endif
