/*
 * limit_tokens: what the queue lent this process of the users' sending limits, one token a
 * recipient. They are spent without asking; only who finds none asks, and hears the answer from the
 * loop. What is not used for a while goes back.
 */
#ifndef SUBMISSION_LIMIT_TOKENS_H
#define SUBMISSION_LIMIT_TOKENS_H

#include "ipc/channel.h"

struct tokens;
struct token_lease;

/* status 250: one token was taken for the waiter; else why there is none; NULL: the queue is lost
 * or did not answer. */
typedef void token_fn(const struct status *status, void *arg);

/* One that waits for a token: a member of its owner's struct, all zeros at first. */
struct token_waiter {
	TAILQ_ENTRY(token_waiter) link;
	struct token_lease *lease; /* NULL: not waiting */
	token_fn *fn;
	void *arg;
};

struct tokens *tokens_new(struct event_base *base);
void tokens_free(struct tokens **t);
/* A new channel to the queue, or NULL: what the old queue lent is void. */
void tokens_connect(struct tokens *t, struct channel *queue);

/* Changes with each queue: what was taken of another one's tokens is void. */
unsigned tokens_generation(const struct tokens *t);

/* Takes one of the user's tokens that are here. */
bool tokens_take(struct tokens *t, struct str user) MUST_USE;
/* Waits for one.  False: there is no queue to ask. */
bool tokens_wait(struct tokens *t, struct str user, struct token_waiter *w) MUST_USE;
void tokens_cancel(struct token_waiter *w);
/* The limit of this user for which one was refused just now; empty: it was not a limit. */
struct str tokens_limit(const struct tokens *t, struct str user);
/* Of those taken: they were not needed; or a commit spends them, which the queue counts itself. */
void tokens_return(struct tokens *t, struct str user, uint32_t count);
void tokens_spend(struct tokens *t, struct str user, uint32_t count);
/* The queue wants those that are not taken. */
void tokens_recall(struct tokens *t, struct str user);

#endif
