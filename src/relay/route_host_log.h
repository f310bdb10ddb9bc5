/*
 * route_host_log: logs hosts of routes that have no address: once an hour for each destination,
 * however many deliveries fail for it, and once more when the host has an address again.
 */
#ifndef RELAY_ROUTE_HOST_LOG_H
#define RELAY_ROUTE_HOST_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/resolved_destination.h"

enum { ROUTE_HOST_LOG_MAX = 64 }; /* beyond that the oldest entry is forgotten */

/* Starts as zeros; needs no clean-up. */
struct route_host_log {
	struct route_host_log_record {
		uint64_t destination; /* hash of its name */
		int64_t at_ms;        /* monotonic; 0: none */
	} entries[ROUTE_HOST_LOG_MAX];
};

/* A delivery ended because the host that the route names has no address. */
void route_host_log_missing(
    struct route_host_log *log, const struct resolved_destination *destination);
/* The host has an address. */
void route_host_log_found(
    struct route_host_log *log, const struct resolved_destination *destination);

#endif
