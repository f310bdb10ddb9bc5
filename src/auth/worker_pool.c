/*
 * worker_pool: a waiting job is HELD (its network has enough jobs in the queue) or QUEUED (any
 * worker may take it); a job that a worker has is RUNNING.
 */
#include "auth/worker_pool.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"

enum { TICK_MS = 250 };

TAILQ_HEAD(worker_pool_jobs, worker_pool_job);

struct worker_pool_network {
	struct str key;
	char bytes[CLAIMED_NETWORK_BYTES];
	uint64_t admitted; /* queued or running */
	unsigned held_count;
	struct worker_pool_jobs held;
};

struct worker_pool_worker {
	struct worker_pool *pool;
	unsigned index;
	struct channel *channel; /* NULL: there is none now */
	struct request request; /* that it runs */
	int64_t asked_ms; /* monotonic: when it was sent, or its last row came */
	struct worker_pool_job *job; /* NULL while busy: the owner has cancelled the job */
	struct worker_pool_network *slot_network; /* of such a job */
};

struct worker_pool {
	struct event_base *base;
	const struct worker_kind *kind;
	worker_pool_ended_fn *ended;
	worker_pool_report_fn *report; /* NULL: workers send only answers */
	void *arg;
	struct worker_pool_limits limits;
	struct worker_pool_worker workers[WORKER_POOL_WORKERS_MAX];
	struct worker_pool_jobs queue;
	struct map *networks;
	unsigned waiting; /* queued and held */
	struct event *tick;
};

static void give_jobs_to_workers(struct worker_pool *p);

static struct timeval
pool_interval(int64_t ms)
{
	return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

/* ---- networks ---- */

static struct worker_pool_network *
pool_network_of(struct worker_pool *p, struct str key)
{
	struct worker_pool_network *n = map_get(p->networks, key);

	if (n)
		return n;
	n = MEM_NEW(struct worker_pool_network);
	TAILQ_INIT(&n->held);
	key = str_upto(key, sizeof n->bytes);
	if (key.n)
		memcpy(n->bytes, key.p, key.n);
	n->key = str_make(n->bytes, key.n);
	map_put(p->networks, n->key, n);
	return n;
}

static void
admit_pool_job(struct worker_pool *p, struct worker_pool_network *n, struct worker_pool_job *job)
{
	n->admitted++;
	job->slot_network = n;
	job->state = WORKER_POOL_QUEUED;
	TAILQ_INSERT_TAIL(&p->queue, job, link);
}

static void
drop_idle_pool_network(struct worker_pool *p, struct worker_pool_network *n)
{
	if (n->admitted || n->held_count)
		return;
	map_remove(p->networks, n->key);
	mem_free(n);
}

/* The network has one job less: its next held job is queued. */
static void
release_pool_slot(struct worker_pool *p, struct worker_pool_network **slot_network)
{
	struct worker_pool_network *n = *slot_network;
	struct worker_pool_job *next;

	if (!n)
		return;
	*slot_network = NULL;
	n->admitted--;
	next = TAILQ_FIRST(&n->held);
	if (next && n->admitted < p->limits.per_network) {
		TAILQ_REMOVE(&n->held, next, link);
		n->held_count--;
		admit_pool_job(p, n, next);
	}
	drop_idle_pool_network(p, n);
}

/* ---- jobs that leave ---- */

static void
stop_waiting_job(struct worker_pool *p, struct worker_pool_job *job)
{
	p->waiting--;
	if (job->state == WORKER_POOL_QUEUED) {
		TAILQ_REMOVE(&p->queue, job, link);
		return;
	}
	TAILQ_REMOVE(&job->slot_network->held, job, link);
	job->slot_network->held_count--;
	drop_idle_pool_network(p, job->slot_network);
	job->slot_network = NULL;
}

void
worker_pool_cancel(struct worker_pool_job *job)
{
	struct worker_pool *p = job->pool;

	if (job->state == WORKER_POOL_OUT)
		return;
	if (job->state == WORKER_POOL_RUNNING) {
		/* the worker continues, and the job counts for the network until it ends */
		job->worker->job = NULL;
		job->worker->slot_network = job->slot_network;
		job->slot_network = NULL;
	} else {
		stop_waiting_job(p, job);
	}
	job->worker = NULL;
	job->state = WORKER_POOL_OUT;
	release_pool_slot(p, &job->slot_network);
}

static void
fail_pool_job(struct worker_pool_job *job, const char *reason)
{
	worker_pool_cancel(job);
	job->done(job, NULL, reason);
}

/* ---- workers ---- */

static bool
pool_worker_is_there(const struct worker_pool_worker *w)
{
	return w->channel && channel_is_open(w->channel);
}

static bool
pool_has_worker(const struct worker_pool *p)
{
	for (int i = 0; i < WORKER_POOL_WORKERS_MAX; i++)
		if (pool_worker_is_there(&p->workers[i]))
			return true;
	return false;
}

/* The worker is lost: its job fails, and if there is no other worker, all waiting jobs fail. */
static void
give_up_pool_worker(struct worker_pool_worker *w, const char *reason)
{
	struct worker_pool *p = w->pool;
	struct worker_pool_job *job = w->job;

	request_cancel(&w->request);
	channel_free(&w->channel);
	if (job)
		fail_pool_job(job, reason);
	release_pool_slot(p, &w->slot_network);
	while (!pool_has_worker(p) && (job = TAILQ_FIRST(&p->queue)))
		fail_pool_job(job, "no_worker");
	give_jobs_to_workers(p);
}

/* The worker holds a request for too long, or sent an invalid answer: main starts another one. */
static void
pool_worker_failed(struct worker_pool_worker *w, bool is_late)
{
	const struct worker_kind *kind = w->pool->kind;

	log_error("auth: %s %u %s%s%s; the client gets 454, the worker is ended and started again",
	    role_name(kind->role), w->index,
	    is_late ? "does not finish " : "sent an invalid answer", is_late ? kind->task : "",
	    is_late ? " in time" : "");
	give_up_pool_worker(w, is_late ? "worker_timeout" : "worker_broken");
	w->pool->ended(kind, w->index, true, w->pool->arg);
}

static void
on_pool_worker_lost(struct channel *c, void *arg)
{
	struct worker_pool_worker *w = arg;

	(void)c;
	give_up_pool_worker(w, "worker_lost");
	w->pool->ended(w->pool->kind, w->index, false, w->pool->arg);
}

/* The greeting of a channel needs no action. */
static void
on_pool_worker_packet(struct channel *c, const struct channel_packet *p, void *arg)
{
	const struct worker_pool_worker *w = arg;

	if (p->fd >= 0)
		close(p->fd);
	if (w->pool->report)
		w->pool->report(p, w->pool->arg);
	channel_refuse(c, p->call);
}

static void
take_pool_row(struct worker_pool_job *job, const struct channel_packet *packet)
{
	if (packet->fd >= 0)
		close(packet->fd);
	if (job && job->row)
		job->row(job, packet->message->admin_row.values);
}

static void
on_pool_worker_answer(enum request_end end, const struct channel_packet *packet, void *arg)
{
	struct worker_pool_worker *w = arg;
	struct worker_pool *p = w->pool;
	struct worker_pool_job *job = w->job;

	w->asked_ms = clock_mono_ms();
	if (end == REQUEST_ROW)
		take_pool_row(job, packet);
	if (end == REQUEST_LOST || end == REQUEST_ROW)
		return; /* after a loss, on_pool_worker_lost follows */
	if (end != REQUEST_ANSWERED || !p->kind->is_valid(packet->type, packet->message)) {
		pool_worker_failed(w, end == REQUEST_EXPIRED);
		return;
	}
	w->job = NULL;
	release_pool_slot(p, &w->slot_network);
	if (job) {
		release_pool_slot(p, &job->slot_network);
		job->worker = NULL;
		job->state = WORKER_POOL_OUT;
		job->done(job, packet->message, NULL);
	}
	give_jobs_to_workers(p);
}

void
worker_pool_connect_worker(struct worker_pool *p, unsigned index, int fd)
{
	struct worker_pool_worker *w = index < WORKER_POOL_WORKERS_MAX ? &p->workers[index] : NULL;

	if (!w) {
		close(fd);
		return;
	}
	if (w->channel)
		give_up_pool_worker(w, "worker_lost");
	w->channel = channel_new(p->base, fd, on_pool_worker_packet, on_pool_worker_lost, w);
	channel_step_timeout(w->channel, p->limits.deadline_ms);
	give_jobs_to_workers(p);
}

/* ---- giving jobs to workers ---- */

/* False: the worker's channel is closed; the job stays in the queue. */
static bool
send_job_to_worker(struct worker_pool_worker *w, struct worker_pool_job *job)
{
	request_ask(&w->request, w->channel, job->type, job->message);
	if (!channel_is_open(w->channel)) {
		request_cancel(&w->request);
		return false;
	}
	w->asked_ms = clock_mono_ms();
	w->pool->waiting--;
	TAILQ_REMOVE(&w->pool->queue, job, link);
	job->worker = w;
	job->state = WORKER_POOL_RUNNING;
	job->was_sent = true;
	w->job = job;
	return true;
}

static struct worker_pool_job *
next_pool_job(struct worker_pool *p)
{
	struct worker_pool_job *job;

	while ((job = TAILQ_FIRST(&p->queue)))
		if (!job->has_waited || !job->decide || !job->decide(job))
			return job;
	return NULL;
}

static void
give_jobs_to_workers(struct worker_pool *p)
{
	for (int i = 0; i < WORKER_POOL_WORKERS_MAX; i++) {
		struct worker_pool_worker *w = &p->workers[i];
		bool is_idle = pool_worker_is_there(w) && !request_is_open(&w->request);
		struct worker_pool_job *job = is_idle ? next_pool_job(p) : NULL;

		if (job)
			send_job_to_worker(w, job);
	}
}

static void
start_job_wait(struct worker_pool *p, struct worker_pool_job *job)
{
	struct timeval interval = pool_interval(TICK_MS);

	job->deadline_ms = clock_mono_ms() + p->limits.deadline_ms;
	p->waiting++;
	if (!evtimer_pending(p->tick, NULL))
		evtimer_add(p->tick, &interval);
}

const char *
worker_pool_begin(struct worker_pool *p, struct worker_pool_job *job)
{
	struct worker_pool_network *n;

	if (!pool_has_worker(p))
		return "no_worker";
	if (p->waiting >= WORKER_POOL_QUEUE_MAX ||
	    (n = pool_network_of(p, job->network))->held_count >= WORKER_POOL_HELD_MAX)
		return "queue_full";
	job->pool = p;
	job->has_waited = job->was_sent = false;
	start_job_wait(p, job);
	if (n->admitted < p->limits.per_network) {
		admit_pool_job(p, n, job);
		give_jobs_to_workers(p);
	} else {
		n->held_count++;
		job->slot_network = n;
		job->state = WORKER_POOL_HELD;
		TAILQ_INSERT_TAIL(&n->held, job, link);
	}
	job->has_waited = job->state != WORKER_POOL_RUNNING;
	return NULL;
}

int64_t
worker_pool_silent_ms(const struct worker_pool *p)
{
	int64_t now_ms = clock_mono_ms(), longest_ms = 0;

	for (int i = 0; i < WORKER_POOL_WORKERS_MAX; i++) {
		const struct worker_pool_worker *w = &p->workers[i];

		if (request_is_open(&w->request) && now_ms - w->asked_ms >= longest_ms)
			longest_ms = now_ms - w->asked_ms + 1;
	}
	return longest_ms;
}

/* ---- deadlines of waiting jobs ---- */

static struct worker_pool_job *
first_overdue_job(const struct worker_pool_jobs *jobs, int64_t now_ms)
{
	struct worker_pool_job *job = TAILQ_FIRST(jobs);

	return job && job->deadline_ms <= now_ms ? job : NULL;
}

static void
fail_overdue_jobs(struct worker_pool_jobs *jobs, int64_t now_ms)
{
	for (struct worker_pool_job *job; (job = first_overdue_job(jobs, now_ms));)
		fail_pool_job(job, "queue_timeout");
}

struct worker_pool_overdue {
	struct worker_pool_job *job;
	int64_t now_ms;
};

static void
find_overdue_held(struct str key, void *value, void *arg)
{
	struct worker_pool_network *n = value;
	struct worker_pool_overdue *overdue = arg;

	(void)key;
	if (!overdue->job)
		overdue->job = first_overdue_job(&n->held, overdue->now_ms);
}

/* Each list is ordered by arrival, except for held jobs that were queued later: they wait a little
 * longer. */
static void
on_pool_tick(evutil_socket_t fd, short what, void *arg)
{
	struct worker_pool *p = arg;
	struct worker_pool_overdue overdue = {.now_ms = clock_mono_ms()};
	struct timeval interval = pool_interval(TICK_MS);

	(void)fd, (void)what;
	fail_overdue_jobs(&p->queue, overdue.now_ms);
	do {
		overdue.job = NULL;
		map_each(p->networks, find_overdue_held, &overdue);
		if (overdue.job)
			fail_pool_job(overdue.job, "queue_timeout");
	} while (overdue.job);
	if (p->waiting)
		evtimer_add(p->tick, &interval);
}

/* ---- the pool's life ---- */

struct worker_pool *
worker_pool_new(struct event_base *base, const struct worker_kind *kind,
    worker_pool_ended_fn *ended, void *arg)
{
	struct worker_pool *p = MEM_NEW(struct worker_pool);

	*p = (struct worker_pool){.base = base, .kind = kind, .ended = ended, .arg = arg,
	    .limits = {.deadline_ms = 20000, .per_network = 8}};
	p->networks = map_new();
	p->tick = evtimer_new(base, on_pool_tick, p);
	TAILQ_INIT(&p->queue);
	for (unsigned i = 0; i < WORKER_POOL_WORKERS_MAX; i++) {
		struct worker_pool_worker *w = &p->workers[i];

		*w = (struct worker_pool_worker){.pool = p, .index = i};
		request_init(&w->request, on_pool_worker_answer, w);
	}
	if (!p->tick)
		die("no event for the workers");
	return p;
}

void
worker_pool_on_report(struct worker_pool *p, worker_pool_report_fn *fn)
{
	p->report = fn;
}

void
worker_pool_free(struct worker_pool **pp)
{
	struct worker_pool *p = *pp;

	if (!p)
		return;
	for (int i = 0; i < WORKER_POOL_WORKERS_MAX; i++)
		channel_free(&p->workers[i].channel);
	event_free(p->tick);
	map_free_all(&p->networks);
	mem_free(p);
	*pp = NULL;
}

void
worker_pool_set_limits(struct worker_pool *p, struct worker_pool_limits limits)
{
	p->limits = limits;
	for (int i = 0; i < WORKER_POOL_WORKERS_MAX; i++)
		if (p->workers[i].channel)
			channel_step_timeout(p->workers[i].channel, limits.deadline_ms);
}
