/*
 * hosts: what hosts(5) says of the hosts that routes name.  Other names are not kept: whom mail is
 * for, and the hosts that MX records name, only DNS tells.
 */
#ifndef NET_HOSTS_H
#define NET_HOSTS_H

#include "base/buf.h"
#include "net/resolver.h"

struct hosts;

struct hosts_entry {
	size_t count;
	struct resolver_address addresses[RESOLVER_ADDRESSES_MAX]; /* in the order of the file */
};

/* Relay is given no more of what counts: main refuses what is more. */
enum { HOSTS_COUNTS_BYTES_MAX = 4 << 20 };

/* What counts of the file: a line with one address and one name for each name that a route has.
 * Lines that are not well formed are passed over, as libc does.  Not buf_ok: there is no room for
 * all of it. */
void hosts_filter(struct str text, const struct conf *conf, struct buf *out);
/* text: of the file, filtered or not. */
struct hosts *hosts_new(struct str text, const struct conf *conf) MUST_USE;
void hosts_free(struct hosts **h);
/* NULL: the file says nothing of it. */
const struct hosts_entry *hosts_find(const struct hosts *h, struct str host);

#endif
