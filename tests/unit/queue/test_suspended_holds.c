/* Holds of suspended users: mail that their sessions still hand over, and the alerts about it. */
#include "base/clock.h"
#include "queue/admin/suspended_holds.h"
#include "rig.h"

static const char alice[] = "alice@example.com";

static void
says(struct rig *r, const char *verb, const char *const *values, const char *text)
{
	rig_admin(r, verb, values);
	cr_expect_eq(r->done.exit_code, 0, "%s: %s", verb, r->done_text);
	cr_expect_str_eq(r->done_text, text, "%s: %s", verb, r->done_text);
}

/* The account is suspended while a message of the user is being stored. */
Test(suspended_holds, a_hold_waits_for_messages_that_are_being_stored, .timeout = 60)
{
	static struct rig r;
	struct msgid later = {.number = 1};
	const char *const suspended_hold[] = {
	    "account", alice, "reason", "user suspended", "coming", "yes", NULL};

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	strcpy(r.disk->unwritten, "marked@example.net");
	rig_commit_soon(&r, rig_id(2), alice, TO("marked@example.net"));
	while (!r.disk->unwritten_blocked)
		rig_wait(&r, 10);
	rig_admin_soon(&r, "queue.hold", suspended_hold);
	/* commands run in turn: this one is answered after the hold */
	rig_admin(&r, "queue.list", rig_nothing);
	cr_expect_eq(r.dones, 1, "it waits");
	memset(r.disk->unwritten, 0, sizeof r.disk->unwritten);
	rig_until(&r, &r.dones, 2);
	cr_expect_str_eq(r.done_text, "1 message changed\n");
	cr_expect_eq(r.done.exit_code, 0);
	cr_assert_eq(rig_commit(&r, rig_id(3), alice, TO("dora@example.net")).code, 250);
	later.session = (uint64_t)(clock_ms() + 60000) << 18;
	cr_assert_eq(rig_commit(&r, later, alice, TO("fay@example.net")).code, 250);
	cr_expect_str_eq(
	    rig_attempt(&r, 0)->to, "fay@example.net", "of a session that began after the command");
	cr_expect_eq(r.attempt_count, 1);
	rig_kill(&r);
	rig_start(&r);
	rig_relay(&r, true);
	rig_admin(&r, "queue.list", WITH("state", "held"));
	cr_expect_eq(r.row_count, 2, "both holds are stored");
	cr_expect(str_eq(rig_row(&r, 0, "reason"), STR("operator: user suspended")));
	cr_expect(str_eq(rig_row(&r, 1, "reason"), STR("operator: user suspended")));
	rig_end(&r);
}

/* A resume of the account releases its mail, also mail that is still being stored. */
Test(suspended_holds, a_release_ends_the_hold_of_later_mail, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	says(&r, "queue.hold", WITH("account", "Alice@example.com", "coming", "yes"),
	    "0 messages changed\n");
	cr_assert_eq(rig_commit(&r, rig_id(1), alice, TO("a@example.net")).code, 250);
	says(&r, "queue.release", WITH("user", alice), "1 message changed\n");
	rig_attempt(&r, 0);
	rig_results(&r, &r.attempts[0], 250, "none");
	cr_assert_eq(rig_commit(&r, rig_id(2), alice, TO("b@example.net")).code, 250);
	cr_expect_str_eq(rig_attempt(&r, 1)->to, "b@example.net");
	rig_end(&r);
}

/* What `user resume --release` sends. */
#define RESUMED                                                                                    \
	WITH("account", alice, "state", "held", "held_for", "user suspended", "reason",            \
	    "user resumed")

static const char *const suspended[] = {"user suspended", "user suspended: phished"};

/* The tool gives the state and the reason: all that the suspension of the user held is released. */
Test(suspended_holds, later_mail_of_a_resumed_user_is_not_held, .timeout = 60)
{
	for (size_t i = 0; i < sizeof suspended / sizeof *suspended; i++) {
		static struct rig r;

		rig_begin(&r, rig_slow);
		rig_relay(&r, true);
		says(&r, "queue.hold",
		    WITH("account", alice, "reason", suspended[i], "coming", "yes"),
		    "0 messages changed\n");
		cr_assert_eq(rig_commit(&r, rig_id(1), alice, TO("a@example.net")).code, 250);
		says(&r, "queue.release", RESUMED, "1 message changed\n");
		rig_attempt(&r, 0);
		rig_results(&r, &r.attempts[0], 250, "none");
		cr_assert_eq(rig_commit(&r, rig_id(2), alice, TO("b@example.net")).code, 250);
		rig_admin(&r, "queue.list", WITH("state", "held"));
		cr_expect_eq(r.row_count, 0, "%s", suspended[i]);
		rig_end(&r);
	}
}

/* The disk is blocked, and the client of the first command gets no answer. */
Test(suspended_holds, mail_of_a_resumed_user_that_is_being_stored_is_not_held, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	strcpy(r.disk->unwritten, "marked@example.net");
	rig_commit_soon(&r, rig_id(2), alice, TO("marked@example.net"));
	while (!r.disk->unwritten_blocked)
		rig_wait(&r, 10);
	rig_admin_soon(
	    &r, "queue.hold", WITH("account", alice, "reason", "user suspended", "coming", "yes"));
	rig_admin_soon(&r, "queue.release", RESUMED);
	rig_until(&r, &r.dones, 2);
	memset(r.disk->unwritten, 0, sizeof r.disk->unwritten);
	rig_until(&r, &r.answers, 1);
	rig_admin(&r, "queue.list", WITH("state", "held"));
	cr_expect_eq(r.row_count, 0);
	cr_expect_str_eq(rig_attempt(&r, 0)->to, "marked@example.net");
	rig_end(&r);
}

/* The disk stores the message and not its hold: that is reported, and the message is delivered. */
Test(suspended_holds, a_hold_of_a_new_message_that_cannot_be_stored_is_reported, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	strcpy(r.disk->unwritten, "marked@example.net");
	rig_commit_soon(&r, rig_id(2), alice, TO("marked@example.net"));
	while (!r.disk->unwritten_blocked)
		rig_wait(&r, 10);
	strcpy(r.disk->unwritable, "operator: no room");
	r.disk->failing_writes = 1000;
	rig_admin_soon(
	    &r, "queue.hold", WITH("account", alice, "reason", "no room", "coming", "yes"));
	rig_admin(&r, "queue.list", rig_nothing);
	memset(r.disk->unwritten, 0, sizeof r.disk->unwritten);
	rig_until(&r, &r.dones, 2);
	cr_expect_eq(r.done.exit_code, 74, "%s", r.done_text);
	cr_expect_str_eq(rig_attempt(&r, 0)->to, "marked@example.net");
	rig_end(&r);
}

static const struct {
	const char *key, *value;
} narrow[] = {
    {"dry_run", "1"}, {"to", "a@example.net"}, {"domain", "example.net"}, {"from", alice},
    {"state", "active"}, {"state", "deferred"}, {"held_for", "evidence"}, {"held_for", "user"},
    {"older", "90s"}, {"id", "1R8K3M7Q4TB2-1"},
};

/* A dry run of a release, or a release of a part, does not resume the user. */
Test(suspended_holds, a_release_of_a_part_leaves_the_hold_of_later_mail, .timeout = 60)
{
	for (size_t i = 0; i < sizeof narrow / sizeof *narrow; i++) {
		static struct rig r;

		rig_begin(&r, rig_slow);
		says(&r, "queue.hold",
		    WITH("account", alice, "reason", "user suspended", "coming", "yes"),
		    "0 messages changed\n");
		rig_admin(&r, "queue.release", WITH("user", alice, narrow[i].key, narrow[i].value));
		cr_assert_eq(rig_commit(&r, rig_id(1), alice, TO("b@example.net")).code, 250);
		rig_admin(&r, "queue.list", WITH("state", "held"));
		cr_expect_eq(r.row_count, 1, "case %zu", i);
		rig_end(&r);
	}
}

/* More users than there is room for: queued mail is held, and the answer reports that this is not
 * all. */
Test(suspended_holds, without_room_for_a_hold_queued_mail_is_held, .timeout = 60)
{
	static struct rig r;
	char account[32];

	rig_begin(&r, rig_slow);
	cr_assert_eq(rig_commit(&r, rig_id(1), alice, TO("a@example.net")).code, 250);
	for (unsigned i = 0; i < SUSPENDED_HOLD_MAX; i++) {
		snprintf(account, sizeof account, "user%u@example.com", i);
		says(&r, "queue.hold", WITH("account", account, "coming", "yes"),
		    "0 messages changed\n");
	}
	/* of one that has a hold already: it is replaced */
	says(&r, "queue.hold", WITH("account", "USER7@example.com", "coming", "yes"),
	    "0 messages changed\n");
	rig_admin(&r, "queue.hold", WITH("account", alice, "coming", "yes"));
	cr_expect_eq(r.done.exit_code, 75, "%s", r.done_text);
	cr_expect_str_eq(r.done_text,
	    "what is in the queue is held, but not what is being stored at this moment, or comes "
	    "from the user's sessions later: too many users were suspended with --hold in the last "
	    "minutes: do it again in some minutes\n");
	cr_expect(
	    str_eq(message_values_get(str_make(r.total, r.total_bytes), "coming"), STR("not held")),
	    "the tool need not explain it");
	rig_until(&r, &r.alerts, SUSPENDED_HOLD_MAX + 2);
	cr_expect_str_eq(r.alert,
	    "alice@example.com\nqueued mail, and not what comes|1 queued message of login "
	    "alice@example.com was held, but not what was being stored, or came from its sessions "
	    "later: too many users were suspended at the same time (user suspend --hold), by root");
	rig_admin(&r, "queue.list", WITH("state", "held"));
	cr_expect_eq(r.row_count, 1);
	rig_end(&r);
}

/* The alert about a suspended login has the number of its messages that are held. */
Test(suspended_holds, a_hold_of_a_suspended_user_causes_an_alert, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_slow);
	for (unsigned i = 1; i <= 2; i++)
		cr_assert_eq(rig_commit(&r, rig_id(i), alice, TO("a@example.net")).code, 250);
	says(&r, "queue.hold", WITH("account", alice, "coming", "yes"), "2 messages changed\n");
	rig_until(&r, &r.alerts, 1);
	cr_expect_eq(r.alert_kind, NOTICE_ACCESS);
	cr_expect_str_eq(r.alert, "alice@example.com\nqueued mail|2 queued messages of login "
	                          "alice@example.com were held (user suspend --hold), by root");
	says(&r, "queue.release", WITH("user", alice), "2 messages changed\n");
	says(&r, "queue.hold", WITH("user", alice), "2 messages changed\n");
	rig_admin(&r, "queue.status", rig_nothing);
	cr_expect_eq(r.alerts, 1, "no other hold");
	rig_end(&r);
}

/* Mail that was held before is held too; a dry run holds nothing. */
Test(suspended_holds, the_alert_counts_mail_that_was_held_before, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_slow);
	for (unsigned i = 1; i <= 2; i++)
		cr_assert_eq(rig_commit(&r, rig_id(i), alice, TO("a@example.net")).code, 250);
	says(&r, "queue.hold", WITH("user", alice), "2 messages changed\n");
	cr_assert_eq(rig_commit(&r, rig_id(3), alice, TO("a@example.net")).code, 250);
	rig_admin(&r, "queue.hold", WITH("account", alice, "coming", "yes", "dry_run", "1"));
	says(&r, "queue.hold", WITH("account", alice, "coming", "yes"),
	    "1 message changed; 2 not changed: held already\n");
	rig_until(&r, &r.alerts, 1);
	cr_expect_str_eq(r.alert, "alice@example.com\nqueued mail|3 queued messages of login "
	                          "alice@example.com were held (user suspend --hold), by root");
	cr_expect_eq(r.alerts, 1);
	rig_end(&r);
}

/* Main sends a notice about the same object once a day: the final number has another object. */
Test(suspended_holds, the_alert_reports_a_hold_that_could_not_be_stored, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_slow);
	cr_assert_eq(rig_commit(&r, rig_id(1), alice, TO("a@example.net")).code, 250);
	strcpy(r.disk->unwritable, "operator: no room");
	r.disk->failing_writes = 1000;
	rig_admin(&r, "queue.hold", WITH("account", alice, "reason", "no room", "coming", "yes"));
	cr_expect_eq(r.done.exit_code, 74, "%s", r.done_text);
	rig_until(&r, &r.alerts, 1);
	cr_expect_str_eq(
	    r.alert, "alice@example.com\nqueued mail, not stored|0 queued messages of login "
	             "alice@example.com were held, 1 is not, because the spool could not store it: "
	             "Input/output error (user suspend --hold), by root");
	r.disk->failing_writes = 0;
	says(&r, "queue.hold", WITH("account", alice, "reason", "room", "coming", "yes"),
	    "1 message changed\n");
	rig_until(&r, &r.alerts, 2);
	cr_expect_str_eq(r.alert, "alice@example.com\nqueued mail|1 queued message of login "
	                          "alice@example.com was held (user suspend --hold), by root");
	rig_end(&r);
}

/* A message that is being stored with its hold when the hold is ended is released with the others,
 * and the command ends after that. */
Test(suspended_holds, a_release_covers_mail_that_is_being_stored_with_its_hold, .timeout = 60)
{
	for (int is_plain = 0; is_plain <= 1; is_plain++) {
		static struct rig r;

		rig_begin(&r, rig_slow);
		rig_relay(&r, true);
		says(&r, "queue.hold",
		    WITH("account", alice, "reason", "user suspended", "coming", "yes"),
		    "0 messages changed\n");
		strcpy(r.disk->unwritten, "marked@example.net");
		rig_commit_soon(&r, rig_id(2), alice, TO("marked@example.net"));
		while (!r.disk->unwritten_blocked)
			rig_wait(&r, 10);
		rig_admin_soon(
		    &r, "queue.release", is_plain ? WITH("user", alice) : RESUMED);
		rig_wait(&r, 100);
		cr_expect_eq(r.dones, 1, "the release waits for the message");
		memset(r.disk->unwritten, 0, sizeof r.disk->unwritten);
		rig_until(&r, &r.dones, 2);
		cr_expect_str_eq(r.done_text, "1 message changed\n");
		rig_admin(&r, "queue.list", WITH("state", "held"));
		cr_expect_eq(r.row_count, 0);
		cr_expect_str_eq(rig_attempt(&r, 0)->to, "marked@example.net");
		rig_end(&r);
	}
}

/* Suspended again before that: the message stays held, and the hold counts it. */
Test(suspended_holds, a_newer_hold_keeps_mail_that_is_being_stored, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	says(&r, "queue.hold", WITH("account", alice, "reason", "user suspended", "coming", "yes"),
	    "0 messages changed\n");
	strcpy(r.disk->unwritten, "marked@example.net");
	rig_commit_soon(&r, rig_id(2), alice, TO("marked@example.net"));
	while (!r.disk->unwritten_blocked)
		rig_wait(&r, 10);
	rig_admin_soon(&r, "queue.release", RESUMED);
	rig_admin_soon(&r, "queue.hold",
	    WITH("account", alice, "reason", "user suspended", "coming", "yes"));
	rig_wait(&r, 50);
	memset(r.disk->unwritten, 0, sizeof r.disk->unwritten);
	rig_until(&r, &r.dones, 3);
	rig_admin(&r, "queue.list", WITH("state", "held"));
	cr_expect_eq(r.row_count, 1);
	cr_expect_eq(r.attempt_count, 0);
	rig_end(&r);
}

/* A hold that waits for another command counts each message once, also one that comes meanwhile. */
Test(suspended_holds, a_message_that_comes_while_the_hold_waits_is_counted_once, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_slow);
	cr_assert_eq(rig_commit(&r, rig_id(1), alice, TO("a@example.net")).code, 250);
	says(&r, "queue.hold", WITH("account", alice), "1 message changed\n");
	strcpy(r.disk->unwritten, "marked@example.net");
	rig_commit_soon(&r, rig_id(2), alice, TO("marked@example.net"));
	while (!r.disk->unwritten_blocked)
		rig_wait(&r, 10);
	rig_admin_soon(&r, "queue.release", WITH("account", alice));
	rig_admin_soon(&r, "queue.hold",
	    WITH("account", alice, "reason", "user suspended", "coming", "yes"));
	rig_admin(&r, "queue.status", rig_nothing);
	memset(r.disk->unwritten, 0, sizeof r.disk->unwritten);
	rig_until(&r, &r.dones, 4);
	rig_until(&r, &r.alerts, 1);
	cr_expect_str_eq(r.done_text, "2 messages changed\n");
	cr_expect(strstr(r.alert, "2 queued messages of login alice@example.com were held"), "%s",
	    r.alert);
	rig_admin(&r, "queue.list", WITH("state", "held"));
	cr_expect_eq(r.row_count, 2);
	rig_end(&r);
}

/* Three commands while the disk is slow: the last one decides, whatever the others wait for. */
Test(suspended_holds, the_last_of_three_commands_decides, .timeout = 60)
{
	for (int last_holds = 0; last_holds <= 1; last_holds++) {
		static struct rig r;
		const char *odd = last_holds ? "queue.hold" : "queue.release";
		const char *even = last_holds ? "queue.release" : "queue.hold";

		rig_begin(&r, rig_slow);
		cr_assert_eq(rig_commit(&r, rig_id(1), alice, TO("a@example.net")).code, 250);
		if (!last_holds)
			says(&r, "queue.hold", WITH("user", alice), "1 message changed\n");
		strcpy(r.disk->unwritten, "marked@example.net");
		rig_commit_soon(&r, rig_id(2), "bob@example.com", TO("marked@example.net"));
		while (!r.disk->unwritten_blocked)
			rig_wait(&r, 10);
		rig_admin_soon(&r, odd, WITH("user", alice));
		rig_admin_soon(&r, even, WITH("user", alice));
		rig_admin_soon(&r, odd, WITH("user", alice));
		rig_wait(&r, 50);
		memset(r.disk->unwritten, 0, sizeof r.disk->unwritten);
		rig_until(&r, &r.dones, last_holds ? 3 : 4);
		rig_admin(&r, "queue.list", WITH("state", "held"));
		cr_expect_eq(r.row_count, last_holds ? 1 : 0, "the last one: %s", odd);
		rig_end(&r);
	}
}
