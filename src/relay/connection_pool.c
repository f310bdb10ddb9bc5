/*
 * connection_pool: idle connections in the order in which they became so; one timer looks at the
 * oldest.
 */
#include "relay/connection_pool.h"

#include "base/clock.h"
#include "base/mem.h"

struct pool {
	LIST_HEAD(, visit) all;
	TAILQ_HEAD(idle_list, visit) idle;
	size_t count, idle_count;
	struct event *timer;
};

static void quit_over(struct visit *s, void *arg);
static void idle_ready(struct visit *s, void *arg);
static void idle_over(struct visit *s, void *arg);

static const struct visit_events quit_events = {.ready = idle_ready, .over = quit_over};
static const struct visit_events idle_events = {.ready = idle_ready, .over = idle_over};

void
pool_drop(struct pool *p, struct visit **s)
{
	LIST_REMOVE(*s, all);
	p->count--;
	visit_free(s);
}

static void
quit_over(struct visit *s, void *arg)
{
	pool_drop(arg, &s);
}

/* Nothing was asked: nothing can become ready. */
static void
idle_ready(struct visit *s, void *arg)
{
	(void)s;
	(void)arg;
}

static void
leave_idle(struct pool *p, struct visit *s)
{
	TAILQ_REMOVE(&p->idle, s, idle);
	p->idle_count--;
}

/* The host closed first, or spoke without being asked. */
static void
idle_over(struct visit *s, void *arg)
{
	leave_idle(arg, s);
	pool_drop(arg, &s);
}

static void
quit(struct pool *p, struct visit *s)
{
	visit_own(s, &quit_events, p);
	visit_quit(s);
}

static void
arm(struct pool *p)
{
	struct visit *oldest = TAILQ_FIRST(&p->idle);
	int64_t left_ms;
	struct timeval tv;

	if (!oldest) {
		event_del(p->timer);
		return;
	}
	left_ms = oldest->idle_since_ms + POOL_IDLE_MS - clock_mono_ms();
	if (left_ms < 1)
		left_ms = 1;
	tv = (struct timeval){left_ms / 1000, left_ms % 1000 * 1000};
	event_add(p->timer, &tv);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct pool *p = arg;
	int64_t before_ms = clock_mono_ms() - POOL_IDLE_MS;
	struct visit *s;

	(void)fd;
	(void)what;
	while ((s = TAILQ_FIRST(&p->idle)) && s->idle_since_ms <= before_ms) {
		leave_idle(p, s);
		quit(p, s);
	}
	arm(p);
}

struct visit *
pool_open(struct pool *p, const struct visit_options *o)
{
	struct visit *s = visit_open(o);

	LIST_INSERT_HEAD(&p->all, s, all);
	p->count++;
	return s;
}

/* The configuration and the route give port, source, TLS level and login, the site the names of
 * its hosts: a connection that was made for weaker rules is not taken for stricter ones.  One whose
 * host has said or ended something that the loop has not come to yet is left to the loop: what
 * stands there would be taken for the answer to MAIL. */
static bool
fits(const struct visit *s, const struct found *found)
{
	return s->found->conf == found->conf && s->found->site.route == found->site.route &&
	       (s->found == found || strcmp(s->found->site.name, found->site.name) == 0) &&
	       stream_is_quiet(s->stream); /* last: it asks the kernel */
}

/* The one that was used last: the others may end in peace. */
struct visit *
pool_take(struct pool *p, const struct found *found)
{
	struct visit *s;

	TAILQ_FOREACH_REVERSE(s, &p->idle, idle_list, idle)
	if (fits(s, found)) {
		leave_idle(p, s);
		return s;
	}
	return NULL;
}

void
pool_give(struct pool *p, struct visit *s)
{
	if (s->messages >= POOL_MESSAGES_MAX) {
		quit(p, s);
		return;
	}
	if (p->idle_count >= POOL_IDLE_MAX) {
		struct visit *oldest = TAILQ_FIRST(&p->idle);

		leave_idle(p, oldest);
		quit(p, oldest);
	}
	visit_own(s, &idle_events, p);
	s->idle_since_ms = clock_mono_ms();
	TAILQ_INSERT_TAIL(&p->idle, s, idle);
	if (p->idle_count++ == 0)
		arm(p);
}

void
pool_flush(struct pool *p)
{
	struct visit *s;

	while ((s = TAILQ_FIRST(&p->idle))) {
		leave_idle(p, s);
		quit(p, s);
	}
}

struct pool *
pool_new(struct event_base *base)
{
	struct pool *p = MEM_NEW(struct pool);

	LIST_INIT(&p->all);
	TAILQ_INIT(&p->idle);
	p->timer = evtimer_new(base, on_timer, p);
	if (!p->timer)
		die("pool: no timer");
	return p;
}

void
pool_free(struct pool **p)
{
	struct visit *s;

	if (!*p)
		return;
	while ((s = LIST_FIRST(&(*p)->all)))
		pool_drop(*p, &s);
	event_free((*p)->timer);
	mem_free(*p);
	*p = NULL;
}
