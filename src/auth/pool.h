/*
 * pool: the broker's workers. Each does one step at a time; a conversation of several steps stays
 * with the worker that began it. What waits is bounded, in all and per client network, so that
 * one network cannot fill the queue for the others. A worker that holds a step for too long is
 * given up.
 */
#ifndef AUTH_POOL_H
#define AUTH_POOL_H

#include <event2/event.h>
#include <sys/queue.h>

#include "auth/claim.h"
#include "ipc/channel.h"

enum { POOL_WORKERS_MAX = 64, POOL_QUEUE_MAX = 4096, POOL_HELD_MAX = 256 };

struct pool;
struct pool_job;
struct pool_worker;
struct pool_network;

/* answer NULL: no worker could, `trouble` says why, and the job has left the pool. The job may
 * be freed. */
typedef void pool_done_fn(
    struct pool_job *job, const struct message_check_answer *answer, const char *trouble);
/* The job has waited: true when it was settled (and has left the pool) without a worker. */
typedef bool pool_settle_fn(struct pool_job *job);
/* This worker was given up. */
typedef void pool_stuck_fn(unsigned index, void *arg);

enum pool_place { POOL_OUT, POOL_HELD, POOL_QUEUED, POOL_RUNNING, POOL_RESTING };

struct pool_job {
	/* the owner's: all strings live until the job is done or left */
	struct message_check_start start; /* conversation is set by the pool */
	struct str response;              /* of the step under way */
	struct str network;
	pool_done_fn *done;
	pool_settle_fn *settle;
	void *arg;
	/* the pool's */
	enum pool_place place;
	bool is_step;
	bool has_waited;
	int64_t patience_ms; /* monotonic: until when it waits for a worker */
	struct pool_worker *worker;
	struct pool_network *counted; /* where it counts as admitted */
	TAILQ_ENTRY(pool_job) link;
	TAILQ_ENTRY(pool_job) pinned;
};

struct pool_limits {
	int64_t step_timeout_ms;
	uint64_t per_network; /* checks admitted to the queue at once */
};

struct pool *pool_new(struct event_base *base, pool_stuck_fn *stuck, void *arg);
/* Jobs are dropped without a word. */
void pool_free(struct pool **p);
void pool_limit(struct pool *p, struct pool_limits limits);
/* A new worker, in place of the one that had this index. */
void pool_worker(struct pool *p, unsigned index, int fd);

/* NULL, or why not: there is no worker, too much waits. */
const char *pool_begin(struct pool *p, struct pool_job *job) MUST_USE;
/* After an answer of AUTH_CONTINUE: the next step, with job->response. */
void pool_go_on(struct pool *p, struct pool_job *job);
/* The job is of no interest any more; from any place, any number of times. */
void pool_leave(struct pool *p, struct pool_job *job);

#endif
