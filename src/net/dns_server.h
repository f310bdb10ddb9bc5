/*
 * dns_server: one resolver that may be asked (or the way from the root servers), and what is known
 * of it: whether it passes DNSSEC records on, and whether it answers.
 *
 * Without those records every answer of a signed zone would look forged.  So it is asked first for
 * the keys of the trust anchor: if they come without signatures, or not at all although it answers
 * other questions, it passes none on.  Then dns.dnssec "auto" goes on without validation, and asks
 * again later; "require" stays with it, and every name fails.  A resolver that has once passed
 * signatures on is validated from then on.
 *
 * A question without an answer shows nothing yet: the servers of that one name may be dead.  When
 * nothing else was answered since it was asked, the server is tried with a probe (dns_probe.h);
 * only if that fails, it is one that does not answer.  Then it is tried every 10 s until it does.
 * The question for the keys does not count: where no mail needs DNS, none has to answer.
 */
#ifndef NET_DNS_SERVER_H
#define NET_DNS_SERVER_H

#include "net/dns_context.h"

struct dns_server;

/* Which context is to be asked is known now; or, as `changed`: it has begun or ceased to answer. */
typedef void dns_server_fn(struct dns_server *s, void *arg);

struct dns_server_setup {
	struct dns_context_setup context; /* anchor: p NULL with DNSSEC_OFF alone */
	enum conf_dnssec dnssec;
	dns_server_fn *known, *changed;
	void *arg;
};

/* NULL: see dns_context_new.  The strings are needed during the call only. */
struct dns_server *dns_server_new(const struct dns_server_setup *setup) MUST_USE;
void dns_server_free(struct dns_server **s);

/* Finds out now what it passes on, rather than with the first question. */
void dns_server_check_dnssec(struct dns_server *s);
/* The context to ask; NULL: wait for `known`. */
struct dns_context *dns_server_context(struct dns_server *s);

/* An answer came from it, not from memory: that ends its silence. */
void dns_server_answered(struct dns_server *s);
/* How many those are: whoever asks it notes the number. */
uint64_t dns_server_answers(const struct dns_server *s);
/* A question has ended without an answer; the number is of the time when it was asked. */
void dns_server_failed(struct dns_server *s, uint64_t answers_before);
/* As dns_server_failed, and its time is over: others come first until it answers, for a minute at
 * most. */
void dns_server_was_silent(struct dns_server *s, uint64_t answers_before);
/* Others come first. */
bool dns_server_is_silent(const struct dns_server *s);

enum dns_server_state { DNS_SERVER_NOT_ASKED, DNS_SERVER_ANSWERS, DNS_SERVER_SILENT };
/* since_ms_out (NULL or of the wall clock): when SILENT was found out. */
enum dns_server_state dns_server_state(const struct dns_server *s, int64_t *since_ms_out);

/* "127.0.0.1@53"; "root servers". */
const char *dns_server_name(const struct dns_server *s);
/* In words, for the operator: are answers validated? */
const char *dns_server_dnssec(const struct dns_server *s);

#endif
