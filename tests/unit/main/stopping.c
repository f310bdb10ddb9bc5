/* stopping: processes that do not end, and SIGTERM that comes again. */
#include <criterion/criterion.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "main/liveness.h"
#include "main/stopping.h"
#include "rig.h"

enum { LOG_BYTES = 10000, PATIENCE_S = 25 };

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
		event_free(r.d.instances[n].again);
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

/* Its process has ended, and nobody waits for it: SIGKILL changes nothing, as with one that the
 * kernel keeps. */
static struct instance *
unendable(enum role_kind kind, unsigned index)
{
	struct instance *i = rig_role(&r, kind, index)->instance;

	i->again = evtimer_new(r.d.base, nothing, NULL);
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
	struct timeval limit = {.tv_sec = PATIENCE_S};

	event_base_loopexit(r.d.base, &limit);
	event_base_dispatch(r.d.base);
}

/* Far less than the 30 s of the drain; no kind of role waits for the limits of the others. */
Test(stopping, told_again_it_ends_without_those_that_do_not)
{
	struct instance *first = unendable(ROLE_SUBMISSION, 0),
	                *second = unendable(ROLE_SUBMISSION, 1);
	struct instance *relay = unendable(ROLE_RELAY, 0);

	stopping_begin(&r.d);
	stopping_begin(&r.d);
	stopping_begin(&r.d);
	run_to_the_end();
	cr_expect_eq(first->state, INSTANCE_DOWN);
	cr_expect_eq(second->state, INSTANCE_DOWN);
	cr_expect_eq(relay->state, INSTANCE_DOWN);
	cr_expect_eq(r.d.ended_early, 3, "%u", r.d.ended_early);
	cr_expect_eq(count_lines("told to stop again"), 1);
	cr_expect_eq(count_lines("the stop goes on without it"), 3);
	while (waitpid(-1, NULL, 0) > 0)
		continue;
}

/* As many were left behind while it ran as may be: no reason to wait for one more now. */
Test(stopping, the_bound_of_those_left_behind_holds_no_stop)
{
	struct instance *i = unendable(ROLE_RELAY, 0);

	for (int n = 0; n < INSTANCE_ABANDONED_MAX; n++)
		i->left[n] = 1000000 + n;
	stopping_begin(&r.d);
	stopping_begin(&r.d);
	run_to_the_end();
	cr_expect_eq(i->state, INSTANCE_DOWN);
	cr_expect_eq(count_lines("the stop goes on without it"), 1);
	cr_assert_gt(waitpid(-1, NULL, 0), 0);
}

/* It holds the lock of the spool; it is told once, though it is killed again and again. */
Test(stopping, a_queue_that_does_not_end_is_waited_for)
{
	struct instance *i = unendable(ROLE_QUEUE, 0);

	stopping_begin(&r.d);
	stopping_begin(&r.d);
	run_to_the_end();
	cr_expect_eq(i->state, INSTANCE_READY);
	cr_expect_eq(count_lines("so nothing replaces it before it has ended"), 1);
	cr_expect_eq(count_lines("does not stop in time"), 0, "it was killed at once");
	cr_assert_gt(waitpid(-1, NULL, 0), 0);
}
