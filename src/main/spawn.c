/*
 * spawn: see the header.  Between fork and exec there are only system calls: the user is changed
 * before the new program starts, so no code of a role runs as root.
 */
#include "main/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "auth/auth.h"
#include "auth/worker_kinds.h"
#include "base/error_text.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control.h"
#include "keys/keys.h"
#include "main/logger.h"
#include "queue/queue.h"
#include "relay/relay.h"
#include "submission/submission.h"

static const struct role_spec *const specs[ROLE_KINDS] = {
    [ROLE_KEYS] = &keys_role,
    [ROLE_AUTH] = &auth_role,
    [ROLE_SUBMISSION] = &submission_role,
    [ROLE_QUEUE] = &queue_role,
    [ROLE_RELAY] = &relay_role,
    [ROLE_CONTROL] = &control_role,
};

static const struct role_spec *
spawn_spec_of(enum role_kind kind)
{
	const struct worker_kind *worker = worker_kind_of(kind);

	return worker ? worker->spec : specs[kind];
}

/* ---- processes ---- */

/* Gives up the controlling terminal and leaves main's process group, so that keys of the terminal
 * (Ctrl-C) reach only main.  A new session would do the same, but the kernel schedules each session
 * as a group (sched_autogroup), and on a busy machine every step from role to role would wait until
 * the other group is scheduled. */
static bool
spawn_leave_session(void)
{
	int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	bool has_left = terminal >= 0 ? ioctl(terminal, TIOCNOTTY) == 0 : errno == ENXIO;

	if (terminal >= 0)
		close(terminal);
	return has_left ? setpgid(0, 0) == 0 : setsid() >= 0;
}

/* Closes the terminal from which main may have been started.  Standard error goes to the log, over
 * this process's own socket. */
static bool
spawn_leave_terminal(int log_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	return spawn_leave_session() && null >= 0 && dup2(null, 0) >= 0 && dup2(null, 1) >= 0 &&
	    dup2(log_fd >= 0 ? log_fd : null, 2) >= 0;
}

/* Runs in the new process; never returns. */
static void
spawn_exec_role(const struct instance *i, int fd, int log_fd)
{
	static const char name[] = "sallyportd";
	const struct os_user *a = &i->daemon->identities[i->kind];
	char *const env[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", NULL};
	char index[12];
	char *const argv[] = {
	    (char *)name, "--role", (char *)role_name(i->kind), index, NULL};
	sigset_t none;

	snprintf(index, sizeof index, "%u", i->index);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (!spawn_leave_terminal(log_fd) || dup2(fd, SPAWN_CHANNEL_FD) < 0 || chdir("/") != 0)
		_exit(EXIT_OS);
	if (fd == SPAWN_CHANNEL_FD)
		fcntl(fd, F_SETFD, 0);
	if (getuid() == 0 && sandbox_become(a->uid, a->gid) != 0)
		_exit(EXIT_NOT_ALLOWED);
	execveat(i->daemon->exe_fd, "", argv, env, AT_EMPTY_PATH);
	_exit(EXIT_OS);
}

/* -1: the role runs without a log, and its lines are lost. */
static int
spawn_log_pair(const struct instance *i, int *main_end_out)
{
	int ends[2];

	*main_end_out = -1;
	if (!i->daemon->logger)
		return -1;
	if (logger_pair(ends) != 0) {
		log_error("%s %u has no log: %s", role_name(i->kind), i->index, error_text(errno));
		return -1;
	}
	*main_end_out = ends[0];
	return ends[1];
}

static bool
spawn_process(struct instance *i, int fd)
{
	int main_end, log_fd = spawn_log_pair(i, &main_end), error;

	i->pid = fork();
	error = errno;
	if (i->pid == 0)
		spawn_exec_role(i, fd, log_fd);
	close(fd);
	if (log_fd >= 0)
		close(log_fd);
	if (main_end >= 0 && i->pid > 0)
		logger_add(i->daemon->logger, main_end, i->pid);
	else if (main_end >= 0)
		close(main_end);
	if (i->pid > 0)
		return true;
	log_error("%s %u: fork: %s", role_name(i->kind), i->index, error_text(error));
	i->pid = 0;
	return false;
}

/* ---- threads ---- */

static void *
spawn_thread_main(void *arg)
{
	struct instance *i = arg;

	(void)role_run(spawn_spec_of(i->kind), i->kind, i->index, i->thread_fd, true);
	return NULL;
}

static bool
spawn_thread(struct instance *i, int fd)
{
	int error;

	i->thread_fd = fd;
	error = pthread_create(&i->thread, NULL, spawn_thread_main, i);
	if (error)
		log_error("%s %u: no thread can be made: %s", role_name(i->kind), i->index,
		    error_text(error));
	return !error;
}

/* ---- both ---- */

int
spawn_instance(struct instance *i)
{
	int fds[2];

	if (channel_pair(fds) != 0) {
		log_error("%s %u: no channel can be made: %s", role_name(i->kind), i->index,
		    error_text(errno));
		return -1;
	}
	if (i->daemon->in_threads ? spawn_thread(i, fds[1]) : spawn_process(i, fds[1]))
		return fds[0];
	close(fds[0]);
	return -1;
}

void
spawn_kill(struct instance *i)
{
	struct message_stop m = {.drain_ms = 0};

	if (i->daemon->in_threads && i->channel)
		(void)!channel_send(i->channel, MESSAGE_STOP, &m, -1);
	else if (i->pid > 0)
		kill(i->pid, SIGKILL);
}

static enum role_kind
spawn_find_role(const char *name)
{
	for (int k = 0; k < ROLE_KINDS; k++)
		if (spawn_spec_of((enum role_kind)k) &&
		    strcmp(role_name((enum role_kind)k), name) == 0)
			return (enum role_kind)k;
	return ROLE_KINDS;
}

int
spawn_role_main(const char *name, const char *index)
{
	enum role_kind kind = spawn_find_role(name);
	uint64_t number;

	if (kind == ROLE_KINDS || !str_u64(str_of(index), &number) || number >= INSTANCE_COUNT_MAX)
		return EXIT_USAGE;
	fcntl(SPAWN_CHANNEL_FD, F_SETFD, FD_CLOEXEC);
	log_open(2, LOG_TO_MAIN);
	return role_run(spawn_spec_of(kind), kind, (unsigned)number, SPAWN_CHANNEL_FD, false);
}
