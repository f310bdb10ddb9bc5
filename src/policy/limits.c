/*
 * limits: leaky buckets in integers.  Use is counted in 1/period of a unit, so that each
 * millisecond gives back exactly `count` of them, and nothing is lost by rounding, however often a
 * bucket is computed.  The bounds of the configuration for count and period make sure that their
 * product fits into 64 bits.
 */
#include "policy/limits.h"

#include "base/map.h"
#include "base/mem.h"
#include "conf/list_index.h"

enum { SAVE_VERSION = 1, BUCKETS_MAX = LIMITS_RATES_MAX, NAME_MAX_BYTES = 1024 };

struct limits_bucket {
	uint64_t count;
	uint64_t period_ms;
	uint64_t used; /* in 1/period_ms */
	int64_t at_ms; /* the time that `used` belongs to */
};

struct limits_buckets {
	size_t count;
	struct limits_bucket bucket[BUCKETS_MAX];
};

struct limits {
	struct map *names;
};

struct limits *
limits_new(void)
{
	struct limits *l = MEM_NEW(struct limits);

	l->names = map_new();
	return l;
}

void
limits_free(struct limits **l)
{
	if (!*l)
		return;
	map_free_all(&(*l)->names);
	mem_free(*l);
	*l = NULL;
}

static uint64_t
bucket_capacity(const struct limits_bucket *b)
{
	return b->count * b->period_ms;
}

/* The bucket at a later time.  A clock that was set back changes nothing. */
static struct limits_bucket
bucket_at(struct limits_bucket bucket, int64_t now_ms)
{
	uint64_t elapsed_ms = now_ms > bucket.at_ms ? (uint64_t)now_ms - (uint64_t)bucket.at_ms : 0,
	         refill;

	if (__builtin_mul_overflow(elapsed_ms, bucket.count, &refill) || refill > bucket.used)
		refill = bucket.used;
	bucket.used -= refill;
	bucket.at_ms = now_ms;
	return bucket;
}

/* The bucket for a rate that a reload may have changed: what was used stays used. */
static struct limits_bucket
fit_bucket(struct limits_bucket b, const struct conf_rate *rate, int64_t now_ms)
{
	uint64_t period_ms = (uint64_t)rate->period_ms;

	if (b.period_ms == 0)
		return (struct limits_bucket){rate->count, period_ms, 0, now_ms};
	b = bucket_at(b, now_ms);
	if (b.count == rate->count && b.period_ms == period_ms)
		return b;
	if (b.period_ms != period_ms) {
		uint64_t units = b.used / b.period_ms + (b.used % b.period_ms != 0);

		b.used = units < rate->count ? units * period_ms : rate->count * period_ms;
	}
	b.count = rate->count;
	b.period_ms = period_ms;
	if (b.used > bucket_capacity(&b))
		b.used = bucket_capacity(&b);
	return b;
}

static size_t
bucket_count(const struct conf_rates *rates)
{
	return rates->count < BUCKETS_MAX ? rates->count : BUCKETS_MAX;
}

static void
fit_buckets(const struct limits_buckets *old, const struct conf_rates *rates, int64_t now_ms,
    struct limits_buckets *out)
{
	*out = (struct limits_buckets){.count = bucket_count(rates)};
	for (size_t i = 0; i < out->count; i++) {
		struct limits_bucket b =
		    old && i < old->count ? old->bucket[i] : (struct limits_bucket){0};

		out->bucket[i] = fit_bucket(b, &rates->rate[i], now_ms);
	}
}

/* Milliseconds until n more fit; 0: now; -1: never. */
static int64_t
bucket_wait_ms(const struct limits_bucket *b, uint64_t n)
{
	uint64_t spare = bucket_capacity(b) - b->used, lacking;

	if (n > b->count)
		return -1;
	if (n * b->period_ms <= spare)
		return 0;
	lacking = n * b->period_ms - spare;
	return (int64_t)(lacking / b->count + (lacking % b->count != 0));
}

int64_t
limits_take(
    struct limits *l, struct str name, const struct conf_rates *rates, uint64_t n, int64_t now_ms)
{
	struct limits_buckets *stored = map_get(l->names, name), current;
	int64_t longest_ms = 0;

	fit_buckets(stored, rates, now_ms, &current);
	for (size_t i = 0; i < current.count; i++) {
		int64_t wait_ms = bucket_wait_ms(&current.bucket[i], n);

		if (wait_ms < 0)
			return -1;
		if (wait_ms > longest_ms)
			longest_ms = wait_ms;
	}
	if (longest_ms || !current.count || !n)
		return longest_ms;
	if (!stored) {
		stored = MEM_NEW(struct limits_buckets);
		(void)map_put(l->names, name, stored);
	}
	for (size_t i = 0; i < current.count; i++)
		current.bucket[i].used += n * current.bucket[i].period_ms;
	*stored = current;
	return 0;
}

void
limits_give_back(struct limits *l, struct str name, const struct conf_rates *rates, uint64_t n)
{
	struct limits_buckets *buckets = map_get(l->names, name);

	for (size_t i = 0; buckets && i < buckets->count && i < rates->count; i++) {
		struct limits_bucket *b = &buckets->bucket[i];
		uint64_t back;

		if (__builtin_mul_overflow(n, b->period_ms, &back) || back > b->used)
			back = b->used;
		b->used -= back;
	}
}

/* How many whole units can be taken. */
static uint64_t
bucket_spare(const struct limits_bucket *b)
{
	return (bucket_capacity(b) - b->used) / b->period_ms;
}

uint64_t
limits_spare(
    const struct limits *l, struct str name, const struct conf_rates *rates, int64_t now_ms)
{
	uint64_t least = UINT64_MAX;
	struct limits_buckets current;

	fit_buckets(map_get(l->names, name), rates, now_ms, &current);
	for (size_t i = 0; i < current.count; i++) {
		const struct limits_bucket *b = &current.bucket[i];
		uint64_t spare = bucket_spare(b);

		least = spare < least ? spare : least;
	}
	return least;
}

bool
limits_is_near(const struct limits *l, struct str name, const struct conf_rates *rates,
    unsigned part, int64_t now_ms)
{
	struct limits_buckets current;

	fit_buckets(map_get(l->names, name), rates, now_ms, &current);
	for (size_t i = 0; i < current.count; i++) {
		const struct limits_bucket *b = &current.bucket[i];

		if (bucket_spare(b) <= b->count / part)
			return true;
	}
	return false;
}

uint64_t
limits_used(const struct limits *l, struct str name, const struct conf_rates *rates, int64_t now_ms)
{
	const struct limits_buckets *buckets = map_get(l->names, name);
	struct limits_bucket b;

	if (!buckets || !buckets->count || !rates->count)
		return 0;
	b = fit_bucket(buckets->bucket[0], &rates->rate[0], now_ms);
	return b.used / b.period_ms + (b.used % b.period_ms != 0);
}

void
limits_get_use(const struct limits *l, struct str name, const struct conf_rates *rates,
    int64_t now_ms, struct limits_use *out)
{
	struct limits_buckets current;

	fit_buckets(map_get(l->names, name), rates, now_ms, &current);
	*out = (struct limits_use){.count = current.count};
	for (size_t i = 0; i < current.count; i++) {
		const struct limits_bucket *b = &current.bucket[i];
		int64_t wait_ms = bucket_wait_ms(b, 1);

		out->used[i] = b->used / b->period_ms + (b->used % b->period_ms != 0);
		if (wait_ms < 0 || out->wait_ms < 0)
			out->wait_ms = -1;
		else if (wait_ms > out->wait_ms)
			out->wait_ms = wait_ms;
	}
}

struct limits_pruning {
	struct limits *limits;
	int64_t now_ms;
};

static void
prune_buckets(struct str name, void *value, void *arg)
{
	struct limits_pruning *p = arg;
	struct limits_buckets *buckets = value;

	for (size_t i = 0; i < buckets->count; i++)
		if (bucket_at(buckets->bucket[i], p->now_ms).used)
			return;
	(void)map_remove(p->limits->names, name);
	mem_free(buckets);
}

void
limits_prune(struct limits *l, int64_t now_ms)
{
	struct limits_pruning p = {l, now_ms};

	map_each(l->names, prune_buckets, &p);
}

static void
save_u64(struct buf *out, uint64_t v)
{
	unsigned char bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (unsigned char)(v >> (8 * i));
	buf_add(out, bytes, sizeof bytes);
}

static void
save_buckets(struct str name, void *value, void *arg)
{
	const struct limits_buckets *buckets = value;
	struct buf *out = arg;

	if (name.n > NAME_MAX_BYTES)
		return;
	save_u64(out, name.n);
	buf_adds(out, name);
	save_u64(out, buckets->count);
	for (size_t i = 0; i < buckets->count; i++) {
		save_u64(out, buckets->bucket[i].count);
		save_u64(out, buckets->bucket[i].period_ms);
		save_u64(out, buckets->bucket[i].used);
		save_u64(out, (uint64_t)buckets->bucket[i].at_ms);
	}
}

void
limits_save(const struct limits *l, struct buf *out)
{
	save_u64(out, SAVE_VERSION);
	map_each(l->names, save_buckets, out);
}

static bool
load_u64(struct str *rest, uint64_t *out)
{
	*out = 0;
	if (rest->n < 8)
		return false;
	for (int i = 0; i < 8; i++)
		*out |= (uint64_t)(unsigned char)rest->p[i] << (8 * i);
	*rest = str_from(*rest, 8);
	return true;
}

static bool
load_bucket(struct str *rest, struct limits_bucket *out)
{
	uint64_t at_ms, all;

	if (!load_u64(rest, &out->count) || !load_u64(rest, &out->period_ms) ||
	    !load_u64(rest, &out->used) || !load_u64(rest, &at_ms))
		return false;
	out->at_ms = (int64_t)at_ms;
	return out->count && out->period_ms && at_ms <= INT64_MAX &&
	       !__builtin_mul_overflow(out->count, out->period_ms, &all) && out->used <= all;
}

static bool
load_buckets(struct str *rest, struct str *name_out, struct limits_buckets *out)
{
	uint64_t n;

	if (!load_u64(rest, &n) || n == 0 || n > NAME_MAX_BYTES || n > rest->n)
		return false;
	*name_out = str_upto(*rest, n);
	*rest = str_from(*rest, n);
	if (!load_u64(rest, &n) || n == 0 || n > BUCKETS_MAX)
		return false;
	*out = (struct limits_buckets){.count = n};
	for (size_t i = 0; i < out->count; i++)
		if (!load_bucket(rest, &out->bucket[i]))
			return false;
	return true;
}

static bool
load_limits(struct limits *into, struct str rest)
{
	struct limits_buckets buckets, *stored;
	struct str name;
	uint64_t version;

	if (!load_u64(&rest, &version) || version != SAVE_VERSION)
		return false;
	while (rest.n) {
		if (!load_buckets(&rest, &name, &buckets) || map_get(into->names, name))
			return false;
		stored = MEM_NEW(struct limits_buckets);
		*stored = buckets;
		(void)map_put(into->names, name, stored);
	}
	return true;
}

bool
limits_load(struct limits *l, struct str bytes)
{
	struct limits *loaded = limits_new();
	struct map *old = l->names;
	bool is_loaded = load_limits(loaded, bytes);

	if (is_loaded) {
		l->names = loaded->names;
		loaded->names = old;
	}
	limits_free(&loaded);
	return is_loaded;
}

const struct conf_rates *
limits_of_user(const struct conf *c, struct str user)
{
	int64_t at = list_index_find(&c->limits_by_user, user);

	return at == LIST_INDEX_NONE ? &c->limits.per_user : &c->limits.users.item[at].per_user;
}
