/*
 * destination_cache: domain -> site, by configuration and DNS, remembered as long as DNS allows.
 * What it finds is counted and keeps the configuration it was found with.
 */
#ifndef RELAY_DESTINATION_CACHE_H
#define RELAY_DESTINATION_CACHE_H

#include "relay/resolved_destination.h"

struct finder;
struct finder_ask;

enum { FINDER_REMEMBERED_MAX = 4096 };

struct found {
	unsigned references;
	int64_t until_ms;  /* clock_mono_ms() */
	struct conf *conf; /* the one that holds site.route */
	struct site site;  /* allocated only as far as site.count hosts reach */
};

struct found *found_keep(struct found *f);
void found_drop(struct found **f);

/* One of the site's. */
struct finder_host {
	const struct site *site;
	const char *name;
};

/* The reference is fn's. */
typedef void finder_fn(struct found *found, void *arg);

struct finder *finder_new(struct resolver *resolver, struct conf *conf);
void finder_free(struct finder **f);
/* A new configuration, a new resolver: all is forgotten; open questions go on with the former. */
void finder_renew(struct finder *f, struct resolver *resolver, struct conf *conf);

/* What is known, or can be told without DNS; NULL: ask.  The reference is the caller's. */
struct found *finder_have(struct finder *f, struct str domain);
/* fn is called later, from the loop. */
struct finder_ask *finder_ask(struct finder *f, struct str domain, finder_fn *fn, void *arg);
void finder_cancel(struct finder_ask **a);
/* The addresses of a site's host.  One that a route names may stand in the hosts file; those of
 * MX records may not, nor the domain itself: whom a stranger's mail goes to, only DNS tells. */
struct resolver_query *finder_ask_addresses(
    const struct finder *f, const struct finder_host *host, resolver_fn *fn, void *arg);
/* That of today. */
const struct conf *finder_conf(const struct finder *f);

#endif
