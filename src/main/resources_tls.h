/*
 * resources_tls: checks the certificates and keys of the resources and decides which of them the
 * roles get.
 */
#ifndef MAIN_RESOURCES_TLS_H
#define MAIN_RESOURCES_TLS_H

#include "main/resources_types.h"

/* Seals a memory file: its content and size can no longer be changed.  -1 with errno. */
int resources_seal(int fd) MUST_USE;
/* Returns a sealed copy in memory of the file, which is closed; -1 with errno.  So the roles get
 * what was checked, also a role that is started again after the file was written.  The kernel
 * copies: a key does not get into the memory of this process. */
int resources_tls_copy(int fd) MUST_USE;

/* Warns when others can read that open file and it is a key. */
void resources_tls_check_mode(const struct resources_file *f);

/* Checks the certificates and keys that are open in the resources; closes those that are left out.
 * False with the reason in *out when a fault refuses the start (before NULL) or the reload: see
 * resources_new. */
bool resources_tls_check(
    struct resources *o, const struct resources *before, struct resources_refusal *out) MUST_USE;

/* True if there is a usable certificate with its key.  Without one no client can log in. */
bool resources_has_certificate(const struct resources *resources);

#endif
