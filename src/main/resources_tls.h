/*
 * resources_tls: which certificates of the resources the roles get.
 */
#ifndef MAIN_RESOURCES_TLS_H
#define MAIN_RESOURCES_TLS_H

#include "main/resources.h"

/* Nothing more can be written into this file in memory, nor its size be changed.  -1 with errno. */
int resources_seal(int fd) MUST_USE;
/* A sealed copy in memory in place of the file, which is closed: what was checked is what the roles
 * get, also one that is started again after somebody has written into the file.  The kernel copies:
 * a key does not come into the memory of this process.  -1 with errno. */
int resources_tls_copy(int fd) MUST_USE;

/* Checks the certificates and keys that are open in the resources; what is left out is closed.
 * False, and why, when a fault refuses the start (before NULL) or the reload: see resources_new. */
bool resources_tls_check(
    struct resources *o, const struct resources *before, struct resources_refusal *out) MUST_USE;

#endif
