/*
 * socket_access: see the header.  It works by name, in a directory in which only the caller can
 * rename files (directory_open_run).
 */
#include "main/socket_access.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error_text.h"
#include "main/directory.h"

struct socket_access {
	uid_t uid;
	gid_t gid;
	mode_t mode;
};

static const uid_t same_uid = (uid_t)-1;
static const gid_t same_gid = (gid_t)-1;

static struct socket_access
socket_access_wanted(const struct daemon *d, const struct conf *c)
{
	const struct os_user *to = &d->identities[ROLE_CONTROL];
	struct socket_access a = {.uid = to->uid, .gid = to->gid, .mode = 0600};

	if (c->has_help_desk) {
		a.gid = (gid_t)c->help_desk;
		a.mode = 0660;
	}
	return a;
}

static bool
socket_access_set_owner(int run_fd, uid_t uid, gid_t gid)
{
	return fchownat(run_fd, directory_socket, uid, gid, AT_SYMLINK_NOFOLLOW) == 0;
}

/* While the group changes, the mode gives access to nobody; and root owns the socket, because
 * changing the mode of another user's file takes CAP_FOWNER. */
static bool
socket_access_set_socket(int run_fd, const struct socket_access *a)
{
	bool is_root = geteuid() == 0;
	struct stat st;

	if (fstatat(run_fd, directory_socket, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	if (!S_ISSOCK(st.st_mode)) {
		errno = ENOTSOCK;
		return false;
	}
	if (st.st_uid == a->uid && st.st_gid == a->gid && (st.st_mode & 07777) == a->mode)
		return true;
	return (!is_root || socket_access_set_owner(run_fd, 0, same_gid)) &&
	    fchmodat(run_fd, directory_socket, 0600, 0) == 0 &&
	    socket_access_set_owner(run_fd, same_uid, a->gid) &&
	    fchmodat(run_fd, directory_socket, a->mode, 0) == 0 &&
	    (!is_root || socket_access_set_owner(run_fd, a->uid, same_gid));
}

static bool
socket_access_may_search(const struct stat *st, gid_t gid)
{
	return st->st_gid == gid ? st->st_mode & S_IXGRP : st->st_mode & S_IXOTH;
}

/* Lets the members of the group search the directory, and do nothing else in it. */
static bool
socket_access_open_directory(int run_fd, gid_t gid)
{
	struct stat st;

	if (fstat(run_fd, &st) != 0)
		return false;
	return socket_access_may_search(&st, gid) ||
	    (fchown(run_fd, same_uid, gid) == 0 &&
		fchmod(run_fd, (st.st_mode & 07707) | S_IXGRP) == 0);
}

/* Withdraws the access of the former group. */
static bool
socket_access_shut_directory(int run_fd, gid_t gid)
{
	struct stat st;

	if (fstat(run_fd, &st) != 0)
		return false;
	return st.st_gid != gid || (st.st_mode & 077) != S_IXGRP ||
	    fchmod(run_fd, st.st_mode & 07700) == 0;
}

bool
socket_access_set(const struct daemon *d, const struct conf *old_conf, const struct conf *new_conf,
    char why[DAEMON_REASON_BYTES])
{
	struct socket_access a = socket_access_wanted(d, new_conf);
	bool had_group = old_conf && old_conf->has_help_desk, is_done;

	if (!new_conf->has_help_desk && !had_group)
		return true;
	is_done = socket_access_set_socket(d->run_fd, &a);
	if (is_done && new_conf->has_help_desk)
		is_done = socket_access_open_directory(d->run_fd, a.gid);
	else if (is_done)
		is_done = socket_access_shut_directory(d->run_fd, (gid_t)old_conf->help_desk);
	if (!is_done)
		snprintf(why, DAEMON_REASON_BYTES,
		    "help_desk_group: group %u and mode %04o cannot be given to %.*s/%s, or to its "
		    "directory: %s", (unsigned)a.gid, (unsigned)a.mode,
		    STR_ARG(new_conf->run_directory), directory_socket, error_text(errno));
	return is_done;
}
