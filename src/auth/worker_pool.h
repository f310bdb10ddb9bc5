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

enum { CREW_WORKERS_MAX = 64, CREW_QUEUE_MAX = 4096, CREW_HELD_MAX = 256 };

struct crew;
struct crew_job;
struct crew_worker;
struct crew_network;

/* The job has left the pool and may be freed. answer NULL: no worker could, `trouble` says why.
 * Otherwise AUTH_OK with a key of SECRET_KEY_BYTES, which nobody has looked at yet, or AUTH_FAIL or
 * AUTH_TEMPFAIL without one. */
typedef void crew_done_fn(
    struct crew_job *job, const struct message_check_answer *answer, const char *trouble);
/* The job has waited: true when it was settled (and has left the pool) without a worker. */
typedef bool crew_settle_fn(struct crew_job *job);
/* This worker was given up: a check took too long, or (is_stuck false) its channel is lost. */
typedef void crew_ended_fn(unsigned index, bool is_stuck, void *arg);

enum crew_place { CREW_OUT, CREW_HELD, CREW_QUEUED, CREW_RUNNING };

struct crew_job {
	/* the owner's: all strings live until the job is done or left */
	struct message_check_start start;
	struct str network;
	crew_done_fn *done;
	crew_settle_fn *settle;
	void *arg;
	/* the pool's */
	enum crew_place place;
	bool has_waited;
	int64_t patience_ms; /* monotonic: until when it waits for a worker */
	struct crew_worker *worker; /* running: at which */
	struct crew_network *counted; /* where it counts as admitted */
	TAILQ_ENTRY(crew_job) link;
};

struct crew_limits {
	int64_t step_timeout_ms;
	uint64_t per_network; /* checks admitted to the queue at once */
};

struct crew *crew_new(struct event_base *base, crew_ended_fn *ended, void *arg);
/* Jobs are dropped without a word. */
void crew_free(struct crew **p);
void crew_limit(struct crew *p, struct crew_limits limits);
/* A new worker, in place of the one that had this index. */
void crew_worker(struct crew *p, unsigned index, int fd);

/* NULL, or why not: there is no worker, too much waits. */
const char *crew_begin(struct crew *p, struct crew_job *job) MUST_USE;
/* The job is of no interest any more; from any place, any number of times. */
void crew_leave(struct crew *p, struct crew_job *job);

#endif
