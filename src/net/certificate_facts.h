/*
 * certificate_facts: what an operator is told of a certificate of ours that can be used.
 */
#ifndef NET_CERTIFICATE_FACTS_H
#define NET_CERTIFICATE_FACTS_H

#include "net/certificate.h"

enum {
	CERTIFICATE_NAMES_BYTES = 1024,
	CERTIFICATE_CHAIN_BYTES = 400,
	CERTIFICATE_DAY_BYTES = 32,
	CERTIFICATE_SOON_DAYS = 14 /* fewer are left: then it is said */
};

enum certificate_state {
	CERTIFICATE_OK, CERTIFICATE_SOON, CERTIFICATE_EXPIRED, CERTIFICATE_EARLY
};

/* No pointers: it can be handed from one process to another. */
struct certificate_facts {
	int64_t from_s, until_s;                   /* seconds since 1970; INT64_MAX: never */
	bool has_dns_name;                         /* RFC 9525: the common name is none */
	bool has_hostname;                         /* as a client would look for it */
	char names[CERTIFICATE_NAMES_BYTES];       /* with blanks between; as many as fit */
	char chain[CERTIFICATE_CHAIN_BYTES];       /* what is wrong with it; empty: nothing */
};

void certificate_facts(
    const struct certificate *c, struct str hostname, struct certificate_facts *out);

enum certificate_state certificate_state(const struct certificate_facts *f, int64_t now_s);
/* In one or two words, for a table. */
const char *certificate_state_name(enum certificate_state state);
/* Whole days until its end; 0: less than one, or it is over. */
int64_t certificate_days_left(const struct certificate_facts *f, int64_t now_s);
/* "2026-12-27T10:00:00Z" */
char *certificate_day(int64_t s, char out[CERTIFICATE_DAY_BYTES]);

#endif
