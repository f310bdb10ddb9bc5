/*
 * worker_pool: the broker's workers. Each does one check at a time. What waits is bounded, in all
 * and per client network, so that one network cannot fill the queue for the others. A worker that
 * holds a check for too long, or gives an answer that cannot be, is given up.
 */
#ifndef AUTH_WORKER_POOL_H
#define AUTH_WORKER_POOL_H

#include <event2/event.h>
#include <sys/queue.h>

#include "auth/claimed_identity.h"
#include "ipc/channel.h"

enum { WORKER_POOL_WORKERS_MAX = 64, WORKER_POOL_QUEUE_MAX = 4096, WORKER_POOL_HELD_MAX = 256 };

struct worker_pool;
struct worker_pool_job;
struct worker_pool_worker;
struct worker_pool_network;

/* The job has left the pool and may be freed. answer NULL: no worker could, `trouble` says why.
 * Otherwise AUTH_OK with a key of SCRAM_SECRET_KEY_BYTES, which nobody has looked at yet, or
 * AUTH_FAIL or AUTH_TEMPFAIL without one. */
typedef void worker_pool_done_fn(
    struct worker_pool_job *job, const struct message_check_answer *answer, const char *reason);
/* The job has waited: true when it was settled (and has left the pool) without a worker. */
typedef bool worker_pool_decide_fn(struct worker_pool_job *job);
/* This worker was given up: a check took too long, or (is_stuck false) its channel is lost. */
typedef void worker_pool_ended_fn(unsigned index, bool is_stuck, void *arg);

enum worker_pool_state {
	WORKER_POOL_OUT,
	WORKER_POOL_HELD,
	WORKER_POOL_QUEUED,
	WORKER_POOL_RUNNING
};

struct worker_pool_job {
	/* the owner's: all strings live until the job is done or left */
	struct message_check_start start;
	struct str network;
	worker_pool_done_fn *done;
	worker_pool_decide_fn *decide;
	void *arg;
	/* the pool's */
	enum worker_pool_state state;
	bool has_waited;
	int64_t deadline_ms; /* monotonic: until when it waits for a worker */
	struct worker_pool_worker *worker; /* running: at which */
	struct worker_pool_network *slot_network; /* where it counts as admitted */
	TAILQ_ENTRY(worker_pool_job) link;
};

struct worker_pool_limits {
	int64_t step_timeout_ms;
	uint64_t per_network; /* checks admitted to the queue at once */
};

struct worker_pool *worker_pool_new(
    struct event_base *base, worker_pool_ended_fn *ended, void *arg);
/* Jobs are dropped without a word. */
void worker_pool_free(struct worker_pool **p);
void worker_pool_set_limits(struct worker_pool *p, struct worker_pool_limits limits);
/* A new worker, in place of the one that had this index. */
void worker_pool_connect_worker(struct worker_pool *p, unsigned index, int fd);

/* NULL, or why not: there is no worker, too much waits. */
const char *worker_pool_begin(struct worker_pool *p, struct worker_pool_job *job) MUST_USE;
/* The job is of no interest any more; from any place, any number of times. */
void worker_pool_cancel(struct worker_pool *p, struct worker_pool_job *job);

#endif
