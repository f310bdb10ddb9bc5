/*
 * limits: how much a name may use in a period.  Each name has one bucket for each rate, which
 * refills evenly.  The caller passes the time (clock_ms, because buckets are kept over restarts).
 * Pure data: the owner keeps and stores it.  Names are compared byte by byte, so that a login must
 * be given in its canonical form.  Only the first 8 rates of a rule count.
 */
#ifndef POLICY_LIMITS_H
#define POLICY_LIMITS_H

#include "base/buf.h"
#include "conf/conf.h"

enum { LIMITS_RATES_MAX = 8 };

struct limits; /* name -> one bucket per rate of its rule */

/* An empty set of names. */
struct limits *limits_new(void);
void limits_free(struct limits **l);

/* Takes n from every bucket of the name and returns 0.  If one of them does not have n, it takes
 * nothing and returns the milliseconds until all have; -1: they never will. */
int64_t limits_take(struct limits *l, struct str name, const struct conf_rates *rates, uint64_t n,
    int64_t now_ms) MUST_USE;
/* Gives n back to every bucket of the name. */
void limits_give_back(
    struct limits *l, struct str name, const struct conf_rates *rates, uint64_t n);
/* How many can be taken now; UINT64_MAX: no rates. */
uint64_t limits_spare(
    const struct limits *l, struct str name, const struct conf_rates *rates, int64_t now_ms);
/* True: one of the rates has no more than this part (4: a quarter) left. */
bool limits_is_near(const struct limits *l, struct str name, const struct conf_rates *rates,
    unsigned part, int64_t now_ms);
/* How many of the first rate are used now, for messages such as "14 of 300". */
uint64_t limits_used(
    const struct limits *l, struct str name, const struct conf_rates *rates, int64_t now_ms);
/* The use of each rate now, rounded up, and the milliseconds until one more can be taken (0: now;
 * -1: never). */
struct limits_use {
	size_t count;
	uint64_t used[LIMITS_RATES_MAX];
	int64_t wait_ms;
};
void limits_get_use(const struct limits *l, struct str name, const struct conf_rates *rates,
    int64_t now_ms, struct limits_use *out);
/* Forgets the names whose buckets are full again. */
void limits_prune(struct limits *l, int64_t now_ms);

/* Writes and reads a snapshot of names and buckets.  limits_load accepts any bytes: if they are
 * malformed it returns false and changes nothing. */
void limits_save(const struct limits *l, struct buf *out);
bool limits_load(struct limits *l, struct str bytes) MUST_USE;

/* The rates of a user: from limits.users, otherwise limits.per_user. */
const struct conf_rates *limits_of_user(const struct conf *c, struct str user);

#endif
