/* daemon_metrics and metric_sums: what the roles counted, over all of their processes, while they
 * run and after they have ended. */
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "main/daemon_admin.h"
#include "main/instance.h"
#include "main/metric_sums.h"
#include "main/resources.h"
#include "rig.h"
#include "support/ask.h"

static struct rig r;

static void
daemon_metrics_set_up(void)
{
	rig_set_up(&r);
	rig_configure(&r, "");
	r.d.clients_fd = -1;
}

static void
daemon_metrics_tear_down(void)
{
	rig_tear_down(&r);
}

TestSuite(daemon_metrics, .init = daemon_metrics_set_up, .fini = daemon_metrics_tear_down,
    .timeout = 60);

/* Gives the process a region, in which it counts n sessions and sets the size of the queue. */
static struct instance *
counting_role(enum role_kind kind, unsigned index, uint64_t n)
{
	struct instance *i = rig_role(&r, kind, index)->instance;
	int fd = metrics_create();

	cr_assert_geq(fd, 0);
	i->region = metrics_map(fd);
	cr_assert_eq(metrics_use(fd), 0);
	metrics_count(METRIC_SESSIONS, n);
	metrics_set(METRIC_QUEUE_MESSAGES, n);
	metrics_leave();
	close(fd);
	return i;
}

static uint64_t
sessions_counted(void)
{
	uint64_t value;

	cr_expect(metric_sums_read(&r.d, METRIC_SESSIONS, &value));
	return value;
}

Test(daemon_metrics, processes_of_a_role_are_summed)
{
	cr_expect_eq(sessions_counted(), 0);
	counting_role(ROLE_SUBMISSION, 0, 3);
	counting_role(ROLE_SUBMISSION, 1, 4);
	cr_expect_eq(sessions_counted(), 7);
}

/* A process that was taken over falsifies the numbers of its own role, and no others. */
Test(daemon_metrics, a_role_counts_only_its_own_rows)
{
	uint64_t value = 1;

	counting_role(ROLE_RELAY, 0, 1000);
	cr_expect_eq(sessions_counted(), 0);
	cr_expect(!metric_sums_read(&r.d, METRIC_QUEUE_MESSAGES, &value));
	instance_release(r.roles[0].instance);
	cr_expect_eq(sessions_counted(), 0);
}

/* The next process of the role starts at 0: a counter goes on, and a gauge is not known. */
Test(daemon_metrics, a_counter_does_not_fall_when_its_process_ends)
{
	struct instance *i = counting_role(ROLE_SUBMISSION, 0, 3), *queue;
	uint64_t value;

	counting_role(ROLE_SUBMISSION, 1, 4);
	instance_release(i);
	cr_expect_eq(sessions_counted(), 7);
	instance_release(i); /* a start that failed */
	cr_expect_eq(sessions_counted(), 7);
	counting_role(ROLE_SUBMISSION, 0, 2);
	cr_expect_eq(sessions_counted(), 9);
	queue = counting_role(ROLE_QUEUE, 0, 5);
	cr_expect(metric_sums_read(&r.d, METRIC_QUEUE_MESSAGES, &value));
	cr_expect_eq(value, 5);
	instance_release(queue);
	cr_expect(!metric_sums_read(&r.d, METRIC_QUEUE_MESSAGES, &value));
}

/* The region is shared memory: what a process counted before SIGKILL is there. */
Test(daemon_metrics, what_a_killed_process_counted_stays)
{
	struct instance *i = rig_role(&r, ROLE_SUBMISSION, 0)->instance;
	int fd = metrics_create(), status;
	pid_t pid;

	i->region = metrics_map(fd);
	pid = fork();
	if (pid == 0) {
		if (metrics_use(fd) == 0)
			metrics_count(METRIC_SESSIONS, 11);
		kill(getpid(), SIGKILL);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFSIGNALED(status));
	close(fd);
	cr_expect_eq(sessions_counted(), 11);
	instance_release(i);
	cr_expect_eq(sessions_counted(), 11);
}

struct metric_rows {
	unsigned count;
	unsigned without_value;
	bool is_over;
};

static void
metrics_asked(struct channel *c, const struct channel_packet *p, void *arg)
{
	(void)arg;
	if (p->type == MESSAGE_ADMIN)
		daemon_admin_handle(&r.d, c, p->call, &p->message->admin);
}

static void
metrics_channel_lost(struct channel *c, void *arg)
{
	(void)c;
	(void)arg;
	cr_assert_fail("the channel is lost");
}

static void
metrics_answered(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct metric_rows *rows = arg;
	struct str values;

	rows->is_over = end != REQUEST_ROW;
	if (end != REQUEST_ROW) {
		cr_expect_eq(end, REQUEST_ANSWERED);
		return;
	}
	values = p->message->admin_row.values;
	cr_assert_lt(rows->count, METRIC_COUNT);
	cr_expect(str_eq(message_values_get(values, "name"),
	    str_of(metric_table[rows->count].name)), "row %u", rows->count);
	rows->without_value += message_values_get(values, "value").n == 0;
	rows->count++;
}

/* Each row of the table is sent, in its order; gauges of roles that do not run have no value. */
Test(daemon_metrics, every_row_is_sent)
{
	struct message_admin m = {.verb = STR("metrics")};
	struct metric_rows rows = {0};
	struct resources_refusal refusal;
	struct channel *control, *main_end;
	unsigned gauges = 0;
	int ends[2];

	r.d.resources = resources_new(r.d.conf, NULL, 1, &refusal);
	cr_assert(r.d.resources, "%s", refusal.why);
	cr_assert_eq(channel_pair(ends), 0);
	control = channel_new(r.d.base, ends[0], metrics_asked, metrics_channel_lost, NULL);
	main_end = channel_new(r.d.base, ends[1], metrics_asked, metrics_channel_lost, NULL);
	ask_pooled(control, MESSAGE_ADMIN, &m, metrics_answered, &rows);
	for (int i = 0; i < 2000 && !rows.is_over; i++)
		rig_run(&r, 5);
	for (enum metric n = 0; n < METRIC_COUNT; n++)
		gauges += metric_table[n].type == METRIC_GAUGE && metric_table[n].role &&
		    strcmp(metric_table[n].role, "main") != 0;
	cr_expect_eq(rows.count, METRIC_COUNT, "%u", rows.count);
	cr_expect_eq(rows.without_value, gauges, "%u, %u", rows.without_value, gauges);
	channel_free(&control);
	channel_free(&main_end);
	resources_free(&r.d.resources);
}
