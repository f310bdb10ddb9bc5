/* A body that a thread reads: the block that was requested last is returned, whatever was read
 * before.  A block that could not be read is read again.  The reader can be cleared while the disk
 * does not answer. */
#include "relay/body_reader.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"

enum { BLOCK = MESSAGE_SOURCE_BLOCK_BYTES, BLOCKS = 3, WAIT_MS = 20000 };

static const struct stall_thread thread = {"test", "disk", "nothing else is read meanwhile"};
static struct fsio *real;
static struct fsio_ops watched;
static struct fsio io = {&watched};
static struct event_base *base;
static struct async_io *disk;
static struct body_reader reader;
static int body_fd;
static unsigned ready;

static atomic_bool is_stalled;
static atomic_uint stalled_reads, reads;
static atomic_int read_error; /* of the next read only */

static ssize_t
watch_pread(struct fsio *f, int fd, void *p, size_t n, off_t at)
{
	(void)f;
	reads++;
	stalled_reads += is_stalled;
	while (is_stalled)
		usleep(1000);
	errno = atomic_exchange(&read_error, 0);
	return errno ? -1 : real->ops->pread(real, fd, p, n, at);
}

static int
watch_close(struct fsio *f, int fd)
{
	(void)f;
	return real->ops->close(real, fd);
}

static void
on_block_ready(void *arg)
{
	cr_assert_eq(arg, &reader);
	ready++;
}

static void
set_up(void)
{
	struct async_io_setup o = {.thread = &thread, .io = &io};
	char block[BLOCK];

	base = o.base = event_base_new();
	real = fsio_new(-1);
	watched = (struct fsio_ops){.pread = watch_pread, .close = watch_close};
	disk = async_io_new(&o);
	cr_assert(disk);
	body_fd = memfd_create("body", MFD_CLOEXEC);
	for (int i = 0; i < BLOCKS; i++) {
		memset(block, '0' + i, sizeof block);
		cr_assert_eq(write(body_fd, block, sizeof block), BLOCK);
	}
	body_reader_init(&reader, async_io_file_new(disk, body_fd, (struct msgid){.number = 1}),
	    on_block_ready, &reader);
}

static void
tear_down(void)
{
	is_stalled = false;
	body_reader_clear(&reader);
	async_io_free(&disk);
	event_base_free(base);
	fsio_free(&real);
}

TestSuite(relay_body_reader, .init = set_up, .fini = tear_down, .timeout = 60);

static void
idle(int ms)
{
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
}

static enum message_source_answer
read_block(unsigned block, struct str *out)
{
	return body_reader_read(&reader, (uint64_t)block * BLOCK, BLOCK, out);
}

static void
await_ready(unsigned n)
{
	for (int64_t end = clock_mono_ms() + WAIT_MS; ready < n && clock_mono_ms() < end;)
		idle(2);
	cr_assert_eq(ready, n);
}

static void
expect_block(unsigned block)
{
	struct str got;

	cr_assert_eq(read_block(block, &got), MESSAGE_SOURCE_AVAILABLE);
	cr_assert_eq(got.n, BLOCK);
	cr_expect_eq(got.p[0], '0' + (char)block);
	cr_expect_eq(got.p[BLOCK - 1], '0' + (char)block);
}

Test(relay_body_reader, each_block_stays_until_another_is_requested)
{
	struct str got;

	for (unsigned i = 0; i < BLOCKS; i++) {
		cr_expect_eq(read_block(i, &got), MESSAGE_SOURCE_AWAITED);
		cr_expect_eq(
		    read_block(i, &got), MESSAGE_SOURCE_AWAITED, "asking again changes nothing");
		await_ready(i + 1);
		expect_block(i);
		expect_block(i);
	}
	cr_expect_eq(reads, BLOCKS);
}

/* The message goes to another host while its next block is read ahead. */
Test(relay_body_reader, the_block_that_was_requested_last_is_returned)
{
	struct str got;

	is_stalled = true;
	cr_expect_eq(read_block(2, &got), MESSAGE_SOURCE_AWAITED);
	while (!stalled_reads)
		usleep(1000);
	cr_expect_eq(read_block(0, &got), MESSAGE_SOURCE_AWAITED);
	idle(20);
	cr_expect_eq(ready, 0);
	is_stalled = false;
	await_ready(1);
	expect_block(0);
	cr_expect_eq(read_block(2, &got), MESSAGE_SOURCE_AWAITED);
	await_ready(2);
	expect_block(2);
}

Test(relay_body_reader, a_block_that_could_not_be_read_is_read_again)
{
	struct str got;

	read_error = EIO;
	cr_expect_eq(read_block(1, &got), MESSAGE_SOURCE_AWAITED);
	await_ready(1);
	cr_expect_eq(read_block(1, &got), MESSAGE_SOURCE_UNREADABLE);
	cr_expect_eq(read_block(1, &got), MESSAGE_SOURCE_AWAITED);
	await_ready(2);
	expect_block(1);
}

Test(relay_body_reader, it_is_cleared_while_the_disk_does_not_answer)
{
	struct str got;

	is_stalled = true;
	cr_expect_eq(read_block(0, &got), MESSAGE_SOURCE_AWAITED);
	while (!stalled_reads)
		usleep(1000);
	body_reader_clear(&reader);
	idle(20);
	cr_expect_geq(fcntl(body_fd, F_GETFD), 0);
	is_stalled = false;
	for (int64_t end = clock_mono_ms() + WAIT_MS;
	     fcntl(body_fd, F_GETFD) >= 0 && clock_mono_ms() < end;)
		idle(2);
	cr_expect_lt(fcntl(body_fd, F_GETFD), 0);
	cr_expect_eq(ready, 0);
}
