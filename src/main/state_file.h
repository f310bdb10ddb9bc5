/*
 * state_file: main's small files in the state directory, which are replaced whole.  The directory
 * is another user's: no link of his is followed.
 */
#ifndef MAIN_STATE_FILE_H
#define MAIN_STATE_FILE_H

#include <sys/types.h>

#include "base/str.h"

enum { STATE_FILE_NAME_MAX = 32 };

/* What stands there is replaced under its name by a file that is complete, or stays; is_synced: it
 * outlives a power cut too.  -1 with errno. */
int state_file_write(int state_fd, const char *name, struct str text, bool is_synced) MUST_USE;
/* As many bytes as there are, or as there is room for; -1 with errno. */
ssize_t state_file_read(int state_fd, const char *name, char *out, size_t bytes) MUST_USE;
/* Or that cannot be known. */
bool state_file_is_there(int state_fd, const char *name);

#endif
