/* Bodies in files: durable before their records, and in nobody's way. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/block_sums.h"
#include "rig.h"
#include "spool/writer.h"

enum { BODY_BYTES = 300000, PIECES_BODY_BYTES = 3500000, ALONE_BYTES = 4096 };

/* What was done about the body file, in order. */
static atomic_int body_fd = -1;
static atomic_bool is_synced, is_named, is_directory_synced, is_early;
static atomic_bool is_shut, fails;

static int
watch_sync_data(struct fsio *f, int fd)
{
	if (fd == body_fd) {
		rig_stand(&is_shut);
		if (fails) {
			errno = EIO;
			return -1;
		}
		is_synced = true;
	}
	return rig.disk->sync_data(f, fd);
}

/* How far the body was written back, piece after piece, and whether one fails. */
static atomic_llong written_back;
static atomic_bool write_back_fails;

static int
watch_write_back(struct fsio *f, int fd, off_t at, off_t bytes)
{
	if (fd == body_fd)
		rig_stand(&is_shut);
	if (at == written_back && bytes <= 1 << 20)
		written_back += bytes;
	if (write_back_fails) {
		errno = EIO;
		return -1;
	}
	return rig.disk->write_back(f, fd, at, bytes);
}

static int
watch_name(struct fsio *f, int fd, const char *name)
{
	is_early |= !is_synced;
	is_named = true;
	return rig.disk->name(f, fd, name);
}

static int
watch_sync_directory(struct fsio *f)
{
	is_directory_synced |= is_named;
	return rig.disk->sync_directory(f);
}

/* A record that speaks of the body: its envelope is in the frame. */
static ssize_t
watch_pwritev(struct fsio *f, int fd, const struct iovec *v, int count, off_t at)
{
	for (int i = 0; i < count; i++)
		if (v[i].iov_len && memmem(v[i].iov_base, v[i].iov_len, "LARGE", 5))
			is_early |= !is_synced || !is_named || !is_directory_synced;
	return rig.disk->pwritev(f, fd, v, count, at);
}

/* The record is whole in the log that a start reads, and not when it is read alone. */
static atomic_bool is_record_spoilt;

static ssize_t
watch_pread(struct fsio *f, int fd, void *p, size_t n, off_t at)
{
	ssize_t got = rig.disk->pread(f, fd, p, n, at);
	char *envelope = got > 0 && n < ALONE_BYTES ? memmem(p, (size_t)got, "LARGE", 5) : NULL;

	if (is_record_spoilt && envelope)
		envelope[0] ^= 1;
	return got;
}

static void
watch(struct fsio_ops *ops)
{
	ops->pread = watch_pread;
	ops->sync_data = watch_sync_data;
	ops->write_back = watch_write_back;
	ops->name = watch_name;
	ops->sync_directory = watch_sync_directory;
	ops->pwritev = watch_pwritev;
}

static void
begin(void)
{
	struct spool_options o = {.segment_bytes = 1 << 20};

	rig_begin(&o, watch);
}

TestSuite(spool_bodies, .init = begin, .fini = rig_end, .timeout = 60);

static void
append_body(uint32_t number, size_t bytes, int *answer)
{
	struct spool_entry e = rig_message_in_file(number, bytes);

	e.message.envelope = STR("LARGE");
	body_fd = e.message.fd;
	rig_append_soon(&e, 1, answer);
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

Test(spool_bodies, durable_before_the_record)
{
	int answer;

	append_large(&answer);
	rig_until(&answer);
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
		rig_store_soon(n, &small);
		rig_until(&small);
		cr_assert_eq(small, 0);
	}
	cr_assert_eq(large, -1);
	is_shut = false;
	rig_until(&large);
	cr_assert_eq(large, 0);
}

Test(spool_bodies, a_large_one_is_written_piece_by_piece_before_its_sync)
{
	int answer;

	append_body(1, PIECES_BODY_BYTES, &answer);
	rig_until(&answer);
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
	rig_until(&answer);
	cr_expect_eq(answer, EIO);
	cr_expect(!is_named);
}

Test(spool_bodies, failed_sync_is_the_answer_of_that_message_only)
{
	int large, small;

	fails = true;
	append_large(&large);
	rig_store_soon(2, &small);
	rig_until(&small);
	rig_until(&large);
	cr_assert_eq(small, 0);
	cr_assert_eq(large, EIO);
	cr_assert(!is_named);
	rig_store_soon(3, &small);
	rig_until(&small);
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
	struct spool_reading reading = {.task = NULL};
	static char body[BODY_BYTES];
	int answer;

	append_large(&answer);
	rig_until(&answer);
	rig_open_again();
	answer = -1;
	spool_read(rig.spool, &reading, rig_id(1), content_heard, &answer);
	rig_until(&answer);
	cr_assert_eq(answer, 0);
	cr_assert_eq(sums_count, 5 * BLOCK_SUMS_BYTES);
	memset(body, 'b', sizeof body);
	for (uint64_t at = 0; at < BODY_BYTES; at += BLOCK_SUMS_BLOCK_BYTES) {
		struct str block =
		    str_upto(str_from(str_make(body, sizeof body), at), BLOCK_SUMS_BLOCK_BYTES);

		cr_assert(block_sums_match(str_make(sums_read, sums_count), at, block));
	}
	body[70000] = 'c';
	cr_assert_not(block_sums_match(str_make(sums_read, sums_count), BLOCK_SUMS_BLOCK_BYTES,
	    str_make(body + BLOCK_SUMS_BLOCK_BYTES, BLOCK_SUMS_BLOCK_BYTES)));
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
	rig_until(answer);
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
	rig_open_again();
	cr_assert(spool_find(rig.spool, rig_id(1), &m));
	cr_assert_eq(m.body_bytes, BODY_BYTES);
}

/* Whose client was told 451 meanwhile is not stored: it would be sent twice. */
Test(spool_bodies, those_that_come_too_late_are_not_stored)
{
	struct spool_message m;
	int syncing, waiting, next;

	rig.options.message_wait_ms = 200;
	rig_open_again();
	is_shut = true;
	append_large_as(2, &syncing);
	while (!rig_stuck)
		usleep(1000);
	append_large_as(3, &waiting);
	usleep(300000);
	is_shut = false;
	rig_until(&waiting);
	rig_until(&syncing);
	cr_assert_eq(waiting, ETIMEDOUT);
	cr_assert_eq(syncing, ETIMEDOUT);
	cr_assert_not(spool_find(rig.spool, rig_id(2), &m));
	append_large_as(4, &next);
	rig_until(&next);
	cr_assert_eq(next, 0);
	rig_open_again();
	cr_assert_not(spool_find(rig.spool, rig_id(3), &m));
	cr_assert(spool_find(rig.spool, rig_id(4), &m));
}

/* ---- a body that an earlier start kept under another name ---- */

/* The spool is closed, and the body of message 1 is X.body.lost. */
static void
close_with_a_lost_body(char path[128], char lost[160])
{
	char name[WRITER_FILE_NAME_BYTES];
	int answer;

	append_large(&answer);
	rig_until(&answer);
	cr_assert_eq(answer, 0);
	spool_close(&rig.spool);
	snprintf(path, 128, "%s/%s", rig.directory, writer_body_name(rig_id(1), name));
	snprintf(lost, 160, "%s.lost", path);
	cr_assert_eq(rename(path, lost), 0);
}

static bool
is_held(void)
{
	struct spool_message m;

	cr_assert(spool_find(rig.spool, rig_id(1), &m));
	return m.is_held;
}

Test(spool_bodies, one_that_was_kept_as_lost_is_taken_back)
{
	char path[128], lost[160];
	struct spool_stats stats;

	close_with_a_lost_body(path, lost);
	rig_open_again();
	cr_expect_not(is_held());
	rig_read(1);
	cr_expect_eq(access(lost, F_OK), -1);
	spool_stats(rig.spool, &stats);
	cr_expect_eq(stats.quarantined, 0);
}

Test(spool_bodies, one_that_is_not_what_was_stored_is_not_taken_back)
{
	char path[128], lost[160];
	int fd;

	close_with_a_lost_body(path, lost);
	fd = open(lost, O_WRONLY | O_CLOEXEC);
	cr_assert_eq(pwrite(fd, "c", 1, 70000), 1);
	close(fd);
	rig_open_again();
	cr_expect(is_held());
	cr_expect_eq(access(lost, F_OK), 0);
	cr_expect_eq(access(path, F_OK), -1);
}

Test(spool_bodies, one_of_another_size_is_not_taken_back)
{
	char path[128], lost[160];

	close_with_a_lost_body(path, lost);
	cr_assert_eq(truncate(lost, BODY_BYTES - 1), 0);
	rig_open_again();
	cr_expect(is_held());
	cr_expect_eq(access(lost, F_OK), 0);
}

/* It is not said that the file is another one: what was stored is not known. */
Test(spool_bodies, one_beside_a_damaged_record_is_not_judged)
{
	char path[128], lost[160], why[200];
	struct spool_message m;

	close_with_a_lost_body(path, lost);
	is_record_spoilt = true;
	cr_expect_eq(rig_open_refused(), EBADMSG);
	cr_expect_eq(access(lost, F_OK), 0);
	rig.options.accept_damage = true;
	rig_open_again();
	cr_assert(spool_find(rig.spool, rig_id(1), &m));
	cr_expect(m.is_held);
	snprintf(why, sizeof why, "%.*s", STR_ARG(m.held_why));
	cr_expect_not_null(strstr(why, ".lost cannot be compared"), "%s", why);
	cr_expect_eq(access(lost, F_OK), 0);
	is_record_spoilt = false;
}
