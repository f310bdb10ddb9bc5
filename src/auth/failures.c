/*
 * failures: one leaky bucket per name, stored as one number: the time when it will be empty. The
 * buckets are in sets of a few ways, chosen by the keyed hash of the name.
 */
#include "auth/failures.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

enum { SETS = 4096, WAYS = 8, NAME_BYTES = 272, DELAY_FIRST_MS = 500, DELAY_MAX_MS = 10000 };

struct failures_bucket {
	uint64_t key;     /* keyed hash of kind and name */
	int64_t empty_ms; /* monotonic */
};

struct failures {
	struct failures_bucket buckets[SETS][WAYS];
};

struct failures *
failures_new(void)
{
	return MEM_NEW(struct failures);
}

void
failures_free(struct failures **f)
{
	mem_free(*f);
	*f = NULL;
}

static uint64_t
failures_key(enum failures_of kind, struct str name)
{
	char text[NAME_BYTES + 1];
	size_t n = name.n < NAME_BYTES ? name.n : NAME_BYTES;

	text[0] = (char)kind;
	if (n)
		memcpy(text + 1, name.p, n);
	return map_hash(str_make(text, n + 1));
}

/* The time after which one failure is forgotten. */
static int64_t
failure_weight_ms(struct failures_limit limit)
{
	int64_t ms = limit.count ? limit.period_ms / (int64_t)limit.count : limit.period_ms;

	return ms > 0 ? ms : 1;
}

static uint64_t
failures_remembered(int64_t empty_ms, int64_t now_ms, int64_t each_ms)
{
	return empty_ms > now_ms ? (uint64_t)((empty_ms - now_ms + each_ms - 1) / each_ms) : 0;
}

uint64_t
failures_count(
    const struct failures *f, enum failures_of kind, struct str name, struct failures_limit limit)
{
	uint64_t key = failures_key(kind, name);
	const struct failures_bucket *set = f->buckets[key % SETS];

	for (int i = 0; i < WAYS; i++)
		if (set[i].key == key)
			return failures_remembered(
			    set[i].empty_ms, clock_mono_ms(), failure_weight_ms(limit));
	return 0;
}

uint64_t
failures_add(
    struct failures *f, enum failures_of kind, struct str name, struct failures_limit limit)
{
	uint64_t key = failures_key(kind, name);
	struct failures_bucket *set = f->buckets[key % SETS], *bucket = set;
	int64_t now_ms = clock_mono_ms(), each_ms = failure_weight_ms(limit);

	for (int i = 0; i < WAYS; i++) {
		if (set[i].key == key) {
			bucket = &set[i];
			break;
		}
		if (set[i].empty_ms < bucket->empty_ms)
			bucket = &set[i];
	}
	if (bucket->key != key)
		*bucket = (struct failures_bucket){.key = key};
	if (bucket->empty_ms < now_ms)
		bucket->empty_ms = now_ms;
	bucket->empty_ms += each_ms;
	/* no name is ever counted beyond twice its limit */
	if (bucket->empty_ms > now_ms + 2 * limit.period_ms)
		bucket->empty_ms = now_ms + 2 * limit.period_ms;
	return failures_remembered(bucket->empty_ms, now_ms, each_ms);
}

int64_t
failures_left_ms(const struct failures *f, enum failures_of kind, struct str name,
    struct failures_limit limit)
{
	uint64_t key = failures_key(kind, name);
	const struct failures_bucket *set = f->buckets[key % SETS];
	int64_t left_ms = 0;

	for (int i = 0; i < WAYS && limit.count; i++)
		if (set[i].key == key)
			left_ms = set[i].empty_ms - clock_mono_ms() -
			    ((int64_t)limit.count - 1) * failure_weight_ms(limit);
	return left_ms > 0 ? left_ms : 0;
}

bool
failures_clear(struct failures *f, enum failures_of kind, struct str name)
{
	uint64_t key = failures_key(kind, name);
	struct failures_bucket *set = f->buckets[key % SETS];
	bool had_failures = false;

	for (int i = 0; i < WAYS; i++)
		if (set[i].key == key) {
			had_failures = set[i].empty_ms > clock_mono_ms();
			set[i] = (struct failures_bucket){0};
		}
	return had_failures;
}

int64_t
failures_delay_ms(uint64_t n)
{
	int64_t ms = DELAY_FIRST_MS;

	if (n == 0)
		return 0;
	while (--n > 0 && ms < DELAY_MAX_MS)
		ms *= 2;
	return ms < DELAY_MAX_MS ? ms : DELAY_MAX_MS;
}
