/*
 * route_test: says in rows which way mail for an address would go, and does not send anything: the
 * route first, then each host with its addresses as DNS gives them now.  Whether there is a way,
 * and what a delivery would end with, host_iterator.c says.
 */
#include "base/mem.h"
#include "mail/mail_address.h"
#include "net/endpoint.h"
#include "relay/address_filter.h"
#include "relay/host_iterator.h"
#include "relay/own_addresses.h"
#include "relay/relay_internal.h"

enum { ROW_BYTES_MAX = 8192 };

struct route_test {
	LIST_ENTRY(route_test) link;
	struct relay *relay;
	uint64_t call;
	char *address;
	char *domain;
	struct destination_cache_lookup *ask;
	struct resolver_query *query;
	struct cached_destination *found;
	struct host_iterator delivery; /* as one that begins now; no connection is made */
	size_t host;
	bool has_way;
};

static void
route_test_free(struct route_test *t)
{
	destination_cache_cancel(&t->ask);
	resolver_cancel(&t->query);
	cached_destination_drop(&t->found);
	LIST_REMOVE(t, link);
	mem_free(t->address);
	mem_free(t->domain);
	mem_free(t);
}

void
route_tests_cancel(struct relay *r)
{
	struct route_test *t;

	while ((t = LIST_FIRST(&r->tests)))
		route_test_free(t);
}

static void
send_route_test_row(struct route_test *t, const struct buf *values)
{
	struct message_admin_row m = {.values = buf_str(values)};

	(void)!channel_answer(t->relay->control, t->call, MESSAGE_ADMIN_ROW, &m, -1);
}

static void
finish_route_test(struct route_test *t, uint8_t exit_code, struct str text)
{
	struct message_admin_done m = {.exit_code = exit_code, .text = text};

	(void)!channel_answer(t->relay->control, t->call, MESSAGE_ADMIN_DONE, &m, -1);
	route_test_free(t);
}

/* The status of a delivery as its end. */
static void
finish_route_test_with(struct route_test *t, const struct smtp_status *status)
{
	struct buf text;

	buf_init(&text, ROW_BYTES_MAX);
	smtp_status_reply(status, &text);
	finish_route_test(t, 1, str_trim(str_upto(buf_str(&text), str_find(buf_str(&text), '\r'))));
	buf_clear(&text);
}

/* "": mail may go there. */
static const char *
address_refusal_text(const struct resolved_destination *site, const struct resolver_address *a)
{
	const struct sockaddr *sa = (const struct sockaddr *)&a->sa;

	if (site->allow_private)
		return "";
	if (!address_filter_is_public(sa))
		return "(private)";
	switch (own_address_check(sa)) {
	case OWN_ADDRESS_YES:
		return "(this host)";
	case OWN_ADDRESS_UNKNOWN:
		return "(cannot be asked about now)";
	default:
		return "";
	}
}

static void
add_tested_address(
    struct buf *out, const struct resolved_destination *site, const struct resolver_address *a)
{
	char text[INET6_ADDRSTRLEN_];
	uint16_t port;

	endpoint_text(&a->sa, text, &port);
	buf_addf(out, "%s%s%s", out->n ? " " : "", text, address_refusal_text(site, a));
}

/* What a delivery makes of this host, if it comes as far. */
static void
follow_host_iterator(struct route_test *t, const struct resolver_answer *a)
{
	enum host_iterator_step step;

	if (t->has_way)
		return;
	step = host_iterator_step(&t->delivery);
	if (step == HOST_ITERATOR_NEEDS_ADDRESSES && t->delivery.host == t->host) {
		host_iterator_got_addresses(&t->delivery, a);
		step = host_iterator_step(&t->delivery);
	}
	t->has_way = step == HOST_ITERATOR_CONNECT;
}

static void test_next_host(struct route_test *t);

static void
send_host_row(struct route_test *t, const struct resolver_answer *a)
{
	static const char *const outcomes[] = {[RESOLVER_NO_DATA] = "no address",
	    [RESOLVER_NO_NAME] = "no such name",
	    [RESOLVER_BOGUS] = "DNSSEC validation failed",
	    [RESOLVER_FAILED] = "DNS failed",
	    [RESOLVER_TIMEOUT] = "DNS gave no answer"};
	const struct resolved_destination *site = &t->found->site;
	struct buf values, addresses;

	buf_init(&values, ROW_BYTES_MAX);
	buf_init(&addresses, ROW_BYTES_MAX);
	for (size_t i = 0; a->outcome == RESOLVER_FOUND && i < a->count; i++)
		add_tested_address(&addresses, site, &a->addresses[i]);
	message_values_add(&values, "row", STR("host"));
	message_values_add_number(&values, "preference", site->hosts[t->host].preference);
	message_values_add(&values, "host", str_of(site->hosts[t->host].name));
	message_values_add(&values, "addresses",
	    a->outcome == RESOLVER_FOUND ? buf_str(&addresses) : str_of(outcomes[a->outcome]));
	message_values_add(&values, "secure", a->is_secure ? STR("yes") : STR("no"));
	send_route_test_row(t, &values);
	buf_clear(&values);
	buf_clear(&addresses);
	follow_host_iterator(t, a);
	t->host++;
	test_next_host(t);
}

static void
route_test_got_addresses(const struct resolver_answer *a, void *arg)
{
	struct route_test *t = arg;

	t->query = NULL;
	send_host_row(t, a);
}

static void
test_next_host(struct route_test *t)
{
	const struct resolved_destination *site = &t->found->site;
	struct resolver_address numeric;
	struct destination_cache_host host;
	struct smtp_status status;
	const char *reason;

	if (t->host == site->count && t->has_way) {
		finish_route_test(t, 0, STR(""));
	} else if (t->host == site->count) {
		status = host_iterator_status(&t->delivery, &reason);
		finish_route_test_with(t, &status);
	} else if (resolved_numeric_address(
	               str_of(site->hosts[t->host].name), site->port, &numeric)) {
		send_host_row(t, &(struct resolver_answer){
		                .outcome = RESOLVER_FOUND, .addresses = &numeric, .count = 1});
	} else {
		host = (struct destination_cache_host){site, site->hosts[t->host].name};
		t->query = destination_cache_lookup_host(
		    t->relay->yard.finder, &host, route_test_got_addresses, t);
	}
}

static void
route_test_got_destination(struct cached_destination *found, void *arg)
{
	struct route_test *t = arg;
	const struct resolved_destination *site = &found->site;
	struct buf values;

	t->ask = NULL;
	t->found = found;
	host_iterator_init(&t->delivery, site);
	t->delivery.is_own = own_address_check;
	buf_init(&values, ROW_BYTES_MAX);
	message_values_add(&values, "row", STR("route"));
	message_values_add(&values, "address", str_of(t->address));
	message_values_add_number(&values, "route", site->route_number);
	message_values_add(&values, "via", str_of(routing_via_name(site->route->via)));
	message_values_add(&values, "tls", str_of(routing_tls_name(site->route->tls)));
	message_values_add_number(&values, "port", site->port);
	message_values_add(&values, "site", str_of(site->name));
	send_route_test_row(t, &values);
	buf_clear(&values);
	if (site->status.code == 0)
		test_next_host(t);
	else
		finish_route_test_with(t, &site->status);
}

/* As at RCPT: <postmaster> has no domain, and all others must have one.  A domain alone will do as
 * well; one word is none. */
static bool
route_test_domain(struct str text, struct str *domain_out, const char **why_out)
{
	struct mail_address address;

	*why_out = "it is no address";
	*domain_out = text;
	if (mail_address_parse(text, &address, why_out)) {
		*domain_out = address.domain;
		return true;
	}
	if (mail_address_is_literal(text) || (mail_address_is_domain(text) && str_has(text, '.')))
		return true;
	if (mail_address_is_domain(text))
		*why_out = "RCPT wants an address with a domain, or postmaster; a domain of one "
			   "word is tested as x@WORD";
	return false;
}

void
route_test_begin(struct relay *r, uint64_t call, struct str text)
{
	struct route_test *t = MEM_NEW(struct route_test);
	struct str domain, postmaster = r->role->conf->postmaster;
	struct cached_destination *found;
	const char *why;

	if (str_ieq(text, STR("postmaster")) && postmaster.n)
		text = postmaster;
	t->relay = r;
	t->call = call;
	t->address = mem_text(text.p, text.n);
	LIST_INSERT_HEAD(&r->tests, t, link);
	if (!route_test_domain(text, &domain, &why)) {
		finish_route_test(t, 64, str_of(why));
		return;
	}
	t->domain = mem_text(domain.p, domain.n);
	for (char *p = t->domain; *p; p++)
		*p = char_lower(*p);
	found = destination_cache_get(r->yard.finder, str_of(t->domain));
	if (found)
		route_test_got_destination(found, t);
	else
		t->ask = destination_cache_lookup(
		    r->yard.finder, str_of(t->domain), route_test_got_destination, t);
}
