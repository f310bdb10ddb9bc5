/*
 * liveness: all times are of its own clock, except for those of the watchdog. One instance goes
 * through ping, SIGABRT, SIGKILL and abandoning, with at most one step in each check, so main never
 * waits for it. During a stop only the watchdog is served. The end of a process is not seen here:
 * others report it.
 */
#include "main/liveness.h"

#include <signal.h>
#include <stdio.h>

#include "auth/worker_kinds.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "main/instance.h"
#include "main/notices.h"
#include "main/systemd_notify.h"

struct liveness {
	struct event *timer;
	int64_t now_ms;      /* the clock of this module */
	int64_t checked_ms;   /* of the last check, monotonic */
	int64_t watchdog_every_ms;     /* interval of WATCHDOG=1; 0: no watchdog */
	int64_t watchdog_sent_ms;
	int64_t extended_ms; /* of the last EXTEND_TIMEOUT_USEC */
};

/* ---- answers and progress ---- */

void
liveness_note_sign(struct instance *i)
{
	i->sign_ms = i->daemon->liveness->now_ms;
}

void
liveness_init_instance(struct instance *i)
{
	i->awaits_pong = i->is_start_sent = i->is_killed = i->is_stuck_logged = false;
	i->progress = 0;
	i->abort_sent_ms = i->killed_ms = i->next_ping_ms = 0;
	liveness_note_sign(i);
}

/* Between START and READY only progress counts: the event loop of a role does not run then. */
void
liveness_pong(struct instance *i, uint32_t number)
{
	if (!i->awaits_pong || number != i->ping_number)
		return;
	i->awaits_pong = false;
	if (i->state == INSTANCE_READY || !i->is_start_sent)
		liveness_note_sign(i);
}

/* Asks the service manager for more time: its own limit (TimeoutStartSec) must not end a start that
 * makes progress. */
static void
liveness_extend_start(struct daemon *d)
{
	struct liveness *v = d->liveness;
	char text[40];

	if (d->was_ready || v->now_ms - v->extended_ms < LIVENESS_EVERY_MS)
		return;
	v->extended_ms = v->now_ms;
	snprintf(text, sizeof text, "EXTEND_TIMEOUT_USEC=%u000", LIVENESS_EXTEND_MS);
	systemd_notify_state(text);
}

static void
liveness_note_progress(struct instance *i)
{
	uint64_t progress = metrics_read_progress(i->region);

	if (i->state == INSTANCE_STARTING && progress != i->progress) {
		liveness_note_sign(i);
		liveness_extend_start(i->daemon);
	}
	i->progress = progress;
}

static void
liveness_send_ping(struct instance *i)
{
	struct message_ping m = {.number = i->ping_number + 1};

	if (i->awaits_pong || !i->channel || i->daemon->liveness->now_ms < i->next_ping_ms)
		return;
	i->next_ping_ms = i->daemon->liveness->now_ms + LIVENESS_EVERY_MS;
	i->ping_number++;
	i->awaits_pong = channel_send(i->channel, MESSAGE_PING, &m, -1) == 0;
}

/* ---- limits ---- */

int64_t
liveness_silent_ms(const struct instance *i)
{
	return i->daemon->liveness->now_ms - i->sign_ms;
}

static int64_t
liveness_limit_ms(const struct instance *i)
{
	const struct worker_kind *worker = worker_kind_of(i->kind);

	if (i->state != INSTANCE_READY)
		return LIVENESS_START_MS;
	if (worker && metrics_read_is_blocking(i->region))
		return worker_kind_deadline_ms(worker, i->daemon->conf) + LIVENESS_SILENT_MS;
	return LIVENESS_SILENT_MS;
}

bool
liveness_is_overdue(const struct instance *i)
{
	int64_t usual_ms = i->state == INSTANCE_READY ? LIVENESS_OVERDUE_MS : LIVENESS_START_MS;

	if (i->state != INSTANCE_READY && i->state != INSTANCE_STARTING)
		return false;
	if (liveness_limit_ms(i) > LIVENESS_SILENT_MS)
		usual_ms = liveness_limit_ms(i);
	return i->abort_sent_ms || i->killed_ms || liveness_silent_ms(i) > usual_ms;
}

static bool
liveness_is_stuck(const struct instance *i)
{
	if (i->state != INSTANCE_READY && i->state != INSTANCE_STARTING)
		return false;
	return i->abort_sent_ms &&
	       i->daemon->liveness->now_ms - i->abort_sent_ms > LIVENESS_STUCK_MS;
}

bool
liveness_is_healthy(const struct daemon *d)
{
	for (unsigned n = 0; n < d->instance_count; n++)
		if (liveness_is_stuck(&d->instances[n]))
			return false;
	return true;
}

/* ---- signals ---- */

static void
liveness_log(const struct instance *i)
{
	char work[METRICS_TEXT_BYTES];
	struct log_line l;

	log_begin(&l, LOG_ERR, "not answering");
	log_str(&l, "role", str_of(role_name(i->kind)));
	log_num(&l, "index", i->index);
	log_num(&l, "pid", (uint64_t)(i->pid > 0 ? i->pid : 0));
	log_num(&l, "seconds", (uint64_t)liveness_silent_ms(i) / 1000);
	log_str(&l, "state", str_of(i->state == INSTANCE_READY ? "ready" : "starting"));
	log_quoted(&l, "work", str_of(metrics_read_work(i->region, work)));
	log_str(&l, "action", str_of(i->pid > 0 ? "restart" : "none"));
	log_end(&l);
}

/* A thread of -d cannot be ended from outside: this is only logged. */
static void
liveness_send_abort(struct instance *i)
{
	liveness_log(i);
	i->abort_sent_ms = i->daemon->liveness->now_ms;
	if (i->pid > 0)
		kill(i->pid, SIGABRT);
}

static void
liveness_kill(struct instance *i)
{
	if (i->daemon->liveness->now_ms - i->abort_sent_ms < LIVENESS_GRACE_MS)
		return;
	i->is_killed = true;
	if (i->pid > 0)
		kill(i->pid, SIGKILL);
}

void
liveness_note_killed(struct instance *i)
{
	i->is_killed = true;
	i->killed_ms = i->daemon->liveness->now_ms;
}

/* ---- processes that do not end ---- */

static const char does_not_end[] =
    "was killed and does not end, most likely because a disk hangs";

/* The entry of pid among the abandoned processes, or with pid 0 a free one; NULL: there is none. */
static pid_t *
liveness_abandoned_slot(struct instance *i, pid_t pid)
{
	for (size_t n = 0; n < INSTANCE_ABANDONED_MAX; n++)
		if (i->abandoned[n] == pid)
			return &i->abandoned[n];
	return NULL;
}

/* NULL, or the reason why the process cannot be replaced.  During a stop the maximum does not
 * apply, as no successor is started. */
static const char *
liveness_why_not_replaced(struct instance *i)
{
	if (i->kind != ROLE_SUBMISSION && i->kind != ROLE_RELAY && !worker_kind_of(i->kind))
		return "its locks or files are needed";
	if (i->daemon->stage < 0 && !liveness_abandoned_slot(i, 0))
		return "as many as may be left running are there already";
	return NULL;
}

static void
liveness_log_stuck(struct instance *i, const char *why)
{
	if (i->is_stuck_logged)
		return;
	i->is_stuck_logged = true;
	log_error("%s %u (pid %d) was killed and does not end: a thread of it waits in the kernel, "
		  "most likely for a disk that hangs; %s, so nothing replaces it before it "
		  "has ended", role_name(i->kind), i->index, (int)i->pid, why);
	notices_add_process_end(i, does_not_end);
}

/* After SIGKILL the process executes no more instructions; but a thread in a system call that does
 * not return keeps everything that the process has open, for example the queue's lock. */
bool
liveness_abandon(struct instance *i, const char *what_follows)
{
	const char *why = liveness_why_not_replaced(i);
	pid_t *slot = liveness_abandoned_slot(i, 0);

	if (i->pid <= 0)
		return false;
	if (why) {
		liveness_log_stuck(i, why);
		return false;
	}
	log_error("%s %u (pid %d) was killed and does not end: a thread of it waits in the kernel, "
		  "most likely for a disk that hangs; %s", role_name(i->kind), i->index,
	    (int)i->pid, what_follows);
	notices_add_process_end(i, does_not_end);
	if (slot)
		*slot = i->pid;
	i->pid = 0;
	i->daemon->ended_early += i->daemon->stage >= 0;
	instance_release(i);
	return true;
}

bool
liveness_abandoned_ended(struct daemon *d, pid_t pid)
{
	for (unsigned n = 0; n < d->instance_count; n++) {
		struct instance *i = &d->instances[n];
		pid_t *slot = liveness_abandoned_slot(i, pid);

		if (!slot)
			continue;
		log_info("%s %u (pid %d), which was left behind, has ended", role_name(i->kind),
		    i->index, (int)pid);
		*slot = 0;
		return true;
	}
	return false;
}

/* ---- the check of one instance ---- */

static void
liveness_replace(struct instance *i)
{
	int64_t since_ms = i->abort_sent_ms ? i->abort_sent_ms : i->killed_ms;

	if (i->daemon->liveness->now_ms - since_ms >= LIVENESS_ABANDON_MS &&
	    liveness_abandon(i, worker_kind_of(i->kind)
	            ? "another process takes its place; logins that need it are answered with 454"
	            : "another process takes its place, and its clients get no reply until the "
		      "disk answers"))
		instance_plan_restart(i);
}

static void
liveness_check_instance(struct instance *i)
{
	if (i->state != INSTANCE_READY && i->state != INSTANCE_STARTING)
		return;
	liveness_note_progress(i);
	if (i->is_killed)
		liveness_replace(i);
	else if (i->abort_sent_ms)
		liveness_kill(i);
	else if (liveness_silent_ms(i) > liveness_limit_ms(i))
		liveness_send_abort(i);
	else
		liveness_send_ping(i);
}

/* ---- all ---- */

static void
liveness_feed_watchdog(struct daemon *d)
{
	struct liveness *v = d->liveness;

	if (!v->watchdog_every_ms || v->checked_ms - v->watchdog_sent_ms < v->watchdog_every_ms ||
	    !liveness_is_healthy(d))
		return;
	v->watchdog_sent_ms = v->checked_ms;
	systemd_notify_state("WATCHDOG=1");
}

void
liveness_check_all(struct daemon *d)
{
	struct liveness *v = d->liveness;
	int64_t now_ms = clock_mono_ms(), step_ms = now_ms - v->checked_ms;

	v->checked_ms = now_ms;
	v->now_ms += step_ms < LIVENESS_STEP_MAX_MS ? step_ms : LIVENESS_STEP_MAX_MS;
	/* in a stop each stage has its own limit */
	for (unsigned n = 0; n < d->instance_count && d->stage < 0; n++)
		liveness_check_instance(&d->instances[n]);
	liveness_feed_watchdog(d);
}

static void
liveness_timer_fired(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	liveness_check_all(arg);
}

void
liveness_start(struct daemon *d)
{
	struct liveness *v = d->liveness = MEM_NEW(struct liveness);
	int64_t watchdog_ms = systemd_notify_watchdog_ms();
	int64_t every_ms = LIVENESS_CHECK_MS;
	struct timeval tv;

	/* three times per period of the watchdog, so that a late check does not miss a period */
	v->watchdog_every_ms = watchdog_ms / 3;
	if (v->watchdog_every_ms && v->watchdog_every_ms < every_ms)
		every_ms = v->watchdog_every_ms;
	v->checked_ms = clock_mono_ms();
	v->watchdog_sent_ms = v->checked_ms - v->watchdog_every_ms;
	v->now_ms = 1;
	tv = (struct timeval){.tv_sec = every_ms / 1000, .tv_usec = every_ms % 1000 * 1000};
	v->timer = event_new(d->base, -1, EV_PERSIST, liveness_timer_fired, d);
	if (!v->timer || event_add(v->timer, &tv) != 0)
		die("no timer");
}

void
liveness_stop(struct daemon *d)
{
	if (!d->liveness)
		return;
	event_free(d->liveness->timer);
	mem_free(d->liveness);
	d->liveness = NULL;
}
