/* Blocks through the broker: the operator's hold for right passwords too; automatic ones are listed
 * and lifted. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "unit/auth/rig.h"

static struct rig_admin
verb(struct rig *r, const char *name, const char *values[][2])
{
	struct rig_admin done;

	rig_admin(r, name, values, &done);
	return done;
}

static struct rig_admin
with_name(struct rig *r, const char *name, const char *target)
{
	const char *values[][2] = {{"name", target}, {"for", "1h"}, {"reason", "it guesses"}, {NULL, NULL}};

	return verb(r, name, values);
}

static bool
row_has(const struct rig_admin *a, const char *key, const char *value)
{
	struct str row = str_make(a->last_row, a->last_row_n);

	return str_eq(message_values_get(row, key), str_of(value));
}

Test(broker_blocks, of_a_network, .timeout = 60)
{
	struct rig *r = rig_with_alice(CALM "exempt_networks = [ \"203.0.113.0/24\" ];", 1);
	struct rig_admin a;

	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 235);
	cr_assert_eq(with_name(r, "block.add", "203.0.113.0/28").exit_code, 0);
	cr_assert_eq(rig_login(r, 2, "PLAIN", GOOD), 421, "neither a usual place nor an exempt one");
	cr_assert_eq(rig_login(r, 3, "SCRAM-SHA-256", STR("n,,n=alice,r=abc")), 421);
	a = verb(r, "block.list", NULL);
	cr_assert_eq(a.rows, 1);
	cr_expect(row_has(&a, "what", "network") && row_has(&a, "name", "203.0.113.0/28"));
	cr_expect(row_has(&a, "by", "root") && row_has(&a, "reason", "it guesses"));
	cr_expect(row_has(&a, "count", "2") && row_has(&a, "last_user", "alice@example.com"));
	cr_expect(row_has(&a, "last_ip", "203.0.113.7"));
	cr_assert_eq(with_name(r, "block.remove", "203.0.113.0/28").exit_code, 0);
	cr_assert_eq(with_name(r, "block.remove", "203.0.113.0/28").exit_code, 67);
	cr_assert_eq(rig_login(r, 4, "PLAIN", GOOD), 235);
	rig_free(&r);
}

Test(broker_blocks, of_a_user_outlives_the_process, .timeout = 60)
{
	struct rig *r = rig_with_alice(CALM, 1);

	cr_assert_eq(with_name(r, "block.add", "alice").exit_code, 0);
	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 454);
	kill(r->broker.pid, SIGKILL);
	waitpid(r->broker.pid, NULL, 0);
	channel_free(&r->broker.main);
	channel_free(&r->submission);
	channel_free(&r->control);
	rig_run(r, CALM, 0);
	cr_assert_eq(rig_login(r, 2, "PLAIN", GOOD), 454);
	cr_assert_eq(verb(r, "block.list", NULL).rows, 1);
	cr_assert_eq(with_name(r, "block.remove", "alice@example.com").exit_code, 0);
	cr_assert_eq(rig_login(r, 3, "SCRAM-SHA-256", STR("n,,n=alice,r=abc")), 334);
	rig_free(&r);
}

static const struct {
	const char *name, *lasts, *reason;
	uint8_t code;
} bad[] = {
    {"203.0.113.1/24", "1h", "", 65},
    {"", "1h", "", 65},
    {"bob", "", "", 64},
    {"bob", "soon", "", 64},
    {"bob", "10ms", "", 64},
    {"bob", "999999d", "", 64},
    {"bob", "1h", "a\tb", 65},
    {"bob", "1h", "a\nb", 65},
};

Test(broker_blocks, that_cannot_be_made, .timeout = 60)
{
	struct rig *r = rig_with_alice(CALM, 0);

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const char *values[][2] = {{"name", bad[i].name}, {"for", bad[i].lasts},
		    {"reason", bad[i].reason}, {NULL, NULL}};

		cr_expect_eq(verb(r, "block.add", values).exit_code, bad[i].code, "case %zu", i);
	}
	cr_expect_eq(with_name(r, "block.fly", "bob").exit_code, 64);
	cr_expect_eq(verb(r, "block.list", NULL).rows, 0);
	rig_free(&r);
}

/* A network that has reached its limit, a login that has, and a login at its usual place. */
Test(broker_blocks, automatic_ones_are_listed_and_lifted, .timeout = 60)
{
	struct rig *r = rig_with_alice("failure_limit = \"1 / 1h\"; cache = \"0s\";", 1);
	struct rig_admin a;

	cr_assert_eq(rig_login(r, 1, "PLAIN", STR("\0bob\0x")), 535);
	cr_assert_eq(rig_login(r, 2, "PLAIN", GOOD), 421);
	a = with_name(r, "block.list", "");
	cr_assert_eq(a.rows, 2, "the network, and the login there: %u", a.rows);
	cr_assert_eq(with_name(r, "block.remove", "203.0.113.7").exit_code, 0);
	cr_assert_eq(with_name(r, "block.list", "").rows, 0);
	cr_assert_eq(rig_login(r, 3, "PLAIN", GOOD), 235);
	cr_assert_eq(rig_login(r, 4, "PLAIN", WRONG), 535);
	cr_assert_eq(rig_login(r, 5, "PLAIN", GOOD), 421);
	cr_assert_eq(with_name(r, "block.remove", "alice").exit_code, 0);
	cr_assert_eq(rig_login(r, 6, "PLAIN", GOOD), 235);
	rig_free(&r);
}

Test(broker_blocks, of_a_login_guessed_from_everywhere, .timeout = 60)
{
	struct rig *r = rig_with_alice("login_failure_limit = \"1 / 1h\";", 1);
	struct rig_admin a;

	cr_assert_eq(rig_login(r, 1, "PLAIN", WRONG), 535);
	cr_assert_eq(rig_login(r, 2, "PLAIN", GOOD), 454);
	a = with_name(r, "block.list", "");
	cr_assert_eq(a.rows, 1);
	cr_expect(row_has(&a, "what", "user") && row_has(&a, "name", "alice@example.com"));
	cr_expect(row_has(&a, "by", "automatic") && row_has(&a, "reason", "auth.login_failure_limit"));
	cr_expect(row_has(&a, "count", "1") && row_has(&a, "last_ip", "203.0.113.7"));
	cr_assert_eq(with_name(r, "block.remove", "alice").exit_code, 0);
	cr_assert_eq(rig_login(r, 3, "PLAIN", GOOD), 235);
	rig_free(&r);
}
