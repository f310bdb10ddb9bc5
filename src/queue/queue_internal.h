/*
 * queue_internal: the state of the queue role, shared by its parts: intake (from submission),
 * attempts and outcomes (to and from relay), reports, admin (the operator).  Everything here
 * belongs to the event loop of the role.
 */
#ifndef QUEUE_QUEUE_INTERNAL_H
#define QUEUE_QUEUE_INTERNAL_H

#include "base/fsio.h"
#include "ipc/role.h"
#include "queue/content_cache.h"
#include "queue/queued.h"
#include "queue/rate_limits.h"
#include "queue/schedule/schedule.h"
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
struct lease_request;

enum { LIMIT_ALERTS_MAX = 256 }; /* logins at their limit for which an alert was sent in a day */
enum { NOTICES_STORED_MAX = 16 }; /* notices that are known to be stored */

struct queue_peer {
	LIST_ENTRY(queue_peer) link;
	struct queue *queue;
	struct role_peer role;
	struct channel *channel; /* NULL: the role has not started yet, see fd */
	int fd;
	unsigned file_count;   /* submission: files for bodies */
	struct map *leases;    /* submission: the tokens that it was lent, by user */
	LIST_HEAD(, lease_request) lease_requests; /* that the limit store has not answered */
	struct message_room room; /* submission: what was sent last */
	bool is_room_sent;
	struct request running; /* relay: for the attempts of an earlier queue process */
};

/* That there is no room is logged once; last_ms (monotonic): when it was so last. */
struct intake_room_logged {
	bool is_logged;
	int64_t last_ms;
};

struct queue {
	struct role *role;
	struct spool *spool;
	struct fsio *io;
	int spool_directory;
	bool accept_damage; /* of the spool, only at this start */
	struct sandbox_path paths[1];
	struct event *spool_event;
	struct event *spool_timer; /* for what the spool tries again */
	struct event *schedule_event;  /* runs the schedule */
	struct event *retry_event; /* status updates that could not be stored */
	struct event *save_event;  /* of the use of the limits */
	struct event *stop_event;
	struct event *admin_event;
	struct event *deadline_event;
	struct event *room_event;
	struct event *watch_event; /* checks the threads of the spool */
	struct queued_messages queued;
	struct schedule *schedule;
	struct {
		struct map *by_domain;         /* texts of destinations */
		struct queued_message *cursor; /* the next one to be decided anew, or NULL */
		struct event *event;
	} next_hops;
	struct rate_limits *rate_limits;
	struct content_cache *contents; /* of new messages */
	struct limit_store *limits; /* these rate_limits, or another store */
	LIST_HEAD(, queue_peer) peers;
	struct queue_peer *relay;
	bool is_caught_up; /* relay has sent the results and attempts that an earlier queue process
	                      left */
	struct map *attempts;
	unsigned reading_attempts;   /* whose message is being read */
	struct timers deadlines; /* of attempts */
	/* when relay does not end it in time; see dispatch_deadlines_init */
	void (*give_up_attempt)(struct dispatch_attempt *attempt);
	struct {
		struct event *event;
		struct queued_message *next; /* of the walk */
		int64_t next_ms; /* when the next walk is due */
		bool is_walking;
	} times; /* of messages; see queued_times.h */
	int64_t relay_absent_since_ms; /* monotonic: when the channel was lost, or this process
	                                  started */
	int64_t caught_up_ms;    /* monotonic: when relay could take attempts */
	struct tickets tickets;
	/* sent to relay, not answered yet */
	LIST_HEAD(, dispatch_destination_query) destination_queries;
	uint64_t last_attempt_id;
	struct map *files; /* into which submission writes bodies */
	struct size_reservations size_reservations; /* for these files, as declared by clients */
	unsigned peer_files_max;
	/* for any mail; for bodies in files */
	struct intake_room_logged no_room, no_room_for_large;
	int64_t newest_ms; /* of the ids in the spool at the start, later of the clock */
	struct {
		uint64_t hash;
		int64_t at_ms;
	} limit_alerts[LIMIT_ALERTS_MAX]; /* by login; monotonic */
	unsigned next_limit_alert;
	LIST_HEAD(, intake_pending) pending_messages;
	TAILQ_HEAD(, status_update_write) late_updates;
	struct storage_check storage_check;
	struct reports *reports;
	LIST_HEAD(, notice_store_write) notices; /* being stored */
	struct msgid stored_notices[NOTICES_STORED_MAX]; /* the last ones */
	size_t next_stored_notice;
	LIST_HEAD(, body_recheck) body_rechecks;
	LIST_HEAD(, lost_content) lost_contents; /* messages whose end is being stored */
	TAILQ_HEAD(, admin_command) admin_commands;
	/* of suspended users, for mail that is stored later */
	LIST_HEAD(, suspended_hold) suspended_holds;
	bool is_stopping;
	bool is_saved;
};

/* Runs the schedule soon. */
void queue_wake(struct queue *q);
/* Queues and schedules a message that is durable. */
void queue_add_message(struct queue *q, struct queued_message *e);
/* Schedules the delivery for due_ms when it has an open recipient and is not held. */
void queue_schedule(struct queue *q, struct delivery *delivery, int64_t due_ms);
/* When no recipient is open: logs "done", removes and frees the message. */
void queue_finish_message(struct queue *q, struct queued_message *e);
/* Runs the commands of the operator soon. */
void queue_wake_admin(struct queue *q);
void queue_retry_later(struct queue *q);
/* When the role stops: ends it if nothing has to be waited for. */
void queue_check_stopped(struct queue *q);

#endif
