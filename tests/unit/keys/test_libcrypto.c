/*
 * libcrypto: GnuTLS accepts its signatures; a key of another kind is not accepted.
 */
#include "keys/libcrypto.h"

#include <criterion/criterion.h>
#include <gnutls/crypto.h>

#include "pem.h"

static const struct {
	gnutls_pk_algorithm_t kind;
	gnutls_sign_algorithm_t algorithm;
	gnutls_digest_algorithm_t hash;
	struct libcrypto_scheme scheme;
} libcrypto_rows[] = {
    {GNUTLS_PK_ECDSA, GNUTLS_SIGN_ECDSA_SECP256R1_SHA256, GNUTLS_DIG_SHA256, {"SHA256", false}},
    {GNUTLS_PK_ECDSA, GNUTLS_SIGN_ECDSA_SHA384, GNUTLS_DIG_SHA384, {"SHA384", false}},
    {GNUTLS_PK_RSA, GNUTLS_SIGN_RSA_SHA256, GNUTLS_DIG_SHA256, {"SHA256", false}},
    {GNUTLS_PK_RSA, GNUTLS_SIGN_RSA_SHA512, GNUTLS_DIG_SHA512, {"SHA512", false}},
    {GNUTLS_PK_RSA, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256, GNUTLS_DIG_SHA256, {"SHA256", true}},
    {GNUTLS_PK_RSA, GNUTLS_SIGN_RSA_PSS_RSAE_SHA384, GNUTLS_DIG_SHA384, {"SHA384", true}},
};
enum { LIBCRYPTO_ROWS = sizeof libcrypto_rows / sizeof *libcrypto_rows };

/* With another scheme between two signatures, and with the same scheme twice. */
Test(libcrypto, gnutls_accepts_every_scheme)
{
	struct libcrypto *l = libcrypto_open();
	unsigned char digest[64], signature[1024];

	cr_assert_not_null(l);
	for (int i = 0; i < LIBCRYPTO_ROWS; i++) {
		gnutls_datum_t hash = {digest, gnutls_hash_get_len(libcrypto_rows[i].hash)};
		struct libcrypto_key *key;
		struct pem pem;

		pem_init(&pem, libcrypto_rows[i].kind, i % 2, NULL);
		key = libcrypto_key_new(l, pem_str(&pem));
		cr_assert_not_null(key, "row %d", i);
		gnutls_hash_fast(libcrypto_rows[i].hash, "text", 4, digest);
		for (int n = 0; n < 2; n++) {
			struct str in = str_make((const char *)digest, hash.size);
			gnutls_datum_t s = {signature, 0};

			s.size = (unsigned)libcrypto_sign(
			    key, &libcrypto_rows[i].scheme, in, signature, sizeof signature);
			cr_expect_geq(gnutls_pubkey_verify_hash2(
			                  pem.public, libcrypto_rows[i].algorithm, 0, &hash, &s),
			    0, "row %d", i);
		}
		cr_expect_eq(libcrypto_sign(key, &libcrypto_rows[i].scheme, STR("too short"),
		                 signature, sizeof signature),
		    0);
		cr_expect_eq(libcrypto_sign(key, &libcrypto_rows[i].scheme,
		                 str_make((const char *)digest, hash.size), signature, 8),
		    0);
		libcrypto_key_free(&key);
		pem_clear(&pem);
	}
	libcrypto_close(&l);
}

Test(libcrypto, refuses_other_keys_and_asks_for_no_password)
{
	struct libcrypto *l = libcrypto_open();
	struct pem edwards, encrypted;

	pem_init(&edwards, GNUTLS_PK_EDDSA_ED25519, true, NULL);
	pem_init(&encrypted, GNUTLS_PK_ECDSA, true, "secret");
	cr_expect_null(libcrypto_key_new(l, pem_str(&edwards)));
	cr_expect_null(libcrypto_key_new(l, pem_str(&encrypted)));
	cr_expect_null(libcrypto_key_new(l, STR("")));
	cr_expect_null(libcrypto_key_new(
	    l, STR("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")));
	pem_clear(&edwards);
	pem_clear(&encrypted);
	libcrypto_close(&l);
}
