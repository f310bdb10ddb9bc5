/*
 * state_file: main's small files in the state directory, which are replaced as a whole.  The
 * directory belongs to another user: main follows no symbolic link in it.
 */
#ifndef MAIN_STATE_FILE_H
#define MAIN_STATE_FILE_H

#include <sys/types.h>

#include "base/str.h"

enum { STATE_FILE_NAME_MAX = 32 };

/* Replaces the file by one with this text, completely or not at all; is_synced: the new file also
 * survives a power cut.  -1 with errno. */
int state_file_write(int state_fd, const char *name, struct str text, bool is_synced) MUST_USE;
/* Reads up to `bytes` bytes and returns their number; -1 with errno. */
ssize_t state_file_read(int state_fd, const char *name, char *out, size_t bytes) MUST_USE;
/* True if the file exists, or if that cannot be determined. */
bool state_file_is_there(int state_fd, const char *name);

#endif
