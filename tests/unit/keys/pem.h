/*
 * pem: makes private keys for tests.
 */
#ifndef TESTS_KEYS_PEM_H
#define TESTS_KEYS_PEM_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#include "base/str.h"

struct pem {
	gnutls_datum_t text;
	gnutls_pubkey_t public;
	unsigned char id[32];
};

/* password NULL: not encrypted. is_pkcs8: as "PRIVATE KEY", otherwise in the older format of the
 * algorithm. */
void pem_init(struct pem *p, gnutls_pk_algorithm_t kind, bool is_pkcs8, const char *password);
void pem_clear(struct pem *p);
/* The PEM text. */
struct str pem_str(const struct pem *p);
/* SHA-256 of the SubjectPublicKeyInfo. */
struct str pem_id(const struct pem *p);

#endif
