/*
 * route_host_log: see the header.
 */
#include "relay/route_host_log.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"

enum { ROUTE_HOST_LOG_REPEAT_MS = 60 * 60 * 1000 };

/* NULL: it is not there. */
static struct route_host_log_record *
route_host_log_find(
    struct route_host_log *u, const struct resolved_destination *site, uint64_t host)
{
	for (size_t i = 0; i < ROUTE_HOST_LOG_MAX; i++) {
		struct route_host_log_record *one = &u->told[i];

		if (one->at_ms && one->route == site->route_number && one->host == host)
			return one;
	}
	return NULL;
}

static struct route_host_log_record *
route_host_log_oldest(struct route_host_log *u)
{
	struct route_host_log_record *oldest = &u->told[0];

	for (size_t i = 1; i < ROUTE_HOST_LOG_MAX; i++)
		if (u->told[i].at_ms < oldest->at_ms)
			oldest = &u->told[i];
	return oldest;
}

void
route_host_log_missing(
    struct route_host_log *u, const struct resolved_destination *site, const char *host)
{
	uint64_t hash = map_hash(str_of(host));
	struct route_host_log_record *one = route_host_log_find(u, site, hash);
	int64_t now_ms = clock_mono_ms();

	if (one && now_ms - one->at_ms < ROUTE_HOST_LOG_REPEAT_MS)
		return;
	if (!one)
		one = route_host_log_oldest(u);
	*one = (struct route_host_log_record){site->route_number, hash, now_ms};
	log_error("relay: route %u: the host %s has no address, neither in dns.hosts_file nor in "
	          "DNS: its mail is deferred",
	    site->route_number, host);
}

void
route_host_log_found(
    struct route_host_log *u, const struct resolved_destination *site, const char *host)
{
	struct route_host_log_record *one = route_host_log_find(u, site, map_hash(str_of(host)));

	if (!one)
		return;
	one->at_ms = 0;
	log_info("relay: route %u: the host %s has an address again", site->route_number, host);
}
