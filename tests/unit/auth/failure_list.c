/* guesses, limited: who has reached a limit, as the operator sees it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "auth/guesses.h"
#include "base/clock.h"
#include "base/mem.h"

enum { HOUR_MS = 60 * 60 * 1000 };

static struct role role;
static struct broker broker;

static void
guesses_set_up(void)
{
	struct conf_report report;

	conf_report_init(&report);
	role.conf = conf_read_text(
	    STR("hostname = \"mail.example.com\";\n"
	        "domains = ( { name = \"example.com\"; } );\n"
	        "auth: { failure_limit = \"2 / 1h\"; login_failure_limit = \"1000 / 1h\"; };\n"),
	    &report);
	cr_assert(role.conf, "%.*s", STR_ARG(buf_str(&report.text)));
	conf_report_clear(&report);
	role.is_ending = true; /* there is no main that could be told */
	broker = (struct broker){.role = &role,
	    .failures = failures_new(),
	    .limited = MEM_NEW(struct limited),
	    .blocks = blocks_new(NULL),
	    .places = places_new(),
	    .wrong = cache_new(),
	    .scram_failed = cache_new()};
	clock_fake(1000);
}

static void
guesses_tear_down(void)
{
	clock_fake(-1);
	failures_free(&broker.failures);
	mem_free(broker.limited);
	blocks_free(&broker.blocks);
	places_free(&broker.places);
	cache_free(&broker.wrong);
	cache_free(&broker.scram_failed);
	conf_drop(&role.conf);
}

TestSuite(guesses, .init = guesses_set_up, .fini = guesses_tear_down);

static void
begin(struct exchange *l, const char *user, const char *client)
{
	static const struct exchange_mechanism scram = {.name = "SCRAM-SHA-256"};

	*l = (struct exchange){.broker = &broker, .mechanism = &scram, .client = str_of(client)};
	l->claim.user_n = (size_t)snprintf(l->claim.user, sizeof l->claim.user, "%s", user);
	l->network = claim_network(l->client, l->network_bytes);
}

/* A SCRAM login with a proof that is wrong, unless a limit refuses it first. */
static enum guesses_limit
guess(const char *user, const char *client)
{
	enum guesses_limit limit;
	struct exchange l;

	begin(&l, user, client);
	limit = guesses_limit(&l);
	if (limit == GUESSES_WITHIN)
		(void)guesses_count(&l);
	else
		guesses_note_refused(&l, limit);
	return limit;
}

static void
succeed(const char *user, const char *client)
{
	struct exchange l;

	begin(&l, user, client);
	guesses_note_success(&l);
}

/* The entry of the network of that address, or NULL. */
static const struct limited_entry *
of_network(const char *client)
{
	char bytes[CLAIM_NETWORK_BYTES];

	return limited_find(
	    broker.limited, FAILURES_OF_NETWORK, claim_network(str_of(client), bytes));
}

/* After the limit has lapsed the next time beyond it begins with its own start and count. */
Test(guesses, a_limit_that_is_reached_again_begins_anew)
{
	const struct limited_entry *e;

	for (int i = 0; i < 5; i++)
		guess("bob@example.com", "203.0.113.7");
	e = of_network("203.0.113.7");
	cr_assert(e);
	cr_expect_eq(e->since_ms, 1000);
	cr_expect_eq(e->refused.count, 3);
	clock_fake(1000 + 2 * HOUR_MS);
	guess("carol@example.com", "203.0.113.7");
	cr_expect_eq(e->since_ms, 1000, "one failure is within the limit");
	for (int i = 0; i < 2; i++)
		guess("carol@example.com", "203.0.113.7");
	cr_assert_eq(of_network("203.0.113.7"), e);
	cr_expect_eq(e->since_ms, 1000 + 2 * HOUR_MS);
	cr_expect_eq(e->refused.count, 1);
	cr_expect_str_eq(e->refused.last_user, "carol@example.com");
}

/* What is refused all the time is known for as long as that goes on, whenever it began. */
Test(guesses, the_least_recently_refused_is_forgotten)
{
	for (int n = 0; n < LIMITED_MAX; n++) {
		char client[20];

		clock_fake(2000 + n);
		snprintf(client, sizeof client, "192.0.2.%d", n);
		for (int i = 0; i < 2; i++)
			guess(i ? "bob@example.com" : "carol@example.com", client);
		guess("dora@example.com", "192.0.2.0");
	}
	guess("bob@example.com", "198.51.100.1");
	guess("carol@example.com", "198.51.100.1");
	cr_expect(of_network("192.0.2.0"), "it was refused a moment ago");
	cr_expect(of_network("198.51.100.1"));
	cr_expect(of_network("192.0.2.255"));
	cr_expect_null(of_network("192.0.2.1"));
	cr_expect(of_network("192.0.2.2"));
}

/* ---- where a login is usual ---- */

static const struct limited_entry *
of_place(const char *user)
{
	for (size_t i = 0; i < LIMITED_MAX; i++)
		if (broker.limited->entry[i].what == FAILURES_OF_PLACE &&
		    strcmp(broker.limited->entry[i].user, user) == 0)
			return &broker.limited->entry[i];
	return NULL;
}

/* The /24 is one place: its addresses have one limit together, and other places another. */
Test(guesses, from_all_addresses_of_a_usual_place_have_one_limit)
{
	char network[NETWORK_TEXT_BYTES];

	succeed("bob@example.com", "192.0.2.1");
	succeed("bob@example.com", "198.51.100.1");
	succeed("carol@example.com", "192.0.2.1");
	cr_expect_eq(guess("bob@example.com", "192.0.2.10"), GUESSES_WITHIN);
	cr_expect_eq(guess("bob@example.com", "192.0.2.11"), GUESSES_WITHIN);
	for (int n = 12; n < 256; n++) {
		char client[20];

		snprintf(client, sizeof client, "192.0.2.%d", n);
		cr_expect_eq(guess("bob@example.com", client), GUESSES_PLACE, "%s", client);
	}
	cr_assert(of_place("bob@example.com"));
	cr_expect_str_eq(
	    network_text(&of_place("bob@example.com")->network, network), "192.0.2.0/24");
	cr_expect_eq(of_place("bob@example.com")->refused.count, 244);
	cr_expect_eq(guess("bob@example.com", "198.51.100.2"), GUESSES_WITHIN);
	cr_expect_eq(guess("carol@example.com", "192.0.2.2"), GUESSES_WITHIN);
}

/* A place of IPv6 is the /64 that a client counts as anyway. */
Test(guesses, from_a_usual_place_of_ipv6_have_the_limit_of_its_64)
{
	char network[NETWORK_TEXT_BYTES];

	succeed("bob@example.com", "2001:db8:1:2::1");
	succeed("bob@example.com", "2001:db8:1:3::1");
	cr_expect_eq(guess("bob@example.com", "2001:db8:1:2::10"), GUESSES_WITHIN);
	cr_expect_eq(guess("bob@example.com", "2001:db8:1:2::11"), GUESSES_WITHIN);
	cr_expect_eq(guess("bob@example.com", "2001:db8:1:2::12"), GUESSES_PLACE);
	cr_expect_eq(guess("bob@example.com", "2001:db8:1:3::12"), GUESSES_WITHIN);
	cr_assert(of_place("bob@example.com"));
	cr_expect_str_eq(
	    network_text(&of_place("bob@example.com")->network, network), "2001:db8:1:2::/64");
}

/* Failures of a login that was new there do not refuse it once it has succeeded there. */
Test(guesses, of_a_new_login_are_not_of_its_place)
{
	cr_expect_eq(guess("bob@example.com", "192.0.2.10"), GUESSES_WITHIN);
	cr_expect_eq(guess("bob@example.com", "192.0.2.11"), GUESSES_WITHIN);
	cr_expect_eq(guess("bob@example.com", "192.0.2.12"), GUESSES_WITHIN);
	cr_expect_null(of_place("bob@example.com"), "nothing is refused by it");
	succeed("bob@example.com", "192.0.2.1");
	cr_expect_eq(guess("bob@example.com", "192.0.2.1"), GUESSES_WITHIN);
}

/* A place that was forgotten at its limit, and is usual again, has a new limit. */
Test(guesses, of_a_forgotten_place_are_forgotten)
{
	succeed("bob@example.com", "192.0.2.1");
	(void)guess("bob@example.com", "192.0.2.10");
	(void)guess("bob@example.com", "192.0.2.11");
	cr_expect_eq(guess("bob@example.com", "192.0.2.12"), GUESSES_PLACE);
	succeed("bob@example.com", "192.0.2.1");
	cr_expect_eq(
	    guess("bob@example.com", "192.0.2.12"), GUESSES_PLACE, "it was usual all the time");
	places_forget(broker.places, STR("bob@example.com"));
	succeed("bob@example.com", "192.0.2.1");
	cr_expect_eq(guess("bob@example.com", "192.0.2.12"), GUESSES_WITHIN);
}
