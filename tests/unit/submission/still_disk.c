/* The disk stands still in the middle of a body: a thread waits for it, and nobody else does.
 * Whatever becomes of the message meanwhile, its file is closed by the thread and given back to the
 * queue. */
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

enum { LINES = 5000, CHUNK_BYTES = 140000, PATIENCE_US = 30 * 1000 * 1000, LOOK_US = 5000 };

static struct rig rig;
static struct client client, other;

/* ---- the disk ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static bool is_still; /* under the lock */
static _Atomic int disk_error;
static _Atomic unsigned begun, closed_in_loop;

ssize_t __wrap_pwritev(int fd, const struct iovec *v, int count, off_t at);
int __wrap_close(int fd);
int __real_close(int fd);

ssize_t
__wrap_pwritev(int fd, const struct iovec *v, int count, off_t at)
{
	begun++;
	pthread_mutex_lock(&lock);
	while (is_still)
		pthread_cond_wait(&moved, &lock);
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
stand(bool still)
{
	pthread_mutex_lock(&lock);
	is_still = still;
	pthread_cond_broadcast(&moved);
	pthread_mutex_unlock(&lock);
}

/* ---- descriptors ---- */

static unsigned
bodies_open(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	unsigned n = 0;

	while ((e = readdir(d)))
		n += is_body(e->d_name);
	closedir(d);
	return n;
}

/* All that is open of bodies is the queue's. */
static void
expect_all_closed(void)
{
	int us = 0;

	for (; us < PATIENCE_US && bodies_open() != rig.files; us += LOOK_US)
		usleep(LOOK_US);
	cr_assert_eq(bodies_open(), rig.files, "%u, of %u files", bodies_open(), rig.files);
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
say_large(struct client *c)
{
	client_begin_message(c);
	client_say(c, "From: alice@example.com\r\n\r\n");
	client_say(c, large_text());
	client_say(c, ".\r\n");
}

/* One chunk, whose body the thread is to write; the session takes commands again. */
static void
say_chunk(struct client *c)
{
	char head[200], *text = large_text();

	snprintf(head, sizeof head, "MAIL FROM:<alice@example.com>\r\nRCPT TO:<bob@example.net>\r\n"
	    "BDAT %d\r\nFrom: alice@example.com\r\n\r\n", CHUNK_BYTES + 27);
	client_say(c, head);
	text[CHUNK_BYTES] = 0;
	client_say(c, text);
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
	stand(true);
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

Test(still_disk, the_others_go_on_and_then_it_is_stored, .timeout = 60)
{
	begin();
	say_large(&client);
	rig_until(&begun, 1);
	rig_ping(&rig);
	client_send_message(&other);
	client_say(&other, "QUIT\r\n");
	client_expect(&other, "221");
	client_close(&other);
	client_login(&other, &rig);
	cr_assert_eq(rig.committed, 1);
	stand(false);
	client_expect(&client, "250 2.0.0 Queued as ");
	cr_assert_eq(rig.committed, 2);
	cr_assert(rig.in_file);
	cr_assert_eq(rig.body_bytes, LINES * 80);
	cr_assert_eq(rig.released, 0);
	client_send_message(&client);
	end();
}

Test(still_disk, a_piece_that_cannot_be_written, .timeout = 60)
{
	begin();
	say_large(&client);
	rig_until(&begun, 1);
	disk_error = EIO;
	stand(false);
	client_expect(&client, "451 4.3.0");
	rig_until(&rig.released, 1);
	disk_error = 0;
	say_large(&client);
	client_expect(&client, "250 2.0.0 Queued as ");
	end();
}

Test(still_disk, rset_between_chunks, .timeout = 60)
{
	begin();
	say_chunk(&client);
	say_chunk(&other);
	rig_until(&begun, 1);
	client_say(&other, "RSET\r\n"); /* its piece waits behind the one under way */
	client_expect(&other, "250");
	rig_until(&rig.released, 1);
	client_say(&client, "RSET\r\n");
	client_expect(&client, "250");
	rig_until(&rig.released, 2);
	rig_ping(&rig);
	stand(false);
	expect_all_closed();
	cr_assert_eq(begun, 1);
	client_send_message(&other);
	say_large(&client);
	client_expect(&client, "250 2.0.0 Queued as ");
	end();
}

Test(still_disk, quit_between_chunks, .timeout = 60)
{
	begin();
	say_chunk(&client);
	rig_until(&begun, 1);
	client_say(&client, "QUIT\r\n");
	client_expect(&client, "221");
	cr_assert(client_is_closed(&client));
	rig_until(&rig.released, 1);
	client_send_message(&other);
	stand(false);
	end();
}

Test(still_disk, the_last_chunk_waits, .timeout = 60)
{
	begin();
	say_chunk(&client);
	rig_until(&begun, 1);
	client_say(&client, "BDAT 0 LAST\r\n");
	client_send_message(&other);
	cr_assert_eq(rig.committed, 1);
	stand(false);
	client_expect(&client, "250 2.0.0 Queued as ");
	cr_assert_eq(rig.body_bytes, CHUNK_BYTES);
	end();
}

Test(still_disk, who_hangs_up_between_chunks, .timeout = 60)
{
	begin();
	say_chunk(&client);
	rig_until(&begun, 1);
	client_close(&client);
	rig_until(&rig.released, 1);
	client_send_message(&other);
	stand(false);
	client_login(&client, &rig);
	end();
}

Test(still_disk, who_hangs_up_while_it_waits, .timeout = 60)
{
	begin();
	say_large(&client);
	rig_until(&begun, 1);
	client_close(&client);
	client_send_message(&other);
	cr_assert_eq(rig.committed, 1);
	stand(false);
	client_login(&client, &rig);
	end();
}

Test(still_disk, a_login_is_withdrawn, .timeout = 60)
{
	begin();
	say_large(&client);
	rig_until(&begun, 1);
	rig_user_gone(&rig, "alice@example.com");
	client_expect(&client, "421 4.7.0");
	rig_until(&rig.released, 1);
	stand(false);
	end();
}

/* Its answer with the file comes when nobody waits for it any more. */
Test(still_disk, a_file_that_comes_late, .timeout = 60)
{
	static const struct fault late = {MESSAGE_STATUS, FAULT_DELAY, 1000, 0};

	rig_begin(&rig, "");
	rig_replace_through(&rig, ROLE_QUEUE);
	client_login(&client, &rig);
	client_login(&other, &rig);
	client_begin_message(&client);
	fault_channel_set(rig.between, &late, 1);
	client_say(&client, "From: alice@example.com\r\n\r\n");
	client_say(&client, large_text());
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
	return bodies_open() - rig.files;
}

/* What waits to be closed keeps its descriptor, whatever the queue was told of it. */
Test(still_disk, files_that_wait_to_be_closed_have_a_bound, .timeout = 120)
{
	enum { SESSIONS = 10, BOUND = SESSIONS + 64 };

	rig_begin(&rig, "limits: { sessions = 10; };");
	client_login(&client, &rig);
	client_login(&other, &rig);
	stand(true);
	say_chunk(&client);
	rig_until(&begun, 1);
	for (unsigned i = 0; i < BOUND; i++) {
		say_chunk(&other);
		client_say(&other, "RSET\r\n");
		client_expect(&other, "250");
	}
	cr_expect_eq(bodies_of_submission(), BOUND + 1);
	for (unsigned i = 0; i < 3; i++) {
		client_begin_message(&other);
		client_say(&other, "From: alice@example.com\r\n\r\n");
		client_say(&other, large_text());
		client_say(&other, ".\r\n");
		client_expect(&other, "451 4.3.0 Large messages");
	}
	client_say(&other, "MAIL FROM:<alice@example.com> SIZE=200000\r\n");
	client_expect(&other, "451 4.3.0 Large messages");
	cr_expect_eq(bodies_of_submission(), BOUND + 1);
	cr_expect_eq(rig.files, BOUND + 1, "a file is asked for");
	client_send_message(&other);
	stand(false);
	client_say(&client, "RSET\r\n");
	client_expect(&client, "250");
	expect_all_closed();
	say_large(&other);
	client_expect(&other, "250 2.0.0 Queued as ");
	end();
}

/* It ends although the thread does not. */
Test(still_disk, the_role_ends, .timeout = 60)
{
	begin();
	say_large(&client);
	rig_until(&begun, 1);
	rig_end(&rig);
	client_close(&client);
	client_close(&other);
}
