/*
 * route_host_log: a small table that is searched from its start.  An entry is the hash of the
 * name of a destination, and the time of its log line.
 */
#include "relay/route_host_log.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"

enum { ROUTE_HOST_LOG_REPEAT_MS = 60 * 60 * 1000 };

/* NULL: there is no entry. */
static struct route_host_log_record *
route_host_log_find(struct route_host_log *log, uint64_t destination)
{
	for (size_t i = 0; i < ROUTE_HOST_LOG_MAX; i++) {
		struct route_host_log_record *entry = &log->entries[i];

		if (entry->at_ms && entry->destination == destination)
			return entry;
	}
	return NULL;
}

static struct route_host_log_record *
route_host_log_oldest(struct route_host_log *log)
{
	struct route_host_log_record *oldest = &log->entries[0];

	for (size_t i = 1; i < ROUTE_HOST_LOG_MAX; i++)
		if (log->entries[i].at_ms < oldest->at_ms)
			oldest = &log->entries[i];
	return oldest;
}

void
route_host_log_missing(struct route_host_log *log, const struct resolved_destination *destination)
{
	uint64_t hash = map_hash(str_of(destination->name));
	struct route_host_log_record *entry = route_host_log_find(log, hash);
	int64_t now_ms = clock_mono_ms();

	if (entry && now_ms - entry->at_ms < ROUTE_HOST_LOG_REPEAT_MS)
		return;
	if (!entry)
		entry = route_host_log_oldest(log);
	*entry = (struct route_host_log_record){hash, now_ms};
	log_error("relay: destination %s: the host %.*s has no address, neither in dns.hosts_file "
	          "nor in DNS: its mail is deferred",
	    destination->name, STR_ARG(destination->to.next_hop));
}

void
route_host_log_found(struct route_host_log *log, const struct resolved_destination *destination)
{
	struct route_host_log_record *entry =
	    route_host_log_find(log, map_hash(str_of(destination->name)));

	if (!entry)
		return;
	entry->at_ms = 0;
	log_info("relay: destination %s: the host %.*s has an address again", destination->name,
	    STR_ARG(destination->to.next_hop));
}
