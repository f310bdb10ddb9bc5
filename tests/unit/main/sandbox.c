/*
 * sandbox: in each role's own sandbox, permitted calls work and others are refused.  A plain
 * program: each attempt runs in a child of its own, which reports by its exit status.
 */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
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

/* Each returns 0, or -1 with errno. */
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
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	           0) == MAP_FAILED
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

static int
raise_own_limit(void)
{
	struct rlimit limit = {256, 256};

	return prlimit(0, RLIMIT_NOFILE, &limit, NULL);
}

static int
read_own_limit(void)
{
	struct rlimit limit;

	return prlimit(0, RLIMIT_NOFILE, NULL, &limit);
}

/* Sockets of main(), outside all sandboxes. */
static int sender, listener;
static struct sockaddr_un abstract = {.sun_family = AF_UNIX};

/* A kernel without this scope in landlock permits it. */
static int
reach_abstract_socket(void)
{
	return (int)sendto(sender, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&abstract,
	    offsetof(struct sockaddr_un, sun_path) + 16);
}

/* ---- commands of fcntl, ioctl and prctl: all of them ---- */

static const char *tested_role;
static int tested_file, wrong_count;

static void
command_is(const char *call, unsigned long command, bool is_wanted, long result)
{
	bool is_allowed = result >= 0 || errno != EPERM;

	if (is_allowed == is_wanted)
		return;
	wrong_count++;
	printf("# %s: %s %#lx is %s\n", tested_role, call, command,
	    is_allowed ? "allowed" : "refused");
}

static bool
is_among(unsigned long command, const unsigned long *wanted)
{
	while (*wanted && *wanted != command)
		wanted++;
	return *wanted != 0;
}

/* 0 is the end of each list, so F_DUPFD, which is 0, is tried alone. */
static void
test_fcntl(bool may_lock)
{
	static const unsigned long each[] = {F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC, 0};
	static const unsigned long locks[] = {
	    F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC, F_GETLK, F_SETLK, 0};
	const unsigned long *wanted = may_lock ? locks : each;

	command_is("fcntl", F_DUPFD, true, syscall(SYS_fcntl, tested_file, F_DUPFD, 0));
	for (unsigned long c = 1; c < 2048; c++)
		if (c != F_SETFL)
			command_is(
			    "fcntl", c, is_among(c, wanted), syscall(SYS_fcntl, tested_file, c, 0));
}

static void
test_flags(bool may_unblock)
{
	static const int values[] = {O_RDONLY, O_WRONLY, O_RDWR, O_NONBLOCK | O_RDWR};

	for (size_t i = 0; i < sizeof values / sizeof *values; i++)
		command_is("fcntl F_SETFL", (unsigned long)values[i], may_unblock,
		    syscall(SYS_fcntl, tested_file, F_SETFL, values[i]));
	for (int bit = 2; bit < 32; bit++)
		if (1u << bit != O_NONBLOCK)
			command_is("fcntl F_SETFL", 1ul << bit, false,
			    syscall(SYS_fcntl, tested_file, F_SETFL, 1ul << bit));
}

static void
test_ioctl(bool has_sockets)
{
	static const unsigned long wanted[] = {FIONREAD, FIONBIO, 0};

	/* terminals, among them TIOCSTI, TIOCLINUX, TIOCSCTTY, FIOASYNC; then sockets, among them
	 * FIOSETOWN, SIOCSPGRP */
	for (unsigned long c = 0x5400; c < 0x5500; c++)
		command_is("ioctl", c, has_sockets && is_among(c, wanted),
		    syscall(SYS_ioctl, tested_file, c, 0));
	for (unsigned long c = 0x8900; c < 0x8a00; c++)
		command_is("ioctl", c, false, syscall(SYS_ioctl, tested_file, c, 0));
	command_is("ioctl", 1ul << 32 | TIOCSTI, false,
	    syscall(SYS_ioctl, tested_file, 1ul << 32 | TIOCSTI, 0));
}

static void
test_prctl(bool has_threads)
{
	static const unsigned long large[] = {0x53564d41 /* PR_SET_VMA */,
	    0x59616d61 /* PR_SET_PTRACER */, 0x41555856 /* PR_GET_AUXV */};

	for (unsigned long c = 0; c < 256; c++)
		command_is(
		    "prctl", c, has_threads && c == PR_SET_NAME, syscall(SYS_prctl, c, 0, 0, 0, 0));
	for (size_t i = 0; i < sizeof large / sizeof *large; i++)
		command_is("prctl", large[i], false, syscall(SYS_prctl, large[i], 0, 0, 0, 0));
}

enum {
	NO = 0,
	KEYS = 1,
	AUTH = 2,
	WORKER = 4,
	SUBMISSION = 8,
	QUEUE = 16,
	RELAY = 32,
	CONTROL = 64,
	ACCOUNTS = 128
};

enum { ALL = KEYS | AUTH | WORKER | ACCOUNTS | SUBMISSION | QUEUE | RELAY | CONTROL };

static const struct attempt {
	const char *name;
	try_fn *act;
	unsigned may; /* roles that may do it */
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
    {"prlimit of its own, to change it", raise_own_limit, NO},
    {"prlimit of its own, to read it", read_own_limit, ALL},
    {"abstract socket", reach_abstract_socket, NO},
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
    {ACCOUNTS, &accounts_role},
    {SUBMISSION, &submission_role},
    {QUEUE, &queue_role},
    {RELAY, &relay_role},
    {CONTROL, &control_role},
};

enum { ATTEMPTS = sizeof attempts / sizeof *attempts, ROLES = sizeof roles / sizeof *roles };

enum { DID = 0, REFUSED = 1, NO_SANDBOX = 2 };

/* Runs in the child: enters the role's sandbox and makes one attempt. */
static int
try_in(const struct role_spec *spec, try_fn *act)
{
	static const struct sandbox_path random_device = {.path = "/dev/urandom"};
	struct sandbox sandbox = spec->sandbox;

	/* what prepare() adds for the only role that needs a device; directories come with
	 * descriptors */
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

/* Runs in the child: exactly the commands of its list are permitted. */
static int
test_commands_in(const struct role_spec *spec)
{
	unsigned needs = spec->sandbox.needs;

	tested_role = spec->name;
	tested_file = memfd_create("walked", MFD_ALLOW_SEALING);
	if (tested_file < 0 || sandbox_enter(&spec->sandbox) != 0)
		return NO_SANDBOX;
	test_fcntl(needs & SANDBOX_WRITE);
	test_flags(needs & SANDBOX_CONNECT);
	test_ioctl(needs & (SANDBOX_ACCEPT | SANDBOX_CONNECT));
	test_prctl(needs & SANDBOX_THREADS);
	fflush(stdout);
	return wrong_count ? REFUSED : DID;
}

static int
test_commands(const struct role_spec *spec)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(test_commands_in(spec));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return NO_SANDBOX;
	return WEXITSTATUS(status);
}

/* False where the kernel's landlock has no scope for such sockets. */
static bool
open_abstract_socket(void)
{
	char name[32];

	snprintf(name, sizeof name, "sally-%010d", (int)getpid());
	memcpy(abstract.sun_path + 1, name, 15);
	sender = socket(AF_UNIX, SOCK_DGRAM, 0);
	listener = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (sender < 0 || listener < 0 ||
	    bind(listener, (struct sockaddr *)&abstract,
	        offsetof(struct sockaddr_un, sun_path) + 16) != 0)
		return false;
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* version */) >= 6;
}

int
main(void)
{
	bool has_scopes = open_abstract_socket();
	int bad = 0, number = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%d\n", ATTEMPTS * ROLES + ROLES);
	for (int r = 0; r < ROLES; r++) {
		int got = test_commands(roles[r].spec);

		bad += got != DID;
		printf("%sok %d - %s: of all commands of fcntl, ioctl and prctl only its own\n",
		    got == DID ? "" : "not ", ++number, roles[r].spec->name);
	}
	for (int r = 0; r < ROLES; r++)
		for (int a = 0; a < ATTEMPTS; a++) {
			int wanted = attempts[a].may & roles[r].bit ? DID : REFUSED;
			int got = outcome(roles[r].spec, attempts[a].act);

			if (attempts[a].act == reach_abstract_socket && !has_scopes)
				wanted = DID;
			bad += got != wanted;
			printf("%sok %d - %s: %s %s\n", got == wanted ? "" : "not ", ++number,
			    roles[r].spec->name, attempts[a].name,
			    wanted == DID ? "is allowed" : "is refused");
		}
	return bad != 0;
}
