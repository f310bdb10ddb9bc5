/*
 * role_file: the texts of the files that main gives a role (role_file in ipc/role.h), for role.c.
 */
#ifndef IPC_ROLE_FILE_H
#define IPC_ROLE_FILE_H

#include "ipc/role.h"

/* Reads it to its end; the descriptor stays the caller's. */
void role_file_take(struct role *r, struct str name, int fd);
void role_files_drop(struct role *r);

#endif
