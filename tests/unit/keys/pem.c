/*
 * pem: generates each key with GnuTLS, and derives its id and public key.
 */
#include "pem.h"

#include <criterion/criterion.h>
#include <gnutls/x509.h>

void
pem_init(struct pem *p, gnutls_pk_algorithm_t kind, bool is_pkcs8, const char *password)
{
	gnutls_x509_privkey_t key;
	gnutls_privkey_t private;
	unsigned bits =
	    kind == GNUTLS_PK_RSA ? 2048 : GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1);
	size_t n = sizeof p->id;

	if (kind == GNUTLS_PK_EDDSA_ED25519)
		bits = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED25519);
	if (kind == GNUTLS_PK_EDDSA_ED448)
		bits = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_ED448);
	if (kind == GNUTLS_PK_DSA)
		bits = 2048;
	gnutls_x509_privkey_init(&key);
	cr_assert(gnutls_x509_privkey_generate(key, kind, bits, 0) == 0);
	if (is_pkcs8)
		cr_assert(
		    gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, password,
		        password ? GNUTLS_PKCS_PBES2_AES_256 : GNUTLS_PKCS_PLAIN, &p->text) == 0);
	else
		cr_assert(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &p->text) == 0);
	gnutls_privkey_init(&private);
	gnutls_privkey_import_x509(private, key, GNUTLS_PRIVKEY_IMPORT_AUTO_RELEASE);
	gnutls_pubkey_init(&p->public);
	gnutls_pubkey_import_privkey(p->public, private, 0, 0);
	gnutls_pubkey_get_key_id(p->public, GNUTLS_KEYID_USE_SHA256, p->id, &n);
	gnutls_privkey_deinit(private);
}

void
pem_clear(struct pem *p)
{
	gnutls_free(p->text.data);
	gnutls_pubkey_deinit(p->public);
}

struct str
pem_str(const struct pem *p)
{
	return str_make((const char *)p->text.data, p->text.size);
}

struct str
pem_id(const struct pem *p)
{
	return str_make((const char *)p->id, sizeof p->id);
}
