/*
 * limit_tokens: a lease exists while a message has tokens of its user or waits for one, and for a
 * while longer. The return message that ends a lease makes the queue forget all that it has leased
 * to this process for that user; so a wrong count (a client that disconnected while its message was
 * being committed) does not last.
 */
#include "submission/limit_tokens.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "conf/value.h"
#include "mail/envelope.h"

enum {
	LIMIT_TOKENS_IDLE_MS = 10000, /* tokens that were unused for so long are returned */
	LIMIT_TOKENS_LOOK_S = 5,
};

struct limit_tokens_lease {
	struct limit_tokens *owner;
	struct str user; /* allocated */
	uint32_t free;   /* may be taken */
	uint32_t taken;  /* by transactions in progress */
	uint32_t waiting;
	int64_t used_ms;
	char limit[VALUE_RATES_TEXT_BYTES]; /* the one that was reached last */
	struct request request;
	TAILQ_HEAD(, limit_tokens_waiter) waiters;
};

struct limit_tokens {
	struct event *timer;
	struct channel *queue; /* NULL: not connected */
	struct map *leases;    /* by user */
	unsigned generation;
};

static void limit_tokens_answered(enum request_end end, const struct channel_packet *p, void *arg);

/* ---- leases ---- */

static struct limit_tokens_lease *
limit_tokens_lease_of(struct limit_tokens *t, struct str user)
{
	struct limit_tokens_lease *l = map_get(t->leases, user);

	if (l)
		return l;
	l = MEM_NEW(struct limit_tokens_lease);
	l->owner = t;
	l->user = str_make(mem_text(user.p, user.n), user.n);
	TAILQ_INIT(&l->waiters);
	request_init(&l->request, limit_tokens_answered, l);
	map_put(t->leases, user, l);
	return l;
}

static void
limit_tokens_lease_free(struct limit_tokens_lease *l)
{
	map_remove(l->owner->leases, l->user);
	request_cancel(&l->request);
	mem_free((char *)l->user.p);
	mem_free(l);
}

static bool
limit_tokens_lease_is_idle(const struct limit_tokens_lease *l)
{
	return l->taken == 0 && l->waiting == 0 && !request_is_open(&l->request);
}

static void
limit_tokens_give_back(struct limit_tokens_lease *l, bool is_all)
{
	struct message_lease_return m = {l->user, l->free, is_all};

	l->free = 0;
	if (l->owner->queue && (m.tokens || is_all))
		(void)!channel_send(l->owner->queue, MESSAGE_LEASE_RETURN, &m, -1);
}

/* ---- waiters ---- */

static struct limit_tokens_waiter *
limit_tokens_first_waiter(struct limit_tokens_lease *l)
{
	struct limit_tokens_waiter *w = TAILQ_FIRST(&l->waiters);

	if (w)
		limit_tokens_cancel(w);
	return w;
}

void
limit_tokens_cancel(struct limit_tokens_waiter *w)
{
	if (!w->lease)
		return;
	TAILQ_REMOVE(&w->lease->waiters, w, link);
	w->lease->waiting--;
	w->lease = NULL;
}

/* Calls all present waiters with the reason; those who come meanwhile ask again. */
static void
limit_tokens_refuse_waiters(struct limit_tokens_lease *l, const struct smtp_status *why)
{
	for (uint32_t count = l->waiting; count > 0; count--) {
		struct limit_tokens_waiter *w = limit_tokens_first_waiter(l);

		if (!w)
			return;
		w->fn(why, w->arg);
	}
}

static void
limit_tokens_serve_waiters(struct limit_tokens_lease *l)
{
	struct smtp_status ok = smtp_status_make(250, "2.1.5", "Ok");
	struct limit_tokens_waiter *w;

	while (l->free && (w = limit_tokens_first_waiter(l))) {
		l->free--;
		l->taken++;
		w->fn(&ok, w->arg);
	}
}

static void
limit_tokens_ask(struct limit_tokens_lease *l)
{
	struct message_lease_ask m = {.user = l->user};

	if (TAILQ_EMPTY(&l->waiters) || !l->owner->queue || request_is_open(&l->request))
		return;
	m.wanted = l->waiting < ENVELOPE_RECIPIENTS_MAX ? l->waiting : ENVELOPE_RECIPIENTS_MAX;
	request_ask(&l->request, l->owner->queue, MESSAGE_LEASE_ASK, &m);
}

static void
limit_tokens_answered(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct limit_tokens_lease *l = arg;

	l->used_ms = clock_mono_ms();
	if (end == REQUEST_ANSWERED && smtp_status_is_ok(&p->message->lease.status))
		l->free += p->message->lease.tokens;
	if (end == REQUEST_ANSWERED)
		snprintf(l->limit, sizeof l->limit, "%.*s", STR_ARG(p->message->lease.limit));
	limit_tokens_serve_waiters(l);
	if (end != REQUEST_ANSWERED)
		limit_tokens_refuse_waiters(l, NULL);
	else if (!smtp_status_is_ok(&p->message->lease.status))
		limit_tokens_refuse_waiters(l, &p->message->lease.status);
	limit_tokens_ask(l);
}

struct str
limit_tokens_limit(const struct limit_tokens *t, struct str user)
{
	const struct limit_tokens_lease *l = map_get(t->leases, user);

	return l ? str_of(l->limit) : STR("");
}

bool
limit_tokens_wait(struct limit_tokens *t, struct str user, struct limit_tokens_waiter *w)
{
	struct limit_tokens_lease *l;

	if (!t->queue)
		return false;
	l = limit_tokens_lease_of(t, user);
	w->lease = l;
	l->waiting++;
	TAILQ_INSERT_TAIL(&l->waiters, w, link);
	limit_tokens_ask(l);
	return true;
}

/* ---- taking and returning ---- */

bool
limit_tokens_take(struct limit_tokens *t, struct str user)
{
	struct limit_tokens_lease *l = map_get(t->leases, user);

	if (!l || !l->free)
		return false;
	l->free--;
	l->taken++;
	l->used_ms = clock_mono_ms();
	return true;
}

/* Less than count when the queue that leased them is lost. */
static uint32_t
limit_tokens_reduce_taken(struct limit_tokens_lease *l, uint32_t count)
{
	count = count < l->taken ? count : l->taken;
	l->taken -= count;
	return count;
}

void
limit_tokens_return(struct limit_tokens *t, struct str user, uint32_t count)
{
	struct limit_tokens_lease *l = map_get(t->leases, user);

	if (!l)
		return;
	/* waiters have a request open, and take it when the answer comes */
	l->free += limit_tokens_reduce_taken(l, count);
}

void
limit_tokens_spend(struct limit_tokens *t, struct str user, uint32_t count)
{
	struct limit_tokens_lease *l = map_get(t->leases, user);

	if (l)
		(void)limit_tokens_reduce_taken(l, count);
}

void
limit_tokens_recall(struct limit_tokens *t, struct str user)
{
	struct limit_tokens_lease *l = map_get(t->leases, user);

	if (l)
		limit_tokens_give_back(l, limit_tokens_lease_is_idle(l));
}

/* ---- timer and lifetime ---- */

static void
limit_tokens_return_idle(struct str user, void *value, void *arg)
{
	struct limit_tokens_lease *l = value;
	const int64_t *before_ms = arg;
	bool is_over = limit_tokens_lease_is_idle(l);

	(void)user;
	if (l->used_ms > *before_ms)
		return;
	limit_tokens_give_back(l, is_over);
	if (is_over)
		limit_tokens_lease_free(l);
}

static void
on_token_timer(evutil_socket_t fd, short what, void *arg)
{
	struct limit_tokens *t = arg;
	int64_t before_ms = clock_mono_ms() - LIMIT_TOKENS_IDLE_MS;

	(void)fd;
	(void)what;
	map_each(t->leases, limit_tokens_return_idle, &before_ms);
}

/* The waiters are called first, while the lease still exists. */
static void
limit_tokens_void_one(struct str user, void *value, void *arg)
{
	struct limit_tokens_lease *l = value;

	(void)user;
	(void)arg;
	request_cancel(&l->request);
	l->free = l->taken = 0;
	limit_tokens_refuse_waiters(l, NULL);
}

void
limit_tokens_set_queue(struct limit_tokens *t, struct channel *queue)
{
	t->queue = NULL;
	t->generation++;
	map_each(t->leases, limit_tokens_void_one, NULL);
	t->queue = queue;
}

unsigned
limit_tokens_generation(const struct limit_tokens *t)
{
	return t->generation;
}

struct limit_tokens *
limit_tokens_new(struct event_base *base)
{
	struct limit_tokens *t = MEM_NEW(struct limit_tokens);
	struct timeval every = {LIMIT_TOKENS_LOOK_S, 0};

	t->leases = map_new();
	t->timer = event_new(base, -1, EV_PERSIST, on_token_timer, t);
	if (!t->timer || event_add(t->timer, &every) != 0)
		die("no timer for the tokens");
	return t;
}

static void
limit_tokens_free_one(struct str user, void *value, void *arg)
{
	(void)user;
	(void)arg;
	limit_tokens_lease_free(value);
}

void
limit_tokens_free(struct limit_tokens **t)
{
	if (!*t)
		return;
	map_each((*t)->leases, limit_tokens_free_one, NULL);
	map_free(&(*t)->leases);
	event_free((*t)->timer);
	mem_free(*t);
	*t = NULL;
}
