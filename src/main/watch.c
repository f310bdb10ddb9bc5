/*
 * watch: a change is passed on when the files stood still for one look, so that a certificate and
 * its key, written one after the other, arrive together.
 */
#include "main/watch.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "main/offer.h"
#include "main/supervise.h"

enum { LOOK_EVERY_S = 2 };

struct watch {
	struct daemon *daemon;
	struct event *timer;
	uint64_t given; /* print of the files as last passed on */
	uint64_t seen;  /* print at the last look */
	uint64_t refused; /* print of those that could not be opened; said once */
};

static void
add_print(struct buf *all, struct str path)
{
	struct stat st = {0};
	char name[4096];

	snprintf(name, sizeof name, "%.*s", STR_ARG(path));
	(void)!stat(name, &st);
	buf_addf(all, "%s %ju %ju %jd %jd.%09ld\n", name, (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino, (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec,
	    st.st_mtim.tv_nsec);
}

static uint64_t
print_of(const struct conf *c)
{
	struct buf all;
	uint64_t print;

	buf_init(&all, 1 << 20);
	for (size_t t = 0; t < c->tls.count; t++) {
		add_print(&all, c->tls.item[t].certificate);
		add_print(&all, c->tls.item[t].private_key);
	}
	print = map_hash(buf_str(&all));
	buf_clear(&all);
	return print;
}

/* What could not be opened is tried again at the next look. */
static void
watch_give(struct watch *w, uint64_t now)
{
	char why[REASON_BYTES];

	if (offer_renew_certificates(w->daemon->offer, why)) {
		log_info("certificate files changed: loading them");
		supervise_renew_certificates(w->daemon);
		w->given = now;
	} else if (w->refused != now) {
		log_error("certificate files changed, and the former ones stay: %s", why);
		w->refused = now;
	}
}

static void
look(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;
	uint64_t now = print_of(w->daemon->conf);

	(void)fd;
	(void)what;
	if (now != w->given && now == w->seen && w->daemon->stage < 0)
		watch_give(w, now);
	w->seen = now;
}

void
watch_start(struct daemon *d)
{
	struct timeval every = {.tv_sec = LOOK_EVERY_S};
	struct watch *w = MEM_NEW(struct watch);

	w->daemon = d;
	w->given = w->seen = print_of(d->conf);
	w->timer = event_new(d->base, -1, EV_PERSIST, look, w);
	if (!w->timer || event_add(w->timer, &every) != 0)
		die("no timer");
	d->watch = w;
}

void
watch_stop(struct daemon *d)
{
	event_free(d->watch->timer);
	mem_free(d->watch);
	d->watch = NULL;
}
