/*
 * resolver: a query asks one server at a time.  Answers may come inside the asking call: each is
 * stored first, and reported through an event of the query.
 */
#include "net/resolver.h"

#include <errno.h>
#include <event2/event_struct.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "net/dns_part.h"
#include "net/dns_server.h"
#include "net/dns_servers_log.h"
#include "net/hosts.h"

struct resolver_query {
	struct resolver *resolver;
	struct resolver_query *next, **link;
	resolver_fn *fn;
	void *arg;
	struct str name;                 /* allocated */
	const struct hosts_entry *entry; /* of the hosts file; NULL: DNS is asked */
	struct dns_part parts[DNS_PARTS_MAX];
	size_t part_count;
	struct dns_server *server; /* the current one */
	unsigned number;           /* its number */
	uint64_t answers_before;   /* of this server, when it was asked */
	unsigned tried;            /* a bit for each server that was asked */
	bool is_waiting;           /* until the server's context is known */
	bool is_asking;            /* answers that come now come from the cache; more may follow */
	struct event timer;        /* for the whole query */
	struct event server_timer;     /* for the current server */
	struct event done;
	bool is_answering;
};

struct resolver {
	struct event_base *base;
	struct dns_server *servers[RESOLVER_SERVERS_MAX];
	size_t server_count;
	struct hosts *hosts;
	struct resolver_query *queries;
	resolver_idle_fn *idle; /* set when retired */
	void *idle_arg;
	struct event ending;
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
	event_del(&q->server_timer);
	event_del(&q->done);
	*q->link = q->next;
	if (q->next)
		q->next->link = q->link;
	if (q->resolver->idle && !q->resolver->queries)
		event_active(&q->resolver->ending, EV_TIMEOUT, 0);
}

static void
query_free(struct resolver_query *q)
{
	for (size_t i = 0; i < q->part_count; i++)
		dns_part_clear(&q->parts[i]);
	mem_free((char *)q->name.p);
	mem_free(q);
}

static void
report_hosts_entry(struct resolver_query *q)
{
	struct resolver_answer a = {.outcome = RESOLVER_FOUND,
	    .ttl_s = DNS_TTL_MAX_S,
	    .addresses = q->entry->addresses,
	    .count = q->entry->count};

	q->fn(&a, q->arg);
}

/* An entry of the hosts file is no lookup. */
static void
count_dns_lookup(enum resolver_outcome outcome)
{
	static const enum metric metrics[] = {[RESOLVER_FOUND] = METRIC_DNS_FOUND,
	    [RESOLVER_NO_DATA] = METRIC_DNS_ABSENT, [RESOLVER_NO_NAME] = METRIC_DNS_ABSENT,
	    [RESOLVER_BOGUS] = METRIC_DNS_BOGUS, [RESOLVER_FAILED] = METRIC_DNS_FAILED,
	    [RESOLVER_TIMEOUT] = METRIC_DNS_TIMEOUT};

	metrics_count(metrics[outcome], 1);
}

static void
finish_query(struct resolver_query *q)
{
	unlink_query(q);
	q->is_answering = true;
	if (!q->entry)
		count_dns_lookup(dns_parts_outcome(q->parts, q->part_count));
	if (q->entry)
		report_hosts_entry(q);
	else
		dns_parts_report(q->parts, q->part_count, q->fn, q->arg);
	query_free(q);
}

/* Parts that are still open keep their outcome, which is TIMEOUT at first. */
static void
on_query_timer(evutil_socket_t fd, short what, void *arg)
{
	struct resolver_query *q = arg;

	(void)fd;
	(void)what;
	if (q->server)
		dns_server_timed_out(q->server, q->answers_before);
	finish_query(q);
}

static void
set_query_timer(struct event *timer, int ms)
{
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	event_add(timer, &tv);
}

static bool
is_query_open(const struct resolver_query *q)
{
	bool is_open = q->is_waiting || q->is_asking;

	for (size_t i = 0; i < q->part_count; i++)
		is_open |= q->parts[i].question.is_open;
	return is_open;
}

/* One part is found, or is forged: no other server is asked for the rest.  Addresses of two servers
 * are not mixed: one may know the inside and the other not, or be validated and the other not. */
static bool
is_query_decided(const struct resolver_query *q)
{
	enum resolver_outcome outcome = dns_parts_outcome(q->parts, q->part_count);

	return outcome == RESOLVER_FOUND || outcome == RESOLVER_BOGUS;
}

static void
report_if_done(struct resolver_query *q)
{
	if (!is_query_open(q))
		event_active(&q->done, EV_TIMEOUT, 0);
	/* where answers are validated, a late one may be BOGUS */
	else if (is_query_decided(q) && !dns_server_validates(q->server))
		set_query_timer(&q->server_timer, RESOLVER_REST_MS);
}

static void
on_query_answer(struct dns_question *question, enum dns_validity validity, struct str packet)
{
	struct dns_part *p = question->arg;
	struct resolver_query *q = p->query;

	if (packet.n == 0)
		dns_server_failed(q->server, q->answers_before);
	else if (!q->is_asking)
		dns_server_answered(q->server);
	dns_part_take(p, validity, packet, q->number == 0);
	report_if_done(q);
}

static void
ask_query_part(struct dns_part *p, struct dns_context *context)
{
	enum dns_asked result = DNS_FAILED;

	p->question =
	    (struct dns_question){.context = context, .fn = on_query_answer, .arg = p};
	if (context)
		result = dns_question_ask(&p->question, p->query->name, p->type);
	if (result != DNS_ASKED)
		dns_part_not_asked(p, result);
}

/* ---- servers ---- */

static void
ask_parts(struct resolver_query *q, struct dns_context *context)
{
	q->is_waiting = false;
	q->is_asking = true;
	for (size_t i = 0; i < q->part_count; i++)
		if (!q->parts[i].is_settled)
			ask_query_part(&q->parts[i], context);
	q->is_asking = false;
	report_if_done(q);
}

/* The next server to ask, in the order of the list, with silent servers last.  -1: all have been
 * asked. */
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

/* Asks for the parts that are still open. */
static void
ask_server(struct resolver_query *q, unsigned n)
{
	struct dns_context *context;

	close_parts(q);
	event_del(&q->done);
	q->server = q->resolver->servers[n];
	q->number = n;
	q->answers_before = dns_server_answers(q->server);
	q->tried |= 1U << n;
	set_query_timer(&q->server_timer, RESOLVER_NEXT_SERVER_MS);
	context = dns_server_context(q->server);
	q->is_waiting = context == NULL;
	if (context)
		ask_parts(q, context);
}

static void
on_server_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct resolver_query *q = arg;
	int next = next_server(q);

	(void)fd;
	(void)what;
	/* the last answer may have come at this moment: on_query_done follows */
	if (!is_query_open(q))
		return;
	if (is_query_decided(q)) {
		dns_server_failed(q->server, q->answers_before);
		finish_query(q);
		return;
	}
	dns_server_timed_out(q->server, q->answers_before);
	if (next >= 0)
		ask_server(q, (unsigned)next);
}

/* Is there a part that another server is to be asked for? */
static bool
is_part_unsettled(const struct resolver_query *q)
{
	bool is_unsettled = false;

	for (size_t i = 0; i < q->part_count; i++)
		is_unsettled |= !q->parts[i].is_settled;
	return is_unsettled && !is_query_decided(q);
}

static void
on_query_done(evutil_socket_t fd, short what, void *arg)
{
	struct resolver_query *q = arg;
	int next = is_part_unsettled(q) ? next_server(q) : -1;

	(void)fd;
	(void)what;
	/* a failure is an answer: do not ask a silent server for another one */
	if (next >= 0 && !dns_server_is_silent(q->resolver->servers[next]))
		ask_server(q, (unsigned)next);
	else
		finish_query(q);
}

/* The context of this server is known now. */
static void
on_known(struct dns_server *s, void *arg)
{
	struct resolver *r = arg;
	struct dns_context *context = dns_server_context(s);

	for (struct resolver_query *q = r->queries; q; q = q->next)
		if (q->is_waiting && q->server == s)
			ask_parts(q, context);
}

/* A server has begun or stopped answering. */
static void
on_changed(struct dns_server *s, void *arg)
{
	struct resolver *r = arg;

	/* the resolver that replaced a retired one logs for itself */
	if (!r->idle)
		dns_server_log_change(r->servers, r->server_count, s);
}

/* ---- queries from the owner ---- */

static struct resolver_query *
new_query(struct resolver *r, struct str name, resolver_fn *fn, void *arg)
{
	struct resolver_query *q = MEM_NEW(struct resolver_query);

	*q = (struct resolver_query){
	    .resolver = r, .fn = fn, .arg = arg, .next = r->queries, .link = &r->queries};
	q->name = str_make(mem_text(name.p, name.n), name.n);
	if (q->next)
		q->next->link = &q->next;
	r->queries = q;
	event_assign(&q->timer, r->base, -1, 0, on_query_timer, q);
	event_assign(&q->server_timer, r->base, -1, 0, on_server_timeout, q);
	event_assign(&q->done, r->base, -1, 0, on_query_done, q);
	return q;
}

static struct resolver_query *
start_query(struct resolver *r, struct str name, const enum dns_type types[DNS_PARTS_MAX],
    resolver_fn *fn, void *arg)
{
	struct resolver_query *q = new_query(r, name, fn, arg);

	set_query_timer(&q->timer, RESOLVER_DEADLINE_MS);
	for (size_t i = 0; i < DNS_PARTS_MAX && types[i]; i++)
		dns_part_init(&q->parts[q->part_count++], q, types[i]);
	ask_server(q, (unsigned)next_server(q));
	return q;
}

struct resolver_query *
resolver_ask_mx(struct resolver *r, struct str domain, resolver_fn *fn, void *arg)
{
	static const enum dns_type types[DNS_PARTS_MAX] = {DNS_MX};

	return start_query(r, domain, types, fn, arg);
}

struct resolver_query *
resolver_ask_addresses(struct resolver *r, struct str host, resolver_fn *fn, void *arg)
{
	static const enum dns_type types[DNS_PARTS_MAX] = {DNS_AAAA, DNS_A};

	return start_query(r, host, types, fn, arg);
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
	struct resolver_query *freed = *q;

	*q = NULL;
	if (!freed || freed->is_answering)
		return;
	unlink_query(freed);
	query_free(freed);
}

/* ---- creation and end ---- */

static void
on_resolver_idle(evutil_socket_t fd, short what, void *arg)
{
	struct resolver *r = arg;

	(void)fd;
	(void)what;
	if (!r->queries)
		r->idle(r, r->idle_arg);
}

/* A server that cannot be made is left out: the others are used. */
static void
add_resolver_server(struct resolver *r, const struct resolver_setup *setup, struct str name)
{
	struct dns_server *s;
	struct dns_server_setup server = {
	    .context = {.base = r->base, .server = name, .insecure_zones = setup->insecure_zones},
	    .dnssec = setup->dnssec,
	    .known = on_known,
	    .changed = on_changed,
	    .arg = r,
	};

	/* an anchor that could not be read is an empty text, which is rejected */
	if (setup->dnssec != DNSSEC_OFF)
		server.context.anchor = setup->anchor.p ? setup->anchor : STR("");
	s = dns_server_new(&server);
	if (s)
		r->servers[r->server_count++] = s;
	else
		log_error("dns: %.*s is not used, because it could not be prepared",
		    STR_ARG(name.n ? name : STR("root servers")));
}

struct resolver *
resolver_new(const struct resolver_setup *setup)
{
	struct resolver *r = MEM_NEW(struct resolver);

	r->base = setup->base;
	r->hosts = setup->hosts;
	event_assign(&r->ending, r->base, -1, 0, on_resolver_idle, r);
	if (setup->server_count == 0)
		add_resolver_server(r, setup, STR(""));
	for (size_t i = 0; i < setup->server_count; i++)
		add_resolver_server(r, setup, setup->servers[i]);
	if (r->server_count) {
		dns_server_check_dnssec(r->servers[0]);
	} else {
		resolver_free(&r);
		errno = EINVAL;
	}
	return r;
}

void
resolver_free(struct resolver **r)
{
	struct resolver *freed = *r;
	struct resolver_query *q;

	*r = NULL;
	if (!freed)
		return;
	while ((q = freed->queries) != NULL)
		resolver_cancel(&q);
	for (size_t i = 0; i < freed->server_count; i++)
		dns_server_free(&freed->servers[i]);
	event_del(&freed->ending);
	hosts_free(&freed->hosts);
	mem_free(freed);
}

bool
resolver_is_idle(const struct resolver *r)
{
	return r->queries == NULL;
}

void
resolver_retire(struct resolver *r, resolver_idle_fn *idle, void *arg)
{
	r->idle = idle;
	r->idle_arg = arg;
	if (!r->queries)
		event_active(&r->ending, EV_TIMEOUT, 0);
}

void
resolver_expire_queries(struct resolver *r)
{
	for (struct resolver_query *q = r->queries; q; q = q->next)
		event_active(&q->timer, EV_TIMEOUT, 0);
}

bool
resolver_server(const struct resolver *r, size_t n, struct resolver_server *out)
{
	const struct dns_server *s = n < r->server_count ? r->servers[n] : NULL;

	if (!s)
		return false;
	*out = (struct resolver_server){
	    .name = dns_server_name(s), .dnssec = dns_server_dnssec(s)};
	out->is_asked = dns_server_state(s, &out->silent_since_ms) != DNS_SERVER_NOT_ASKED;
	return true;
}
