/*
 * dns_server: one resolver (or iteration from the root servers), and what is known about it:
 * whether it passes on DNSSEC records, and whether it answers.
 *
 * Without those records every answer of a signed zone would look forged.  So the first query asks
 * for the keys of the trust anchor.  If they come without signatures, or not at all although it
 * answers other questions, the resolver passes none on.  Then dns.dnssec "auto" continues without
 * validation, and checks again later; "require" continues to validate, and every name fails.  A
 * resolver that has once passed signatures on is always validated from then on.
 *
 * A question without an answer proves nothing: the servers of that one name may be down.  When no
 * other question was answered since it was sent, the resolver gets a probe (dns_probe.h); only if
 * that fails, the resolver counts as silent.  Then it gets a probe every 10 s until it answers. The
 * question for the keys does not count: where no mail needs DNS, no resolver has to answer.
 */
#ifndef NET_DNS_SERVER_H
#define NET_DNS_SERVER_H

#include "net/dns_context.h"

struct dns_server;

/* known: the context to ask is known now; changed: it has begun or stopped answering. */
typedef void dns_server_fn(struct dns_server *s, void *arg);

struct dns_server_setup {
	struct dns_context_setup context; /* anchor: p NULL only with DNSSEC_OFF */
	enum conf_dnssec dnssec;
	dns_server_fn *known, *changed;
	void *arg;
};

/* NULL: see dns_context_new.  The strings are used during the call only. */
struct dns_server *dns_server_new(const struct dns_server_setup *setup) MUST_USE;
/* Frees it; its questions have ended. */
void dns_server_free(struct dns_server **s);

/* Checks now whether it passes on DNSSEC records, instead of with the first question. */
void dns_server_check_dnssec(struct dns_server *s);
/* The context to ask; NULL: wait for `known`. */
struct dns_context *dns_server_context(struct dns_server *s);

/* The answers of the context to ask are validated. */
bool dns_server_validates(const struct dns_server *s);

/* An answer came from the server, not from the cache: it is not silent. */
void dns_server_answered(struct dns_server *s);
/* The number of those answers: the sender of a question stores it. */
uint64_t dns_server_answers(const struct dns_server *s);
/* A question has ended without an answer; the number is the one stored when it was sent. */
void dns_server_failed(struct dns_server *s, uint64_t answers_before);
/* Like dns_server_failed, for a timeout: the server counts as silent until it answers, for a minute
 * at most. */
void dns_server_timed_out(struct dns_server *s, uint64_t answers_before);
/* The other servers are asked first. */
bool dns_server_is_silent(const struct dns_server *s);

enum dns_server_state { DNS_SERVER_NOT_ASKED, DNS_SERVER_ANSWERS, DNS_SERVER_SILENT };
/* since_ms_out (may be NULL; wall clock): when it was found to be silent. */
enum dns_server_state dns_server_state(const struct dns_server *s, int64_t *since_ms_out);

/* "127.0.0.1@53"; "root servers". */
const char *dns_server_name(const struct dns_server *s);
/* For the operator, as text: are answers validated? */
const char *dns_server_dnssec(const struct dns_server *s);

#endif
