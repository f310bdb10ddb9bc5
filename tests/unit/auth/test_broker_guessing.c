/* Limits on guessing: guesses from one network, and guesses from many networks at one login. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sasl/sasl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/ask.h"
#include "unit/auth/client.h"
#include "unit/auth/rig.h"

/* ---- guessing ---- */

Test(broker, guesses_are_delayed_then_refused, .timeout = 120)
{
	struct rig *r = rig_with_alice("failure_limit = \"3 / 1h\";", 1);
	struct message_auth_start other = {.session = 50, .mechanism = STR("PLAIN"),
	    .has_initial = true, .initial = GOOD, .client = STR("198.51.100.1"), .port = 465,
	    .tls = STR("TLSv1.3"), .hostname = STR("mx.test")};
	struct rig_answer late, quick;
	struct str wrong = WRONG, good = GOOD;

	rig_start(r, 2, "PLAIN", &wrong, &late);
	rig_start(r, 3, "LOGIN", NULL, &quick);
	rig_until(r, &late.is_done);
	cr_assert_eq(late.status.code, 535);
	cr_assert(quick.is_done && quick.order < late.order,
	    "only the answer to a wrong password is delayed");
	cr_assert_eq(rig_login(r, 4, "PLAIN", STR("\0alice@example.com\0y")), 535);
	cr_assert_eq(rig_login(r, 5, "PLAIN", STR("\0bob\0x")), 535);
	rig_start(r, 6, "PLAIN", &good, &quick);
	rig_until(r, &quick.is_done);
	cr_assert_eq(quick.status.code, 421, "the right password too");
	cr_assert_str_eq(quick.status.text, "Too many failed logins");
	rig_start_as(r, &other, &quick);
	rig_until(r, &quick.is_done);
	cr_assert_eq(quick.status.code, 235, "other networks are accepted");
	rig_free(&r);
}

/* All exchanges begin before the first one has failed: after the limit is reached every answer is
 * 421, also for the right password. */
Test(broker, parallel_guesses_are_refused, .timeout = 60)
{
	enum { MANY = 4 };
	static const struct client_options options[MANY] = {
	    {.user = "alice@example.com", .password = "x"},
	    {.user = "alice@example.com", .password = "y"},
	    {.user = "nobody", .password = "z"},
	    {.user = "alice@example.com", .password = "wonderland"}};
	struct rig *r = rig_with_alice("failure_limit = \"1 / 1h\";", 0);
	static struct client *clients[MANY];
	static struct rig_answer a[MANY];
	struct str message;

	cr_assert_eq(sasl_client_init(NULL), SASL_OK);
	for (unsigned i = 0; i < MANY; i++) {
		clients[i] = client_new(&options[i]);
		message = client_first(clients[i]);
		rig_start(r, 1 + i, "SCRAM-SHA-256", &message, &a[i]);
		rig_until(r, &a[i].is_done);
		cr_assert_eq(a[i].outcome, AUTH_CONTINUE);
	}
	for (unsigned i = 0; i < MANY; i++) {
		struct str challenge = str_make(a[i].challenge, a[i].challenge_n);

		cr_assert(client_next(clients[i], challenge, &message));
		rig_step(r, 1 + i, message, &a[i]);
	}
	for (unsigned i = 0; i < MANY; i++) {
		rig_until(r, &a[i].is_done);
		cr_assert_eq(a[i].status.code, i == 0 ? 535 : 421, "%u: %u", i, a[i].status.code);
		client_free(&clients[i]);
	}
	rig_free(&r);
}

/* ---- one login guessed from many networks ---- */

static void
guess_from(struct rig *r, uint64_t session, struct str initial, struct rig_answer *out)
{
	char client[32];
	int n = snprintf(client, sizeof client, "10.%u.%u.7", (unsigned)session / 256,
	    (unsigned)session % 256);
	struct message_auth_start m = {.session = session, .mechanism = STR("PLAIN"),
	    .has_initial = true, .initial = initial, .client = str_make(client, (size_t)n),
	    .port = 465, .tls = STR("TLSv1.3"), .hostname = STR("mx.test")};

	rig_start_as(r, &m, out);
}

static unsigned
login_code_from(struct rig *r, uint64_t session, struct str initial)
{
	struct rig_answer a;

	guess_from(r, session, initial, &a);
	rig_until(r, &a.is_done);
	return a.status.code;
}

/* Each of the 400 networks is below its own limit. After the login's limit the answers do not show
 * whether the guess was right; a usual network is still accepted at once, and so is every other
 * login. */
Test(broker, a_login_has_a_limit_over_all_networks, .timeout = 120)
{
	enum { MANY = 400, LIMIT = 4 };
	static struct rig_answer a[MANY];
	struct rig *r = rig_with_alice("cache = \"0s\"; login_failure_limit = \"4 / 1h\";", 1);
	unsigned checked = 0;
	char guess[64];

	cr_assert_eq(rig_login(r, 1000, "PLAIN", GOOD), 235, "from 203.0.113.7");
	for (unsigned i = 0; i < MANY; i++) {
		int n = snprintf(guess, sizeof guess, "%calice@example.com%cx%u", 0, 0, i);

		guess_from(r, 1 + i, str_make(guess, (size_t)n), &a[i]);
	}
	for (unsigned i = 0; i < MANY; i++) {
		rig_until(r, &a[i].is_done);
		checked += a[i].status.code == 535;
		cr_assert(a[i].status.code == 535 || a[i].status.code == 454, "%u: %u", i,
		    a[i].status.code);
	}
	cr_assert_eq(checked, LIMIT, "%u", checked);
	cr_assert_eq(login_code_from(r, 2000, GOOD), 454,
	    "a new network is refused, even with the password");
	cr_assert_eq(rig_login(r, 2001, "PLAIN", GOOD), 235, "a usual network is accepted");
	cr_assert_eq(login_code_from(r, 2002, STR("\0mallory\0pirate")), 535,
	    "other logins are not limited");
	rig_free(&r);
}

/* The limit is the same for a name without an account. */
Test(broker, an_unknown_login_is_limited_too, .timeout = 60)
{
	struct rig *r = rig_with_alice("login_failure_limit = \"2 / 1h\";", 1);

	cr_assert_eq(login_code_from(r, 1, STR("\0nobody\0a")), 535);
	cr_assert_eq(login_code_from(r, 2, STR("\0nobody\0b")), 535);
	cr_assert_eq(login_code_from(r, 3, STR("\0nobody\0c")), 454);
	rig_free(&r);
}

/* A program that sends an old password again and again does not lock its user out elsewhere. */
Test(broker, the_same_wrong_password_counts_once, .timeout = 60)
{
	struct rig *r = rig_with_alice("login_failure_limit = \"2 / 1h\";", 1);

	for (unsigned i = 1; i <= 4; i++)
		cr_assert_eq(login_code_from(r, i, WRONG), 535);
	cr_assert_eq(login_code_from(r, 5, GOOD), 235);
	cr_assert_eq(login_code_from(r, 6, STR("\0alice@example.com\0y")), 535);
	cr_assert_eq(login_code_from(r, 7, GOOD), 454);
	cr_assert_eq(login_code_from(r, 5, GOOD), 235, "where it succeeded before");
	rig_free(&r);
}

/* The limit also holds for passwords in the cache, and for SCRAM. */
Test(broker, a_limited_login_is_limited_in_every_mechanism, .timeout = 60)
{
	struct rig *r = rig_with_alice("login_failure_limit = \"1 / 1h\";", 1);
	struct message_auth_start m = {.session = 9,
	    .mechanism = STR("SCRAM-SHA-256"),
	    .has_initial = true,
	    .initial = STR("n,,n=alice@example.com,r=abc"),
	    .client = STR("10.9.9.9"),
	    .port = 465,
	    .tls = STR("TLSv1.3"),
	    .hostname = STR("mx.test")};
	struct rig_answer a;

	cr_assert_eq(login_code_from(r, 1, GOOD), 235);
	cr_assert_eq(login_code_from(r, 2, WRONG), 535);
	cr_assert_eq(login_code_from(r, 3, GOOD), 454);
	rig_start_as(r, &m, &a);
	rig_until(r, &a.is_done);
	cr_assert_eq(a.status.code, 454);
	rig_free(&r);
}
