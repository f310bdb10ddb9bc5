/*
 * route_test: decides the destination of an address as the queue does, sends no mail, and reports
 * in rows: first the route, then each host with the addresses that DNS gives now.  host_iterator.c
 * decides whether a delivery is possible, and with which status it would end otherwise.
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
	unsigned route_number;
	struct destination_cache_lookup *lookup;
	struct resolver_query *query;
	struct cached_destination *destination;
	struct host_iterator hosts; /* starts like that of an attempt; no connection is made */
	size_t host_index;
	bool can_deliver;
};

static void
route_test_free(struct route_test *test)
{
	destination_cache_cancel(&test->lookup);
	resolver_cancel(&test->query);
	cached_destination_drop(&test->destination);
	LIST_REMOVE(test, link);
	mem_free(test->address);
	mem_free(test);
}

void
route_tests_cancel(struct relay *r)
{
	struct route_test *test;

	while ((test = LIST_FIRST(&r->tests)))
		route_test_free(test);
}

static void
send_route_test_row(struct route_test *test, const struct buf *values)
{
	struct message_admin_row m = {.values = buf_str(values)};

	(void)!channel_answer(test->relay->control, test->call, MESSAGE_ADMIN_ROW, &m, -1);
}

static void
finish_route_test(struct route_test *test, uint8_t exit_code, struct str text)
{
	struct message_admin_done m = {.exit_code = exit_code, .text = text};

	(void)!channel_answer(test->relay->control, test->call, MESSAGE_ADMIN_DONE, &m, -1);
	route_test_free(test);
}

/* Ends the test with the status that a delivery would end with. */
static void
finish_route_test_with(struct route_test *test, const struct smtp_status *status)
{
	struct buf text;

	buf_init(&text, ROW_BYTES_MAX);
	smtp_status_reply(status, &text);
	finish_route_test(
	    test, 1, str_trim(str_upto(buf_str(&text), str_find(buf_str(&text), '\r'))));
	buf_clear(&text);
}

/* Why a delivery would not use this address; "": it would. */
static const char *
address_refusal_text(const struct resolved_destination *resolved, const struct resolver_address *a)
{
	const struct sockaddr *sa = (const struct sockaddr *)&a->sa;

	if (resolved->to.allow_private)
		return "";
	if (!address_filter_is_public(sa))
		return "(private)";
	switch (own_address_check(sa)) {
	case OWN_ADDRESS_YES:
		return "(this host)";
	case OWN_ADDRESS_UNKNOWN:
		return "(cannot be checked now)";
	default:
		return "";
	}
}

static void
add_tested_address(
    struct buf *out, const struct resolved_destination *resolved, const struct resolver_address *a)
{
	char text[INET6_ADDRSTRLEN_];
	uint16_t port;

	endpoint_text(&a->sa, text, &port);
	buf_addf(out, "%s%s%s", out->n ? " " : "", text, address_refusal_text(resolved, a));
}

/* Passes the answer to the host iterator, as a delivery would, if a delivery would try this
 * host. */
static void
follow_host_iterator(struct route_test *test, const struct resolver_answer *a)
{
	enum host_iterator_step step;

	if (test->can_deliver)
		return;
	step = host_iterator_step(&test->hosts);
	if (step == HOST_ITERATOR_NEEDS_ADDRESSES && test->hosts.host_index == test->host_index) {
		host_iterator_got_addresses(&test->hosts, a);
		step = host_iterator_step(&test->hosts);
	}
	test->can_deliver = step == HOST_ITERATOR_CONNECT;
}

static void test_next_host(struct route_test *test);

static void
send_host_row(struct route_test *test, const struct resolver_answer *a)
{
	static const char *const outcomes[] = {[RESOLVER_NO_DATA] = "no address",
	    [RESOLVER_NO_NAME] = "no such name",
	    [RESOLVER_BOGUS] = "DNSSEC validation failed",
	    [RESOLVER_FAILED] = "DNS failed",
	    [RESOLVER_TIMEOUT] = "DNS gave no answer"};
	const struct resolved_destination *resolved = &test->destination->resolved;
	struct buf values, addresses;

	buf_init(&values, ROW_BYTES_MAX);
	buf_init(&addresses, ROW_BYTES_MAX);
	for (size_t i = 0; a->outcome == RESOLVER_FOUND && i < a->count; i++)
		add_tested_address(&addresses, resolved, &a->addresses[i]);
	message_values_add(&values, "row", STR("host"));
	message_values_add_number(
	    &values, "preference", resolved->hosts[test->host_index].preference);
	message_values_add(&values, "host", str_of(resolved->hosts[test->host_index].name));
	message_values_add(&values, "addresses",
	    a->outcome == RESOLVER_FOUND ? buf_str(&addresses) : str_of(outcomes[a->outcome]));
	message_values_add(&values, "secure", a->is_secure ? STR("yes") : STR("no"));
	send_route_test_row(test, &values);
	buf_clear(&values);
	buf_clear(&addresses);
	follow_host_iterator(test, a);
	test->host_index++;
	test_next_host(test);
}

static void
route_test_got_addresses(const struct resolver_answer *a, void *arg)
{
	struct route_test *test = arg;

	test->query = NULL;
	send_host_row(test, a);
}

static void
test_next_host(struct route_test *test)
{
	const struct resolved_destination *resolved = &test->destination->resolved;
	struct resolver_address numeric;
	struct destination_cache_host host;
	struct smtp_status status;
	const char *reason;

	if (test->host_index == resolved->count && test->can_deliver) {
		finish_route_test(test, 0, STR(""));
	} else if (test->host_index == resolved->count) {
		status = host_iterator_status(&test->hosts, &reason);
		finish_route_test_with(test, &status);
	} else if (resolved_numeric_address(str_of(resolved->hosts[test->host_index].name),
	               resolved->to.port, &numeric)) {
		send_host_row(test, &(struct resolver_answer){
		                .outcome = RESOLVER_FOUND, .addresses = &numeric, .count = 1});
	} else {
		host = (struct destination_cache_host){
		    resolved, resolved->hosts[test->host_index].name};
		test->query = destination_cache_lookup_host(
		    test->relay->context.destinations, &host, route_test_got_addresses, test);
	}
}

static void
route_test_got_destination(struct cached_destination *destination, void *arg)
{
	struct route_test *test = arg;
	const struct resolved_destination *resolved = &destination->resolved;
	struct buf values;

	test->lookup = NULL;
	test->destination = destination;
	host_iterator_init(&test->hosts, resolved);
	test->hosts.is_own = own_address_check;
	buf_init(&values, ROW_BYTES_MAX);
	message_values_add(&values, "row", STR("route"));
	message_values_add(&values, "address", str_of(test->address));
	message_values_add_number(&values, "route", test->route_number);
	message_values_add(&values, "via", str_of(destination_transport_name(&resolved->to)));
	message_values_add(&values, "tls", str_of(destination_tls_name(&resolved->to)));
	message_values_add_number(&values, "port", resolved->to.port);
	message_values_add(&values, "destination", str_of(resolved->name));
	send_route_test_row(test, &values);
	buf_clear(&values);
	if (resolved->status.code == 0)
		test_next_host(test);
	else
		finish_route_test_with(test, &resolved->status);
}

static void
find_tested_destination(struct route_test *test, struct str domain)
{
	struct destination_cache *cache = test->relay->context.destinations;
	struct destination to;
	struct cached_destination *found;
	char room[IDN_BYTES];
	struct buf text;

	test->route_number = destination_decide(destination_cache_conf(cache), domain, room, &to);
	buf_init(&text, DESTINATION_TEXT_MAX);
	destination_format(&to, &text);
	found = destination_cache_get(cache, buf_str(&text));
	if (found)
		route_test_got_destination(found, test);
	else
		test->lookup = destination_cache_lookup(
		    cache, buf_str(&text), route_test_got_destination, test);
	buf_clear(&text);
}

/* As at RCPT: <postmaster> has no domain, all other addresses must have one.  A domain alone is
 * accepted as well, but not a single word. */
static bool
route_test_domain(struct str text, struct str *domain_out, const char **why_out)
{
	struct mail_address address;

	*why_out = "it is not an address";
	*domain_out = text;
	if (mail_address_parse(text, &address, why_out)) {
		*domain_out = address.domain;
		return true;
	}
	if (mail_address_is_literal(text) || (mail_address_is_domain(text) && str_has(text, '.')))
		return true;
	if (mail_address_is_domain(text))
		*why_out = "RCPT requires an address with a domain, or postmaster; a domain of one "
			   "word is tested as x@WORD";
	return false;
}

void
route_test_begin(struct relay *r, uint64_t call, struct str text)
{
	struct route_test *test = MEM_NEW(struct route_test);
	struct str domain, postmaster = r->role->conf->postmaster;
	const char *why;

	if (str_ieq(text, STR("postmaster")) && postmaster.n)
		text = postmaster;
	test->relay = r;
	test->call = call;
	test->address = mem_text(text.p, text.n);
	LIST_INSERT_HEAD(&r->tests, test, link);
	if (!route_test_domain(text, &domain, &why)) {
		finish_route_test(test, 64, str_of(why));
		return;
	}
	find_tested_destination(test, domain);
}
