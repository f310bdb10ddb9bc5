/*
 * rate_limits: the limits of all users (policy/limits), in parts, so that a snapshot writes only
 * what changed and each part fits a note of the spool.
 */
#ifndef QUEUE_RATE_LIMITS_H
#define QUEUE_RATE_LIMITS_H

#include "policy/limits.h"

struct buckets;

struct buckets *buckets_new(void);
void buckets_free(struct buckets **b);
/* As limits_take, limits_give_back, limits_is_near and limits_spare. */
int64_t buckets_take(
    struct buckets *b, struct str user, const struct conf_rates *rates, uint64_t n) MUST_USE;
void buckets_give_back(
    struct buckets *b, struct str user, const struct conf_rates *rates, uint64_t n);

bool buckets_is_near(
    struct buckets *b, struct str user, const struct conf_rates *rates, unsigned part);
uint64_t buckets_spare(struct buckets *b, struct str user, const struct conf_rates *rates);
/* As limits_look. */
void buckets_look(struct buckets *b, struct str user, const struct conf_rates *rates,
    struct limits_use *out);

/* A note of the spool; false: not ours, or damaged. */
bool buckets_load(struct buckets *b, struct str name, struct str value);
/* Calls fn for each part that changed since; false from fn: it stays changed. */
typedef bool buckets_fn(struct str name, struct str value, void *arg);
void buckets_save(struct buckets *b, buckets_fn *fn, void *arg);

#endif
