/* The disk stalls in the middle of a body: one thread waits for it, and all sessions but that one
 * continue. Whatever happens to the message meanwhile, the thread closes its file, and the queue
 * receives its release. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "support/fault_channel.h"
#include "unit/submission/rig.h"

enum { LINES = 5000, CHUNK_BYTES = 140000, TIMEOUT_US = 30 * 1000 * 1000, POLL_US = 5000 };

static struct rig rig;
static struct client client, other;

/* ---- the disk ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t resumed = PTHREAD_COND_INITIALIZER;
static bool is_stalled; /* under the lock */
static _Atomic int disk_error;
static _Atomic unsigned writes_begun, closed_in_loop;

ssize_t __wrap_pwritev(int fd, const struct iovec *v, int count, off_t at);
int __wrap_close(int fd);
int __real_close(int fd);

ssize_t
__wrap_pwritev(int fd, const struct iovec *v, int count, off_t at)
{
	writes_begun++;
	pthread_mutex_lock(&lock);
	while (is_stalled)
		pthread_cond_wait(&resumed, &lock);
	pthread_mutex_unlock(&lock);
	if (disk_error) {
		errno = disk_error;
		return -1;
	}
	return syscall(SYS_pwritev, fd, v, count, at, 0);
}

static bool
is_body(const char *descriptor)
{
	char path[300], name[64] = "";

	snprintf(path, sizeof path, "/proc/self/fd/%s", descriptor);
	return readlink(path, name, sizeof name - 1) > 0 && strstr(name, "memfd:body");
}

int
__wrap_close(int fd)
{
	char text[16];

	snprintf(text, sizeof text, "%d", fd);
	closed_in_loop += is_body(text) && pthread_equal(pthread_self(), rig.submission);
	return __real_close(fd);
}

static void
set_stalled(bool stalled)
{
	pthread_mutex_lock(&lock);
	is_stalled = stalled;
	pthread_cond_broadcast(&resumed);
	pthread_mutex_unlock(&lock);
}

/* ---- descriptors ---- */

static unsigned
open_bodies(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	unsigned n = 0;

	while ((e = readdir(d)))
		n += is_body(e->d_name);
	closedir(d);
	return n;
}

/* The only bodies that are open are those of the queue. */
static void
expect_all_closed(void)
{
	int us = 0;

	for (; us < TIMEOUT_US && open_bodies() != rig.files; us += POLL_US)
		usleep(POLL_US);
	cr_assert_eq(open_bodies(), rig.files, "%u, of %u files", open_bodies(), rig.files);
	cr_assert_eq(closed_in_loop, 0, "%u closed in the loop", closed_in_loop);
}

/* ---- messages ---- */

static char *
large_text(void)
{
	static char text[LINES * 80 + 1];

	for (int i = 0; i < LINES; i++)
		snprintf(text + (size_t)i * 80, 81, "%078d\r\n", i);
	return text;
}

static void
send_large_message(struct client *c)
{
	client_begin_message(c);
	client_send(c, "From: alice@example.com\r\n\r\n");
	client_send(c, large_text());
	client_send(c, ".\r\n");
}

/* Sends one chunk, whose body the thread has to write; the session takes commands again. */
static void
send_chunk(struct client *c)
{
	char head[200], *text = large_text();

	snprintf(head, sizeof head,
	    "MAIL FROM:<alice@example.com>\r\nRCPT TO:<bob@example.net>\r\n"
	    "BDAT %d\r\nFrom: alice@example.com\r\n\r\n",
	    CHUNK_BYTES + 27);
	client_send(c, head);
	text[CHUNK_BYTES] = 0;
	client_send(c, text);
	client_expect(c, "250 2.1.0");
	client_expect(c, "250 2.1.5");
	client_expect(c, "250 2.0.0 140027 octets");
}

static void
begin(void)
{
	rig_begin(&rig, "");
	client_login(&client, &rig);
	client_login(&other, &rig);
	set_stalled(true);
}

static void
end(void)
{
	client_close(&client);
	client_close(&other);
	expect_all_closed();
	rig_end(&rig);
}

/* ---- cases ---- */

Test(stalled_disk, other_sessions_continue_and_the_message_is_stored_later, .timeout = 60)
{
	begin();
	send_large_message(&client);
	rig_until(&writes_begun, 1);
	rig_ping(&rig);
	client_send_message(&other);
	client_send(&other, "QUIT\r\n");
	client_expect(&other, "221");
	client_close(&other);
	client_login(&other, &rig);
	cr_assert_eq(rig.committed, 1);
	set_stalled(false);
	client_expect(&client, "250 2.0.0 Queued as ");
	cr_assert_eq(rig.committed, 2);
	cr_assert(rig.in_file);
	cr_assert_eq(rig.body_bytes, LINES * 80);
	cr_assert_eq(rig.released, 0);
	client_send_message(&client);
	end();
}

Test(stalled_disk, a_write_error_refuses_the_message, .timeout = 60)
{
	begin();
	send_large_message(&client);
	rig_until(&writes_begun, 1);
	disk_error = EIO;
	set_stalled(false);
	client_expect(&client, "451 4.3.0");
	rig_until(&rig.released, 1);
	disk_error = 0;
	send_large_message(&client);
	client_expect(&client, "250 2.0.0 Queued as ");
	end();
}

Test(stalled_disk, rset_between_chunks, .timeout = 60)
{
	begin();
	send_chunk(&client);
	send_chunk(&other);
	rig_until(&writes_begun, 1);
	client_send(&other, "RSET\r\n"); /* its write waits for the one in progress */
	client_expect(&other, "250");
	rig_until(&rig.released, 1);
	client_send(&client, "RSET\r\n");
	client_expect(&client, "250");
	rig_until(&rig.released, 2);
	rig_ping(&rig);
	set_stalled(false);
	expect_all_closed();
	cr_assert_eq(writes_begun, 1);
	client_send_message(&other);
	send_large_message(&client);
	client_expect(&client, "250 2.0.0 Queued as ");
	end();
}

Test(stalled_disk, quit_between_chunks, .timeout = 60)
{
	begin();
	send_chunk(&client);
	rig_until(&writes_begun, 1);
	client_send(&client, "QUIT\r\n");
	client_expect(&client, "221");
	cr_assert(client_is_closed(&client));
	rig_until(&rig.released, 1);
	client_send_message(&other);
	set_stalled(false);
	end();
}

Test(stalled_disk, the_last_chunk_waits_for_the_write, .timeout = 60)
{
	begin();
	send_chunk(&client);
	rig_until(&writes_begun, 1);
	client_send(&client, "BDAT 0 LAST\r\n");
	client_send_message(&other);
	cr_assert_eq(rig.committed, 1);
	set_stalled(false);
	client_expect(&client, "250 2.0.0 Queued as ");
	cr_assert_eq(rig.body_bytes, CHUNK_BYTES);
	end();
}

Test(stalled_disk, a_client_disconnects_between_chunks, .timeout = 60)
{
	begin();
	send_chunk(&client);
	rig_until(&writes_begun, 1);
	client_close(&client);
	rig_until(&rig.released, 1);
	client_send_message(&other);
	set_stalled(false);
	client_login(&client, &rig);
	end();
}

Test(stalled_disk, a_client_disconnects_during_the_wait, .timeout = 60)
{
	begin();
	send_large_message(&client);
	rig_until(&writes_begun, 1);
	client_close(&client);
	client_send_message(&other);
	cr_assert_eq(rig.committed, 1);
	set_stalled(false);
	client_login(&client, &rig);
	end();
}

Test(stalled_disk, the_user_is_suspended, .timeout = 60)
{
	begin();
	send_large_message(&client);
	rig_until(&writes_begun, 1);
	rig_user_gone(&rig, "alice@example.com");
	client_expect(&client, "421 4.7.0");
	rig_until(&rig.released, 1);
	set_stalled(false);
	end();
}

/* The answer with the file arrives when no session waits for it any more. */
Test(stalled_disk, a_file_arrives_after_its_session_has_ended, .timeout = 60)
{
	static const struct fault late = {MESSAGE_STATUS, FAULT_DELAY, 1000, 0};

	rig_begin(&rig, "");
	rig_replace_through(&rig, ROLE_QUEUE);
	client_login(&client, &rig);
	client_login(&other, &rig);
	client_begin_message(&client);
	fault_channel_set(rig.faulty_channel, &late, 1);
	client_send(&client, "From: alice@example.com\r\n\r\n");
	client_send(&client, large_text());
	rig_until(&rig.files, 1);
	rig_user_gone(&rig, "alice@example.com");
	client_expect(&client, "421 4.7.0");
	rig_until(&rig.released, 1);
	usleep(100000);
	end();
}

static unsigned
bodies_of_submission(void)
{
	return open_bodies() - rig.files;
}

/* A file that waits to be closed keeps its descriptor, although it was released to the queue. */
Test(stalled_disk, files_that_wait_to_be_closed_are_bounded, .timeout = 120)
{
	enum { SESSIONS = 10, BOUND = SESSIONS + 64 };

	rig_begin(&rig, "limits: { sessions = 10; };");
	client_login(&client, &rig);
	client_login(&other, &rig);
	set_stalled(true);
	send_chunk(&client);
	rig_until(&writes_begun, 1);
	for (unsigned i = 0; i < BOUND; i++) {
		send_chunk(&other);
		client_send(&other, "RSET\r\n");
		client_expect(&other, "250");
	}
	cr_expect_eq(bodies_of_submission(), BOUND + 1);
	for (unsigned i = 0; i < 3; i++) {
		client_begin_message(&other);
		client_send(&other, "From: alice@example.com\r\n\r\n");
		client_send(&other, large_text());
		client_send(&other, ".\r\n");
		client_expect(&other, "451 4.3.0 Large messages");
	}
	client_send(&other, "MAIL FROM:<alice@example.com> SIZE=200000\r\n");
	client_expect(&other, "451 4.3.0 Large messages");
	cr_expect_eq(bodies_of_submission(), BOUND + 1);
	cr_expect_eq(rig.files, BOUND + 1, "a file is asked for");
	client_send_message(&other);
	set_stalled(false);
	client_send(&client, "RSET\r\n");
	client_expect(&client, "250");
	expect_all_closed();
	send_large_message(&other);
	client_expect(&other, "250 2.0.0 Queued as ");
	end();
}

/* The role ends although the thread does not. */
Test(stalled_disk, the_role_ends_while_a_write_is_in_progress, .timeout = 60)
{
	begin();
	send_large_message(&client);
	rig_until(&writes_begun, 1);
	rig_end(&rig);
	client_close(&client);
	client_close(&other);
}
