/* liveness: which roles are ended, when, and which are not.  The test sets the clock; the ended
 * roles are real processes. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "main/liveness.h"
#include "rig.h"

static struct rig r;
static int64_t now_ms;

static void
liveness_set_up(void)
{
	rig_set_up(&r);
	rig_configure(&r, "auth: { step_timeout = \"20s\"; };");
	clock_fake(now_ms = 1000000);
	liveness_start(&r.d);
}

static void
liveness_tear_down(void)
{
	clock_fake(-1);
	rig_tear_down(&r);
}

TestSuite(liveness, .init = liveness_set_up, .fini = liveness_tear_down);

static void
pass(int seconds)
{
	for (int i = 0; i < seconds; i++) {
		clock_fake(now_ms += 1000);
		liveness_check_all(&r.d);
	}
}

static struct rig_role *
with_process(enum role_kind kind, bool is_stopped)
{
	struct rig_role *role = rig_role(&r, kind, 0);
	int status;

	liveness_init_instance(role->instance);
	role->instance->pid = fork();
	if (role->instance->pid == 0)
		for (;;)
			pause();
	if (is_stopped) {
		kill(role->instance->pid, SIGSTOP);
		waitpid(role->instance->pid, &status, WUNTRACED);
	}
	return role;
}

static bool
is_alive(const struct rig_role *role)
{
	return waitpid(role->instance->pid, NULL, WNOHANG) == 0;
}

static int
signal_of(const struct rig_role *role)
{
	int status = 0;

	cr_assert_eq(waitpid(role->instance->pid, &status, 0), role->instance->pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void
answer(struct rig_role *role)
{
	struct message_pong m = {.number = role->ping_number};

	cr_assert_eq(channel_send(role->channel, MESSAGE_PONG, &m, -1), 0);
	rig_run(&r, 0);
}

Test(liveness, silence_ends_with_sigabrt)
{
	struct rig_role *role = with_process(ROLE_RELAY, false);

	pass(10);
	cr_expect(is_alive(role));
	cr_expect(liveness_is_overdue(role->instance));
	pass(1);
	cr_expect_eq(signal_of(role), SIGABRT);
	rig_run(&r, 0);
	cr_expect_eq(role->pings, 1, "one at a time");
}

Test(liveness, a_stopped_process_is_killed)
{
	struct rig_role *role = with_process(ROLE_RELAY, true);

	pass(11);
	cr_expect(is_alive(role));
	pass(1);
	cr_expect_eq(signal_of(role), SIGKILL);
}

Test(liveness, answers_keep_it_alive)
{
	struct rig_role *role = with_process(ROLE_RELAY, false);

	for (int i = 0; i < 6; i++) {
		pass(8);
		rig_run(&r, 0);
		answer(role);
		cr_expect_eq(liveness_silent_ms(role->instance), 0);
	}
	cr_expect(is_alive(role));
	cr_expect_eq(role->pings, 6);
	kill(role->instance->pid, SIGKILL);
}

/* An answer to another PING than the last one does not count. */
Test(liveness, wrong_numbers_do_not_count)
{
	struct rig_role *role = with_process(ROLE_RELAY, false);

	for (int i = 0; i < 11; i++) {
		pass(1);
		liveness_pong(role->instance, role->instance->ping_number + 1);
		liveness_pong(role->instance, role->instance->ping_number - 1);
	}
	cr_expect_eq(signal_of(role), SIGABRT);
}

/* Main or the machine was stopped: no role is ended for it. */
Test(liveness, time_while_main_is_stopped_does_not_count)
{
	struct rig_role *role = with_process(ROLE_RELAY, false);

	pass(1);
	clock_fake(now_ms += 3600000);
	liveness_check_all(&r.d);
	cr_expect(is_alive(role));
	cr_expect_leq(liveness_silent_ms(role->instance), 1000 + LIVENESS_STEP_MAX_MS);
	pass(8);
	cr_expect_eq(signal_of(role), SIGABRT);
}

Test(liveness, a_start_has_a_longer_limit)
{
	struct rig_role *role = with_process(ROLE_QUEUE, false);

	role->instance->state = INSTANCE_STARTING;
	pass(30);
	cr_expect(is_alive(role));
	pass(1);
	cr_expect_eq(signal_of(role), SIGABRT);
}

/* A recovery of minutes: the loop does not run, and the role reports its progress. */
Test(liveness, progress_counts_while_starting)
{
	struct rig_role *role = with_process(ROLE_QUEUE, false);
	int fd = metrics_create();

	cr_assert_eq(metrics_use(fd), 0);
	role->instance->region = metrics_map(fd);
	role->instance->state = INSTANCE_STARTING;
	role->instance->is_start_sent = true;
	for (int i = 0; i < 10; i++) {
		pass(25);
		metrics_progress();
	}
	cr_expect(is_alive(role));
	/* after READY progress does not count: an endless loop may still report it */
	pass(1);
	role->instance->state = INSTANCE_READY;
	for (int i = 0; i < 11; i++) {
		metrics_progress();
		pass(1);
	}
	cr_expect_eq(signal_of(role), SIGABRT);
	metrics_unmap(&role->instance->region);
}

/* Counts the extensions among the datagrams that the manager got. */
static unsigned
count_extensions(int fd)
{
	char text[200];
	unsigned count = 0;
	ssize_t n;

	while ((n = recv(fd, text, sizeof text - 1, MSG_DONTWAIT)) > 0) {
		text[n] = 0;
		count += strcmp(text, "EXTEND_TIMEOUT_USEC=90000000") == 0;
	}
	return count;
}

/* systemd's own limit of a start is extended while the start makes progress, and no longer. */
Test(liveness, systemd_gets_extensions_while_a_start_makes_progress)
{
	struct rig_role *role = with_process(ROLE_QUEUE, false);
	struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "/tmp/sallyport-XXXXXX"};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), region = metrics_create();

	close(mkostemp(at.sun_path, O_CLOEXEC));
	unlink(at.sun_path);
	cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	setenv("NOTIFY_SOCKET", at.sun_path, 1);
	cr_assert_eq(metrics_use(region), 0);
	role->instance->region = metrics_map(region);
	role->instance->state = INSTANCE_STARTING;
	role->instance->is_start_sent = true;
	r.d.was_ready = false;
	for (int i = 0; i < 8; i++) {
		metrics_progress();
		pass(1);
	}
	cr_expect_eq(count_extensions(fd), 8);
	pass(5);
	cr_expect_eq(count_extensions(fd), 0, "without progress it is not extended");
	r.d.was_ready = true;
	metrics_progress();
	pass(1);
	cr_expect_eq(count_extensions(fd), 0, "nor is that of a daemon that was ready");
	cr_expect(is_alive(role));
	kill(role->instance->pid, SIGKILL);
	cr_expect_eq(signal_of(role), SIGKILL);
	unsetenv("NOTIFY_SOCKET");
	unlink(at.sun_path);
	close(fd);
	metrics_unmap(&role->instance->region);
}

/* Between START and READY an answer shows nothing: the role has not begun to start. */
Test(liveness, answers_do_not_count_after_start)
{
	struct rig_role *role = with_process(ROLE_QUEUE, false);

	role->instance->state = INSTANCE_STARTING;
	role->instance->is_start_sent = true;
	for (int i = 0; i < 31; i++) {
		pass(1);
		liveness_pong(role->instance, role->instance->ping_number);
	}
	cr_expect_eq(signal_of(role), SIGABRT);
}

Test(liveness, a_worker_inside_a_check_has_more_time)
{
	struct rig_role *role = with_process(ROLE_WORKER, false);
	int fd = metrics_create();

	cr_assert_eq(metrics_use(fd), 0);
	role->instance->region = metrics_map(fd);
	metrics_blocking(true);
	pass(30);
	cr_expect(is_alive(role));
	cr_expect(!liveness_is_overdue(role->instance));
	pass(1);
	cr_expect_eq(signal_of(role), SIGABRT);
	metrics_unmap(&role->instance->region);
}

Test(liveness, an_idle_worker_is_like_the_others)
{
	struct rig_role *role = with_process(ROLE_WORKER, false);

	pass(11);
	cr_expect_eq(signal_of(role), SIGABRT);
}

/* A disk that hangs can block even what SIGKILL should end: then the watchdog gets no message. */
Test(liveness, a_process_that_does_not_end_is_not_healthy)
{
	struct rig_role *role = rig_role(&r, ROLE_QUEUE, 0);

	liveness_init_instance(role->instance);
	pass(11 + 30);
	cr_expect(liveness_is_healthy(&r.d), "being replaced within its limits");
	pass(1);
	cr_expect(!liveness_is_healthy(&r.d));
	role->instance->state = INSTANCE_DOWN;
	cr_expect(liveness_is_healthy(&r.d));
}

static void
nothing(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* The kernel has not ended the process yet; only a worker, and a role whose successor needs none of
 * its locks and files, is abandoned. */
Test(liveness, a_process_that_does_not_end_is_abandoned)
{
	static const struct {
		enum role_kind kind;
		bool is_abandoned;
	} cases[] = {{ROLE_SUBMISSION, true}, {ROLE_RELAY, true}, {ROLE_QUEUE, false},
	    {ROLE_KEYS, false}, {ROLE_WORKER, true}, {ROLE_ACCOUNTS, true}};

	for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
		struct rig_role *role = rig_role(&r, cases[n].kind, 0);
		struct instance *i = role->instance;
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		i->restart_timer = evtimer_new(r.d.base, nothing, NULL);
		i->pid = pid; /* not reaped yet: it exists, and does nothing */
		liveness_init_instance(i);
		pass(10 + 5);
		cr_expect_eq(i->pid, pid, "not before its time");
		pass(2);
		cr_expect_eq(
		    i->pid, cases[n].is_abandoned ? 0 : pid, "%s", role_name(cases[n].kind));
		cr_expect_eq(i->state == INSTANCE_DOWN, cases[n].is_abandoned);
		cr_expect_eq(evtimer_pending(i->restart_timer, NULL) != 0, cases[n].is_abandoned);
		i->pid = 0;
		i->state = INSTANCE_DOWN;
		event_free(i->restart_timer);
		cr_assert_eq(waitpid(pid, NULL, 0), pid);
	}
}

/* The broker had it killed, since it did not answer a request in time. */
Test(liveness, a_killed_worker_that_does_not_end_is_abandoned)
{
	struct instance *i = rig_role(&r, ROLE_ACCOUNTS, 0)->instance;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	i->restart_timer = evtimer_new(r.d.base, nothing, NULL);
	i->pid = pid; /* not reaped yet */
	liveness_init_instance(i);
	pass(1);
	liveness_note_killed(i);
	cr_expect(liveness_is_overdue(i), "status shows it");
	pass(4);
	cr_expect_eq(i->pid, pid, "not before its time");
	pass(2);
	cr_expect_eq(i->pid, 0);
	cr_expect(evtimer_pending(i->restart_timer, NULL));
	cr_expect(liveness_abandoned_ended(&r.d, pid), "it is counted until it ends");
	i->state = INSTANCE_DOWN;
	event_free(i->restart_timer);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

/* The limit counts the processes that exist at a time, not all that were ever abandoned. */
Test(liveness, abandoned_processes_have_a_limit)
{
	struct instance *i = rig_role(&r, ROLE_SUBMISSION, 0)->instance;

	i->restart_timer = evtimer_new(r.d.base, nothing, NULL);
	for (int n = 0; n < INSTANCE_ABANDONED_MAX; n++) {
		i->pid = 1000 + n;
		i->state = INSTANCE_READY;
		cr_assert(liveness_abandon(i, "test"));
		cr_expect_eq(i->pid, 0);
	}
	i->pid = 2000;
	i->state = INSTANCE_READY;
	cr_expect(!liveness_abandon(i, "test"));
	cr_expect_eq(i->pid, 2000);
	cr_expect(!liveness_abandoned_ended(&r.d, 2000), "it is not left behind");
	cr_expect(liveness_abandoned_ended(&r.d, 1003));
	cr_expect(!liveness_abandoned_ended(&r.d, 1003));
	cr_expect(liveness_abandon(i, "test"));
	event_free(i->restart_timer);
}

Test(liveness, while_stopping_each_stage_has_its_own_limit)
{
	struct rig_role *role = with_process(ROLE_RELAY, false);

	r.d.stage = 0;
	pass(60);
	cr_expect(is_alive(role));
	kill(role->instance->pid, SIGKILL);
}
