/*
 * caller: who is at the other end of the socket, as the kernel noted it when that end connected.
 * Nothing that the tool says counts.
 */
#ifndef CONTROL_CALLER_H
#define CONTROL_CALLER_H

#include <stdbool.h>
#include <sys/types.h>

struct caller {
	uid_t uid;
	gid_t gid;
	bool is_nobody;    /* the kernel shows every user that this namespace does not know so */
	bool may_act;      /* root, or the user that the daemon runs as */
};

/* False with errno: the kernel does not say. */
bool caller_read(int fd, struct caller *out) __attribute__((warn_unused_result));
/* 1: the group is one of the caller's; 0: it is not; -1 with errno: the kernel does not say. */
int caller_is_in(int fd, const struct caller *caller, gid_t group)
    __attribute__((warn_unused_result));

#endif
