/*
 * hosts: what hosts(5) says of the hosts that routes name.  Other names are not kept: whom mail is
 * for, and the hosts that MX records name, only DNS tells.
 */
#ifndef NET_HOSTS_H
#define NET_HOSTS_H

#include "net/resolver.h"

struct hosts;

struct hosts_entry {
	size_t count;
	struct resolver_address addresses[RESOLVER_ADDRESSES_MAX]; /* in the order of the file */
};

/* text: of the file; lines that are not well formed are passed over, as libc does. */
struct hosts *hosts_new(struct str text, const struct conf *conf) MUST_USE;
void hosts_free(struct hosts **h);
/* NULL: the file says nothing of it. */
const struct hosts_entry *hosts_find(const struct hosts *h, struct str host);

#endif
