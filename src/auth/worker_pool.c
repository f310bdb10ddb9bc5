/*
 * worker_pool: a job is HELD (its network has enough in the queue), QUEUED (any worker may take it)
 * or RUNNING.
 */
#include "auth/worker_pool.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"

enum { TICK_MS = 250 };

TAILQ_HEAD(job_list, crew_job);

struct crew_network {
	struct str key;
	char bytes[CLAIM_NETWORK_BYTES];
	uint64_t admitted; /* queued or running */
	unsigned held_count;
	struct job_list held;
};

struct crew_worker {
	struct crew *pool;
	unsigned index;
	struct channel *channel; /* NULL: there is none now */
	struct request request;       /* the check that it is at */
	struct crew_job *job;         /* NULL while busy: its owner has left */
	struct crew_network *counted; /* of such a job */
};

struct crew {
	struct event_base *base;
	crew_ended_fn *ended;
	void *arg;
	struct crew_limits limits;
	struct crew_worker workers[CREW_WORKERS_MAX];
	struct job_list queue;
	struct map *networks;
	unsigned waiting; /* queued and held */
	struct event *tick;
};

static void dispatch(struct crew *p);

static struct timeval
interval(int64_t ms)
{
	return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

/* ---- networks ---- */

static struct crew_network *
network_of(struct crew *p, struct str key)
{
	struct crew_network *n = map_get(p->networks, key);

	if (n)
		return n;
	n = MEM_NEW(struct crew_network);
	TAILQ_INIT(&n->held);
	key = str_upto(key, sizeof n->bytes);
	if (key.n)
		memcpy(n->bytes, key.p, key.n);
	n->key = str_make(n->bytes, key.n);
	map_put(p->networks, n->key, n);
	return n;
}

static void
admit(struct crew *p, struct crew_network *n, struct crew_job *job)
{
	n->admitted++;
	job->counted = n;
	job->place = CREW_QUEUED;
	TAILQ_INSERT_TAIL(&p->queue, job, link);
}

static void
network_done(struct crew *p, struct crew_network *n)
{
	if (n->admitted || n->held_count)
		return;
	map_remove(p->networks, n->key);
	mem_free(n);
}

/* One check less of this network: the next that was held moves up. */
static void
release(struct crew *p, struct crew_network **counted)
{
	struct crew_network *n = *counted;
	struct crew_job *next;

	if (!n)
		return;
	*counted = NULL;
	n->admitted--;
	next = TAILQ_FIRST(&n->held);
	if (next && n->admitted < p->limits.per_network) {
		TAILQ_REMOVE(&n->held, next, link);
		n->held_count--;
		admit(p, n, next);
	}
	network_done(p, n);
}

/* ---- leaving ---- */

static void
stop_waiting(struct crew *p, struct crew_job *job)
{
	p->waiting--;
	if (job->place == CREW_QUEUED) {
		TAILQ_REMOVE(&p->queue, job, link);
		return;
	}
	TAILQ_REMOVE(&job->counted->held, job, link);
	job->counted->held_count--;
	network_done(p, job->counted);
	job->counted = NULL;
}

void
crew_leave(struct crew *p, struct crew_job *job)
{
	if (job->place == CREW_OUT)
		return;
	if (job->place == CREW_RUNNING) {
		/* the work goes on, and counts for the network until it ends */
		job->worker->job = NULL;
		job->worker->counted = job->counted;
		job->counted = NULL;
	} else {
		stop_waiting(p, job);
	}
	job->worker = NULL;
	job->place = CREW_OUT;
	release(p, &job->counted);
}

static void
fail(struct crew *p, struct crew_job *job, const char *trouble)
{
	crew_leave(p, job);
	job->done(job, NULL, trouble);
}

/* ---- workers ---- */

static bool
worker_is_there(const struct crew_worker *w)
{
	return w->channel && channel_is_open(w->channel);
}

static bool
has_worker(const struct crew *p)
{
	for (int i = 0; i < CREW_WORKERS_MAX; i++)
		if (worker_is_there(&p->workers[i]))
			return true;
	return false;
}

/* The worker is no more: its check has failed, and without any worker all that waits. */
static void
give_up(struct crew_worker *w, const char *trouble)
{
	struct crew *p = w->pool;
	struct crew_job *job = w->job;

	request_cancel(&w->request);
	channel_free(&w->channel);
	if (job)
		fail(p, job, trouble);
	release(p, &w->counted);
	while (!has_worker(p) && (job = TAILQ_FIRST(&p->queue)))
		fail(p, job, "no_worker");
	dispatch(p);
}

/* It holds a check for too long, or says what makes no sense: main starts another. */
static void
worker_failed(struct crew_worker *w, bool is_late)
{
	log_error("auth: worker %u %s; the client gets 454, the worker is ended and started again",
	    w->index, is_late ? "does not finish a check in time" : "sent an invalid answer");
	give_up(w, is_late ? "worker_timeout" : "worker_broken");
	w->pool->ended(w->index, true, w->pool->arg);
}

static void
on_lost(struct channel *c, void *arg)
{
	struct crew_worker *w = arg;

	(void)c;
	give_up(w, "worker_lost");
	w->pool->ended(w->index, false, w->pool->arg);
}

/* A worker says nothing but answers; the greeting of a channel holds no news. */
static void
on_packet(struct channel *c, const struct packet *p, void *arg)
{
	(void)arg;
	if (p->fd >= 0)
		close(p->fd);
	channel_refuse(c, p->call);
}

static bool
is_possible(const struct message_check_answer *m)
{
	if (m->outcome == AUTH_OK)
		return m->key.n == SECRET_KEY_BYTES;
	return (m->outcome == AUTH_FAIL || m->outcome == AUTH_TEMPFAIL) && m->key.n == 0;
}

static void
on_answer(enum request_end end, const struct packet *packet, void *arg)
{
	struct crew_worker *w = arg;
	struct crew *p = w->pool;
	struct crew_job *job = w->job;

	if (end == REQUEST_LOST)
		return; /* on_lost follows */
	if (end != REQUEST_ANSWERED || !is_possible(&packet->message->check_answer)) {
		worker_failed(w, end == REQUEST_EXPIRED);
		return;
	}
	w->job = NULL;
	release(p, &w->counted);
	if (job) {
		release(p, &job->counted);
		job->worker = NULL;
		job->place = CREW_OUT;
		job->done(job, &packet->message->check_answer, NULL);
	}
	dispatch(p);
}

void
crew_worker(struct crew *p, unsigned index, int fd)
{
	struct crew_worker *w = index < CREW_WORKERS_MAX ? &p->workers[index] : NULL;

	if (!w) {
		close(fd);
		return;
	}
	if (w->channel)
		give_up(w, "worker_lost");
	w->channel = channel_new(p->base, fd, on_packet, on_lost, w);
	channel_step_timeout(w->channel, p->limits.step_timeout_ms);
	dispatch(p);
}

/* ---- giving work ---- */

/* False: the worker hears no more; the job stays where it was. */
static bool
hand_over(struct crew_worker *w, struct crew_job *job)
{
	request_ask(&w->request, w->channel, MESSAGE_CHECK_START, &job->start);
	if (!channel_is_open(w->channel)) {
		request_cancel(&w->request);
		return false;
	}
	w->pool->waiting--;
	TAILQ_REMOVE(&w->pool->queue, job, link);
	job->worker = w;
	job->place = CREW_RUNNING;
	w->job = job;
	return true;
}

static struct crew_job *
next_job(struct crew *p)
{
	struct crew_job *job;

	while ((job = TAILQ_FIRST(&p->queue)))
		if (!job->has_waited || !job->settle || !job->settle(job))
			return job;
	return NULL;
}

static void
dispatch(struct crew *p)
{
	for (int i = 0; i < CREW_WORKERS_MAX; i++) {
		struct crew_worker *w = &p->workers[i];
		bool is_idle = worker_is_there(w) && !request_is_open(&w->request);
		struct crew_job *job = is_idle ? next_job(p) : NULL;

		if (job)
			hand_over(w, job);
	}
}

static void
wait_at_most(struct crew *p, struct crew_job *job)
{
	struct timeval each = interval(TICK_MS);

	job->patience_ms = clock_mono_ms() + p->limits.step_timeout_ms;
	p->waiting++;
	if (!evtimer_pending(p->tick, NULL))
		evtimer_add(p->tick, &each);
}

const char *
crew_begin(struct crew *p, struct crew_job *job)
{
	struct crew_network *n;

	if (!has_worker(p))
		return "no_worker";
	if (p->waiting >= CREW_QUEUE_MAX ||
	    (n = network_of(p, job->network))->held_count >= CREW_HELD_MAX)
		return "queue_full";
	job->has_waited = false;
	wait_at_most(p, job);
	if (n->admitted < p->limits.per_network) {
		admit(p, n, job);
		dispatch(p);
	} else {
		n->held_count++;
		job->counted = n;
		job->place = CREW_HELD;
		TAILQ_INSERT_TAIL(&n->held, job, link);
	}
	job->has_waited = job->place != CREW_RUNNING;
	return NULL;
}

/* ---- patience ---- */

static struct crew_job *
first_overdue(const struct job_list *jobs, int64_t now_ms)
{
	struct crew_job *job = TAILQ_FIRST(jobs);

	return job && job->patience_ms <= now_ms ? job : NULL;
}

static void
fail_overdue(struct crew *p, struct job_list *jobs, int64_t now_ms)
{
	for (struct crew_job *job; (job = first_overdue(jobs, now_ms));)
		fail(p, job, "queue_timeout");
}

struct overdue {
	struct crew_job *job;
	int64_t now_ms;
};

static void
find_held(struct str key, void *value, void *arg)
{
	struct crew_network *n = value;
	struct overdue *o = arg;

	(void)key;
	if (!o->job)
		o->job = first_overdue(&n->held, o->now_ms);
}

/* Each list is in order of arrival, held jobs moved up excepted: those wait a little longer. */
static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct crew *p = arg;
	struct overdue o = {.now_ms = clock_mono_ms()};
	struct timeval each = interval(TICK_MS);

	(void)fd, (void)what;
	fail_overdue(p, &p->queue, o.now_ms);
	do {
		o.job = NULL;
		map_each(p->networks, find_held, &o);
		if (o.job)
			fail(p, o.job, "queue_timeout");
	} while (o.job);
	if (p->waiting)
		evtimer_add(p->tick, &each);
}

/* ---- life ---- */

struct crew *
crew_new(struct event_base *base, crew_ended_fn *ended, void *arg)
{
	struct crew *p = MEM_NEW(struct crew);

	*p = (struct crew){.base = base, .ended = ended, .arg = arg,
	    .limits = {.step_timeout_ms = 20000, .per_network = 8}};
	p->networks = map_new();
	p->tick = evtimer_new(base, on_tick, p);
	TAILQ_INIT(&p->queue);
	for (unsigned i = 0; i < CREW_WORKERS_MAX; i++) {
		struct crew_worker *w = &p->workers[i];

		*w = (struct crew_worker){.pool = p, .index = i};
		request_init(&w->request, on_answer, w);
	}
	if (!p->tick)
		die("no event for the workers");
	return p;
}

void
crew_free(struct crew **pp)
{
	struct crew *p = *pp;

	if (!p)
		return;
	for (int i = 0; i < CREW_WORKERS_MAX; i++)
		channel_free(&p->workers[i].channel);
	event_free(p->tick);
	map_free_all(&p->networks);
	mem_free(p);
	*pp = NULL;
}

void
crew_limit(struct crew *p, struct crew_limits limits)
{
	p->limits = limits;
	for (int i = 0; i < CREW_WORKERS_MAX; i++)
		if (p->workers[i].channel)
			channel_step_timeout(p->workers[i].channel, limits.step_timeout_ms);
}
