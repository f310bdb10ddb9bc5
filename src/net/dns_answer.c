/*
 * dns_answer: reads with libc's message parser.
 */
#include "net/dns_answer.h"

#include <arpa/nameser.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdlib.h>

#include "base/mem.h"

enum { TYPE_RRSIG = 46 };

static uint32_t
clamp_ttl(uint32_t ttl_s)
{
	if (ttl_s < DNS_TTL_MIN_S)
		return DNS_TTL_MIN_S;
	return ttl_s > DNS_TTL_MAX_S ? DNS_TTL_MAX_S : ttl_s;
}

/* How long a negative answer is valid (RFC 2308 section 5). */
static uint32_t
negative_ttl(ns_msg *m)
{
	ns_rr rr;

	for (int i = 0; i < ns_msg_count(*m, ns_s_ns); i++) {
		uint32_t minimum;

		if (ns_parserr(m, ns_s_ns, i, &rr) != 0)
			break;
		if (ns_rr_type(rr) != ns_t_soa || ns_rr_rdlen(rr) < 22)
			continue;
		minimum = (uint32_t)ns_get32(ns_rr_rdata(rr) + ns_rr_rdlen(rr) - 4);
		return minimum < ns_rr_ttl(rr) ? minimum : ns_rr_ttl(rr);
	}
	return DNS_TTL_FAILED_S;
}

/* Letters, digits, '-', '_', '.': a name with other characters cannot be a host to send mail to. */
static bool
read_host(ns_msg *m, const unsigned char *from, char host_out[256])
{
	char text[NS_MAXDNAME];
	size_t n;

	if (ns_name_uncompress(ns_msg_base(*m), ns_msg_end(*m), from, text, sizeof text) < 0)
		return false;
	n = strlen(text);
	if (n && text[n - 1] == '.')
		n--;
	if (n > 255)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = text[i];

		if (!char_is_alpha(c) && !char_is_digit(c) && c != '-' && c != '_' && c != '.')
			return false;
		host_out[i] = char_lower(c);
	}
	host_out[n] = '\0';
	return true;
}

/* Of too many, the least preferred ones are left out. */
static void
keep_mx(struct dns_answer *a, const struct resolver_mx *mx)
{
	size_t worst = 0;

	if (a->count < RESOLVER_MX_MAX) {
		a->mx[a->count++] = *mx;
		return;
	}
	for (size_t i = 1; i < a->count; i++)
		if (a->mx[i].preference > a->mx[worst].preference)
			worst = i;
	if (mx->preference < a->mx[worst].preference)
		a->mx[worst] = *mx;
}

static void
read_mx(struct dns_answer *a, ns_msg *m, const ns_rr *rr)
{
	struct resolver_mx mx;

	if (ns_rr_rdlen(*rr) < 3 || !read_host(m, ns_rr_rdata(*rr) + 2, mx.host))
		return;
	mx.preference = (uint16_t)ns_get16(ns_rr_rdata(*rr));
	keep_mx(a, &mx);
}

static void
read_address(struct dns_answer *a, const ns_rr *rr)
{
	struct resolver_address *to = &a->addresses[a->count];
	struct sockaddr_in *v4 = (struct sockaddr_in *)&to->sa;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&to->sa;

	if (a->count == RESOLVER_ADDRESSES_MAX)
		return;
	if (ns_rr_type(*rr) == ns_t_a && ns_rr_rdlen(*rr) == 4) {
		v4->sin_family = AF_INET;
		memcpy(&v4->sin_addr, ns_rr_rdata(*rr), 4);
		to->len = sizeof *v4;
		a->count++;
	}
	if (ns_rr_type(*rr) == ns_t_aaaa && ns_rr_rdlen(*rr) == 16) {
		v6->sin6_family = AF_INET6;
		memcpy(&v6->sin6_addr, ns_rr_rdata(*rr), 16);
		to->len = sizeof *v6;
		a->count++;
	}
}

/* False when a record cannot be parsed: then no record is used. */
static bool
read_records(struct dns_answer *a, ns_msg *m, enum dns_type type, bool *has_type_out)
{
	ns_rr rr;

	*has_type_out = false;
	a->ttl_s = DNS_TTL_MAX_S;
	for (int i = 0; i < ns_msg_count(*m, ns_s_an); i++) {
		if (ns_parserr(m, ns_s_an, i, &rr) != 0)
			return false;
		if (ns_rr_ttl(rr) < a->ttl_s)
			a->ttl_s = ns_rr_ttl(rr);
		if ((int)ns_rr_type(rr) != (int)type || ns_rr_class(rr) != ns_c_in)
			continue;
		*has_type_out = true;
		if (type == DNS_MX)
			read_mx(a, m, &rr);
		else
			read_address(a, &rr);
	}
	return true;
}

static void
set_answer_outcome(struct dns_answer *a, ns_msg *m, enum dns_type type)
{
	bool has_type;

	if (!read_records(a, m, type, &has_type) || (has_type && a->count == 0)) {
		a->count = 0;
		a->ttl_s = DNS_TTL_FAILED_S;
	} else if (has_type) {
		a->outcome = RESOLVER_FOUND;
		a->ttl_s = clamp_ttl(a->ttl_s);
	} else {
		a->outcome = RESOLVER_NO_DATA;
		a->ttl_s = clamp_ttl(negative_ttl(m));
	}
}

static void
shuffle_addresses(struct dns_answer *a)
{
	for (size_t i = a->count; i > 1; i--) {
		size_t j = arc4random_uniform((uint32_t)i);
		struct resolver_address other = a->addresses[j];

		a->addresses[j] = a->addresses[i - 1];
		a->addresses[i - 1] = other;
	}
}

/* Equal preferences are shuffled (RFC 5321 section 5.1): each is inserted at a random position
 * among its equals. */
static void
order_mx(struct dns_answer *a)
{
	for (size_t i = 1; i < a->count; i++) {
		struct resolver_mx mx = a->mx[i];
		size_t equal = 0, j = i;

		for (; j > 0 && a->mx[j - 1].preference > mx.preference; j--)
			a->mx[j] = a->mx[j - 1];
		while (equal < j && a->mx[j - 1 - equal].preference == mx.preference)
			equal++;
		for (equal = arc4random_uniform((uint32_t)equal + 1); equal > 0; equal--, j--)
			a->mx[j] = a->mx[j - 1];
		a->mx[j] = mx;
	}
}

void
dns_answer_read(struct str packet, enum dns_type type, struct dns_answer *out)
{
	ns_msg m;

	*out = (struct dns_answer){.outcome = RESOLVER_FAILED, .ttl_s = DNS_TTL_FAILED_S};
	if (packet.n > 65535 ||
	    ns_initparse((const unsigned char *)packet.p, (int)packet.n, &m) != 0)
		return;
	if (ns_msg_getflag(m, ns_f_rcode) == ns_r_nxdomain) {
		out->outcome = RESOLVER_NO_NAME;
		out->ttl_s = clamp_ttl(negative_ttl(&m));
		return;
	}
	if (ns_msg_getflag(m, ns_f_rcode) != ns_r_noerror)
		return;
	if (type == DNS_MX)
		out->mx = mem_new(RESOLVER_MX_MAX * sizeof *out->mx);
	else
		out->addresses = mem_new(RESOLVER_ADDRESSES_MAX * sizeof *out->addresses);
	set_answer_outcome(out, &m, type);
	if (type == DNS_MX)
		order_mx(out);
	else
		shuffle_addresses(out);
}

bool
dns_answer_is_signed(struct str packet)
{
	ns_msg m;
	ns_rr rr;

	if (packet.n == 0 || packet.n > 65535 ||
	    ns_initparse((const unsigned char *)packet.p, (int)packet.n, &m) != 0)
		return false;
	for (int i = 0; i < ns_msg_count(m, ns_s_an); i++) {
		if (ns_parserr(&m, ns_s_an, i, &rr) != 0)
			return false;
		if ((int)ns_rr_type(rr) == TYPE_RRSIG)
			return true;
	}
	return false;
}

void
dns_answer_clear(struct dns_answer *a)
{
	mem_free(a->mx);
	mem_free(a->addresses);
	*a = (struct dns_answer){.outcome = RESOLVER_FAILED};
}
