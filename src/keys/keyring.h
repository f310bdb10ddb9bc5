/*
 * keyring: holds the private keys, which are found by the hash of the public key.  It can sign, and
 * has no other operation.  A key that was replaced stays for some time, for sessions that still use
 * its certificate.
 */
#ifndef KEYS_KEYRING_H
#define KEYS_KEYRING_H

#include "keys/key_store.h"

struct keyring;

enum {
	KEYRING_FILE_MAX = 64 << 10,
	KEYRING_OLD_MAX = 16,            /* if there are more, the oldest are removed */
	KEYRING_OLD_MS = 60 * 60 * 1000, /* older ones are removed */
};

/* Opens libcrypto as well, if it is installed. */
struct keyring *keyring_new(void);
/* The keyring as a key store, which signs at once; valid as long as the keyring. */
struct key_store *keyring_key_store(struct keyring *k);
/* Frees all keys and closes libcrypto. */
void keyring_free(struct keyring **k);

/* Sets the key of this index of the configuration to the one in the PEM text: RSA, EC, Ed25519 or
 * Ed448, not encrypted.  False: it cannot be used, *why_out (static) gives the reason, and the
 * former key stays. */
bool keyring_put(struct keyring *k, unsigned index, struct str pem, const char **why_out) MUST_USE;
/* The number of keys, with those that were replaced. */
size_t keyring_count(const struct keyring *k);

/* Finds the algorithm (gnutls_pk_algorithm_t) and the number of bits of a key. */
bool keyring_find(
    const struct keyring *k, struct str id, uint32_t *algorithm_out, uint32_t *bits_out) MUST_USE;

/* Returns the bytes of the signature; 0: refused. */
size_t keyring_sign(const struct keyring *k, const struct key_store_request *r,
    unsigned char signature_out[KEY_STORE_SIGNATURE_MAX]) MUST_USE;

#endif
