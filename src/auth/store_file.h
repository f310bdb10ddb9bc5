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

struct store_place {
	struct stat seen; /* st_ino 0: nothing was noted */
};

enum store_place_state {
	STORE_PLACE_SAME,
	STORE_PLACE_OTHER,   /* another file, other content, or none */
	STORE_PLACE_UNKNOWN, /* it could not be looked at: errno */
};

/* How the file is now. */
enum store_place_state store_place_look(
    const struct store_place *p, const char *directory) MUST_USE;
/* It is as it should be, for instance after a change of our own: remembered.  False: another file
 * than before (no former one: never), or it could not be looked at; nothing is remembered. */
bool store_place_note(struct store_place *p, const char *directory) MUST_USE;
/* Where a directory that is open as /proc/self/fd/N is now, marked when it was removed; empty:
 * nothing can be said of it. */
void store_place_where(const char *directory, char out[PATH_MAX]);

#endif
