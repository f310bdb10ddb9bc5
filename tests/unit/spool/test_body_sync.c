/* body_sync: body files are durable before their records, and do not delay small messages. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/block_sums.h"
#include "rig.h"
#include "spool/spool_names.h"

enum { BODY_BYTES = 300000, PIECES_BODY_BYTES = 3500000, ALONE_BYTES = 4096 };

/* What was done with the body file, in order. */
static atomic_int body_fd = -1;
static atomic_bool is_synced, is_named, is_directory_synced, is_early;
static atomic_bool is_blocked, fails;

static int
watch_sync_data(struct fsio *f, int fd)
{
	if (fd == body_fd) {
		rig_block(&is_blocked);
		if (fails) {
			errno = EIO;
			return -1;
		}
		is_synced = true;
	}
	return rig.disk->sync_data(f, fd);
}

/* How far the body was written back, in pieces, and whether a piece fails. */
static atomic_llong written_back;
static atomic_bool write_back_fails;

static int
watch_write_back(struct fsio *f, int fd, off_t at, off_t bytes)
{
	if (fd == body_fd)
		rig_block(&is_blocked);
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

/* A record with a body file: its envelope is in the frame. */
static ssize_t
watch_pwritev(struct fsio *f, int fd, const struct iovec *v, int count, off_t at)
{
	for (int i = 0; i < count; i++)
		if (v[i].iov_len && memmem(v[i].iov_base, v[i].iov_len, "LARGE", 5))
			is_early |= !is_synced || !is_named || !is_directory_synced;
	return rig.disk->pwritev(f, fd, v, count, at);
}

/* The record is undamaged when a start reads the whole log, and damaged when it is read alone. */
static atomic_bool is_record_damaged;

static ssize_t
watch_pread(struct fsio *f, int fd, void *p, size_t n, off_t at)
{
	ssize_t got = rig.disk->pread(f, fd, p, n, at);
	char *envelope = got > 0 && n < ALONE_BYTES ? memmem(p, (size_t)got, "LARGE", 5) : NULL;

	if (is_record_damaged && envelope)
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

TestSuite(body_sync, .init = begin, .fini = rig_end, .timeout = 60);

static void
append_body(uint32_t number, size_t bytes, int *answer)
{
	struct spool_entry e = rig_message_in_file(number, bytes);

	e.message.envelope = STR("LARGE");
	body_fd = e.message.fd;
	rig_append_soon(&e, 1, answer);
}

static void
append_large_message(uint32_t number, int *answer)
{
	append_body(number, BODY_BYTES, answer);
}

static void
append_large(int *answer)
{
	append_large_message(1, answer);
}

Test(body_sync, body_is_durable_before_its_record)
{
	int answer;

	append_large(&answer);
	rig_until(&answer);
	cr_assert_eq(answer, 0);
	cr_assert(is_synced && is_named && is_directory_synced);
	cr_assert(!is_early);
}

Test(body_sync, small_messages_do_not_wait_for_the_sync_of_a_large_one)
{
	int large, small;

	is_blocked = true;
	append_large(&large);
	for (uint32_t n = 2; n < 22; n++) {
		rig_store_soon(n, &small);
		rig_until(&small);
		cr_assert_eq(small, 0);
	}
	cr_assert_eq(large, -1);
	is_blocked = false;
	rig_until(&large);
	cr_assert_eq(large, 0);
}

Test(body_sync, a_large_body_is_written_in_pieces_before_its_sync)
{
	int answer;

	append_body(1, PIECES_BODY_BYTES, &answer);
	rig_until(&answer);
	cr_expect_eq(answer, 0);
	cr_expect_eq(written_back, 4 << 20);
	cr_expect(is_synced && !is_early);
}

/* The kernel reports an error once: a sync that follows may succeed. */
Test(body_sync, an_error_of_a_piece_fails_the_message)
{
	int answer;

	write_back_fails = true;
	append_body(1, PIECES_BODY_BYTES, &answer);
	rig_until(&answer);
	cr_expect_eq(answer, EIO);
	cr_expect(!is_named);
}

Test(body_sync, a_failed_sync_fails_that_message_only)
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
content_read(const struct spool_content *content, int error, void *arg)
{
	*(int *)arg = error;
	if (!content)
		return;
	sums_count = content->sums.n;
	memcpy(sums_read, content->sums.p, sums_count);
}

/* One for each 64 KiB, also after another start has read the record from the disk. */
Test(body_sync, the_record_has_a_checksum_of_each_block)
{
	struct spool_reading reading = {.task = NULL};
	static char body[BODY_BYTES];
	int answer;

	append_large(&answer);
	rig_until(&answer);
	rig_open_again();
	answer = -1;
	spool_read(rig.spool, &reading, rig_id(1), content_read, &answer);
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

	is_blocked = true;
	append_large(answer);
	fd = body_fd;
	cr_assert_eq(pwrite(fd, bytes, n, at), (ssize_t)n);
	is_blocked = false;
	rig_until(answer);
}

/* The process that writes the file is not trusted: bytes that would end the DATA of SMTP are
 * refused. */
Test(body_sync, bare_lf_is_refused)
{
	int answer;

	append_changed("\n.\nMAIL", 7, 65535, &answer);
	cr_assert_eq(answer, EILSEQ);
	cr_assert(!is_named);
}

Test(body_sync, cr_at_the_end_is_refused)
{
	int answer;

	append_changed("\r", 1, BODY_BYTES - 1, &answer);
	cr_assert_eq(answer, EILSEQ);
}

Test(body_sync, crlf_across_two_blocks_is_accepted)
{
	int answer;

	append_changed("\r\n", 2, 65535, &answer);
	cr_assert_eq(answer, 0);
}

Test(body_sync, file_that_grows_after_the_commit_is_refused)
{
	int answer;

	append_changed("x", 1, BODY_BYTES, &answer);
	cr_assert_eq(answer, EBADMSG);
}

/* A body that waits is stored before the spool closes, and the next start finds the message. */
Test(body_sync, close_stores_waiting_bodies)
{
	struct spool_message m;
	int large;

	append_large(&large);
	rig_open_again();
	cr_assert(spool_find(rig.spool, rig_id(1), &m));
	cr_assert_eq(m.body_bytes, BODY_BYTES);
}

/* A message whose client was answered with 451 meanwhile is not stored: it would be sent twice. */
Test(body_sync, late_bodies_are_not_stored)
{
	struct spool_message m;
	int syncing, waiting, next;

	rig.options.message_wait_ms = 200;
	rig_open_again();
	is_blocked = true;
	append_large_message(2, &syncing);
	while (!rig_blocked)
		usleep(1000);
	append_large_message(3, &waiting);
	usleep(300000);
	is_blocked = false;
	rig_until(&waiting);
	rig_until(&syncing);
	cr_assert_eq(waiting, ETIMEDOUT);
	cr_assert_eq(syncing, ETIMEDOUT);
	cr_assert_not(spool_find(rig.spool, rig_id(2), &m));
	append_large_message(4, &next);
	rig_until(&next);
	cr_assert_eq(next, 0);
	rig_open_again();
	cr_assert_not(spool_find(rig.spool, rig_id(3), &m));
	cr_assert(spool_find(rig.spool, rig_id(4), &m));
}

/* ---- a body that an earlier start renamed to *.lost ---- */

/* Closes the spool and renames the body of message 1 to X.body.lost. */
static void
close_with_a_lost_body(char path[128], char lost[160])
{
	char name[SPOOL_NAMES_BYTES];
	int answer;

	append_large(&answer);
	rig_until(&answer);
	cr_assert_eq(answer, 0);
	spool_close(&rig.spool);
	snprintf(path, 128, "%s/%s", rig.directory, spool_names_body(rig_id(1), name));
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

Test(body_sync, a_lost_body_is_restored)
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

Test(body_sync, a_lost_body_with_other_content_is_not_restored)
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

Test(body_sync, a_lost_body_of_another_size_is_not_restored)
{
	char path[128], lost[160];

	close_with_a_lost_body(path, lost);
	cr_assert_eq(truncate(lost, BODY_BYTES - 1), 0);
	rig_open_again();
	cr_expect(is_held());
	cr_expect_eq(access(lost, F_OK), 0);
}

/* The log does not say that the content of the file is another one: the stored content is not
 * known. */
Test(body_sync, a_lost_body_is_not_compared_with_a_damaged_record)
{
	char path[128], lost[160], why[200];
	struct spool_message m;

	close_with_a_lost_body(path, lost);
	is_record_damaged = true;
	cr_expect_eq(rig_open_refused(), EBADMSG);
	cr_expect_eq(access(lost, F_OK), 0);
	rig.options.accept_damage = true;
	rig_open_again();
	cr_assert(spool_find(rig.spool, rig_id(1), &m));
	cr_expect(m.is_held);
	snprintf(why, sizeof why, "%.*s", STR_ARG(m.held_why));
	cr_expect_not_null(strstr(why, ".lost cannot be compared"), "%s", why);
	cr_expect_eq(access(lost, F_OK), 0);
	is_record_damaged = false;
}
