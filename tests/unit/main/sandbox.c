/*
 * sandbox: in each role's own sandbox, what it may do works and what it may not is refused.  A plain
 * program: each try runs in a child of its own, which reports by its exit status.
 */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/auth.h"
#include "control/control.h"
#include "keys/keys.h"
#include "queue/queue.h"
#include "relay/relay.h"
#include "submission/submission.h"

/* Each answers 0, or -1 with errno. */
typedef int try_fn(void);

static int
open_passwd(void)
{
	return open("/etc/passwd", O_RDONLY);
}

static int
open_new(void)
{
	return open("/tmp/sandbox-test", O_WRONLY | O_CREAT, 0600);
}

static int
open_random(void)
{
	return open("/dev/urandom", O_RDONLY);
}

static int
socket_inet(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int
socket_unix(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int
connect_unix(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket"};

	return connect(0, (struct sockaddr *)&to, sizeof to) < 0 && errno == EPERM ? -1 : 0;
}

static int
trace_parent(void)
{
	return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int
kill_parent(void)
{
	return kill(getppid(), 0);
}

static int
kill_thread_of_parent(void)
{
	return (int)syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static int
limit_parent(void)
{
	struct rlimit limit;

	return prlimit(getppid(), RLIMIT_NOFILE, NULL, &limit);
}

static int
read_parent(void)
{
	static char byte, there;
	struct iovec to = {&byte, 1}, from = {&there, 1};

	return process_vm_readv(getppid(), &to, 1, &from, 1, 0) == 1 ? 0 : -1;
}

static int
run_program(void)
{
	char *const argv[] = {"true", NULL};

	return execv("/bin/true", argv);
}

static int
make_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid;
}

static int
make_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		MAP_FAILED
	    ? -1
	    : 0;
}

static int
become_root(void)
{
	return setuid(0);
}

static int
list_root(void)
{
	return open("/", O_RDONLY | O_DIRECTORY);
}

enum { NO = 0, KEYS = 1, AUTH = 2, WORKER = 4, SUBMISSION = 8, QUEUE = 16, RELAY = 32, CONTROL = 64 };

static const struct attempt {
	const char *name;
	try_fn *act;
	unsigned may; /* roles to whom it is allowed */
} attempts[] = {
    {"open /etc/passwd", open_passwd, NO},
    {"create a file", open_new, NO},
    {"list /", list_root, NO},
    {"open /dev/urandom", open_random, WORKER},
    {"socket AF_INET", socket_inet, RELAY},
    {"socket AF_UNIX", socket_unix, NO},
    {"connect", connect_unix, RELAY},
    {"ptrace", trace_parent, NO},
    {"kill", kill_parent, NO},
    {"tgkill", kill_thread_of_parent, NO},
    {"prlimit", limit_parent, NO},
    {"process_vm_readv", read_parent, NO},
    {"execve", run_program, NO},
    {"fork", make_process, NO},
    {"executable memory", make_code, NO},
    {"setuid 0", become_root, NO},
};

static const struct {
	unsigned bit;
	const struct role_spec *spec;
} roles[] = {
    {KEYS, &keys_role},
    {AUTH, &auth_role},
    {WORKER, &worker_role},
    {SUBMISSION, &submission_role},
    {QUEUE, &queue_role},
    {RELAY, &relay_role},
    {CONTROL, &control_role},
};

enum { ATTEMPTS = sizeof attempts / sizeof *attempts, ROLES = sizeof roles / sizeof *roles };

enum { DID = 0, REFUSED = 1, NO_SANDBOX = 2 };

/* The child: enters the role's sandbox and tries one thing. */
static int
try_in(const struct role_spec *spec, try_fn *act)
{
	static const struct sandbox_path random_device = {.path = "/dev/urandom"};
	struct sandbox sandbox = spec->sandbox;

	/* what prepare() adds for the one role that needs a device; directories come with descriptors */
	if (spec == &worker_role) {
		sandbox.paths = &random_device;
		sandbox.path_count = 1;
	}
	if (sandbox_enter(&sandbox) != 0)
		return NO_SANDBOX;
	if (act() >= 0)
		return DID;
	return errno == EPERM || errno == EACCES ? REFUSED : DID;
}

static int
outcome(const struct role_spec *spec, try_fn *act)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(try_in(spec, act));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return NO_SANDBOX;
	return WEXITSTATUS(status);
}

int
main(void)
{
	int bad = 0, number = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%d\n", ATTEMPTS * ROLES);
	for (int r = 0; r < ROLES; r++)
		for (int a = 0; a < ATTEMPTS; a++) {
			int wanted = attempts[a].may & roles[r].bit ? DID : REFUSED;
			int got = outcome(roles[r].spec, attempts[a].act);

			bad += got != wanted;
			printf("%sok %d - %s: %s %s\n", got == wanted ? "" : "not ", ++number,
			    roles[r].spec->name, attempts[a].name,
			    wanted == DID ? "is allowed" : "is refused");
		}
	return bad != 0;
}
