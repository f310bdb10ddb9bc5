/*
 * peer_certificate: GnuTLS checks trust and compares the name, but it accepts the common name when
 * there is no dNSName, and a dNSName that looks like an address.  Both are excluded here.
 */
#include "net/peer_certificate.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

enum { PEER_NAMES_MAX = 4096, PEER_NAME_BYTES = 1024 };

static const char *
peer_certificate_text(unsigned status)
{
	static const struct {
		unsigned bit;
		const char *text;
	} texts[] = {
	    {GNUTLS_CERT_EXPIRED, "the peer's certificate has expired"},
	    {GNUTLS_CERT_NOT_ACTIVATED, "the peer's certificate is not valid yet"},
	    {GNUTLS_CERT_REVOKED, "the peer's certificate was revoked"},
	    {GNUTLS_CERT_SIGNER_NOT_FOUND, "the peer's certificate is signed by nobody we trust"},
	    {GNUTLS_CERT_SIGNATURE_FAILURE, "the peer's certificate has a wrong signature"},
	    {GNUTLS_CERT_INSECURE_ALGORITHM, "the peer's certificate uses a weak algorithm"},
	    {GNUTLS_CERT_UNEXPECTED_OWNER, "the peer's certificate is for another name"},
	};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (status & texts[i].bit)
			return texts[i].text;
	return "the peer's certificate is not trusted";
}

/* The bytes of an address as in an iPAddress entry; returns their number, 0: the name is no
 * address. */
static size_t
peer_certificate_address(const char *name, unsigned char out[sizeof(struct in6_addr)])
{
	if (inet_pton(AF_INET, name, out) == 1)
		return sizeof(struct in_addr);
	return inet_pton(AF_INET6, name, out) == 1 ? sizeof(struct in6_addr) : 0;
}

/* Does the certificate have that address, or, for a name, any dNSName?  GnuTLS has compared the
 * names. */
static bool
peer_certificate_has_entry(gnutls_x509_crt_t crt, const char *name)
{
	unsigned char address[sizeof(struct in6_addr)];
	size_t address_bytes = peer_certificate_address(name, address);
	char entry[PEER_NAME_BYTES];

	for (unsigned i = 0; i < PEER_NAMES_MAX; i++) {
		size_t n = sizeof entry;
		int kind = gnutls_x509_crt_get_subject_alt_name(crt, i, entry, &n, NULL);

		if (kind == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return false;
		if (address_bytes == 0 && kind == GNUTLS_SAN_DNSNAME)
			return true;
		if (address_bytes && kind == GNUTLS_SAN_IPADDRESS && n == address_bytes &&
		    memcmp(entry, address, n) == 0)
			return true;
	}
	return false;
}

static bool
peer_certificate_names(gnutls_session_t session, const char *name)
{
	const gnutls_datum_t *list = gnutls_certificate_get_peers(session, &(unsigned){0});
	gnutls_x509_crt_t crt;
	bool ok;

	if (!list || gnutls_x509_crt_init(&crt) != 0)
		return false;
	ok = gnutls_x509_crt_import(crt, list, GNUTLS_X509_FMT_DER) == 0 &&
	     peer_certificate_has_entry(crt, name);
	gnutls_x509_crt_deinit(crt);
	return ok;
}

bool
peer_certificate_is_valid(gnutls_session_t session, const char *name, const char **why_out)
{
	unsigned status = 0;

	*why_out = "the peer has no certificate";
	if (!*name || gnutls_certificate_verify_peers3(session, name, &status) != 0)
		return false;
	if (!status && !peer_certificate_names(session, name))
		status = GNUTLS_CERT_UNEXPECTED_OWNER;
	*why_out = status ? peer_certificate_text(status) : "";
	return status == 0;
}
