/*
 * pool: idle connections in the order in which they became so; one timer looks at the oldest.
 */
#include "relay/pool.h"

#include "base/clock.h"
#include "base/mem.h"

struct pool {
	LIST_HEAD(, session) all;
	TAILQ_HEAD(idle_list, session) idle;
	size_t count, idle_count;
	struct event *timer;
};

static void quit_over(struct session *s, void *arg);
static void idle_ready(struct session *s, void *arg);
static void idle_over(struct session *s, void *arg);

static const struct session_events quit_events = {.ready = idle_ready, .over = quit_over};
static const struct session_events idle_events = {.ready = idle_ready, .over = idle_over};

void
pool_drop(struct pool *p, struct session **s)
{
	LIST_REMOVE(*s, all);
	p->count--;
	session_free(s);
}

static void
quit_over(struct session *s, void *arg)
{
	pool_drop(arg, &s);
}

/* Nothing was asked: nothing can become ready. */
static void
idle_ready(struct session *s, void *arg)
{
	(void)s;
	(void)arg;
}

static void
leave_idle(struct pool *p, struct session *s)
{
	TAILQ_REMOVE(&p->idle, s, idle);
	p->idle_count--;
}

/* The host closed first, or spoke without being asked. */
static void
idle_over(struct session *s, void *arg)
{
	leave_idle(arg, s);
	pool_drop(arg, &s);
}

static void
quit(struct pool *p, struct session *s)
{
	session_own(s, &quit_events, p);
	session_quit(s);
}

static void
arm(struct pool *p)
{
	struct session *oldest = TAILQ_FIRST(&p->idle);
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
	struct session *s;

	(void)fd;
	(void)what;
	while ((s = TAILQ_FIRST(&p->idle)) && s->idle_since_ms <= before_ms) {
		leave_idle(p, s);
		quit(p, s);
	}
	arm(p);
}

struct session *
pool_open(struct pool *p, const struct session_options *o)
{
	struct session *s = session_open(o);

	LIST_INSERT_HEAD(&p->all, s, all);
	p->count++;
	return s;
}

static bool
fits(const struct session *s, const struct found *found)
{
	return s->found->conf == found->conf && s->found->site.route == found->site.route &&
	       (s->found == found || strcmp(s->found->site.name, found->site.name) == 0);
}

/* The one that was used last: the others may end in peace. */
struct session *
pool_take(struct pool *p, const struct found *found)
{
	struct session *s;

	TAILQ_FOREACH_REVERSE(s, &p->idle, idle_list, idle)
	if (fits(s, found)) {
		leave_idle(p, s);
		return s;
	}
	return NULL;
}

void
pool_give(struct pool *p, struct session *s)
{
	if (s->messages >= POOL_MESSAGES_MAX) {
		quit(p, s);
		return;
	}
	if (p->idle_count >= POOL_IDLE_MAX) {
		struct session *oldest = TAILQ_FIRST(&p->idle);

		leave_idle(p, oldest);
		quit(p, oldest);
	}
	session_own(s, &idle_events, p);
	s->idle_since_ms = clock_mono_ms();
	TAILQ_INSERT_TAIL(&p->idle, s, idle);
	if (p->idle_count++ == 0)
		arm(p);
}

void
pool_flush(struct pool *p)
{
	struct session *s;

	while ((s = TAILQ_FIRST(&p->idle))) {
		leave_idle(p, s);
		quit(p, s);
	}
}

size_t
pool_count(const struct pool *p)
{
	return p->count;
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
	struct session *s;

	if (!*p)
		return;
	while ((s = LIST_FIRST(&(*p)->all)))
		pool_drop(*p, &s);
	event_free((*p)->timer);
	mem_free(*p);
	*p = NULL;
}
