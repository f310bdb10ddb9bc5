/*
 * route_host_log: hosts of routes that have no address, as the log was told of them: once for each
 * route in an hour, however many deliveries end so, and again when one has an address.
 */
#ifndef RELAY_ROUTE_HOST_LOG_H
#define RELAY_ROUTE_HOST_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/resolved_destination.h"

enum { ROUTE_HOST_LOG_MAX = 64 }; /* of more the one that was told first is forgotten */

/* Begins as zeros. */
struct route_host_log {
	struct route_host_log_record {
		unsigned route;
		uint64_t host;  /* its hash */
		int64_t at_ms;  /* monotonic; 0: none */
	} entries[ROUTE_HOST_LOG_MAX];
};

/* A delivery was ended for the want of an address of this host. */
void route_host_log_missing(
    struct route_host_log *log, const struct resolved_destination *destination, const char *host);
/* It has one. */
void route_host_log_found(
    struct route_host_log *log, const struct resolved_destination *destination, const char *host);

#endif
