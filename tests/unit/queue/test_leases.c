/* Tokens of a user's limit are lent to submission processes: lent, returned, recalled, and kept
 * over a restart. */
#include "rig.h"

Test(leases, are_lent_returned_and_spent, .timeout = 60)
{
	static struct rig r;
	const char *user = "alice@example.com";
	struct smtp_status s;

	rig_begin(&r, rig_slow);
	cr_assert_eq(rig_lease(&r, user, 60).code, 250);
	cr_assert_eq(rig_lease(&r, user, 40).code, 250);
	s = rig_lease(&r, user, 1);
	cr_assert_eq(s.code, 450);
	cr_assert(strstr(s.text, "100 recipients"), "%s", s.text);
	cr_assert_eq(rig_lease(&r, "bob@example.com", 1).code, 250);
	rig_return(&r, user, 90, false);
	cr_assert_eq(rig_lease(&r, user, 90).code, 250, "what is returned can be lent again");
	channel_free(&r.submission);
	rig_submission(&r);
	rig_wait(&r, 50);
	cr_assert_eq(rig_lease(&r, user, 99).code, 250, "a lost process returns all");
	cr_assert_eq(rig_commit(&r, rig_id(4), user, TO("a@example.net")).code, 250);
	rig_return(&r, user, 0, true);
	cr_assert_eq(rig_lease(&r, user, 99).code, 250, "one was spent, 98 came back");
	cr_assert_eq(rig_lease(&r, user, 1).code, 450);
	rig_end(&r);
}

/* More than is wanted while many are free; near the limit only what is wanted. */
Test(leases, shrink_near_the_limit, .timeout = 60)
{
	static struct rig r;
	const char *user = "alice@example.com";

	rig_begin(&r, rig_slow);
	cr_assert_eq(rig_lease(&r, user, 1).code, 250);
	cr_assert_eq(r.tokens, 100 / 8);
	while (r.tokens > 1)
		cr_assert_eq(rig_lease(&r, user, 1).code, 250);
	for (int left = 0; rig_lease(&r, user, 1).code == 250; left++)
		cr_assert_lt(left, 25, "a quarter of the limit is lent one by one");
	cr_assert_eq(r.answer.code, 450);
	cr_assert_eq(rig_lease(&r, user, 0).code, 554);
	cr_assert_eq(rig_lease(&r, "", 1).code, 554);
	rig_end(&r);
}

/* A user near the limit in one process gets the unused tokens of another process. */
Test(leases, are_recalled, .timeout = 60)
{
	static struct rig r;
	const char *user = "alice@example.com";
	struct channel *first;

	rig_begin(&r, rig_slow);
	cr_assert_eq(rig_lease(&r, user, 80).code, 250);
	first = r.submission;
	r.submission_index = 1;
	rig_submission(&r);
	cr_assert_eq(rig_lease(&r, user, 20).code, 250);
	rig_until(&r, &r.recalls, 1);
	cr_assert_eq(rig_lease(&r, user, 1).code, 450);
	cr_assert_eq(r.recalls, 1, "called back once");
	cr_assert_eq(channel_send(first, MESSAGE_LEASE_RETURN,
	                 &(struct message_lease_return){str_of(user), 80, false}, -1),
	    0);
	rig_wait(&r, 50);
	cr_assert_eq(rig_lease(&r, user, 80).code, 250);
	channel_free(&first);
	rig_end(&r);
}

Test(leases, limits_survive_a_restart, .timeout = 60)
{
	static struct rig r;
	const char *user = "alice@example.com";
	struct smtp_status s;

	rig_begin(&r, rig_slow);
	cr_assert_eq(rig_lease(&r, user, 95).code, 250);
	cr_assert_eq(rig_commit(&r, rig_id(1), user,
	                 TO("a@x", "b@x", "c@x", "d@x", "e@x", "f@x", "g@x", "h@x"))
	                 .code,
	    250);
	rig_stop(&r);
	rig_start(&r);
	cr_assert_eq(rig_lease(&r, user, 92).code, 250);
	s = rig_lease(&r, user, 2);
	cr_assert_eq(s.code, 450, "%s", s.text);
	rig_end(&r);
}

/* An alert about a login at its limit is sent to main once a day, whatever it requests. */
Test(leases, a_login_at_its_limit_causes_an_alert, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_slow);
	cr_assert_eq(rig_lease(&r, "alice@example.com", 100).code, 250);
	cr_assert_eq(r.alerts, 0);
	for (unsigned i = 0; i < 5; i++)
		cr_assert_eq(rig_lease(&r, "alice@example.com", 1).code, 450);
	rig_until(&r, &r.alerts, 1);
	cr_expect_eq(r.alert_kind, NOTICE_LIMIT);
	cr_expect(
	    strstr(r.alert,
	        "alice@example.com|login alice@example.com gets 450 4.7.1 Your sending limit of "
	        "100 recipients"),
	    "%s", r.alert);
	cr_assert_eq(rig_lease(&r, "bob@example.com", 100).code, 250);
	cr_assert_eq(rig_lease(&r, "bob@example.com", 1).code, 450);
	rig_until(&r, &r.alerts, 2);
	rig_wait(&r, 50);
	cr_expect_eq(r.alerts, 2);
	rig_end(&r);
}

/* All rates that a rule may have, each used up: the log has all of them. */
Test(leases, names_every_rate_that_is_used_up, .timeout = 60)
{
	static struct rig r;
	const char *user = "alice@example.com";
	char wanted[400] = "limits.per_user:";

	rig_begin(&r, rig_slow);
	r.limits =
	    "10 recipients / 11m, 10 recipients / 12m, 10 recipients / 13m, 10 recipients / 14m, "
	    "10 recipients / 15m, 10 recipients / 16m, 10 recipients / 17m, 10 recipients / 18m";
	rig_reload(&r, rig_slow);
	cr_assert_eq(rig_lease(&r, user, 10).code, 250);
	cr_assert_eq(rig_lease(&r, user, 1).code, 450);
	for (int i = 1; i <= 8; i++)
		snprintf(wanted + strlen(wanted), sizeof wanted - strlen(wanted),
		    " 10 recipients / 1%dm", i);
	cr_expect_str_eq(r.limit, wanted);
	rig_end(&r);
}
