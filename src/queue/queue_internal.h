/*
 * queue_internal: the queue role's state, shared by its parts: intake (from submission), jobs and
 * results (to and from relay), reports, admin (the operator).
 */
#ifndef QUEUE_QUEUE_INTERNAL_H
#define QUEUE_QUEUE_INTERNAL_H

#include "base/fsio.h"
#include "ipc/role.h"
#include "queue/queued.h"
#include "queue/rate_limits.h"
#include "queue/schedule.h"
#include "queue/size_reservations.h"
#include "queue/storage_check.h"
#include "queue/tickets.h"
#include "spool/spool.h"

struct intake_pending;
struct status_update_write;
struct suspended_hold;
struct admin_command;
struct dispatch_destination_query;
struct reports;
struct lost_content;
struct body_recheck;
struct notice_store_write;

enum { LIMITED_TOLD_MAX = 256 }; /* logins at their limit that main was told of in a day */
enum { NOTICES_STORED_MAX = 16 }; /* notices of which it is remembered that they were stored */

struct queue_peer {
	LIST_ENTRY(queue_peer) link;
	struct queue *queue;
	struct role_peer who;
	struct channel *channel; /* NULL: the role has not started yet, see fd */
	int fd;
	unsigned file_count;   /* submission: bodies that are being written */
	struct map *leases;    /* submission: tokens that it was lent, by user */
	struct message_room room; /* submission: what it was told last */
	bool is_room_told;
	struct request running; /* relay: what the queue before us left with it */
};

/* The log was told that there is no room, and it was so last then (monotonic). */
struct intake_room_told {
	bool is_told;
	int64_t last_ms;
};

struct queue {
	struct role *role;
	struct spool *spool;
	struct fsio *io;
	int spool_directory;
	bool accept_damage; /* of the spool, at this start */
	struct sandbox_path paths[1];
	struct event *spool_event;
	struct event *spool_timer; /* the spool tries again what it could not read */
	struct event *pump_event;  /* steps of the schedule */
	struct event *retry_event; /* records that could not be stored */
	struct event *save_event;  /* limit snapshot */
	struct event *stop_event;
	struct event *errand_event;
	struct event *deadline_event;
	struct event *room_event;
	struct event *watch_event; /* of the spool's threads */
	struct queued_messages book;
	struct schedule *schedule;
	struct rate_limits *buckets;
	LIST_HEAD(, queue_peer) peers;
	struct queue_peer *relay;
	bool is_caught_up; /* relay told what the queue before us left with it */
	struct map *jobs;
	unsigned reading_jobs;   /* those whose message is being read */
	struct timers deadlines; /* of jobs */
	struct timers expiries;  /* of entries */
	struct event *expiry_event;
	int64_t away_since_ms;   /* monotonic: relay was lost, or we began */
	int64_t caught_up_ms;    /* monotonic: since then relay takes jobs */
	struct tickets tickets;
	LIST_HEAD(, dispatch_destination_query) questions; /* to relay, not answered yet */
	uint64_t last_job;
	struct map *files; /* bodies that submission is writing */
	struct size_reservations promises; /* what they will have, as far as clients said */
	unsigned peer_files_max;
	struct intake_room_told full, full_of_large; /* for any mail; for bodies in files */
	int64_t newest_ms; /* of the ids in the spool at the start, and of the clock since */
	struct { uint64_t hash; int64_t at_ms; } limited[LIMITED_TOLD_MAX]; /* logins; monotonic */
	unsigned next_limited;
	LIST_HEAD(, intake_pending) pendings;
	TAILQ_HEAD(, status_update_write) late_records;
	struct storage_check storing;
	struct reports *reports;
	LIST_HEAD(, notice_store_write) notices; /* on their way into the spool */
	struct msgid stored_notices[NOTICES_STORED_MAX]; /* the last ones */
	size_t next_stored_notice;
	LIST_HEAD(, body_recheck) rereads;
	LIST_HEAD(, lost_content)
	damages; /* messages whose end is being stored, their content is lost */
	TAILQ_HEAD(, admin_command) errands;
	LIST_HEAD(, suspended_hold) comings; /* users of whom what comes is held */
	bool is_stopping;
	bool is_saved;
};

/* The loop looks at the schedule soon. */
void queue_wake(struct queue *q);
/* A new entry, durable: into the book and the schedule. */
void queue_add_message(struct queue *q, struct queued_message *e);
/* (Re)enters the schedule when something of it is open and it is not held. */
void queue_schedule(struct queue *q, struct delivery *s, int64_t due_ms);
/* Nothing is open any more: "done", out of the book. */
void queue_finish_message(struct queue *q, struct queued_message *e);
/* Errands of the operator go on soon. */
void queue_wake_admin(struct queue *q);
void queue_retry_later(struct queue *q);
/* While stopping: is everything settled that we wait for? */
void queue_check_stopped(struct queue *q);

#endif
