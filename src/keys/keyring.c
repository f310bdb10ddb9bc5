/*
 * keyring: a short list of keys, newest first.  GnuTLS reads each key, and decides what it may
 * sign.  libcrypto signs with the keys that it reads as the same key, and GnuTLS with the others.
 */
#include "keys/keyring.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "base/clock.h"
#include "base/mem.h"
#include "keys/libcrypto.h"

struct keyring_key {
	struct keyring_key *next;
	gnutls_privkey_t private;
	struct libcrypto_key *libcrypto_key; /* NULL: GnuTLS signs */
	unsigned char id[KEY_STORE_ID_BYTES];
	uint32_t algorithm;
	uint32_t bits;
	unsigned index;
	bool is_retired;
	int64_t retired_ms;
};

struct keyring {
	struct key_store store;
	struct keyring_key *first;
	struct libcrypto *libcrypto; /* NULL: libcrypto is not installed */
};

/* What a handshake with an unknown client may request.  In particular not RSA without padding,
 * which would be the same as decryption, and nothing with SHA-1. */
static const gnutls_sign_algorithm_t allowed[] = {GNUTLS_SIGN_RSA_SHA256, GNUTLS_SIGN_RSA_SHA384,
    GNUTLS_SIGN_RSA_SHA512, GNUTLS_SIGN_RSA_PSS_SHA256, GNUTLS_SIGN_RSA_PSS_SHA384,
    GNUTLS_SIGN_RSA_PSS_SHA512, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256, GNUTLS_SIGN_RSA_PSS_RSAE_SHA384,
    GNUTLS_SIGN_RSA_PSS_RSAE_SHA512, GNUTLS_SIGN_ECDSA_SHA256, GNUTLS_SIGN_ECDSA_SHA384,
    GNUTLS_SIGN_ECDSA_SHA512, GNUTLS_SIGN_ECDSA_SECP256R1_SHA256,
    GNUTLS_SIGN_ECDSA_SECP384R1_SHA384, GNUTLS_SIGN_ECDSA_SECP521R1_SHA512,
    GNUTLS_SIGN_EDDSA_ED25519, GNUTLS_SIGN_EDDSA_ED448};

static const struct key_store_operations keyring_operations;

struct keyring *
keyring_new(void)
{
	struct keyring *k = MEM_NEW(struct keyring);

	k->store.operations = &keyring_operations;
	k->libcrypto = libcrypto_open();
	return k;
}

static void
free_keyring_key(struct keyring_key *key)
{
	if (key->private)
		gnutls_privkey_deinit(key->private);
	libcrypto_key_free(&key->libcrypto_key);
	mem_free(key);
}

void
keyring_free(struct keyring **k)
{
	struct keyring_key *next;

	if (!*k)
		return;
	for (struct keyring_key *key = (*k)->first; key; key = next) {
		next = key->next;
		free_keyring_key(key);
	}
	libcrypto_close(&(*k)->libcrypto);
	mem_free(*k);
	*k = NULL;
}

size_t
keyring_count(const struct keyring *k)
{
	size_t n = 0;

	for (const struct keyring_key *key = k->first; key; key = key->next)
		n++;
	return n;
}

static struct keyring_key *
find_keyring_key(const struct keyring *k, struct str id)
{
	for (struct keyring_key *key = k->first; key && id.n == KEY_STORE_ID_BYTES; key = key->next)
		if (memcmp(key->id, id.p, KEY_STORE_ID_BYTES) == 0)
			return key;
	return NULL;
}

/* ---- libcrypto ---- */

static struct libcrypto_scheme
keyring_scheme(gnutls_sign_algorithm_t algorithm)
{
	struct libcrypto_scheme scheme = {.digest = "SHA256"};

	if (gnutls_sign_get_hash_algorithm(algorithm) == GNUTLS_DIG_SHA384)
		scheme.digest = "SHA384";
	if (gnutls_sign_get_hash_algorithm(algorithm) == GNUTLS_DIG_SHA512)
		scheme.digest = "SHA512";
	scheme.is_pss = gnutls_sign_get_pk_algorithm(algorithm) == GNUTLS_PK_RSA_PSS ||
	                algorithm == GNUTLS_SIGN_RSA_PSS_RSAE_SHA256 ||
	                algorithm == GNUTLS_SIGN_RSA_PSS_RSAE_SHA384 ||
	                algorithm == GNUTLS_SIGN_RSA_PSS_RSAE_SHA512;
	return scheme;
}

static size_t
keyring_sign_by_libcrypto(const struct keyring_key *key, const struct key_store_request *r,
    unsigned char signature_out[KEY_STORE_SIGNATURE_MAX])
{
	gnutls_digest_algorithm_t hash = gnutls_sign_get_hash_algorithm(r->algorithm);
	struct libcrypto_scheme scheme = keyring_scheme(r->algorithm);
	unsigned char digest[64];
	struct str data = r->data;

	if (!r->is_hash) {
		if (gnutls_hash_fast(hash, r->data.p, r->data.n, digest) != 0)
			return 0;
		data = str_make((const char *)digest, gnutls_hash_get_len(hash));
	}
	return libcrypto_sign(
	    key->libcrypto_key, &scheme, data, signature_out, KEY_STORE_SIGNATURE_MAX);
}

/* GnuTLS must accept a signature of libcrypto as one by this key. */
static bool
keyring_is_same_key(const struct keyring_key *key, gnutls_pubkey_t public)
{
	static const char text[] = "is it the same key";
	bool is_rsa = key->algorithm == GNUTLS_PK_RSA;
	struct key_store_request r = {
	    .algorithm = is_rsa ? GNUTLS_SIGN_RSA_SHA256 : GNUTLS_SIGN_ECDSA_SHA256,
	    .data = str_of(text)};
	unsigned char signature[KEY_STORE_SIGNATURE_MAX];
	gnutls_datum_t in = {(unsigned char *)text, sizeof text - 1}, made = {signature, 0};

	made.size = (unsigned)keyring_sign_by_libcrypto(key, &r, signature);
	return made.size > 0 &&
	       gnutls_pubkey_verify_data2(public, r.algorithm, 0, &in, &made) >= 0;
}

static void
keyring_load_libcrypto_key(
    const struct keyring *k, struct keyring_key *key, struct str pem, gnutls_pubkey_t public)
{
	if (!k->libcrypto ||
	    (key->algorithm != GNUTLS_PK_RSA && key->algorithm != GNUTLS_PK_ECDSA))
		return;
	key->libcrypto_key = libcrypto_key_new(k->libcrypto, pem);
	if (key->libcrypto_key && !keyring_is_same_key(key, public))
		libcrypto_key_free(&key->libcrypto_key);
}

/* ---- adding keys ---- */

/* Computes what is derived from the public key; false: it cannot be computed. */
static bool
read_public_key(const struct keyring *k, struct keyring_key *key, struct str pem)
{
	gnutls_pubkey_t public;
	size_t n = sizeof key->id;
	bool ok;

	if (gnutls_pubkey_init(&public) != 0)
		return false;
	ok = gnutls_pubkey_import_privkey(public, key->private, 0, 0) == 0 &&
	     gnutls_pubkey_get_key_id(public, GNUTLS_KEYID_USE_SHA256, key->id, &n) == 0 &&
	     n == sizeof key->id;
	if (ok)
		keyring_load_libcrypto_key(k, key, pem, public);
	gnutls_pubkey_deinit(public);
	return ok;
}

static bool
is_known_key_kind(int algorithm)
{
	return algorithm == GNUTLS_PK_RSA || algorithm == GNUTLS_PK_RSA_PSS ||
	       algorithm == GNUTLS_PK_ECDSA || algorithm == GNUTLS_PK_EDDSA_ED25519 ||
	       algorithm == GNUTLS_PK_EDDSA_ED448;
}

static const char *
read_private_key(const struct keyring *k, struct keyring_key *key, struct str pem)
{
	gnutls_datum_t text = {(unsigned char *)pem.p, (unsigned)pem.n};
	int r;

	if (gnutls_privkey_init(&key->private) != 0)
		die("keys: no memory");
	r = gnutls_privkey_import_x509_raw(key->private, &text, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (r == GNUTLS_E_DECRYPTION_FAILED)
		return "the key is encrypted with a password: store it without one";
	if (r == GNUTLS_E_BASE64_UNEXPECTED_HEADER_ERROR || r == GNUTLS_E_BASE64_DECODING_ERROR ||
	    r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		return "there is no PEM private key in it";
	if (r != 0)
		return gnutls_strerror(r);
	r = gnutls_privkey_get_pk_algorithm(key->private, &key->bits);
	if (!is_known_key_kind(r))
		return "a key of this kind is not supported (RSA, EC, Ed25519 and Ed448 are)";
	key->algorithm = (uint32_t)r;
	return read_public_key(k, key, pem) ? NULL : "its public half cannot be computed";
}

static void
retire_key(struct keyring *k, unsigned index)
{
	for (struct keyring_key *key = k->first; key; key = key->next)
		if (key->index == index && !key->is_retired) {
			key->is_retired = true;
			key->retired_ms = clock_mono_ms();
		}
}

static void
forget_old_keys(struct keyring *k)
{
	int64_t before = clock_mono_ms() - KEYRING_OLD_MS;
	unsigned count = 0;

	/* newest first: the keys after the sixteenth one are older */
	for (struct keyring_key **link = &k->first; *link;) {
		struct keyring_key *key = *link;

		if (key->is_retired && (++count > KEYRING_OLD_MAX || key->retired_ms < before)) {
			*link = key->next;
			free_keyring_key(key);
		} else {
			link = &key->next;
		}
	}
}

static void
unlink_keyring_key(struct keyring *k, struct keyring_key *key)
{
	for (struct keyring_key **link = &k->first; *link; link = &(*link)->next)
		if (*link == key) {
			*link = key->next;
			return;
		}
}

bool
keyring_put(struct keyring *k, unsigned index, struct str pem, const char **why_out)
{
	struct keyring_key *key = MEM_NEW(struct keyring_key), *same;

	*why_out = read_private_key(k, key, pem);
	if (*why_out) {
		free_keyring_key(key);
		return false;
	}
	same = find_keyring_key(k, str_make((const char *)key->id, sizeof key->id));
	if (same && !same->is_retired && same->index != index) {
		/* one key for two certificates */
		retire_key(k, index);
		free_keyring_key(key);
		return true;
	}
	retire_key(k, index);
	if (same) {
		unlink_keyring_key(k, same);
		free_keyring_key(same);
	}
	key->index = index;
	key->next = k->first;
	k->first = key;
	forget_old_keys(k);
	return true;
}

/* ---- requests ---- */

bool
keyring_find(const struct keyring *k, struct str id, uint32_t *algorithm_out, uint32_t *bits_out)
{
	const struct keyring_key *key = find_keyring_key(k, id);

	if (!key)
		return false;
	*algorithm_out = key->algorithm;
	*bits_out = key->bits;
	return true;
}

static bool
key_may_sign(const struct keyring_key *key, const struct key_store_request *r)
{
	gnutls_digest_algorithm_t hash = gnutls_sign_get_hash_algorithm(r->algorithm);

	if (r->is_hash && (hash == GNUTLS_DIG_UNKNOWN || r->data.n != gnutls_hash_get_len(hash)))
		return false;
	for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
		if (allowed[i] == r->algorithm)
			return gnutls_sign_supports_pk_algorithm(r->algorithm, key->algorithm);
	return false;
}

size_t
keyring_sign(const struct keyring *k, const struct key_store_request *r,
    unsigned char signature_out[KEY_STORE_SIGNATURE_MAX])
{
	const struct keyring_key *key = find_keyring_key(k, r->id);
	gnutls_datum_t in = {(unsigned char *)r->data.p, (unsigned)r->data.n}, out = {0};
	size_t n = 0;
	int e;

	if (!key || !key_may_sign(key, r))
		return 0;
	if (key->libcrypto_key)
		n = keyring_sign_by_libcrypto(key, r, signature_out);
	if (n)
		return n;
	e = r->is_hash ? gnutls_privkey_sign_hash2(key->private, r->algorithm, 0, &in, &out)
	               : gnutls_privkey_sign_data2(key->private, r->algorithm, 0, &in, &out);
	if (e == 0 && out.size <= KEY_STORE_SIGNATURE_MAX) {
		memcpy(signature_out, out.data, out.size);
		n = out.size;
	}
	gnutls_free(out.data);
	return n;
}

/* ---- as a key store ---- */

static bool
keyring_store_find(const struct key_store *store, struct str id, uint32_t *algorithm_out,
    uint32_t *bits_out)
{
	return keyring_find((const struct keyring *)store, id, algorithm_out, bits_out);
}

static struct key_store_signing *
keyring_store_sign(struct key_store *store, const struct key_store_request *request,
    key_store_signed_fn *fn, void *arg)
{
	unsigned char signature[KEY_STORE_SIGNATURE_MAX];
	size_t n = keyring_sign((const struct keyring *)store, request, signature);

	fn(str_make((const char *)signature, n), arg);
	return NULL;
}

static const struct key_store_operations keyring_operations = {
    .find = keyring_store_find,
    .sign = keyring_store_sign,
};

struct key_store *
keyring_key_store(struct keyring *k)
{
	return &k->store;
}
