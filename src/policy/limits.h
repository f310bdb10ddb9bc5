/*
 * limits: how much in which time.  A bucket per name and rate, refilled evenly; time is passed in
 * (clock_ms, because buckets survive restarts).  Pure data: the owner keeps and stores it.  Names
 * are compared as bytes: give the login in its one form.  At most 8 rates of a rule count.
 */
#ifndef POLICY_LIMITS_H
#define POLICY_LIMITS_H

#include "base/buf.h"
#include "conf/conf.h"

enum { LIMITS_RATES_MAX = 8 };

struct limits; /* name -> one bucket per rate of its rule */

struct limits *limits_new(void);
void limits_free(struct limits **l);

/* Takes n from every bucket of the name: 0.  Or from none, and says in how many milliseconds n
 * could be had; -1: never. */
int64_t limits_take(struct limits *l, struct str name, const struct conf_rates *rates, uint64_t n,
    int64_t now_ms) MUST_USE;
void limits_give_back(
    struct limits *l, struct str name, const struct conf_rates *rates, uint64_t n);
/* How many could be taken now; UINT64_MAX without rates. */
uint64_t limits_spare(
    const struct limits *l, struct str name, const struct conf_rates *rates, int64_t now_ms);
/* Of one of the rates no more than the given part (4: a quarter) is left. */
bool limits_is_near(const struct limits *l, struct str name, const struct conf_rates *rates,
    unsigned part, int64_t now_ms);
/* Used of the first rate now, for messages: "14 of 300". */
uint64_t limits_used(
    const struct limits *l, struct str name, const struct conf_rates *rates, int64_t now_ms);
/* What is used of each rate now, rounded up, and in how many milliseconds one more could be had (0:
 * now; -1: never). */
struct limits_use {
	size_t count;
	uint64_t used[LIMITS_RATES_MAX];
	int64_t wait_ms;
};
void limits_get_use(const struct limits *l, struct str name, const struct conf_rates *rates,
    int64_t now_ms, struct limits_use *out);
/* Forgets names whose buckets are full again. */
void limits_prune(struct limits *l, int64_t now_ms);

/* Snapshot: names and levels; load is total and false on malformed bytes (nothing is taken over
 * then). */
void limits_save(const struct limits *l, struct buf *out);
bool limits_load(struct limits *l, struct str bytes) MUST_USE;

/* The rates that hold for a user: limits.users first, else limits.per_user. */
const struct conf_rates *limits_of_user(const struct conf *c, struct str user);

#endif
