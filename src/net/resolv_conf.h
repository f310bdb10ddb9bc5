/*
 * resolv_conf: the nameservers of resolv.conf(5).  `search`, `domain` and `options` have no effect:
 * names are always whole here.
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

/* Interfaces that the file names. */
struct resolv_conf_links {
	size_t count; /* more than the first ones are not noted */
	struct resolv_conf_link {
		char name[IF_NAMESIZE];
		unsigned index; /* 0: this host has none of that name */
	} link[RESOLV_CONF_LINKS_MAX];
};

/* For main: the same file with the numbers of interfaces instead of their names, as far as this
 * host has them now.  In its sandbox a role may not ask for them.  False with errno: one cannot be
 * asked for, as there is no descriptor or memory for it. */
bool resolv_conf_number_links(
    struct str text, struct buf *out, struct resolv_conf_links *links) MUST_USE;
/* 0: this host has no such interface.  False with errno: see above. */
bool resolv_conf_link_index(const char *name, unsigned *out) MUST_USE;

/* The first RESOLVER_SERVERS_MAX, as libc does.  Without any, also if there is no file (text p
 * NULL), it is the one of this host. */
void resolv_conf_read(struct str text, struct resolv_conf *out);

#endif
