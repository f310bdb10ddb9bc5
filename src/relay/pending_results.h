/*
 * pending_results: keeps the result of each recipient until the queue reports that it is durable,
 * and sends the results again to a new queue.  This way no result is lost when the queue restarts.
 */
#ifndef RELAY_PENDING_RESULTS_H
#define RELAY_PENDING_RESULTS_H

#include "ipc/channel.h"

struct pending_results;

/* Ends the process when there is no memory. */
struct pending_results *pending_results_new(void);
/* Frees all results, stored or not. */
void pending_results_free(struct pending_results **pending);
/* Keeps a copy of the result, and sends it. queue NULL: not connected; the result is only kept. */
void pending_results_add(
    struct pending_results *pending, struct channel *queue, const struct message_result *m);
/* The queue has stored this result: it is freed. */
void pending_results_stored(struct pending_results *pending, const struct message_result_stored *m);
/* Sends all results that are kept to a new queue; false: the channel did not take all of them. */
bool pending_results_repeat(struct pending_results *pending, struct channel *queue) MUST_USE;
/* The number of results that are not stored yet. */
size_t pending_results_count(const struct pending_results *pending);

#endif
