/* stopping: processes that do not end, and a second SIGTERM. */
#include <criterion/criterion.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "main/liveness.h"
#include "main/stopping.h"
#include "rig.h"

enum { LOG_BYTES = 10000, TIMEOUT_S = 25 };

static struct rig r;
static int log_fd;

static void
stopping_set_up(void)
{
	rig_set_up(&r);
	rig_configure(&r, "submission: { drain_timeout = \"30s\"; };");
	log_fd = memfd_create("log", MFD_CLOEXEC);
	log_open(dup(log_fd), LOG_TO_FILE);
	liveness_start(&r.d);
	stopping_prepare(&r.d);
}

static void
stopping_tear_down(void)
{
	stopping_clear(&r.d);
	for (unsigned n = 0; n < r.d.instance_count; n++)
		event_free(r.d.instances[n].restart_timer);
	rig_tear_down(&r);
}

TestSuite(stopping, .init = stopping_set_up, .fini = stopping_tear_down, .timeout = 60);

static void
nothing(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* An instance whose process has ended and is not reaped: SIGKILL changes nothing, as with a process
 * that is blocked in the kernel. */
static struct instance *
instance_that_does_not_end(enum role_kind kind, unsigned index)
{
	struct instance *i = rig_role(&r, kind, index)->instance;

	i->restart_timer = evtimer_new(r.d.base, nothing, NULL);
	i->pid = fork();
	if (i->pid == 0)
		_exit(0);
	return i;
}

static unsigned
count_lines(const char *words)
{
	static char text[LOG_BYTES];
	ssize_t n = pread(log_fd, text, sizeof text - 1, 0);
	unsigned count = 0;

	text[n > 0 ? n : 0] = 0;
	for (const char *at = text; (at = strstr(at, words)); at++)
		count++;
	return count;
}

static void
run_to_the_end(void)
{
	struct timeval limit = {.tv_sec = TIMEOUT_S};

	event_base_loopexit(r.d.base, &limit);
	event_base_dispatch(r.d.base);
}

/* It takes far less than the 30 s of the drain; no kind of role waits for the limits of the
 * others. */
Test(stopping, a_second_sigterm_ends_it_without_hanging_processes)
{
	struct instance *first = instance_that_does_not_end(ROLE_SUBMISSION, 0),
	                *second = instance_that_does_not_end(ROLE_SUBMISSION, 1);
	struct instance *relay = instance_that_does_not_end(ROLE_RELAY, 0);

	stopping_begin(&r.d);
	stopping_begin(&r.d);
	stopping_begin(&r.d);
	run_to_the_end();
	cr_expect_eq(first->state, INSTANCE_DOWN);
	cr_expect_eq(second->state, INSTANCE_DOWN);
	cr_expect_eq(relay->state, INSTANCE_DOWN);
	cr_expect_eq(r.d.ended_early, 3, "%u", r.d.ended_early);
	cr_expect_eq(count_lines("stop requested again"), 1);
	cr_expect_eq(count_lines("the stop goes on without it"), 3);
	while (waitpid(-1, NULL, 0) > 0)
		continue;
}

/* The maximum was abandoned while the daemon ran: no reason for the stop to wait for one more. */
Test(stopping, the_limit_of_abandoned_processes_delays_no_stop)
{
	struct instance *i = instance_that_does_not_end(ROLE_RELAY, 0);

	for (int n = 0; n < INSTANCE_ABANDONED_MAX; n++)
		i->abandoned[n] = 1000000 + n;
	stopping_begin(&r.d);
	stopping_begin(&r.d);
	run_to_the_end();
	cr_expect_eq(i->state, INSTANCE_DOWN);
	cr_expect_eq(count_lines("the stop goes on without it"), 1);
	cr_assert_gt(waitpid(-1, NULL, 0), 0);
}

/* It has the lock of the spool; this is logged once, even if SIGKILL is sent several times. */
Test(stopping, a_queue_that_does_not_end_is_waited_for)
{
	struct instance *i = instance_that_does_not_end(ROLE_QUEUE, 0);

	stopping_begin(&r.d);
	stopping_begin(&r.d);
	run_to_the_end();
	cr_expect_eq(i->state, INSTANCE_READY);
	cr_expect_eq(count_lines("so nothing replaces it before it has ended"), 1);
	cr_expect_eq(count_lines("does not stop in time"), 0, "it was killed at once");
	cr_assert_gt(waitpid(-1, NULL, 0), 0);
}
