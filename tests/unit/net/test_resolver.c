/*
 * resolver: against a real server with signed, unsigned and falsified zones.
 */
#include "net/resolver.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/clock.h"
#include "zones.h"

struct result {
	struct resolver_answer a;
	struct resolver_mx mx[RESOLVER_MX_MAX];
	struct resolver_address addresses[RESOLVER_ADDRESSES_MAX];
	unsigned count;
	struct resolver *free_in_answer;
};

static void
on_result(const struct resolver_answer *a, void *arg)
{
	struct result *h = arg;

	h->count++;
	h->a = *a;
	if (a->mx)
		memcpy(h->mx, a->mx, a->count * sizeof *a->mx);
	if (a->addresses)
		memcpy(h->addresses, a->addresses, a->count * sizeof *a->addresses);
	if (h->free_in_answer)
		resolver_free(&h->free_in_answer);
}

static void
wait_for(struct event_base *base, const struct result *h)
{
	int64_t end = clock_mono_ms() + 15000;
	struct timeval most = {0, 50000};

	cr_assert(h->count == 0, "never from inside a call");
	while (h->count == 0 && clock_mono_ms() < end) {
		event_base_loopexit(base, &most);
		event_base_loop(base, EVLOOP_ONCE);
	}
	cr_assert(h->count == 1, "no answer");
}

static struct resolver *
open_resolver_as(struct event_base *base, enum conf_dnssec dnssec, const struct conf_strs *insecure)
{
	static char at[64];
	struct str server;
	struct resolver_setup setup = {.base = base,
	    .servers = &server,
	    .server_count = 1,
	    .dnssec = dnssec,
	    .anchor = zones_anchor(),
	    .insecure_zones = insecure};
	struct resolver *r;

	snprintf(at, sizeof at, "127.0.0.1@%s", zones.port);
	server = str_of(at);
	r = resolver_new(&setup);
	cr_assert(r);
	return r;
}

static struct resolver *
open_resolver(struct event_base *base)
{
	return open_resolver_as(base, DNSSEC_AUTO, NULL);
}

TestSuite(resolver, .init = zones_up, .fini = zones_down, .timeout = 120);
TestSuite(resolver_alone, .init = zones_make_dir, .fini = zones_remove_dir, .timeout = 120);

static const struct {
	const char *name;
	bool mx;
	enum resolver_outcome outcome;
	bool is_secure;
	size_t count;
	const char *first; /* host of the first MX; "": not checked */
} outcome_rows[] = {
    {"example.test", true, RESOLVER_FOUND, true, 3, ""},
    {"EXAMPLE.TEST", true, RESOLVER_FOUND, true, 3, ""},
    {"example.test.", true, RESOLVER_FOUND, true, 3, ""},
    {"null.example.test", true, RESOLVER_FOUND, true, 1, ""},
    {"aliasmx.example.test", true, RESOLVER_FOUND, true, 1, ""},
    {"text.example.test", true, RESOLVER_NO_DATA, true, 0, ""},
    {"nx.example.test", true, RESOLVER_NO_NAME, true, 0, ""},
    {"many.example.test", true, RESOLVER_FOUND, true, RESOLVER_MX_MAX,
        "host149.example.test"},
    {"odd.example.test", true, RESOLVER_FAILED, true, 0, ""},
    {"loop1.example.test", true, RESOLVER_FAILED, false, 0, ""},
    {"plain.test", true, RESOLVER_FOUND, false, 3, ""},
    {"nx.plain.test", true, RESOLVER_NO_NAME, false, 0, ""},
    {"broken.test", true, RESOLVER_BOGUS, false, 0, ""},
    {"nx.broken.test", true, RESOLVER_BOGUS, false, 0, ""},
    {"elsewhere.example", true, RESOLVER_FAILED, false, 0, ""},
    {"a..example.test", true, RESOLVER_NO_NAME, false, 0, ""},
    {"mx1.example.test", false, RESOLVER_FOUND, true, 3, ""},
    {"alias.example.test", false, RESOLVER_FOUND, true, 3, ""},
    {"v4.example.test", false, RESOLVER_FOUND, true, 1, ""},
    {"v6.example.test", false, RESOLVER_FOUND, true, 1, ""},
    {"private.example.test", false, RESOLVER_FOUND, true, 2, ""},
    {"crowd.example.test", false, RESOLVER_FOUND, true, RESOLVER_ADDRESSES_MAX, ""},
    {"text.example.test", false, RESOLVER_NO_DATA, true, 0, ""},
    {"nx.example.test", false, RESOLVER_NO_NAME, true, 0, ""},
    {"loop2.example.test", false, RESOLVER_FAILED, false, 0, ""},
    {"mx1.plain.test", false, RESOLVER_FOUND, false, 3, ""},
    {"mx1.broken.test", false, RESOLVER_BOGUS, false, 0, ""},
};

Test(resolver, outcomes)
{
	struct event_base *base = event_base_new();
	struct resolver *r = open_resolver(base);

	/* twice: a cached answer comes from inside the call of libunbound, but not from inside
	 * ours */
	for (size_t i = 0; i < 2 * sizeof outcome_rows / sizeof *outcome_rows; i++) {
		size_t k = i % (sizeof outcome_rows / sizeof *outcome_rows);
		struct str name = str_of(outcome_rows[k].name);
		struct result h = {0};

		if (outcome_rows[k].mx)
			resolver_ask_mx(r, name, on_result, &h);
		else
			resolver_ask_addresses(r, name, on_result, &h);
		wait_for(base, &h);
		cr_assert(h.a.outcome == outcome_rows[k].outcome, "%s: %d", name.p,
		    (int)h.a.outcome);
		cr_assert(h.a.is_secure == outcome_rows[k].is_secure, "%s", name.p);
		cr_assert(h.a.count == outcome_rows[k].count, "%s: %zu", name.p, h.a.count);
		cr_assert(h.a.ttl_s >= 1 && h.a.ttl_s <= 3600, "%s: %u", name.p, h.a.ttl_s);
		if (*outcome_rows[k].first)
			cr_assert(strcmp(h.mx[0].host, outcome_rows[k].first) == 0, "%s",
			    h.mx[0].host);
		for (size_t n = 1; outcome_rows[k].mx && n < h.a.count; n++)
			cr_assert(h.mx[n - 1].preference <= h.mx[n].preference);
	}
	resolver_free(&r);
	event_base_free(base);
}

Test(resolver, content_of_answers)
{
	struct event_base *base = event_base_new();
	struct resolver *r = open_resolver(base);
	bool first_was[2] = {false, false};
	struct result h;

	for (int i = 0; i < 64; i++) {
		h = (struct result){0};
		resolver_ask_mx(r, STR("example.test"), on_result, &h);
		wait_for(base, &h);
		cr_assert(
		    strcmp(h.mx[2].host, "mx3.example.test") == 0 && h.mx[2].preference == 20);
		cr_assert(strncmp(h.mx[0].host, "mx", 2) == 0, "lower case");
		first_was[h.mx[0].host[2] - '1'] = true;
	}
	cr_assert(first_was[0] && first_was[1], "equal preferences take turns");
	h = (struct result){0};
	resolver_ask_mx(r, STR("null.example.test"), on_result, &h);
	wait_for(base, &h);
	cr_assert(h.mx[0].host[0] == '\0' && h.mx[0].preference == 0);
	h = (struct result){0};
	resolver_ask_addresses(r, STR("crowd.example.test"), on_result, &h);
	wait_for(base, &h);
	for (size_t i = 0; i < h.a.count; i++)
		cr_assert(h.addresses[i].sa.ss_family == (i % 2 ? AF_INET : AF_INET6));
	h = (struct result){0};
	resolver_ask_addresses(r, STR("long.example.test"), on_result, &h);
	wait_for(base, &h);
	cr_assert(h.a.ttl_s <= 3600);
	h = (struct result){0};
	resolver_ask_addresses(r, STR("zero.example.test"), on_result, &h);
	wait_for(base, &h);
	cr_assert(h.a.ttl_s == 1);
	resolver_free(&r);
	event_base_free(base);
}

static struct resolver_answer
ask_once(struct resolver *r, struct event_base *base, const char *domain)
{
	struct result h = {0};

	resolver_ask_mx(r, str_of(domain), on_result, &h);
	wait_for(base, &h);
	return h.a;
}

Test(resolver, outcomes_of_validation)
{
	struct str zone = STR("v4.broken.test"); /* below an anchor, as an internal zone is */
	struct conf_strs insecure = {&zone, 1};
	const struct {
		enum conf_dnssec dnssec;
		const struct conf_strs *insecure;
		const char *domain;
		enum resolver_outcome outcome;
		bool is_secure;
	} cases[] = {
	    {DNSSEC_AUTO, NULL, "example.test", RESOLVER_FOUND, true},
	    {DNSSEC_AUTO, NULL, "broken.test", RESOLVER_BOGUS, false},
	    {DNSSEC_REQUIRE, NULL, "example.test", RESOLVER_FOUND, true},
	    {DNSSEC_REQUIRE, NULL, "broken.test", RESOLVER_BOGUS, false},
	    {DNSSEC_OFF, NULL, "example.test", RESOLVER_FOUND, false},
	    {DNSSEC_OFF, NULL, "broken.test", RESOLVER_FOUND, false},
	    {DNSSEC_AUTO, &insecure, "broken.test", RESOLVER_BOGUS, false},
	    {DNSSEC_AUTO, &insecure, "v4.broken.test", RESOLVER_NO_DATA, false},
	    {DNSSEC_REQUIRE, &insecure, "v4.broken.test", RESOLVER_NO_DATA, false},
	    {DNSSEC_AUTO, &insecure, "example.test", RESOLVER_FOUND, true},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct event_base *base = event_base_new();
		struct resolver *r = open_resolver_as(base, cases[i].dnssec, cases[i].insecure);
		struct resolver_answer a = ask_once(r, base, cases[i].domain);
		struct resolver_server s;

		cr_expect(a.outcome == cases[i].outcome && a.is_secure == cases[i].is_secure,
		    "row %zu: %d %d", i, a.outcome, a.is_secure);
		cr_assert(resolver_server(r, 0, &s) && !resolver_server(r, 1, &s));
		if (cases[i].dnssec == DNSSEC_OFF)
			cr_expect_str_eq(s.dnssec, "off");
		else if (cases[i].dnssec == DNSSEC_AUTO)
			cr_expect_str_eq(s.dnssec, "validated");
		cr_expect(resolver_is_idle(r));
		resolver_free(&r);
		event_base_free(base);
	}
}

static bool
is_silent(const struct resolver *r)
{
	struct resolver_server s;

	cr_assert(resolver_server(r, 0, &s));
	return s.silent_since_ms != 0;
}

/* After a failure the next server is asked, whose negative answer does not count. */
Test(resolver, the_next_server_is_asked_after_a_failure)
{
	struct event_base *base = event_base_new();
	char good[64];
	/* nothing listens on the first one */
	struct str servers[] = {STR("127.0.0.1@9"), STR_NULL};
	struct resolver *r;

	snprintf(good, sizeof good, "127.0.0.1@%s", zones.port);
	servers[1] = str_of(good);
	r = resolver_new(&(struct resolver_setup){
	    .base = base, .servers = servers, .server_count = 2, .anchor = zones_anchor()});
	cr_assert(r);
	cr_expect_eq(ask_once(r, base, "example.test").outcome, RESOLVER_FOUND);
	cr_expect_eq(ask_once(r, base, "nx.example.test").outcome, RESOLVER_FAILED);
	cr_expect_eq(ask_once(r, base, "broken.test").outcome, RESOLVER_BOGUS);
	cr_expect_eq(ask_once(r, base, "elsewhere.example").outcome, RESOLVER_FAILED);
	cr_expect(is_silent(r), "that it comes last is what made the others quick");
	resolver_free(&r);
	event_base_free(base);
}

Test(resolver, may_be_freed_in_an_answer)
{
	struct event_base *base = event_base_new();
	struct result h = {.free_in_answer = open_resolver(base)}, never = {0};

	resolver_ask_mx(h.free_in_answer, STR("x.elsewhere.example"), on_result, &never);
	resolver_ask_mx(h.free_in_answer, STR("localhost"), on_result, &h);
	wait_for(base, &h);
	event_base_loop(base, EVLOOP_NONBLOCK);
	cr_assert(never.count == 0);
	event_base_free(base);
}

Test(resolver_alone, cancelled_queries_have_no_callback)
{
	struct event_base *base = event_base_new();
	/* a server that is validated in any case needs no check */
	struct resolver *r = open_resolver_as(base, DNSSEC_REQUIRE, NULL);
	struct result never = {0}, last = {0};
	struct resolver_query *open, *known;

	open = resolver_ask_addresses(r, STR("x.example.test"), on_result, &never);
	known = resolver_ask_mx(r, STR("localhost"), on_result, &never);
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	never.count = 0;
	known = resolver_ask_mx(r, STR("localhost"), on_result, &never);
	resolver_cancel(&known);
	resolver_cancel(&open);
	cr_assert(!open && !known);
	resolver_ask_mx(r, STR("localhost"), on_result, &last);
	wait_for(base, &last);
	cr_assert(never.count == 0);
	resolver_ask_mx(r, STR("y.example.test"), on_result, &never);
	resolver_free(&r);
	event_base_loop(base, EVLOOP_NONBLOCK);
	cr_assert(never.count == 0, "open queries end without an answer");
	event_base_free(base);
}

Test(resolver_alone, a_server_without_an_answer_is_a_temporary_failure)
{
	struct event_base *base = event_base_new();
	struct resolver *r = open_resolver(base);
	struct result h = {0};
	int64_t end = clock_mono_ms() + RESOLVER_DEADLINE_MS + 5000;
	struct timeval most = {0, 100000};

	resolver_ask_addresses(r, STR("x.example.test"), on_result, &h);
	while (h.count == 0 && clock_mono_ms() < end) {
		event_base_loopexit(base, &most);
		event_base_loop(base, EVLOOP_ONCE);
	}
	cr_assert(h.count == 1);
	cr_assert(h.a.outcome == RESOLVER_TIMEOUT || h.a.outcome == RESOLVER_FAILED);
	while (!is_silent(r) && clock_mono_ms() < end) {
		event_base_loopexit(base, &most);
		event_base_loop(base, EVLOOP_ONCE);
	}
	cr_expect(is_silent(r));
	resolver_free(&r);
	event_base_free(base);
}

static struct resolver *
resolver_with(struct event_base *base, struct str server, struct str anchor)
{
	return resolver_new(&(struct resolver_setup){.base = base,
	    .servers = &server,
	    .server_count = server.n > 0,
	    .anchor = anchor});
}

Test(resolver_alone, configurations_that_cannot_work)
{
	struct event_base *base = event_base_new();
	static const char *const bad[] = {
	    "", "; nothing but words\n\n", "$TTL 60\n",
	    "this is no trust anchor\n", "example. IN DS 1 8 2 (", ". DS"};
	char long_line[70000];

	cr_assert(!resolver_with(base, STR(""), STR_NULL));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_assert(!resolver_with(base, STR(""), str_of(bad[i])), "row %zu", i);
	memset(long_line, 'x', sizeof long_line);
	cr_assert(!resolver_with(base, STR(""), str_make(long_line, sizeof long_line)));
	cr_assert(!resolver_with(base, STR("nonsense"), zones_anchor()));
	event_base_free(base);
}

Test(resolver_alone, a_link_local_address)
{
	struct event_base *base = event_base_new();
	struct resolver *r = resolver_with(base, STR("fe80::1%1@53"), zones_anchor());

	cr_assert(r);
	resolver_free(&r);
	event_base_free(base);
}

/* As administrators and tools write zone files. */
Test(resolver_alone, anchors_that_are_well_formed)
{
	static const char *const good[] = {
	    ". IN DS 20326 8 2 "
	    "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
	    ".\t86400\tIN DS 20326 8 2 ( ; a comment (with\r\n"
	    " E06D44B80B8F1D39A95C0B0D7C65D084\n 58E880409BBC683457104237C7F8EC8D ) ; end\r\n"
	    "example. DS 1 8 2 "
	    "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D ;;state=2\n"};
	struct event_base *base = event_base_new();

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct resolver *r = resolver_with(base, STR(""), str_of(good[i]));

		cr_assert(r, "row %zu", i);
		resolver_free(&r);
	}
	event_base_free(base);
}
