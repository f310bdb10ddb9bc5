/*
 * destination_cache: domain -> destination, by configuration and DNS, remembered as long as DNS
 * allows.  What it finds is counted and keeps the configuration it was found with.
 */
#ifndef RELAY_DESTINATION_CACHE_H
#define RELAY_DESTINATION_CACHE_H

#include "relay/resolved_destination.h"

struct destination_cache;
struct destination_cache_lookup;

enum { DESTINATION_CACHE_MAX = 4096 };

struct cached_destination {
	unsigned references;
	int64_t until_ms;  /* clock_mono_ms() */
	struct conf *conf; /* the one that holds site.route */
	struct resolved_destination resolved;  /* allocated only as far as site.count hosts reach */
};

struct cached_destination *cached_destination_keep(struct cached_destination *destination);
void cached_destination_drop(struct cached_destination **destination);

/* One of the destination's. */
struct destination_cache_host {
	const struct resolved_destination *destination;
	const char *name;
};

/* The reference is fn's. */
typedef void destination_cache_fn(struct cached_destination *destination, void *arg);

struct destination_cache *destination_cache_new(struct resolver *resolver, struct conf *conf);
void destination_cache_free(struct destination_cache **cache);
/* A new configuration, a new resolver: all is forgotten; open questions go on with the former. */
void destination_cache_reset(
    struct destination_cache *cache, struct resolver *resolver, struct conf *conf);

/* What is known, or can be told without DNS; NULL: ask.  The reference is the caller's. */
struct cached_destination *destination_cache_get(
    struct destination_cache *cache, struct str domain);
/* fn is called later, from the loop. */
struct destination_cache_lookup *destination_cache_lookup(
    struct destination_cache *cache, struct str domain, destination_cache_fn *fn, void *arg);
void destination_cache_cancel(struct destination_cache_lookup **lookup);
/* The addresses of a destination's host.  One that a route names may stand in the hosts file; those
 * of MX records may not, nor the domain itself: whom a stranger's mail goes to, only DNS tells. */
struct resolver_query *destination_cache_lookup_host(const struct destination_cache *cache,
    const struct destination_cache_host *host, resolver_fn *fn, void *arg);
/* That of today. */
const struct conf *destination_cache_conf(const struct destination_cache *cache);

#endif
