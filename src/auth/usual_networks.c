/*
 * usual_networks: sets of a few ways, chosen by the keyed hash of the login.
 */
#include "auth/usual_networks.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

enum { SETS = 4096, WAYS = 16, IPV4_BYTES = 4, IPV4_PREFIX_BYTES = 3 };

#define USUAL_NETWORKS_AGE_MAX_MS (INT64_C(30) * 24 * 3600 * 1000)

struct usual_networks_entry {
	uint64_t login, network; /* keyed hashes; login 0: free */
	int64_t seen_ms;         /* monotonic */
};

struct usual_networks {
	struct usual_networks_entry entries[SETS][WAYS];
};

struct usual_networks *
usual_networks_new(void)
{
	return MEM_NEW(struct usual_networks);
}

void
usual_networks_free(struct usual_networks **p)
{
	mem_free(*p);
	*p = NULL;
}

struct str
usual_networks_part(struct str network)
{
	return str_upto(network, network.n == IPV4_BYTES ? IPV4_PREFIX_BYTES : network.n);
}

static uint64_t
usual_networks_hash(struct str network)
{
	return map_hash(usual_networks_part(network));
}

static bool
usual_networks_is_recent(const struct usual_networks_entry *e, int64_t now_ms)
{
	return now_ms - e->seen_ms < USUAL_NETWORKS_AGE_MAX_MS;
}

bool
usual_networks_has(const struct usual_networks *p, struct str login, struct str network)
{
	uint64_t login_hash = map_hash(login), network_hash = usual_networks_hash(network);
	const struct usual_networks_entry *set = p->entries[login_hash % SETS];

	for (int i = 0; i < WAYS; i++)
		if (set[i].login == login_hash && set[i].network == network_hash)
			return usual_networks_is_recent(&set[i], clock_mono_ms());
	return false;
}

/* The oldest entry of the login if it has its full number, else the oldest of the set. */
static struct usual_networks_entry *
usual_networks_to_replace(struct usual_networks_entry *set, uint64_t login_hash)
{
	struct usual_networks_entry *oldest = set, *own = NULL;
	int own_count = 0;

	for (int i = 0; i < WAYS; i++) {
		if (set[i].login == login_hash) {
			own_count++;
			if (!own || set[i].seen_ms < own->seen_ms)
				own = &set[i];
		}
		if (!set[i].login || (oldest->login && set[i].seen_ms < oldest->seen_ms))
			oldest = &set[i];
	}
	return own_count >= USUAL_NETWORKS_PER_LOGIN ? own : oldest;
}

bool
usual_networks_add(struct usual_networks *p, struct str login, struct str network)
{
	uint64_t login_hash = map_hash(login), network_hash = usual_networks_hash(network);
	struct usual_networks_entry *set = p->entries[login_hash % SETS], *entry = NULL;
	int64_t now_ms = clock_mono_ms();
	bool is_known;

	for (int i = 0; i < WAYS && !entry; i++)
		if (set[i].login == login_hash && set[i].network == network_hash)
			entry = &set[i];
	is_known = entry && usual_networks_is_recent(entry, now_ms);
	if (!entry)
		entry = usual_networks_to_replace(set, login_hash);
	*entry = (struct usual_networks_entry){
	    .login = login_hash, .network = network_hash, .seen_ms = now_ms};
	return !is_known;
}

void
usual_networks_forget(struct usual_networks *p, struct str login)
{
	uint64_t login_hash = map_hash(login);
	struct usual_networks_entry *set = p->entries[login_hash % SETS];

	for (int i = 0; i < WAYS; i++)
		if (set[i].login == login_hash)
			set[i] = (struct usual_networks_entry){0};
}
