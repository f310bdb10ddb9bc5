/*
 * queue: the queue role: the descriptor of the spool, the channels of the peers and the timers on
 * one event loop, and functions that several parts need.
 */
#include "queue/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error_text.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "queue/admin/admin.h"
#include "queue/body_recheck.h"
#include "queue/dispatch.h"
#include "queue/dispatch_attempts.h"
#include "queue/dispatch_deadlines.h"
#include "queue/expiry.h"
#include "queue/intake.h"
#include "queue/intake_files.h"
#include "queue/intake_room.h"
#include "queue/lost_content.h"
#include "queue/next_hop.h"
#include "queue/queue_internal.h"
#include "queue/queue_peers.h"
#include "queue/queue_sizes.h"
#include "queue/queued_times.h"
#include "queue/reports/dropped.h"
#include "queue/reports/notice_store.h"
#include "queue/reports/reports.h"
#include "queue/startup.h"
#include "queue/status_updates.h"
#include "queue/ticket_key.h"
#include "spool/spool_threads.h"

enum { SAVE_MS = 10000, RETRY_MS = 2000, WAKE_MAX_MS = 60000, BUSY_MS = 20, WATCH_S = 1 };

static void
arm_queue_event(struct event *event, int64_t ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	evtimer_add(event, &tv);
}

/* ---- shared functions ---- */

void
queue_wake(struct queue *q)
{
	arm_queue_event(q->schedule_event, 0);
}

void
queue_wake_admin(struct queue *q)
{
	arm_queue_event(q->admin_event, 0);
}

void
queue_retry_later(struct queue *q)
{
	if (!evtimer_pending(q->retry_event, NULL))
		arm_queue_event(q->retry_event, RETRY_MS);
}

void
queue_schedule(struct queue *q, struct delivery *delivery, int64_t due_ms)
{
	delivery->sched.due_ms = due_ms;
	if (delivery->open == 0 || delivery_message(delivery)->is_held ||
	    delivery->sched.state != DELIVERY_IDLE)
		return;
	schedule_add(q->schedule, &delivery->sched, next_hop_of(q, delivery), clock_ms());
}

void
queue_add_message(struct queue *q, struct queued_message *e)
{
	queued_add(&q->queued, e);
	for (size_t i = 0; i < e->delivery_count; i++)
		queue_schedule(q, &e->deliveries[i], e->deliveries[i].sched.due_ms);
	reports_check(q, e);
	queued_times_message_added(q, e);
	queue_wake(q);
}

static void
log_done(const struct queued_message *e)
{
	struct queued_ends ends = queued_message_ends(e);
	struct log_line l;

	log_begin(&l, LOG_INFO, "done");
	log_id(&l, e->id, 0);
	log_user(&l, "user", queued_message_user(e));
	log_num(&l, "sent", ends.sent);
	log_num(&l, "failed", ends.failed);
	log_num(&l, "expired", ends.expired);
	if (ends.deleted)
		log_num(&l, "deleted", ends.deleted);
	log_seconds(&l, "delay", clock_ms() - e->arrival_ms);
	log_end(&l);
}

void
queue_finish_message(struct queue *q, struct queued_message *e)
{
	if (e->open)
		return;
	log_done(e);
	metrics_count(METRIC_MESSAGES_FINISHED, 1);
	dropped_log(e);
	for (size_t i = 0; i < e->delivery_count; i++) {
		schedule_remove(q->schedule, &e->deliveries[i].sched);
		dispatch_detach_delivery(&e->deliveries[i]);
	}
	content_cache_forget(q->contents, e->id);
	queue_admin_message_gone(q, e);
	reports_message_removed(q, e);
	next_hop_message_removed(q, e);
	queued_times_message_removed(q, e);
	queued_remove(&q->queued, &e);
}

/* ---- events ---- */

static void
on_schedule_event(evutil_socket_t fd, short what, void *arg)
{
	struct queue *q = arg;
	int64_t wake = 0;

	(void)fd;
	(void)what;
	if (!dispatch_run_schedule(q)) {
		queue_wake(q);
		return;
	}
	if (!q->relay || !q->is_caught_up || q->is_stopping)
		return;
	wake = schedule_wake_ms(q->schedule) - clock_ms();
	if (wake < BUSY_MS)
		wake = BUSY_MS;
	arm_queue_event(q->schedule_event, wake < WAKE_MAX_MS ? wake : WAKE_MAX_MS);
}

/* Without new completions the spool has no event, but may have something to try again. */
static void
queue_arm_spool(struct queue *q)
{
	int64_t at_ms = spool_retry_ms(q->spool), ms = at_ms - clock_mono_ms();

	if (at_ms)
		arm_queue_event(q->spool_timer, ms > BUSY_MS ? ms : BUSY_MS);
}

static void
on_spool(evutil_socket_t fd, short what, void *arg)
{
	struct queue *q = arg;

	(void)fd;
	(void)what;
	spool_dispatch(q->spool);
	queue_arm_spool(q);
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct queue *q = arg;

	(void)fd;
	(void)what;
	ticket_key_store(q);
	status_updates_retry(q);
	queue_wake(q);
}

static bool
save_part(struct str name, struct str value, void *arg)
{
	struct queue *q = arg;
	struct spool_entry entry = {.kind = SPOOL_NOTE, .note = {name, value}};
	struct spool_batch batch = {.entries = &entry, .count = 1, .urgency = SPOOL_LAZY};

	return spool_append(q->spool, &batch) == 0;
}

static void
on_save(evutil_socket_t fd, short what, void *arg)
{
	struct queue *q = arg;

	(void)fd;
	(void)what;
	rate_limits_save(q->rate_limits, save_part, q);
	arm_queue_event(q->save_event, SAVE_MS);
}

static void
on_watch(evutil_socket_t fd, short what, void *arg)
{
	struct queue *q = arg;

	(void)fd;
	(void)what;
	spool_watch(q->spool);
	/* a thread of the spool may have failed to wake the loop */
	spool_dispatch(q->spool);
	queue_arm_spool(q);
	intake_files_check(q);
	queue_sizes_publish(q);
}

/* ---- the end ---- */

static void
limits_use_saved(int error, void *arg)
{
	struct queue *q = arg;

	if (error)
		log_error("spool: the use of the sending limits could not be stored: %s",
		    error_text(error));
	role_stopped(q->role);
}

/* This write is durable after the last snapshot and everything before it. */
static void
save_and_stop(struct queue *q)
{
	struct spool_entry entry = {.kind = SPOOL_NOTE, .note = {STR("stopped"), STR("1")}};
	struct spool_batch batch = {
	    .entries = &entry, .count = 1, .urgency = SPOOL_NOW, .fn = limits_use_saved, .arg = q};

	if (q->is_saved)
		return;
	q->is_saved = true;
	status_updates_retry(q);
	rate_limits_save(q->rate_limits, save_part, q);
	if (spool_append(q->spool, &batch) != 0)
		limits_use_saved(errno, q);
}

void
queue_check_stopped(struct queue *q)
{
	struct queue_peer *peer;

	if (!q->is_stopping || q->is_saved)
		return;
	LIST_FOREACH(peer, &q->peers, link)
		if (peer->role.kind == ROLE_SUBMISSION)
			return;
	if (q->relay && map_count(q->attempts))
		return;
	if (LIST_EMPTY(&q->pending_messages) && LIST_EMPTY(&q->notices) && reports_are_idle(q))
		save_and_stop(q);
}

static void
on_stop(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	save_and_stop(arg);
}

static void
stop_queue_role(struct role *r, int64_t drain_ms)
{
	struct queue *q = r->state;

	q->is_stopping = true;
	reports_check_all(q);
	arm_queue_event(q->stop_event, drain_ms);
	queue_check_stopped(q);
}

/* ---- life ---- */

static struct schedule_limits
limits_from(const struct conf *c)
{
	return (struct schedule_limits){
	    .concurrency = (uint32_t)c->queue.concurrency,
	    .destination_concurrency = (uint32_t)c->queue.destination_concurrency,
	    .retry_ms = c->queue.retry_ms,
	    .retry_count = c->queue.retry_count,
	};
}

/* The spool and the peers may arrive in any order: the first of them creates the state. */
static struct queue *
ensure_queue_state(struct role *r)
{
	struct queue *q = r->state;

	if (q)
		return q;
	q = MEM_NEW(struct queue);
	q->role = r;
	q->spool_directory = -1;
	LIST_INIT(&q->peers);
	LIST_INIT(&q->destination_queries);
	LIST_INIT(&q->lost_contents);
	LIST_INIT(&q->notices);
	LIST_INIT(&q->body_rechecks);
	TAILQ_INIT(&q->late_updates);
	TAILQ_INIT(&q->admin_commands);
	queued_init(&q->queued);
	dispatch_init(q);
	next_hop_init(q, r->base);
	dispatch_deadlines_init(q, dispatch_attempt_give_up);
	expiry_relay_lost(q);
	queued_times_init(q, r->base);
	intake_init(q);
	reports_init(q, r->base);
	q->rate_limits = rate_limits_new();
	q->limits = rate_limits_store(q->rate_limits);
	q->contents = content_cache_new((size_t)r->conf->queue.first_attempt_memory);
	q->schedule_event = evtimer_new(r->base, on_schedule_event, q);
	q->spool_timer = evtimer_new(r->base, on_spool, q);
	q->retry_event = evtimer_new(r->base, on_retry, q);
	q->save_event = evtimer_new(r->base, on_save, q);
	q->stop_event = evtimer_new(r->base, on_stop, q);
	q->admin_event = evtimer_new(r->base, queue_admin_continue, q);
	q->watch_event = event_new(r->base, -1, EV_PERSIST, on_watch, q);
	r->state = q;
	return q;
}

static void
add_queue_peer(struct role *r, struct role_peer role, int fd)
{
	queue_peers_add(ensure_queue_state(r), role, fd);
}

static void
take_queue_grant(struct role *r, const struct message_grant *m, int fd)
{
	struct queue *q = ensure_queue_state(r);

	if (m->kind != GRANT_SPOOL || q->spool_directory >= 0) {
		if (fd >= 0)
			close(fd);
		return;
	}
	q->spool_directory = fd;
	q->accept_damage = m->index == GRANT_SPOOL_DAMAGED;
}

static void
prepare_queue_sandbox(struct role *r, struct sandbox *sandbox)
{
	struct queue *q = ensure_queue_state(r);

	if (q->spool_directory < 0)
		return;
	q->paths[0] = (struct sandbox_path){.fd = q->spool_directory, .may_write = true};
	sandbox->paths = q->paths;
	sandbox->path_count = 1;
}

static int
start_queue_role(struct role *r)
{
	struct queue *q = ensure_queue_state(r);
	struct schedule_limits limits = limits_from(r->conf);
	int status;

	if (q->spool_directory < 0) {
		log_error("queue: no spool directory was given");
		return -1;
	}
	q->schedule = schedule_new(&limits);
	status = queue_startup_run(q);
	if (status != 0)
		return status;
	q->spool_event = event_new(r->base, spool_fd(q->spool), EV_READ | EV_PERSIST, on_spool, q);
	event_add(q->spool_event, NULL);
	arm_queue_event(q->save_event, SAVE_MS);
	evtimer_add(q->watch_event, &(struct timeval){.tv_sec = WATCH_S});
	lost_content_init(q);
	ticket_key_store(q);
	queue_peers_attach(q);
	intake_room_begin(q);
	queue_sizes_publish(q);
	return 0;
}

/* queue.lifetime has changed. */
static void
queue_update_lifetime(struct queue *q, struct queued_message *e)
{
	queued_message_set_lifetime(e, q->role->conf->queue.lifetime_ms);
	for (size_t i = 0; i < e->delivery_count; i++)
		schedule_expiry_changed(q->schedule, &e->deliveries[i].sched, clock_ms());
}

static void
reload_queue_conf(struct role *r, const struct conf *before)
{
	struct queue *q = r->state;
	struct schedule_limits limits = limits_from(r->conf);
	struct queued_message *e;

	schedule_configure(q->schedule, &limits);
	spool_set_minimum_free(q->spool, (uint32_t)r->conf->queue.minimum_free);
	if (before->queue.lifetime_ms != r->conf->queue.lifetime_ms)
		for (e = id_table_first(&q->queued.messages); e;
		    e = id_table_next(&q->queued.messages, e))
			queue_update_lifetime(q, e);
	next_hop_reload(q, before);
	reports_configure(q);
	queued_times_configure(q);
	content_cache_set_max(q->contents, (size_t)r->conf->queue.first_attempt_memory);
	queue_wake(q);
}

static int64_t
newest_ms(struct role *r)
{
	struct queue *q = r->state;

	return spool_newest_ms(q->spool);
}

static void
free_events(struct queue *q)
{
	struct event *events[] = {q->spool_event, q->spool_timer, q->schedule_event, q->retry_event,
	    q->save_event, q->stop_event, q->admin_event, q->watch_event};

	for (size_t i = 0; i < sizeof events / sizeof *events; i++)
		if (events[i])
			event_free(events[i]);
}

static void
end_queue_role(struct role *r)
{
	struct queue *q = r->state;

	if (!q)
		return;
	/* peers own files */
	body_recheck_clear(q);
	if (q->spool)
		intake_clear(q);
	queue_peers_clear(q);
	queue_admin_clear(q);
	spool_close(&q->spool);
	fsio_free(&q->io);
	dispatch_clear(q);
	next_hop_clear(q);
	dispatch_deadlines_clear(q);
	queued_times_clear(q);
	intake_room_clear(q);
	reports_clear(q);
	notice_store_clear(q);
	lost_content_clear(q);
	storage_check_end(q);
	status_updates_clear(q);
	queued_clear(&q->queued);
	schedule_free(&q->schedule);
	rate_limits_free(&q->rate_limits);
	content_cache_free(&q->contents);
	free_events(q);
	mem_free(q);
	r->state = NULL;
}

const struct role_spec queue_role = {
    .name = "queue",
    .conf = CONF_QUEUE,
    .sandbox = {.needs = SANDBOX_READ | SANDBOX_WRITE | SANDBOX_THREADS},
    .grant = take_queue_grant,
    .peer = add_queue_peer,
    .prepare = prepare_queue_sandbox,
    .start = start_queue_role,
    .reload = reload_queue_conf,
    .receive = notice_store_handle_packet,
    .stop = stop_queue_role,
    .newest_ms = newest_ms,
    .end = end_queue_role,
};
