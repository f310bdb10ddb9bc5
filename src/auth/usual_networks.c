/*
 * usual_networks: sets of a few ways, chosen by the login's hash.
 */
#include "auth/usual_networks.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

enum { SETS = 4096, WAYS = 16, IPV4_BYTES = 4, IPV4_PLACE_BYTES = 3 };

#define PLACE_AGE_MAX_MS (INT64_C(30) * 24 * 3600 * 1000)

struct place {
	uint64_t login, network; /* keyed hashes; login 0: free */
	int64_t seen_ms;         /* monotonic */
};

struct places {
	struct place places[SETS][WAYS];
};

struct places *
places_new(void)
{
	return MEM_NEW(struct places);
}

void
places_free(struct places **p)
{
	mem_free(*p);
	*p = NULL;
}

struct str
places_network(struct str network)
{
	return str_upto(network, network.n == IPV4_BYTES ? IPV4_PLACE_BYTES : network.n);
}

static uint64_t
network_hash(struct str network)
{
	return map_hash(places_network(network));
}

static bool
place_is_recent(const struct place *e, int64_t now_ms)
{
	return now_ms - e->seen_ms < PLACE_AGE_MAX_MS;
}

bool
places_has(const struct places *p, struct str login, struct str network)
{
	uint64_t who = map_hash(login), where = network_hash(network);
	const struct place *set = p->places[who % SETS];

	for (int i = 0; i < WAYS; i++)
		if (set[i].login == who && set[i].network == where)
			return place_is_recent(&set[i], clock_mono_ms());
	return false;
}

/* Its own oldest when the login has enough, else the oldest of all. */
static struct place *
place_to_replace(struct place *set, uint64_t who)
{
	struct place *oldest = set, *own = NULL;
	int own_count = 0;

	for (int i = 0; i < WAYS; i++) {
		if (set[i].login == who) {
			own_count++;
			if (!own || set[i].seen_ms < own->seen_ms)
				own = &set[i];
		}
		if (!set[i].login || (oldest->login && set[i].seen_ms < oldest->seen_ms))
			oldest = &set[i];
	}
	return own_count >= PLACES_PER_LOGIN ? own : oldest;
}

bool
places_add(struct places *p, struct str login, struct str network)
{
	uint64_t who = map_hash(login), where = network_hash(network);
	struct place *set = p->places[who % SETS], *to = NULL;
	int64_t now_ms = clock_mono_ms();
	bool is_known;

	for (int i = 0; i < WAYS && !to; i++)
		if (set[i].login == who && set[i].network == where)
			to = &set[i];
	is_known = to && place_is_recent(to, now_ms);
	if (!to)
		to = place_to_replace(set, who);
	*to = (struct place){.login = who, .network = where, .seen_ms = now_ms};
	return !is_known;
}

void
places_forget(struct places *p, struct str login)
{
	uint64_t who = map_hash(login);
	struct place *set = p->places[who % SETS];

	for (int i = 0; i < WAYS; i++)
		if (set[i].login == who)
			set[i] = (struct place){0};
}
