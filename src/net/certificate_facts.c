/*
 * certificate_facts: dates, names, and whether clients can build the chain.
 */
#include "net/certificate_facts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

enum { DAY_S = 86400, ISSUER_BYTES = 120 };

char *
certificate_day(int64_t s, char out[CERTIFICATE_DAY_BYTES])
{
	time_t at = (time_t)s;
	struct tm tm;

	out[0] = '\0';
	if (s == INT64_MAX)
		snprintf(out, CERTIFICATE_DAY_BYTES, "never");
	else if (gmtime_r(&at, &tm))
		strftime(out, CERTIFICATE_DAY_BYTES, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return out;
}

enum certificate_state
certificate_state(const struct certificate_facts *f, int64_t now_s)
{
	if (f->until_s <= now_s)
		return CERTIFICATE_EXPIRED;
	if (f->from_s > now_s)
		return CERTIFICATE_EARLY;
	return f->until_s - now_s < CERTIFICATE_SOON_DAYS * DAY_S ? CERTIFICATE_SOON
	                                                          : CERTIFICATE_OK;
}

const char *
certificate_state_name(enum certificate_state state)
{
	static const char *const names[] = {"ok", "expires soon", "expired", "not valid yet"};

	return names[state];
}

int64_t
certificate_days_left(const struct certificate_facts *f, int64_t now_s)
{
	return f->until_s <= now_s ? 0 : (f->until_s - now_s) / DAY_S;
}

/* ---- names ---- */

static void
facts_take_names(const struct certificate *c, struct certificate_facts *out)
{
	size_t n = 0;

	for (unsigned i = 0; i < c->name_count; i++) {
		size_t size = strlen(c->names[i]);

		if (n + size + 2 > sizeof out->names)
			return;
		if (n)
			out->names[n++] = ' ';
		memcpy(out->names + n, c->names[i], size + 1);
		n += size;
	}
}

static bool
facts_has_dns_name(const struct certificate *c)
{
	char name[256];
	int kind = 0;

	for (unsigned i = 0; kind != GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE; i++) {
		size_t size = sizeof name;

		kind = gnutls_x509_crt_get_subject_alt_name(c->chain[0], i, name, &size, NULL);
		if (kind == GNUTLS_SAN_DNSNAME)
			return true;
		if (kind < 0 && kind != GNUTLS_E_SHORT_MEMORY_BUFFER)
			return false;
	}
	return false;
}

/* GnuTLS accepts the common name when there is no dNSName, clients do not. */
static bool
facts_has_hostname(const struct certificate *c, struct str hostname)
{
	char name[256];

	snprintf(name, sizeof name, "%.*s", STR_ARG(hostname));
	return facts_has_dns_name(c) && gnutls_x509_crt_check_hostname2(c->chain[0], name, 0) != 0;
}

/* ---- the chain ---- */

/* Only the first fault is reported. */
static void __attribute__((format(printf, 2, 3)))
facts_set_chain_fault(struct certificate_facts *out, const char *format, ...)
{
	va_list args;

	if (out->chain[0])
		return;
	va_start(args, format);
	vsnprintf(out->chain, sizeof out->chain, format, args);
	va_end(args);
	for (char *c = out->chain; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
}

static bool
facts_is_root(gnutls_x509_crt_t crt)
{
	return gnutls_x509_crt_check_issuer(crt, crt) != 0;
}

static void
facts_check_order(const struct certificate *c, int64_t now_s, struct certificate_facts *out)
{
	char day[CERTIFICATE_DAY_BYTES];

	for (unsigned i = 1; i < c->chain_count; i++) {
		int64_t until = gnutls_x509_crt_get_expiration_time(c->chain[i]);

		if (!gnutls_x509_crt_check_issuer(c->chain[i - 1], c->chain[i]))
			facts_set_chain_fault(out,
			    "certificate %u of the file did not issue the one before it: each must "
			    "stand behind the one that it issued", i + 1);
		else if (until != -1 && until <= now_s && !facts_is_root(c->chain[i]))
			facts_set_chain_fault(out, "certificate %u of the file expired on %s",
			    i + 1, certificate_day(until, day));
	}
}

/* A root certificate need not be sent; the trust store of the system decides whether the issuer is
 * one. */
static void
facts_check_end(const struct certificate *c, struct certificate_facts *out)
{
	gnutls_x509_crt_t last = c->chain[c->chain_count - 1], issuer;
	gnutls_x509_trust_list_t trust;
	char name[ISSUER_BYTES] = "";
	size_t size = sizeof name - 1;
	bool is_known;

	if (facts_is_root(last) || gnutls_x509_trust_list_init(&trust, 0) != 0)
		return;
	/* without a trust store it cannot be decided */
	is_known = gnutls_x509_trust_list_add_system_trust(trust, 0, 0) <= 0 ||
	           gnutls_x509_trust_list_get_issuer(trust, last, &issuer, 0) == 0;
	gnutls_x509_trust_list_deinit(trust, 1);
	if (is_known)
		return;
	(void)!gnutls_x509_crt_get_issuer_dn_by_oid(
	    last, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size);
	facts_set_chain_fault(out,
	    "the issuer \"%s\" of the last certificate is neither in the file nor trusted by this "
	    "system: clients that do not know it refuse", name);
}

void
certificate_facts(const struct certificate *c, struct str hostname, struct certificate_facts *out)
{
	*out = (struct certificate_facts){.from_s = c->from_s, .until_s = c->expires_s};
	out->has_dns_name = facts_has_dns_name(c);
	out->has_hostname = facts_has_hostname(c, hostname);
	facts_take_names(c, out);
	facts_check_order(c, clock_ms() / 1000, out);
	facts_check_end(c, out);
}
