/*
 * resolver: a query goes to one server at a time.  Results may come inside the asking call: each is
 * put down first, and told through an event of our own.
 */
#include "net/resolver.h"

#include <errno.h>
#include <event2/event_struct.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/dns_server.h"
#include "net/hosts.h"

enum { PARTS_MAX = 2 };

struct part {
	enum dns_type type;
	struct resolver_query *query;
	struct dns_question question;
	bool is_secure;
	struct dns_answer answer;
};

struct resolver_query {
	struct resolver *resolver;
	struct resolver_query *next, **link;
	resolver_fn *fn;
	void *arg;
	struct str name;                 /* allocated */
	const struct hosts_entry *entry; /* the hosts file's; NULL: DNS is asked */
	struct part parts[PARTS_MAX];
	size_t part_count;
	struct dns_server *server; /* that is asked now */
	unsigned tried;            /* a bit for each server that was asked */
	bool is_waiting;           /* for what is to be known of the server */
	bool is_asking;            /* an answer that comes now may not be the last one */
	struct event timer;        /* for all */
	struct event patience;     /* for this server, if there are others */
	struct event done;
	bool is_answering;
};

struct resolver {
	struct event_base *base;
	struct dns_server *servers[RESOLVER_SERVERS_MAX];
	size_t server_count;
	struct hosts *hosts;
	struct resolver_query *queries;
};

/* ---- queries ---- */

static void
close_parts(struct resolver_query *q)
{
	for (size_t i = 0; i < q->part_count; i++)
		dns_question_cancel(&q->parts[i].question);
}

static void
unlink_query(struct resolver_query *q)
{
	close_parts(q);
	event_del(&q->timer);
	event_del(&q->patience);
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
	mem_free((char *)q->name.p);
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
tell_entry(struct resolver_query *q)
{
	struct resolver_answer a = {.outcome = RESOLVER_FOUND,
	    .ttl_s = DNS_TTL_MAX_S,
	    .addresses = q->entry->addresses,
	    .count = q->entry->count};

	q->fn(&a, q->arg);
}

static void
tell_parts(struct resolver_query *q)
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
	q->fn(&a, q->arg);
}

static void
finish(struct resolver_query *q)
{
	unlink_query(q);
	q->is_answering = true;
	if (q->entry)
		tell_entry(q);
	else
		tell_parts(q);
	query_free(q);
}

/* Parts that are still open stay at TIMEOUT. */
static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	finish(arg);
}

static void
set_timer(struct event *timer, int ms)
{
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	event_add(timer, &tv);
}

static void
tell_if_done(struct resolver_query *q)
{
	bool is_open = q->is_asking;

	for (size_t i = 0; i < q->part_count; i++)
		is_open |= q->parts[i].question.is_open;
	/* one that is late may be BOGUS: what is found so far is not told before */
	if (!is_open)
		event_active(&q->done, EV_TIMEOUT, 0);
}

static void
on_answer(struct dns_question *question, enum dns_validity validity, struct str packet)
{
	struct part *p = question->arg;

	dns_answer_clear(&p->answer);
	p->answer.ttl_s = DNS_TTL_FAILED_S;
	/* a bogus answer comes complete: it is not even looked at */
	if (validity == DNS_BOGUS)
		p->answer.outcome = RESOLVER_BOGUS;
	else if (packet.n)
		dns_answer_read(packet, p->type, &p->answer);
	p->is_secure = validity == DNS_SECURE;
	tell_if_done(p->query);
}

static void
ask(struct part *p, struct dns_context *context)
{
	enum dns_asked asked = DNS_FAILED;

	p->question =
	    (struct dns_question){.context = context, .fn = on_answer, .arg = p};
	if (context)
		asked = dns_question_ask(&p->question, p->query->name, p->type);
	if (asked == DNS_ASKED)
		return;
	/* what is no domain name cannot exist */
	p->answer.outcome = asked == DNS_NO_NAME ? RESOLVER_NO_NAME : RESOLVER_FAILED;
	p->answer.ttl_s = DNS_TTL_FAILED_S;
}

/* ---- servers ---- */

static void
ask_parts(struct resolver_query *q, struct dns_context *context)
{
	q->is_waiting = false;
	q->is_asking = true;
	for (size_t i = 0; i < q->part_count; i++)
		ask(&q->parts[i], context);
	q->is_asking = false;
	tell_if_done(q);
}

/* The next server to ask: in their order, but those that were silent lately come last.  -1: all
 * have been asked. */
static int
next_server(const struct resolver_query *q)
{
	const struct resolver *r = q->resolver;
	int silent = -1;

	for (int i = (int)r->server_count - 1; i >= 0; i--)
		if (!(q->tried & 1U << i) && dns_server_is_silent(r->servers[i]))
			silent = i;
	for (size_t i = 0; i < r->server_count; i++)
		if (!(q->tried & 1U << i) && !dns_server_is_silent(r->servers[i]))
			return (int)i;
	return silent;
}

static void
ask_server(struct resolver_query *q, unsigned n)
{
	struct dns_context *context;

	close_parts(q);
	event_del(&q->done);
	event_del(&q->patience);
	for (size_t i = 0; i < q->part_count; i++) {
		struct part *p = &q->parts[i];

		dns_answer_clear(&p->answer);
		p->answer = (struct dns_answer){
		    .outcome = RESOLVER_TIMEOUT, .ttl_s = DNS_TTL_FAILED_S};
		p->is_secure = false;
	}
	q->server = q->resolver->servers[n];
	q->tried |= 1U << n;
	if (next_server(q) >= 0)
		set_timer(&q->patience, RESOLVER_PATIENCE_MS);
	context = dns_server_context(q->server);
	q->is_waiting = context == NULL;
	if (context)
		ask_parts(q, context);
}

static size_t
count_answers(const struct resolver_query *q)
{
	size_t n = 0;

	for (size_t i = 0; i < q->part_count; i++)
		n += !q->is_waiting && !q->parts[i].question.is_open;
	return n;
}

static void
on_impatience(evutil_socket_t fd, short what, void *arg)
{
	struct resolver_query *q = arg;
	int next = next_server(q);

	(void)fd;
	(void)what;
	if (count_answers(q) == 0)
		dns_server_was_silent(q->server);
	/* the last answer may have come at this very moment: on_done follows */
	if (next >= 0 && count_answers(q) < q->part_count)
		ask_server(q, (unsigned)next);
}

static void
on_done(evutil_socket_t fd, short what, void *arg)
{
	struct resolver_query *q = arg;
	int next = q->entry || sum_up(q) != RESOLVER_FAILED ? -1 : next_server(q);

	(void)fd;
	(void)what;
	/* a failure is an answer: one that was silent is not waited for to hear another */
	if (next >= 0 && !dns_server_is_silent(q->resolver->servers[next]))
		ask_server(q, (unsigned)next);
	else
		finish(q);
}

/* It is known now how this server is to be asked. */
static void
on_known(struct dns_server *s, void *arg)
{
	struct resolver *r = arg;
	struct dns_context *context = dns_server_context(s);

	for (struct resolver_query *q = r->queries; q; q = q->next)
		if (q->is_waiting && q->server == s)
			ask_parts(q, context);
}

/* ---- asking ---- */

static struct resolver_query *
new_query(struct resolver *r, struct str name, resolver_fn *fn, void *arg)
{
	struct resolver_query *q = MEM_NEW(struct resolver_query);

	q->resolver = r;
	q->fn = fn;
	q->arg = arg;
	q->name = str_make(mem_text(name.p, name.n), name.n);
	q->next = r->queries;
	q->link = &r->queries;
	if (q->next)
		q->next->link = &q->next;
	r->queries = q;
	event_assign(&q->timer, r->base, -1, 0, on_timer, q);
	event_assign(&q->patience, r->base, -1, 0, on_impatience, q);
	event_assign(&q->done, r->base, -1, 0, on_done, q);
	return q;
}

static struct resolver_query *
query(struct resolver *r, struct str name, const enum dns_type types[PARTS_MAX], resolver_fn *fn,
    void *arg)
{
	struct resolver_query *q = new_query(r, name, fn, arg);

	set_timer(&q->timer, RESOLVER_DEADLINE_MS);
	for (size_t i = 0; i < PARTS_MAX && types[i]; i++)
		q->parts[q->part_count++] = (struct part){.query = q, .type = types[i]};
	ask_server(q, (unsigned)next_server(q));
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

struct resolver_query *
resolver_ask_named(struct resolver *r, struct str host, resolver_fn *fn, void *arg)
{
	const struct hosts_entry *entry = hosts_find(r->hosts, host);
	struct resolver_query *q;

	if (!entry)
		return resolver_ask_addresses(r, host, fn, arg);
	q = new_query(r, host, fn, arg);
	q->entry = entry;
	event_active(&q->done, EV_TIMEOUT, 0);
	return q;
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

/* ---- life ---- */

static bool
add_server(struct resolver *r, const struct resolver_setup *setup, struct str name)
{
	struct dns_server_setup server = {
	    .context = {.base = r->base, .server = name, .insecure_zones = setup->insecure_zones},
	    .dnssec = setup->dnssec,
	    .known = on_known,
	    .arg = r,
	};

	/* an anchor that could not be had leaves an empty text, which is refused */
	if (setup->dnssec != DNSSEC_OFF)
		server.context.anchor = setup->anchor.p ? setup->anchor : STR("");
	r->servers[r->server_count] = dns_server_new(&server);
	return r->servers[r->server_count] && ++r->server_count;
}

struct resolver *
resolver_new(const struct resolver_setup *setup)
{
	struct resolver *r = MEM_NEW(struct resolver);
	bool is_good = true;

	r->base = setup->base;
	r->hosts = setup->hosts;
	if (setup->server_count == 0)
		is_good = add_server(r, setup, STR(""));
	for (size_t i = 0; is_good && i < setup->server_count; i++)
		is_good = add_server(r, setup, setup->servers[i]);
	if (is_good) {
		dns_server_look(r->servers[0]);
	} else {
		resolver_free(&r);
		errno = EINVAL;
	}
	return r;
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
	for (size_t i = 0; i < dead->server_count; i++)
		dns_server_free(&dead->servers[i]);
	hosts_free(&dead->hosts);
	mem_free(dead);
}

bool
resolver_is_idle(const struct resolver *r)
{
	return r->queries == NULL;
}

bool
resolver_server(const struct resolver *r, size_t n, struct resolver_server *out)
{
	const struct dns_server *s = n < r->server_count ? r->servers[n] : NULL;

	if (!s)
		return false;
	*out = (struct resolver_server){
	    dns_server_name(s), dns_server_dnssec(s), dns_server_is_silent(s)};
	return true;
}
