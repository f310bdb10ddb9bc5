/*
 * path_access: why a path that is there may be out of the daemon's reach: the shipped unit
 * (etc/sallyport.service) hides some directories from it, and lets it write in few.
 */
#ifndef BASE_PATH_ACCESS_H
#define BASE_PATH_ACCESS_H

#include "base/str.h"

enum { PATH_ACCESS_HINT_BYTES = 4096 + 400 };

/* Is the path this directory, or below it? */
bool path_access_is_below(struct str path, struct str directory);

/* The directory above the path that the setting of a unit hides; empty: it hides none. */
struct str path_access_hidden_by_home(struct str path); /* ProtectHome= */
struct str path_access_hidden_by_tmp(struct str path);  /* PrivateTmp= */

/* What to say behind "PATH: ERROR" when systemd started this process: which setting of the unit may
 * be the reason, and the drop-in.  Empty: neither is likely.  errno is kept. */
const char *path_access_hint(struct str path, int error, char room[PATH_ACCESS_HINT_BYTES]);

/* Is the directory or file read-only because of how it is mounted here, while its file system is
 * not?  No further try cures that. */
bool path_access_is_read_only_mount(int fd);

#endif
