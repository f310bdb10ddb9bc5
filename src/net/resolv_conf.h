/*
 * resolv_conf: the nameservers of resolv.conf(5).  `search`, `domain` and `options` have no effect:
 * names are always whole here.
 */
#ifndef NET_RESOLV_CONF_H
#define NET_RESOLV_CONF_H

#include <net/if.h>

#include "net/resolver.h"

enum { RESOLV_CONF_SERVER_BYTES = 80 };

struct resolv_conf {
	size_t count;
	char servers[RESOLVER_SERVERS_MAX][RESOLV_CONF_SERVER_BYTES]; /* "ADDRESS@53" */
};

/* Interfaces by name.  In its sandbox a role may not ask for them: those that were asked for before
 * are remembered here for reloads.  Begins as zeros. */
struct resolv_conf_links {
	struct {
		char name[IF_NAMESIZE];
		unsigned index;
	} known[RESOLVER_SERVERS_MAX];
};

/* The first RESOLVER_SERVERS_MAX, as libc does.  Without any, also if there is no file (text p
 * NULL), it is the one of this host. */
void resolv_conf_read(struct str text, struct resolv_conf_links *links, struct resolv_conf *out);

#endif
