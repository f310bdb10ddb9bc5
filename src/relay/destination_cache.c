/*
 * destination_cache: the memory is emptied when it is full; a DNS answer is at hand in the
 * resolver's own cache.
 */
#include "relay/destination_cache.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

struct destination_cache {
	struct resolver *resolver; /* the owner's */
	struct conf *conf;
	struct map *known; /* domain -> struct cached_destination */
};

struct destination_cache_lookup {
	struct destination_cache *finder;
	struct resolver_query *query;
	destination_cache_fn *fn;
	void *arg;
	struct conf *conf;
	char *domain;
	char ascii[256];
	struct resolved_destination site;
};

struct cached_destination *
cached_destination_keep(struct cached_destination *f)
{
	f->references++;
	return f;
}

void
cached_destination_drop(struct cached_destination **p)
{
	struct cached_destination *f = *p;

	*p = NULL;
	if (!f || --f->references)
		return;
	conf_drop(&f->conf);
	mem_free(f);
}

static struct cached_destination *
cached_destination_new(const struct resolved_destination *site, struct conf *conf)
{
	size_t bytes =
	    offsetof(struct resolved_destination, hosts) + site->count * sizeof site->hosts[0];
	struct cached_destination *f = mem_new(offsetof(struct cached_destination, site) + bytes);

	memcpy(&f->site, site, bytes);
	f->references = 1;
	f->conf = conf_keep(conf);
	f->until_ms = clock_mono_ms() + (int64_t)site->ttl_s * 1000;
	return f;
}

static void
forget_destination(struct str key, void *value, void *arg)
{
	struct cached_destination *f = value;

	(void)key;
	(void)arg;
	cached_destination_drop(&f);
}

static void
forget_destinations(struct destination_cache *f)
{
	map_each(f->known, forget_destination, NULL);
	map_free(&f->known);
	f->known = map_new();
}

static struct cached_destination *
cache_destination(struct destination_cache *f, struct str domain,
    const struct resolved_destination *site, struct conf *conf)
{
	struct cached_destination *found = cached_destination_new(site, conf), *before;

	if (map_count(f->known) >= DESTINATION_CACHE_MAX)
		forget_destinations(f);
	before = map_put(f->known, domain, cached_destination_keep(found));
	cached_destination_drop(&before);
	return found;
}

struct cached_destination *
destination_cache_get(struct destination_cache *f, struct str domain)
{
	struct cached_destination *found = map_get(f->known, domain);
	struct resolved_destination site;
	char ascii[256];

	if (found && found->until_ms > clock_mono_ms())
		return cached_destination_keep(found);
	if (resolved_begin(&site, f->conf, domain, ascii) == RESOLVED_NEEDS_MX)
		return NULL;
	return cache_destination(f, domain, &site, f->conf);
}

static void
free_destination_lookup(struct destination_cache_lookup *a)
{
	conf_drop(&a->conf);
	mem_free(a->domain);
	mem_free(a);
}

static void
destination_got_mx(const struct resolver_answer *answer, void *arg)
{
	struct destination_cache_lookup *a = arg;
	struct cached_destination *found;
	destination_cache_fn *fn = a->fn;
	void *fn_arg = a->arg;

	resolved_take_mx(&a->site, a->conf->hostname, str_of(a->ascii), answer);
	if (a->conf == a->finder->conf)
		found = cache_destination(a->finder, str_of(a->domain), &a->site, a->conf);
	else
		found = cached_destination_new(&a->site, a->conf);
	free_destination_lookup(a);
	fn(found, fn_arg);
}

struct destination_cache_lookup *
destination_cache_lookup(
    struct destination_cache *f, struct str domain, destination_cache_fn *fn, void *arg)
{
	struct destination_cache_lookup *a = MEM_NEW(struct destination_cache_lookup);

	a->finder = f;
	a->fn = fn;
	a->arg = arg;
	a->conf = conf_keep(f->conf);
	a->domain = mem_text(domain.p, domain.n);
	if (resolved_begin(&a->site, a->conf, domain, a->ascii) != RESOLVED_NEEDS_MX)
		die("finder: asked for what is known");
	a->query = resolver_ask_mx(f->resolver, str_of(a->ascii), destination_got_mx, a);
	return a;
}

void
destination_cache_cancel(struct destination_cache_lookup **a)
{
	if (!*a)
		return;
	resolver_cancel(&(*a)->query);
	free_destination_lookup(*a);
	*a = NULL;
}

const struct conf *
destination_cache_conf(const struct destination_cache *f)
{
	return f->conf;
}

struct resolver_query *
destination_cache_lookup_host(const struct destination_cache *f,
    const struct destination_cache_host *host, resolver_fn *fn, void *arg)
{
	struct str name = str_of(host->name);

	if (host->site->route->via != VIA_MX)
		return resolver_ask_named(f->resolver, name, fn, arg);
	return resolver_ask_addresses(f->resolver, name, fn, arg);
}

void
destination_cache_reset(struct destination_cache *f, struct resolver *resolver, struct conf *conf)
{
	conf_drop(&f->conf);
	f->conf = conf_keep(conf);
	f->resolver = resolver;
	forget_destinations(f);
}

struct destination_cache *
destination_cache_new(struct resolver *resolver, struct conf *conf)
{
	struct destination_cache *f = MEM_NEW(struct destination_cache);

	f->resolver = resolver;
	f->conf = conf_keep(conf);
	f->known = map_new();
	return f;
}

void
destination_cache_free(struct destination_cache **f)
{
	if (!*f)
		return;
	forget_destinations(*f);
	map_free(&(*f)->known);
	conf_drop(&(*f)->conf);
	mem_free(*f);
	*f = NULL;
}
