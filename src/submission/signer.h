/*
 * signer: requests signatures from the keys process for TLS. Each request blocks on a descriptor of
 * its own, for a bounded time, because GnuTLS cannot suspend a handshake during its signature.
 */
#ifndef SUBMISSION_SIGNER_H
#define SUBMISSION_SIGNER_H

#include "net/tls_credentials.h"

struct signer;

/* The channel to keys is broken, and a new one is needed. May be called during a TLS handshake. */
typedef void signer_lost_fn(void *arg);

/* Never fails; has no channel at first. */
struct signer *signer_new(signer_lost_fn *lost, void *arg);
void signer_free(struct signer **s);
/* Requests go to this keys process from now on; takes over fd. */
void signer_connect(struct signer *s, int fd);
/* NULL, or why keys cannot be asked now: then a failed search for a key proves nothing about the
 * key. */
const char *signer_fault(const struct signer *s);
/* For tls_server_new; valid as long as the signer. */
const struct tls_signer *signer_hooks(const struct signer *s);

#endif
