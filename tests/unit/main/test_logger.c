/* logger: inside its sandbox a role can do nothing to the log but add lines of its own. */
#include "main/logger.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/auth.h"
#include "base/clock.h"
#include "base/log.h"
#include "control/control.h"
#include "keys/keys.h"
#include "queue/queue.h"
#include "relay/relay.h"
#include "submission/submission.h"

static char log_name[64], log_text[1 << 20];
static struct logger *logger;

static void
logger_set_up(void)
{
	snprintf(log_name, sizeof log_name, "/var/tmp/sallyport-logger-XXXXXX");
	log_open(mkostemp(log_name, O_APPEND | O_CLOEXEC), LOG_TO_FILE);
	log_info("history");
	logger = logger_new();
	cr_assert_not_null(logger);
}

static void
logger_tear_down(void)
{
	logger_free(&logger);
	log_open(2, LOG_TO_STDERR);
	unlink(log_name);
}

TestSuite(logger, .init = logger_set_up, .fini = logger_tear_down, .timeout = 60);

static const char *
whole_log(void)
{
	int fd = open(log_name, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, log_text, sizeof log_text - 1);

	close(fd);
	log_text[n > 0 ? n : 0] = 0;
	return log_text;
}

/* Tries everything that a process can do with its log, by system calls; the results do not
 * matter. */
static void
attack(int fd)
{
	for (int setting = 0; setting < 2; setting++) {
		syscall(SYS_ftruncate, fd, 0);
		syscall(SYS_fallocate, fd, 3 /* punch a hole */, 0, 10);
		syscall(SYS_pwrite64, fd, "ATTACK", 6, 0);
		syscall(SYS_lseek, fd, 0, SEEK_SET);
		syscall(SYS_write, fd, "ATTACK", 6);
		syscall(SYS_fcntl, fd, F_SETFL, O_RDWR | O_NONBLOCK);
		syscall(SYS_fcntl, fd, F_SETFL, 0);
	}
	syscall(SYS_fchmod, fd, 0);
	syscall(SYS_shutdown, fd, SHUT_RDWR);
}

/* Starts a process with a log of its own, as main/spawn.c does. */
static pid_t
role_process(const struct role_spec *spec, bool is_hostile)
{
	int ends[2];
	pid_t pid;

	cr_assert_eq(logger_pair(ends), 0);
	pid = fork();
	if (pid == 0) {
		log_open(dup2(ends[1], 2), LOG_TO_MAIN);
		log_info("%s begins", spec->name);
		if (sandbox_enter(&spec->sandbox) != 0)
			_exit(1);
		log_info("%s is inside", spec->name);
		if (is_hostile)
			attack(2);
		_exit(0);
	}
	close(ends[1]);
	logger_add(logger, ends[0], pid);
	return pid;
}

Test(logger, no_role_can_change_written_lines_or_block_another_role)
{
	static const struct role_spec *const specs[] = {&keys_role, &auth_role, &worker_role,
	    &submission_role, &queue_role, &relay_role, &control_role};
	enum { SPECS = sizeof specs / sizeof *specs };
	char wanted[100];
	int status;

	for (int s = 0; s < SPECS; s++)
		for (int n = 0; n < 2; n++) {
			pid_t pid = role_process(specs[s], n == 0);

			cr_assert_eq(waitpid(pid, &status, 0), pid);
			cr_expect_eq(status, 0, "%s", specs[s]->name);
			/* also after a hostile process, the last line of an honest one is
			 * written */
			snprintf(wanted, sizeof wanted, "sallyportd[%d]: info: %s is inside\n",
			    (int)pid, specs[s]->name);
			for (int i = 0; i < 2000 && !strstr(whole_log(), wanted); i++)
				usleep(5000);
			cr_expect_not_null(strstr(whole_log(), wanted), "%s", wanted);
		}
	cr_expect_not_null(strstr(whole_log(), ": info: history\n"));
	cr_expect_eq(log_text[0], '2', "it begins with a year");
	log_info("main still writes");
	cr_expect_not_null(strstr(whole_log(), ": info: main still writes\n"));
}

Test(logger, received_lines_are_written_before_the_end)
{
	int ends[2], lines = 0;

	cr_assert_eq(logger_pair(ends), 0);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(send(ends[1], "text", 4, MSG_NOSIGNAL), 4);
	logger_add(logger, ends[0], 77);
	logger_free(&logger);
	for (const char *at = whole_log();
	     (at = strstr(at, "sallyportd[77]: stderr text=\"text\"")); at++)
		lines++;
	cr_expect_eq(lines, 100);
	close(ends[1]);
}

enum { MEASURED_LINES = 200000, MEASURED_PROCESSES = 4 };

static pid_t
process_with_many_lines(void)
{
	int ends[2];
	pid_t pid;

	cr_assert_eq(logger_pair(ends), 0);
	pid = fork();
	if (pid == 0) {
		log_open(ends[1], LOG_TO_MAIN);
		for (int i = 0; i < MEASURED_LINES / MEASURED_PROCESSES; i++)
			log_info(
			    "deliver id=1R8K3M7Q4TB2-1.2 to=<somebody@example.com> status=sent "
			    "line=%d "
			    "host=mx.example.com[192.0.2.1]:25 tls=TLS1.3 code=250 seconds=0.3",
			    i);
		_exit(0);
	}
	close(ends[1]);
	logger_add(logger, ends[0], pid);
	return pid;
}

/* Prints the speed, and fails only far below the usual one: nothing is lost while the disk keeps
 * up. */
Test(logger, lines_per_second)
{
	int64_t began_us = clock_mono_us(), spent_us;
	pid_t pids[MEASURED_PROCESSES];
	int status;

	for (int i = 0; i < MEASURED_PROCESSES; i++)
		pids[i] = process_with_many_lines();
	for (int i = 0; i < MEASURED_PROCESSES; i++)
		cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
	logger_free(&logger);
	spent_us = clock_mono_us() - began_us;
	cr_log_info("%d lines of %d processes in %lld ms", MEASURED_LINES, MEASURED_PROCESSES,
	    (long long)spent_us / 1000);
	cr_expect_not_null(strstr(whole_log(), "line=0 "));
}
