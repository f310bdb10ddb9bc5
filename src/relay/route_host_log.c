/*
 * route_host_log: see the header.
 */
#include "relay/route_host_log.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"

enum { ROUTE_HOSTS_TELL_MS = 60 * 60 * 1000 };

/* NULL: it is not there. */
static struct route_host *
route_hosts_find(struct route_hosts *u, const struct site *site, uint64_t host)
{
	for (size_t i = 0; i < ROUTE_HOSTS_MAX; i++) {
		struct route_host *one = &u->told[i];

		if (one->at_ms && one->route == site->route_number && one->host == host)
			return one;
	}
	return NULL;
}

static struct route_host *
route_hosts_oldest(struct route_hosts *u)
{
	struct route_host *oldest = &u->told[0];

	for (size_t i = 1; i < ROUTE_HOSTS_MAX; i++)
		if (u->told[i].at_ms < oldest->at_ms)
			oldest = &u->told[i];
	return oldest;
}

void
route_hosts_lack(struct route_hosts *u, const struct site *site, const char *host)
{
	uint64_t hash = map_hash(str_of(host));
	struct route_host *one = route_hosts_find(u, site, hash);
	int64_t now_ms = clock_mono_ms();

	if (one && now_ms - one->at_ms < ROUTE_HOSTS_TELL_MS)
		return;
	if (!one)
		one = route_hosts_oldest(u);
	*one = (struct route_host){site->route_number, hash, now_ms};
	log_error("relay: route %u: the host %s has no address, neither in dns.hosts_file nor in "
	          "DNS: its mail is deferred",
	    site->route_number, host);
}

void
route_hosts_have(struct route_hosts *u, const struct site *site, const char *host)
{
	struct route_host *one = route_hosts_find(u, site, map_hash(str_of(host)));

	if (!one)
		return;
	one->at_ms = 0;
	log_info("relay: route %u: the host %s has an address again", site->route_number, host);
}
