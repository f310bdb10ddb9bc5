/*
 * regular_file: opens files whose paths come from a configuration.  The caller never blocks,
 * whatever the path leads to: a pipe, a socket or a device is rejected.
 */
#ifndef BASE_REGULAR_FILE_H
#define BASE_REGULAR_FILE_H

#include <sys/stat.h>

#include "base/str.h"

/* Opens a regular file, or /dev/null, which administrators write for "no file".  flags as for
 * open(2), here with O_CLOEXEC, O_NOCTTY and O_NONBLOCK, which has no effect on such files; a new
 * file has the mode 0640, less the umask.  -1 with errno: EISDIR, EMEDIUMTYPE for all else that is
 * not regular, or that of open(2). */
int regular_file_open(const char *path, int flags) MUST_USE;
int regular_file_open_str(struct str path, int flags) MUST_USE;

/* Would regular_file_open accept it?  0, or the errno. */
int regular_file_check(const struct stat *st) MUST_USE;

/* The text for an errno of regular_file_open. */
const char *regular_file_error(int error);

#endif
