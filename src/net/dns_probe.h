/*
 * dns_probe: checks whether a server answers at all.  It sends one small question about the root
 * zone, which every resolver can answer or refuse: each reply counts.  It does not use the cache of
 * libunbound, which would answer for a server that is down.
 */
#ifndef NET_DNS_PROBE_H
#define NET_DNS_PROBE_H

#include <event2/event.h>

#include "base/str.h"

struct dns_probe;

enum dns_probe_end {
	DNS_PROBE_ANSWERED,
	DNS_PROBE_SILENT,
	DNS_PROBE_UNKNOWN, /* it could not be sent: no descriptors or memory here */
};

typedef void dns_probe_fn(enum dns_probe_end end, void *arg);

struct dns_probe_setup {
	struct event_base *base;
	/* "ADDRESS", "ADDRESS@PORT", with "%NUMBER" behind a link-local address; empty: the root
	 * servers.  Used during the call only. */
	struct str server;
	dns_probe_fn *fn;
	void *arg;
};

/* A probe for that server, which does not run yet. */
struct dns_probe *dns_probe_new(const struct dns_probe_setup *setup) MUST_USE;
/* False: a probe is already running, and continues.  A probe ends with one call of fn, from the
 * loop, at the latest after DNS_PROBE_MS. */
bool dns_probe_begin(struct dns_probe *p);
/* Ends and frees it without a call of fn. */
void dns_probe_free(struct dns_probe **p);

enum { DNS_PROBE_MS = 4000 };

#endif
