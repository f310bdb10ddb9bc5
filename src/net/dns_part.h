/*
 * dns_part: one of the questions about a name (MX; or AAAA and A), with the best answer that the
 * servers asked so far gave to it; and what the answers to all parts mean together.
 */
#ifndef NET_DNS_PART_H
#define NET_DNS_PART_H

#include "net/dns_answer.h"
#include "net/dns_context.h"

enum { DNS_PARTS_MAX = 2 };

struct dns_part {
	enum dns_type type;
	struct resolver_query *query;
	struct dns_question question; /* to the server that is asked now */
	bool is_settled;              /* no other server is asked */
	bool is_secure;
	struct dns_answer answer; /* TIMEOUT: none yet */
};

void dns_part_init(struct dns_part *p, struct resolver_query *query, enum dns_type type);
void dns_part_clear(struct dns_part *p);

/* What a server says.  is_first: it is the first of the list, and may say that nothing is there;
 * from another one that is a failure. */
void dns_part_take(
    struct dns_part *p, enum dns_validity validity, struct str packet, bool is_first);
/* It could not be asked; DNS_NO_NAME: what is no domain name cannot exist. */
void dns_part_not_asked(struct dns_part *p, enum dns_asked why);

enum resolver_outcome dns_parts_outcome(const struct dns_part *parts, size_t count);
/* As the answer to the whole query. */
void dns_parts_tell(const struct dns_part *parts, size_t count, resolver_fn *fn, void *arg);

#endif
