/*
 * tls_trust: one set of TLS client credentials per CA file and strictness: loading the system's
 * takes 12 ms and 4 MB, so it happens before the sandbox and once.
 */
#ifndef RELAY_TLS_TRUST_H
#define RELAY_TLS_TRUST_H

#include "ipc/role.h"
#include "net/tls_credentials.h"

struct tls_trust;

/* For every route of the role's configuration.  What is in `before` (may be NULL) is taken over
 * where main has no new text of it. */
struct tls_trust *tls_trust_new(const struct role *role, const struct tls_trust *before);
void tls_trust_free(struct tls_trust **trust);
/* NULL: its CA file could not be loaded. */
struct tls_client *tls_trust_for(const struct tls_trust *trust, const struct conf_route *route);

#endif
