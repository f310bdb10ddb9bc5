/*
 * worker_pool: the workers of the broker. Each runs one check at a time. The number of waiting jobs
 * is bounded, in all and per client network, so that one network cannot fill the queue for the
 * others. A worker that holds a check for too long, or sends an invalid answer, is replaced.
 */
#ifndef AUTH_WORKER_POOL_H
#define AUTH_WORKER_POOL_H

#include <event2/event.h>
#include <sys/queue.h>

#include "auth/claimed_identity.h"
#include "ipc/request.h"

enum { WORKER_POOL_WORKERS_MAX = 64, WORKER_POOL_QUEUE_MAX = 4096, WORKER_POOL_HELD_MAX = 256 };

struct worker_pool;
struct worker_pool_job;
struct worker_pool_worker;
struct worker_pool_network;

/* The job has left the pool and may be freed. answer NULL: no worker could run it, `reason` has the
 * reason word. Otherwise AUTH_OK with a key of SCRAM_SECRET_KEY_BYTES that is not checked yet, or
 * AUTH_FAIL or AUTH_TEMPFAIL without a key. */
typedef void worker_pool_done_fn(
    struct worker_pool_job *job, const struct message_check_answer *answer, const char *reason);
/* Called before a job that has waited runs. True: the owner has decided it without a worker, and it
 * has left the pool. */
typedef bool worker_pool_decide_fn(struct worker_pool_job *job);
/* This worker is not used any more: a check took too long or its answer was invalid, or (is_stuck
 * false) its channel is lost. */
typedef void worker_pool_ended_fn(unsigned index, bool is_stuck, void *arg);

enum worker_pool_state {
	WORKER_POOL_OUT,
	WORKER_POOL_HELD,
	WORKER_POOL_QUEUED,
	WORKER_POOL_RUNNING
};

struct worker_pool_job {
	/* set by the owner: all strings must live until the job is done or cancelled */
	struct message_check_start start;
	struct str network;
	worker_pool_done_fn *done;
	worker_pool_decide_fn *decide;
	void *arg;
	/* set by the pool */
	enum worker_pool_state state;
	bool has_waited;
	int64_t deadline_ms; /* monotonic: until when it waits for a worker */
	struct worker_pool_worker *worker; /* running: the worker that has it */
	struct worker_pool_network *slot_network; /* the network that counts it */
	TAILQ_ENTRY(worker_pool_job) link;
};

struct worker_pool_limits {
	int64_t step_timeout_ms;
	uint64_t per_network; /* checks in the queue or running at once */
};

/* A pool without workers; `ended` is called with arg. */
struct worker_pool *worker_pool_new(
    struct event_base *base, worker_pool_ended_fn *ended, void *arg);
/* Frees the pool; waiting jobs are dropped and their owners are not called. */
void worker_pool_free(struct worker_pool **p);
/* Sets the limits; jobs that already wait keep their deadline. */
void worker_pool_set_limits(struct worker_pool *p, struct worker_pool_limits limits);
/* Connects a new worker, in place of the one that had this index. */
void worker_pool_connect_worker(struct worker_pool *p, unsigned index, int fd);

/* Adds a job. NULL, or the reason word: there is no worker, or too many jobs wait. */
const char *worker_pool_begin(struct worker_pool *p, struct worker_pool_job *job) MUST_USE;
/* Cancels the job; in any state, and any number of times. */
void worker_pool_cancel(struct worker_pool *p, struct worker_pool_job *job);

#endif
