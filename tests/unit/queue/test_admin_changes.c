/* Hold, release, retry and delete by the operator, of messages that wait, that have a running
 * attempt, and that only owe a report.  The answer reports what was done. */
#include <sys/mman.h>
#include <unistd.h>

#include "rig.h"

static const char *const all[] = {NULL};
static const char alice[] = "alice@example.com";

static void
says(struct rig *r, const char *verb, const char *const *values, const char *text)
{
	rig_admin(r, verb, values);
	cr_expect_eq(r->done.exit_code, 0, "%s: %s", verb, r->done_text);
	cr_expect_str_eq(r->done_text, text, "%s: %s", verb, r->done_text);
}

static unsigned
left(struct rig *r)
{
	rig_admin(r, "queue.list", rig_nothing);
	return r->row_count;
}

static void
begin_with_attempt(struct rig *r)
{
	rig_begin(r, rig_slow);
	rig_relay(r, true);
	cr_assert_eq(rig_commit(r, rig_id(1), alice, TO("bob@example.net")).code, 250);
	rig_attempt(r, 0);
}

/* The host accepted the message, then it was deleted, then the queue was restarted: relay sends the
 * result to the new queue, which does not know the message; it is logged and acknowledged. */
Test(admin_changes, a_result_for_a_deleted_message_after_a_restart_is_logged, .timeout = 60)
{
	static struct rig r;
	char id[ID_NUMBER_TEXT_BYTES], field[64];
	int log;

	begin_with_attempt(&r);
	rig_admin(&r, "queue.delete", all);
	rig_kill(&r);
	log = rig_keep_log();
	rig_start(&r);
	rig_relay(&r, false);
	rig_results(&r, &r.attempts[0], 250, "none");
	rig_caught_up(&r);
	rig_until(&r, &r.stored, 1);
	snprintf(field, sizeof field, "id=%s",
	    msgid_text(r.attempts[0].id, r.attempts[0].numbers[0], id));
	cr_expect(rig_has_line(log, "result unknown", field), "%s", rig_logged(log));
	cr_expect(rig_has_line(log, "result unknown", "code=250"), "%s", rig_logged(log));
	cr_expect(rig_has_line(log, "result unknown", "status=sent"), "%s", rig_logged(log));
	rig_end(&r);
}

/* The host did not accept it: a search for mail that was sent although it was deleted must not find
 * this. */
Test(admin_changes, a_failure_of_a_deleted_message_after_a_restart_is_not_logged_as_sent,
    .timeout = 60)
{
	static struct rig r;
	int log;

	begin_with_attempt(&r);
	rig_admin(&r, "queue.delete", all);
	rig_kill(&r);
	log = rig_keep_log();
	rig_start(&r);
	rig_relay(&r, false);
	rig_results(&r, &r.attempts[0], 550, "mailbox");
	rig_caught_up(&r);
	rig_until(&r, &r.stored, 1);
	cr_expect(rig_has_line(log, "result unknown", "code=550"), "%s", rig_logged(log));
	cr_expect_not(rig_has_line(log, "result unknown", "status=sent"), "%s", rig_logged(log));
	rig_end(&r);
}

/* The recipient failed, and the report waits until relay has sent its old results. */
Test(admin_changes, deletes_a_message_that_only_owes_a_report, .timeout = 60)
{
	static struct rig r;
	int log = rig_keep_log();

	begin_with_attempt(&r);
	rig_kill(&r);
	rig_start(&r);
	rig_relay(&r, false);
	rig_results(&r, &r.attempts[0], 550, "mailbox");
	rig_until(&r, &r.stored, 1);
	says(&r, "queue.delete", all, "1 message changed\n");
	cr_expect_eq(r.row_count, 1);
	cr_expect_eq(left(&r), 0);
	cr_expect(rig_has_line(log, "report id=", "status=dropped"));
	rig_caught_up(&r);
	cr_assert_eq(rig_commit(&r, rig_id(2), alice, TO("eva@example.net")).code, 250);
	cr_expect_eq(rig_attempt(&r, 1)->kind, ENVELOPE_MESSAGE, "no report");
	says(&r, "queue.delete", all, "1 message changed\n");
	rig_kill(&r);
	rig_start(&r);
	cr_expect_eq(left(&r), 0, "nor from what is stored");
	rig_end(&r);
}

/* The count is that of the changed messages. */
Test(admin_changes, counts_only_messages_that_were_changed, .timeout = 60)
{
	static struct rig r;
	char id[ID_NUMBER_TEXT_BYTES];

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	for (unsigned i = 1; i <= 3; i++)
		cr_assert_eq(rig_commit(&r, rig_id(i), alice, TO("bob@example.net")).code, 250);
	rig_results(&r, rig_attempt(&r, 0), 451, "greylisted");
	rig_results(&r, rig_attempt(&r, 1), 451, "greylisted");
	rig_results(&r, rig_attempt(&r, 2), 451, "greylisted");
	rig_until(&r, &r.stored, 3);
	msgid_text(rig_id(1), 0, id);
	says(&r, "queue.release", all, "0 messages changed; 3 not changed: not held\n");
	says(&r, "queue.hold", WITH("id", id), "1 message changed\n");
	says(&r, "queue.hold", WITH("dry_run", "1"),
	    "2 messages would be changed; 1 not changed: held already\n");
	says(&r, "queue.hold", all, "2 messages changed; 1 not changed: held already\n");
	cr_expect_eq(r.row_count, 2);
	says(&r, "queue.retry", all,
	    "0 messages changed; 3 not changed: held, under way, or with no recipient left to "
	    "try\n");
	cr_expect_eq(r.row_count, 0);
	says(&r, "queue.release", WITH("id", id), "1 message changed\n");
	rig_attempt(&r, 3);
	says(&r, "queue.retry", WITH("id", id),
	    "0 messages changed; 1 not changed: held, under way, or with no recipient left to "
	    "try\n");
	says(&r, "queue.delete", WITH("id", id, "id", id),
	    "1 message changed; 1 not changed: at an end already\n");
	cr_expect_eq(r.row_count, 1);
	cr_expect_eq(left(&r), 2);
	rig_end(&r);
}

Test(admin_changes, deletes_a_message_with_a_running_attempt, .timeout = 60)
{
	static struct rig r;
	int log = rig_keep_log();

	begin_with_attempt(&r);
	says(&r, "queue.delete", all, "1 message changed\n");
	rig_until(&r, &r.cancels, 1);
	cr_expect(r.cancelled == r.attempts[0].number && !r.is_forced);
	cr_expect(rig_has_line(log, "deliver id=", "status=deleted"));
	/* the host has accepted it already */
	rig_results(&r, &r.attempts[0], 250, "none");
	rig_until(&r, &r.stored, 1);
	cr_expect(rig_has_line(log, "status=sent", "reason=deleted"));
	cr_expect_eq(left(&r), 0);
	rig_end(&r);
}

Test(admin_changes, deletes_a_message_whose_attempt_relay_ends, .timeout = 60)
{
	static struct rig r;
	int log = rig_keep_log();

	begin_with_attempt(&r);
	says(&r, "queue.delete", all, "1 message changed\n");
	rig_until(&r, &r.cancels, 1);
	rig_results(&r, &r.attempts[0], 451, "local");
	rig_until(&r, &r.stored, 1);
	cr_expect_not(rig_has_line(log, "status=sent", ""));
	cr_expect_not(rig_has_line(log, "status=deferred", ""));
	cr_expect_eq(left(&r), 0);
	rig_end(&r);
}

/* It does not count as an attempt, and none is made before the release. */
Test(admin_changes, holds_a_message_with_a_running_attempt, .timeout = 60)
{
	static struct rig r;

	begin_with_attempt(&r);
	says(&r, "queue.hold", all, "1 message changed\n");
	rig_until(&r, &r.cancels, 1);
	cr_expect(r.cancelled == r.attempts[0].number && !r.is_forced);
	rig_results(&r, &r.attempts[0], 451, "local");
	rig_until(&r, &r.stored, 1);
	rig_wait(&r, 100);
	cr_expect_eq(r.attempt_count, 1);
	rig_admin(&r, "queue.list", WITH("state", "held"));
	cr_expect_eq(r.row_count, 1);
	says(&r, "queue.release", all, "1 message changed\n");
	cr_expect_eq(rig_attempt(&r, 1)->attempt, 1);
	rig_results(&r, rig_attempt(&r, 1), 250, "none");
	rig_until(&r, &r.stored, 2);
	cr_expect_eq(left(&r), 0);
	rig_end(&r);
}

Test(admin_changes, hold_release_delete, .timeout = 60)
{
	static struct rig r;
	char id[ID_NUMBER_TEXT_BYTES];

	rig_begin(&r, rig_slow);
	for (unsigned i = 0; i < 5; i++)
		cr_assert_eq(
		    rig_commit(&r, rig_id(i), "alice@example.com",
		        TO(i < 3 ? "a@example.net" : i == 3 ? "b@example.org" : "b@example.edu"))
		        .code,
		    250);
	rig_admin(&r, "queue.hold", WITH("domain", "example.net", "dry_run", "1"));
	cr_assert_eq(r.row_count, 3);
	cr_assert_str_eq(r.done_text, "3 messages would be changed\n");
	rig_admin(&r, "queue.hold", WITH("to", "A@example.net", "reason", "damaged parts"));
	cr_assert_eq(r.row_count, 3);
	cr_assert_eq(r.done.exit_code, 0);
	rig_admin(&r, "queue.hold", WITH("domain", "example.edu"));
	rig_admin(&r, "queue.list", WITH("domain", "example.edu"));
	cr_assert(str_eq(rig_row(&r, 0, "reason"), STR("operator")));
	rig_admin(&r, "queue.release", WITH("domain", "example.edu"));
	cr_assert_str_eq(r.done_text, "1 message changed\n");
	rig_kill(&r);
	rig_start(&r);
	rig_relay(&r, true);
	rig_until(&r, &r.attempt_count, 2);
	rig_wait(&r, 100);
	cr_assert_eq(r.attempt_count, 2, "held messages stay");
	rig_admin(&r, "queue.list", WITH("state", "held"));
	cr_assert_eq(r.row_count, 3);
	cr_assert(str_eq(rig_row(&r, 0, "user"), STR("alice@example.com")));
	cr_assert(str_eq(rig_row(&r, 0, "to"), STR("a@example.net")));
	cr_assert(str_eq(rig_row(&r, 0, "reason"), STR("operator: damaged parts")));
	rig_admin(&r, "queue.show", WITH("id", msgid_text(rig_id(0), 0, id)));
	for (unsigned i = 0; i < 2; i++)
		cr_assert(str_eq(rig_row(&r, i, "reason"), STR("operator: damaged parts")));
	rig_admin(&r, "queue.release", WITH("id", msgid_text(rig_id(0), 0, id)));
	cr_assert_eq(r.row_count, 1);
	cr_assert_str_eq(r.done_text, "1 message changed\n", "that is no damage");
	rig_until(&r, &r.attempt_count, 3);
	rig_admin(&r, "queue.delete", WITH("user", "alice@example.com", "state", "held"));
	cr_assert_eq(r.row_count, 2);
	rig_kill(&r);
	rig_start(&r);
	rig_admin(&r, "queue.list", rig_nothing);
	cr_assert_eq(r.row_count, 3);
	rig_admin(&r, "queue.show", WITH("id", msgid_text(rig_id(0), 0, id)));
	cr_assert_eq(r.row_count, 3);
	cr_assert(str_eq(rig_row(&r, 1, "to"), STR("a@example.net")));
	cr_assert(str_starts(rig_row(&r, 2, "header"), STR("From: alice@example.com\r\n")));
	rig_admin(&r, "queue.status", rig_nothing);
	cr_assert(str_eq(rig_row(&r, 0, "messages"), STR("3")));
	rig_admin(&r, "queue.show", WITH("id", "1R8K3M7Q4TB2-1"));
	cr_assert_eq(r.done.exit_code, 67);
	rig_admin(&r, "queue.list", WITH("older", "soon"));
	cr_assert_eq(r.done.exit_code, 64);
	rig_admin(&r, "queue.nonsense", rig_nothing);
	cr_assert_eq(r.done.exit_code, 64);
	rig_end(&r);
}

Test(admin_changes, retry_now, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com", TO("a@example.net")).code, 250);
	rig_attempt(&r, 0);
	rig_results(&r, &r.attempts[0], 451, "connect");
	rig_until(&r, &r.stored, 1);
	rig_admin(&r, "queue.retry", WITH("domain", "example.net"));
	cr_assert_eq(r.row_count, 1);
	rig_attempt(&r, 1);
	cr_assert_eq(r.attempts[1].attempt, 2);
	rig_end(&r);
}

/* Also when it was not due before it was held. */
Test(admin_changes, a_release_tries_at_once, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com", TO("a@example.net")).code, 250);
	rig_results(&r, rig_attempt(&r, 0), 451, "connect");
	rig_until(&r, &r.stored, 1);
	rig_admin(&r, "queue.hold", WITH("domain", "example.net"));
	rig_admin(&r, "queue.release", WITH("domain", "example.net"));
	cr_assert_eq(r.row_count, 1);
	cr_assert_eq(rig_attempt(&r, 1)->attempt, 2);
	rig_end(&r);
}

/* The disk writes nothing until both commands have been sent. */
static void
one_after_the_other(struct rig *r, const char *first, const char *second)
{
	unsigned dones = r->dones;

	strcpy(r->disk->unwritten, "marked@example.net");
	rig_commit_soon(r, rig_id(2), alice, TO("marked@example.net"));
	for (int i = 0; i < 1000 && !r->disk->unwritten_blocked; i++)
		rig_wait(r, 10);
	rig_admin_soon(r, first, WITH("to", "a@example.net"));
	rig_admin_soon(r, second, WITH("to", "a@example.net"));
	rig_admin(r, "queue.status", rig_nothing);
	rig_wait(r, 100);
	cr_expect_eq(r->dones, dones + 1, "neither is at its end");
	memset(r->disk->unwritten, 0, sizeof r->disk->unwritten);
	rig_until(r, &r->dones, dones + 3);
	cr_expect_eq(r->done.exit_code, 0);
	cr_expect_str_eq(r->done_text, "1 message changed\n");
	rig_admin(r, "queue.list", WITH("state", "held"));
}

/* A message that is released while its hold is being stored is not held in the end, and the other
 * way round. */
Test(admin_changes, the_last_of_a_hold_and_a_release_decides, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_slow);
	cr_assert_eq(rig_commit(&r, rig_id(1), alice, TO("a@example.net")).code, 250);
	one_after_the_other(&r, "queue.hold", "queue.release");
	cr_expect_eq(r.row_count, 0);
	rig_end(&r);
	rig_begin(&r, rig_slow);
	cr_assert_eq(rig_commit(&r, rig_id(1), alice, TO("a@example.net")).code, 250);
	says(&r, "queue.hold", WITH("account", alice), "1 message changed\n");
	one_after_the_other(&r, "queue.release", "queue.hold");
	cr_expect_eq(r.row_count, 1);
	rig_end(&r);
}

/* Messages that are held for another reason stay held, also when the reasons begin alike. */
Test(admin_changes, a_release_by_reason_leaves_other_holds, .timeout = 60)
{
	static const char *const reasons[] = {"user suspended", "user suspended: phished",
	    "user suspended twice", "evidence: user suspended", ""};
	static struct rig r;
	char id[ID_NUMBER_TEXT_BYTES];

	rig_begin(&r, rig_slow);
	for (unsigned i = 1; i <= 5; i++) {
		cr_assert_eq(rig_commit(&r, rig_id(i), alice, TO("bob@example.net")).code, 250);
		msgid_text(rig_id(i), 0, id);
		says(&r, "queue.hold", WITH("id", id, "reason", reasons[i - 1]),
		    "1 message changed\n");
	}
	says(&r, "queue.release", WITH("held_for", "user suspended", "dry_run", "1"),
	    "2 messages would be changed; 3 not changed: not held, or for another reason\n");
	says(&r, "queue.release", WITH("held_for", "user suspended"),
	    "2 messages changed; 3 not changed: not held, or for another reason\n");
	rig_admin(&r, "queue.list", WITH("state", "held"));
	cr_expect_eq(r.row_count, 3);
	says(&r, "queue.release", all, "3 messages changed; 2 not changed: not held\n");
	rig_end(&r);
}

static void
check_hold(struct rig *r, const char *reason)
{
	rig_admin(r, "queue.list", WITH("state", "held"));
	cr_assert_eq(r->row_count, 1);
	cr_expect(str_eq(rig_row(r, 0, "reason"), str_of(reason)), "%.*s",
	    STR_ARG(rig_row(r, 0, "reason")));
}

static void
start_again(struct rig *r)
{
	rig_kill(r);
	rig_start(r);
	rig_relay(r, true);
}

#define SUSPENDED WITH("account", alice, "reason", "user suspended: phished", "coming", "yes")
#define RESUMED WITH("account", alice, "state", "held", "held_for", "user suspended")
#define EVIDENCE WITH("to", "bob@example.net", "reason", "evidence")

/* The user is suspended, and the operator holds one message as evidence: the resume of the user
 * must not send it, also when the queue was killed between any two of the commands. */
Test(admin_changes, an_operator_takes_over_the_hold_of_a_suspension, .timeout = 60)
{
	static struct rig r;

	for (unsigned kills = 0; kills < 4; kills++) {
		begin_with_attempt(&r);
		rig_results(&r, &r.attempts[0], 451, "greylisted");
		rig_until(&r, &r.stored, 1);
		says(&r, "queue.hold", SUSPENDED, "1 message changed\n");
		if (kills & 1)
			start_again(&r);
		says(&r, "queue.hold",
		    WITH("to", "bob@example.net", "reason", "evidence", "dry_run", "1"),
		    "1 message would be changed\n");
		says(&r, "queue.hold", EVIDENCE,
		    "1 message changed; 1 of these held already, for another reason than now\n");
		cr_expect_eq(r.row_count, 1);
		if (kills & 2)
			start_again(&r);
		says(&r, "queue.hold", EVIDENCE, "0 messages changed; 1 not changed: held already\n");
		says(&r, "queue.hold", SUSPENDED,
		    "0 messages changed; 1 not changed: held already\n");
		says(&r, "queue.release", RESUMED,
		    "0 messages changed; 1 not changed: not held, or for another reason\n");
		check_hold(&r, "operator: evidence");
		says(&r, "queue.release", all, "1 message changed\n");
		rig_end(&r);
	}
}

Test(admin_changes, a_suspension_takes_over_no_hold_of_the_operator, .timeout = 60)
{
	static struct rig r;

	for (unsigned kills = 0; kills < 2; kills++) {
		begin_with_attempt(&r);
		says(&r, "queue.hold", EVIDENCE, "1 message changed\n");
		rig_results(&r, &r.attempts[0], 451, "local");
		if (kills)
			start_again(&r);
		says(&r, "queue.hold", SUSPENDED,
		    "0 messages changed; 1 not changed: held already\n");
		if (kills)
			start_again(&r);
		says(&r, "queue.release", RESUMED,
		    "0 messages changed; 1 not changed: not held, or for another reason\n");
		check_hold(&r, "operator: evidence");
		rig_end(&r);
	}
}

/* Each command comes while the one before is being stored, in both orders. */
Test(admin_changes, of_two_holds_that_are_being_stored_that_of_the_operator_stays, .timeout = 60)
{
	static struct rig r;

	for (unsigned is_turned = 0; is_turned < 2; is_turned++) {
		unsigned dones;

		begin_with_attempt(&r);
		dones = r.dones;
		strcpy(r.disk->unwritten, "marked@example.net");
		rig_commit_soon(&r, rig_id(2), alice, TO("marked@example.net"));
		while (!r.disk->unwritten_blocked)
			rig_wait(&r, 10);
		rig_admin_soon(&r, "queue.hold", is_turned ? EVIDENCE : SUSPENDED);
		rig_admin_soon(&r, "queue.hold", is_turned ? SUSPENDED : EVIDENCE);
		rig_admin_soon(&r, "queue.release", RESUMED);
		rig_wait(&r, 100);
		memset(r.disk->unwritten, 0, sizeof r.disk->unwritten);
		rig_until(&r, &r.dones, dones + 3);
		check_hold(&r, "operator: evidence");
		start_again(&r);
		check_hold(&r, "operator: evidence");
		rig_end(&r);
	}
}
