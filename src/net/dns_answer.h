/*
 * dns_answer: reads the answer packet for one name: MX or addresses, limited in number, in the
 * order of use.  Any bytes give an outcome.  Whether the packet can be trusted is decided
 * elsewhere.
 */
#ifndef NET_DNS_ANSWER_H
#define NET_DNS_ANSWER_H

#include "base/str.h"
#include "net/resolver_answer.h"

enum dns_type { DNS_A = 1, DNS_SOA = 6, DNS_MX = 15, DNS_AAAA = 28, DNS_DNSKEY = 48 };
enum { DNS_TTL_MIN_S = 1, DNS_TTL_MAX_S = 3600, DNS_TTL_FAILED_S = 30 };

struct dns_answer {
	enum resolver_outcome outcome; /* FOUND, NO_DATA, NO_NAME or FAILED */
	uint32_t ttl_s;
	struct resolver_mx *mx;
	struct resolver_address *addresses;
	size_t count;
};

/* Reads the packet.  type: MX, A or AAAA. */
void dns_answer_read(struct str packet, enum dns_type type, struct dns_answer *out);
/* Is there a signature (RRSIG) among the answers? */
bool dns_answer_is_signed(struct str packet);
/* Frees the lists. */
void dns_answer_clear(struct dns_answer *a);

#endif
