/*
 * supervise: the tables below are the map of the daemon: which roles there are, and who may talk to
 * whom.  Nothing else decides that.
 */
#include "main/supervise.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "main/admin.h"
#include "main/grants.h"
#include "main/host.h"
#include "main/spawn.h"

/* Who talks to whom; main talks to all. */
static const struct link {
	enum role_kind a, b;
} links[] = {
    {ROLE_SUBMISSION, ROLE_KEYS},
    {ROLE_SUBMISSION, ROLE_AUTH},
    {ROLE_SUBMISSION, ROLE_QUEUE},
    {ROLE_AUTH, ROLE_WORKER},
    {ROLE_QUEUE, ROLE_RELAY},
    {ROLE_CONTROL, ROLE_AUTH},
    {ROLE_CONTROL, ROLE_QUEUE},
    {ROLE_CONTROL, ROLE_RELAY},
    {ROLE_CONTROL, ROLE_SUBMISSION},
};

/* Stopping follows the mail: who takes it in ends first, who is asked by others ends last. */
static const enum role_kind stages[] = {ROLE_SUBMISSION, ROLE_RELAY, ROLE_QUEUE, ROLE_CONTROL,
    ROLE_AUTH, ROLE_WORKER, ROLE_KEYS};

enum {
	STAGES = sizeof stages / sizeof *stages,
	STEADY_MS = 10000, /* who ran that long has recovered */
	BACKOFF_FIRST_MS = 100,
	BACKOFF_MAX_MS = 30000,
	STOP_GRACE_MS = 5000,
	RELAY_DRAIN_MS = 10000,
};

static void start_instance(struct instance *i);

/* ---- joining ---- */

static bool
is_linked(enum role_kind a, enum role_kind b)
{
	for (size_t l = 0; l < sizeof links / sizeof *links; l++)
		if ((links[l].a == a && links[l].b == b) || (links[l].a == b && links[l].b == a))
			return true;
	return false;
}

static void
give_end(struct instance *to, const struct instance *other, int fd)
{
	struct message_peer m = {.role = (uint8_t)other->kind, .index = (uint8_t)other->index};

	(void)!channel_send(to->channel, MESSAGE_PEER, &m, fd);
	close(fd);
}

static void
join(struct instance *a, struct instance *b)
{
	int fds[2];

	if (channel_pair(fds) != 0) {
		log_error("channel: %s", strerror(errno));
		return;
	}
	give_end(a, b, fds[0]);
	give_end(b, a, fds[1]);
}

static void
join_all(struct instance *i)
{
	struct daemon *d = i->daemon;

	for (unsigned n = 0; n < d->instance_count; n++) {
		struct instance *other = &d->instances[n];

		if (other != i && other->channel && is_linked(i->kind, other->kind))
			join(i, other);
	}
}

/* ---- starting ---- */

/* Submission waits for the queue's first word, so that ids begin above all that the spool saw. */
static bool
may_begin(const struct instance *i)
{
	return i->kind != ROLE_SUBMISSION || i->daemon->floor_ms >= 0;
}

static void
send_start(struct instance *i)
{
	struct daemon *d = i->daemon;
	struct message_start m = {.node = (uint8_t)d->conf->node, .slot = (uint8_t)i->slot,
	    .floor_ms = d->floor_ms > 0 ? d->floor_ms : 0};

	(void)!channel_send(i->channel, MESSAGE_START, &m, -1);
}

static void
all_ready(struct daemon *d)
{
	for (unsigned n = 0; n < d->instance_count; n++)
		if (d->instances[n].state != INSTANCE_READY)
			return;
	log_info("ready: %u processes", d->instance_count + 1);
	host_notify("READY=1");
}

static void
is_ready(struct instance *i, const struct message_ready *m)
{
	struct daemon *d = i->daemon;

	i->state = INSTANCE_READY;
	if (i->kind == ROLE_QUEUE)
		d->accepts_damage = false;
	if (i->kind == ROLE_QUEUE && d->floor_ms < 0) {
		d->floor_ms = m->newest_ms;
		for (unsigned n = 0; n < d->instance_count; n++)
			if (d->instances[n].kind == ROLE_SUBMISSION && d->instances[n].channel)
				send_start(&d->instances[n]);
	}
	all_ready(d);
}

static void
end_worker(struct daemon *d, const struct message_restart *m)
{
	for (unsigned n = 0; n < d->instance_count; n++) {
		struct instance *i = &d->instances[n];

		if (i->kind != ROLE_WORKER || i->index != m->index || m->role != ROLE_WORKER)
			continue;
		log_warn("worker %u is ended: %.*s", i->index, STR_ARG(m->reason));
		spawn_kill(i);
	}
}

static void
from_role(struct channel *c, const struct packet *p, void *arg)
{
	struct instance *i = arg;

	if (p->fd >= 0)
		close(p->fd);
	switch (p->type) {
	case MESSAGE_HELLO:
		if (str_eq(p->message->hello.build, role_build()))
			return;
		log_error("%s %u is another build", role_name(i->kind), i->index);
		spawn_kill(i);
		return;
	case MESSAGE_READY:
		is_ready(i, &p->message->ready);
		return;
	case MESSAGE_RESTART:
		if (i->kind == ROLE_AUTH)
			end_worker(i->daemon, &p->message->restart);
		return;
	case MESSAGE_ADMIN:
		if (i->kind == ROLE_CONTROL)
			admin_hear(i->daemon, c, p->call, &p->message->admin);
		else
			channel_refuse(c, p->call);
		return;
	case MESSAGE_STOPPED:
		i->state = INSTANCE_STOPPING;
		return;
	default:
		log_error("unexpected %s from %s", message_name(p->type), role_name(i->kind));
		channel_refuse(c, p->call);
	}
}

/* ---- ending ---- */

static void
try_again(evutil_socket_t fd, short what, void *arg)
{
	struct instance *i = arg;

	(void)fd;
	(void)what;
	if (i->daemon->stage < 0)
		start_instance(i);
}

static void
plan_return(struct instance *i)
{
	int64_t wait_ms = BACKOFF_FIRST_MS;
	struct timeval tv;

	if (clock_mono_ms() - i->started_ms > STEADY_MS)
		i->failures = 0;
	for (unsigned n = 0; n < i->failures && wait_ms < BACKOFF_MAX_MS; n++)
		wait_ms *= 2;
	if (wait_ms > BACKOFF_MAX_MS)
		wait_ms = BACKOFF_MAX_MS;
	i->failures++;
	i->restarts++;
	tv = (struct timeval){.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};
	event_add(i->again, &tv);
}

static bool
stage_is_empty(const struct daemon *d, int stage)
{
	for (unsigned n = 0; n < d->instance_count; n++)
		if (d->instances[n].kind == stages[stage] && d->instances[n].state != INSTANCE_DOWN)
			return false;
	return true;
}

static int64_t
drain_of(const struct daemon *d, enum role_kind kind)
{
	if (kind == ROLE_SUBMISSION)
		return d->conf->submission.drain_timeout_ms;
	return kind == ROLE_RELAY ? RELAY_DRAIN_MS : 1000;
}

static void
stop_stage(struct daemon *d, int stage)
{
	struct message_stop m = {.drain_ms = drain_of(d, stages[stage])};
	int64_t limit_ms = m.drain_ms + STOP_GRACE_MS;
	struct timeval tv = {.tv_sec = limit_ms / 1000, .tv_usec = limit_ms % 1000 * 1000};

	for (unsigned n = 0; n < d->instance_count; n++)
		if (d->instances[n].kind == stages[stage] && d->instances[n].channel)
			(void)!channel_send(d->instances[n].channel, MESSAGE_STOP, &m, -1);
	event_add(d->stop_limit, &tv);
}

static void
go_on_stopping(struct daemon *d)
{
	while (d->stage < STAGES && stage_is_empty(d, d->stage))
		if (++d->stage < STAGES && !stage_is_empty(d, d->stage))
			stop_stage(d, d->stage);
	if (d->stage == STAGES)
		event_base_loopbreak(d->base);
}

static void
is_gone(struct instance *i)
{
	struct daemon *d = i->daemon;

	channel_free(&i->channel);
	i->state = INSTANCE_DOWN;
	if (i->kind == ROLE_SUBMISSION)
		spawn_forget_clients(i);
	if (d->stage >= 0)
		go_on_stopping(d);
	else
		plan_return(i);
}

static void
log_death(const struct instance *i, int status)
{
	const char *name = role_name(i->kind);

	if (i->daemon->stage >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	if (WIFSIGNALED(status))
		log_error("%s %u (pid %d) was ended by signal %d", name, i->index, (int)i->pid,
		    WTERMSIG(status));
	else
		log_error("%s %u (pid %d) ended with status %d", name, i->index, (int)i->pid,
		    WEXITSTATUS(status));
}

void
supervise_reap(struct daemon *d)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (unsigned n = 0; n < d->instance_count; n++) {
			struct instance *i = &d->instances[n];

			if (i->pid != pid)
				continue;
			log_death(i, status);
			i->pid = 0;
			is_gone(i);
		}
}

/* A process is reaped by SIGCHLD; only a thread is known to be gone by its channel. */
static void
role_lost(struct channel *c, void *arg)
{
	struct instance *i = arg;

	(void)c;
	channel_free(&i->channel);
	if (!i->daemon->in_threads)
		return;
	pthread_join(i->thread, NULL);
	is_gone(i);
}

static void
start_instance(struct instance *i)
{
	int fd;

	i->started_ms = clock_mono_ms();
	i->slot = i->daemon->next_slot++ % ID_SLOTS;
	if (i->daemon->next_slot >= ID_SLOTS)
		i->daemon->next_slot = 0;
	if (i->kind == ROLE_SUBMISSION)
		spawn_forget_clients(i);
	fd = spawn(i);
	if (fd < 0) {
		plan_return(i);
		return;
	}
	i->state = INSTANCE_STARTING;
	i->channel = channel_new(i->daemon->base, fd, from_role, role_lost, i);
	grants_give_log(i);
	grants_give_config(i);
	join_all(i);
	grants_give(i);
	if (may_begin(i))
		send_start(i);
}

static void
add_instances(struct daemon *d, enum role_kind kind, unsigned count)
{
	for (unsigned n = 0; n < count && d->instance_count < INSTANCES_MAX; n++) {
		struct instance *i = &d->instances[d->instance_count++];

		*i = (struct instance){.daemon = d, .kind = kind, .index = n};
		i->again = evtimer_new(d->base, try_again, i);
		if (!i->again)
			die("no timer");
	}
}

static void
stop_at_limit(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	for (unsigned n = 0; n < d->instance_count; n++) {
		struct instance *i = &d->instances[n];

		if (d->stage >= STAGES || i->kind != stages[d->stage] || i->state == INSTANCE_DOWN)
			continue;
		log_warn("%s %u does not stop in time", role_name(i->kind), i->index);
		spawn_kill(i);
	}
}

void
supervise_start(struct daemon *d)
{
	d->stop_limit = evtimer_new(d->base, stop_at_limit, d);
	if (!d->stop_limit)
		die("no timer");
	add_instances(d, ROLE_KEYS, 1);
	add_instances(d, ROLE_AUTH, 1);
	add_instances(d, ROLE_WORKER, (unsigned)d->conf->auth.workers);
	add_instances(d, ROLE_QUEUE, 1);
	add_instances(d, ROLE_RELAY, 1);
	add_instances(d, ROLE_CONTROL, 1);
	add_instances(d, ROLE_SUBMISSION, d->submission_count);
	for (unsigned n = 0; n < d->instance_count; n++)
		start_instance(&d->instances[n]);
}

void
supervise_stop(struct daemon *d)
{
	if (d->stage >= 0) {
		for (unsigned n = 0; n < d->instance_count; n++)
			if (d->instances[n].state != INSTANCE_DOWN)
				spawn_kill(&d->instances[n]);
		return;
	}
	host_notify("STOPPING=1");
	log_info("stopping");
	d->stage = 0;
	for (unsigned n = 0; n < d->instance_count; n++)
		event_del(d->instances[n].again);
	stop_stage(d, 0);
	go_on_stopping(d);
}

void
supervise_reload(struct daemon *d)
{
	for (unsigned n = 0; n < d->instance_count; n++)
		if (d->instances[n].channel) {
			grants_give_log(&d->instances[n]);
			grants_give_files(&d->instances[n]);
			grants_give_config(&d->instances[n]);
			if (d->instances[n].kind == ROLE_SUBMISSION)
				grants_give_listeners(&d->instances[n]);
		}
	grants_give_certificates(d);
}

static const char *
state_name(enum instance_state state)
{
	static const char *const names[] = {"down", "starting", "ready", "stopping"};

	return names[state];
}

void
supervise_status(struct daemon *d, struct channel *control, uint64_t call)
{
	for (unsigned n = 0; n < d->instance_count; n++) {
		const struct instance *i = &d->instances[n];
		struct message_admin_row row;
		struct buf values;
		char text[24];

		buf_init(&values, 4096);
		message_values_add(&values, "role", str_of(role_name(i->kind)));
		snprintf(text, sizeof text, "%u", i->index);
		message_values_add(&values, "index", str_of(text));
		message_values_add(&values, "state", str_of(state_name(i->state)));
		snprintf(text, sizeof text, "%d", (int)(d->in_threads ? getpid() : i->pid));
		message_values_add(&values, "pid", str_of(text));
		snprintf(text, sizeof text, "%u", i->restarts);
		message_values_add(&values, "restarts", str_of(text));
		row.values = buf_str(&values);
		(void)!channel_answer(control, call, MESSAGE_ADMIN_ROW, &row, -1);
		buf_clear(&values);
	}
}

void
supervise_end(struct daemon *d)
{
	for (unsigned n = 0; n < d->instance_count; n++) {
		channel_free(&d->instances[n].channel);
		event_free(d->instances[n].again);
	}
	event_free(d->stop_limit);
}
