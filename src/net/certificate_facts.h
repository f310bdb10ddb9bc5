/*
 * certificate_facts: the facts about a usable certificate of ours that are shown to an operator.
 */
#ifndef NET_CERTIFICATE_FACTS_H
#define NET_CERTIFICATE_FACTS_H

#include "net/certificate.h"

enum {
	CERTIFICATE_NAMES_BYTES = 1024,
	CERTIFICATE_CHAIN_BYTES = 400,
	CERTIFICATE_DAY_BYTES = 32,
	CERTIFICATE_SOON_DAYS = 14 /* from this time before the end it is reported */
};

enum certificate_state {
	CERTIFICATE_OK, CERTIFICATE_SOON, CERTIFICATE_EXPIRED, CERTIFICATE_EARLY
};

/* Without pointers: it can be sent to another process. */
struct certificate_facts {
	int64_t from_s, until_s;                   /* seconds since 1970; INT64_MAX: never */
	bool has_dns_name;                         /* RFC 9525: the common name does not count */
	bool has_hostname;                         /* has the hostname, by the rules of a client */
	char names[CERTIFICATE_NAMES_BYTES];       /* separated by blanks; as many as fit */
	char chain[CERTIFICATE_CHAIN_BYTES];       /* the fault of the chain; empty: none */
};

/* Determines the facts. */
void certificate_facts(
    const struct certificate *c, struct str hostname, struct certificate_facts *out);

/* The state at that time. */
enum certificate_state certificate_state(const struct certificate_facts *f, int64_t now_s);
/* One or two words, for a table. */
const char *certificate_state_name(enum certificate_state state);
/* Whole days until its end; 0: less than one, or it has expired. */
int64_t certificate_days_left(const struct certificate_facts *f, int64_t now_s);
/* "2026-12-27T10:00:00Z" */
char *certificate_day(int64_t s, char out[CERTIFICATE_DAY_BYTES]);

#endif
