/*
 * pending_results: what became of each recipient, kept until the queue says that it is durable, and
 * told again to a new queue.
 */
#ifndef RELAY_PENDING_RESULTS_H
#define RELAY_PENDING_RESULTS_H

#include "ipc/channel.h"

struct pending_results;

struct pending_results *pending_results_new(void);
void pending_results_free(struct pending_results **pending);
/* Keeps a copy and sends it; queue NULL: there is none now. */
void pending_results_add(
    struct pending_results *pending, struct channel *queue, const struct message_result *m);
void pending_results_stored(struct pending_results *pending, const struct message_result_stored *m);
/* All that is kept, to a new queue; false: it did not take them. */
bool pending_results_repeat(struct pending_results *pending, struct channel *queue) MUST_USE;
size_t pending_results_count(const struct pending_results *pending);

#endif
