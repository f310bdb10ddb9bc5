/*
 * supervise: see the header.
 */
#include "main/supervise.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/worker_kinds.h"
#include "base/clock.h"
#include "base/error_text.h"
#include "base/log.h"
#include "base/mem.h"
#include "main/daemon_admin.h"
#include "main/grants.h"
#include "main/instance.h"
#include "main/liveness.h"
#include "main/notices.h"
#include "main/os.h"
#include "main/renewal.h"
#include "main/role_links.h"
#include "main/spawn.h"
#include "main/stopping.h"
#include "main/systemd_notify.h"
#include "submission/client_counts.h"

enum {
	START_FAILURES_MAX = 5, /* of one role in a row, before the daemon was ready once */
};

static void supervise_start_instance(struct instance *i);

/* ---- starting ---- */

/* Submission starts after the queue's first READY, so that its ids are above all ids in the
 * spool. */
static bool
supervise_may_start(const struct instance *i)
{
	return i->kind != ROLE_SUBMISSION || i->daemon->floor_ms >= 0;
}

static void
supervise_send_start(struct instance *i)
{
	struct daemon *d = i->daemon;
	struct message_start m = {.node = (uint8_t)d->conf->node,
	    .slot = (uint8_t)(i->slot < 0 ? 0 : i->slot),
	    .floor_ms = d->floor_ms > 0 ? d->floor_ms : 0};

	i->is_start_sent = true;
	liveness_note_sign(i);
	if (channel_send(i->channel, MESSAGE_START, &m, -1) != 0)
		instance_force_restart(i, "START could not be sent");
}

static void
supervise_check_all_ready(struct daemon *d)
{
	for (unsigned n = 0; n < d->instance_count; n++)
		if (d->instances[n].state != INSTANCE_READY)
			return;
	d->was_ready = true;
	log_info("ready: main and %u other processes", d->instance_count);
	systemd_notify_status("ready: main and %u other processes", d->instance_count);
	systemd_notify_state("READY=1");
}

static void
supervise_instance_ready(struct instance *i, const struct message_ready *m)
{
	struct daemon *d = i->daemon;

	i->state = INSTANCE_READY;
	liveness_note_sign(i);
	d->accepts_damage &= i->kind != ROLE_QUEUE;
	d->is_first_start &= i->kind != ROLE_ACCOUNTS;
	if (i->kind == ROLE_QUEUE && d->floor_ms < 0) {
		d->floor_ms = m->newest_ms;
		for (unsigned n = 0; n < d->instance_count; n++)
			if (d->instances[n].kind == ROLE_SUBMISSION && d->instances[n].channel)
				supervise_send_start(&d->instances[n]);
	}
	if (i->kind == ROLE_QUEUE)
		notices_queue_is_ready(d);
	supervise_check_all_ready(d);
}

static void
supervise_kill_worker(struct daemon *d, const struct message_restart *m)
{
	if (!worker_kind_of((enum role_kind)m->role))
		return;
	for (unsigned n = 0; n < d->instance_count; n++) {
		struct instance *i = &d->instances[n];

		if (i->kind != m->role || i->index != m->index)
			continue;
		log_warn("%s %u is ended: %.*s", role_name(i->kind), i->index, STR_ARG(m->reason));
		spawn_kill(i);
		liveness_note_killed(i);
	}
}

static void
supervise_receive(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct instance *i = arg;

	if (p->fd >= 0)
		close(p->fd);
	switch (p->type) {
	case MESSAGE_HELLO:
		if (str_eq(p->message->hello.build, role_build()))
			return;
		log_error("%s %u is of another build than main: stop sallyportd and start it again",
		    role_name(i->kind), i->index);
		spawn_kill(i);
		return;
	case MESSAGE_READY:
		supervise_instance_ready(i, &p->message->ready);
		return;
	case MESSAGE_PONG:
		liveness_pong(i, p->message->pong.number);
		return;
	case MESSAGE_ALERT:
		notices_handle_alert(i, &p->message->alert);
		return;
	case MESSAGE_PEER_LOST:
		role_links_lost(i, &p->message->peer_lost);
		return;
	case MESSAGE_GRANT_LOST:
		renewal_repeat(i);
		return;
	case MESSAGE_REFUSED:
		snprintf(i->refusal, sizeof i->refusal, "%.*s", STR_ARG(p->message->refused.text));
		return;
	case MESSAGE_RESTART:
		if (i->kind == ROLE_AUTH)
			supervise_kill_worker(i->daemon, &p->message->restart);
		return;
	case MESSAGE_ADMIN:
		if (i->kind == ROLE_CONTROL)
			daemon_admin_handle(i->daemon, c, p->call, &p->message->admin);
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
supervise_restart_timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct instance *i = arg;

	(void)fd;
	(void)what;
	if (i->daemon->stage < 0)
		supervise_start_instance(i);
}

/* Another process replaces it, or the next stage of the stop begins. */
static void
supervise_instance_gone(struct instance *i)
{
	struct daemon *d = i->daemon;

	instance_release(i);
	if (d->stage >= 0)
		stopping_role_ended(d);
	else
		instance_plan_restart(i);
}

/* True if the start failed before the daemon was ready once, and another attempt would not help. */
static bool
supervise_is_permanent_failure(const struct instance *i, int status)
{
	if (i->daemon->was_ready || i->daemon->stage >= 0 || !WIFEXITED(status))
		return false;
	if (WEXITSTATUS(status) == ROLE_EXIT_FORBIDDEN || WEXITSTATUS(status) == ROLE_EXIT_CONFIG)
		return true;
	return i->failures + 1 >= START_FAILURES_MAX;
}

static void
supervise_fail_start(struct instance *i, int role_status)
{
	int exit_status = role_status == ROLE_EXIT_FORBIDDEN ? EXIT_NOT_ALLOWED
	    : role_status == ROLE_EXIT_CONFIG                ? EXIT_CONFIG
	                                                     : EXIT_LATER;

	i->daemon->exit_status = daemon_report_failure(exit_status, "%s %u cannot start: %s",
	    role_name(i->kind), i->index, i->refusal[0] ? i->refusal : "see the log");
	stopping_begin(i->daemon);
}

static void
supervise_note_end(struct instance *i, int status)
{
	const char *name = role_name(i->kind);
	char how[80];

	if (i->daemon->stage >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	i->daemon->ended_early += i->daemon->stage >= 0;
	if (WIFSIGNALED(status))
		snprintf(how, sizeof how, "was ended by signal %d", WTERMSIG(status));
	else
		snprintf(how, sizeof how, "ended with status %d", WEXITSTATUS(status));
	log_error("%s %u (pid %d) %s", name, i->index, (int)i->pid, how);
	if (i->abort_sent_ms)
		snprintf(how + strlen(how), sizeof how - strlen(how),
		    ", for it gave no sign of life");
	notices_add_process_end(i, how);
}

void
supervise_reap(struct daemon *d)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (liveness_abandoned_ended(d, pid))
			continue;
		for (unsigned n = 0; n < d->instance_count; n++) {
			struct instance *i = &d->instances[n];

			if (i->pid != pid)
				continue;
			supervise_note_end(i, status);
			i->pid = 0;
			if (supervise_is_permanent_failure(i, status))
				supervise_fail_start(i, WEXITSTATUS(status));
			supervise_instance_gone(i);
		}
	}
}

/* The end of a process is known by SIGCHLD; only the end of a thread is known by its channel. */
static void
supervise_channel_lost(struct channel *c, void *arg)
{
	struct instance *i = arg;

	(void)c;
	channel_free(&i->channel);
	if (!i->daemon->in_threads)
		return;
	pthread_join(i->thread, NULL);
	supervise_instance_gone(i);
}

/* Only submission creates ids and counts clients. */
static bool
supervise_take_slot(struct instance *i)
{
	struct daemon *d = i->daemon;

	i->slot = -1;
	if (i->kind != ROLE_SUBMISSION)
		return true;
	i->slot = instance_slots_take(&d->slots, clock_mono_ms());
	if (i->slot >= 0)
		client_counts_wipe(d->clients_fd, (unsigned)i->slot);
	return i->slot >= 0;
}

/* Returns the descriptor of its metrics region, or -1 with errno. */
static int
supervise_make_region(struct instance *i)
{
	int fd = metrics_create();

	if (fd >= 0)
		i->region = metrics_map(fd);
	if (i->region)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Sends everything that the role may use, in the order in which the role expects it. */
static void
supervise_send_grants(struct instance *i, int region_fd)
{
	bool ok = grants_give_log(i) && grants_give_metrics(i, region_fd) && grants_give_config(i);

	role_links_make(i);
	if (!ok || !grants_give(i))
		instance_force_restart(i, "it cannot be given what it needs");
	else if (supervise_may_start(i))
		supervise_send_start(i);
}

static void
supervise_start_instance(struct instance *i)
{
	int fd = -1, region_fd = -1;

	i->started_ms = clock_mono_ms();
	i->incarnation = ++i->daemon->incarnations;
	i->refusal[0] = 0;
	if (!supervise_take_slot(i))
		log_error(
		    "%s %u: no slot is free, it is not started", role_name(i->kind), i->index);
	else if ((region_fd = supervise_make_region(i)) < 0)
		log_error("%s %u: no shared memory: %s", role_name(i->kind), i->index,
		    error_text(errno));
	else
		fd = spawn_instance(i);
	if (fd >= 0) {
		i->state = INSTANCE_STARTING;
		liveness_init_instance(i);
		i->channel =
		    channel_new(i->daemon->base, fd, supervise_receive, supervise_channel_lost, i);
		supervise_send_grants(i, region_fd);
	} else {
		instance_release(i);
		instance_plan_restart(i);
	}
	if (region_fd >= 0)
		close(region_fd);
}

static void
supervise_add_instances(struct daemon *d, enum role_kind kind, unsigned count)
{
	for (unsigned n = 0; n < count && d->instance_count < INSTANCE_COUNT_MAX; n++) {
		struct instance *i = &d->instances[d->instance_count++];

		*i = (struct instance){.daemon = d, .kind = kind, .index = n, .slot = -1};
		i->restart_timer = evtimer_new(d->base, supervise_restart_timer_fired, i);
		if (!i->restart_timer)
			die("no timer");
	}
}

void
supervise_start(struct daemon *d)
{
	stopping_prepare(d);
	liveness_start(d);
	supervise_add_instances(d, ROLE_KEYS, d->submission_count);
	supervise_add_instances(d, ROLE_AUTH, 1);
	for (size_t k = 0; k < WORKER_KINDS; k++)
		supervise_add_instances(d, worker_kinds[k].role, worker_kinds[k].count(d->conf));
	supervise_add_instances(d, ROLE_QUEUE, 1);
	supervise_add_instances(d, ROLE_RELAY, 1);
	supervise_add_instances(d, ROLE_CONTROL, 1);
	supervise_add_instances(d, ROLE_SUBMISSION, d->submission_count);
	for (unsigned n = 0; n < d->instance_count; n++)
		supervise_start_instance(&d->instances[n]);
}

void
supervise_end(struct daemon *d)
{
	for (unsigned n = 0; n < d->instance_count; n++) {
		channel_free(&d->instances[n].channel);
		event_free(d->instances[n].restart_timer);
		renewal_free(&d->instances[n]);
	}
	stopping_clear(d);
	liveness_stop(d);
	role_links_free(d);
}
