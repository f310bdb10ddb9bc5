/* spool_threads: which thread makes which calls of the disk, what continues while one call does not
 * end, and what is logged about it. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "spool/spool_threads.h"
#include "watched_disk.h"

enum { BODY_BYTES = 200000, STALL_MS = 50 };

static int log_fd;
static struct spool_reading reading;

static void
begin(void)
{
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN * 4, .stall_ms = STALL_MS};

	watched.loop = pthread_self();
	watched.stuck_thread = -1;
	log_fd = memfd_create("log", MFD_CLOEXEC);
	log_open(dup(log_fd), LOG_TO_FILE);
	rig_begin(&o, watch_disk);
	watched.is_running = true;
}

static void
end(void)
{
	watched.stuck_operation = NONE;
	watched.is_running = false;
	rig_end();
	log_open(2, LOG_TO_STDERR);
	close(log_fd);
}

TestSuite(spool_threads, .init = begin, .fini = end, .timeout = 60);

/* ---- log lines ---- */

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

static void
begin_write(int *answer)
{
	rig_store_soon(2, answer);
}

static void
begin_body(int *answer)
{
	struct spool_entry e = rig_message_in_file(3, BODY_BYTES);

	rig_append_soon(&e, 1, answer);
}

static void
begin_read(int *answer)
{
	*answer = -1;
	spool_read(rig.spool, &reading, rig_id(1), rig_read_answered, answer);
}

static void
begin_check(int *answer)
{
	rig_check_body(STR("what is compared"), answer);
}

/* Drops an open file, and stores a message, whose answer is not the result of the drop. */
static void
begin_drop(int *answer)
{
	spool_file_drop(rig.spool, rig_take_file());
	rig_store_soon(4, answer);
}

static const struct {
	enum spool_thread thread;
	enum operation operation;
	void (*begin)(int *answer);
	const char *line;                /* without the number of seconds */
} stalls[] = {
    {SPOOL_THREAD_WRITER, SYNC_DATA, begin_write, "s for the disk: write the log; "},
    {SPOOL_THREAD_BODIES, WRITE_BACK, begin_body, "s for the disk: write the body of message "},
    {SPOOL_THREAD_READER, PREAD, begin_read, "s for the disk: read of message "},
    {SPOOL_THREAD_UPKEEP, PREAD, begin_check, "s for the disk: read a body again; "},
    {SPOOL_THREAD_FILES, CLOSE, begin_drop, "s for the disk: close a body's file; "},
};

enum { STALLS = sizeof stalls / sizeof *stalls };

static void
watch_for(int ms)
{
	for (int64_t until = clock_mono_ms() + ms; clock_mono_ms() < until; usleep(5000))
		spool_watch(rig.spool);
}

static void
expect_stall(unsigned n)
{
	enum spool_thread thread = stalls[n].thread;
	char waiting[64], continues[64], text[128];
	int answer;

	snprintf(waiting, sizeof waiting, "thread %s has waited ", spool_thread_name(thread));
	snprintf(
	    continues, sizeof continues, "thread %s goes on after ", spool_thread_name(thread));
	watched.stuck = 0;
	watched.stuck_thread = (int)thread;
	watched.stuck_operation = (int)stalls[n].operation;
	stalls[n].begin(&answer);
	while (!watched.stuck)
		usleep(1000);
	spool_watch(rig.spool);
	cr_expect_eq(log_count(waiting), 0, "logged at once");
	watch_for(4 * STALL_MS);
	cr_expect_geq(spool_thread_ms(rig.spool, thread), 2 * STALL_MS);
	cr_expect_eq(log_count(waiting), 1, "%u: %u lines", n, log_count(waiting));
	cr_expect_eq(log_count(stalls[n].line), 1, "%u: not logged: %s", n, stalls[n].line);
	cr_expect_eq(log_count(continues), 0);
	snprintf(waiting, sizeof waiting, "thread %s waits 0 s for the disk: ",
	    spool_thread_name(thread));
	cr_expect(spool_stall_text(rig.spool, text, sizeof text));
	cr_expect_eq(strncmp(text, waiting, strlen(waiting)), 0, "%s", text);
	watched.stuck_operation = NONE;
	rig_until(&answer);
	cr_expect_eq(answer, 0);
	watch_for(4 * STALL_MS);
	cr_expect_eq(log_count(continues), 1);
	cr_expect_eq(log_count(stalls[n].line), 1);
	cr_expect_eq(spool_thread_ms(rig.spool, thread), 0);
	cr_expect_not(spool_stall_text(rig.spool, text, sizeof text));
}

Test(spool_threads, a_blocked_thread_is_logged_once_and_when_it_continues)
{
	rig_store(1);
	/* until the pool has made its segments */
	watch_for(10 * STALL_MS);
	for (unsigned n = 0; n < STALLS; n++)
		expect_stall(n);
}

Test(spool_threads, a_thread_that_is_blocked_for_long_is_logged_again)
{
	int answer;

	rig_store(1);
	watch_for(10 * STALL_MS);
	watched.stuck = 0;
	watched.stuck_thread = (int)stalls[0].thread;
	watched.stuck_operation = (int)stalls[0].operation;
	stalls[0].begin(&answer);
	while (!watched.stuck)
		usleep(1000);
	watch_for(STALL_AGAIN_TIMES / 2 * STALL_MS);
	cr_expect_eq(log_count(" has waited "), 1);
	watch_for((2 * STALL_AGAIN_TIMES + 4) * STALL_MS);
	cr_expect_geq(log_count(" has waited "), 2);
	cr_expect_leq(log_count(" has waited "), 3);
	watched.stuck_operation = NONE;
	rig_until(&answer);
}

/* ---- names of the threads ---- */

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

Test(spool_threads, each_thread_has_its_name)
{
	/* a thread sets its name when it begins */
	rig_store(1);
	usleep(50000);
	for (enum spool_thread t = 0; t < SPOOL_THREADS; t++)
		cr_expect(has_thread(spool_thread_name(t)), "%s", spool_thread_name(t));
}

/* ---- calls of the event loop ---- */

/* Stores, refuses, reads and checks bodies, reads while the message is removed, makes and frees
 * segments. */
Test(spool_threads, the_event_loop_makes_no_disk_calls)
{
	unsigned closed;
	int answer;

	for (uint32_t n = 10; n < 40; n++) {
		rig_store_in_file(n, BODY_BYTES);
		rig_read(n);
		answer = -1;
		spool_read(rig.spool, &reading, rig_id(n), rig_read_answered, &answer);
		rig_settle(n);
		rig_until(&answer);
		rig_store(n + 100);
		rig_settle(n + 100);
		spool_file_drop(rig.spool, rig_take_file());
	}
	closed = watched.calls[CLOSE];
	begin_check(&answer);
	rig_until(&answer);
	rig_until_count(&watched.calls[CLOSE], closed + 1, "files closed");
	rig_until_count(&watched.calls[UNLINK], 30, "files removed");
	for (enum operation o = NONE + 1; o < OPERATIONS; o++)
		cr_expect_eq(watched.in_loop[o], 0, "operation %d: %u calls", (int)o,
		    watched.in_loop[o]);
	cr_expect_geq(watched.calls[OPEN_NAMELESS], 60);
}

/* ---- one operation is blocked ---- */

static const struct {
	const char *what;
	enum spool_thread thread;
	enum operation operation;
	void (*begin)(int *answer);
	bool are_files_given;            /* other messages get body files meanwhile */
} blocked[] = {
    {"a file is opened", SPOOL_THREAD_FILES, OPEN_NAMELESS, begin_drop, false},
    {"a file that is not wanted is closed", SPOOL_THREAD_FILES, CLOSE, begin_drop, false},
    {"a body is written", SPOOL_THREAD_BODIES, WRITE_BACK, begin_body, true},
    {"a body is synced", SPOOL_THREAD_BODIES, SYNC_DATA, begin_body, true},
    {"a body is read back", SPOOL_THREAD_BODIES, PREAD, begin_body, true},
    {"a body is named", SPOOL_THREAD_BODIES, NAME, begin_body, true},
    {"the name is synced", SPOOL_THREAD_BODIES, SYNC_DIRECTORY, begin_body, true},
    {"a body is closed", SPOOL_THREAD_BODIES, CLOSE, begin_body, true},
    {"a message is read", SPOOL_THREAD_READER, PREAD, begin_read, true},
    {"a body is opened", SPOOL_THREAD_READER, OPEN, begin_read, true},
    {"a body that was read is closed", SPOOL_THREAD_READER, CLOSE, begin_read, true},
    {"a body is compared", SPOOL_THREAD_UPKEEP, PREAD, begin_check, true},
    {"a body that was compared is closed", SPOOL_THREAD_UPKEEP, CLOSE, begin_check, true},
};

enum { BLOCKED = sizeof blocked / sizeof *blocked };

Test(spool_threads, small_messages_are_stored_while_another_thread_is_blocked)
{
	uint32_t next = 100;
	int answer;

	for (unsigned n = 0; n < BLOCKED; n++) {
		end();
		begin();
		rig_store_in_file(1, BODY_BYTES);
		watched.stuck = 0;
		watched.stuck_thread = (int)blocked[n].thread;
		watched.stuck_operation = (int)blocked[n].operation;
		blocked[n].begin(&answer);
		rig_until_count(&watched.stuck, 1, blocked[n].what);
		for (unsigned k = 0; k < 10; k++) {
			rig_store(++next);
			rig_settle(next);
		}
		if (blocked[n].are_files_given)
			spool_file_drop(rig.spool, rig_take_file());
		cr_expect(watched.stuck && watched.stuck_operation, "%s", blocked[n].what);
		watched.stuck_operation = NONE;
		rig_until(&answer);
		cr_expect_eq(answer, 0, "%s: %d", blocked[n].what, answer);
	}
}

/* ---- files that are opened ahead ---- */

static void
until_ready(void)
{
	rig_until_count(&watched.calls[OPEN_NAMELESS], BODY_FILES_READY, "files opened");
	for (int n = 0; n < 5; n++)
		rig_turn();
}

Test(spool_threads, files_are_ready_and_bounded_while_none_can_be_opened)
{
	static struct rig_file requested[20];
	int fds[BODY_FILES_READY];

	until_ready();
	cr_expect_eq(watched.calls[OPEN_NAMELESS], BODY_FILES_READY);
	watched.stuck_operation = OPEN_NAMELESS;
	for (unsigned n = 0; n < BODY_FILES_READY; n++)
		cr_assert_geq((fds[n] = spool_file(rig.spool)), 0);
	cr_expect_eq(spool_file(rig.spool), -1);
	cr_expect_eq(errno, EAGAIN);
	for (unsigned n = 0; n < 20; n++)
		rig_request_file(&requested[n]);
	spool_file_cancel(&requested[3].wait);
	spool_file_cancel(&requested[3].wait);
	rig_store(50);
	for (unsigned n = 0; n < 20; n++)
		cr_expect_eq(requested[n].answer, -1);
	watched.stuck_operation = NONE;
	for (unsigned n = 0; n < 20; n++)
		if (n != 3)
			rig_until(&requested[n].answer);
	cr_expect_eq(requested[3].answer, -1);
	for (unsigned n = 0; n < 20; n++)
		if (n != 3)
			spool_file_drop(rig.spool, requested[n].fd);
	for (unsigned n = 0; n < BODY_FILES_READY; n++)
		spool_file_drop(rig.spool, fds[n]);
	for (int n = 0; n < 5; n++)
		rig_turn();
	cr_expect_leq(watched.calls[OPEN_NAMELESS],
	    19 + 2 * BODY_FILES_READY + BODY_FILES_OPENING_MAX);
	rig_store_in_file(51, BODY_BYTES);
}

/* The request gets the error; no file is opened ahead repeatedly meanwhile. */
Test(spool_threads, an_open_error_is_the_answer_of_the_request)
{
	struct rig_file a;
	unsigned before;

	until_ready();
	watched.open_error = EMFILE;
	for (unsigned n = 0; n < BODY_FILES_READY; n++)
		spool_file_drop(rig.spool, spool_file(rig.spool));
	for (int n = 0; n < 10; n++)
		rig_turn();
	before = watched.calls[OPEN_NAMELESS];
	rig_request_file(&a);
	rig_until(&a.answer);
	cr_expect_eq(a.answer, EMFILE);
	cr_expect_eq(watched.calls[OPEN_NAMELESS], before + 1);
	watched.open_error = 0;
	spool_file_drop(rig.spool, rig_take_file());
	until_ready();
	cr_expect_geq(a.fd = spool_file(rig.spool), 0, "one is ready again");
	spool_file_drop(rig.spool, a.fd);
}
