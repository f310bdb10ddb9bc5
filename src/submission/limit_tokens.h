/*
 * limit_tokens: what the queue lent this process of the users' sending limits, one token a
 * recipient. They are spent without asking; only who finds none asks, and hears the answer from the
 * loop. What is not used for a while goes back.
 */
#ifndef SUBMISSION_LIMIT_TOKENS_H
#define SUBMISSION_LIMIT_TOKENS_H

#include "ipc/channel.h"

struct limit_tokens;
struct limit_tokens_lease;

/* status 250: one token was taken for the waiter; else why there is none; NULL: the queue is lost
 * or did not answer. */
typedef void limit_tokens_fn(const struct smtp_status *status, void *arg);

/* One that waits for a token: a member of its owner's struct, all zeros at first. */
struct limit_tokens_waiter {
	TAILQ_ENTRY(limit_tokens_waiter) link;
	struct limit_tokens_lease *lease; /* NULL: not waiting */
	limit_tokens_fn *fn;
	void *arg;
};

struct limit_tokens *limit_tokens_new(struct event_base *base);
void limit_tokens_free(struct limit_tokens **t);
/* A new channel to the queue, or NULL: what the old queue lent is void. */
void limit_tokens_set_queue(struct limit_tokens *t, struct channel *queue);

/* Changes with each queue: what was taken of another one's tokens is void. */
unsigned limit_tokens_generation(const struct limit_tokens *t);

/* Takes one of the user's tokens that are here. */
bool limit_tokens_take(struct limit_tokens *t, struct str user) MUST_USE;
/* Waits for one.  False: there is no queue to ask. */
bool limit_tokens_wait(
    struct limit_tokens *t, struct str user, struct limit_tokens_waiter *w) MUST_USE;
void limit_tokens_cancel(struct limit_tokens_waiter *w);
/* The limit of this user for which one was refused just now; empty: it was not a limit. */
struct str limit_tokens_limit(const struct limit_tokens *t, struct str user);
/* Of those taken: they were not needed; or a commit spends them, which the queue counts itself. */
void limit_tokens_return(struct limit_tokens *t, struct str user, uint32_t count);
void limit_tokens_spend(struct limit_tokens *t, struct str user, uint32_t count);
/* The queue wants those that are not taken. */
void limit_tokens_recall(struct limit_tokens *t, struct str user);

#endif
