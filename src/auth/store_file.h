/*
 * store_file: whether the account store that is open is still the file at its path.  Who has a
 * file open that was moved, removed or replaced goes on writing to it, and what is written there is
 * gone after a start; one that was written over is another store with the same inode.
 */
#ifndef AUTH_STORE_FILE_H
#define AUTH_STORE_FILE_H

#include <limits.h>
#include <sys/stat.h>

#include "base/str.h"

struct store_file {
	struct stat noted; /* st_ino 0: nothing was noted */
};

enum store_file_state {
	STORE_FILE_SAME,
	STORE_FILE_OTHER,   /* another file, other content, or none */
	STORE_FILE_UNKNOWN, /* it could not be looked at: errno */
};

/* How the file is now. */
enum store_file_state store_file_compare(
    const struct store_file *file, const char *directory) MUST_USE;
/* It is as it should be, for instance after a change of our own: remembered.  False: another file
 * than before (no former one: never), or it could not be looked at; nothing is remembered. */
bool store_file_note(struct store_file *file, const char *directory) MUST_USE;
/* Where a directory that is open as /proc/self/fd/N is now, marked when it was removed; empty:
 * nothing can be said of it. */
void store_file_directory_path(const char *directory, char out[PATH_MAX]);

#endif
