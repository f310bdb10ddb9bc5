/*
 * stopping: d->stage is the state: below 0 there is no stop, and it only grows. A stage is over
 * when all its instances are down. After its limit they are killed, and after another one those
 * that may be abandoned are. A second request kills all that is left, in all stages. It starts
 * nothing, and cancels all planned restarts.
 */
#include "main/stopping.h"

#include "auth/worker_kinds.h"
#include "base/log.h"
#include "base/mem.h"
#include "main/liveness.h"
#include "main/spawn.h"
#include "main/systemd_notify.h"

/* The order follows the mail: the role that receives it ends first, the roles that answer requests
 * of others end last. */
static const enum role_kind stages[] = {ROLE_SUBMISSION, ROLE_RELAY, ROLE_QUEUE, ROLE_CONTROL,
    ROLE_AUTH, ROLE_WORKER, ROLE_KEYS}; /* ROLE_WORKER: all kinds of workers */

enum {
	STAGES = sizeof stages / sizeof *stages,
	STOP_GRACE_MS = 5000,
	QUEUE_GRACE_MS = 20000,
	RELAY_DRAIN_MS = 10000,
};

static bool
stopping_is_of_stage(const struct instance *i, int stage)
{
	return i->kind == stages[stage] ||
	    (stages[stage] == ROLE_WORKER && worker_kind_of(i->kind));
}

static bool
stopping_stage_is_empty(const struct daemon *d, int stage)
{
	for (unsigned n = 0; n < d->instance_count; n++)
		if (stopping_is_of_stage(&d->instances[n], stage) &&
		    d->instances[n].state != INSTANCE_DOWN)
			return false;
	return true;
}

static int64_t
stopping_drain_ms(const struct daemon *d, enum role_kind kind)
{
	if (kind == ROLE_SUBMISSION)
		return d->conf->submission.drain_timeout_ms;
	return kind == ROLE_RELAY ? RELAY_DRAIN_MS : 1000;
}

/* The queue stores its last results, with several syncs on a slow disk. */
static int64_t
stopping_grace_ms(enum role_kind kind)
{
	return kind == ROLE_QUEUE ? QUEUE_GRACE_MS : STOP_GRACE_MS;
}

static void
stopping_set_limit(struct daemon *d, int64_t limit_ms)
{
	struct timeval tv = {.tv_sec = limit_ms / 1000, .tv_usec = limit_ms % 1000 * 1000};

	event_add(d->stop_limit, &tv);
}

static void
stopping_stop_stage(struct daemon *d, int stage)
{
	struct message_stop m = {
	    .drain_ms = d->stops_at_once ? 0 : stopping_drain_ms(d, stages[stage])};

	for (unsigned n = 0; n < d->instance_count; n++)
		if (stopping_is_of_stage(&d->instances[n], stage) && d->instances[n].channel)
			(void)!channel_send(d->instances[n].channel, MESSAGE_STOP, &m, -1);
	stopping_set_limit(
	    d, d->stops_at_once ? STOP_GRACE_MS : m.drain_ms + stopping_grace_ms(stages[stage]));
}

void
stopping_role_ended(struct daemon *d)
{
	while (d->stage < STAGES && stopping_stage_is_empty(d, d->stage))
		if (++d->stage < STAGES && !stopping_stage_is_empty(d, d->stage))
			stopping_stop_stage(d, d->stage);
	if (d->stage == STAGES)
		event_base_loopbreak(d->base);
}

static void
stopping_end_instance(struct instance *i)
{
	if (i->is_killed && liveness_abandon(i, "the stop goes on without it")) {
		stopping_role_ended(i->daemon);
		return;
	}
	if (!i->is_killed)
		log_warn("%s %u does not stop in time", role_name(i->kind), i->index);
	i->is_killed = true;
	spawn_kill(i);
}

static void
stopping_limit_reached(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	int stage = d->stage;

	(void)fd;
	(void)what;
	if (stage >= STAGES)
		return;
	for (unsigned n = 0; n < d->instance_count && d->stage == stage; n++)
		if (stopping_is_of_stage(&d->instances[n], stage) &&
		    d->instances[n].state != INSTANCE_DOWN)
			stopping_end_instance(&d->instances[n]);
	if (d->stage == stage)
		stopping_set_limit(d, STOP_GRACE_MS);
}

void
stopping_prepare(struct daemon *d)
{
	d->stop_limit = evtimer_new(d->base, stopping_limit_reached, d);
	if (!d->stop_limit)
		die("no timer");
}

void
stopping_clear(struct daemon *d)
{
	event_free(d->stop_limit);
}

static void
stopping_at_once(struct daemon *d)
{
	if (d->stops_at_once)
		return;
	log_warn("stop requested again: what has not ended is killed");
	d->stops_at_once = true;
	for (unsigned n = 0; n < d->instance_count; n++)
		if (d->instances[n].state != INSTANCE_DOWN) {
			d->instances[n].is_killed = true;
			spawn_kill(&d->instances[n]);
		}
	stopping_set_limit(d, STOP_GRACE_MS);
}

void
stopping_begin(struct daemon *d)
{
	if (d->stage >= 0) {
		stopping_at_once(d);
		return;
	}
	systemd_notify_state("STOPPING=1");
	log_info("stopping");
	d->stage = 0;
	for (unsigned n = 0; n < d->instance_count; n++)
		event_del(d->instances[n].restart_timer);
	stopping_stop_stage(d, 0);
	stopping_role_ended(d);
}
