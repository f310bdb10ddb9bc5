/*
 * resolver: the only user of libunbound.  Its callbacks may run inside the asking call and with
 * return code 0 for answers that do not exist or do not validate: each result is put down first,
 * and told through an event of our own.
 */
#include "net/resolver.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <unbound-event.h>
#include <unbound.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/dns_answer.h"

enum {
	PARTS_MAX = 2,
	NAME_BYTES = 256,
	ANCHOR_BYTES_MAX = 64 << 10,
	UB_BOGUS = 1,
	UB_SECURE = 2,
};

struct part {
	struct resolver_query *query;
	enum dns_type type;
	int id;
	bool is_open;
	bool is_secure;
	struct dns_answer answer;
};

struct resolver_query {
	struct resolver *resolver;
	struct resolver_query *next, **link;
	resolver_fn *fn;
	void *arg;
	struct part parts[PARTS_MAX];
	size_t part_count;
	struct event timer;
	struct event done;
	bool is_answering;
};

struct resolver {
	struct event_base *base;
	struct ub_ctx *ctx;
	struct resolver_query *queries;
};

/* ---- the context ---- */

static int
set_options(struct ub_ctx *ctx)
{
	static const char *const options[][2] = {
	    {"module-config:", "validator iterator"},
	    {"do-not-query-localhost:", "no"},
	    {"cache-max-ttl:", "3600"},
	    {"cache-max-negative-ttl:", "900"},
	    {"num-queries-per-thread:", "4096"},
	    {"outgoing-range:", "1024"},
	    {"use-syslog:", "no"},
	    {"val-log-level:", "0"},
	};

	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		int r = ub_ctx_set_option(ctx, options[i][0], options[i][1]);

		if (r)
			return r;
	}
	return ub_ctx_debugout(ctx, NULL);
}

/* One record of a zone file on one line, as unbound wants it: comments and line ends within ( ) go.
 * False: the text is at its end. */
static bool
next_record(struct str *rest, struct buf *out)
{
	unsigned depth = 0;
	bool is_comment = false;

	buf_reset(out);
	for (size_t i = 0; i < rest->n; i++) {
		char c = rest->p[i];

		is_comment = c != '\n' && (is_comment || c == ';');
		depth += !is_comment && c == '(';
		depth -= !is_comment && c == ')' && depth;
		if (c == '\n' && depth == 0) {
			*rest = str_from(*rest, i + 1);
			return true;
		}
		if (!is_comment)
			buf_addc(out, c == '(' || c == ')' || c == '\n' || c == '\r' ? ' ' : c);
	}
	*rest = STR_NULL;
	/* a record that is not closed was cut short */
	out->over |= depth > 0;
	return out->n > 0;
}

static int
add_record(struct ub_ctx *ctx, struct str record)
{
	char *text;
	int r;

	record = str_trim(record);
	if (record.n == 0 || str_starts(record, STR("$TTL")))
		return 0;
	text = mem_text(record.p, record.n);
	r = ub_ctx_add_ta(ctx, text);
	mem_free(text);
	return r;
}

static int
add_anchor(struct ub_ctx *ctx, struct str name, struct str anchor)
{
	struct buf record;
	int r = anchor.p ? 0 : UB_READFILE;

	buf_init(&record, ANCHOR_BYTES_MAX);
	while (r == 0 && next_record(&anchor, &record))
		r = buf_ok(&record) ? add_record(ctx, buf_str(&record)) : UB_SYNTAX;
	buf_clear(&record);
	if (r)
		log_error("dns: trust anchor %.*s cannot be read", STR_ARG(name));
	return r;
}

/* Whoever names a resolver means its zones: `test.` (RFC 6761), which unbound answers by itself,
 * too. */
static int
add_forward(struct ub_ctx *ctx, struct str to)
{
	char *text = mem_text(to.p, to.n);
	int r = ub_ctx_set_fwd(ctx, text);

	if (r)
		log_error("dns: resolver %s is no ADDRESS@PORT", text);
	if (!r)
		r = ub_ctx_zone_remove(ctx, "test.");
	mem_free(text);
	return r;
}

static void
ignore(void *arg, int rcode, void *packet, int size, int sec, char *why, int limited)
{
	(void)arg, (void)rcode, (void)packet, (void)size, (void)sec, (void)why, (void)limited;
}

/* The first query makes the context read its files: one that is answered at once does that while
 * the files can still be opened, and shows whether they are good. */
static int
settle(struct ub_ctx *ctx)
{
	int id, r = ub_resolve_event(ctx, "localhost.", DNS_A, 1, NULL, ignore, &id);

	if (r)
		log_error("dns: the resolver does not start: %s (is the trust anchor well formed?)",
		    ub_strerror(r));
	return r;
}

struct resolver *
resolver_new(struct event_base *base, const struct conf *conf, struct str anchor)
{
	struct resolver *r = MEM_NEW(struct resolver);
	int bad;

	r->base = base;
	r->ctx = ub_ctx_create_event(base);
	if (!r->ctx)
		die("dns: no context");
	bad = set_options(r->ctx);
	if (!bad)
		bad = add_anchor(r->ctx, conf->dns.trust_anchor, anchor);
	if (!bad && conf->dns.resolver.n)
		bad = add_forward(r->ctx, conf->dns.resolver);
	if (!bad)
		bad = settle(r->ctx);
	if (bad) {
		resolver_free(&r);
		errno = EINVAL;
	}
	return r;
}

/* ---- queries ---- */

static void
close_parts(struct resolver_query *q)
{
	for (size_t i = 0; i < q->part_count; i++) {
		if (q->parts[i].is_open)
			ub_cancel(q->resolver->ctx, q->parts[i].id);
		q->parts[i].is_open = false;
	}
}

static void
unlink_query(struct resolver_query *q)
{
	close_parts(q);
	event_del(&q->timer);
	event_del(&q->done);
	*q->link = q->next;
	if (q->next)
		q->next->link = q->link;
}

static void
query_free(struct resolver_query *q)
{
	for (size_t i = 0; i < q->part_count; i++)
		dns_answer_clear(&q->parts[i].answer);
	mem_free(q);
}

/* IPv6 and IPv4 in turn. */
static size_t
mix(const struct resolver_query *q, struct resolver_address *out)
{
	size_t n = 0, i = 0;
	const struct dns_answer *a = &q->parts[0].answer, *b = &q->parts[1].answer;

	for (; (i < a->count || i < b->count) && n < RESOLVER_ADDRESSES_MAX; i++) {
		if (i < a->count)
			out[n++] = a->addresses[i];
		if (i < b->count && n < RESOLVER_ADDRESSES_MAX)
			out[n++] = b->addresses[i];
	}
	return n;
}

/* What two answers mean together: the one that comes first here.  Somebody forges the answers for a
 * name of which one is BOGUS: the other counts no more. */
static enum resolver_outcome
sum_up(const struct resolver_query *q)
{
	static const enum resolver_outcome ranks[] = {RESOLVER_BOGUS, RESOLVER_FOUND,
	    RESOLVER_FAILED, RESOLVER_TIMEOUT, RESOLVER_NO_DATA, RESOLVER_NO_NAME};

	for (size_t k = 0; k < sizeof ranks / sizeof *ranks; k++)
		for (size_t i = 0; i < q->part_count; i++)
			if (q->parts[i].answer.outcome == ranks[k])
				return ranks[k];
	return RESOLVER_FAILED;
}

static void
answer(struct resolver_query *q)
{
	struct resolver_address addresses[RESOLVER_ADDRESSES_MAX];
	struct resolver_answer a = {
	    .outcome = sum_up(q), .is_secure = true, .ttl_s = DNS_TTL_MAX_S};

	for (size_t i = 0; i < q->part_count; i++) {
		const struct part *p = &q->parts[i];

		a.is_secure &= p->is_secure;
		if (p->answer.ttl_s < a.ttl_s)
			a.ttl_s = p->answer.ttl_s;
	}
	if (a.outcome == RESOLVER_FOUND && q->part_count == 1) {
		a.mx = q->parts[0].answer.mx;
		a.count = q->parts[0].answer.count;
	} else if (a.outcome == RESOLVER_FOUND) {
		a.addresses = addresses;
		a.count = mix(q, addresses);
	}
	q->is_answering = true;
	q->fn(&a, q->arg);
}

static void
on_done(evutil_socket_t fd, short what, void *arg)
{
	struct resolver_query *q = arg;

	(void)fd;
	(void)what;
	unlink_query(q);
	answer(q);
	query_free(q);
}

/* Parts that are still open stay at TIMEOUT. */
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	on_done(fd, what, arg);
}

static void
set_timer(struct resolver_query *q, int ms)
{
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	event_add(&q->timer, &tv);
}

static void
part_is_done(struct part *p)
{
	struct resolver_query *q = p->query;
	bool is_open = false;

	p->is_open = false;
	for (size_t i = 0; i < q->part_count; i++)
		is_open |= q->parts[i].is_open;
	/* one that is late may be BOGUS: what is found so far is not told before */
	if (!is_open)
		event_active(&q->done, EV_TIMEOUT, 0);
}

static void
on_answer(void *arg, int rcode, void *packet, int size, int sec, char *why, int limited)
{
	struct part *p = arg;

	(void)why;
	(void)limited;
	dns_answer_clear(&p->answer);
	p->answer.ttl_s = DNS_TTL_FAILED_S;
	/* a bogus answer comes complete and with rcode 0: it is not even looked at */
	if (sec == UB_BOGUS)
		p->answer.outcome = RESOLVER_BOGUS;
	else if (packet && size > 0 && (rcode == 0 || rcode == 3))
		dns_answer_read(str_make(packet, (size_t)size), p->type, &p->answer);
	p->is_secure = sec == UB_SECURE;
	part_is_done(p);
}

static void
ask(struct part *p, struct str name)
{
	char text[NAME_BYTES];
	int r = UB_SYNTAX;

	if (name.n < sizeof text && !str_has(name, '\0')) {
		snprintf(text, sizeof text, "%.*s", STR_ARG(name));
		r = ub_resolve_event(
		    p->query->resolver->ctx, text, (int)p->type, 1, p, on_answer, &p->id);
	}
	if (r == 0)
		return;
	/* what is no domain name cannot exist */
	p->answer.outcome = r == UB_SYNTAX ? RESOLVER_NO_NAME : RESOLVER_FAILED;
	p->answer.ttl_s = DNS_TTL_FAILED_S;
	part_is_done(p);
}

static struct resolver_query *
query(struct resolver *r, struct str name, const enum dns_type types[PARTS_MAX], resolver_fn *fn,
    void *arg)
{
	struct resolver_query *q = MEM_NEW(struct resolver_query);

	q->resolver = r;
	q->fn = fn;
	q->arg = arg;
	q->next = r->queries;
	q->link = &r->queries;
	if (q->next)
		q->next->link = &q->next;
	r->queries = q;
	event_assign(&q->timer, r->base, -1, 0, on_timer, q);
	event_assign(&q->done, r->base, -1, 0, on_done, q);
	set_timer(q, RESOLVER_DEADLINE_MS);
	for (size_t i = 0; i < PARTS_MAX && types[i]; i++) {
		q->parts[i] = (struct part){.query = q,
		    .type = types[i],
		    .is_open = true,
		    .answer = {.outcome = RESOLVER_TIMEOUT, .ttl_s = DNS_TTL_FAILED_S}};
		q->part_count++;
	}
	for (size_t i = 0; i < q->part_count; i++)
		ask(&q->parts[i], name);
	return q;
}

struct resolver_query *
resolver_ask_mx(struct resolver *r, struct str domain, resolver_fn *fn, void *arg)
{
	static const enum dns_type types[PARTS_MAX] = {DNS_MX};

	return query(r, domain, types, fn, arg);
}

struct resolver_query *
resolver_ask_addresses(struct resolver *r, struct str host, resolver_fn *fn, void *arg)
{
	static const enum dns_type types[PARTS_MAX] = {DNS_AAAA, DNS_A};

	return query(r, host, types, fn, arg);
}

void
resolver_cancel(struct resolver_query **q)
{
	struct resolver_query *dead = *q;

	*q = NULL;
	if (!dead || dead->is_answering)
		return;
	unlink_query(dead);
	query_free(dead);
}

void
resolver_free(struct resolver **r)
{
	struct resolver *dead = *r;
	struct resolver_query *q;

	*r = NULL;
	if (!dead)
		return;
	while ((q = dead->queries) != NULL)
		resolver_cancel(&q);
	ub_ctx_delete(dead->ctx);
	mem_free(dead);
}
