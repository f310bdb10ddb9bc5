/*
 * regular_file: opens files whose paths a configuration names.  Whatever stands there, the caller
 * does not wait for it: a pipe, a socket or a device is refused.
 */
#ifndef BASE_REGULAR_FILE_H
#define BASE_REGULAR_FILE_H

#include <sys/stat.h>

#include "base/str.h"

/* A regular file, or /dev/null, which people write for "no file".  flags as for open(2), here with
 * O_CLOEXEC, O_NOCTTY and O_NONBLOCK, which is nothing to such files; one that is made has the mode
 * 0640, less the umask.  -1 with errno: EISDIR, EMEDIUMTYPE for all else that is not regular, or
 * that of open(2). */
int regular_file_open(const char *path, int flags) MUST_USE;
int regular_file_open_str(struct str path, int flags) MUST_USE;

/* Is it such a file?  0, or the errno. */
int regular_file_check(const struct stat *st) MUST_USE;

/* What an errno of regular_file_open means, in words. */
const char *regular_file_error(int error);

#endif
