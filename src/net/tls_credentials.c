/*
 * tls_credentials: priorities, the certificates for a name, tickets, and the trust of a client.
 */
#include "net/tls_credentials.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <stdio.h>

#include "base/mem.h"
#include "net/certificate.h"

enum { CERTIFICATES_MAX = 32 };

/* The server has no static RSA and no finite-field DH: the first needs decryption, the second lets
 * a client waste the server's time cheaply (CVE-2002-20001).  Suites with CBC are out too: RFC 9325
 * section 4.2 requires AEAD only.  Our client keeps them, as NORMAL of GnuTLS does: a host without
 * other suites would get the mail in clear, or not at all. */
#define CIPHERS                                                                                    \
	":-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-CCM:+AES-256-CCM"
#define CIPHERS_CBC ":+AES-128-CBC:+AES-256-CBC"
#define GROUPS ":-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1"
#define PRIORITY_SERVER                                                                            \
	":-RSA:-DHE-RSA:-DHE-DSS:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1" CIPHERS GROUPS                   \
	":%SERVER_PRECEDENCE"
#define PRIORITY_CLIENT                                                                            \
	CIPHERS CIPHERS_CBC GROUPS ":+GROUP-FFDHE2048:+GROUP-FFDHE3072:+GROUP-FFDHE4096"

static const char priority_1_2[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" PRIORITY_SERVER;
static const char priority_1_3[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3" PRIORITY_SERVER;
static const char priority_client[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" PRIORITY_CLIENT;

/* The same certificates in another order: GnuTLS uses the first one that a client supports. */
struct tls_choice {
	gnutls_certificate_credentials_t credentials;
	uint32_t first; /* bit i: certificate i is among the first */
};

struct tls_server {
	gnutls_priority_t priority;
	struct tls_signer signer;
	struct certificate *certificates;
	unsigned count;
	struct tls_choice *choices; /* the first one: the configured order */
	unsigned choice_count;
	unsigned char ticket_key[TLS_TICKET_KEY_BYTES];
	unsigned references;
};

struct tls_client {
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
	bool must_verify;
	unsigned references;
};

static void
set_priority(gnutls_priority_t *out, const char *text)
{
	const char *at = "";

	if (gnutls_priority_init(out, text, &at) != 0)
		die("tls: priority string refused at \"%s\"", at);
}

/* ---- server ---- */

/* The set of certificates for a name: those that have it, or else a wildcard for it; 0: none. */
static uint32_t
find_choice(const struct tls_server *t, struct str name)
{
	uint32_t exact = 0, wild = 0;

	for (unsigned i = 0; i < t->count; i++) {
		exact |= (uint32_t)certificate_has_name(&t->certificates[i], name) << i;
		wild |= (uint32_t)certificate_has_wildcard(&t->certificates[i], name) << i;
	}
	return exact ? exact : wild;
}

static bool
add_choice(struct tls_server *t, uint32_t first, const struct tls_certificate *from, char why[200])
{
	struct tls_choice *c;

	t->choices = mem_grow(t->choices, (t->choice_count + 1) * sizeof *c);
	c = &t->choices[t->choice_count++];
	c->first = first;
	if (gnutls_certificate_allocate_credentials(&c->credentials) != 0)
		die("tls: no memory");
	for (int is_first = 1; is_first >= 0; is_first--)
		for (unsigned i = 0; i < t->count; i++)
			if ((int)(first >> i & 1) == is_first &&
			    !certificate_install(
			        &t->certificates[i], from[i].name, c->credentials, why))
				return false;
	return true;
}

static bool
has_choice(const struct tls_server *t, uint32_t first)
{
	for (unsigned i = 0; i < t->choice_count; i++)
		if (t->choices[i].first == first)
			return true;
	return false;
}

/* Makes one order for each set of certificates that is used for some name. */
static bool
add_choices(struct tls_server *t, const struct tls_certificate *from, char why[200])
{
	if (!add_choice(t, 0, from, why))
		return false;
	for (unsigned i = 0; i < t->count; i++)
		for (unsigned n = 0; n < t->certificates[i].name_count; n++) {
			uint32_t first = find_choice(t, str_of(t->certificates[i].names[n]));

			/* a set that is at the front in the configured order needs none */
			if (first & (first + 1) && !has_choice(t, first) &&
			    !add_choice(t, first, from, why))
				return false;
		}
	return true;
}

static bool
add_certificates(
    struct tls_server *t, const struct tls_certificate *from, size_t count, char why[200])
{
	if (count == 0 || count > CERTIFICATES_MAX) {
		snprintf(
		    why, 200, count ? "more than 32 certificates" : "no certificate is configured");
		return false;
	}
	t->certificates = mem_new(count * sizeof *t->certificates);
	for (; t->count < count; t->count++)
		if (!certificate_init(&t->certificates[t->count], &from[t->count], &t->signer, why))
			return false;
	return add_choices(t, from, why);
}

struct tls_server *
tls_server_new(const struct tls_options *o, char why[200])
{
	struct tls_server *t = MEM_NEW(struct tls_server);

	t->references = 1;
	t->signer = *o->signer;
	memcpy(t->ticket_key, o->ticket_key, sizeof t->ticket_key);
	set_priority(&t->priority, o->only_1_3 ? priority_1_3 : priority_1_2);
	if (!add_certificates(t, o->certificates, o->count, why))
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
	for (unsigned i = 0; i < s->choice_count; i++)
		gnutls_certificate_free_credentials(s->choices[i].credentials);
	for (unsigned i = 0; i < s->count; i++)
		certificate_clear(&s->certificates[i]);
	gnutls_priority_deinit(s->priority);
	mem_wipe(s->ticket_key, sizeof s->ticket_key);
	mem_free(s->choices);
	mem_free(s->certificates);
	mem_free(s);
}

int64_t
tls_server_expires_s(const struct tls_server *t)
{
	int64_t earliest = INT64_MAX;

	for (unsigned i = 0; i < t->count; i++)
		if (t->certificates[i].expires_s < earliest)
			earliest = t->certificates[i].expires_s;
	return earliest;
}

/* GnuTLS compares names byte by byte and supports no wildcards. */
static int
on_client_hello(gnutls_session_t s)
{
	struct tls_server *t = gnutls_session_get_ptr(s);
	char name[256];
	size_t n = sizeof name;
	unsigned kind;
	uint32_t first;

	if (gnutls_server_name_get(s, name, &n, &kind, 0) != 0 || kind != GNUTLS_NAME_DNS)
		return 0;
	if (n > 1 && name[n - 1] == '.')
		n--;
	first = find_choice(t, str_make(name, n));
	for (unsigned i = 1; i < t->choice_count; i++)
		if (t->choices[i].first == first)
			return gnutls_credentials_set(
			    s, GNUTLS_CRD_CERTIFICATE, t->choices[i].credentials);
	return 0;
}

/* RFC 9325 section 3.8: a client that offers only other protocols was redirected here (the ALPACA
 * attack).  The list costs memory: only sessions whose client offers ALPN have it. */
static int
tls_on_extension(void *arg, unsigned id, const unsigned char *data, unsigned n)
{
	enum { EXTENSION_ALPN = 16 };
	gnutls_datum_t protocol = {(unsigned char *)"smtp", 4};

	(void)data;
	(void)n;
	if (id != EXTENSION_ALPN)
		return 0;
	return gnutls_alpn_set_protocols(arg, &protocol, 1, GNUTLS_ALPN_MANDATORY);
}

static int
tls_on_raw_client_hello(gnutls_session_t s, unsigned type, unsigned when, unsigned is_incoming,
    const gnutls_datum_t *message)
{
	(void)type;
	(void)when;
	(void)is_incoming;
	return gnutls_ext_raw_parse(
	    s, tls_on_extension, message, GNUTLS_EXT_RAW_FLAG_TLS_CLIENT_HELLO);
}

struct gnutls_session_int *
tls_server_begin(struct tls_server *t)
{
	gnutls_datum_t ticket_key = {t->ticket_key, sizeof t->ticket_key};
	gnutls_session_t s;

	if (gnutls_init(&s, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL |
	                        GNUTLS_NO_AUTO_SEND_TICKET) != 0 ||
	    gnutls_priority_set(s, t->priority) != 0 ||
	    gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, t->choices[0].credentials) != 0 ||
	    gnutls_session_ticket_enable_server(s, &ticket_key) != 0)
		die("tls: no session");
	gnutls_handshake_set_timeout(s, GNUTLS_INDEFINITE_TIMEOUT);
	gnutls_handshake_set_hook_function(
	    s, GNUTLS_HANDSHAKE_CLIENT_HELLO, GNUTLS_HOOK_PRE, tls_on_raw_client_hello);
	if (t->choice_count > 1) {
		gnutls_session_set_ptr(s, t);
		gnutls_handshake_set_post_client_hello_function(s, on_client_hello);
	}
	return s;
}

/* ---- client ---- */

struct tls_client *
tls_client_new(struct str name, struct str pem, bool must_verify, char why[200])
{
	struct tls_client *t = MEM_NEW(struct tls_client);
	gnutls_datum_t text = {(unsigned char *)pem.p, (unsigned)pem.n};
	int r;

	t->references = 1;
	t->must_verify = must_verify;
	set_priority(&t->priority, priority_client);
	if (gnutls_certificate_allocate_credentials(&t->credentials) != 0)
		die("tls: no memory");
	if (name.n == 0)
		r = gnutls_certificate_set_x509_system_trust(t->credentials);
	else if (pem.n)
		r = gnutls_certificate_set_x509_trust_mem(
		    t->credentials, &text, GNUTLS_X509_FMT_PEM);
	else
		r = 0;
	/* a machine without a trust store can still encrypt to a peer that is not verified */
	if (r < 0 || (r == 0 && (must_verify || name.n))) {
		if (name.n == 0)
			name = STR("the system's trust");
		snprintf(why, 200, "%.*s: %s", STR_ARG(str_upto(name, 100)),
		    r < 0 ? gnutls_strerror(r) : "no certificate in it");
		tls_client_drop(&t);
	}
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
is_numeric_name(const char *name)
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
	/* RFC 6066 section 3: no literal addresses.  A name that IDNA rejects is not sent.  ALPN is
	 * not sent: some hosts refuse any. */
	if (*name && !is_numeric_name(name))
		(void)gnutls_server_name_set(s, GNUTLS_NAME_DNS, name, strlen(name));
	return s;
}

bool
tls_client_must_verify(const struct tls_client *t)
{
	return t->must_verify;
}
