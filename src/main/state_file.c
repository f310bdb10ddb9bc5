/*
 * state_file: a file is written under a name of its own and then renamed, so a reader sees the
 * former or the new one, and always all of it. The file is synced before the rename and the
 * directory after it, where the caller wants that. The other name is removed and created anew, so
 * nothing that lies in wait there is written to.
 */
#include "main/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

bool
state_file_is_there(int state_fd, const char *name)
{
	struct stat st;

	return fstatat(state_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

ssize_t
state_file_read(int state_fd, const char *name, char *out, size_t bytes)
{
	int fd = openat(state_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int error;
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, out, bytes);
	error = errno;
	close(fd);
	errno = error;
	return n;
}

static int
state_file_write_new(int state_fd, const char *name, struct str text, bool is_synced)
{
	int fd, result, error;
	ssize_t n;

	if (unlinkat(state_fd, name, 0) != 0 && errno != ENOENT)
		return -1;
	fd = openat(state_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	n = write(fd, text.p, text.n);
	if (n >= 0 && (size_t)n < text.n)
		errno = ENOSPC;
	result = n != (ssize_t)text.n ? -1 : is_synced ? fsync(fd) : 0;
	error = errno;
	close(fd);
	errno = error;
	return result;
}

int
state_file_write(int state_fd, const char *name, struct str text, bool is_synced)
{
	char new_name[STATE_FILE_NAME_MAX + 8];

	snprintf(new_name, sizeof new_name, "new-%s", name);
	if (state_file_write_new(state_fd, new_name, text, is_synced) != 0 ||
	    renameat(state_fd, new_name, state_fd, name) != 0)
		return -1;
	return is_synced ? fsync(state_fd) : 0;
}
