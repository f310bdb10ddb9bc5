/*
 * path_access: explains why the daemon may have no access to a path that exists: the shipped
 * systemd unit (etc/sallyport.service) hides some directories from it, and allows writing in few.
 */
#ifndef BASE_PATH_ACCESS_H
#define BASE_PATH_ACCESS_H

#include "base/str.h"

enum { PATH_ACCESS_HINT_BYTES = 4096 + 400 };

/* Is the path this directory, or below it? */
bool path_access_is_below(struct str path, struct str directory);

/* The directory above the path that the setting of the unit hides; empty: it hides none. */
struct str path_access_hidden_by_home(struct str path); /* ProtectHome= */
struct str path_access_hidden_by_tmp(struct str path);  /* PrivateTmp= */

/* The text behind "PATH: ERROR" when systemd started this process: the setting of the unit that may
 * be the reason, and the drop-in file that changes it.  Empty: no setting is a likely reason.
 * errno stays unchanged. */
const char *path_access_hint(struct str path, int error, char room[PATH_ACCESS_HINT_BYTES]);

/* Is the directory or file read-only because of its mount in this namespace, while its file system
 * is writable?  Retrying does not help then. */
bool path_access_is_read_only_mount(int fd);

#endif
