/*
 * certificates: the certificates that main granted, and the TLS server that is built from them. A
 * new set is used only when it is usable; until then the former one stays in use.
 */
#ifndef SUBMISSION_CERTIFICATES_H
#define SUBMISSION_CERTIFICATES_H

#include "submission/submission_internal.h"

/* Stores one certificate (index of conf->tls), read from fd, which it closes. */
void certificates_take(struct submission *submission, unsigned index, struct str name, int fd);
/* Builds the TLS server again soon, and retries: keys may receive a private key after submission
 * receives its certificate. */
void certificates_changed(struct submission *submission);
/* Builds it at once; logs a failure and retries later. */
void certificates_use(struct submission *submission);
/* Frees the certificates and the TLS server. */
void certificates_free(struct submission *submission);

#endif
