/*
 * keyring: the private keys, found by what is public of them.  Signs; offers no other operation.  A
 * key that was replaced stays for sessions that still know its certificate.
 */
#ifndef KEYS_KEYRING_H
#define KEYS_KEYRING_H

#include "base/str.h"

struct keyring;

enum {
	KEYRING_ID_BYTES = 32, /* SHA-256 of the SubjectPublicKeyInfo */
	KEYRING_SIGNATURE_MAX = 1024,
	KEYRING_FILE_MAX = 64 << 10,
	KEYRING_OLD_MAX = 16,            /* beyond, the oldest go */
	KEYRING_OLD_MS = 60 * 60 * 1000, /* and all that are older than this */
};

struct keyring *keyring_new(void);
void keyring_free(struct keyring **k);

/* The key of this place (an index of the configuration) is now the one in the PEM text: RSA, EC,
 * Ed25519 or Ed448, not encrypted.  false and *why_out (static) when it cannot be used: the former
 * one stays. */
bool keyring_put(struct keyring *k, unsigned index, struct str pem, const char **why_out) MUST_USE;
size_t keyring_count(const struct keyring *k);

/* gnutls_pk_algorithm_t and its bits. */
bool keyring_find(
    const struct keyring *k, struct str id, uint32_t *algorithm_out, uint32_t *bits_out) MUST_USE;

struct keyring_request {
	struct str id;
	uint32_t algorithm; /* gnutls_sign_algorithm_t */
	bool is_hash;       /* data is already the digest */
	struct str data;
};

/* Bytes of the signature; 0: refused. */
size_t keyring_sign(const struct keyring *k, const struct keyring_request *r,
    unsigned char signature_out[KEYRING_SIGNATURE_MAX]) MUST_USE;

#endif
