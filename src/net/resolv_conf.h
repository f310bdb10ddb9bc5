/*
 * resolv_conf: the nameservers of resolv.conf(5).  `search`, `domain` and `options` have no effect:
 * all names here are complete.
 */
#ifndef NET_RESOLV_CONF_H
#define NET_RESOLV_CONF_H

#include <net/if.h>

#include "base/buf.h"
#include "net/resolver.h"

enum { RESOLV_CONF_SERVER_BYTES = 80, RESOLV_CONF_LINKS_MAX = 8 };

struct resolv_conf {
	size_t count;
	char servers[RESOLVER_SERVERS_MAX][RESOLV_CONF_SERVER_BYTES]; /* "ADDRESS@53" */
};

/* Interfaces in the file. */
struct resolv_conf_links {
	size_t count; /* only the first ones are recorded */
	struct resolv_conf_link {
		char name[IF_NAMESIZE];
		unsigned index; /* 0: this host has no interface with that name */
	} link[RESOLV_CONF_LINKS_MAX];
};

/* For main: the same file with the numbers of interfaces instead of their names, as far as this
 * host has them now.  A role cannot look them up in its sandbox.  False with errno: a lookup was
 * not possible for lack of descriptors or memory. */
bool resolv_conf_number_links(
    struct str text, struct buf *out, struct resolv_conf_links *links) MUST_USE;
/* 0: this host has no such interface.  False with errno: as above. */
bool resolv_conf_link_index(const char *name, unsigned *out) MUST_USE;

/* Reads the first RESOLVER_SERVERS_MAX servers, as libc does.  Without any, also if there is no
 * file (text p NULL), it is the resolver on this host. */
void resolv_conf_read(struct str text, struct resolv_conf *out);

#endif
