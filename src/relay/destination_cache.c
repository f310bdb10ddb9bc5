/*
 * destination_cache: a map that is emptied when it is full.  That is cheap, because the resolver
 * caches the DNS answers as well.
 */
#include "relay/destination_cache.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

struct destination_cache {
	struct resolver *resolver; /* owned by the role */
	struct conf *conf;
	struct map *destinations; /* text -> struct cached_destination */
};

struct destination_cache_lookup {
	struct destination_cache *cache;
	struct resolver_query *query;
	destination_cache_fn *fn;
	void *arg;
	struct conf *conf;
	char *text, *room;
	struct resolved_destination resolved;
};

struct cached_destination *
cached_destination_keep(struct cached_destination *destination)
{
	destination->references++;
	return destination;
}

void
cached_destination_drop(struct cached_destination **p)
{
	struct cached_destination *destination = *p;

	*p = NULL;
	if (!destination || --destination->references)
		return;
	conf_drop(&destination->conf);
	mem_free(destination->room);
	mem_free(destination);
}

/* The texts of resolved->to are parsed again, into room of its own. */
static struct cached_destination *
cached_destination_new(
    struct str text, const struct resolved_destination *resolved, struct conf *conf)
{
	size_t bytes = offsetof(struct resolved_destination, hosts) +
	               resolved->count * sizeof resolved->hosts[0];
	struct cached_destination *destination =
	    mem_new(offsetof(struct cached_destination, resolved) + bytes);

	memcpy(&destination->resolved, resolved, bytes);
	destination->references = 1;
	destination->conf = conf_keep(conf);
	destination->until_ms = clock_mono_ms() + (int64_t)resolved->ttl_s * 1000;
	destination->room = mem_new(text.n + 1);
	if (destination_parse(text, destination->room, &destination->resolved.to))
		destination->lacks_credentials = !destination_find_credentials(
		    conf, &destination->resolved.to, &destination->password);
	return destination;
}

static void
forget_destination(struct str key, void *value, void *arg)
{
	struct cached_destination *destination = value;

	(void)key;
	(void)arg;
	cached_destination_drop(&destination);
}

static void
forget_destinations(struct destination_cache *cache)
{
	map_each(cache->destinations, forget_destination, NULL);
	map_free(&cache->destinations);
	cache->destinations = map_new();
}

static struct cached_destination *
cache_destination(struct destination_cache *cache, struct str text,
    const struct resolved_destination *resolved, struct conf *conf)
{
	struct cached_destination *destination = cached_destination_new(text, resolved, conf);
	struct cached_destination *before;

	if (map_count(cache->destinations) >= DESTINATION_CACHE_MAX)
		forget_destinations(cache);
	before = map_put(cache->destinations, text, cached_destination_keep(destination));
	cached_destination_drop(&before);
	return destination;
}

struct cached_destination *
destination_cache_get(struct destination_cache *cache, struct str text)
{
	struct cached_destination *destination = map_get(cache->destinations, text);
	struct resolved_destination resolved;
	char *room;

	if (destination && destination->until_ms > clock_mono_ms())
		return cached_destination_keep(destination);
	destination = NULL;
	room = mem_new(text.n + 1);
	if (resolved_begin(&resolved, text, room) == RESOLVED_COMPLETE)
		destination = cache_destination(cache, text, &resolved, cache->conf);
	mem_free(room);
	return destination;
}

static void
free_destination_lookup(struct destination_cache_lookup *lookup)
{
	conf_drop(&lookup->conf);
	mem_free(lookup->text);
	mem_free(lookup->room);
	mem_free(lookup);
}

static void
destination_got_mx(const struct resolver_answer *answer, void *arg)
{
	struct destination_cache_lookup *lookup = arg;
	struct str text = str_of(lookup->text);
	struct cached_destination *destination;
	destination_cache_fn *fn = lookup->fn;
	void *fn_arg = lookup->arg;

	resolved_take_mx(&lookup->resolved, lookup->conf->hostname, answer);
	if (lookup->conf == lookup->cache->conf)
		destination =
		    cache_destination(lookup->cache, text, &lookup->resolved, lookup->conf);
	else
		destination = cached_destination_new(text, &lookup->resolved, lookup->conf);
	free_destination_lookup(lookup);
	fn(destination, fn_arg);
}

struct destination_cache_lookup *
destination_cache_lookup(
    struct destination_cache *cache, struct str text, destination_cache_fn *fn, void *arg)
{
	struct destination_cache_lookup *lookup = MEM_NEW(struct destination_cache_lookup);

	lookup->cache = cache;
	lookup->fn = fn;
	lookup->arg = arg;
	lookup->conf = conf_keep(cache->conf);
	lookup->text = mem_text(text.p, text.n);
	lookup->room = mem_new(text.n + 1);
	if (resolved_begin(&lookup->resolved, text, lookup->room) != RESOLVED_NEEDS_MX)
		die("relay: a lookup of a destination that needs no DNS");
	lookup->query = resolver_ask_mx(
	    cache->resolver, lookup->resolved.to.next_hop, destination_got_mx, lookup);
	return lookup;
}

void
destination_cache_cancel(struct destination_cache_lookup **lookup)
{
	if (!*lookup)
		return;
	resolver_cancel(&(*lookup)->query);
	free_destination_lookup(*lookup);
	*lookup = NULL;
}

const struct conf *
destination_cache_conf(const struct destination_cache *cache)
{
	return cache->conf;
}

struct resolver_query *
destination_cache_lookup_host(const struct destination_cache *cache,
    const struct destination_cache_host *host, resolver_fn *fn, void *arg)
{
	struct str host_name = str_of(host->name);

	if (destination_names_host(&host->destination->to))
		return resolver_ask_named(cache->resolver, host_name, fn, arg);
	return resolver_ask_addresses(cache->resolver, host_name, fn, arg);
}

void
destination_cache_reset(
    struct destination_cache *cache, struct resolver *resolver, struct conf *conf)
{
	conf_drop(&cache->conf);
	cache->conf = conf_keep(conf);
	cache->resolver = resolver;
	forget_destinations(cache);
}

struct destination_cache *
destination_cache_new(struct resolver *resolver, struct conf *conf)
{
	struct destination_cache *cache = MEM_NEW(struct destination_cache);

	cache->resolver = resolver;
	cache->conf = conf_keep(conf);
	cache->destinations = map_new();
	return cache;
}

void
destination_cache_free(struct destination_cache **cache)
{
	if (!*cache)
		return;
	forget_destinations(*cache);
	map_free(&(*cache)->destinations);
	conf_drop(&(*cache)->conf);
	mem_free(*cache);
	*cache = NULL;
}
