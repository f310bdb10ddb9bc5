/* The spool's threads and the loop: which of them calls the disk, what goes on while one call does
 * not end, and what the log says of it. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "mail/sums.h"
#include "queue/spool.h"
#include "queue/stall.h"

enum { BODY_BYTES = 200000, STALL_MS = 50, PATIENCE_MS = 20000 };

enum operation { NONE, PREAD, PWRITEV, SYNC_DATA, WRITE_BACK, OPERATIONS };

static char directory[64];
static struct fsio *io;
static const struct fsio_ops *disk;
static struct fsio_ops watched;
static struct spool *spool;
static int log_fd;

static atomic_int stuck_operation;      /* of it no call ends */
static atomic_uint stuck;               /* calls that stood still */

static void
pass(enum operation which)
{
	if (which != (enum operation)stuck_operation)
		return;
	stuck++;
	while (which == (enum operation)stuck_operation)
		usleep(1000);
}

static ssize_t
watch_pread(struct fsio *f, int fd, void *p, size_t n, off_t at)
{
	pass(PREAD);
	return disk->pread(f, fd, p, n, at);
}

static ssize_t
watch_pwritev(struct fsio *f, int fd, const struct iovec *v, int count, off_t at)
{
	pass(PWRITEV);
	return disk->pwritev(f, fd, v, count, at);
}

static int
watch_sync_data(struct fsio *f, int fd)
{
	pass(SYNC_DATA);
	return disk->sync_data(f, fd);
}

static int
watch_write_back(struct fsio *f, int fd, off_t at, off_t bytes)
{
	pass(WRITE_BACK);
	return disk->write_back(f, fd, at, bytes);
}

static void
begin(void)
{
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN * 4, .stall_ms = STALL_MS};

	strncpy(directory, "/tmp/test-threads-XXXXXX", sizeof directory - 1);
	cr_assert_not_null(mkdtemp(directory));
	log_fd = memfd_create("log", MFD_CLOEXEC);
	log_open(dup(log_fd), LOG_TO_FILE);
	io = fsio_new(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	disk = io->ops;
	watched = *disk;
	watched.pread = watch_pread;
	watched.pwritev = watch_pwritev;
	watched.sync_data = watch_sync_data;
	watched.write_back = watch_write_back;
	io->ops = &watched;
	o.io = io;
	spool = spool_open(&o, NULL);
	cr_assert_not_null(spool);
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

	stuck_operation = NONE;
	spool_close(&spool);
	cr_expect_eq(disk->list(io, remove_one, &fd), 0);
	fsio_free(&io);
	close(fd);
	rmdir(directory);
	log_open(2, LOG_TO_STDERR);
	close(log_fd);
}

TestSuite(spool_threads, .init = begin, .fini = end, .timeout = 60);

/* ---- the loop ---- */

static struct msgid
id_of(uint32_t number)
{
	return (struct msgid){(uint64_t)7 << 18, number};
}

static void
heard(int error, void *arg)
{
	*(int *)arg = error;
}

static void
turn(void)
{
	struct pollfd p = {.fd = spool_fd(spool), .events = POLLIN};

	poll(&p, 1, 20);
	spool_dispatch(spool);
}

static void
turn_until(const int *answer)
{
	int64_t late_ms = clock_mono_ms() + PATIENCE_MS;

	while (*answer == -1 && clock_mono_ms() < late_ms)
		turn();
	cr_assert_neq(*answer, -1, "no answer");
}

static void
append(const struct spool_entry *e, int *answer)
{
	struct spool_batch b = {
	    .entries = e, .count = 1, .urgency = SPOOL_NOW, .fn = heard, .arg = answer};

	*answer = -1;
	cr_assert_eq(spool_append(spool, &b), 0);
}

static struct spool_entry
message(uint32_t number)
{
	struct spool_entry e = {.kind = SPOOL_MESSAGE, .id = id_of(number)};

	e.message.recipient_count = 1;
	e.message.envelope = STR("e");
	e.message.header = STR("h");
	e.message.body = STR("a body\r\n");
	return e;
}

static void
store(uint32_t number, int *answer)
{
	struct spool_entry e = message(number);

	append(&e, answer);
}

static void
store_now(uint32_t number)
{
	int answer;

	store(number, &answer);
	turn_until(&answer);
	cr_assert_eq(answer, 0);
}

static int
take_file(void)
{
	int fd = spool_file(spool);

	cr_assert_geq(fd, 0);
	return fd;
}

static void
store_in_file(uint32_t number, int *answer)
{
	static char body[BODY_BYTES];
	struct spool_entry e = message(number);

	memset(body, 'b', sizeof body);
	e.message.body = STR_NULL;
	e.message.in_file = true;
	e.message.fd = take_file();
	cr_assert_eq(write(e.message.fd, body, sizeof body), BODY_BYTES);
	append(&e, answer);
}

/* ---- what the log says ---- */

static unsigned
log_count(const char *words)
{
	static char text[65536];
	ssize_t n = pread(log_fd, text, sizeof text - 1, 0);
	unsigned count = 0;

	text[n > 0 ? n : 0] = 0;
	for (char *at = text; (at = strstr(at, words)); at++)
		count++;
	return count;
}

static struct spool_reading reading;

static void
got(const struct spool_content *content, int error, void *arg)
{
	*(int *)arg = content ? 0 : error;
}

static void
begin_write(int *answer)
{
	store(2, answer);
}

static void
begin_body(int *answer)
{
	store_in_file(3, answer);
}

static void
begin_read(int *answer)
{
	*answer = -1;
	spool_read(spool, &reading, id_of(1), got, answer);
}

static void
begin_check(int *answer)
{
	char text[] = "what is compared", sum[SUMS_BYTES];
	int fd = memfd_create("body", MFD_CLOEXEC);

	*answer = -1;
	cr_assert_eq(write(fd, text, sizeof text), (ssize_t)sizeof text);
	sums_make(str_make(text, sizeof text), sum);
	spool_check_body(spool, fd, str_make(sum, sizeof sum), heard, answer);
}

static const struct {
	enum spool_thread thread;
	enum operation operation;
	void (*begin)(int *answer);
	const char *line;               /* of which age is left out */
} stalls[] = {
    {SPOOL_THREAD_WRITER, SYNC_DATA, begin_write, "s for the disk: write the log; "},
    {SPOOL_THREAD_BODIES, WRITE_BACK, begin_body, "s for the disk: write the body of message "},
    {SPOOL_THREAD_READER, PREAD, begin_read, "s for the disk: read of message "},
    {SPOOL_THREAD_UPKEEP, PREAD, begin_check, "s for the disk: read a body again; "},
};

enum { STALLS = sizeof stalls / sizeof *stalls };

static void
watch_for(int ms)
{
	for (int64_t until = clock_mono_ms() + ms; clock_mono_ms() < until; usleep(5000))
		spool_watch(spool);
}

static void
expect_stall(unsigned n)
{
	enum spool_thread thread = stalls[n].thread;
	char waits[64], goes_on[64];
	int answer;

	snprintf(waits, sizeof waits, "thread %s has waited ", spool_thread_name(thread));
	snprintf(goes_on, sizeof goes_on, "thread %s goes on after ", spool_thread_name(thread));
	stuck = 0;
	stuck_operation = (int)stalls[n].operation;
	stalls[n].begin(&answer);
	while (!stuck)
		usleep(1000);
	spool_watch(spool);
	cr_expect_eq(log_count(waits), 0, "told at once");
	watch_for(4 * STALL_MS);
	cr_expect_geq(spool_thread_ms(spool, thread), 2 * STALL_MS);
	cr_expect_eq(log_count(waits), 1, "%u: %u lines", n, log_count(waits));
	cr_expect_eq(log_count(stalls[n].line), 1, "%u: not told: %s", n, stalls[n].line);
	cr_expect_eq(log_count(goes_on), 0);
	stuck_operation = NONE;
	turn_until(&answer);
	cr_expect_eq(answer, 0);
	watch_for(4 * STALL_MS);
	cr_expect_eq(log_count(goes_on), 1);
	cr_expect_eq(log_count(waits), 1);
	cr_expect_eq(spool_thread_ms(spool, thread), 0);
}

Test(spool_threads, one_that_stands_still_is_logged_once_and_when_it_goes_on)
{
	store_now(1);
	/* the stock of segments is made */
	watch_for(10 * STALL_MS);
	for (unsigned n = 0; n < STALLS; n++)
		expect_stall(n);
}

/* ---- names ---- */

static bool
has_thread(const char *name)
{
	char path[300], comm[32];
	DIR *tasks = opendir("/proc/self/task");
	bool is_there = false;
	struct dirent *d;
	ssize_t n;

	while ((d = readdir(tasks))) {
		int fd;

		snprintf(path, sizeof path, "/proc/self/task/%s/comm", d->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd >= 0 ? read(fd, comm, sizeof comm - 1) : 0;
		comm[n > 0 ? n - 1 : 0] = 0;
		is_there |= strcmp(comm, name) == 0;
		if (fd >= 0)
			close(fd);
	}
	closedir(tasks);
	return is_there;
}

Test(spool_threads, each_has_its_name)
{
	/* a thread names itself when it begins */
	store_now(1);
	usleep(50000);
	for (enum spool_thread t = 0; t < SPOOL_THREADS; t++)
		cr_expect(has_thread(spool_thread_name(t)), "%s", spool_thread_name(t));
}
