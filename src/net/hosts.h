/*
 * hosts: the entries of hosts(5) for the hosts in routes.  Other names are not stored: recipient
 * domains and the hosts in MX records are looked up in DNS only.
 */
#ifndef NET_HOSTS_H
#define NET_HOSTS_H

#include "base/buf.h"
#include "conf/conf.h"
#include "net/resolver_answer.h"

struct hosts;

struct hosts_entry {
	size_t count;
	struct resolver_address addresses[RESOLVER_ADDRESSES_MAX]; /* in the order of the file */
};

/* The limit of the filtered text: main rejects a larger one. */
enum { HOSTS_COUNTS_BYTES_MAX = 4 << 20 };

/* Writes the relevant part of the file: a line with one address and one name for each name in a
 * route.  Malformed lines are skipped, as libc does.  Not buf_ok: it does not fit. */
void hosts_filter(struct str text, const struct conf *conf, struct buf *out);
/* text: the content of the file, filtered or not. */
struct hosts *hosts_new(struct str text, const struct conf *conf) MUST_USE;
/* Frees everything. */
void hosts_free(struct hosts **h);
/* The entry of the host; NULL: the file has none. */
const struct hosts_entry *hosts_find(const struct hosts *h, struct str host);

#endif
