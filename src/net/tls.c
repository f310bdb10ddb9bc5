/*
 * tls: credentials and priorities.  A private key is never here: certificates are bound to a
 * key object that passes each signature on to the signer.
 */
#include "net/tls.h"

#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/mem.h"

enum { CHAIN_MAX = 16, NAMES_MAX = 64 };

/* Static RSA and finite-field DH are out on the server: the first needs decryption, the second is a cheap
 * way to burn a server's time (CVE-2002-20001). */
#define CIPHERS \
	":-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-CCM:+AES-256-CCM" \
	":+AES-128-CBC:+AES-256-CBC"
#define GROUPS \
	":-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1"
#define PRIORITY_SERVER \
	":-RSA:-DHE-RSA:-DHE-DSS:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1" CIPHERS GROUPS ":%SERVER_PRECEDENCE"
#define PRIORITY_CLIENT CIPHERS GROUPS ":+GROUP-FFDHE2048:+GROUP-FFDHE3072:+GROUP-FFDHE4096"

static const char priority_1_2[] =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" PRIORITY_SERVER;
static const char priority_1_3[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3" PRIORITY_SERVER;
static const char priority_client[] =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" PRIORITY_CLIENT;

struct tls_key {
	const struct tls_signer *signer;
	unsigned char id[TLS_KEY_ID_BYTES];
	uint32_t algorithm; /* gnutls_pk_algorithm_t */
	uint32_t bits;
};

struct tls_server {
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
	struct tls_signer signer;
	struct tls_key *keys; /* one per certificate */
	unsigned char ticket_key[TLS_TICKET_KEY_BYTES];
	int64_t expires_s;
	unsigned references;
};

struct tls_client {
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
	bool must_verify;
	unsigned references;
};

/* A certificate on its way into the credentials. */
struct candidate {
	struct str name;
	gnutls_x509_crt_t chain[CHAIN_MAX];
	unsigned chain_count;
	char *names[NAMES_MAX];
	int name_count;
	char *why;
};

static bool __attribute__((format(printf, 2, 3)))
refuse(const struct candidate *c, const char *format, ...)
{
	int n = snprintf(c->why, 200, "%.*s: ", (int)(c->name.n < 100 ? c->name.n : 100), c->name.p);
	va_list args;

	va_start(args, format);
	vsnprintf(c->why + n, 200 - (size_t)n, format, args);
	va_end(args);
	return false;
}

/* ---- the key in another process ---- */

static int
sign(struct tls_key *key, gnutls_sign_algorithm_t algorithm, bool is_hash, const gnutls_datum_t *data,
    gnutls_datum_t *signature)
{
	unsigned char out[TLS_SIGNATURE_MAX];
	size_t size = sizeof out;

	if (!key->signer->sign(key->signer->arg, key->id, algorithm, is_hash,
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
	return sign(arg, algorithm, false, data, signature);
}

static int
sign_hash(gnutls_privkey_t k, gnutls_sign_algorithm_t algorithm, void *arg, unsigned flags,
    const gnutls_datum_t *hash, gnutls_datum_t *signature)
{
	(void)k;
	(void)flags;
	return sign(arg, algorithm, true, hash, signature);
}

static int
key_info(gnutls_privkey_t k, unsigned flags, void *arg)
{
	const struct tls_key *key = arg;

	(void)k;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO)
		return (int)key->algorithm;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS)
		return (int)key->bits;
	if (flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO)
		return (int)gnutls_sign_supports_pk_algorithm(
		    GNUTLS_FLAGS_TO_SIGN_ALGO(flags), key->algorithm);
	return -1;
}

/* ---- certificates ---- */

static void
candidate_clear(struct candidate *c)
{
	for (unsigned i = 0; i < c->chain_count; i++)
		gnutls_x509_crt_deinit(c->chain[i]);
	for (int i = 0; i < c->name_count; i++)
		mem_free(c->names[i]);
}

static bool
candidate_parse(struct candidate *c, struct str pem)
{
	gnutls_datum_t text = {(unsigned char *)pem.p, (unsigned)pem.n};
	unsigned count = CHAIN_MAX;
	int r = gnutls_x509_crt_list_import(c->chain, &count, &text, GNUTLS_X509_FMT_PEM,
	    GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);

	if (r == GNUTLS_E_SHORT_MEMORY_BUFFER)
		return refuse(c, "%s", "more than 16 certificates in the chain");
	if (r < 0)
		return refuse(c, "does not parse as a PEM certificate: %s", gnutls_strerror(r));
	c->chain_count = (unsigned)r;
	return r > 0 || refuse(c, "%s", "no certificate in it");
}

static bool
candidate_is_current(const struct candidate *c)
{
	time_t now = time(NULL);
	time_t from = gnutls_x509_crt_get_activation_time(c->chain[0]);
	time_t until = gnutls_x509_crt_get_expiration_time(c->chain[0]);
	bool is_over = until != (time_t)-1 && until <= now;
	char day[32] = "";
	struct tm tm;

	if (!is_over && from <= now)
		return true;
	if (gmtime_r(is_over ? &until : &from, &tm))
		strftime(day, sizeof day, "%Y-%m-%d %H:%M UTC", &tm);
	return refuse(c, "%s %s", is_over ? "expired on" : "not valid before", day);
}

static void
candidate_add_name(struct candidate *c, const char *name, size_t n)
{
	if (c->name_count < NAMES_MAX && n > 0)
		c->names[c->name_count++] = mem_text(name, n);
}

/* The names that SNI can ask for (RFC 6125 section 6.4.4: the common name only without any). */
static void
candidate_find_names(struct candidate *c)
{
	char name[256];
	size_t size;
	int r;

	for (unsigned i = 0; i < NAMES_MAX; i++) {
		size = sizeof name;
		r = gnutls_x509_crt_get_subject_alt_name(c->chain[0], i, name, &size, NULL);
		if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		if (r == GNUTLS_SAN_DNSNAME)
			candidate_add_name(c, name, strnlen(name, size));
	}
	size = sizeof name;
	if (c->name_count == 0 &&
	    gnutls_x509_crt_get_dn_by_oid(
	        c->chain[0], GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size) == 0)
		candidate_add_name(c, name, size);
}

static bool
key_id(gnutls_x509_crt_t crt, unsigned char out[TLS_KEY_ID_BYTES])
{
	size_t size = TLS_KEY_ID_BYTES;

	return gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, out, &size) == 0 &&
	    size == TLS_KEY_ID_BYTES;
}

static bool
candidate_find_key(const struct candidate *c, struct tls_key *key)
{
	int algorithm = gnutls_x509_crt_get_pk_algorithm(c->chain[0], NULL);

	if (!key_id(c->chain[0], key->id))
		return refuse(c, "%s", "has a public key of an unknown kind");
	if (!key->signer->find(key->signer->arg, key->id, &key->algorithm, &key->bits))
		return refuse(c, "%s", "no private key belongs to this certificate");
	if ((int)key->algorithm != algorithm)
		return refuse(c, "%s", "the private key is of another kind than the certificate");
	return true;
}

/* From here on the key object and the list belong to the credentials. */
static bool
candidate_install(const struct candidate *c, struct tls_key *key, gnutls_certificate_credentials_t to)
{
	gnutls_pcert_st *list = gnutls_calloc(c->chain_count, sizeof *list);
	unsigned count = c->chain_count;
	gnutls_privkey_t k = NULL;
	int r = list ? 0 : GNUTLS_E_MEMORY_ERROR;

	if (r == 0)
		r = gnutls_pcert_import_x509_list(
		    list, (gnutls_x509_crt_t *)c->chain, &count, GNUTLS_X509_CRT_LIST_SORT);
	if (r == 0)
		r = gnutls_privkey_init(&k);
	if (r == 0)
		r = gnutls_privkey_import_ext4(
		    k, key, sign_data, sign_hash, NULL, NULL, key_info, 0);
	if (r == 0)
		r = gnutls_certificate_set_key(
		    to, (const char **)c->names, c->name_count, list, (int)count, k);
	if (r >= 0)
		return true;
	gnutls_privkey_deinit(k);
	gnutls_free(list);
	return refuse(c, "cannot be used: %s", gnutls_strerror(r));
}

static bool
add_certificate(struct tls_server *t, const struct tls_certificate *certificate, struct tls_key *key,
    char *why)
{
	struct candidate c = {.name = certificate->name, .why = why};
	bool ok = candidate_parse(&c, certificate->pem) && candidate_is_current(&c) &&
	    candidate_find_key(&c, key);

	if (ok) {
		int64_t until = gnutls_x509_crt_get_expiration_time(c.chain[0]);

		if (until >= 0 && until < t->expires_s)
			t->expires_s = until;
		candidate_find_names(&c);
		ok = candidate_install(&c, key, t->credentials);
	}
	candidate_clear(&c);
	return ok;
}

static void
set_priority(gnutls_priority_t *out, const char *text)
{
	const char *at = "";

	if (gnutls_priority_init(out, text, &at) != 0)
		die("tls: priority string refused at \"%s\"", at);
}

struct tls_server *
tls_server_new(const struct tls_certificate *certificates, size_t count, bool only_1_3,
    const unsigned char ticket_key[TLS_TICKET_KEY_BYTES], const struct tls_signer *signer, char why[200])
{
	struct tls_server *t = MEM_NEW(struct tls_server);

	t->references = 1;
	t->expires_s = INT64_MAX;
	t->signer = *signer;
	t->keys = mem_new(count * sizeof *t->keys);
	memcpy(t->ticket_key, ticket_key, sizeof t->ticket_key);
	set_priority(&t->priority, only_1_3 ? priority_1_3 : priority_1_2);
	if (gnutls_certificate_allocate_credentials(&t->credentials) != 0)
		die("tls: no memory");
	snprintf(why, 200, "no certificate is configured");
	for (size_t i = 0; i < count; i++) {
		t->keys[i].signer = &t->signer;
		if (!add_certificate(t, &certificates[i], &t->keys[i], why)) {
			tls_server_drop(&t);
			return NULL;
		}
	}
	if (count == 0)
		tls_server_drop(&t);
	return t;
}

struct tls_server *
tls_server_keep(struct tls_server *t)
{
	t->references++;
	return t;
}

void
tls_server_drop(struct tls_server **t)
{
	struct tls_server *s = *t;

	*t = NULL;
	if (!s || --s->references)
		return;
	gnutls_certificate_free_credentials(s->credentials);
	gnutls_priority_deinit(s->priority);
	mem_wipe(s->ticket_key, sizeof s->ticket_key);
	mem_free(s->keys);
	mem_free(s);
}

int64_t
tls_server_expires_s(const struct tls_server *t)
{
	return t->expires_s;
}

struct gnutls_session_int *
tls_server_begin(struct tls_server *t)
{
	gnutls_datum_t ticket_key = {t->ticket_key, sizeof t->ticket_key};
	gnutls_session_t s;

	if (gnutls_init(&s, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL |
	            GNUTLS_NO_AUTO_SEND_TICKET) != 0 ||
	    gnutls_priority_set(s, t->priority) != 0 ||
	    gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, t->credentials) != 0 ||
	    gnutls_session_ticket_enable_server(s, &ticket_key) != 0)
		die("tls: no session");
	gnutls_handshake_set_timeout(s, GNUTLS_INDEFINITE_TIMEOUT);
	return s;
}

/* ---- client ---- */

struct tls_client *
tls_client_new(struct str ca_file, bool must_verify, char why[200])
{
	struct tls_client *t = MEM_NEW(struct tls_client);
	char *path = mem_text(ca_file.p, ca_file.n);
	int r;

	t->references = 1;
	t->must_verify = must_verify;
	set_priority(&t->priority, priority_client);
	if (gnutls_certificate_allocate_credentials(&t->credentials) != 0)
		die("tls: no memory");
	if (ca_file.n)
		r = gnutls_certificate_set_x509_trust_file(t->credentials, path, GNUTLS_X509_FMT_PEM);
	else
		r = gnutls_certificate_set_x509_system_trust(t->credentials);
	/* a machine without trust can still encrypt to a peer that nobody verifies */
	if (r < 0 || (r == 0 && (must_verify || ca_file.n))) {
		snprintf(why, 200, "%.100s: %s", ca_file.n ? path : "the system's trust",
		    r < 0 ? gnutls_strerror(r) : "no certificate in it");
		tls_client_drop(&t);
	}
	mem_free(path);
	return t;
}

struct tls_client *
tls_client_keep(struct tls_client *t)
{
	t->references++;
	return t;
}

void
tls_client_drop(struct tls_client **t)
{
	struct tls_client *c = *t;

	*t = NULL;
	if (!c || --c->references)
		return;
	gnutls_certificate_free_credentials(c->credentials);
	gnutls_priority_deinit(c->priority);
	mem_free(c);
}

static bool
is_address(const char *name)
{
	unsigned char a[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, a) == 1 || inet_pton(AF_INET6, name, a) == 1;
}

struct gnutls_session_int *
tls_client_begin(struct tls_client *t, const char *name)
{
	gnutls_session_t s;

	if (gnutls_init(&s, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) != 0 ||
	    gnutls_priority_set(s, t->priority) != 0 ||
	    gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, t->credentials) != 0)
		die("tls: no session");
	gnutls_handshake_set_timeout(s, GNUTLS_INDEFINITE_TIMEOUT);
	/* RFC 6066 section 3: no literal addresses.  A name that IDNA refuses is simply not sent. */
	if (*name && !is_address(name))
		(void)gnutls_server_name_set(s, GNUTLS_NAME_DNS, name, strlen(name));
	if (t->must_verify)
		gnutls_session_set_verify_cert(s, name, 0);
	return s;
}

const char *
tls_verify_text(unsigned status)
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
