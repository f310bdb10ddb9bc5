/*
 * role_file: the texts of the files that main grants a role (role_file in ipc/role.h), for role.c.
 */
#ifndef IPC_ROLE_FILE_H
#define IPC_ROLE_FILE_H

#include "ipc/role.h"

/* Reads the whole file; the descriptor stays the caller's. */
void role_file_take(struct role *r, struct str name, int fd);
/* Frees all texts. */
void role_files_drop(struct role *r);

#endif
