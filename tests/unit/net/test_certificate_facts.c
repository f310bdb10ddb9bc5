/* certificate_facts: dates, names and chains, with certificates that the test makes. */
#include <criterion/criterion.h>
#include <string.h>

#include "net/certificate_facts.h"
#include "pair.h"

enum { DAY_S = 86400 };

static struct authority ca;

static void
facts_set_up(void)
{
	authority_init(&ca, "CN=facts");
}

static void
facts_tear_down(void)
{
	authority_clear(&ca);
}

TestSuite(certificate_facts, .init = facts_set_up, .fini = facts_tear_down);

static struct certificate_facts
facts_of(struct str pem, const char *hostname)
{
	struct tls_certificate from = {STR("mail.pem"), pem};
	struct certificate_facts facts;
	struct certificate c;
	char why[200] = "";

	cr_assert(certificate_read(&c, &from, why), "%s", why);
	certificate_facts(&c, str_of(hostname), &facts);
	certificate_clear(&c);
	return facts;
}

Test(certificate_facts, states)
{
	static const struct {
		int64_t from_s, until_s;
		enum certificate_state state;
		int64_t days_left;
		const char *name;
	} rows[] = {
	    {0, 100 * DAY_S, CERTIFICATE_OK, 90, "ok"},
	    {0, 24 * DAY_S, CERTIFICATE_OK, 14, "ok"},
	    {0, 24 * DAY_S - 1, CERTIFICATE_SOON, 13, "expires soon"},
	    {0, 10 * DAY_S + 1, CERTIFICATE_SOON, 0, "expires soon"},
	    {0, 10 * DAY_S, CERTIFICATE_EXPIRED, 0, "expired"},
	    {0, DAY_S, CERTIFICATE_EXPIRED, 0, "expired"},
	    {10 * DAY_S, 100 * DAY_S, CERTIFICATE_OK, 90, "ok"},
	    {10 * DAY_S + 1, 100 * DAY_S, CERTIFICATE_EARLY, 90, "not valid yet"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct certificate_facts f = {.from_s = rows[i].from_s, .until_s = rows[i].until_s};

		cr_expect_eq(certificate_state(&f, 10 * DAY_S), rows[i].state, "row %zu", i);
		cr_expect_eq(
		    certificate_days_left(&f, 10 * DAY_S), rows[i].days_left, "row %zu", i);
		cr_expect_str_eq(certificate_state_name(rows[i].state), rows[i].name);
	}
}

Test(certificate_facts, days_as_text)
{
	char day[CERTIFICATE_DAY_BYTES];

	cr_expect_str_eq(certificate_day(1798365600, day), "2026-12-27T10:00:00Z");
	cr_expect_str_eq(certificate_day(INT64_MAX, day), "never");
}

/* RFC 9525: only dNSName, ignoring case, a wildcard for one whole label. */
Test(certificate_facts, hostnames)
{
	static const struct {
		const char *names, *hostname;
		bool has;
		const char *shown;
	} rows[] = {
	    {"mail.example.com,smtp.example.com", "smtp.example.com", true,
	        "mail.example.com smtp.example.com"},
	    {"mail.example.com", "MAIL.example.COM", true, "mail.example.com"},
	    {"mail.example.com", "smtp.example.com", false, "mail.example.com"},
	    {"*.example.com", "mail.example.com", true, "*.example.com"},
	    {"*.example.com", "a.mail.example.com", false, "*.example.com"},
	    {"*.example.com", "example.com", false, "*.example.com"},
	    {"CN=mail.example.com", "mail.example.com", false, "mail.example.com"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct certificate_facts f;
		struct identity id;

		identity_init(&id, &ca, GNUTLS_PK_ECDSA, rows[i].names, 30);
		f = facts_of(buf_str(&id.pem), rows[i].hostname);
		cr_expect_eq(f.has_hostname, rows[i].has, "row %zu", i);
		cr_expect_eq(f.has_dns_name, strncmp(rows[i].names, "CN=", 3) != 0, "row %zu", i);
		cr_expect_str_eq(f.names, rows[i].shown);
		cr_expect(f.until_s - f.from_s == 40 * DAY_S);
		identity_clear(&id);
	}
}

static void
add_authority(struct buf *pem, const struct authority *a)
{
	gnutls_datum_t text;

	cr_assert_eq(gnutls_x509_crt_export2(a->crt, GNUTLS_X509_FMT_PEM, &text), 0);
	buf_add(pem, text.data, text.size);
	gnutls_free(text.data);
}

Test(certificate_facts, chains)
{
	struct authority other;
	struct identity id, stranger;
	struct certificate_facts f;

	authority_init(&other, "CN=other");
	identity_init(&id, &ca, GNUTLS_PK_ECDSA, "mail.example.com", 30);
	identity_init(&stranger, &other, GNUTLS_PK_ECDSA, "mail.example.com", 30);
	f = facts_of(buf_str(&id.pem), "mail.example.com");
	cr_expect(
	    f.chain[0] == 0 || strstr(f.chain, "the issuer \"facts\" of the last certificate is"),
	    "%s", f.chain);
	add_authority(&stranger.pem, &ca);
	f = facts_of(buf_str(&stranger.pem), "mail.example.com");
	cr_expect(strstr(f.chain, "certificate 2 of the file did not issue the one before it"),
	    "%s", f.chain);
	add_authority(&id.pem, &ca);
	f = facts_of(buf_str(&id.pem), "mail.example.com");
	cr_expect_str_eq(f.chain, "");
	add_authority(&id.pem, &other);
	f = facts_of(buf_str(&id.pem), "mail.example.com");
	cr_expect(strstr(f.chain, "certificate 3 of the file did not"), "%s", f.chain);
	identity_clear(&id);
	identity_clear(&stranger);
	authority_clear(&other);
}
