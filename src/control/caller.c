/*
 * caller: the socket is asked, and never /proc: a process number may belong to another program by
 * then. A user that is not mapped here has no rights, whoever it is. When the groups cannot be
 * read, that is an error of its own and not a missing membership.
 */
#include "control/caller.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

enum {
	NOBODY_ID = 65534,
	GROUPS_MAX = 65536, /* the most that a Linux process may have */
};

bool
caller_read(int fd, struct caller *out)
{
	struct ucred peer;
	socklen_t n = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) != 0)
		return false;
	*out =
	    (struct caller){.uid = peer.uid, .gid = peer.gid, .is_nobody = peer.uid == NOBODY_ID};
	out->may_act = !out->is_nobody && (peer.uid == 0 || peer.uid == geteuid());
	return true;
}

static int
caller_search(int fd, gid_t *groups, socklen_t n, gid_t group)
{
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) != 0)
		return -1;
	for (size_t i = 0; i < n / sizeof *groups; i++)
		if (groups[i] == group)
			return 1;
	return 0;
}

int
caller_is_in(int fd, const struct caller *caller, gid_t group)
{
	socklen_t n = 0;
	gid_t *groups;
	int found, saved_errno;

	if (caller->gid == group)
		return 1;
	/* without a buffer the call returns the size that is needed */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &n) == 0)
		return 0;
	if (errno != ERANGE || n > GROUPS_MAX * sizeof *groups)
		return -1;
	groups = mem_grow(NULL, n);
	found = caller_search(fd, groups, n, group);
	saved_errno = errno;
	mem_free(groups);
	errno = saved_errno;
	return found;
}
