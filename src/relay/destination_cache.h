/*
 * destination_cache: finds the hosts of a destination by DNS, and keeps the answer that the queue
 * got as long as its time to live allows, so that a delivery uses the same one.  Cached
 * destinations are counted, and each keeps the configuration that has its credentials.
 */
#ifndef RELAY_DESTINATION_CACHE_H
#define RELAY_DESTINATION_CACHE_H

#include "relay/resolved_destination.h"

struct destination_cache;
struct destination_cache_lookup;

enum { DESTINATION_CACHE_MAX = 4096 };

struct cached_destination {
	unsigned references;
	int64_t until_ms;    /* of clock_mono_ms(): valid until then */
	struct conf *conf;   /* the configuration that contains the password */
	struct str password; /* of resolved.to.login */
	/* the configuration has not what the destination refers to: a reload is under way */
	bool lacks_credentials;
	char *room;                           /* of the texts of resolved.to */
	struct resolved_destination resolved; /* allocated only up to resolved.count hosts */
};

/* Adds a reference. */
struct cached_destination *cached_destination_keep(struct cached_destination *destination);
/* Drops a reference, and sets the pointer to NULL. */
void cached_destination_drop(struct cached_destination **destination);

/* One host of a destination. */
struct destination_cache_host {
	const struct resolved_destination *destination;
	const char *name;
};

/* Called with the result of a lookup; the function owns the reference. */
typedef void destination_cache_fn(struct cached_destination *destination, void *arg);

/* The resolver stays the caller's; the cache keeps its own reference of the configuration. */
struct destination_cache *destination_cache_new(struct resolver *resolver, struct conf *conf);
/* There must be no pending lookup. */
void destination_cache_free(struct destination_cache **cache);
/* Sets a new configuration and a new resolver, and forgets all destinations.  Lookups that are
 * pending go on with the former ones. */
void destination_cache_reset(
    struct destination_cache *cache, struct resolver *resolver, struct conf *conf);

/* Returns the destination with this text if it is cached or needs no DNS, with a reference for the
 * caller.  NULL: use destination_cache_lookup. */
struct cached_destination *destination_cache_get(struct destination_cache *cache, struct str text);
/* Looks up a destination that destination_cache_get did not have.  fn is called later, from the
 * loop. */
struct destination_cache_lookup *destination_cache_lookup(
    struct destination_cache *cache, struct str text, destination_cache_fn *fn, void *arg);
/* Cancels a lookup: fn is not called.  NULL is allowed; the pointer is set to NULL. */
void destination_cache_cancel(struct destination_cache_lookup **lookup);
/* Looks up the addresses of one host of a destination.  The hosts file is used only for a host that
 * a route names.  It is not used for hosts of MX records, nor for the domain itself: where the mail
 * of a foreign domain goes is for DNS alone to decide. */
struct resolver_query *destination_cache_lookup_host(const struct destination_cache *cache,
    const struct destination_cache_host *host, resolver_fn *fn, void *arg);
/* The current configuration. */
const struct conf *destination_cache_conf(const struct destination_cache *cache);

#endif
