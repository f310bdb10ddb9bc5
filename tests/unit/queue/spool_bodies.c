/* Bodies in files: durable before their records, and in nobody's way. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mail/sums.h"
#include "queue/spool.h"

enum { BODY_BYTES = 300000, PIECES_BODY_BYTES = 3500000 };

static char directory[64];
static struct fsio *io;
static const struct fsio_ops *disk;
static struct fsio_ops watched;
static struct spool *spool;
static uint32_t body_wait_ms;

/* What was done about the body file, in order. */
static atomic_int body_fd = -1;
static atomic_bool is_synced, is_named, is_directory_synced, is_early;
static atomic_bool is_shut, fails, is_held; /* is_held: a body waits */

static int
watch_sync_data(struct fsio *f, int fd)
{
	if (fd == body_fd) {
		while (is_shut)
			usleep(1000);
		if (fails) {
			errno = EIO;
			return -1;
		}
		is_synced = true;
	}
	return disk->sync_data(f, fd);
}

/* How far the body was written back, piece after piece, and whether one fails. */
static atomic_llong written_back;
static atomic_bool write_back_fails;

static int
watch_write_back(struct fsio *f, int fd, off_t at, off_t bytes)
{
	if (fd == body_fd)
		while (is_shut) {
			is_held = true;
			usleep(1000);
		}
	if (at == written_back && bytes <= 1 << 20)
		written_back += bytes;
	if (write_back_fails) {
		errno = EIO;
		return -1;
	}
	return disk->write_back(f, fd, at, bytes);
}

static int
watch_name(struct fsio *f, int fd, const char *name)
{
	is_early |= !is_synced;
	is_named = true;
	return disk->name(f, fd, name);
}

static int
watch_sync_directory(struct fsio *f)
{
	is_directory_synced |= is_named;
	return disk->sync_directory(f);
}

/* A record that speaks of the body: its envelope is in the frame. */
static ssize_t
watch_pwritev(struct fsio *f, int fd, const struct iovec *v, int count, off_t at)
{
	for (int i = 0; i < count; i++)
		if (v[i].iov_len && memmem(v[i].iov_base, v[i].iov_len, "LARGE", 5))
			is_early |= !is_synced || !is_named || !is_directory_synced;
	return disk->pwritev(f, fd, v, count, at);
}

static void
open_spool(void)
{
	struct spool_options o = {.segment_bytes = 1 << 20, .body_wait_ms = body_wait_ms};

	io = fsio_new(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	disk = io->ops;
	watched = *disk;
	watched.sync_data = watch_sync_data;
	watched.write_back = watch_write_back;
	watched.name = watch_name;
	watched.sync_directory = watch_sync_directory;
	watched.pwritev = watch_pwritev;
	io->ops = &watched;
	o.io = io;
	spool = spool_open(&o, NULL);
	cr_assert_not_null(spool);
}

static void
begin(void)
{
	strncpy(directory, "/tmp/test-bodies-XXXXXX", sizeof directory - 1);
	cr_assert_not_null(mkdtemp(directory));
	open_spool();
}

static void
remove_one(const char *name, void *arg)
{
	unlinkat(*(int *)arg, name, 0);
}

static void
end(void)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	spool_close(&spool);
	cr_expect_eq(disk->list(io, remove_one, &fd), 0);
	fsio_free(&io);
	close(fd);
	rmdir(directory);
}

TestSuite(spool_bodies, .init = begin, .fini = end, .timeout = 60);

static void
heard(int error, void *arg)
{
	*(int *)arg = error;
}

static void
append(struct spool_entry *e, uint32_t number, int *answer)
{
	struct spool_batch b = {
	    .entries = e, .count = 1, .urgency = SPOOL_NOW, .fn = heard, .arg = answer};

	*answer = -1;
	e->kind = SPOOL_MESSAGE;
	e->id = (struct msgid){(uint64_t)1 << 30, number};
	e->message.recipient_count = 1;
	e->message.header = STR("h");
	cr_assert_eq(spool_append(spool, &b), 0);
}

/* One is ready soon after the one before was taken. */
static int
take_file(void)
{
	struct pollfd p = {.fd = spool_fd(spool), .events = POLLIN};
	int fd;

	while ((fd = spool_file(spool)) < 0 && errno == EAGAIN) {
		poll(&p, 1, 100);
		spool_dispatch(spool);
	}
	cr_assert_geq(fd, 0);
	return fd;
}

static void
append_body(uint32_t number, size_t bytes, int *answer)
{
	static char body[PIECES_BODY_BYTES];
	struct spool_entry e = {.message = {.envelope = STR("LARGE"), .in_file = true}};

	memset(body, 'b', sizeof body);
	e.message.fd = take_file();
	cr_assert_eq(write(e.message.fd, body, bytes), (ssize_t)bytes);
	body_fd = e.message.fd;
	append(&e, number, answer);
}

static void
append_large_as(uint32_t number, int *answer)
{
	append_body(number, BODY_BYTES, answer);
}

static void
append_large(int *answer)
{
	append_large_as(1, answer);
}

static void
append_small(uint32_t number, int *answer)
{
	struct spool_entry e = {.message = {.envelope = STR("small"), .body = STR("b")}};

	append(&e, number, answer);
}

static void
wait_for(const int *answer)
{
	struct pollfd p = {.fd = spool_fd(spool), .events = POLLIN};

	while (*answer == -1) {
		poll(&p, 1, 100);
		spool_dispatch(spool);
	}
}

Test(spool_bodies, durable_before_the_record)
{
	int answer;

	append_large(&answer);
	wait_for(&answer);
	cr_assert_eq(answer, 0);
	cr_assert(is_synced && is_named && is_directory_synced);
	cr_assert(!is_early);
}

Test(spool_bodies, small_messages_do_not_wait_for_the_sync_of_a_large_one)
{
	int large, small;

	is_shut = true;
	append_large(&large);
	for (uint32_t n = 2; n < 22; n++) {
		append_small(n, &small);
		wait_for(&small);
		cr_assert_eq(small, 0);
	}
	cr_assert_eq(large, -1);
	is_shut = false;
	wait_for(&large);
	cr_assert_eq(large, 0);
}

Test(spool_bodies, a_large_one_is_written_piece_by_piece_before_its_sync)
{
	int answer;

	append_body(1, PIECES_BODY_BYTES, &answer);
	wait_for(&answer);
	cr_expect_eq(answer, 0);
	cr_expect_eq(written_back, 4 << 20);
	cr_expect(is_synced && !is_early);
}

/* The kernel tells an error once: a sync that follows may succeed. */
Test(spool_bodies, an_error_of_a_piece_is_one_of_the_message)
{
	int answer;

	write_back_fails = true;
	append_body(1, PIECES_BODY_BYTES, &answer);
	wait_for(&answer);
	cr_expect_eq(answer, EIO);
	cr_expect(!is_named);
}

Test(spool_bodies, failed_sync_is_the_answer_of_that_message_only)
{
	int large, small;

	fails = true;
	append_large(&large);
	append_small(2, &small);
	wait_for(&small);
	wait_for(&large);
	cr_assert_eq(small, 0);
	cr_assert_eq(large, EIO);
	cr_assert(!is_named);
	append_small(3, &small);
	wait_for(&small);
	cr_assert_eq(small, 0);
}

static char sums_read[64];
static size_t sums_count;

static void
content_heard(const struct spool_content *content, int error, void *arg)
{
	*(int *)arg = error;
	if (!content)
		return;
	sums_count = content->sums.n;
	memcpy(sums_read, content->sums.p, sums_count);
}

/* One for each 64 KiB, also after the record was read from the disk by another start. */
Test(spool_bodies, sums_of_each_block_stand_in_the_record)
{
	struct spool_reading reading = {.of = NULL};
	static char body[BODY_BYTES];
	int answer;

	append_large(&answer);
	wait_for(&answer);
	spool_close(&spool);
	fsio_free(&io);
	open_spool();
	answer = -1;
	spool_read(spool, &reading, (struct msgid){(uint64_t)1 << 30, 1}, content_heard, &answer);
	wait_for(&answer);
	cr_assert_eq(answer, 0);
	cr_assert_eq(sums_count, 5 * SUMS_BYTES);
	memset(body, 'b', sizeof body);
	for (uint64_t at = 0; at < BODY_BYTES; at += SUMS_BLOCK_BYTES) {
		struct str block = str_upto(str_from(str_make(body, sizeof body), at), SUMS_BLOCK_BYTES);

		cr_assert(sums_fit(str_make(sums_read, sums_count), at, block));
	}
	body[70000] = 'c';
	cr_assert_not(sums_fit(str_make(sums_read, sums_count), SUMS_BLOCK_BYTES,
	    str_make(body + SUMS_BLOCK_BYTES, SUMS_BLOCK_BYTES)));
}

static void
append_changed(const char *bytes, size_t n, off_t at, int *answer)
{
	int fd;

	is_shut = true;
	append_large(answer);
	fd = body_fd;
	cr_assert_eq(pwrite(fd, bytes, n, at), (ssize_t)n);
	is_shut = false;
	wait_for(answer);
}

/* Whoever writes the file is not believed: what would break out of DATA is refused here. */
Test(spool_bodies, bare_lf_is_refused)
{
	int answer;

	append_changed("\n.\nMAIL", 7, 65535, &answer);
	cr_assert_eq(answer, EILSEQ);
	cr_assert(!is_named);
}

Test(spool_bodies, cr_at_the_end_is_refused)
{
	int answer;

	append_changed("\r", 1, BODY_BYTES - 1, &answer);
	cr_assert_eq(answer, EILSEQ);
}

Test(spool_bodies, crlf_over_two_blocks_is_taken)
{
	int answer;

	append_changed("\r\n", 2, 65535, &answer);
	cr_assert_eq(answer, 0);
}

Test(spool_bodies, file_that_grows_after_the_commit_is_refused)
{
	int answer;

	append_changed("x", 1, BODY_BYTES, &answer);
	cr_assert_eq(answer, EBADMSG);
}

/* What waits for its body is finished before the spool closes, and is there at the next start. */
Test(spool_bodies, close_finishes_what_waits)
{
	struct spool_message m;
	int large;

	append_large(&large);
	spool_close(&spool);
	fsio_free(&io);
	open_spool();
	cr_assert(spool_find(spool, (struct msgid){(uint64_t)1 << 30, 1}, &m));
	cr_assert_eq(m.body_bytes, BODY_BYTES);
}

/* Whose client was told 451 meanwhile is not stored: it would be sent twice. */
Test(spool_bodies, those_that_come_too_late_are_not_stored)
{
	struct spool_message m;
	int syncing, waiting, next;

	spool_close(&spool);
	fsio_free(&io);
	body_wait_ms = 200;
	open_spool();
	is_shut = true;
	append_large_as(2, &syncing);
	while (!is_held)
		usleep(1000);
	append_large_as(3, &waiting);
	usleep(300000);
	is_shut = false;
	wait_for(&waiting);
	wait_for(&syncing);
	cr_assert_eq(waiting, ETIMEDOUT);
	cr_assert_eq(syncing, ETIMEDOUT);
	cr_assert_not(spool_find(spool, (struct msgid){(uint64_t)1 << 30, 2}, &m));
	append_large_as(4, &next);
	wait_for(&next);
	cr_assert_eq(next, 0);
	spool_close(&spool);
	fsio_free(&io);
	open_spool();
	cr_assert_not(spool_find(spool, (struct msgid){(uint64_t)1 << 30, 3}, &m));
	cr_assert(spool_find(spool, (struct msgid){(uint64_t)1 << 30, 4}, &m));
}
