/*
 * libcrypto: makes RSA and ECDSA signatures with OpenSSL's libcrypto, which takes a fifth (RSA) and
 * a half (ECDSA) of the time that GnuTLS takes.  It is opened while the role may still read files,
 * and only in the process that holds the keys.  No other process has its code mapped, except where
 * libunbound needs it (Debian 13).
 */
#ifndef KEYS_LIBCRYPTO_H
#define KEYS_LIBCRYPTO_H

#include "base/str.h"

struct libcrypto;
struct libcrypto_key;

/* NULL: it is not installed. */
struct libcrypto *libcrypto_open(void);
/* All keys must be freed before. */
void libcrypto_close(struct libcrypto **l);

/* The first private key of the PEM text; NULL: it is not RSA or EC, or cannot be read. */
struct libcrypto_key *libcrypto_key_new(const struct libcrypto *l, struct str pem);
/* NULL is allowed; the pointer is set to NULL. */
void libcrypto_key_free(struct libcrypto_key **k);

/* How the digest is signed; ignored for an EC key, which has no padding. */
struct libcrypto_scheme {
	const char *digest; /* static: "SHA256" */
	bool is_pss;        /* the salt is as long as the digest */
};

/* Returns the bytes of the signature, at most max; 0: refused. */
size_t libcrypto_sign(struct libcrypto_key *k, const struct libcrypto_scheme *scheme,
    struct str digest, unsigned char *signature_out, size_t max) MUST_USE;

#endif
