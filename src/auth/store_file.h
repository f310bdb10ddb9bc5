/*
 * store_file: whether the open account store is still the file at its path, and the state directory
 * still where it was. A process that has a
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

enum { STORE_FILE_IDENTITY_BYTES = 120 };
/* Text that differs if the noted file is another one or was changed; empty: nothing is noted. */
char *store_file_identity(const struct store_file *file, char out[STORE_FILE_IDENTITY_BYTES]);

/* The state directory, which is open as /proc/self/fd/N. */
struct store_file_directory {
	char path[PATH_MAX]; /* at the start; empty: not known */
	bool is_gone;        /* it was moved or removed: nothing is changed in it */
};

/* For the operator: what that means. */
extern const char store_file_directory_gone_text[];

/* Notes where the directory is at the start. */
void store_file_directory_note(struct store_file_directory *d, const char *directory);
/* True: the directory was moved or removed while it is open, and what is stored in it would be
 * missing after a restart. path_out: where it is now; a removed directory is marked as deleted;
 * empty: not known, and the last result stays. */
bool store_file_directory_is_gone(
    struct store_file_directory *d, const char *directory, char path_out[PATH_MAX]);

#endif
