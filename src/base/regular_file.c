/*
 * regular_file: the kind is checked on the open descriptor and never before by path, so nothing can
 * be exchanged in between. /dev/null is the only device that counts as a file. What is no file has
 * the error EMEDIUMTYPE, for which only regular_file_error has the right words.
 */
#include "base/regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/error_text.h"

/* The device number of /dev/null on Linux. */
enum { NULL_MAJOR = 1, NULL_MINOR = 3 };

int
regular_file_check(const struct stat *st)
{
	if (S_ISREG(st->st_mode) ||
	    (S_ISCHR(st->st_mode) && st->st_rdev == makedev(NULL_MAJOR, NULL_MINOR)))
		return 0;
	return S_ISDIR(st->st_mode) ? EISDIR : EMEDIUMTYPE;
}

int
regular_file_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640), error;
	struct stat st;

	/* a socket, a device without a driver, or a pipe for writing that has no reader */
	if (fd < 0 && errno == ENXIO)
		errno = EMEDIUMTYPE;
	if (fd < 0)
		return -1;
	error = fstat(fd, &st) == 0 ? regular_file_check(&st) : errno;
	if (error == 0)
		return fd;
	close(fd);
	errno = error;
	return -1;
}

int
regular_file_open_str(struct str path, int flags)
{
	char name[4096];

	if (path.n >= sizeof name) {
		errno = ENAMETOOLONG;
		return -1;
	}
	snprintf(name, sizeof name, "%.*s", STR_ARG(path));
	return regular_file_open(name, flags);
}

const char *
regular_file_error(int error)
{
	return error == EMEDIUMTYPE ? "It is not a regular file" : error_text(error);
}
