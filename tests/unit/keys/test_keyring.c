/*
 * keyring: which keys are accepted, what they sign, and how long replaced keys stay.
 */
#include "keys/keyring.h"

#include <criterion/criterion.h>

#include "base/clock.h"
#include "pem.h"

static const struct {
	gnutls_pk_algorithm_t kind;
	gnutls_sign_algorithm_t algorithm;
	bool is_hash;
	size_t data;
	bool ok;
} sign_rows[] = {
    {GNUTLS_PK_ECDSA, GNUTLS_SIGN_ECDSA_SECP256R1_SHA256, false, 146, true},
    {GNUTLS_PK_ECDSA, GNUTLS_SIGN_ECDSA_SHA256, false, 146, true},
    {GNUTLS_PK_ECDSA, GNUTLS_SIGN_ECDSA_SHA256, true, 32, true},
    {GNUTLS_PK_ECDSA, GNUTLS_SIGN_ECDSA_SHA256, true, 31, false},
    {GNUTLS_PK_ECDSA, GNUTLS_SIGN_ECDSA_SHA1, false, 146, false},
    {GNUTLS_PK_ECDSA, GNUTLS_SIGN_RSA_SHA256, false, 146, false},
    {GNUTLS_PK_RSA, GNUTLS_SIGN_RSA_SHA256, false, 146, true},
    {GNUTLS_PK_RSA, GNUTLS_SIGN_RSA_SHA256, true, 32, true},
    {GNUTLS_PK_RSA, GNUTLS_SIGN_RSA_SHA256, true, 200, false},
    {GNUTLS_PK_RSA, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256, false, 146, true},
    {GNUTLS_PK_RSA, GNUTLS_SIGN_RSA_PSS_RSAE_SHA384, false, 0, true},
    {GNUTLS_PK_RSA, GNUTLS_SIGN_RSA_RAW, true, 32, false},
    {GNUTLS_PK_RSA, GNUTLS_SIGN_RSA_RAW, true, 256, false},
    {GNUTLS_PK_RSA, GNUTLS_SIGN_RSA_SHA1, false, 146, false},
    {GNUTLS_PK_RSA, GNUTLS_SIGN_RSA_MD5, false, 146, false},
    {GNUTLS_PK_RSA, GNUTLS_SIGN_ECDSA_SHA256, false, 146, false},
    {GNUTLS_PK_RSA, GNUTLS_SIGN_UNKNOWN, false, 146, false},
    {GNUTLS_PK_RSA, (gnutls_sign_algorithm_t)0xffffff, true, 32, false},
    {GNUTLS_PK_EDDSA_ED25519, GNUTLS_SIGN_EDDSA_ED25519, false, 146, true},
    {GNUTLS_PK_EDDSA_ED25519, GNUTLS_SIGN_ECDSA_SHA256, false, 146, false},
    {GNUTLS_PK_EDDSA_ED448, GNUTLS_SIGN_EDDSA_ED448, false, 146, true},
};

Test(keyring, signs_with_allowed_algorithms_only)
{
	static const char data[256] = "what is to be signed";
	struct keyring *k = keyring_new();
	struct pem keys[4];
	static const gnutls_pk_algorithm_t kinds[4] = {
	    GNUTLS_PK_ECDSA, GNUTLS_PK_RSA, GNUTLS_PK_EDDSA_ED25519, GNUTLS_PK_EDDSA_ED448};
	const char *why;

	for (unsigned i = 0; i < 4; i++) {
		pem_init(&keys[i], kinds[i], i > 0, NULL);
		cr_assert(keyring_put(k, i, pem_str(&keys[i]), &why), "%s", why);
	}
	for (size_t i = 0; i < sizeof sign_rows / sizeof *sign_rows; i++) {
		unsigned char signature[KEY_STORE_SIGNATURE_MAX];
		size_t which = 0, n;

		while (kinds[which] != sign_rows[i].kind)
			which++;
		n = keyring_sign(k,
		    &(struct key_store_request){pem_id(&keys[which]), sign_rows[i].algorithm,
		        sign_rows[i].is_hash, str_make(data, sign_rows[i].data)},
		    signature);
		cr_assert((n > 0) == sign_rows[i].ok, "row %zu", i);
		if (n) {
			gnutls_datum_t in = {(unsigned char *)data, (unsigned)sign_rows[i].data};
			gnutls_datum_t s = {signature, (unsigned)n};
			int e = (sign_rows[i].is_hash
			        ? gnutls_pubkey_verify_hash2
			        : gnutls_pubkey_verify_data2)(
			    keys[which].public, sign_rows[i].algorithm, 0, &in, &s);

			cr_assert(e >= 0, "row %zu: %s", i, gnutls_strerror(e));
		}
	}
	for (unsigned i = 0; i < 4; i++)
		pem_clear(&keys[i]);
	keyring_free(&k);
}

Test(keyring, refuses_other_keys_and_files)
{
	struct keyring *k = keyring_new();
	struct pem encrypted, dsa;
	const char *why;

	pem_init(&encrypted, GNUTLS_PK_ECDSA, true, "secret");
	pem_init(&dsa, GNUTLS_PK_DSA, true, NULL);
	cr_assert(!keyring_put(k, 0, pem_str(&encrypted), &why));
	cr_assert(strstr(why, "encrypted"), "%s", why);
	cr_assert(!keyring_put(k, 0, pem_str(&dsa), &why));
	cr_assert(strstr(why, "not supported"), "%s", why);
	cr_assert(!keyring_put(k, 0, STR(""), &why));
	cr_assert(strstr(why, "no PEM private key"), "%s", why);
	cr_assert(!keyring_put(
	    k, 0, STR("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), &why));
	cr_assert(!keyring_put(
	    k, 0, STR("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), &why));
	cr_assert(keyring_count(k) == 0);
	pem_clear(&encrypted);
	pem_clear(&dsa);
	keyring_free(&k);
}

Test(keyring, replaced_keys_stay_for_a_while)
{
	enum { KEYS = 20 };
	struct keyring *k = keyring_new();
	struct pem p[KEYS];
	uint32_t algorithm, bits;
	const char *why;

	clock_fake(1000);
	for (int i = 0; i < KEYS; i++) {
		pem_init(&p[i], GNUTLS_PK_EDDSA_ED25519, true, NULL);
		cr_assert(keyring_put(k, 0, pem_str(&p[i]), &why));
		clock_fake(1000 + i);
	}
	cr_assert(keyring_count(k) == 1 + KEYRING_OLD_MAX);
	cr_assert(keyring_find(k, pem_id(&p[KEYS - 1]), &algorithm, &bits));
	cr_assert(algorithm == GNUTLS_PK_EDDSA_ED25519 && bits == 256);
	cr_assert(keyring_find(k, pem_id(&p[KEYS - 17]), &algorithm, &bits));
	cr_assert(!keyring_find(k, pem_id(&p[KEYS - 18]), &algorithm, &bits));
	/* an hour later the next change removes them */
	clock_fake(1000 + KEYS + KEYRING_OLD_MS);
	cr_assert(keyring_put(k, 0, pem_str(&p[KEYS - 1]), &why));
	cr_assert(keyring_count(k) == 1);
	/* the same key at another index; then the first one is replaced */
	cr_assert(keyring_put(k, 1, pem_str(&p[KEYS - 1]), &why));
	cr_assert(keyring_count(k) == 1);
	cr_assert(keyring_put(k, 0, pem_str(&p[0]), &why));
	cr_assert(keyring_put(k, 1, pem_str(&p[KEYS - 1]), &why));
	clock_fake(1000 + KEYS + 3 * (int64_t)KEYRING_OLD_MS);
	cr_assert(keyring_put(k, 0, pem_str(&p[0]), &why));
	cr_assert(keyring_find(k, pem_id(&p[KEYS - 1]), &algorithm, &bits));
	/* a file that is not a key changes nothing */
	cr_assert(!keyring_put(k, 0, STR("rubbish"), &why));
	cr_assert(keyring_find(k, pem_id(&p[0]), &algorithm, &bits));
	cr_assert(!keyring_find(k, STR("short"), &algorithm, &bits));
	clock_fake(-1);
	for (int i = 0; i < KEYS; i++)
		pem_clear(&p[i]);
	keyring_free(&k);
}
