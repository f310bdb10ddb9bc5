/* The role control, with the test as main, as the queue and as the tool: every command ends, and
 * its answer says which process did not answer. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rig.h"

Test(control_requests, the_answer_names_a_queue_that_does_not_answer, .timeout = 60)
{
	static struct control_rig r;
	uint64_t late;

	control_rig_start(&r);
	expect_working(&r);
	clock_shorten_timeouts(200);
	r.is_silent = true;
	run_command(&r, "queue.list");
	cr_assert_eq(r.exit_code, 69);
	cr_assert_str_eq(
	    r.text, "queue did not answer within 60 s; it may still do what was asked");
	late = r.call;
	expect_working(&r);
	answer_from_queue(&r, late);
	expect_working(&r);
	control_rig_stop(&r);
}

/* The queue must not wait until the rows of a command that has expired are read. */
Test(control_requests, the_queue_is_notified_of_an_expired_command, .timeout = 60)
{
	static struct control_rig r;

	control_rig_start(&r);
	clock_shorten_timeouts(200);
	r.is_silent = true;
	send_command(&r, "queue.list");
	wait_for_count(&r, &r.request_count, 1);
	r.long_call = r.call;
	wait_for_count(&r, &r.answer_count, 1);
	cr_assert_eq(r.exit_code, 69);
	wait_for_count(&r, &r.tools_gone, 1);
	expect_working(&r);
	control_rig_stop(&r);
}

/* `status` is used when something hangs: its deadline is shorter than that of other commands, even
 * if those are running. */
Test(control_requests, status_has_a_short_deadline, .timeout = 60)
{
	static struct control_rig r;

	control_rig_start(&r);
	clock_shorten_timeouts(10);
	r.is_silent = true;
	send_command(&r, "queue.list");
	wait_for_count(&r, &r.request_count, 1);
	send_command(&r, "queue.status");
	wait_for_count(&r, &r.answer_count, 1);
	cr_assert_eq(r.exit_code, 69);
	cr_assert_str_eq(r.text, "queue did not answer within 4 s; it may still do what was asked");
	expect_working(&r);
	control_rig_stop(&r);
}

Test(control_requests, a_refusal_and_a_loss_end_a_command, .timeout = 60)
{
	static struct control_rig r;

	control_rig_start(&r);
	r.is_silent = true;
	send_command(&r, "queue.list");
	wait_for_count(&r, &r.request_count, 1);
	channel_refuse(r.queue, r.call);
	wait_for_count(&r, &r.answer_count, 1);
	cr_assert_eq(r.exit_code, 69);
	cr_assert_str_eq(r.text, "queue could not take the question or answer it");
	send_command(&r, "queue.list");
	wait_for_count(&r, &r.request_count, 2);
	channel_free(&r.queue);
	wait_for_count(&r, &r.answer_count, 2);
	cr_assert_str_eq(r.text,
	    "queue ended after 0 s without an answer and is started again: repeat the command");
	connect_queue(&r);
	expect_working(&r);
	control_rig_stop(&r);
}

/* A tool that disconnects cancels its commands: their answers are dropped, and other commands are
 * answered. */
Test(control_requests, commands_of_a_disconnected_tool_are_cancelled, .timeout = 60)
{
	static struct control_rig r;

	control_rig_start(&r);
	r.is_silent = true;
	for (unsigned i = 0; i < 16; i++)
		send_command(&r, "queue.list");
	wait_for_count(&r, &r.request_count, 16);
	connect_tool(&r);
	expect_working(&r);
	answer_from_queue(&r, r.call - 1);
	expect_working(&r);
	control_rig_stop(&r);
}

/* A message that a tool must not send closes its connection; only control may send ADMIN. */
Test(control_requests, a_forbidden_message_closes_the_connection, .timeout = 60)
{
	static struct control_rig r;
	struct message_admin m = {.verb = STR("queue.list"), .by = STR("root")};

	control_rig_start(&r);
	(void)ask_pooled(r.tool, MESSAGE_ADMIN, &m, on_tool_answer, &r);
	wait_for_count(&r, &r.answer_count, 1);
	cr_assert_eq(r.end, REQUEST_LOST);
	cr_assert_eq(r.request_count, 0);
	connect_tool(&r);
	expect_working(&r);
	control_rig_stop(&r);
}

static unsigned
count_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* A large body: the file descriptor that the queue sends with a row reaches the tool, and control
 * keeps none. */
Test(control_requests, a_descriptor_of_a_row_reaches_the_tool, .timeout = 60)
{
	static struct control_rig r;
	unsigned before;
	struct stat st;

	control_rig_start(&r);
	r.row_fd = memfd_create("body", MFD_CLOEXEC);
	cr_assert_eq(fstat(r.row_fd, &st), 0);
	expect_working(&r);
	before = count_descriptors();
	for (int i = 0; i < 3; i++) {
		r.row_inode = 0;
		expect_working(&r);
		cr_expect_eq(r.row_inode, st.st_ino);
	}
	cr_expect_eq(count_descriptors(), before);
	close(r.row_fd);
	r.row_fd = -1;
	expect_working(&r);
	cr_expect_eq(r.row_inode, 0);
	control_rig_stop(&r);
}
