/*
 * dns_server: one resolver that may be asked (or the way from the root servers), and what is known
 * of it: whether it passes DNSSEC records on, and whether it was silent lately.
 *
 * Without those records every answer of a signed zone would look forged.  So it is asked first for
 * the keys of the trust anchor: if they come without signatures, or not at all although it answers
 * other questions, it passes none on.  Then dns.dnssec "auto" goes on without validation, and asks
 * again later; "require" stays with it, and every name fails.  A resolver that has once passed
 * signatures on is validated from then on.
 */
#ifndef NET_DNS_SERVER_H
#define NET_DNS_SERVER_H

#include "net/dns_context.h"

struct dns_server;

/* Which context is to be asked is known now. */
typedef void dns_server_fn(struct dns_server *s, void *arg);

struct dns_server_setup {
	struct dns_context_setup context; /* anchor: p NULL with DNSSEC_OFF alone */
	enum conf_dnssec dnssec;
	dns_server_fn *known;
	void *arg;
};

/* NULL: see dns_context_new.  The strings are needed during the call only. */
struct dns_server *dns_server_new(const struct dns_server_setup *setup) MUST_USE;
void dns_server_free(struct dns_server **s);

/* Finds out now what it passes on, rather than with the first question. */
void dns_server_look(struct dns_server *s);
/* The context to ask; NULL: wait for `known`. */
struct dns_context *dns_server_context(struct dns_server *s);

/* It gave no answer in time: for a minute others come first. */
void dns_server_was_silent(struct dns_server *s);
bool dns_server_is_silent(const struct dns_server *s);

/* "127.0.0.1@53"; "root servers". */
const char *dns_server_name(const struct dns_server *s);
/* In words, for the operator: are answers validated? */
const char *dns_server_dnssec(const struct dns_server *s);

#endif
