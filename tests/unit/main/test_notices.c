/* notices: the request to the queue is repeated until the mail is stored; the test plays the
 * queue. */
#include "main/notices.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "main/notices_list.h"
#include "main/resources.h"
#include "main/watch_spool.h"
#include "rig.h"

static struct rig r;
static int64_t now_ms;
static char log_path[100], sent_path[100];

static void
notices_set_up(void)
{
	rig_set_up(&r);
	rig_configure(&r, "");
	snprintf(log_path, sizeof log_path, "%s/log", r.directory);
	snprintf(sent_path, sizeof sent_path, "%s/notices.sent", r.directory);
	log_open(open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600), LOG_TO_FILE);
	r.d.state_fd = open(r.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	clock_fake(now_ms = INT64_C(1795000000000));
	notices_start(&r.d);
}

static void
notices_tear_down(void)
{
	clock_fake(-1);
	notices_stop(&r.d);
	close(r.d.state_fd);
	rig_tear_down(&r);
}

TestSuite(notices, .init = notices_set_up, .fini = notices_tear_down, .timeout = 60);

static void
pass(int64_t ms)
{
	clock_fake(now_ms += ms);
	notices_check_all(&r.d);
	rig_run(&r, 0);
}

static void
answer(struct rig_role *queue, unsigned code)
{
	struct message_status m = {.status = smtp_status_make(code,
	                               code == 250   ? "2.0.0"
	                               : code == 554 ? "5.3.4"
	                                             : "4.3.1",
	                               "text")};

	cr_assert_eq(channel_answer(queue->channel, queue->notice_call, MESSAGE_STATUS, &m, -1), 0);
	rig_run(&r, 0);
}

static const char *
content(const char *path)
{
	static char text[16384];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void
an_event(void)
{
	notices_add(&r.d, NOTICE_SPOOL, STR("/var/spool"), "moved to %s", "/tmp");
	pass(NOTICES_GATHER_MS);
}

Test(notices, the_request_is_repeated_until_the_mail_is_stored)
{
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0);
	uint64_t id;

	an_event();
	cr_assert_eq(queue->notices, 1);
	cr_assert(strstr(queue->notice_text, "moved to /tmp"), "%s", queue->notice_text);
	id = queue->notice_id;
	answer(queue, 452);
	pass(NOTICES_PAUSE_FIRST_MS - 1);
	cr_assert_eq(queue->notices, 1, "after a pause");
	for (unsigned n = 2; n < 12; n++) {
		pass(NOTICES_PAUSE_MAX_MS);
		cr_assert_eq(queue->notices, n, "the pause grows to %d ms", NOTICES_PAUSE_MAX_MS);
		answer(queue, n % 2 ? 451 : 452);
	}
	cr_assert_eq(content(sent_path)[0], '\0', "nothing was sent");
	pass(NOTICES_PAUSE_MAX_MS);
	cr_assert_eq(queue->notice_id, id, "the same mail");
	answer(queue, 250);
	cr_assert(strstr(content(sent_path), " spool /var/spool\n"), "%s", content(sent_path));
	pass(NOTICES_PAUSE_MAX_MS);
	an_event();
	cr_assert_eq(queue->notices, 12, "once a day");
	cr_assert_eq(strstr(strstr(content(log_path), "status=late") + 1, "status=late"), NULL,
	    "one line: %s", content(log_path));
}

/* The queue has the text of the first one: later events are in the next one. */
Test(notices, events_during_a_request_are_in_the_next_notice)
{
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0);

	an_event();
	notices_add(&r.d, NOTICE_SPOOL, STR("/var/spool"), "moved to /tmp");
	notices_add(&r.d, NOTICE_SPOOL, STR("/var/spool"), "moved back");
	answer(queue, 250);
	pass(NOTICES_GATHER_MS);
	cr_assert_eq(queue->notices, 2);
	cr_assert(strstr(queue->notice_text, "moved back"), "%s", queue->notice_text);
	cr_assert_null(
	    strstr(queue->notice_text, "moved to /tmp"), "already sent: %s", queue->notice_text);
	answer(queue, 250);
	pass(NOTICES_PAUSE_MAX_MS);
	cr_assert_eq(queue->notices, 2);
}

/* The mail may have been stored with the text it had: the same request is repeated. */
Test(notices, events_after_a_lost_answer_are_in_the_next_notice)
{
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0);
	uint64_t id;

	an_event();
	id = queue->notice_id;
	channel_refuse(queue->channel, queue->notice_call);
	rig_run(&r, 0);
	notices_add(&r.d, NOTICE_SPOOL, STR("/var/spool"), "moved back");
	pass(NOTICES_PAUSE_FIRST_MS);
	cr_assert_eq(queue->notices, 2);
	cr_assert_eq(queue->notice_id, id);
	cr_assert_null(strstr(queue->notice_text, "moved back"), "%s", queue->notice_text);
	answer(queue, 250);
	pass(NOTICES_GATHER_MS);
	cr_assert_eq(queue->notices, 3);
	cr_assert_neq(queue->notice_id, id);
	cr_assert(strstr(queue->notice_text, "moved back"), "%s", queue->notice_text);
	answer(queue, 250);
}

/* A refused request stores nothing: the same notice takes events until the next request. */
Test(notices, events_after_a_refusal_are_in_the_same_notice)
{
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0);

	an_event();
	answer(queue, 452);
	notices_add(&r.d, NOTICE_SPOOL, STR("/var/spool"), "moved back");
	pass(NOTICES_PAUSE_FIRST_MS);
	cr_assert_eq(queue->notices, 2);
	cr_assert(strstr(queue->notice_text, "moved to /tmp"), "%s", queue->notice_text);
	cr_assert(strstr(queue->notice_text, "moved back"), "%s", queue->notice_text);
	answer(queue, 250);
}

Test(notices, a_collected_kind_has_one_per_hour_also_after_an_event_during_a_request)
{
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0);

	notices_add(&r.d, NOTICE_ACCESS, STR("192.0.2.1"), "first");
	pass(NOTICES_COLLECT_MS);
	cr_assert_eq(queue->notices, 1);
	notices_add(&r.d, NOTICE_ACCESS, STR("192.0.2.2"), "second");
	answer(queue, 250);
	pass(NOTICES_COLLECT_MS);
	cr_assert_eq(queue->notices, 1, "not in this hour");
	pass(NOTICES_HOUR_MS);
	cr_assert_eq(queue->notices, 2);
	cr_assert(strstr(queue->notice_text, "second"), "%s", queue->notice_text);
	answer(queue, 250);
}

Test(notices, status_counts_the_notices_of_the_last_day)
{
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0);
	struct buf values;

	an_event();
	answer(queue, 250);
	buf_init(&values, 1000);
	cr_assert(notices_status(&r.d, &values));
	cr_assert(str_eq(message_values_get(buf_str(&values), "sent"), STR("1")));
	buf_clear(&values);
	pass(NOTICES_DAY_MS);
	buf_init(&values, 1000);
	cr_assert(notices_status(&r.d, &values));
	cr_assert(str_eq(message_values_get(buf_str(&values), "sent"), STR("0")));
	cr_assert_eq(message_values_get(buf_str(&values), "last").n, 0);
	buf_clear(&values);
}

Test(notices, a_replaced_queue_gets_the_request_again)
{
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0), *next;
	uint64_t id;

	an_event();
	cr_assert_eq(queue->notices, 1);
	id = queue->notice_id;
	channel_free(&queue->instance->channel);
	queue->instance->state = INSTANCE_DOWN;
	pass(1000);
	next = rig_role(&r, ROLE_QUEUE, 0);
	next->instance->state = INSTANCE_STARTING;
	pass(NOTICES_PAUSE_MAX_MS);
	cr_assert_eq(next->notices, 0, "it is not ready");
	next->instance->state = INSTANCE_READY;
	notices_queue_is_ready(&r.d);
	rig_run(&r, 0);
	cr_assert_eq(next->notices, 1, "at once");
	cr_assert_eq(next->notice_id, id);
}

Test(notices, a_queue_that_does_not_answer_gets_the_request_again)
{
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0);

	an_event();
	channel_refuse(queue->channel, queue->notice_call);
	rig_run(&r, 0);
	pass(NOTICES_PAUSE_FIRST_MS);
	cr_assert_eq(queue->notices, 2);
}

Test(notices, a_notice_that_can_never_be_stored_is_given_up)
{
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0);

	an_event();
	answer(queue, 554);
	pass(NOTICES_PAUSE_MAX_MS);
	cr_assert_eq(queue->notices, 1);
	cr_assert(
	    strstr(content(log_path), "notice kind=spool status=dropped"), "%s", content(log_path));
}

Test(notices, a_damaged_file_is_logged_and_not_used)
{
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0);

	notices_stop(&r.d);
	rig_write(sent_path, "1795000000000 spool /var/spool\nnonsense\n");
	notices_start(&r.d);
	cr_assert(
	    strstr(content(log_path), "notices.sent is damaged"), "%s", content(log_path));
	an_event();
	cr_assert_eq(queue->notices, 1);
}

Test(notices, a_file_that_cannot_be_read_is_logged_and_not_used)
{
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0);

	notices_stop(&r.d);
	cr_assert_eq(mkdir(sent_path, 0700), 0);
	notices_start(&r.d);
	cr_assert(strstr(content(log_path), "notices.sent cannot be read: Is a directory"));
	an_event();
	answer(queue, 250);
	cr_assert(strstr(content(log_path), "notices.sent cannot be written: Is a directory"));
	cr_assert_eq(queue->notices, 1);
	cr_assert_eq(rmdir(sent_path), 0);
}

Test(notices, no_notice_when_they_are_disabled)
{
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0);
	struct buf values;

	notices_add(&r.d, NOTICE_SPOOL, STR("/var/spool"), "moved");
	rig_configure(&r, "notices = false;");
	an_event();
	cr_assert_eq(queue->notices, 0, "nor what was pending");
	buf_init(&values, 1000);
	cr_assert_not(notices_status(&r.d, &values));
	rig_configure(&r, "notices = true;");
	an_event();
	cr_assert_eq(queue->notices, 1);
}

/* From a compromised role only alerts about its own work are accepted. */
Test(notices, a_role_reports_only_its_own_work)
{
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0), *auth = rig_role(&r, ROLE_AUTH, 0);
	struct message_alert m = {.object = STR("x"), .text = STR("a\r\n\r\nb")};

	for (unsigned kind = 0; kind < 256; kind++) {
		m.kind = (uint8_t)kind;
		if (kind != NOTICE_ACCESS)
			cr_assert_eq(channel_send(auth->channel, MESSAGE_ALERT, &m, -1), 0);
	}
	rig_run(&r, 0);
	pass(NOTICES_COLLECT_MS);
	cr_assert_eq(queue->notices, 0);
	m.kind = NOTICE_ACCESS;
	cr_assert_eq(channel_send(auth->channel, MESSAGE_ALERT, &m, -1), 0);
	rig_run(&r, 0);
	pass(NOTICES_COLLECT_MS);
	cr_assert_eq(queue->notices, 1);
	cr_assert(strstr(queue->notice_text, " a    b\n"), "one line: %s", queue->notice_text);
}

static struct rig_role *
queue_with_region(int *fd)
{
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0);

	*fd = metrics_create();
	cr_assert_eq(metrics_use(*fd), 0);
	queue->instance->region = metrics_map(*fd);
	cr_assert(queue->instance->region);
	return queue;
}

static void
leave_region(struct rig_role *queue, int fd)
{
	metrics_leave();
	metrics_unmap(&queue->instance->region);
	close(fd);
}

/* Until it can be stored it is pending; after that it has the begin and end of the problem. */
Test(notices, a_problem_is_reported_with_begin_and_end)
{
	struct rig_role *queue;
	int fd;

	queue = queue_with_region(&fd);
	metrics_trouble("no room for this moment");
	pass(1000);
	metrics_trouble("");
	pass(NOTICES_STEADY_MS + NOTICES_GATHER_MS);
	cr_assert_eq(queue->notices, 0, "a short problem is not reported");
	metrics_trouble("no room on the disk");
	pass(1000);
	pass(NOTICES_STEADY_MS);
	pass(NOTICES_GATHER_MS);
	cr_assert_eq(queue->notices, 1);
	cr_assert(strstr(queue->notice_text, ": no room on the disk\n"), "%s", queue->notice_text);
	cr_assert(strstr(queue->notice_text, "queue 0: since 2026-"), "%s", queue->notice_text);
	answer(queue, 452);
	metrics_trouble("");
	pass(NOTICES_PAUSE_MAX_MS);
	cr_assert_eq(queue->notices, 2);
	cr_assert(strstr(queue->notice_text, "queue 0: from 2026-"), "%s", queue->notice_text);
	cr_assert(strstr(queue->notice_text, ": no room on the disk\n"), "%s", queue->notice_text);
	answer(queue, 250);
	metrics_trouble("no room on the disk");
	pass(NOTICES_STEADY_MS);
	metrics_trouble("");
	pass(NOTICES_DAY_MS);
	pass(NOTICES_DAY_MS);
	cr_assert_eq(queue->notices, 2, "its end is no event");
	leave_region(queue, fd);
}

/* The queue's disk hangs after the request: this must not cause a second mail, which would arrive
 * last and report a problem that is over. */
Test(notices, a_problem_that_changes_during_a_request_is_one_notice)
{
	struct rig_role *queue;
	int fd;

	queue = queue_with_region(&fd);
	metrics_trouble("no room on the disk");
	pass(1000);
	pass(NOTICES_STEADY_MS);
	pass(NOTICES_GATHER_MS);
	cr_assert_eq(queue->notices, 1);
	metrics_trouble("thread writer waits 97 s for the disk");
	pass(1000);
	answer(queue, 452);
	metrics_trouble("");
	pass(NOTICES_PAUSE_MAX_MS);
	cr_assert_eq(queue->notices, 2);
	cr_expect(strstr(queue->notice_text, "queue 0: from 2026-"), "%s", queue->notice_text);
	cr_expect(strstr(queue->notice_text, "waits 97 s for the disk"), "%s", queue->notice_text);
	cr_expect_null(strstr(queue->notice_text, "since 2026-"), "%s", queue->notice_text);
	answer(queue, 250);
	pass(NOTICES_PAUSE_MAX_MS);
	cr_expect_eq(queue->notices, 2);
	leave_region(queue, fd);
}

Test(notices, a_problem_that_differs_only_in_seconds_is_one_notice)
{
	struct rig_role *queue;
	char text[60];
	int fd;

	queue = queue_with_region(&fd);
	for (int s = 5; s < 60; s++) {
		snprintf(text, sizeof text, "thread writer waits %d s for the disk", s);
		metrics_trouble(text);
		pass(1000);
	}
	cr_assert_eq(queue->notices, 1);
	answer(queue, 250);
	pass(NOTICES_PAUSE_MAX_MS);
	pass(NOTICES_GATHER_MS);
	cr_expect_eq(queue->notices, 1, "%s", queue->notice_text);
	leave_region(queue, fd);
}

/* The notice about the spool does not contain the problem text of the queue, and suppresses
 * none. */
Test(notices, a_moved_spool_is_reported_once)
{
	char path[100], moved_path[110];
	struct rig_role *queue;
	int fd;

	snprintf(path, sizeof path, "%s/spool", r.directory);
	snprintf(moved_path, sizeof moved_path, "%s/elsewhere", r.directory);
	cr_assert_eq(mkdir(path, 0700), 0);
	r.d.spool_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	queue = queue_with_region(&fd);
	watch_spool_start(&r.d);
	cr_assert_eq(rename(path, moved_path), 0);
	rig_run(&r, 2100);
	cr_assert(watch_spool_trouble(&r.d)[0]);
	for (int s = 0; s < 60; s++)
		pass(1000);
	cr_assert_eq(queue->notices, 1);
	cr_expect(strstr(queue->notice_text, "The spool is not where"), "%s", queue->notice_text);
	answer(queue, 250);
	for (int s = 0; s < 60; s++)
		pass(1000);
	cr_expect_eq(queue->notices, 1, "%s", queue->notice_text);
	metrics_trouble("no room on the disk");
	for (int s = 0; s < 60; s++)
		pass(1000);
	cr_assert_eq(queue->notices, 2, "the trouble of the queue itself");
	cr_expect(strstr(queue->notice_text, ": no room on the disk\n"), "%s", queue->notice_text);
	answer(queue, 250);
	watch_spool_stop(&r.d);
	close(r.d.spool_fd);
	leave_region(queue, fd);
}

/* The problem of a process that `sallyport status` shows is reported too. */
Test(notices, a_system_file_that_cannot_be_read_is_reported)
{
	struct rig_role *queue = rig_role(&r, ROLE_QUEUE, 0);
	struct resources_refusal refusal;
	char path[100];
	int fd = metrics_create();

	snprintf(path, sizeof path, "%s/resolv.conf", r.directory);
	cr_assert_eq(mkdir(path, 0700), 0);
	r.d.conf->dns.resolv_conf = str_of(path);
	r.d.resources = resources_new(r.d.conf, NULL, 1, &refusal);
	cr_assert(r.d.resources, "%s", refusal.why);
	rig_role(&r, ROLE_RELAY, 0)->instance->region = metrics_map(fd);
	pass(1000);
	pass(NOTICES_STEADY_MS);
	pass(NOTICES_GATHER_MS);
	cr_assert_eq(queue->notices, 1);
	cr_assert(strstr(queue->notice_text, "relay 0: since 2026-"), "%s", queue->notice_text);
	cr_assert(strstr(queue->notice_text, "resolv.conf cannot be read (Is a directory)"), "%s",
	    queue->notice_text);
	answer(queue, 250);
	resources_free(&r.d.resources);
	rmdir(path);
	close(fd);
}
