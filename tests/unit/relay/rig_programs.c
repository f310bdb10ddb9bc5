/* rig_programs: child processes, and the directory of the test. */
#include "unit/relay/rig.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "mail/envelope.h"
#include "relay/relay.h"
#include "support/ask.h"
#include "support/fault_channel.h"

char rig_dir[64];

/* ---- child processes ---- */

static int child_out[64]; /* in the order of their start */
static pid_t child_pid[64];
static size_t child_count;

pid_t
rig_run(const char *command, unsigned *port_out)
{
	char line[100] = "";
	int fds[2];
	pid_t pid;

	cr_assert_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], 1);
		close(fds[0]);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	close(fds[1]);
	for (size_t n = 0; port_out && n + 1 < sizeof line && !strchr(line, '\n'); n++)
		if (read(fds[0], line + n, 1) != 1)
			break;
	if (port_out)
		cr_assert_eq(sscanf(line, "listening %u", port_out), 1, "%s", command);
	child_out[child_count] = fds[0];
	child_pid[child_count++] = pid;
	return pid;
}

void
rig_end(pid_t pid, char *text)
{
	size_t i = 0;
	ssize_t n;
	int status;

	while (child_pid[i] != pid)
		i++;
	kill(pid, SIGTERM);
	n = text ? read(child_out[i], text, 199) : 0;
	if (text)
		text[n > 0 ? n : 0] = '\0';
	close(child_out[i]);
	waitpid(pid, &status, 0);
}

int
rig_do(const char *command)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- the directory, and the sink that stores mail in it ---- */

void
rig_set_up(void)
{
	snprintf(rig_dir, sizeof rig_dir, "/tmp/relay-test-XXXXXX");
	cr_assert_not_null(mkdtemp(rig_dir));
}

void
rig_tear_down(void)
{
	char command[100];

	snprintf(command, sizeof command, "rm -rf %s", rig_dir);
	rig_do(command);
}

pid_t
rig_sink(const char *options, unsigned *port)
{
	const char *build = getenv("TOP_BUILDDIR");
	char command[500];

	snprintf(command, sizeof command, "exec %s/sink --port 0 --directory %s %s",
	    build ? build : ".", rig_dir, options);
	return rig_run(command, port);
}

void
rig_has_file(const char *name, const char *expected)
{
	char path[100], text[4096];
	FILE *f;
	size_t n;

	snprintf(path, sizeof path, "%s/%s", rig_dir, name);
	f = fopen(path, "r");
	cr_assert_not_null(f, "no %s", path);
	n = fread(text, 1, sizeof text - 1, f);
	text[n] = '\0';
	fclose(f);
	cr_expect_str_eq(text, expected, "%s holds \"%s\"", name, text);
}

long
rig_file_bytes(const char *name)
{
	char path[100];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s", rig_dir, name);
	return stat(path, &st) == 0 ? (long)st.st_size : -1;
}

int
rig_listen(unsigned *port_out)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof in;

	cr_assert_eq(bind(fd, (struct sockaddr *)&in, len), 0);
	cr_assert_eq(listen(fd, 100), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*port_out = ntohs(in.sin_port);
	return fd;
}
