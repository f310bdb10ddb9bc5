/*
 * certificates: what main granted, and the TLS server made of it.  A new set is used only when it
 * can be used; until then the former one stays.
 */
#ifndef SUBMISSION_CERTIFICATES_H
#define SUBMISSION_CERTIFICATES_H

#include "submission/submission_internal.h"

/* Reads the file and closes it; index: of conf->tls. */
void certificates_take(struct submission *g, unsigned index, struct str name, int fd);
/* Builds the TLS server anew, soon and as often as it takes: keys may be later than certificates.
 */
void certificates_changed(struct submission *g);
/* At once; logs why not. */
void certificates_use(struct submission *g);
void certificates_free(struct submission *g);

#endif
