/*
 * signer: the keys process, as TLS needs it: asked on a descriptor of its own, blocking and
 * bounded, because GnuTLS cannot suspend a handshake inside its signature.
 */
#ifndef SUBMISSION_SIGNER_H
#define SUBMISSION_SIGNER_H

#include "net/tls_credentials.h"

struct signer;

/* The channel to keys is broken: a new one is needed.  May be called from inside a hook. */
typedef void signer_lost_fn(void *arg);

struct signer *signer_new(signer_lost_fn *lost, void *arg);
void signer_free(struct signer **s);
/* From now on this keys process is asked; owns fd. */
void signer_connect(struct signer *s, int fd);
/* NULL, or why keys cannot be asked now: then a key that is not found says nothing. */
const char *signer_trouble(const struct signer *s);
/* For tls_server_new; lives as long as the signer. */
const struct tls_signer *signer_hooks(const struct signer *s);

#endif
