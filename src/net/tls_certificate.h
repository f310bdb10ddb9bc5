/*
 * tls_certificate: a certificate of a TLS server as text, and the signer that has its private key.
 * No functions: net/certificate.h reads one, net/tls_credentials.h takes several.
 */
#ifndef NET_TLS_CERTIFICATE_H
#define NET_TLS_CERTIFICATE_H

#include "base/str.h"

enum { TLS_KEY_ID_BYTES = 32, TLS_SIGNATURE_MAX = 1024 };

/* Requests to the keys process; both are synchronous with a deadline.  false: the handshake
 * fails. */
struct tls_signer {
	bool (*sign)(void *arg, const unsigned char key_id[TLS_KEY_ID_BYTES], uint32_t algorithm,
	    bool is_hash, struct str data, unsigned char *signature_out, size_t *size_io);
	/* does it hold the private key of this certificate, and of which type is it */
	bool (*find)(void *arg, const unsigned char key_id[TLS_KEY_ID_BYTES],
	    uint32_t *algorithm_out, uint32_t *bits_out);
	void *arg;
};

struct tls_certificate {
	struct str name; /* file name, for messages */
	struct str pem;  /* chain, leaf first */
};

#endif
