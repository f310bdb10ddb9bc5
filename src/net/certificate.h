/*
 * certificate: one checked certificate of ours, with the names that it is valid for and the key,
 * which signs in another process.
 */
#ifndef NET_CERTIFICATE_H
#define NET_CERTIFICATE_H

#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include "net/tls_certificate.h"

enum { CERTIFICATE_CHAIN_MAX = 16, CERTIFICATE_NAMES_MAX = 100 };

struct certificate {
	const struct tls_signer *signer;
	unsigned char key_id[TLS_KEY_ID_BYTES];
	uint32_t key_algorithm; /* gnutls_pk_algorithm_t */
	uint32_t key_bits;
	int64_t from_s, expires_s; /* INT64_MAX: never */
	char *names[CERTIFICATE_NAMES_MAX];
	unsigned name_count;
	gnutls_x509_crt_t chain[CERTIFICATE_CHAIN_MAX];
	unsigned chain_count;
};

/* Reads the chain and its names, without looking for the key.  false, with a sentence in why. */
bool certificate_read(
    struct certificate *c, const struct tls_certificate *from, char why[200]) MUST_USE;
/* The id of the public key of the certificate at that position of the chain. */
bool certificate_key_id(const struct certificate *c, unsigned place,
    unsigned char out[TLS_KEY_ID_BYTES]) MUST_USE;
/* SHA-256 of the SubjectPublicKeyInfo of the first certificate in the PEM text. */
bool tls_key_id_of_certificate(struct str pem, unsigned char out[TLS_KEY_ID_BYTES]) MUST_USE;
/* Reads the chain and finds the key, even when the certificate is not valid at this time; signer
 * must live longer than the certificate.  false, with a sentence in why. */
bool certificate_init(struct certificate *c, const struct tls_certificate *from,
    const struct tls_signer *signer, char why[200]) MUST_USE;
/* Frees everything. */
void certificate_clear(struct certificate *c);

/* Adds it to the credentials, which refer to *c as long as they live.  Of several certificates
 * GnuTLS uses the first that the client supports. */
bool certificate_install(struct certificate *c, struct str name,
    gnutls_certificate_credentials_t to, char why[200]) MUST_USE;

/* RFC 6125 section 6.4: letter case does not matter, "*" stands for the whole first label. */
bool certificate_has_name(const struct certificate *c, struct str name);
/* Does a wildcard name of the certificate match the name? */
bool certificate_has_wildcard(const struct certificate *c, struct str name);

#endif
