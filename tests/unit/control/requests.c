/* The role control, with the test as its main, as the queue and as the tool: every command ends,
 * and says which process did not answer. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rig.h"

Test(control_requests, a_command_of_a_stopped_queue_says_who_did_not_answer, .timeout = 60)
{
	static struct setting s;
	uint64_t late;

	set_up(&s);
	works_as_ever(&s);
	clock_shorten_timeouts(200);
	s.is_silent = true;
	command(&s, "queue.list");
	cr_assert_eq(s.exit_code, 69);
	cr_assert_str_eq(
	    s.text, "queue did not answer within 60 s; it may still do what was asked");
	late = s.call;
	works_as_ever(&s);
	answer(&s, late);
	works_as_ever(&s);
	tear_down(&s);
}

/* The queue must not wait until somebody takes the rows of a command that has ended here. */
Test(control_requests, the_queue_hears_that_a_command_has_expired, .timeout = 60)
{
	static struct setting s;

	set_up(&s);
	clock_shorten_timeouts(200);
	s.is_silent = true;
	say(&s, "queue.list");
	until(&s, &s.asked, 1);
	s.long_call = s.call;
	until(&s, &s.ended, 1);
	cr_assert_eq(s.exit_code, 69);
	until(&s, &s.gone, 1);
	works_as_ever(&s);
	tear_down(&s);
}

/* `status` is asked when something hangs: it does not wait as long as other commands may, whatever
 * else is open. */
Test(control_requests, status_says_soon_who_did_not_answer, .timeout = 60)
{
	static struct setting s;

	set_up(&s);
	clock_shorten_timeouts(10);
	s.is_silent = true;
	say(&s, "queue.list");
	until(&s, &s.asked, 1);
	say(&s, "queue.status");
	until(&s, &s.ended, 1);
	cr_assert_eq(s.exit_code, 69);
	cr_assert_str_eq(s.text, "queue did not answer within 4 s; it may still do what was asked");
	works_as_ever(&s);
	tear_down(&s);
}

Test(control_requests, a_refusal_and_a_loss_end_a_command, .timeout = 60)
{
	static struct setting s;

	set_up(&s);
	s.is_silent = true;
	say(&s, "queue.list");
	until(&s, &s.asked, 1);
	channel_refuse(s.queue, s.call);
	until(&s, &s.ended, 1);
	cr_assert_eq(s.exit_code, 69);
	cr_assert_str_eq(s.text, "queue could not take the question or answer it");
	say(&s, "queue.list");
	until(&s, &s.asked, 2);
	channel_free(&s.queue);
	until(&s, &s.ended, 2);
	cr_assert_str_eq(s.text,
	    "queue ended after 0 s without an answer and is started again: repeat the command");
	give_queue(&s);
	works_as_ever(&s);
	tear_down(&s);
}

/* A tool that leaves cancels its commands: the answers find no one, and others are served. */
Test(control_requests, a_tool_that_leaves, .timeout = 60)
{
	static struct setting s;

	set_up(&s);
	s.is_silent = true;
	for (unsigned i = 0; i < 16; i++)
		say(&s, "queue.list");
	until(&s, &s.asked, 16);
	connect_tool(&s);
	works_as_ever(&s);
	answer(&s, s.call - 1);
	works_as_ever(&s);
	tear_down(&s);
}

/* What a tool may not say costs it its connection; ADMIN is for control alone to say. */
Test(control_requests, what_no_tool_says, .timeout = 60)
{
	static struct setting s;
	struct message_admin m = {.verb = STR("queue.list"), .by = STR("root")};

	set_up(&s);
	(void)ask_pooled(s.tool, MESSAGE_ADMIN, &m, heard, &s);
	until(&s, &s.ended, 1);
	cr_assert_eq(s.end, REQUEST_LOST);
	cr_assert_eq(s.asked, 0);
	connect_tool(&s);
	works_as_ever(&s);
	tear_down(&s);
}

static unsigned
descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* A large body: the file that the queue gives with a row reaches the tool, and control keeps none.
 */
Test(control_requests, a_descriptor_of_a_row_reaches_the_tool, .timeout = 60)
{
	static struct setting s;
	unsigned before;
	struct stat st;

	set_up(&s);
	s.row_fd = memfd_create("body", MFD_CLOEXEC);
	cr_assert_eq(fstat(s.row_fd, &st), 0);
	works_as_ever(&s);
	before = descriptors();
	for (int i = 0; i < 3; i++) {
		s.got_inode = 0;
		works_as_ever(&s);
		cr_expect_eq(s.got_inode, st.st_ino);
	}
	cr_expect_eq(descriptors(), before);
	close(s.row_fd);
	s.row_fd = -1;
	works_as_ever(&s);
	cr_expect_eq(s.got_inode, 0);
	tear_down(&s);
}
