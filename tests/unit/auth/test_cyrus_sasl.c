/* The result of Cyrus SASL for a client's PLAIN or LOGIN message: the derived key, for one user
 * only. */
#include "auth/cyrus_sasl.h"

#include <criterion/criterion.h>

static struct scram_secret alice;

static void
set_up(void)
{
	cr_assert_eq(cyrus_sasl_prepare(), 0);
	cr_assert(scram_secret_make(STR("wonderland"), 4096, &alice));
}

TestSuite(cyrus_sasl, .init = set_up);

static struct cyrus_sasl_login
login_of(const char *mechanism)
{
	return (struct cyrus_sasl_login){.mechanism = str_of(mechanism), .hostname = STR("mx.test"),
	    .user = STR("alice"), .iterations = alice.iterations,
	    .salt = str_make((const char *)alice.salt, alice.salt_n)};
}

static const struct {
	const char *mechanism;
	struct str first, second;
	enum cyrus_sasl_result result;
	bool is_right;
} checks[] = {
    {"PLAIN", STR("\0alice\0wonderland"), STR(""), CYRUS_SASL_YES, true},
    {"PLAIN", STR("\0Alice\0wonderland"), STR(""), CYRUS_SASL_YES, true},
    {"PLAIN", STR("alice\0alice\0wonderland"), STR(""), CYRUS_SASL_YES, true},
    {"PLAIN", STR("ALICE\0alice\0wonderland"), STR(""), CYRUS_SASL_YES, true},
    {"PLAIN", STR("\0alice\0Wonderland"), STR(""), CYRUS_SASL_YES, false},
    {"PLAIN", STR("bob\0alice\0wonderland"), STR(""), CYRUS_SASL_NO, false},
    {"PLAIN", STR("\0alice\0wonderland\0"), STR(""), CYRUS_SASL_NO, false},
    {"PLAIN", STR("\0bob\0wonderland"), STR(""), CYRUS_SASL_NO, false},
    {"PLAIN", STR("\0alice"), STR(""), CYRUS_SASL_NO, false},
    {"PLAIN", STR("x"), STR(""), CYRUS_SASL_NO, false},
    {"LOGIN", STR("alice"), STR("wonderland"), CYRUS_SASL_YES, true},
    {"LOGIN", STR("ALICE"), STR("wonderland"), CYRUS_SASL_YES, true},
    {"LOGIN", STR("alice"), STR("x"), CYRUS_SASL_YES, false},
    {"LOGIN", STR("bob"), STR("wonderland"), CYRUS_SASL_NO, false},
    {"PLAIN-PLUS", STR("\0alice\0wonderland"), STR(""), CYRUS_SASL_BROKEN, false},
    {"plain", STR("\0alice\0wonderland"), STR(""), CYRUS_SASL_BROKEN, false},
    {"SCRAM-SHA-256", STR("n,,n=alice,r=abc"), STR(""), CYRUS_SASL_BROKEN, false},
    {"CRAM-MD5", STR("alice"), STR(""), CYRUS_SASL_BROKEN, false},
    {"ANONYMOUS", STR("alice"), STR(""), CYRUS_SASL_BROKEN, false},
    {"", STR("\0alice\0wonderland"), STR(""), CYRUS_SASL_BROKEN, false},
};

Test(cyrus_sasl, passwords_give_their_key)
{
	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
		struct cyrus_sasl_login login = login_of(checks[i].mechanism);
		uint8_t key[SCRAM_SECRET_KEY_BYTES] = {0};

		cr_assert_eq(cyrus_sasl_check(&login, checks[i].first, checks[i].second, key),
		    checks[i].result, "case %zu", i);
		cr_assert_eq(
		    scram_secret_is_proven(&alice, str_make((const char *)key, sizeof key)),
		    checks[i].is_right, "case %zu", i);
	}
}

/* An error of the gateway is not a wrong password. */
Test(cyrus_sasl, a_damaged_secret_is_an_error)
{
	struct cyrus_sasl_login login = login_of("PLAIN");
	uint8_t key[SCRAM_SECRET_KEY_BYTES];

	login.iterations = 1;
	cr_assert_eq(
	    cyrus_sasl_check(&login, STR("\0alice\0wonderland"), STR(""), key), CYRUS_SASL_BROKEN);
	login = login_of("PLAIN");
	login.salt = STR("");
	cr_assert_eq(
	    cyrus_sasl_check(&login, STR("\0alice\0wonderland"), STR(""), key), CYRUS_SASL_BROKEN);
}
