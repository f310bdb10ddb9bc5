/*
 * rate_limits: the use of the sending limits by all users (policy/limits), in parts: a snapshot
 * writes only the parts that have changed, and each part fits a note of the spool.
 */
#ifndef QUEUE_RATE_LIMITS_H
#define QUEUE_RATE_LIMITS_H

#include "queue/limit_store.h"

struct rate_limits;

struct rate_limits *rate_limits_new(void);
void rate_limits_free(struct rate_limits **all);
/* As a limit store, which answers at once; valid as long as the rate_limits. */
struct limit_store *rate_limits_store(struct rate_limits *all);

/* As limits_take and limits_give_back. */
int64_t rate_limits_take(
    struct rate_limits *all, struct str user, const struct conf_rates *rates, uint64_t n) MUST_USE;
void rate_limits_give_back(
    struct rate_limits *all, struct str user, const struct conf_rates *rates, uint64_t n);

/* Reads a note of the spool; false: its name is another, or it is damaged. */
bool rate_limits_load(struct rate_limits *all, struct str name, struct str value);
/* Calls fn for each part that has changed since; false from fn: it still counts as changed. */
typedef bool rate_limits_fn(struct str name, struct str value, void *arg);
void rate_limits_save(struct rate_limits *all, rate_limits_fn *fn, void *arg);

#endif
