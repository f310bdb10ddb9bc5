/* supervise: starts that cannot succeed.  The program of the roles is one that ends at once. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "main/grants.h"
#include "main/os.h"
#include "main/stopping.h"
#include "main/supervise.h"
#include "rig.h"

static struct rig r;

static void
supervise_set_up(void)
{
	char listen[100];

	rig_set_up(&r);
	snprintf(listen, sizeof listen,
	    "listen: ( { address = \"127.0.0.1\"; port = %u; tls = \"implicit\"; } );",
	    rig_free_port());
	rig_configure(&r, listen);
	cr_assert(os_role_users(r.d.conf, r.d.identities));
	r.d.submission_count = 1;
}

static void
supervise_tear_down(void)
{
	rig_tear_down(&r);
}

TestSuite(supervise, .init = supervise_set_up, .fini = supervise_tear_down, .timeout = 60);

static void
on_child(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	supervise_reap(arg);
}

static void
on_limit(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	stopping_begin(arg);
}

static void
run_with(const char *program, int limit_s)
{
	struct timeval limit = {.tv_sec = limit_s};
	struct event *child = evsignal_new(r.d.base, SIGCHLD, on_child, &r.d),
	             *over = evtimer_new(r.d.base, on_limit, &r.d);

	signal(SIGPIPE, SIG_IGN);
	evsignal_add(child, NULL);
	evtimer_add(over, &limit);
	r.d.exe_fd = open(program, O_RDONLY | O_CLOEXEC);
	cr_assert(r.d.exe_fd >= 0);
	cr_assert_eq(grants_open(&r.d), 0);
	supervise_start(&r.d);
	event_base_dispatch(r.d.base);
	supervise_end(&r.d);
	grants_close(&r.d);
	close(r.d.exe_fd);
	event_free(child);
	event_free(over);
}

Test(supervise, roles_that_end_at_once_end_the_daemon)
{
	run_with("/bin/false", 40);
	cr_expect_eq(r.d.exit_status, EXIT_LATER);
	for (unsigned n = 0; n < r.d.instance_count; n++)
		cr_expect_eq(r.d.instances[n].state, INSTANCE_DOWN);
}

/* After all roles were ready once, the daemon keeps trying, with growing pauses. */
Test(supervise, after_the_first_ready_it_keeps_trying)
{
	r.d.was_ready = true;
	run_with("/bin/false", 4);
	cr_expect_eq(r.d.exit_status, 0);
	for (unsigned n = 0; n < r.d.instance_count; n++)
		cr_expect(r.d.instances[n].restarts >= 3 && r.d.instances[n].restarts <= 7, "%u",
		    r.d.instances[n].restarts);
}

/* Slots and regions of ended processes are returned. */
Test(supervise, slots_are_returned)
{
	unsigned assigned = 0;

	r.d.was_ready = true;
	run_with("/bin/false", 2);
	for (unsigned n = 0; n < ID_SLOTS; n++)
		assigned += r.d.slots.slot[n].is_assigned;
	cr_expect_eq(assigned, 0);
	for (unsigned n = 0; n < r.d.instance_count; n++)
		cr_expect_null(r.d.instances[n].region);
}
