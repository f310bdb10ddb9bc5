/*
 * connection_pool: idle connections in the order in which they became so; one timer looks at the
 * oldest.
 */
#include "relay/connection_pool.h"

#include "base/clock.h"
#include "base/mem.h"

struct connection_pool {
	LIST_HEAD(, smtp_connection) all;
	TAILQ_HEAD(connection_pool_idle_list, smtp_connection) idle;
	size_t count, idle_count;
	struct event *timer;
};

static void quit_connection_over(struct smtp_connection *s, void *arg);
static void idle_connection_ready(struct smtp_connection *s, void *arg);
static void idle_connection_over(struct smtp_connection *s, void *arg);

static const struct smtp_connection_events quit_events = {
    .ready = idle_connection_ready, .over = quit_connection_over};
static const struct smtp_connection_events idle_events = {
    .ready = idle_connection_ready, .over = idle_connection_over};

void
connection_pool_drop(struct connection_pool *p, struct smtp_connection **s)
{
	LIST_REMOVE(*s, all);
	p->count--;
	smtp_connection_free(s);
}

static void
quit_connection_over(struct smtp_connection *s, void *arg)
{
	connection_pool_drop(arg, &s);
}

/* Nothing was asked: nothing can become ready. */
static void
idle_connection_ready(struct smtp_connection *s, void *arg)
{
	(void)s;
	(void)arg;
}

static void
leave_idle_list(struct connection_pool *p, struct smtp_connection *s)
{
	TAILQ_REMOVE(&p->idle, s, idle);
	p->idle_count--;
}

/* The host closed first, or spoke without being asked. */
static void
idle_connection_over(struct smtp_connection *s, void *arg)
{
	leave_idle_list(arg, s);
	connection_pool_drop(arg, &s);
}

static void
quit_connection(struct connection_pool *p, struct smtp_connection *s)
{
	smtp_connection_set_owner(s, &quit_events, p);
	smtp_connection_quit(s);
}

static void
set_idle_timer(struct connection_pool *p)
{
	struct smtp_connection *oldest = TAILQ_FIRST(&p->idle);
	int64_t left_ms;
	struct timeval tv;

	if (!oldest) {
		event_del(p->timer);
		return;
	}
	left_ms = oldest->idle_since_ms + CONNECTION_POOL_IDLE_MS - clock_mono_ms();
	if (left_ms < 1)
		left_ms = 1;
	tv = (struct timeval){left_ms / 1000, left_ms % 1000 * 1000};
	event_add(p->timer, &tv);
}

static void
idle_timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct connection_pool *p = arg;
	int64_t before_ms = clock_mono_ms() - CONNECTION_POOL_IDLE_MS;
	struct smtp_connection *s;

	(void)fd;
	(void)what;
	while ((s = TAILQ_FIRST(&p->idle)) && s->idle_since_ms <= before_ms) {
		leave_idle_list(p, s);
		quit_connection(p, s);
	}
	set_idle_timer(p);
}

struct smtp_connection *
connection_pool_open(struct connection_pool *p, const struct smtp_connection_options *o)
{
	struct smtp_connection *s = smtp_connection_open(o);

	LIST_INSERT_HEAD(&p->all, s, all);
	p->count++;
	return s;
}

/* The configuration and the route give port, source, TLS level and login, the destination the names
 * of its hosts: a connection that was made for weaker rules is not taken for stricter ones.  One
 * whose host has said or ended something that the loop has not come to yet is left to the loop:
 * what stands there would be taken for the answer to MAIL. */
static bool
connection_is_reusable(const struct smtp_connection *s, const struct cached_destination *found)
{
	return s->found->conf == found->conf && s->found->site.route == found->site.route &&
	       (s->found == found || strcmp(s->found->site.name, found->site.name) == 0) &&
	       stream_is_quiet(s->stream); /* last: it asks the kernel */
}

/* The one that was used last: the others may end in peace. */
struct smtp_connection *
connection_pool_take(struct connection_pool *p, const struct cached_destination *found)
{
	struct smtp_connection *s;

	TAILQ_FOREACH_REVERSE(s, &p->idle, connection_pool_idle_list, idle)
	if (connection_is_reusable(s, found)) {
		leave_idle_list(p, s);
		return s;
	}
	return NULL;
}

void
connection_pool_give(struct connection_pool *p, struct smtp_connection *s)
{
	if (s->messages >= CONNECTION_POOL_MESSAGES_MAX) {
		quit_connection(p, s);
		return;
	}
	if (p->idle_count >= CONNECTION_POOL_IDLE_MAX) {
		struct smtp_connection *oldest = TAILQ_FIRST(&p->idle);

		leave_idle_list(p, oldest);
		quit_connection(p, oldest);
	}
	smtp_connection_set_owner(s, &idle_events, p);
	s->idle_since_ms = clock_mono_ms();
	TAILQ_INSERT_TAIL(&p->idle, s, idle);
	if (p->idle_count++ == 0)
		set_idle_timer(p);
}

void
connection_pool_flush(struct connection_pool *p)
{
	struct smtp_connection *s;

	while ((s = TAILQ_FIRST(&p->idle))) {
		leave_idle_list(p, s);
		quit_connection(p, s);
	}
}

struct connection_pool *
connection_pool_new(struct event_base *base)
{
	struct connection_pool *p = MEM_NEW(struct connection_pool);

	LIST_INIT(&p->all);
	TAILQ_INIT(&p->idle);
	p->timer = evtimer_new(base, idle_timer_fired, p);
	if (!p->timer)
		die("pool: no timer");
	return p;
}

void
connection_pool_free(struct connection_pool **p)
{
	struct smtp_connection *s;

	if (!*p)
		return;
	while ((s = LIST_FIRST(&(*p)->all)))
		connection_pool_drop(*p, &s);
	event_free((*p)->timer);
	mem_free(*p);
	*p = NULL;
}
