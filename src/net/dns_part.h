/*
 * dns_part: one of the questions about a name (MX; or AAAA and A), with the best answer of the
 * servers asked so far; and the combined outcome of all parts.
 */
#ifndef NET_DNS_PART_H
#define NET_DNS_PART_H

#include "net/dns_answer.h"
#include "net/dns_context.h"

struct resolver_query;

enum { DNS_PARTS_MAX = 2 };

struct dns_part {
	enum dns_type type;
	struct resolver_query *query;
	struct dns_question question; /* to the current server */
	bool is_settled;              /* no other server will be asked */
	bool is_secure;
	struct dns_answer answer; /* TIMEOUT: none yet */
};

/* An open part, without an answer. */
void dns_part_init(struct dns_part *p, struct resolver_query *query, enum dns_type type);
/* Frees the answer. */
void dns_part_clear(struct dns_part *p);

/* Takes the answer of a server.  is_first: it is the first of the list, whose negative answers are
 * used; a negative answer of another one is a failure. */
void dns_part_take(
    struct dns_part *p, enum dns_validity validity, struct str packet, bool is_first);
/* The question could not be sent; DNS_NO_NAME: a name that is no domain name cannot exist. */
void dns_part_not_asked(struct dns_part *p, enum dns_asked why);

/* The outcome of all parts together. */
enum resolver_outcome dns_parts_outcome(const struct dns_part *parts, size_t count);
/* Calls fn with the answer to the whole query. */
void dns_parts_report(const struct dns_part *parts, size_t count, resolver_fn *fn, void *arg);

#endif
