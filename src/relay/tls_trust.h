/*
 * tls_trust: one set of TLS client credentials for each CA file and each kind of verification.  To
 * load the system's certificates takes 12 ms and 4 MB, so that it is done once, before the sandbox.
 */
#ifndef RELAY_TLS_TRUST_H
#define RELAY_TLS_TRUST_H

#include "ipc/role.h"
#include "net/tls_credentials.h"
#include "policy/destination.h"

struct tls_trust;

/* Loads the credentials for every route of the role's configuration.  Those in `before` (may be
 * NULL) are used again where main has passed no new file.  Errors are logged. */
struct tls_trust *tls_trust_new(const struct role *role, const struct tls_trust *before);
/* Connections keep their own reference of the credentials. */
void tls_trust_free(struct tls_trust **trust);
/* The credentials for a destination; NULL: its CA file could not be loaded. */
struct tls_client *tls_trust_for(const struct tls_trust *trust, const struct destination *to);

#endif
