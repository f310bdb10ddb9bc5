/*
 * certificate: the private key is never in this process: the key object of GnuTLS passes each
 * signature request to the signer.
 */
#include "net/certificate.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/mem.h"

static bool __attribute__((format(printf, 3, 4)))
certificate_fault(struct str name, char why[200], const char *format, ...)
{
	int n = snprintf(why, 200, "%.*s: ", (int)(name.n < 100 ? name.n : 100), name.p);
	va_list args;

	va_start(args, format);
	vsnprintf(why + n, 200 - (size_t)n, format, args);
	va_end(args);
	return false;
}

/* ---- the key in another process ---- */

static int
sign_with_signer(const struct certificate *c, gnutls_sign_algorithm_t algorithm, bool is_hash,
    const gnutls_datum_t *data, gnutls_datum_t *signature)
{
	unsigned char out[TLS_SIGNATURE_MAX];
	size_t size = sizeof out;

	if (!c->signer->sign(c->signer->arg, c->key_id, algorithm, is_hash,
	        str_make((const char *)data->data, data->size), out, &size))
		return GNUTLS_E_PK_SIGN_FAILED;
	signature->data = gnutls_malloc(size);
	if (!signature->data)
		return GNUTLS_E_MEMORY_ERROR;
	memcpy(signature->data, out, size);
	signature->size = (unsigned)size;
	return 0;
}

static int
sign_data(gnutls_privkey_t k, gnutls_sign_algorithm_t algorithm, void *arg, unsigned flags,
    const gnutls_datum_t *data, gnutls_datum_t *signature)
{
	(void)k;
	(void)flags;
	return sign_with_signer(arg, algorithm, false, data, signature);
}

static int
sign_hash(gnutls_privkey_t k, gnutls_sign_algorithm_t algorithm, void *arg, unsigned flags,
    const gnutls_datum_t *hash, gnutls_datum_t *signature)
{
	(void)k;
	(void)flags;
	return sign_with_signer(arg, algorithm, true, hash, signature);
}

static int
key_info(gnutls_privkey_t k, unsigned flags, void *arg)
{
	const struct certificate *c = arg;

	(void)k;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO)
		return (int)c->key_algorithm;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS)
		return (int)c->key_bits;
	if (flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO)
		return (int)gnutls_sign_supports_pk_algorithm(
		    GNUTLS_FLAGS_TO_SIGN_ALGO(flags), c->key_algorithm);
	return -1;
}

/* ---- reading ---- */

static bool
parse_certificate_chain(struct certificate *c, const struct tls_certificate *from, char why[200])
{
	gnutls_datum_t text = {(unsigned char *)from->pem.p, (unsigned)from->pem.n};
	unsigned count = CERTIFICATE_CHAIN_MAX;
	int r = gnutls_x509_crt_list_import(c->chain, &count, &text, GNUTLS_X509_FMT_PEM,
	    GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);

	if (r == GNUTLS_E_SHORT_MEMORY_BUFFER)
		return certificate_fault(from->name, why, "more than 16 certificates in the chain");
	if (r < 0)
		return certificate_fault(
		    from->name, why, "does not parse as a PEM certificate: %s", gnutls_strerror(r));
	c->chain_count = (unsigned)r;
	return r > 0 || certificate_fault(from->name, why, "no certificate in it");
}

static void
find_dates(struct certificate *c)
{
	time_t until = gnutls_x509_crt_get_expiration_time(c->chain[0]);

	c->from_s = gnutls_x509_crt_get_activation_time(c->chain[0]);
	c->expires_s = until == (time_t)-1 ? INT64_MAX : until;
}

static void
add_certificate_name(struct certificate *c, const char *name, size_t n)
{
	if (c->name_count < CERTIFICATE_NAMES_MAX && n > 0)
		c->names[c->name_count++] = mem_text(name, n);
}

/* The common name is used only if there is no other name (RFC 6125 section 6.4.4). */
static void
find_names(struct certificate *c)
{
	char name[256];
	size_t size;
	int r;

	for (unsigned i = 0; i < CERTIFICATE_NAMES_MAX; i++) {
		size = sizeof name;
		r = gnutls_x509_crt_get_subject_alt_name(c->chain[0], i, name, &size, NULL);
		if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		if (r == GNUTLS_SAN_DNSNAME)
			add_certificate_name(c, name, strnlen(name, size));
	}
	size = sizeof name;
	if (c->name_count == 0 && gnutls_x509_crt_get_dn_by_oid(c->chain[0],
	                              GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size) == 0)
		add_certificate_name(c, name, size);
}

static bool
key_id(gnutls_x509_crt_t crt, unsigned char out[TLS_KEY_ID_BYTES])
{
	size_t size = TLS_KEY_ID_BYTES;

	return gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, out, &size) == 0 &&
	       size == TLS_KEY_ID_BYTES;
}

bool
certificate_key_id(const struct certificate *c, unsigned place, unsigned char out[TLS_KEY_ID_BYTES])
{
	return place < c->chain_count && key_id(c->chain[place], out);
}

static bool
find_key(struct certificate *c, struct str name, char why[200])
{
	int algorithm = gnutls_x509_crt_get_pk_algorithm(c->chain[0], NULL);

	if (!certificate_key_id(c, 0, c->key_id))
		return certificate_fault(name, why, "has a public key of an unknown kind");
	if (!c->signer->find(c->signer->arg, c->key_id, &c->key_algorithm, &c->key_bits))
		return certificate_fault(name, why, "no private key belongs to this certificate");
	if ((int)c->key_algorithm != algorithm)
		return certificate_fault(
		    name, why, "the private key is of another kind than the certificate");
	return true;
}

bool
certificate_read(struct certificate *c, const struct tls_certificate *from, char why[200])
{
	*c = (struct certificate){0};
	if (!parse_certificate_chain(c, from, why))
		return false;
	find_dates(c);
	find_names(c);
	return true;
}

bool
certificate_init(struct certificate *c, const struct tls_certificate *from,
    const struct tls_signer *signer, char why[200])
{
	if (!certificate_read(c, from, why))
		return false;
	c->signer = signer;
	if (find_key(c, from->name, why))
		return true;
	certificate_clear(c);
	return false;
}

void
certificate_clear(struct certificate *c)
{
	for (unsigned i = 0; i < c->chain_count; i++)
		gnutls_x509_crt_deinit(c->chain[i]);
	for (unsigned i = 0; i < c->name_count; i++)
		mem_free(c->names[i]);
	c->chain_count = c->name_count = 0;
}

/* ---- use ---- */

/* set_key copies the list; the credentials own its certificates and the key from then on, unless it
 * fails. */
bool
certificate_install(
    struct certificate *c, struct str name, gnutls_certificate_credentials_t to, char why[200])
{
	gnutls_pcert_st list[CERTIFICATE_CHAIN_MAX] = {0};
	unsigned count = c->chain_count;
	gnutls_privkey_t key = NULL;
	int r = gnutls_pcert_import_x509_list(list, c->chain, &count, GNUTLS_X509_CRT_LIST_SORT);

	if (r < 0)
		return certificate_fault(name, why, "cannot be used: %s", gnutls_strerror(r));
	r = gnutls_privkey_init(&key);
	if (r == 0)
		r = gnutls_privkey_import_ext4(
		    key, c, sign_data, sign_hash, NULL, NULL, key_info, 0);
	if (r == 0)
		r = gnutls_certificate_set_key(to, NULL, 0, list, (int)count, key);
	if (r >= 0)
		return true;
	for (unsigned i = 0; i < count; i++)
		gnutls_pcert_deinit(&list[i]);
	gnutls_privkey_deinit(key);
	return certificate_fault(name, why, "cannot be used: %s", gnutls_strerror(r));
}

bool
certificate_has_name(const struct certificate *c, struct str name)
{
	for (unsigned i = 0; i < c->name_count; i++)
		if (str_ieq(str_of(c->names[i]), name))
			return true;
	return false;
}

bool
certificate_has_wildcard(const struct certificate *c, struct str name)
{
	struct str parent = str_from(name, str_find(name, '.'));

	for (unsigned i = 0; i < c->name_count && parent.n > 1; i++) {
		struct str own = str_of(c->names[i]);

		if (own.n > 2 && own.p[0] == '*' && str_ieq(str_from(own, 1), parent))
			return true;
	}
	return false;
}

bool
tls_key_id_of_certificate(struct str pem, unsigned char out[TLS_KEY_ID_BYTES])
{
	gnutls_x509_crt_t chain[1];
	gnutls_datum_t text = {(unsigned char *)pem.p, (unsigned)pem.n};
	unsigned count = 1;
	bool ok;

	if (gnutls_x509_crt_list_import(chain, &count, &text, GNUTLS_X509_FMT_PEM, 0) < 1)
		return false;
	ok = key_id(chain[0], out);
	gnutls_x509_crt_deinit(chain[0]);
	return ok;
}
