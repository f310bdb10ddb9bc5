/*
 * key_store: an interface to what holds private keys and signs with them.  keyring is one: it holds
 * keys in memory and signs at once.  Another one may ask a device or a service, and sign later.
 */
#ifndef KEYS_KEY_STORE_H
#define KEYS_KEY_STORE_H

#include "base/str.h"

struct key_store;

enum {
	KEY_STORE_ID_BYTES = 32, /* SHA-256 of the SubjectPublicKeyInfo */
	KEY_STORE_SIGNATURE_MAX = 1024,
};

struct key_store_request {
	struct str id;
	uint32_t algorithm; /* gnutls_sign_algorithm_t */
	bool is_hash;       /* data is the digest already */
	struct str data;    /* valid until `sign` returns */
};

/* Receives the signature, which is valid during the call; empty: refused. */
typedef void key_store_signed_fn(struct str signature, void *arg);

struct key_store_signing;

struct key_store_operations {
	/* Finds the algorithm (gnutls_pk_algorithm_t) and the number of bits of a key that the
	 * store has now.  Never waits. */
	bool (*find)(const struct key_store *store, struct str id, uint32_t *algorithm_out,
	    uint32_t *bits_out);
	/* Calls fn exactly once.  NULL: it was called before this returned.  Otherwise it is called
	 * later, from the event loop, unless the signing is cancelled first. */
	struct key_store_signing *(*sign)(struct key_store *store,
	    const struct key_store_request *request, key_store_signed_fn *fn, void *arg);
	/* fn is not called.  NULL: `sign` of this store never returns a signing. */
	void (*cancel)(struct key_store *store, struct key_store_signing *signing);
};

/* The first member of each implementation. */
struct key_store {
	const struct key_store_operations *operations;
};

#endif
