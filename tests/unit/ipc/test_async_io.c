/* Files that a thread reads, writes and closes: each piece has one callback, in order.  While a
 * call is stuck the loop continues, a dropped file stays valid until the thread has finished with
 * it, and the log reports it. */
#include "ipc/async_io.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "watched_files.h"

enum { STALL_TEST_MS = 50, WAIT_MS = 20000, PIECE = 65536 };

static const struct stall_thread who = {"test", "disk", "nothing else is read meanwhile"};

static struct event_base *base;
static struct async_io *disk;
static int log_fd;

static void
open_disk(bool is_by_hand)
{
	struct async_io_setup o = {.base = base,
	    .thread = &who,
	    .io = &watched.io,
	    .is_by_hand = is_by_hand,
	    .stall_ms = STALL_TEST_MS};

	disk = async_io_new(&o);
	cr_assert(disk, "%m");
}

static void
set_up(void)
{
	base = event_base_new();
	watched_files_begin();
	log_fd = memfd_create("log", MFD_CLOEXEC);
	log_open(dup(log_fd), LOG_TO_FILE);
	open_disk(false);
}

static void
tear_down(void)
{
	watched_files_release();
	async_io_free(&disk);
	event_base_free(base);
	watched_files_end();
	log_open(2, LOG_TO_STDERR);
	close(log_fd);
}

TestSuite(disk, .init = set_up, .fini = tear_down, .timeout = 60);

static void
idle(int ms)
{
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
}

static unsigned
log_count(const char *text_wanted)
{
	static char text[65536];
	ssize_t n = pread(log_fd, text, sizeof text - 1, 0);
	unsigned count = 0;

	text[n > 0 ? n : 0] = 0;
	for (const char *p = text; (p = strstr(p, text_wanted)); p += strlen(text_wanted))
		count++;
	return count;
}

struct result {
	unsigned count, number;
	int error;
	char bytes[PIECE];
	size_t n;
};

static unsigned last_number;

static void
on_result(int error, struct str bytes, void *arg)
{
	struct result *h = arg;

	h->count++;
	h->number = ++last_number;
	h->error = error;
	h->n = bytes.n;
	memcpy(h->bytes, bytes.p, bytes.n);
}

static bool
wait_for(const struct result *h, unsigned count)
{
	for (int64_t end = clock_mono_ms() + WAIT_MS; h->count < count && clock_mono_ms() < end;)
		idle(2);
	return h->count == count;
}

static struct async_io_file *
file_of(int *fd_out, uint32_t number)
{
	struct msgid id = {.session = 1, .number = number};

	*fd_out = memfd_create("body", MFD_CLOEXEC);
	return async_io_file_new(disk, *fd_out, id);
}

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static bool
is_closed_soon(int fd)
{
	for (int64_t end = clock_mono_ms() + WAIT_MS; is_open(fd) && clock_mono_ms() < end;)
		idle(2);
	return !is_open(fd);
}

/* ---- pieces ---- */

static void
write_and_read(void)
{
	static struct result h;
	static char text[PIECE];
	int fd;
	struct async_io_file *f = file_of(&fd, 1);

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)(i * 7 + i / 251);
	h = (struct result){0};
	async_io_write(f, 100, str_make(text, sizeof text), on_result, &h);
	cr_expect(async_io_file_is_busy(f));
	cr_expect_eq(h.count, 0, "called from inside the call");
	cr_expect(wait_for(&h, 1));
	cr_expect_eq(h.error, 0);
	cr_expect_not(async_io_file_is_busy(f));
	async_io_read(f, 101, sizeof text - 1, on_result, &h);
	cr_expect(wait_for(&h, 2));
	cr_expect_eq(h.error, 0);
	cr_expect_eq(h.n, sizeof text - 1);
	cr_expect_eq(memcmp(h.bytes, text + 1, h.n), 0);
	async_io_read(f, 101, sizeof text, on_result, &h);
	cr_expect(wait_for(&h, 3));
	cr_expect_eq(h.error, EIO, "the file ends before");
	cr_expect_eq(h.n, 0);
	watched.write_error = ENOSPC;
	async_io_write(f, 0, STR("x"), on_result, &h);
	cr_expect(wait_for(&h, 4));
	cr_expect_eq(h.error, ENOSPC);
	watched.write_error = 0;
	async_io_file_drop(&f);
	cr_expect_null(f);
	cr_expect(is_closed_soon(fd));
	async_io_file_drop(&f);
}

Test(disk, a_piece_is_written_and_read_whole)
{
	write_and_read();
}

Test(disk, an_interrupted_call_is_repeated)
{
	watched.interrupted = 20;
	write_and_read();
	cr_expect_eq(watched.interrupted, 0);
}

Test(disk, an_interrupted_call_is_not_repeated_for_ever)
{
	static struct result h;
	int fd;
	struct async_io_file *f = file_of(&fd, 1);

	watched.interrupted = 1 << 30;
	async_io_write(f, 0, STR("some"), on_result, &h);
	cr_expect(wait_for(&h, 1));
	cr_expect_eq(h.error, EINTR);
	async_io_read(f, 0, 4, on_result, &h);
	cr_expect(wait_for(&h, 2));
	cr_expect_eq(h.error, EINTR);
	async_io_file_drop(&f);
}

/* The eventfd is the first descriptor that async_io opens. */
Test(disk, a_lost_wake_up_only_delays_the_callback)
{
	static struct result h;
	int event_fd, deaf = open("/dev/null", O_RDONLY | O_CLOEXEC), fd;
	struct async_io_file *f;

	async_io_free(&disk);
	event_fd = dup(log_fd);
	close(event_fd);
	open_disk(false);
	f = file_of(&fd, 1);
	cr_assert_eq(dup2(deaf, event_fd), event_fd);
	close(deaf);
	async_io_write(f, 0, STR("some"), on_result, &h);
	cr_expect(wait_for(&h, 1));
	cr_expect_eq(h.error, 0);
	async_io_file_drop(&f);
	cr_expect(is_closed_soon(fd));
}

Test(disk, without_a_thread_it_does_the_same)
{
	async_io_free(&disk);
	open_disk(true);
	write_and_read();
}

Test(disk, pieces_are_done_in_the_order_of_the_calls)
{
	enum { FILES = 20 };
	static struct result h[FILES];
	struct async_io_file *f[FILES];
	int fd;

	last_number = 0;
	for (unsigned i = 0; i < FILES; i++)
		f[i] = file_of(&fd, i + 1);
	for (unsigned i = 0; i < FILES; i++)
		async_io_write(f[i], 0, STR("some"), on_result, &h[i]);
	for (unsigned i = 0; i < FILES; i++) {
		cr_expect(wait_for(&h[i], 1));
		cr_expect_eq(h[i].number, i + 1);
		async_io_file_drop(&f[i]);
	}
}

/* ---- a disk that does not respond ---- */

static const enum operation operations[] = {PREAD, PWRITEV, CLOSE};

static void
begin(struct async_io_file **f, enum operation which, struct result *h)
{
	if (which == PREAD)
		async_io_read(*f, 0, 4, on_result, h);
	else if (which == PWRITEV)
		async_io_write(*f, 0, STR("new!"), on_result, h);
	else
		async_io_file_drop(f);
}

Test(disk, a_stuck_call_delays_the_other_files_but_not_the_loop)
{
	static struct result h[2];

	for (unsigned i = 0; i < sizeof operations / sizeof *operations; i++) {
		int fd[2];
		struct async_io_file *f[2] = {file_of(&fd[0], 1), file_of(&fd[1], 2)};
		int64_t began_ms = clock_mono_ms();

		cr_assert_eq(pwrite(fd[0], "text", 4, 0), 4);
		memset(h, 0, sizeof h);
		stand_still(operations[i], fd[0]);
		begin(&f[0], operations[i], &h[0]);
		async_io_write(f[1], 0, STR("other"), on_result, &h[1]);
		await_stuck();
		idle(50);
		cr_expect_lt(clock_mono_ms() - began_ms, 5000, "the loop stood still");
		cr_expect_eq(h[0].count + h[1].count, 0);
		watched.stuck_in = NONE;
		cr_expect(wait_for(&h[1], 1));
		cr_expect_eq(h[0].count, operations[i] != CLOSE);
		async_io_file_drop(&f[0]);
		async_io_file_drop(&f[1]);
		cr_expect(is_closed_soon(fd[0]) && is_closed_soon(fd[1]));
	}
}

Test(disk, a_dropped_file_is_closed_after_its_piece_without_a_callback)
{
	static struct result h[2];

	for (unsigned i = 0; i < 2; i++) {
		int fd[2];
		struct async_io_file *f[2] = {file_of(&fd[0], 1), file_of(&fd[1], 2)};

		cr_assert_eq(pwrite(fd[0], "text", 4, 0), 4);
		memset(h, 0, sizeof h);
		stand_still(operations[i], fd[0]);
		begin(&f[0], operations[i], &h[0]);
		await_stuck();
		begin(&f[1], operations[i], &h[1]);
		watched.calls = 0;
		async_io_file_drop(&f[0]);
		async_io_file_drop(&f[1]);
		idle(50);
		cr_expect(is_open(fd[0]) && is_open(fd[1]));
		cr_expect_eq(async_io_closing(disk), 2);
		watched.stuck_in = NONE;
		cr_expect(is_closed_soon(fd[0]) && is_closed_soon(fd[1]));
		idle(20);
		cr_expect_eq(async_io_closing(disk), 0);
		/* the rest of the first piece, which is one call, and two closes */
		cr_expect_eq(watched.calls, 2, "%u: a piece that nobody waits for was begun",
		    watched.calls);
		cr_expect_eq(h[0].count + h[1].count, 0);
	}
}

/* The piece is done, but its callback has not come yet. */
Test(disk, a_file_that_is_dropped_before_its_callback)
{
	static struct result h;
	int fd;
	struct async_io_file *f = file_of(&fd, 1);

	async_io_write(f, 0, STR("text"), on_result, &h);
	usleep(50000);
	async_io_file_drop(&f);
	cr_expect(is_closed_soon(fd));
	cr_expect_eq(h.count, 0);
}

Test(disk, a_stuck_piece_is_logged_repeatedly_and_at_its_end)
{
	static struct result h;
	int fd;
	struct async_io_file *f = file_of(&fd, 7);
	char waits[100], id[ID_NUMBER_TEXT_BYTES], text[METRICS_TROUBLE_TEXT_BYTES];
	const struct metrics_region *seen;
	unsigned lines;
	int region;

	msgid_text((struct msgid){.session = 1, .number = 7}, 0, id);
	snprintf(waits, sizeof waits,
	    " s for the disk: write the body of message %s; nothing else ", id);
	stand_still(PWRITEV, fd);
	cr_assert_geq(region = metrics_create(), 0);
	cr_assert_eq(metrics_use(region), 0);
	seen = metrics_map(region);
	async_io_write(f, 0, STR("text"), on_result, &h);
	idle(1500);
	cr_expect_eq(log_count("test: thread disk has waited "), 1);
	idle(1700);
	cr_expect(strstr(metrics_read_trouble(seen, text), "thread disk waits "), "'%s'", text);
	cr_expect_geq(metrics_read_disk_ms(seen), 1000);
	lines = log_count("test: thread disk has waited ");
	cr_expect_geq(lines, 2);
	cr_expect_eq(log_count(waits), lines);
	cr_expect_eq(log_count("goes on"), 0);
	watched.stuck_in = NONE;
	cr_expect(wait_for(&h, 1));
	idle(1200);
	cr_expect_eq(log_count("test: thread disk goes on after "), 1);
	cr_expect_eq(log_count("has waited"), lines);
	cr_expect_str_eq(metrics_read_trouble(seen, text), "");
	cr_expect_eq(metrics_read_disk_ms(seen), 0);
	metrics_leave();
	metrics_unmap(&seen);
	close(region);
	async_io_file_drop(&f);
	cr_expect(is_closed_soon(fd));
}

/* The stalled time shows whether the disk makes progress: each end of a piece restarts it. */
Test(disk, the_stalled_time_is_that_of_one_piece)
{
	static struct result h[2];
	int fd[2];
	struct async_io_file *f[2] = {file_of(&fd[0], 1), file_of(&fd[1], 2)};

	cr_expect_eq(async_io_stalled_ms(disk), 0);
	stand_still(PWRITEV, fd[0]);
	async_io_write(f[0], 0, STR("text"), on_result, &h[0]);
	async_io_write(f[1], 0, STR("text"), on_result, &h[1]);
	await_stuck();
	idle(300);
	cr_expect_geq(async_io_stalled_ms(disk), 290);
	stand_still(PWRITEV, fd[1]);
	await_stuck();
	cr_expect_lt(async_io_stalled_ms(disk), 250);
	watched.stuck_in = NONE;
	cr_expect(wait_for(&h[1], 1));
	cr_expect_eq(async_io_stalled_ms(disk), 0);
	async_io_file_drop(&f[0]);
	async_io_file_drop(&f[1]);
	cr_expect(is_closed_soon(fd[0]) && is_closed_soon(fd[1]));
}

Test(disk, the_end_does_not_wait_for_a_stuck_piece)
{
	static struct result h;
	int fd;
	struct async_io_file *f = file_of(&fd, 1);
	int64_t began_ms;

	stand_still(PWRITEV, fd);
	async_io_write(f, 0, STR("text"), on_result, &h);
	await_stuck();
	async_io_file_drop(&f);
	began_ms = clock_mono_ms();
	async_io_free(&disk);
	cr_expect_lt(clock_mono_ms() - began_ms, ASYNC_IO_END_MS + 3000);
	cr_expect_eq(log_count("test: thread disk still waits for the disk at the end"), 1);
	/* it has all that it needs */
	watched.stuck_in = NONE;
	usleep(100000);
	cr_expect_eq(h.count, 0);
	cr_expect_eq(lseek(fd, 0, SEEK_END), 4);
	close(fd);
}

/* ---- the thread ---- */

static bool
blocks_all_signals(const char *task)
{
	char path[300], text[4096], *line;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/self/task/%s/status", task);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, text, sizeof text - 1);
	text[n > 0 ? n : 0] = 0;
	close(fd);
	line = strstr(text, "SigBlk:");
	/* all signals except SIGKILL, SIGSTOP and those of the C library */
	return strstr(text, "Name:\tdisk\n") && line &&
	       (strtoull(line + 7, NULL, 16) | 0x180040100) == UINT64_MAX;
}

Test(disk, signals_are_left_to_the_loop)
{
	struct dirent *d;
	unsigned found = 0;
	DIR *tasks;

	usleep(50000);
	tasks = opendir("/proc/self/task");
	while ((d = readdir(tasks)))
		found += d->d_name[0] != '.' && blocks_all_signals(d->d_name);
	closedir(tasks);
	cr_expect_eq(found, 1);
}
