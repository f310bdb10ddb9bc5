/* spool: the interface on the real disk: bounds of appends, the lock, which files are trusted. */
#include <criterion/criterion.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool/spool.h"

static char directory[64];
static struct fsio *io;
static struct spool *spool;
static int answers, last_error;

static struct fsio *
new_io(void)
{
	return fsio_new(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static void
try_open(bool accept_damage)
{
	struct spool_options o = {
	    .segment_bytes = SPOOL_SEGMENT_MIN, .accept_damage = accept_damage};

	io = new_io();
	o.io = io;
	spool = spool_open(&o, NULL);
}

static void
open_spool(void)
{
	try_open(false);
	cr_assert_not_null(spool);
}

static void
close_spool(void)
{
	spool_close(&spool);
	fsio_free(&io);
}

static void
set_up(void)
{
	strncpy(directory, "/tmp/test-spool-XXXXXX", sizeof directory - 1);
	cr_assert_not_null(mkdtemp(directory));
	answers = 0;
	open_spool();
}

static void
remove_one(const char *name, void *arg)
{
	if (unlinkat(*(int *)arg, name, 0) != 0)
		unlinkat(*(int *)arg, name, AT_REMOVEDIR);
}

static void
tear_down(void)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	close_spool();
	io = fsio_new(fd);
	cr_expect_eq(io->ops->list(io, remove_one, &fd), 0);
	fsio_free(&io);
	rmdir(directory);
}

TestSuite(spool, .init = set_up, .fini = tear_down);

static void
append_done(int error, void *arg)
{
	(void)arg;
	answers++;
	last_error = error;
}

static void
wait_for_answers(int count)
{
	struct pollfd p = {.fd = spool_fd(spool), .events = POLLIN};

	for (int tries = 0; answers < count && tries < 100; tries++) {
		poll(&p, 1, 100);
		spool_dispatch(spool);
	}
	cr_assert_eq(answers, count);
}

static struct spool_entry
a_message(uint32_t number, uint32_t recipients)
{
	struct spool_entry e = {.kind = SPOOL_MESSAGE, .id = {(uint64_t)5 << 18, number}};

	e.message.recipient_count = recipients;
	e.message.envelope = STR("e");
	e.message.header = STR("h");
	e.message.body = STR("b");
	return e;
}

static int
append(const struct spool_entry *e, size_t count)
{
	struct spool_batch b = {e, count, SPOOL_NOW, append_done, NULL};

	errno = 0;
	return spool_append(spool, &b) == 0 ? 0 : errno;
}

Test(spool, bounds_of_appends)
{
	static char large[SPOOL_SEGMENT_MIN];
	struct spool_entry e = a_message(1, 1), pair[2];

	cr_expect_eq(append(&e, 0), EINVAL);
	e.message.recipient_count = 0;
	cr_expect_eq(append(&e, 1), EINVAL);
	e.message.recipient_count = SPOOL_RECIPIENTS_MAX + 1;
	cr_expect_eq(append(&e, 1), EINVAL);
	e = a_message(1, 1);
	e.message.body = str_make(large, sizeof large);
	cr_expect_eq(append(&e, 1), EMSGSIZE);
	pair[0] = pair[1] = a_message(1, 1);
	cr_expect_eq(append(pair, 2), EEXIST);
	e = (struct spool_entry){.kind = SPOOL_STATUS, .id = {9, 9}};
	e.status.number = 1;
	cr_expect_eq(append(&e, 1), ENOENT);
	cr_expect_eq(answers, 0);
}

Test(spool, statuses_are_checked_against_the_message)
{
	struct spool_entry e = a_message(1, 2), s = {.kind = SPOOL_STATUS, .id = e.id};

	cr_assert_eq(append(&e, 1), 0);
	cr_assert_eq(append(&e, 1), EEXIST);
	wait_for_answers(1);
	cr_assert_eq(last_error, 0);
	s.status.number = 3;
	cr_expect_eq(append(&s, 1), EINVAL);
	s.status.number = 0;
	cr_expect_eq(append(&s, 1), EINVAL);
	s.status.number = 2;
	cr_expect_eq(append(&s, 1), 0);
	wait_for_answers(2);
}

Test(spool, a_settled_message_is_removed_also_after_a_restart)
{
	struct spool_entry e[2] = {a_message(1, 1), {.kind = SPOOL_STATUS}};
	struct spool_message found;

	e[1].id = e[0].id;
	e[1].status.number = 1;
	e[1].status.outcome = SPOOL_DONE;
	e[1].status.is_settled = true;
	cr_assert_eq(append(e, 2), 0);
	wait_for_answers(1);
	cr_expect_not(spool_find(spool, e[0].id, &found));
	close_spool();
	open_spool();
	cr_expect_not(spool_find(spool, e[0].id, &found));
	cr_expect_eq(spool_newest_ms(spool), 5);
}

Test(spool, only_one_process_opens_the_spool)
{
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN, .io = new_io()};

	cr_expect_null(spool_open(&o, NULL));
	cr_expect_eq(errno, EALREADY);
	fsio_free(&o.io);
}

/* The errno of a second start, which must fail. */
static int
refused(bool accept_damage)
{
	struct spool_options o = {
	    .segment_bytes = SPOOL_SEGMENT_MIN, .io = new_io(), .accept_damage = accept_damage};
	struct spool *other = spool_open(&o, NULL);
	int error = other ? 0 : errno;

	spool_close(&other);
	fsio_free(&o.io);
	return error;
}

/* It may hold mail: the start is refused, and no option excludes it from the queue. */
Test(spool, a_segment_that_others_may_write_is_refused_and_not_lost)
{
	struct spool_entry e = a_message(1, 1);
	struct spool_message found;
	char path[128];

	cr_assert_eq(append(&e, 1), 0);
	wait_for_answers(1);
	close_spool();
	snprintf(path, sizeof path, "%s/seg-00000001", directory);
	cr_assert_eq(chmod(path, 0666), 0);
	cr_expect_eq(refused(false), EPERM);
	cr_expect_eq(access(path, F_OK), 0);
	cr_assert_eq(chmod(path, 0600), 0);
	open_spool();
	cr_expect(spool_find(spool, e.id, &found));
	close_spool();
	cr_assert_eq(chmod(path, 0666), 0);
	cr_expect_eq(refused(true), EPERM, "a mode is no damage");
	cr_expect_eq(access(path, F_OK), 0);
	cr_assert_eq(chmod(path, 0600), 0);
	open_spool();
	cr_expect(spool_find(spool, e.id, &found));
}

/* A backup with cp -al makes such names. */
Test(spool, files_with_a_second_name_are_read)
{
	struct spool_entry e = a_message(1, 1);
	struct spool_message found;
	char from[128], to[128];

	cr_assert_eq(append(&e, 1), 0);
	wait_for_answers(1);
	close_spool();
	snprintf(from, sizeof from, "%s/seg-00000001", directory);
	snprintf(to, sizeof to, "%s/backup", directory);
	cr_assert_eq(link(from, to), 0);
	open_spool();
	cr_expect(spool_find(spool, e.id, &found));
}

static void
append_one(uint32_t number)
{
	struct spool_entry e = a_message(number, 1);
	int before = answers;

	cr_assert_eq(append(&e, 1), 0);
	wait_for_answers(before + 1);
}

Test(spool, a_link_is_not_followed)
{
	char path[128];

	close_spool();
	snprintf(path, sizeof path, "%s/seg-00000099", directory);
	cr_assert_eq(symlink("/etc/passwd", path), 0);
	open_spool();
	append_one(1);
	cr_expect_eq(access(path, R_OK), 0);
}

Test(spool, only_plain_files_are_opened)
{
	struct spool_entry e = a_message(1, 1);
	struct spool_message found;
	char path[128];

	cr_assert_eq(append(&e, 1), 0);
	wait_for_answers(1);
	close_spool();
	snprintf(path, sizeof path, "%s/seg-00000050", directory);
	cr_assert_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof path, "%s/seg-00000051", directory);
	cr_assert_eq(mkfifo(path, 0600), 0);
	open_spool();
	cr_expect(spool_find(spool, e.id, &found));
}

/* The next segment may not be ready yet. */
static void
append_when_there_is_room(const struct spool_entry *e)
{
	for (int i = 0; i < 400; i++) {
		int before = answers;

		if (append(e, 1) == 0) {
			wait_for_answers(before + 1);
			if (last_error == 0)
				return;
		}
		usleep(50000);
	}
	cr_assert_fail("no segment becomes ready");
}

/* Appends more than one segment holds. */
static void
roll_segments(uint32_t from)
{
	static char body[8000];

	for (uint32_t n = 0; n < 30; n++) {
		struct spool_entry e = a_message(from + n, 1);

		e.message.body = str_make(body, sizeof body);
		append_when_there_is_room(&e);
	}
}

/* The segment has the highest number: the search for the next one starts at the first. */
Test(spool, segment_numbers_restart_after_the_highest)
{
	struct spool_message found;
	char from[128], to[128];

	append_one(1000);
	close_spool();
	snprintf(from, sizeof from, "%s/seg-00000001", directory);
	snprintf(to, sizeof to, "%s/seg-01048575", directory);
	cr_assert_eq(rename(from, to), 0);
	open_spool();
	roll_segments(1);
	close_spool();
	open_spool();
	cr_expect(spool_find(spool, a_message(1000, 1).id, &found));
	cr_expect(spool_find(spool, a_message(30, 1).id, &found));
}

/* Seventy numbers in a row belong to other files: they are skipped, a bounded number at a time. */
Test(spool, segment_numbers_in_use_are_skipped)
{
	struct spool_message found;
	char path[128];

	append_one(1000);
	close_spool();
	for (int n = 2; n < 72; n++) {
		snprintf(path, sizeof path, "%s/seg-%08d", directory, n);
		if (access(path, F_OK) != 0)
			cr_assert_eq(mkdir(path, 0700), 0);
	}
	open_spool();
	roll_segments(1);
	close_spool();
	open_spool();
	cr_expect(spool_find(spool, a_message(30, 1).id, &found));
}

/* The offset of that frame in the only segment. */
static off_t
frame_at(int fd, unsigned number)
{
	char header[56];
	off_t at = 4096;

	for (;; number--) {
		uint32_t span;

		cr_assert_eq(pread(fd, header, sizeof header, at), (ssize_t)sizeof header);
		if (number == 0)
			return at;
		memcpy(&span, header + 40, sizeof span);
		at += le32toh(span);
	}
}

static uint64_t
quarantined_after(void (*damage)(int fd), bool is_refused)
{
	struct spool_stats stats;
	char path[128];
	int fd;

	for (uint32_t n = 1; n <= 6; n++)
		append_one(n);
	close_spool();
	snprintf(path, sizeof path, "%s/seg-00000001", directory);
	fd = open(path, O_RDWR | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	damage(fd);
	close(fd);
	try_open(false);
	cr_assert_eq(!spool, is_refused);
	if (is_refused) {
		cr_expect_eq(errno, ENOTRECOVERABLE);
		fsio_free(&io);
		try_open(true);
	}
	cr_assert_not_null(spool);
	spool_stats(spool, &stats);
	return stats.quarantined;
}

static void
misplace_frame(int fd)
{
	off_t from = frame_at(fd, 5), to = frame_at(fd, 2);
	char bytes[4096];

	cr_assert_eq(pread(fd, bytes, sizeof bytes, from), (ssize_t)sizeof bytes);
	cr_assert_eq(pwrite(fd, bytes, 512, to), 512);
}

static void
truncate_segment(int fd)
{
	cr_assert_eq(ftruncate(fd, frame_at(fd, 5)), 0);
}

static void
damage_frame(int fd)
{
	off_t at = frame_at(fd, 3) + 60;
	char c;

	cr_assert_eq(pread(fd, &c, 1, at), 1);
	c ^= 1;
	cr_assert_eq(pwrite(fd, &c, 1, at), 1);
}

/* The start that found the damage may have ended before it handled the body files. */
Test(spool, a_body_whose_record_may_be_damaged_is_kept_by_later_starts_too)
{
	char text[ID_NUMBER_TEXT_BYTES], name[160], lost[180];
	struct spool_stats stats;
	struct stat found;

	cr_expect_eq(quarantined_after(damage_frame, false), 1);
	close_spool();
	snprintf(
	    name, sizeof name, "%s/%s.body", directory, msgid_text(a_message(9, 1).id, 0, text));
	snprintf(lost, sizeof lost, "%s.lost", name);
	close(open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	open_spool();
	spool_stats(spool, &stats);
	cr_expect_eq(stats.quarantined, 0);
	cr_expect_eq(stats.known_damages, 1);
	cr_expect_eq(stat(lost, &found), 0);
}

Test(spool, a_frame_in_a_wrong_place_is_reported)
{
	cr_expect_eq(quarantined_after(misplace_frame, false), 1);
}

Test(spool, a_truncated_segment_is_refused_until_that_is_accepted)
{
	cr_expect_eq(quarantined_after(truncate_segment, true), 1);
	close_spool();
	open_spool();
}

static void
damage_header(int fd)
{
	cr_assert_eq(pwrite(fd, "XXXX", 4, 2), 4);
}

Test(spool, a_damaged_header_is_rewritten_and_loses_no_message)
{
	struct spool_message found;
	struct spool_stats stats;

	cr_expect_eq(quarantined_after(damage_header, false), 1);
	for (uint32_t n = 1; n <= 6; n++)
		cr_expect(spool_find(spool, a_message(n, 1).id, &found));
	close_spool();
	open_spool();
	spool_stats(spool, &stats);
	cr_expect_eq(stats.quarantined, 0, "its header was rewritten");
	for (uint32_t n = 1; n <= 6; n++)
		cr_expect(spool_find(spool, a_message(n, 1).id, &found));
}
