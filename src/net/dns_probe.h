/*
 * dns_probe: does a server answer anything at all?  One small question, about the root zone, which
 * every resolver can answer or refuse: each reply counts.  It is not asked through the cache of
 * libunbound, which answers for a server that is dead.
 */
#ifndef NET_DNS_PROBE_H
#define NET_DNS_PROBE_H

#include <event2/event.h>

#include "base/str.h"

struct dns_probe;

enum dns_probe_end {
	DNS_PROBE_ANSWERED,
	DNS_PROBE_SILENT,
	DNS_PROBE_UNKNOWN, /* it could not be asked, for want of descriptors or memory here */
};

typedef void dns_probe_fn(enum dns_probe_end end, void *arg);

struct dns_probe_setup {
	struct event_base *base;
	struct str server; /* "ADDRESS", "ADDRESS@PORT", with "%NUMBER" behind the address of a
	                    * link; empty: the root servers.  Needed during the call only. */
	dns_probe_fn *fn;
	void *arg;
};

struct dns_probe *dns_probe_new(const struct dns_probe_setup *setup) MUST_USE;
/* False: one is under way, and goes on.  It ends with one call of fn, from the loop, at the latest
 * after DNS_PROBE_MS. */
bool dns_probe_begin(struct dns_probe *p);
void dns_probe_free(struct dns_probe **p);

enum { DNS_PROBE_MS = 4000 };

#endif
