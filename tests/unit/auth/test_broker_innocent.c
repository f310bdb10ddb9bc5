/* Logins that are no guesses: mail programs with an old password, their neighbours behind one
 * address, programs that try several mechanisms, and networks that are not counted. */
#include <criterion/criterion.h>
#include <sasl/sasl.h>
#include <stdio.h>

#include "unit/auth/client.h"
#include "unit/auth/rig.h"

/* A network has failed too often: a login that succeeded there lately is still accepted, up to a
 * limit of its own, and no other login is. */
Test(broker_innocent, a_usual_network_is_not_refused, .timeout = 60)
{
	struct rig *r = rig_with_alice("failure_limit = \"3 / 1h\"; cache = \"0s\";", 1);
	char guess[64];

	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 235);
	for (unsigned i = 0; i < 3; i++) {
		int n = snprintf(guess, sizeof guess, "%cbob%cx%u", 0, 0, i);

		cr_assert_eq(rig_login(r, 10 + i, "PLAIN", str_make(guess, (size_t)n)), 535);
	}
	cr_assert_eq(rig_login(r, 20, "PLAIN", STR("\0bob\0y")), 421);
	cr_assert_eq(rig_login(r, 21, "PLAIN", GOOD), 235, "its own logins succeeded");
	for (unsigned i = 0; i < 3; i++) {
		int n = snprintf(guess, sizeof guess, "%calice%cx%u", 0, 0, i);

		cr_assert_eq(rig_login(r, 30 + i, "PLAIN", str_make(guess, (size_t)n)), 535);
	}
	cr_assert_eq(rig_login(r, 40, "PLAIN", GOOD), 421, "guesses there have a limit too");
	rig_free(&r);
}

/* A program with an old password, with both mechanisms that send it: one failure. */
Test(broker_innocent, an_old_password_counts_once, .timeout = 60)
{
	struct rig *r = rig_with_alice("failure_limit = \"2 / 1h\";", 1);

	for (unsigned i = 1; i <= 5; i++) {
		cr_assert_eq(rig_login(r, 2 * i, "PLAIN", WRONG), 535);
		cr_assert_eq(rig_login(r, 2 * i + 1, "LOGIN", STR("alice")), 334);
		rig_step_expect(r, 2 * i + 1, STR("x"), 535, NULL);
	}
	cr_assert_eq(rig_login(r, 20, "PLAIN", GOOD), 235);
	cr_assert_eq(rig_login(r, 21, "PLAIN", STR("\0bob\0x")), 535,
	    "the same password of another login counts");
	cr_assert_eq(rig_login(r, 22, "PLAIN", STR("\0bob\0x")), 421);
	rig_free(&r);
}

static unsigned
fail_by_scram(struct rig *r, uint64_t session)
{
	static const struct client_options wrong = {.user = "alice", .password = "x"};
	struct client *c = client_new(&wrong);
	struct str message = client_first(c);
	struct rig_answer a;

	rig_start(r, session, "SCRAM-SHA-256", &message, &a);
	rig_until(r, &a.is_done);
	if (a.outcome == AUTH_CONTINUE) {
		cr_assert(client_next(c, str_make(a.challenge, a.challenge_n), &message));
		rig_step(r, session, message, &a);
		rig_until(r, &a.is_done);
	}
	client_free(&c);
	return a.status.code;
}

/* One mechanism after the other in one session is one failure; a second wrong password is another
 * one. */
Test(broker_innocent, scram_then_plain_count_once, .timeout = 60)
{
	struct rig *r = rig_with_alice("failure_limit = \"2 / 1h\";", 1);

	cr_assert_eq(sasl_client_init(NULL), SASL_OK);
	cr_assert_eq(fail_by_scram(r, 1), 535);
	cr_assert_eq(rig_login(r, 1, "PLAIN", WRONG), 535);
	cr_assert_eq(rig_login(r, 2, "PLAIN", WRONG), 535, "in another session: the same password");
	cr_assert_eq(fail_by_scram(r, 3), 535);
	cr_assert_eq(fail_by_scram(r, 4), 421);
	rig_free(&r);
}

Test(broker_innocent, one_scram_failure_covers_one_password, .timeout = 60)
{
	struct rig *r = rig_with_alice("failure_limit = \"2 / 1h\";", 1);

	cr_assert_eq(sasl_client_init(NULL), SASL_OK);
	cr_assert_eq(fail_by_scram(r, 1), 535);
	cr_assert_eq(rig_login(r, 1, "PLAIN", WRONG), 535);
	cr_assert_eq(rig_login(r, 1, "PLAIN", STR("\0alice\0y")), 535);
	cr_assert_eq(rig_login(r, 1, "PLAIN", STR("\0alice\0z")), 421);
	rig_free(&r);
}

Test(broker_innocent, exempt_networks_are_not_counted, .timeout = 60)
{
	struct rig *r = rig_with_alice(
	    "failure_limit = \"1 / 1h\"; login_failure_limit = \"1 / 1h\";"
	    "cache = \"0s\"; exempt_networks = ( \"198.51.100.0/24\", \"203.0.113.7\" );",
	    1);
	struct message_auth_start other = {.session = 50, .mechanism = STR("PLAIN"),
	    .has_initial = true, .initial = GOOD, .client = STR("203.0.113.8"), .port = 465,
	    .tls = STR("TLSv1.3"), .hostname = STR("mx.test")};
	struct rig_answer a;
	char guess[64];

	for (unsigned i = 0; i < 4; i++) {
		int n = snprintf(guess, sizeof guess, "%calice%cx%u", 0, 0, i);

		cr_assert_eq(rig_login(r, 1 + i, "PLAIN", str_make(guess, (size_t)n)), 535);
	}
	rig_start_as(r, &other, &a);
	rig_until(r, &a.is_done);
	cr_assert_eq(a.status.code, 235, "they are not counted for the login");
	other.session = 51;
	other.client = STR("203.0.113.200");
	other.initial = STR("\0alice\0y");
	rig_start_as(r, &other, &a);
	rig_until(r, &a.is_done);
	cr_assert_eq(a.status.code, 535);
	other.session = 52;
	other.client = STR("192.0.2.1");
	other.initial = GOOD;
	rig_start_as(r, &other, &a);
	rig_until(r, &a.is_done);
	cr_assert_eq(a.status.code, 454, "the login is at its limit");
	other.session = 53;
	other.client = STR("198.51.100.77");
	rig_start_as(r, &other, &a);
	rig_until(r, &a.is_done);
	cr_assert_eq(a.status.code, 235, "which does not hold in an exempt network");
	rig_free(&r);
}
