/*
 * Conversations between Cyrus' own client and our server half: every mechanism, its good case and
 * what must be refused.
 */
#include <criterion/criterion.h>
#include <sasl/sasl.h>
#include <sasl/saslutil.h>

#include "auth/sasl.h"
#include "unit/auth/client.h"

static struct secret alice;
static char alice_text[SECRET_TEXT_BYTES];

static void
set_up(void)
{
	cr_assert_eq(sasl_talk_prepare(), 0);
	cr_assert_eq(sasl_client_init(NULL), SASL_OK);
	cr_assert(secret_make(STR("wonderland"), 4096, &alice));
	secret_text(&alice, alice_text);
}

TestSuite(sasl, .init = set_up);

static struct sasl_login
exchange_of(const char *mechanism)
{
	return (struct sasl_login){.mechanism = str_of(mechanism), .hostname = STR("mx.test"),
	    .user = STR("alice"), .secret = str_of(alice_text)};
}

/* The password mechanisms, straight. */
static const struct {
	const char *mechanism;
	struct str first, second;
	enum sasl_result result;
} checks[] = {
    {"PLAIN", STR("\0alice\0wonderland"), STR(""), SASL_TALK_YES},
    {"PLAIN", STR("\0Alice\0wonderland"), STR(""), SASL_TALK_YES},
    {"PLAIN", STR("alice\0alice\0wonderland"), STR(""), SASL_TALK_YES},
    {"PLAIN", STR("ALICE\0alice\0wonderland"), STR(""), SASL_TALK_YES},
    {"PLAIN", STR("bob\0alice\0wonderland"), STR(""), SASL_TALK_NO},
    {"PLAIN", STR("\0alice\0Wonderland"), STR(""), SASL_TALK_NO},
    {"PLAIN", STR("\0alice\0wonderland\0"), STR(""), SASL_TALK_NO},
    {"PLAIN", STR("\0bob\0wonderland"), STR(""), SASL_TALK_NO},
    {"PLAIN", STR("\0alice"), STR(""), SASL_TALK_NO},
    {"PLAIN", STR("x"), STR(""), SASL_TALK_NO},
    {"LOGIN", STR("alice"), STR("wonderland"), SASL_TALK_YES},
    {"LOGIN", STR("ALICE"), STR("wonderland"), SASL_TALK_YES},
    {"LOGIN", STR("alice"), STR("x"), SASL_TALK_NO},
    {"LOGIN", STR("bob"), STR("wonderland"), SASL_TALK_NO},
    {"PLAIN-PLUS", STR("\0alice\0wonderland"), STR(""), SASL_TALK_BROKEN},
    {"plain", STR("\0alice\0wonderland"), STR(""), SASL_TALK_BROKEN},
    {"CRAM-MD5", STR("alice"), STR(""), SASL_TALK_BROKEN},
    {"ANONYMOUS", STR("alice"), STR(""), SASL_TALK_BROKEN},
    {"", STR("\0alice\0wonderland"), STR(""), SASL_TALK_BROKEN},
};

Test(sasl, password_checks)
{
	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
		struct sasl_login login = exchange_of(checks[i].mechanism);

		cr_assert_eq(sasl_talk_check(&login, checks[i].first, checks[i].second),
		    checks[i].result, "case %zu", i);
	}
}

Test(sasl, a_damaged_secret_is_no_wrong_password)
{
	struct sasl_login login = exchange_of("PLAIN");

	login.secret = STR("SCRAM-SHA-256$nonsense");
	cr_assert_eq(sasl_talk_check(&login, STR("\0alice\0wonderland"), STR("")), SASL_TALK_BROKEN);
}

/* A whole SCRAM conversation with the library's client. */
static enum sasl_result
converse(const struct sasl_login *login, const struct client_wish *wish)
{
	struct client *c = client_new(wish);
	struct str message = client_first(c), challenge;
	enum sasl_result result;
	struct sasl_talk *t = sasl_talk_begin(login, message, &result, &challenge);
	int rounds = 0;

	while (result == SASL_TALK_GO_ON && rounds++ < 5) {
		if (!client_next(c, challenge, &message)) {
			result = SASL_TALK_BROKEN;
			break;
		}
		result = sasl_talk_step(t, message, &challenge);
	}
	sasl_talk_end(&t);
	client_free(&c);
	return result;
}

#define BINDING "0123456789abcdef0123456789abcdef"
#define TAMPERED "0123456789abcdef0123456789abcdeF"

static const struct {
	const char *mechanism;
	const char *binding;    /* of the server's TLS session */
	bool plus_offered;
	struct client_wish wish;
	enum sasl_result result;
} talks[] = {
    {"SCRAM-SHA-256", "", false, {.user = "alice", .password = "wonderland"}, SASL_TALK_YES},
    {"SCRAM-SHA-256", "", false, {.user = "Alice", .password = "wonderland"}, SASL_TALK_YES},
    {"SCRAM-SHA-256", "", false, {.user = "alice", .password = "x"}, SASL_TALK_NO},
    {"SCRAM-SHA-256", "", false, {.user = "bob", .password = "wonderland"}, SASL_TALK_NO},
    {"SCRAM-SHA-256", "", false, {.user = "alice", .password = "wonderland", .as = "bob"},
	SASL_TALK_NO},
    {"SCRAM-SHA-256", BINDING, true, {.user = "alice", .password = "wonderland"}, SASL_TALK_YES},
    {"SCRAM-SHA-256-PLUS", BINDING, true,
	{.user = "alice", .password = "wonderland", .binding = BINDING, .type = "tls-exporter"},
	SASL_TALK_YES},
    {"SCRAM-SHA-256-PLUS", BINDING, true,
	{.user = "alice", .password = "x", .binding = BINDING, .type = "tls-exporter"},
	SASL_TALK_NO},
    {"SCRAM-SHA-256-PLUS", BINDING, true,
	{.user = "alice", .password = "wonderland", .binding = TAMPERED, .type = "tls-exporter"},
	SASL_TALK_NO},
    {"SCRAM-SHA-256-PLUS", BINDING, true,
	{.user = "alice", .password = "wonderland", .binding = BINDING, .type = "tls-unique"},
	SASL_TALK_NO},
    {"SCRAM-SHA-256-PLUS", "", false,
	{.user = "alice", .password = "wonderland", .binding = BINDING, .type = "tls-exporter"},
	SASL_TALK_NO},
};

Test(sasl, scram_talks)
{
	for (size_t i = 0; i < sizeof talks / sizeof *talks; i++) {
		struct sasl_login login = exchange_of(talks[i].mechanism);

		login.binding = str_of(talks[i].binding);
		login.plus_offered = talks[i].plus_offered;
		cr_assert_eq(converse(&login, &talks[i].wish), talks[i].result, "case %zu", i);
	}
}

/* What no client of good will says first. */
static const struct {
	const char *mechanism, *first;
	bool plus_offered;
} refused[] = {
    {"SCRAM-SHA-256-PLUS", "n,,n=alice,r=abcdef", true},
    {"SCRAM-SHA-256-PLUS", "y,,n=alice,r=abcdef", true},
    {"SCRAM-SHA-256-PLUS", "p=tls-unique,,n=alice,r=abcdef", true},
    {"SCRAM-SHA-256", "y,,n=alice,r=abcdef", true},
    {"SCRAM-SHA-256", "p=tls-exporter,,n=alice,r=abcdef", true},
    {"SCRAM-SHA-256", "n,,n=bob,r=abcdef", false},
    {"SCRAM-SHA-256", "", false},
};

Test(sasl, first_messages_refused)
{
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct sasl_login login = exchange_of(refused[i].mechanism);
		enum sasl_result result;
		struct str challenge;

		login.binding = STR(BINDING);
		login.plus_offered = refused[i].plus_offered;
		cr_assert_null(sasl_talk_begin(&login, str_of(refused[i].first), &result, &challenge));
		cr_assert_eq(result, SASL_TALK_NO, "case %zu", i);
		cr_assert_eq(challenge.n, 0);
	}
}

Test(sasl, y_without_an_offer_is_accepted)
{
	struct sasl_login login = exchange_of("SCRAM-SHA-256");
	enum sasl_result result;
	struct str challenge;
	struct sasl_talk *t = sasl_talk_begin(&login, STR("y,,n=alice,r=abcdef"), &result, &challenge);

	cr_assert_eq(result, SASL_TALK_GO_ON);
	cr_assert(str_starts(challenge, STR("r=abcdef")));
	sasl_talk_end(&t);
}

Test(sasl, a_talk_that_failed_says_no_for_ever)
{
	struct sasl_login login = exchange_of("SCRAM-SHA-256");
	enum sasl_result result;
	struct str challenge;
	struct sasl_talk *t = sasl_talk_begin(&login, STR("n,,n=alice,r=abcdef"), &result, &challenge);

	cr_assert_eq(result, SASL_TALK_GO_ON);
	cr_assert_eq(sasl_talk_step(t, STR("c=biws,r=altered,p=AAAA"), &challenge), SASL_TALK_NO);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(sasl_talk_step(t, STR(""), &challenge), SASL_TALK_NO);
	sasl_talk_end(&t);
}
