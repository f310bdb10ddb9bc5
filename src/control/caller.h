/*
 * caller: the user at the other end of the socket, as the kernel recorded it when that end
 * connected. Nothing that the tool sends is used for it.
 */
#ifndef CONTROL_CALLER_H
#define CONTROL_CALLER_H

#include <stdbool.h>
#include <sys/types.h>

struct caller {
	uid_t uid;
	gid_t gid;
	/* the kernel shows every user that this namespace does not know as this one */
	bool is_nobody;
	bool may_act; /* root, or the user that the daemon runs as */
};

/* Reads the user of a connected socket. False with errno: the kernel does not give it. */
bool caller_read(int fd, struct caller *out) __attribute__((warn_unused_result));
/* 1: the caller is in the group; 0: it is not; -1 with errno: the kernel does not give the groups.
 */
int caller_is_in(int fd, const struct caller *caller, gid_t group)
    __attribute__((warn_unused_result));

#endif
