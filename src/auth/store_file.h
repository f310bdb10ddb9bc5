/*
 * store_file: whether the open account store is still the file at its path. A process that has a
 * moved, removed or replaced file open continues to write to it, and these changes are missing
 * after a restart; a file that was overwritten is another store with the same inode.
 */
#ifndef AUTH_STORE_FILE_H
#define AUTH_STORE_FILE_H

#include <limits.h>
#include <sys/stat.h>

#include "base/str.h"

struct store_file {
	struct stat noted; /* st_ino 0: nothing is noted */
};

enum store_file_state {
	STORE_FILE_SAME,
	STORE_FILE_OTHER,   /* another file, other content, or none */
	STORE_FILE_UNKNOWN, /* it cannot be examined; errno */
};

/* Compares the file with what was noted. */
enum store_file_state store_file_compare(
    const struct store_file *file, const char *directory) MUST_USE;
/* Notes the file as it is now, for instance after an own change. False: it is another file than
 * before (if one was noted), or it cannot be examined; then nothing is noted. */
bool store_file_note(struct store_file *file, const char *directory) MUST_USE;
/* The path now of a directory that is open as /proc/self/fd/N; a removed directory is marked as
 * deleted; empty: not known. */
void store_file_directory_path(const char *directory, char out[PATH_MAX]);

#endif
