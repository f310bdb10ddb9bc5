/* The list of networks and logins that have reached a limit, with the limits of guesses.h. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "auth/guesses.h"
#include "base/clock.h"
#include "base/mem.h"
#include "conf/read.h"

enum { HOUR_MS = 60 * 60 * 1000 };

static struct role role;
static struct broker broker;

static void
set_up_guesses(void)
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
	role.is_ending = true; /* there is no main that could get alerts */
	broker = (struct broker){.role = &role,
	    .failures = failures_new(),
	    .failure_list = MEM_NEW(struct failure_list),
	    .blocks = blocklist_new(NULL),
	    .usual_networks = usual_networks_new(),
	    .wrong_passwords = password_cache_new(),
	    .scram_failures = password_cache_new()};
	clock_fake(1000);
}

static void
tear_down_guesses(void)
{
	clock_fake(-1);
	failures_free(&broker.failures);
	mem_free(broker.failure_list);
	blocklist_free(&broker.blocks);
	usual_networks_free(&broker.usual_networks);
	password_cache_free(&broker.wrong_passwords);
	password_cache_free(&broker.scram_failures);
	conf_drop(&role.conf);
}

TestSuite(guesses, .init = set_up_guesses, .fini = tear_down_guesses);

static void
begin(struct auth_session *s, const char *user, const char *client)
{
	static const struct auth_session_mechanism scram = {.name = "SCRAM-SHA-256"};

	*s =
	    (struct auth_session){.broker = &broker, .mechanism = &scram, .client = str_of(client)};
	s->identity.user_n =
	    (size_t)snprintf(s->identity.user, sizeof s->identity.user, "%s", user);
	s->network = claimed_network(s->client, s->network_bytes);
}

/* A SCRAM login with a wrong proof, unless a limit refuses it before. */
static enum guesses_limit
guess(const char *user, const char *client)
{
	enum guesses_limit limit;
	struct auth_session s;

	begin(&s, user, client);
	limit = guesses_limit(&s);
	if (limit == GUESSES_WITHIN_LIMITS)
		(void)guesses_count(&s);
	else
		guesses_note_refused(&s, limit);
	return limit;
}

static void
succeed(const char *user, const char *client)
{
	struct auth_session s;

	begin(&s, user, client);
	guesses_note_success(&s);
}

/* The entry for the network of that address, or NULL. */
static const struct failure_list_entry *
network_entry(const char *client)
{
	char bytes[CLAIMED_NETWORK_BYTES];

	return failure_list_find(
	    broker.failure_list, FAILURES_OF_NETWORK, claimed_network(str_of(client), bytes));
}

/* After the block has ended, the next block has its own start and count. */
Test(guesses, a_second_block_has_its_own_start)
{
	const struct failure_list_entry *e;

	for (int i = 0; i < 5; i++)
		guess("bob@example.com", "203.0.113.7");
	e = network_entry("203.0.113.7");
	cr_assert(e);
	cr_expect_eq(e->since_ms, 1000);
	cr_expect_eq(e->refused.count, 3);
	clock_fake(1000 + 2 * HOUR_MS);
	guess("carol@example.com", "203.0.113.7");
	cr_expect_eq(e->since_ms, 1000, "one failure is within the limit");
	for (int i = 0; i < 2; i++)
		guess("carol@example.com", "203.0.113.7");
	cr_assert_eq(network_entry("203.0.113.7"), e);
	cr_expect_eq(e->since_ms, 1000 + 2 * HOUR_MS);
	cr_expect_eq(e->refused.count, 1);
	cr_expect_str_eq(e->refused.last_user, "carol@example.com");
}

/* An entry that is refused all the time stays in the list, however old it is. */
Test(guesses, the_least_recently_used_entry_is_replaced)
{
	for (int n = 0; n < FAILURE_LIST_MAX; n++) {
		char client[20];

		clock_fake(2000 + n);
		snprintf(client, sizeof client, "192.0.2.%d", n);
		for (int i = 0; i < 2; i++)
			guess(i ? "bob@example.com" : "carol@example.com", client);
		guess("dora@example.com", "192.0.2.0");
	}
	guess("bob@example.com", "198.51.100.1");
	guess("carol@example.com", "198.51.100.1");
	cr_expect(network_entry("192.0.2.0"), "it was refused a moment ago");
	cr_expect(network_entry("198.51.100.1"));
	cr_expect(network_entry("192.0.2.255"));
	cr_expect_null(network_entry("192.0.2.1"));
	cr_expect(network_entry("192.0.2.2"));
}

/* ---- usual networks ---- */

static const struct failure_list_entry *
login_entry(const char *user)
{
	for (size_t i = 0; i < FAILURE_LIST_MAX; i++)
		if (broker.failure_list->entry[i].kind == FAILURES_OF_LOGIN_AT_NETWORK &&
		    strcmp(broker.failure_list->entry[i].user, user) == 0)
			return &broker.failure_list->entry[i];
	return NULL;
}

/* The addresses of one /24 have one limit together; each other network has its own. */
Test(guesses, a_usual_network_has_one_limit)
{
	char network[NETWORK_TEXT_BYTES];

	succeed("bob@example.com", "192.0.2.1");
	succeed("bob@example.com", "198.51.100.1");
	succeed("carol@example.com", "192.0.2.1");
	cr_expect_eq(guess("bob@example.com", "192.0.2.10"), GUESSES_WITHIN_LIMITS);
	cr_expect_eq(guess("bob@example.com", "192.0.2.11"), GUESSES_WITHIN_LIMITS);
	for (int n = 12; n < 256; n++) {
		char client[20];

		snprintf(client, sizeof client, "192.0.2.%d", n);
		cr_expect_eq(
		    guess("bob@example.com", client), GUESSES_LOGIN_AT_NETWORK, "%s", client);
	}
	cr_assert(login_entry("bob@example.com"));
	cr_expect_str_eq(
	    network_text(&login_entry("bob@example.com")->network, network), "192.0.2.0/24");
	cr_expect_eq(login_entry("bob@example.com")->refused.count, 244);
	cr_expect_eq(guess("bob@example.com", "198.51.100.2"), GUESSES_WITHIN_LIMITS);
	cr_expect_eq(guess("carol@example.com", "192.0.2.2"), GUESSES_WITHIN_LIMITS);
}

/* A usual network of IPv6 is the /64 that is counted anyway. */
Test(guesses, a_usual_ipv6_network_is_a_64)
{
	char network[NETWORK_TEXT_BYTES];

	succeed("bob@example.com", "2001:db8:1:2::1");
	succeed("bob@example.com", "2001:db8:1:3::1");
	cr_expect_eq(guess("bob@example.com", "2001:db8:1:2::10"), GUESSES_WITHIN_LIMITS);
	cr_expect_eq(guess("bob@example.com", "2001:db8:1:2::11"), GUESSES_WITHIN_LIMITS);
	cr_expect_eq(guess("bob@example.com", "2001:db8:1:2::12"), GUESSES_LOGIN_AT_NETWORK);
	cr_expect_eq(guess("bob@example.com", "2001:db8:1:3::12"), GUESSES_WITHIN_LIMITS);
	cr_assert(login_entry("bob@example.com"));
	cr_expect_str_eq(
	    network_text(&login_entry("bob@example.com")->network, network), "2001:db8:1:2::/64");
}

/* Failures before a login has succeeded at a network do not count after it. */
Test(guesses, failures_before_a_success_do_not_count)
{
	cr_expect_eq(guess("bob@example.com", "192.0.2.10"), GUESSES_WITHIN_LIMITS);
	cr_expect_eq(guess("bob@example.com", "192.0.2.11"), GUESSES_WITHIN_LIMITS);
	cr_expect_eq(guess("bob@example.com", "192.0.2.12"), GUESSES_WITHIN_LIMITS);
	cr_expect_null(login_entry("bob@example.com"), "nothing is refused by it");
	succeed("bob@example.com", "192.0.2.1");
	cr_expect_eq(guess("bob@example.com", "192.0.2.1"), GUESSES_WITHIN_LIMITS);
}

/* A network that was forgotten at its limit, and is usual again, starts with no failures. */
Test(guesses, failures_of_a_forgotten_network_are_cleared)
{
	succeed("bob@example.com", "192.0.2.1");
	(void)guess("bob@example.com", "192.0.2.10");
	(void)guess("bob@example.com", "192.0.2.11");
	cr_expect_eq(guess("bob@example.com", "192.0.2.12"), GUESSES_LOGIN_AT_NETWORK);
	succeed("bob@example.com", "192.0.2.1");
	cr_expect_eq(guess("bob@example.com", "192.0.2.12"), GUESSES_LOGIN_AT_NETWORK,
	    "it was usual all the time");
	usual_networks_forget(broker.usual_networks, STR("bob@example.com"));
	succeed("bob@example.com", "192.0.2.1");
	cr_expect_eq(guess("bob@example.com", "192.0.2.12"), GUESSES_WITHIN_LIMITS);
}
