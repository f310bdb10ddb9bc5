/*
 * pending_results: what became of each recipient, kept until the queue says that it is durable, and
 * told again to a new queue.
 */
#ifndef RELAY_PENDING_RESULTS_H
#define RELAY_PENDING_RESULTS_H

#include "ipc/channel.h"

struct results;

struct results *results_new(void);
void results_free(struct results **r);
/* Keeps a copy and sends it; queue NULL: there is none now. */
void results_add(struct results *r, struct channel *queue, const struct message_result *m);
void results_stored(struct results *r, const struct message_result_stored *m);
/* All that is kept, to a new queue; false: it did not take them. */
bool results_repeat(struct results *r, struct channel *queue) MUST_USE;
size_t results_count(const struct results *r);

#endif
