/*
 * role_file: the texts of the files that main grants a role (role_file in ipc/role.h), for role.c.
 */
#ifndef IPC_ROLE_FILE_H
#define IPC_ROLE_FILE_H

#include <sys/queue.h>

#include "base/buf.h"

struct role_file;
SLIST_HEAD(role_files, role_file);

/* Reads the whole file and adds its text; the descriptor stays the caller's.  False with errno: it
 * cannot be read; then its text is empty, with p NULL. */
bool role_files_add(struct role_files *files, struct str name, int fd) MUST_USE;
/* The text of the file with that name; p NULL: there is none, or it could not be read. */
struct str role_files_find(const struct role_files *files, struct str name);
/* Frees all texts. */
void role_files_drop(struct role_files *files);

#endif
