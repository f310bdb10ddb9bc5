/*
 * worker_pool: the broker's workers of one kind (worker_kinds.h). Each has one request at a time.
 * The number of waiting jobs is bounded, in all and per client network, so that one network cannot
 * fill the queue for the others. A worker that holds a request for too long, or sends an invalid
 * answer, is replaced.
 */
#ifndef AUTH_WORKER_POOL_H
#define AUTH_WORKER_POOL_H

#include <event2/event.h>
#include <sys/queue.h>

#include "auth/claimed_identity.h"
#include "auth/worker_kinds.h"
#include "ipc/request.h"

enum { WORKER_POOL_WORKERS_MAX = 64, WORKER_POOL_QUEUE_MAX = 4096, WORKER_POOL_HELD_MAX = 256 };

struct worker_pool;
struct worker_pool_job;
struct worker_pool_worker;
struct worker_pool_network;

/* The job has left the pool and may be freed. answer: a valid one of its kind, valid during the
 * call; NULL: no worker has answered, and `reason` has the reason word. */
typedef void worker_pool_done_fn(
    struct worker_pool_job *job, const union message *answer, const char *reason);
/* A part of the answer, before the end. */
typedef void worker_pool_row_fn(struct worker_pool_job *job, struct str values);
/* Called before a job that has waited runs. True: the owner has decided it without a worker, and it
 * has left the pool. */
typedef bool worker_pool_decide_fn(struct worker_pool_job *job);
/* This worker is not used any more: a request took too long or its answer was invalid, or (is_stuck
 * false) its channel is lost. */
typedef void worker_pool_ended_fn(
    const struct worker_kind *kind, unsigned index, bool is_stuck, void *arg);

enum worker_pool_state {
	WORKER_POOL_OUT,
	WORKER_POOL_HELD,
	WORKER_POOL_QUEUED,
	WORKER_POOL_RUNNING
};

struct worker_pool_job {
	/* set by the owner: the message and all strings must live until the job is done or
	 * cancelled */
	enum message_type type;
	const void *message;
	struct str network;
	worker_pool_done_fn *done;
	worker_pool_row_fn *row;       /* NULL: the answer has no rows */
	worker_pool_decide_fn *decide; /* NULL: only a worker decides */
	void *arg;
	/* set by the pool */
	struct worker_pool *pool;
	enum worker_pool_state state;
	bool has_waited;
	bool was_sent;       /* a worker has or had it: what it asks for may be done */
	int64_t deadline_ms; /* monotonic: until when it waits for a worker */
	struct worker_pool_worker *worker; /* running: the worker that has it */
	struct worker_pool_network *slot_network; /* the network that counts it */
	TAILQ_ENTRY(worker_pool_job) link;
};

struct worker_pool_limits {
	int64_t deadline_ms;  /* of a request, and of the time that a job waits for a worker */
	uint64_t per_network; /* jobs in the queue or running at once */
};

/* A pool without workers; `ended` is called with arg. */
struct worker_pool *worker_pool_new(struct event_base *base, const struct worker_kind *kind,
    worker_pool_ended_fn *ended, void *arg);
/* Sets the function that gets, with the pool's arg, what a worker sends without a request; without
 * it, that is refused. */
typedef void worker_pool_report_fn(const struct channel_packet *p, void *arg);
void worker_pool_on_report(struct worker_pool *p, worker_pool_report_fn *fn);
/* Frees the pool; waiting jobs are dropped and their owners are not called. */
void worker_pool_free(struct worker_pool **p);
/* Sets the limits; jobs that already wait keep their deadline. */
void worker_pool_set_limits(struct worker_pool *p, struct worker_pool_limits limits);
/* Connects a new worker, in place of the one that had this index. */
void worker_pool_connect_worker(struct worker_pool *p, unsigned index, int fd);

/* Adds a job. NULL, or the reason word: there is no worker, or too many jobs wait. */
const char *worker_pool_begin(struct worker_pool *p, struct worker_pool_job *job) MUST_USE;
/* For how long the oldest request that a worker has is without an answer; 0: there is none. */
int64_t worker_pool_silent_ms(const struct worker_pool *p);
/* Cancels the job; in any state, and any number of times. Its worker, if it has one, goes on. */
void worker_pool_cancel(struct worker_pool_job *job);

#endif
