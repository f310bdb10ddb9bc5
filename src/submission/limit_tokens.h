/*
 * limit_tokens: what the queue has leased to this process of the users' sending limits, one token
 * for each recipient. A token that is here is taken without a request; only when none is left, the
 * queue is asked, and its answer comes from the event loop. Tokens that are not used for a while
 * are returned.
 */
#ifndef SUBMISSION_LIMIT_TOKENS_H
#define SUBMISSION_LIMIT_TOKENS_H

#include "ipc/request.h"

struct limit_tokens;
struct limit_tokens_lease;

/* status 250: one token was taken for the waiter. Another status: why none was given. NULL: the
 * queue was lost or did not answer. */
typedef void limit_tokens_fn(const struct smtp_status *status, void *arg);

/* Waits for one token. Member of its owner's struct, all zeros at first. */
struct limit_tokens_waiter {
	TAILQ_ENTRY(limit_tokens_waiter) link;
	struct limit_tokens_lease *lease; /* NULL: not waiting */
	limit_tokens_fn *fn;
	void *arg;
};

/* Never fails. All waiters must be cancelled before it is freed. */
struct limit_tokens *limit_tokens_new(struct event_base *base);
void limit_tokens_free(struct limit_tokens **t);
/* A new channel to the queue, or NULL: all tokens of the former queue process are void. Their
 * waiters are called with NULL. */
void limit_tokens_set_queue(struct limit_tokens *t, struct channel *queue);

/* Changes with each new channel: tokens that were taken in another generation are void. */
unsigned limit_tokens_generation(const struct limit_tokens *t);

/* Takes one of the user's tokens that are here; false: there are none. */
bool limit_tokens_take(struct limit_tokens *t, struct str user) MUST_USE;
/* Asks for one token; w->fn is called later, never from inside this call. False: there is no queue
 * to ask. */
bool limit_tokens_wait(
    struct limit_tokens *t, struct str user, struct limit_tokens_waiter *w) MUST_USE;
/* Ends the wait; w->fn is not called. */
void limit_tokens_cancel(struct limit_tokens_waiter *w);
/* The limit of this user that the queue named with its last refusal; empty: none. */
struct str limit_tokens_limit(const struct limit_tokens *t, struct str user);
/* Of the tokens that were taken: they were not used. */
void limit_tokens_return(struct limit_tokens *t, struct str user, uint32_t count);
/* Of the tokens that were taken: a commit used them, which the queue counts itself. */
void limit_tokens_spend(struct limit_tokens *t, struct str user, uint32_t count);
/* The queue asks for the tokens that are not taken. */
void limit_tokens_recall(struct limit_tokens *t, struct str user);

#endif
