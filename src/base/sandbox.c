/*
 * sandbox: Landlock comes before seccomp, which then forbids its system calls. Landlock is called
 * by system call numbers, because the headers of Debian 12 are older than its kernels, and the
 * rights are masked to those of the running kernel. All lists say what is allowed; nothing is
 * allowed again later.
 */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALL(name) SCMP_SYS(name)

/* Not in the headers of Linux 6.1. */
#define FS_TRUNCATE (1ULL << 14)
#define FS_IOCTL (1ULL << 15)
#define NET_BIND (1ULL << 0)
#define NET_CONNECT (1ULL << 1)
#define SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define SCOPE_SIGNAL (1ULL << 1)

struct sandbox_ruleset_attr {
	uint64_t files;
	uint64_t net;
	uint64_t scoped;
};

#define END (-1)

static const int always[] = {
    CALL(read), CALL(readv), CALL(pread64), CALL(write), CALL(writev), CALL(pwritev),
    CALL(recvmsg), CALL(sendmsg), CALL(recvfrom), CALL(sendto), CALL(recvmmsg), CALL(sendmmsg),
    CALL(close), CALL(epoll_wait),
    CALL(epoll_pwait), CALL(epoll_pwait2), CALL(epoll_ctl), CALL(epoll_create1), CALL(eventfd2),
    CALL(timerfd_create), CALL(timerfd_settime), CALL(poll), CALL(ppoll), CALL(pipe2),
    CALL(fstat), CALL(newfstatat), CALL(lseek), CALL(munmap), CALL(mremap),
    CALL(brk), CALL(madvise), CALL(futex), CALL(clock_gettime), CALL(clock_nanosleep),
    CALL(nanosleep), CALL(gettimeofday), CALL(time), CALL(getrandom), CALL(getpid),
    CALL(gettid), CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid), CALL(rt_sigaction),
    CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(sigaltstack), CALL(exit),
    CALL(exit_group), CALL(restart_syscall), CALL(rseq), CALL(set_robust_list),
    CALL(sched_yield), CALL(sched_getaffinity), CALL(getrusage), CALL(sysinfo),
    CALL(uname), CALL(membarrier),
    END,
};

static const int accepting[] = {
    CALL(accept4), CALL(accept), CALL(getsockname), CALL(getpeername), CALL(setsockopt),
    CALL(getsockopt), CALL(shutdown),
    END,
};

static const int connecting[] = {
    CALL(bind), CALL(connect), CALL(getsockname), CALL(getpeername), CALL(setsockopt),
    CALL(getsockopt), CALL(shutdown),
    END,
};

static const int reading[] = {
    CALL(access), CALL(faccessat), CALL(faccessat2), CALL(stat), CALL(lstat), CALL(statx),
    CALL(readlink), CALL(readlinkat), CALL(getcwd), CALL(pread64), CALL(getdents64),
    CALL(openat), CALL(open),
    END,
};

static const int writing[] = {
    CALL(pwrite64), CALL(pwritev2), CALL(preadv), CALL(preadv2), CALL(ftruncate),
    CALL(fallocate), CALL(fsync), CALL(fdatasync), CALL(sync_file_range), CALL(rename),
    CALL(renameat), CALL(renameat2), CALL(unlink), CALL(unlinkat), CALL(linkat), CALL(mkdir),
    CALL(mkdirat), CALL(fchmod), CALL(fchmodat), CALL(fchown), CALL(fchownat), CALL(fstatfs),
    CALL(statfs), CALL(flock), CALL(utimensat), CALL(umask), CALL(fadvise64),
    END,
};

static const int threading[] = {
    CALL(set_tid_address),
    END,
};

static const struct sandbox_call_family {
	enum sandbox_need need;
	const int *calls;
} families[] = {
    {SANDBOX_ACCEPT, accepting},
    {SANDBOX_CONNECT, connecting},
    {SANDBOX_READ, reading},
    {SANDBOX_WRITE, writing},
    {SANDBOX_THREADS, threading},
};

static int
allow_calls(scmp_filter_ctx c, const int *calls)
{
	for (; *calls != END; calls++)
		if (*calls != __NR_SCMP_ERROR &&
		    seccomp_rule_add(c, SCMP_ACT_ALLOW, *calls, 0) != 0)
			return -1;
	return 0;
}

/* Commands of fcntl, ioctl and prctl.  All others are refused, in particular those that make the
 * kernel send a signal (F_SETOWN, F_SETSIG, F_NOTIFY) or give typed text to a terminal (TIOCSTI).
 * Other processes may rely on the flags of a descriptor (O_APPEND and the like): only a role that
 * creates non-blocking sockets may change O_NONBLOCK. */
static const struct sandbox_command {
	unsigned needs; /* one of these; 0: every role */
	int call;
	unsigned value; /* of the second argument; for prctl of the first */
} commands[] = {
    {0, CALL(fcntl), F_DUPFD},
    {0, CALL(fcntl), F_DUPFD_CLOEXEC},
    {0, CALL(fcntl), F_GETFD},
    {0, CALL(fcntl), F_SETFD},
    {0, CALL(fcntl), F_GETFL},
    {SANDBOX_WRITE, CALL(fcntl), F_GETLK}, /* SQLite */
    {SANDBOX_WRITE, CALL(fcntl), F_SETLK},
    {SANDBOX_ACCEPT | SANDBOX_CONNECT, CALL(ioctl), FIONREAD},
    {SANDBOX_ACCEPT | SANDBOX_CONNECT, CALL(ioctl), FIONBIO},
    {SANDBOX_THREADS, CALL(prctl), PR_SET_NAME},
};

static int
allow_commands(scmp_filter_ctx c, unsigned needs)
{
	int bad = 0;

	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		const struct sandbox_command *k = &commands[i];
		unsigned argument = k->call == CALL(prctl) ? 0 : 1;

		if (k->needs == 0 || (k->needs & needs))
			bad |= seccomp_rule_add(c, SCMP_ACT_ALLOW, k->call, 1,
			    SCMP_CMP(argument, SCMP_CMP_EQ, k->value, 0));
	}
	if (needs & SANDBOX_CONNECT)
		bad |= seccomp_rule_add(c, SCMP_ACT_ALLOW, CALL(fcntl), 2,
		    SCMP_A1(SCMP_CMP_EQ, F_SETFL, 0),
		    SCMP_A2(SCMP_CMP_MASKED_EQ, ~(scmp_datum_t)(O_ACCMODE | O_NONBLOCK), 0));
	return bad ? -1 : 0;
}

/* Signals (abort) only to this process, because roles may share a user; limits are read-only. */
static int
allow_self(scmp_filter_ctx c)
{
	int bad = 0;

	bad |= seccomp_rule_add(
	    c, SCMP_ACT_ALLOW, CALL(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
	bad |= seccomp_rule_add(c, SCMP_ACT_ALLOW, CALL(prlimit64), 2,
	    SCMP_A0(SCMP_CMP_EQ, 0, 0), SCMP_A2(SCMP_CMP_EQ, 0, 0));
	return bad ? -1 : 0;
}

/* No page is writable and executable at the same time, and none becomes executable. */
static int
allow_memory(scmp_filter_ctx c)
{
	int bad = 0;

	bad |= seccomp_rule_add(c, SCMP_ACT_ALLOW, CALL(mmap), 1,
	    SCMP_A2(SCMP_CMP_MASKED_EQ, 4 /* PROT_EXEC */, 0));
	bad |= seccomp_rule_add(c, SCMP_ACT_ALLOW, CALL(mprotect), 1,
	    SCMP_A2(SCMP_CMP_MASKED_EQ, 4 /* PROT_EXEC */, 0));
	return bad ? -1 : 0;
}

static int
allow_sockets(scmp_filter_ctx c)
{
	int bad = 0;

	bad |= seccomp_rule_add(
	    c, SCMP_ACT_ALLOW, CALL(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_INET, 0));
	bad |= seccomp_rule_add(
	    c, SCMP_ACT_ALLOW, CALL(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_INET6, 0));
	return bad ? -1 : 0;
}

/* clone3 hides its flags from seccomp; glibc uses clone when clone3 is unknown. */
static int
allow_threads(scmp_filter_ctx c)
{
	int bad = 0;

	bad |= seccomp_rule_add(c, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0);
	bad |= seccomp_rule_add(c, SCMP_ACT_ALLOW, CALL(clone), 1,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	return bad ? -1 : 0;
}

static int
enter_seccomp(const struct sandbox *s)
{
	scmp_filter_ctx c = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = -1;

	if (!c) {
		errno = ENOMEM;
		return -1;
	}
	if (allow_calls(c, always) || allow_memory(c) || allow_self(c) ||
	    allow_commands(c, s->needs))
		goto out;
	for (size_t i = 0; i < sizeof families / sizeof *families; i++)
		if ((s->needs & families[i].need) && allow_calls(c, families[i].calls))
			goto out;
	if ((s->needs & SANDBOX_CONNECT) && allow_sockets(c))
		goto out;
	if ((s->needs & SANDBOX_THREADS) && allow_threads(c))
		goto out;
	r = seccomp_load(c);
	if (r < 0) {
		errno = -r;
		r = -1;
	}
out:
	seccomp_release(c);
	return r;
}

static uint64_t
file_rights(int abi)
{
	uint64_t all = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;

	if (abi >= 2)
		all |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		all |= FS_TRUNCATE;
	if (abi >= 5)
		all |= FS_IOCTL;
	return all;
}

/* The rights that a rule may give for something that is not a directory. */
static uint64_t
rights_for(int fd, bool may_write, uint64_t handled)
{
	uint64_t read = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
	uint64_t write = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
	    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE |
	    LANDLOCK_ACCESS_FS_MAKE_DIR;
	uint64_t rights = may_write ? read | write : read;
	struct stat st;

	if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rights &= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
		    FS_TRUNCATE;
	return rights & handled;
}

static int
sandbox_allow_path(int rules, const struct sandbox_path *path, uint64_t handled)
{
	struct landlock_path_beneath_attr rule = {.parent_fd = path->fd};
	int r;

	if (path->path)
		rule.parent_fd = open(path->path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno == ENOENT ? 0 : -1;
	rule.allowed_access = rights_for(rule.parent_fd, path->may_write, handled);
	r = (int)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	if (path->path)
		close(rule.parent_fd);
	return r;
}

/* A kernel without landlock is accepted: seccomp still applies. */
static int
enter_landlock(const struct sandbox *s)
{
	int abi = (int)syscall(
	    SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct sandbox_ruleset_attr attr = {.files = file_rights(abi)};
	/* two fields from version 4 on, three from version 6 on */
	size_t attr_bytes = sizeof(uint64_t) * (abi >= 6 ? 3 : abi >= 4 ? 2 : 1);
	int rules, r = -1;

	if (abi < 1)
		return 0;
	if (abi >= 4)
		attr.net = s->needs & SANDBOX_CONNECT ? NET_BIND : NET_BIND | NET_CONNECT;
	if (abi >= 6)
		attr.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
	rules = (int)syscall(SYS_landlock_create_ruleset, &attr, attr_bytes, 0);
	if (rules < 0)
		return -1;
	for (size_t i = 0; i < s->path_count; i++)
		if (sandbox_allow_path(rules, &s->paths[i], attr.files))
			goto out;
	r = (int)syscall(SYS_landlock_restrict_self, rules, 0);
out:
	close(rules);
	return r;
}

int
sandbox_enter(const struct sandbox *s)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return -1;
	if (enter_landlock(s) != 0)
		return -1;
	return enter_seccomp(s);
}

int
sandbox_become(unsigned uid, unsigned gid)
{
	if (setgroups(0, NULL) != 0)
		return -1;
	if (setresgid(gid, gid, gid) != 0 || setresuid(uid, uid, uid) != 0)
		return -1;
	/* leaving uid 0 empties the capability sets; returning to it must be impossible */
	if (uid != 0 && setuid(0) == 0) {
		errno = EPERM;
		return -1;
	}
	return 0;
}
