/*
 * dns_context: one libunbound context on the role's event loop: it queries one resolver, or
 * iterates from the root servers, with or without validation.  No other file uses libunbound.
 */
#ifndef NET_DNS_CONTEXT_H
#define NET_DNS_CONTEXT_H

#include <event2/event.h>

#include "conf/conf.h"
#include "net/dns_answer.h"

struct dns_context;
struct dns_question;

struct dns_context_setup {
	struct event_base *base;
	struct str server; /* "ADDRESS@PORT"; empty: iterates from the root servers */
	struct str anchor; /* trust anchors (conf/anchor.h); p NULL: nothing is validated */
	const struct conf_strs *insecure_zones; /* not validated; NULL: none */
};

/* NULL: an anchor, an address or a zone is not well formed, which is logged. */
struct dns_context *dns_context_new(const struct dns_context_setup *setup) MUST_USE;
/* All its questions must have been answered or cancelled. */
void dns_context_free(struct dns_context **c);

enum dns_validity { DNS_INSECURE, DNS_BOGUS, DNS_SECURE };

/* May run before dns_question_ask has returned, and must not free the question.  packet: empty when
 * there is no answer with NOERROR or NXDOMAIN.  The packet of a BOGUS answer is complete, but
 * nothing in it may be used. */
typedef void dns_question_fn(
    struct dns_question *q, enum dns_validity validity, struct str packet);

struct dns_question {
	struct dns_context *context;
	dns_question_fn *fn;
	void *arg;
	int id;
	bool is_open;
};

enum dns_asked {
	DNS_ASKED,   /* fn is called once, unless it is cancelled */
	DNS_NO_NAME, /* the name is not a domain name */
	DNS_FAILED,
};

/* Sends the question; q->context, q->fn and q->arg are set. */
enum dns_asked dns_question_ask(
    struct dns_question *q, struct str name, enum dns_type type) MUST_USE;
/* Ends the question without a call of fn. */
void dns_question_cancel(struct dns_question *q);

#endif
