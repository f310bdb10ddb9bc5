/*
 * libcrypto: RSA and ECDSA signatures by OpenSSL's libcrypto, which takes a fifth and a half of the
 * time that GnuTLS takes for them.  It is opened while the role may still read files, and only in
 * the process that holds keys: no other one has its code mapped, but where libunbound needs it
 * (Debian 13).
 */
#ifndef KEYS_LIBCRYPTO_H
#define KEYS_LIBCRYPTO_H

#include "base/str.h"

struct libcrypto;
struct libcrypto_key;

/* NULL: it is not installed. */
struct libcrypto *libcrypto_open(void);
/* Its keys are freed before. */
void libcrypto_close(struct libcrypto **l);

/* The first private key of the PEM text; NULL: it is not RSA or EC, or not readable here. */
struct libcrypto_key *libcrypto_key_new(const struct libcrypto *l, struct str pem);
void libcrypto_key_free(struct libcrypto_key **k);

/* How the digest is signed; an EC key knows no padding. */
struct libcrypto_scheme {
	const char *digest; /* static: "SHA256" */
	bool is_pss;        /* with as much salt as the digest is long */
};

/* Bytes of the signature, at most max; 0: refused. */
size_t libcrypto_sign(struct libcrypto_key *k, const struct libcrypto_scheme *scheme,
    struct str digest, unsigned char *signature_out, size_t max) MUST_USE;

#endif
