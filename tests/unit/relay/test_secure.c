/* TLS to the next host at each level, and the login at smarthosts, against a real host. */
#include <criterion/criterion.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <time.h>

#include "unit/relay/rig.h"

static void
put(const char *name, const gnutls_datum_t *pem)
{
	char path[100];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", rig_dir, name);
	f = fopen(path, "w");
	cr_assert_not_null(f);
	cr_assert_eq(fwrite(pem->data, 1, pem->size, f), pem->size);
	fclose(f);
}

/* Writes cert.pem and key.pem into the directory: self-signed, for localhost. */
static void
make_certificate(void)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	gnutls_datum_t pem;
	time_t now = time(NULL);

	gnutls_x509_privkey_init(&key);
	gnutls_x509_privkey_generate(
	    key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	gnutls_x509_crt_init(&crt);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, "\1", 1);
	gnutls_x509_crt_set_activation_time(crt, now - 3600);
	gnutls_x509_crt_set_expiration_time(crt, now + 86400);
	gnutls_x509_crt_set_dn(crt, "CN=localhost", NULL);
	gnutls_x509_crt_set_subject_alt_name(
	    crt, GNUTLS_SAN_DNSNAME, "localhost", 9, GNUTLS_FSAN_SET);
	gnutls_x509_crt_set_basic_constraints(crt, 1, -1);
	gnutls_x509_crt_set_key(crt, key);
	cr_assert_geq(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
	gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem);
	put("cert.pem", &pem);
	gnutls_free(pem.data);
	gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem);
	put("key.pem", &pem);
	gnutls_free(pem.data);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
}

static void
set_up(void)
{
	rig_set_up();
	make_certificate();
}

struct tls_case {
	const char *why, *route, *host;
	unsigned code;
	const char *reason, *tls;
};

#define WITH_TLS "--cert %s/cert.pem --key %s/key.pem "
#define TRUST "ca_file = \"%s/cert.pem\";"

static const struct tls_case cases[] = {
    {"opportunistic takes any certificate", "via = \"smtp\"; host = \"127.0.0.1\";", WITH_TLS, 250,
	"none", "opportunistic"},
    {"opportunistic, not offered", "via = \"smtp\"; host = \"127.0.0.1\";", "", 250, "none",
	"none"},
    {"opportunistic, and the handshake fails: in clear, on a new connection",
	"via = \"smtp\"; host = \"127.0.0.1\";", WITH_TLS "--fail 'starttls=220 go'", 250, "none",
	"none"},
    {"none", "via = \"smtp\"; host = \"127.0.0.1\"; tls = \"none\";", WITH_TLS, 250, "none",
	"none"},
    {"encrypt takes any certificate", "via = \"smtp\"; host = \"127.0.0.1\"; tls = \"encrypt\";",
	WITH_TLS, 250, "none", "encrypt"},
    {"encrypt, not offered", "via = \"smtp\"; host = \"127.0.0.1\"; tls = \"encrypt\";", "", 450,
	"tls", "encrypt:not_begun"},
    {"encrypt, refused", "via = \"smtp\"; host = \"127.0.0.1\"; tls = \"encrypt\";",
	WITH_TLS "--fail 'starttls=454 4.7.0 not now'", 450, "tls", "encrypt:not_begun"},
    {"verify, turned away at the greeting",
	"via = \"smtp\"; host = \"localhost\"; tls = \"verify\"; " TRUST,
	WITH_TLS "--fail 'greeting=421 4.3.2 not now'", 421, "busy", "verify:not_begun"},
    {"encrypt, and the handshake fails: never in clear",
	"via = \"smtp\"; host = \"127.0.0.1\"; tls = \"encrypt\";",
	WITH_TLS "--fail 'starttls=220 go'", 451, "tls", "encrypt:handshake"},
    {"verify", "via = \"smtp\"; host = \"localhost\"; tls = \"verify\"; " TRUST, WITH_TLS, 250,
	"none", "verify"},
    {"verify, another name", "via = \"smtp\"; host = \"127.0.0.1\"; tls = \"verify\"; " TRUST,
	WITH_TLS, 451, "tls", "verify:handshake"},
    {"verify, not trusted", "via = \"smtp\"; host = \"localhost\"; tls = \"verify\";", WITH_TLS,
	451, "tls", "verify:handshake"},
    {"implicit", "via = \"smarthost\"; host = \"localhost\"; tls = \"implicit\"; " TRUST,
	WITH_TLS "--implicit-tls", 250, "none", "verify"},
    {"implicit, not trusted", "via = \"smarthost\"; host = \"localhost\"; tls = \"implicit\";",
	WITH_TLS "--implicit-tls", 451, "tls", "verify:handshake"},
    {"implicit, and a wrong password",
	"via = \"smarthost\"; host = \"localhost\"; tls = \"implicit\"; username = \"us\"; "
	"password = \"wrong\"; " TRUST,
	WITH_TLS "--implicit-tls --account us:secret", 450, "auth", "verify"},
    {"implicit, and a recipient is refused",
	"via = \"smarthost\"; host = \"localhost\"; tls = \"implicit\"; " TRUST,
	WITH_TLS "--implicit-tls --fail 'rcpt/bob=550 5.1.1 no'", 550, "mailbox", "verify"},
    {"implicit with a login",
	"via = \"smarthost\"; host = \"localhost\"; tls = \"implicit\"; username = \"us\"; "
	"password = \"secret\"; " TRUST,
	WITH_TLS "--implicit-tls --account us:secret", 250, "none", "verify"},
    {"starttls with a login",
	"via = \"smarthost\"; host = \"localhost\"; tls = \"starttls\"; username = \"us\"; "
	"password = \"secret\"; " TRUST,
	WITH_TLS "--account us:secret", 250, "none", "verify"},
    {"a wrong password is the operator's to mend",
	"via = \"smarthost\"; host = \"localhost\"; tls = \"starttls\"; username = \"us\"; "
	"password = \"wrong\"; " TRUST,
	WITH_TLS "--account us:secret", 450, "auth", "verify"},
    {"no login offered",
	"via = \"smarthost\"; host = \"localhost\"; tls = \"starttls\"; username = \"us\"; "
	"password = \"secret\"; " TRUST,
	WITH_TLS, 450, "auth", "verify"},
};

static void
fill(char *out, size_t size, const char *format)
{
	size_t n = 0;

	for (; *format && n + 64 < size; format++)
		if (format[0] == '%' && format[1] == 's')
			n += (size_t)snprintf(out + n, size - n, "%s", rig_dir), format++;
		else
			out[n++] = *format;
	out[n] = '\0';
}

static void
play(const struct tls_case *k)
{
	char options[400], route[600], conf[1000];
	unsigned port;
	struct rig *r;
	pid_t host;

	fill(options, sizeof options, k->host);
	fill(route, sizeof route, k->route);
	host = rig_sink(options, &port);
	snprintf(conf, sizeof conf,
	    "hostname = \"gw.example.com\";\nroutes: ( { %s port = %u; } );\n", route, port);
	r = rig_new(conf);
	rig_deliver(
	    r, &(struct rig_mail){.attempt_id = 1, .domain = "host.test", .to = {"bob@host.test"}});
	cr_assert(rig_wait(r, 1), "%s", k->why);
	cr_expect_eq(r->results[0].status.code, k->code, "%s: %u %s", k->why,
	    r->results[0].status.code, r->results[0].status.text);
	cr_expect_str_eq(r->results[0].reason, k->reason, "%s: %s", k->why, r->results[0].reason);
	cr_expect_str_eq(r->results[0].tls, k->tls, "%s: %s", k->why, r->results[0].tls);
	rig_free(&r);
	rig_end(host, NULL);
}

Test(relay_secure, levels_and_logins, .init = set_up, .fini = rig_tear_down)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		play(&cases[i]);
}
