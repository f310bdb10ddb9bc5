/*
 * peer_certificate: checks that the certificate of the peer is trusted and valid for a name.
 */
#ifndef NET_PEER_CERTIFICATE_H
#define NET_PEER_CERTIFICATE_H

#include <stdbool.h>

struct gnutls_session_int;

/* RFC 9525: only the subject alternative names count, not the common name; an address needs an
 * iPAddress entry.  False, with a static sentence in *why_out. */
bool peer_certificate_is_valid(
    struct gnutls_session_int *session, const char *name, const char **why_out);

#endif
