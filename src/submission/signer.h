/*
 * signer: requests signatures from the keys processes for TLS. Each request blocks on a descriptor
 * of its own, for a bounded time, because GnuTLS cannot suspend a handshake during its signature.
 * There are channels to two keys processes; the second one is asked when the first does not answer.
 */
#ifndef SUBMISSION_SIGNER_H
#define SUBMISSION_SIGNER_H

#include "ipc/role.h"
#include "net/tls_credentials.h"

enum { SIGNER_CHANNELS = 2 };

struct signer;

/* The channel to this keys process is broken, and a new one is needed. May be called during a TLS
 * handshake. */
typedef void signer_lost_fn(struct role_peer peer, void *arg);

/* first: index of the keys process that is asked first. Never fails; has no channel at first. */
struct signer *signer_new(unsigned first, signer_lost_fn *lost, void *arg);
void signer_free(struct signer **s);
/* A channel to a keys process; takes over fd. It replaces the former channel to the same process;
 * of all processes but the first, there is one channel, the newest. */
void signer_connect(struct signer *s, struct role_peer peer, int fd);
/* NULL, or why no keys process can be asked now: then a failed search for a key proves nothing
 * about the key. */
const char *signer_fault(const struct signer *s);
/* For tls_server_new; valid as long as the signer. */
const struct tls_signer *signer_hooks(const struct signer *s);

#endif
