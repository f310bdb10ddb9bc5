/*
 * resolv_conf: the nameservers of resolv.conf(5).  `search`, `domain` and `options` have no effect:
 * names are always whole here.
 */
#ifndef NET_RESOLV_CONF_H
#define NET_RESOLV_CONF_H

#include "base/buf.h"
#include "net/resolver.h"

enum { RESOLV_CONF_SERVER_BYTES = 80 };

struct resolv_conf {
	size_t count;
	char servers[RESOLVER_SERVERS_MAX][RESOLV_CONF_SERVER_BYTES]; /* "ADDRESS@53" */
};

/* For main: the same file with the numbers of interfaces instead of their names, as far as this
 * host has them now.  In its sandbox a role may not ask for them. */
void resolv_conf_number_links(struct str text, struct buf *out);

/* The first RESOLVER_SERVERS_MAX, as libc does.  Without any, also if there is no file (text p
 * NULL), it is the one of this host. */
void resolv_conf_read(struct str text, struct resolv_conf *out);

#endif
