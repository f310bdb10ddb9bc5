/*
 * limit_store: an interface to what counts the use of the sending limits.  rate_limits is one: it
 * counts in memory and answers at once.  One that several nodes share may answer later, or not at
 * all: then the recipient is refused for now, and nothing is counted.
 */
#ifndef QUEUE_LIMIT_STORE_H
#define QUEUE_LIMIT_STORE_H

#include "policy/limits.h"

struct limit_store;
struct limit_store_call;

/* A number of tokens, one for each recipient. */
struct limit_store_question {
	struct str user;                /* valid until `take` returns */
	const struct conf_rates *rates; /* the same */
	uint64_t wanted;
	uint64_t more_max; /* may be taken beyond that while many are free */
};

struct limit_store_taken {
	/* 0, or an errno: it is not known how many are free, and none is taken */
	int error;
	uint64_t tokens;  /* at least one, at most wanted + more_max; 0: refused */
	int64_t retry_ms; /* when refused: until the wanted ones are free; -1: they never will be */
	bool is_near;     /* few are free: what others hold and do not use should be recalled */
	struct limits_use use; /* when refused */
};

/* *taken is valid during the call. */
typedef void limit_store_fn(const struct limit_store_taken *taken, void *arg);

struct limit_store_operations {
	/* Calls fn exactly once.  NULL: it was called before this returned.  Otherwise it is called
	 * later, from the event loop and within a time that the store bounds, unless the call is
	 * cancelled first. */
	struct limit_store_call *(*take)(struct limit_store *store,
	    const struct limit_store_question *question, limit_store_fn *fn, void *arg);
	/* fn is not called; what is taken nevertheless is given back.  NULL: `take` of this store
	 * never returns a call. */
	void (*cancel)(struct limit_store *store, struct limit_store_call *call);
	/* Tokens that were taken and are not used. */
	void (*give_back)(struct limit_store *store, struct str user,
	    const struct conf_rates *rates, uint64_t n);
	/* Takes n, or as many as are free: they are used already. */
	void (*spend)(struct limit_store *store, struct str user, const struct conf_rates *rates,
	    uint64_t n);
	/* What the store knows of the use now, without asking anybody. */
	void (*peek)(struct limit_store *store, struct str user, const struct conf_rates *rates,
	    struct limits_use *out);
};

/* The first member of each implementation. */
struct limit_store {
	const struct limit_store_operations *operations;
};

#endif
