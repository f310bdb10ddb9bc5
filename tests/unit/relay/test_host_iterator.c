/* The order of hosts and addresses, and the status that follows from all failures. */
#include "relay/host_iterator.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "unit/relay/routes.h"

static struct resolver_address
address(const char *text)
{
	struct resolver_address a;

	cr_assert(resolved_numeric_address(str_of(text), 0, &a));
	return a;
}

static const char *
address_text(const struct resolver_address *a)
{
	static char text[INET6_ADDRSTRLEN];
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->sa;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->sa;

	inet_ntop(a->sa.ss_family,
	    a->sa.ss_family == AF_INET ? (const void *)&v4->sin_addr : &v6->sin6_addr, text,
	    sizeof text);
	return text;
}

static void
make_destination(struct resolved_destination *s, const struct conf *c, size_t hosts)
{
	static char room[NEXT_HOP_ROOM];
	struct resolver_mx mx[4] = {
	    {10, "mx1.test"}, {20, "mx2.test"}, {30, "mx3.test"}, {40, "mx4.test"}};
	struct resolver_answer a = {RESOLVER_FOUND, .mx = mx, .count = hosts};

	cr_assert_eq(begin_domain(s, c, STR("b.test"), room), RESOLVED_NEEDS_MX);
	resolved_take_mx(s, c->hostname, &a);
}

static void
answer(struct host_iterator *it, const struct resolver_address *a, size_t count)
{
	struct resolver_answer answer = {RESOLVER_FOUND, .addresses = a, .count = count};

	host_iterator_got_addresses(it, &answer);
}

static void
fail(struct host_iterator *it, unsigned code, const char *enhanced)
{
	struct smtp_client_end end = {
	    .status = smtp_status_make(code, enhanced, "no"), .reason = "refused"};

	host_iterator_failed(it, &end, "none");
}

static unsigned
final_code(struct host_iterator *it, const char *reason)
{
	const char *why;
	struct smtp_status s = host_iterator_status(it, &why);

	cr_expect_str_eq(why, reason, "%s", s.text);
	return s.code;
}

Test(relay_host_iterator, address_families_alternate_before_the_next_host)
{
	static const char *const order[] = {"2600::1", "198.41.0.1", "2600::2", "198.41.0.2"};
	struct resolver_address a[] = {address("198.41.0.1"), address("198.41.0.2"),
	    address("2600::1"), address("2600::2")};
	struct conf *c = routes_of("");
	struct host_iterator it;
	struct resolved_destination s;

	make_destination(&s, c, 2);
	host_iterator_init(&it, &s);
	cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_NEEDS_ADDRESSES);
	cr_expect_str_eq(host_iterator_host(&it), "mx1.test");
	answer(&it, a, 4);
	for (size_t i = 0; i < 4; i++) {
		cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_CONNECT);
		cr_expect_str_eq(address_text(host_iterator_address(&it)), order[i]);
		fail(&it, 554, "5.7.1");
	}
	cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_NEEDS_ADDRESSES);
	cr_expect_str_eq(host_iterator_host(&it), "mx2.test");
	answer(&it, a, 1);
	cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_CONNECT);
	fail(&it, 421, "4.3.2");
	cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_EXHAUSTED);
	cr_expect_eq(final_code(&it, "refused"), 421, "one host may still take it");
	conf_drop(&c);
}

Test(relay_host_iterator, permanent_only_when_all_hosts_fail_permanently)
{
	struct resolver_address a = address("198.41.0.1");
	struct conf *c = routes_of("");
	struct host_iterator it;
	struct resolved_destination s;

	make_destination(&s, c, 2);
	host_iterator_init(&it, &s);
	for (size_t i = 0; i < 2; i++) {
		cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_NEEDS_ADDRESSES);
		answer(&it, &a, 1);
		cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_CONNECT);
		fail(&it, 554, "5.7.1");
	}
	cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_EXHAUSTED);
	cr_expect_eq(final_code(&it, "refused"), 554);
	conf_drop(&c);
}

Test(relay_host_iterator, status_of_a_host_without_addresses)
{
	static const struct {
		enum resolver_outcome outcome;
		unsigned code;
	} cases[] = {{RESOLVER_NO_NAME, 550}, {RESOLVER_NO_DATA, 550}, {RESOLVER_BOGUS, 451},
	    {RESOLVER_FAILED, 451}, {RESOLVER_TIMEOUT, 451}};
	struct conf *c = routes_of("");

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct resolver_answer a = {.outcome = cases[i].outcome};
		struct host_iterator it;
		struct resolved_destination s;

		make_destination(&s, c, 1);
		host_iterator_init(&it, &s);
		cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_NEEDS_ADDRESSES);
		host_iterator_got_addresses(&it, &a);
		cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_EXHAUSTED);
		cr_expect_eq(final_code(&it, "dns"), cases[i].code, "%zu", i);
	}
	conf_drop(&c);
}

/* The operator wrote this host into a route: mail is retried until the operator has corrected
 * it. */
Test(relay_host_iterator, a_host_of_a_route_without_an_address_is_temporary)
{
	static const enum resolver_outcome outcomes[] = {
	    RESOLVER_NO_NAME, RESOLVER_NO_DATA, RESOLVER_FOUND};
	static const char *const routes[] = {
	    "via = \"smtp\"", "via = \"lmtp\"; tls = \"none\"", "via = \"smarthost\""};

	for (size_t i = 0; i < 9; i++) {
		struct resolver_answer a = {.outcome = outcomes[i % 3]};
		char text[200], room[NEXT_HOP_ROOM], enhanced[SMTP_STATUS_ENHANCED_BYTES];
		struct host_iterator it;
		struct smtp_status status;
		const char *reason;
		struct conf *c;
		struct resolved_destination s;

		snprintf(text, sizeof text, "routes: ( { %s; host = \"smart.test\"; } );",
		    routes[i / 3]);
		c = routes_of(text);
		cr_assert_eq(begin_domain(&s, c, STR("b.test"), room), RESOLVED_COMPLETE);
		host_iterator_init(&it, &s);
		cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_NEEDS_ADDRESSES);
		host_iterator_got_addresses(&it, &a);
		cr_expect(it.lacks_route_host);
		cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_EXHAUSTED);
		status = host_iterator_status(&it, &reason);
		smtp_status_enhanced(&status, enhanced);
		cr_expect(status.code == 451 && strcmp(enhanced, "4.3.5") == 0, "%zu: %u %s %s", i,
		    status.code, enhanced, status.text);
		cr_expect_str_eq(reason, "dns");
		conf_drop(&c);
	}
}

Test(relay_host_iterator, private_addresses_are_not_used)
{
	struct resolver_address a[] = {address("127.0.0.1"), address("::1"), address("10.0.0.1"),
	    address("0.0.0.0"), address("::ffff:127.0.0.1"), address("198.41.0.1")};
	struct conf *c = routes_of(""),
	            *inside = routes_of("routes: ( { via = \"mx\"; allow_private = true; } );");
	struct host_iterator it;
	struct resolved_destination s;

	make_destination(&s, c, 1);
	host_iterator_init(&it, &s);
	cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_NEEDS_ADDRESSES);
	answer(&it, a, 5);
	cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_EXHAUSTED);
	cr_expect_eq(final_code(&it, "unroutable"), 550);
	host_iterator_init(&it, &s);
	answer(&it, a, 6);
	cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_CONNECT);
	cr_expect_str_eq(
	    address_text(host_iterator_address(&it)), "198.41.0.1", "the one that is public");
	make_destination(&s, inside, 1);
	host_iterator_init(&it, &s);
	answer(&it, a, 1);
	cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_CONNECT);
	conf_drop(&c);
	conf_drop(&inside);
}

static enum own_address_answer
is_own(const struct sockaddr *sa)
{
	struct resolver_address own = address("198.41.0.9");
	const struct sockaddr_in *a = (const struct sockaddr_in *)sa;

	return sa->sa_family == AF_INET &&
	               a->sin_addr.s_addr == ((struct sockaddr_in *)&own.sa)->sin_addr.s_addr
	           ? OWN_ADDRESS_YES
	           : OWN_ADDRESS_NO;
}

static enum own_address_answer
is_unknown(const struct sockaddr *sa)
{
	(void)sa;
	errno = EMFILE;
	return OWN_ADDRESS_UNKNOWN;
}

/* It is not known whether the address belongs to this machine: neither this host nor one with a
 * worse preference is tried, and the failure is temporary. */
Test(relay_host_iterator, stops_when_own_addresses_are_unknown)
{
	struct resolver_address other = address("198.41.0.1");
	struct conf *c = routes_of("");
	struct host_iterator it;
	struct resolved_destination s;

	make_destination(&s, c, 3);
	host_iterator_init(&it, &s);
	it.is_own = is_unknown;
	answer(&it, &other, 1);
	cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_EXHAUSTED);
	cr_expect_eq(final_code(&it, "local"), 451);
	conf_drop(&c);
}

/* A20: no name shows that the second host is this machine, but its address does. */
Test(relay_host_iterator, stops_at_an_own_address)
{
	struct resolver_address other = address("198.41.0.1");
	struct resolver_address own[] = {address("198.41.0.2"), address("198.41.0.9")};
	struct resolver_address inside = address("127.0.0.1");
	struct conf *c = routes_of(""),
	            *named = routes_of("routes: ( { via = \"mx\"; allow_private = true; } );");
	struct host_iterator it;
	struct resolved_destination s;

	make_destination(&s, c, 3);
	host_iterator_init(&it, &s);
	it.is_own = is_own;
	answer(&it, &other, 1);
	cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_CONNECT, "a better host is tried");
	fail(&it, 450, "4.2.0");
	cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_NEEDS_ADDRESSES);
	answer(&it, own, 2);
	cr_assert_eq(
	    host_iterator_step(&it), HOST_ITERATOR_EXHAUSTED, "neither we nor a worse one");
	cr_expect_eq(final_code(&it, "refused"), 450, "the better host may take it later");

	host_iterator_init(&it, &s);
	it.is_own = is_own;
	answer(&it, own, 2);
	cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_EXHAUSTED);
	cr_expect_eq(final_code(&it, "loop"), 554);

	host_iterator_init(&it, &s);
	it.is_own = is_own;
	answer(&it, &inside, 1);
	cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_NEEDS_ADDRESSES,
	    "skipped, the next host counts");
	answer(&it, &other, 1);
	cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_CONNECT);

	make_destination(&s, named, 1);
	host_iterator_init(&it, &s);
	it.is_own = is_own;
	answer(&it, own + 1, 1);
	cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_CONNECT, "the operator allows it");
	conf_drop(&c);
	conf_drop(&named);
}

Test(relay_host_iterator, an_mx_that_is_an_address_is_refused)
{
	struct conf *c = routes_of("");
	struct resolver_mx mx = {10, "198.41.0.1"};
	struct resolver_answer a = {RESOLVER_FOUND, .mx = &mx, .count = 1};
	struct host_iterator it;
	struct resolved_destination s;
	char room[NEXT_HOP_ROOM];

	cr_assert_eq(begin_domain(&s, c, STR("b.test"), room), RESOLVED_NEEDS_MX);
	resolved_take_mx(&s, c->hostname, &a);
	host_iterator_init(&it, &s);
	cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_EXHAUSTED);
	cr_expect_eq(final_code(&it, "dns"), 550);
	conf_drop(&c);
}

Test(relay_host_iterator, tls_falls_back_only_where_it_may)
{
	static const struct {
		const char *routes;
		bool falls_back;
		enum smtp_client_tls first;
	} cases[] = {{"", true, SMTP_CLIENT_TLS_IF_OFFERED},
	    {"routes: ( { via = \"mx\"; tls = \"encrypt\"; } );", false, SMTP_CLIENT_TLS_REQUIRED},
	    {"routes: ( { via = \"mx\"; tls = \"verify\"; } );", false, SMTP_CLIENT_TLS_REQUIRED},
	    {"routes: ( { via = \"mx\"; tls = \"none\"; } );", false, SMTP_CLIENT_TLS_NEVER}};
	struct smtp_status why = smtp_status_make(451, "4.7.5", "no");

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct conf *c = routes_of(cases[i].routes);
		struct resolver_address a = address("198.41.0.1");
		struct host_iterator it;
		struct resolved_destination s;

		make_destination(&s, c, 1);
		host_iterator_init(&it, &s);
		answer(&it, &a, 1);
		cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_CONNECT);
		cr_expect_eq(host_iterator_tls(&it), cases[i].first, "%zu", i);
		host_iterator_tls_failed(&it, &why, "opportunistic:handshake");
		if (cases[i].falls_back) {
			cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_CONNECT);
			cr_expect_eq(host_iterator_tls(&it), SMTP_CLIENT_TLS_NEVER);
			host_iterator_tls_failed(&it, &why, "opportunistic:handshake");
		}
		cr_assert_eq(host_iterator_step(&it), HOST_ITERATOR_EXHAUSTED, "%zu", i);
		cr_expect_eq(final_code(&it, "tls"), 451);
		conf_drop(&c);
	}
}

Test(relay_host_iterator, tries_are_bounded)
{
	struct resolver_address a[HOST_ITERATOR_ADDRESSES_MAX + 4];
	struct conf *c = routes_of("");
	struct host_iterator it;
	struct resolved_destination s;
	unsigned tries = 0;

	for (size_t i = 0; i < sizeof a / sizeof *a; i++)
		a[i] = address("198.41.0.1");
	make_destination(&s, c, 4);
	host_iterator_init(&it, &s);
	for (enum host_iterator_step next;
	     (next = host_iterator_step(&it)) != HOST_ITERATOR_EXHAUSTED;) {
		if (next == HOST_ITERATOR_NEEDS_ADDRESSES)
			answer(&it, a, sizeof a / sizeof *a);
		else
			fail(&it, 451, "4.4.1"), tries++;
	}
	cr_expect_eq(tries, HOST_ITERATOR_TRIES_MAX);
	conf_drop(&c);
}
