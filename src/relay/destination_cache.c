/*
 * destination_cache: the memory is emptied when it is full; a DNS answer is at hand in the
 * resolver's own cache.
 */
#include "relay/destination_cache.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

struct finder {
	struct resolver *resolver; /* the owner's */
	struct conf *conf;
	struct map *known; /* domain -> struct found */
};

struct finder_ask {
	struct finder *finder;
	struct resolver_query *query;
	finder_fn *fn;
	void *arg;
	struct conf *conf;
	char *domain;
	char ascii[256];
	struct site site;
};

struct found *
found_keep(struct found *f)
{
	f->references++;
	return f;
}

void
found_drop(struct found **p)
{
	struct found *f = *p;

	*p = NULL;
	if (!f || --f->references)
		return;
	conf_drop(&f->conf);
	mem_free(f);
}

static struct found *
found_new(const struct site *site, struct conf *conf)
{
	size_t bytes = offsetof(struct site, hosts) + site->count * sizeof site->hosts[0];
	struct found *f = mem_new(offsetof(struct found, site) + bytes);

	memcpy(&f->site, site, bytes);
	f->references = 1;
	f->conf = conf_keep(conf);
	f->until_ms = clock_mono_ms() + (int64_t)site->ttl_s * 1000;
	return f;
}

static void
forget_one(struct str key, void *value, void *arg)
{
	struct found *f = value;

	(void)key;
	(void)arg;
	found_drop(&f);
}

static void
forget_all(struct finder *f)
{
	map_each(f->known, forget_one, NULL);
	map_free(&f->known);
	f->known = map_new();
}

static struct found *
remember(struct finder *f, struct str domain, const struct site *site, struct conf *conf)
{
	struct found *found = found_new(site, conf), *before;

	if (map_count(f->known) >= FINDER_REMEMBERED_MAX)
		forget_all(f);
	before = map_put(f->known, domain, found_keep(found));
	found_drop(&before);
	return found;
}

struct found *
finder_have(struct finder *f, struct str domain)
{
	struct found *found = map_get(f->known, domain);
	struct site site;
	char ascii[256];

	if (found && found->until_ms > clock_mono_ms())
		return found_keep(found);
	if (site_begin(&site, f->conf, domain, ascii) == SITE_NEEDS_MX)
		return NULL;
	return remember(f, domain, &site, f->conf);
}

static void
ask_free(struct finder_ask *a)
{
	conf_drop(&a->conf);
	mem_free(a->domain);
	mem_free(a);
}

static void
got_mx(const struct resolver_answer *answer, void *arg)
{
	struct finder_ask *a = arg;
	struct found *found;
	finder_fn *fn = a->fn;
	void *fn_arg = a->arg;

	site_got_mx(&a->site, a->conf->hostname, str_of(a->ascii), answer);
	if (a->conf == a->finder->conf)
		found = remember(a->finder, str_of(a->domain), &a->site, a->conf);
	else
		found = found_new(&a->site, a->conf);
	ask_free(a);
	fn(found, fn_arg);
}

struct finder_ask *
finder_ask(struct finder *f, struct str domain, finder_fn *fn, void *arg)
{
	struct finder_ask *a = MEM_NEW(struct finder_ask);

	a->finder = f;
	a->fn = fn;
	a->arg = arg;
	a->conf = conf_keep(f->conf);
	a->domain = mem_text(domain.p, domain.n);
	if (site_begin(&a->site, a->conf, domain, a->ascii) != SITE_NEEDS_MX)
		die("finder: asked for what is known");
	a->query = resolver_ask_mx(f->resolver, str_of(a->ascii), got_mx, a);
	return a;
}

void
finder_cancel(struct finder_ask **a)
{
	if (!*a)
		return;
	resolver_cancel(&(*a)->query);
	ask_free(*a);
	*a = NULL;
}

const struct conf *
finder_conf(const struct finder *f)
{
	return f->conf;
}

struct resolver_query *
finder_ask_addresses(
    const struct finder *f, const struct finder_host *host, resolver_fn *fn, void *arg)
{
	struct str name = str_of(host->name);

	if (host->site->route->via != VIA_MX)
		return resolver_ask_named(f->resolver, name, fn, arg);
	return resolver_ask_addresses(f->resolver, name, fn, arg);
}

void
finder_renew(struct finder *f, struct resolver *resolver, struct conf *conf)
{
	conf_drop(&f->conf);
	f->conf = conf_keep(conf);
	f->resolver = resolver;
	forget_all(f);
}

struct finder *
finder_new(struct resolver *resolver, struct conf *conf)
{
	struct finder *f = MEM_NEW(struct finder);

	f->resolver = resolver;
	f->conf = conf_keep(conf);
	f->known = map_new();
	return f;
}

void
finder_free(struct finder **f)
{
	if (!*f)
		return;
	forget_all(*f);
	map_free(&(*f)->known);
	conf_drop(&(*f)->conf);
	mem_free(*f);
	*f = NULL;
}
