/*
 * dns_part: a part keeps the answer that it took last; when it is settled, no further server is
 * needed. The outcomes have one order, in one table; the shortest TTL counts, and the whole is
 * secure only when all parts are. The lists in the answer are lent for the callback only. It asks
 * nobody and has no timer.
 */
#include "net/dns_part.h"

void
dns_part_init(struct dns_part *p, struct resolver_query *query, enum dns_type type)
{
	*p = (struct dns_part){.type = type,
	    .query = query,
	    .answer = {.outcome = RESOLVER_TIMEOUT, .ttl_s = DNS_TTL_FAILED_S}};
}

void
dns_part_clear(struct dns_part *p)
{
	dns_answer_clear(&p->answer);
}

/* A server that is not the first may not know the internal names that the first one knows: its
 * negative answer shows nothing. */
static void
turn_negative_into_failure(struct dns_answer *a)
{
	if (a->outcome == RESOLVER_NO_DATA || a->outcome == RESOLVER_NO_NAME) {
		dns_answer_clear(a);
		*a = (struct dns_answer){
		    .outcome = RESOLVER_FAILED, .ttl_s = DNS_TTL_FAILED_S};
	}
}

void
dns_part_take(struct dns_part *p, enum dns_validity validity, struct str packet, bool is_first)
{
	struct dns_answer a = {.outcome = RESOLVER_FAILED, .ttl_s = DNS_TTL_FAILED_S};

	/* a bogus answer is complete, but it is not used */
	if (validity == DNS_BOGUS)
		a.outcome = RESOLVER_BOGUS;
	else if (packet.n)
		dns_answer_read(packet, p->type, &a);
	if (!is_first)
		turn_negative_into_failure(&a);
	p->is_settled = a.outcome != RESOLVER_FAILED;
	p->is_secure = validity == DNS_SECURE;
	dns_answer_clear(&p->answer);
	p->answer = a;
}

void
dns_part_not_asked(struct dns_part *p, enum dns_asked why)
{
	p->is_settled = why == DNS_NO_NAME;
	p->answer.outcome = p->is_settled ? RESOLVER_NO_NAME : RESOLVER_FAILED;
	p->answer.ttl_s = DNS_TTL_FAILED_S;
}

/* IPv6 and IPv4 alternately. */
static size_t
interleave_addresses(const struct dns_part *parts, struct resolver_address *out)
{
	size_t n = 0, i = 0;
	const struct dns_answer *a = &parts[0].answer, *b = &parts[1].answer;

	for (; (i < a->count || i < b->count) && n < RESOLVER_ADDRESSES_MAX; i++) {
		if (i < a->count)
			out[n++] = a->addresses[i];
		if (i < b->count && n < RESOLVER_ADDRESSES_MAX)
			out[n++] = b->addresses[i];
	}
	return n;
}

/* The outcome of two answers together: the one that is first in this list.  When one answer is
 * BOGUS, somebody forges answers for the name: the other is not used either. */
enum resolver_outcome
dns_parts_outcome(const struct dns_part *parts, size_t count)
{
	static const enum resolver_outcome ranks[] = {RESOLVER_BOGUS, RESOLVER_FOUND,
	    RESOLVER_FAILED, RESOLVER_TIMEOUT, RESOLVER_NO_DATA, RESOLVER_NO_NAME};

	for (size_t k = 0; k < sizeof ranks / sizeof *ranks; k++)
		for (size_t i = 0; i < count; i++)
			if (parts[i].answer.outcome == ranks[k])
				return ranks[k];
	return RESOLVER_FAILED;
}

void
dns_parts_report(const struct dns_part *parts, size_t count, resolver_fn *fn, void *arg)
{
	struct resolver_address addresses[RESOLVER_ADDRESSES_MAX];
	struct resolver_answer a = {.outcome = dns_parts_outcome(parts, count),
	    .is_secure = true,
	    .ttl_s = DNS_TTL_MAX_S};

	for (size_t i = 0; i < count; i++) {
		const struct dns_part *p = &parts[i];

		a.is_secure &= p->is_secure;
		if (p->answer.ttl_s < a.ttl_s)
			a.ttl_s = p->answer.ttl_s;
	}
	if (a.outcome == RESOLVER_FOUND && count == 1) {
		a.mx = parts[0].answer.mx;
		a.count = parts[0].answer.count;
	} else if (a.outcome == RESOLVER_FOUND) {
		a.addresses = addresses;
		a.count = interleave_addresses(parts, addresses);
	}
	fn(&a, arg);
}
