/*
 * sandbox: what a role gives up before it reads its first byte: capabilities, new privileges, core
 * dumps and access of other processes (PR_SET_DUMPABLE 0), system calls (seccomp), files
 * (landlock).  A role states its needs as data.  Everything else is refused with EPERM.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

/* Families of system calls beyond those that every event loop needs (sandbox.c lists each). */
enum sandbox_need {
	SANDBOX_ACCEPT = 1 << 0,  /* accept4, getsockname, getpeername, setsockopt, shutdown */
	SANDBOX_CONNECT = 1 << 1, /* socket (AF_INET, AF_INET6), bind, connect, sendto, recvfrom */
	SANDBOX_READ = 1 << 2,    /* open and stat existing files, read-only */
	SANDBOX_WRITE = 1 << 3,   /* create, write, rename, unlink, sync; file locks */
	SANDBOX_THREADS = 1 << 4, /* clone, for threads of this process only */
};

struct sandbox_path {
	const char *path; /* NULL: the directory behind fd */
	int fd;
	bool may_write;
};

struct sandbox {
	unsigned needs; /* bits of enum sandbox_need */
	const struct sandbox_path *paths;
	size_t path_count;
};

/* Enters the whole sandbox, in order; 0, or -1 with errno, and then the role must not start. */
int sandbox_enter(const struct sandbox *s) __attribute__((warn_unused_result));

/* Changes to another user and drops all groups and capabilities; only possible as root. */
int sandbox_become(unsigned uid, unsigned gid) __attribute__((warn_unused_result));

#endif
