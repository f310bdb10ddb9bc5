/*
 * dns_context: libunbound may run its callbacks inside the asking call, and with return code 0 for
 * answers that do not exist or do not validate.  A context cannot be changed after its first query:
 * other settings need another context.
 */
#include "net/dns_context.h"

#include <stdio.h>
#include <unbound-event.h>
#include <unbound.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/anchor.h"

enum { NAME_BYTES = 256, UB_BOGUS = 1, UB_SECURE = 2, RCODE_NO_NAME = 3 };

struct dns_context {
	struct ub_ctx *ub;
};

/* For a resolver, libunbound must not keep a record of servers that do not answer: after a few
 * names without an answer, whose own servers are down, it would send the resolver nothing for
 * minutes; dns_server.h decides that.  For iteration from the root servers it keeps that record. */
static int
set_options(struct ub_ctx *ub, const struct dns_context_setup *s)
{
	const char *const options[][2] = {
	    {"module-config:", s->anchor.p ? "validator iterator" : "iterator"},
	    {"infra-host-ttl:", s->server.n ? "1" : "900"},
	    {"do-not-query-localhost:", "no"},
	    {"cache-max-ttl:", "3600"},
	    {"cache-max-negative-ttl:", "900"},
	    {"num-queries-per-thread:", "4096"},
	    {"outgoing-range:", "1024"},
	    {"use-syslog:", "no"},
	    {"val-log-level:", "0"},
	};

	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		int r = ub_ctx_set_option(ub, options[i][0], options[i][1]);

		if (r)
			return r;
	}
	return ub_ctx_debugout(ub, NULL);
}

static int
add_record(struct ub_ctx *ub, struct str record)
{
	struct str trimmed = str_trim(record);
	char *text = mem_text(trimmed.p, trimmed.n);
	int r = ub_ctx_add_ta(ub, text);

	mem_free(text);
	return r;
}

static int
add_anchor(struct ub_ctx *ub, struct str anchor)
{
	struct anchor_reader reader = anchor_read(anchor);
	struct buf record;
	unsigned line, count = 0;
	int r = 0;

	buf_init(&record, ANCHOR_BYTES_MAX);
	for (; r == 0 && anchor_next(&reader, &record, &line); count++)
		r = buf_ok(&record) ? add_record(ub, buf_str(&record)) : UB_SYNTAX;
	buf_clear(&record);
	/* without a record libunbound would not validate, and not report it */
	if (r || count == 0)
		log_error(
		    "dns: the trust anchor (dns.trust_anchor) has no record that can be used");
	return r || count ? r : UB_SYNTAX;
}

static int
add_insecure_zones(struct ub_ctx *ub, const struct conf_strs *zones)
{
	int r = 0;

	for (size_t i = 0; zones && i < zones->count && r == 0; i++) {
		char *text = mem_text(zones->str[i].p, zones->str[i].n);

		r = ub_ctx_set_option(ub, "domain-insecure:", text);
		if (r)
			log_error("dns: insecure zone %s: %s", text, ub_strerror(r));
		mem_free(text);
	}
	return r;
}

/* The administrator who sets a resolver wants its zones, also those that libunbound answers itself
 * as empty: `test.` (RFC 6761) and `home.arpa.` (RFC 8375). */
static int
add_forward(struct ub_ctx *ub, struct str to)
{
	char *text = mem_text(to.p, to.n);
	int r = ub_ctx_set_fwd(ub, text);

	if (r)
		log_error("dns: resolver \"%s\" is not of the form ADDRESS@PORT", text);
	if (!r)
		r = ub_ctx_zone_remove(ub, "test.");
	if (!r)
		r = ub_ctx_zone_remove(ub, "home.arpa.");
	mem_free(text);
	return r;
}

static void
ignore_unbound_answer(void *arg, int rcode, void *packet, int size, int sec, char *why, int limited)
{
	(void)arg, (void)rcode, (void)packet, (void)size, (void)sec, (void)why, (void)limited;
}

/* The first query makes the context read its files.  This one is answered at once: the files are
 * read while they can still be opened, and errors in them are found. */
static int
load_unbound_files(struct ub_ctx *ub)
{
	int id, r = ub_resolve_event(ub, "localhost.", DNS_A, 1, NULL, ignore_unbound_answer, &id);

	if (r)
		log_error("dns: the resolver does not start: %s", ub_strerror(r));
	return r;
}

struct dns_context *
dns_context_new(const struct dns_context_setup *s)
{
	struct dns_context *c = MEM_NEW(struct dns_context);
	int bad;

	c->ub = ub_ctx_create_event(s->base);
	if (!c->ub)
		die("dns: no context");
	bad = set_options(c->ub, s);
	if (!bad && s->anchor.p)
		bad = add_anchor(c->ub, s->anchor);
	if (!bad)
		bad = add_insecure_zones(c->ub, s->insecure_zones);
	if (!bad && s->server.n)
		bad = add_forward(c->ub, s->server);
	if (!bad)
		bad = load_unbound_files(c->ub);
	if (bad)
		dns_context_free(&c);
	return c;
}

void
dns_context_free(struct dns_context **c)
{
	if (!*c)
		return;
	ub_ctx_delete((*c)->ub);
	mem_free(*c);
	*c = NULL;
}

/* ---- questions ---- */

static void
on_unbound_answer(void *arg, int rcode, void *packet, int size, int sec, char *why, int limited)
{
	struct dns_question *q = arg;
	bool has_answer = packet && size > 0 && (rcode == 0 || rcode == RCODE_NO_NAME);
	enum dns_validity validity = DNS_INSECURE;

	(void)why;
	(void)limited;
	q->is_open = false;
	if (sec == UB_BOGUS)
		validity = DNS_BOGUS;
	else if (sec == UB_SECURE)
		validity = DNS_SECURE;
	q->fn(q, validity, has_answer ? str_make(packet, (size_t)size) : STR_NULL);
}

enum dns_asked
dns_question_ask(struct dns_question *q, struct str name, enum dns_type type)
{
	char text[NAME_BYTES];
	int r;

	if (name.n >= sizeof text || str_has(name, '\0'))
		return DNS_NO_NAME;
	snprintf(text, sizeof text, "%.*s", STR_ARG(name));
	q->is_open = true;
	r = ub_resolve_event(q->context->ub, text, (int)type, 1, q, on_unbound_answer, &q->id);
	if (r == 0)
		return DNS_ASKED;
	q->is_open = false;
	return r == UB_SYNTAX ? DNS_NO_NAME : DNS_FAILED;
}

void
dns_question_cancel(struct dns_question *q)
{
	if (q->is_open)
		ub_cancel(q->context->ub, q->id);
	q->is_open = false;
}
