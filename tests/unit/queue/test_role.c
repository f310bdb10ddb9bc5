/* The role as a process: commit, deliver, result, stored; killed and restarted at every point of
 * that. */
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "rig.h"

Test(role, commit_deliver_result_stored, .timeout = 60)
{
	static struct rig r;
	const struct rig_attempt *attempt;
	struct smtp_status s;

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	s = rig_commit(
	    &r, rig_id(1), "alice@example.com", TO("bob@Example.NET", "eve@example.net"));
	cr_assert_eq(s.code, 250, "%u %s", s.code, s.text);
	cr_assert(strstr(s.text, "Queued as "));
	attempt = rig_attempt(&r, 0);
	cr_assert_eq(attempt->count, 2, "one job for both recipients of the domain");
	cr_assert_str_eq(attempt->next_hop, "mx:example.net");
	cr_assert_str_eq(attempt->body, "Hello, world\r\n");
	cr_assert_eq(attempt->attempt, 1);
	rig_results(&r, attempt, 250, "none");
	rig_until(&r, &r.stored, 2);
	rig_admin(&r, "queue.list", rig_nothing);
	cr_assert_eq(r.row_count, 0);
	rig_kill(&r);
	rig_start(&r);
	rig_admin(&r, "queue.list", rig_nothing);
	cr_assert_eq(r.row_count, 0, "what was stored stays settled");
	rig_end(&r);
}

Test(role, large_body_in_a_file, .timeout = 60)
{
	static struct rig r;
	static char block[RIG_FD_BODY];
	struct msgid id = rig_id(1);
	struct message_spool_file m = {id.session, id.number, RIG_FD_BODY, STR_NULL};

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	cr_assert_eq(rig_lease(&r, "alice@example.com", 1).code, 250);
	rig_ask_file(&r, &m);
	cr_assert_geq(r.fd, 0);
	memset(block, 'x', sizeof block);
	cr_assert_eq(write(r.fd, block, sizeof block), sizeof block);
	struct smtp_status s = rig_commit(&r, id, "alice@example.com", TO("bob@example.net"));

	close(r.fd);
	cr_assert_eq(s.code, 250, "%s", s.text);
	cr_assert_eq(rig_attempt(&r, 0)->body_n, RIG_FD_BODY);
	rig_results(&r, &r.attempts[0], 250, "none");
	rig_until(&r, &r.stored, 1);
	rig_end(&r);
}

/* Every kill after the 250 keeps the message; a result is sent again until it is stored. */
Test(role, killed_and_started, .timeout = 120)
{
	static struct rig r;
	unsigned attempts = 0;

	rig_begin(&r, rig_slow);
	cr_assert_eq(
	    rig_commit(&r, rig_id(1), "alice@example.com", TO("bob@example.net")).code, 250);
	rig_kill(&r);
	rig_start(&r);
	cr_assert_gt(r.newest_ms, 0);
	rig_relay(&r, true);
	rig_attempt(&r, attempts++);
	rig_kill(&r);
	rig_start(&r);
	rig_relay(&r, true);
	rig_attempt(&r, attempts++);
	rig_result(&r, &r.attempts[1], 0, 451, "greylisted");
	rig_until(&r, &r.stored, 1);
	rig_kill(&r);
	rig_start(&r);
	rig_relay(&r, true);
	rig_wait(&r, 200);
	cr_assert_eq(r.attempt_count, attempts, "the pause survives");
	rig_admin(&r, "queue.list", rig_nothing);
	cr_assert_eq(r.row_count, 1);
	cr_assert(str_eq(rig_row(&r, 0, "tries"), STR("1")));
	cr_assert(str_eq(rig_row(&r, 0, "reply"), STR("451 4.0.0 remote text 451")));
	cr_assert(str_eq(rig_row(&r, 0, "reply_by"), STR("host")));
	cr_assert(str_eq(rig_row(&r, 0, "reason"), STR("greylisted")));
	cr_assert(str_eq(rig_row(&r, 0, "state"), STR("deferred")));
	rig_end(&r);
}

/* Nothing is scheduled before relay has sent the attempts of the earlier queue process. */
Test(role, results_and_running_attempts_for_a_new_queue, .timeout = 60)
{
	static struct rig r;
	static const char *const to[] = {"bob@example.net", "bob@example.org", "bob@example.edu"};
	struct message_running running;
	uint32_t one = 1;

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(rig_commit(&r, rig_id(i), "alice@example.com", TO(to[i])).code, 250);
	rig_attempt(&r, 2);
	rig_kill(&r);
	rig_start(&r);
	rig_relay(&r, false);
	rig_wait(&r, 100);
	cr_assert_eq(r.attempt_count, 3, "nothing before CAUGHT_UP");
	rig_result(&r, &r.attempts[0], 0, 250, "none");
	running = (struct message_running){.attempt_id = r.attempts[1].number,
	    .ticket = r.attempts[1].ticket,
	    .id = r.attempts[1].id,
	    .numbers = str_make((const char *)&one, 4),
	    .next_hop = STR("mx:example.org"),
	    .destination = STR("mx:mx.example.org")};
	cr_assert_eq(channel_send(r.relay, MESSAGE_RUNNING, &running, -1), 0);
	rig_caught_up(&r);
	rig_until(&r, &r.stored, 1);
	rig_attempt(&r, 3);
	cr_assert(
	    msgid_eq(r.attempts[3].id, r.attempts[2].id), "only the one that relay did not know");
	cr_assert_gt(r.attempts[3].number, r.attempts[2].number);
	rig_result(&r, &r.attempts[1], 0, 250, "none");
	rig_result(&r, &r.attempts[3], 0, 250, "none");
	rig_until(&r, &r.stored, 3);
	rig_result(&r, &r.attempts[0], 0, 250, "none");
	rig_until(&r, &r.stored, 4);
	rig_admin(&r, "queue.list", rig_nothing);
	cr_assert_eq(r.row_count, 0);
	rig_end(&r);
}

Test(role, relay_lost_is_tried_again, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	cr_assert_eq(
	    rig_commit(&r, rig_id(1), "alice@example.com", TO("bob@example.net")).code, 250);
	rig_attempt(&r, 0);
	rig_relay_gone(&r);
	rig_wait(&r, 50);
	rig_relay(&r, true);
	rig_attempt(&r, 1);
	cr_assert(msgid_eq(r.attempts[1].id, r.attempts[0].id));
	rig_results(&r, &r.attempts[1], 250, "none");
	rig_until(&r, &r.stored, 1);
	rig_end(&r);
}

Test(role, deferred_is_tried_again, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_quick);
	rig_relay(&r, true);
	cr_assert_eq(
	    rig_commit(&r, rig_id(1), "alice@example.com", TO("a@example.net", "b@example.net"))
	        .code,
	    250);
	rig_attempt(&r, 0);
	rig_result(&r, &r.attempts[0], 0, 250, "none");
	rig_result(&r, &r.attempts[0], 1, 451, "greylisted");
	rig_attempt(&r, 1);
	cr_assert_eq(r.attempts[1].count, 1, "only the one that was deferred");
	cr_assert_eq(r.attempts[1].numbers[0], 2);
	cr_assert_eq(r.attempts[1].attempt, 2);
	rig_end(&r);
}

/* One report, whenever the queue is killed: before the failure is stored, after it, after the
 * report was sent. */
Test(role, report_exactly_once, .timeout = 120)
{
	static struct rig r;
	const struct rig_attempt *report;

	rig_begin(&r, rig_quick);
	rig_relay(&r, true);
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com",
	                 TO("a@example.net", "b@example.net", "c@nx.example.org"))
	                 .code,
	    250);
	rig_until(&r, &r.attempt_count, 2);
	cr_assert_str_eq(r.attempts[0].next_hop, "mx:example.net");
	report = &r.attempts[1];
	cr_assert_eq(report->kind, ENVELOPE_REPORT);
	cr_assert_str_eq(report->sender, "");
	cr_assert_str_eq(report->to, "alice@example.com");
	cr_assert(strstr(report->body, "c@nx.example.org"));
	cr_assert(strstr(report->body, "No such domain"));
	rig_kill(&r);

	rig_start(&r);
	rig_relay(&r, false);
	rig_result(&r, &r.attempts[0], 0, 550, "mailbox");
	rig_result(&r, &r.attempts[0], 1, 250, "none");
	rig_caught_up(&r);
	rig_until(&r, &r.stored, 2);
	rig_until(&r, &r.attempt_count, 3);
	rig_wait(&r, 100);
	cr_assert_eq(r.attempt_count, 3, "a destination that has not answered has one slot");
	rig_results(&r, &r.attempts[2], 250, "none");
	rig_until(&r, &r.attempt_count, 4);
	rig_wait(&r, 100);
	cr_assert_eq(r.attempt_count, 4, "the report that was not sent yet, and the new one");
	for (unsigned i = 2; i < 4; i++)
		cr_assert_eq(r.attempts[i].kind, ENVELOPE_REPORT);
	cr_assert_not(msgid_eq(r.attempts[2].id, r.attempts[3].id));
	rig_kill(&r);

	rig_start(&r);
	rig_relay(&r, false);
	rig_result(&r, &r.attempts[0], 0, 550, "mailbox");
	rig_results(&r, &r.attempts[2], 250, "none");
	rig_results(&r, &r.attempts[3], 554, "refused");
	rig_caught_up(&r);
	rig_until(&r, &r.stored, 6);
	cr_assert_str_eq(rig_attempt(&r, 4)->to, "postmaster@example.com");
	cr_assert_eq(r.attempts[4].kind, ENVELOPE_REPORT);
	cr_assert(strstr(r.attempts[4].body, "Final-Recipient: rfc822;alice@example.com\r\n"));
	cr_assert(strstr(r.attempts[4].body, "a@example.net"), "the original failure is inside");
	rig_results(&r, &r.attempts[4], 554, "refused");
	rig_until(&r, &r.stored, 7);
	rig_wait(&r, 200);
	cr_assert_eq(r.attempt_count, 5,
	    "told again: no report; a report that fails: to the postmaster; that one: to nobody");
	rig_admin(&r, "queue.list", rig_nothing);
	cr_assert_eq(r.row_count, 0);
	rig_end(&r);
}

Test(role, expires, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, "retry = [ \"1s\" ]; lifetime = \"2s\";");
	rig_relay(&r, true);
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com", TO("a@example.net")).code, 250);
	for (unsigned i = 0; i < 10 && rig_attempt(&r, i)->kind == ENVELOPE_MESSAGE; i++)
		rig_results(&r, &r.attempts[i], 451, "greylisted");
	cr_assert(strstr(r.attempts[r.attempt_count - 1].body, "Status: 4.4.7"));
	rig_end(&r);
}

Test(role, bad_envelopes, .timeout = 60)
{
	static struct rig r;
	struct message_commit m = {.envelope = STR("rubbish"), .header = STR("A: b\r\n")};

	rig_begin(&r, rig_slow);
	cr_assert_eq(rig_ask_commit(&r, &m).code, 554);
	m.envelope = STR_NULL;
	cr_assert_eq(rig_ask_commit(&r, &m).code, 554);
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com", rig_nothing).code, 554);
	cr_assert_eq(
	    rig_commit(&r, (struct msgid){1, 0}, "alice@example.com", TO("a@b")).code, 554);
	cr_assert_eq(
	    rig_commit(&r, (struct msgid){1, 1000000}, "alice@example.com", TO("a@b")).code, 554);
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com", TO("a@b")).code, 250);
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com", TO("a@b")).code, 451, "twice");
	rig_end(&r);
}

/* A thousand messages at once: all are acknowledged, and all are delivered once. */
Test(role, many, .timeout = 120)
{
	enum { COUNT = 1000 };
	static struct rig r;
	unsigned answered = 0;

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	for (unsigned i = 0; i < COUNT; i++)
		rig_commit_soon(&r, rig_id(i), "alice@example.com", TO("a@example.net"));
	while (answered < COUNT) {
		rig_until(&r, &r.attempt_count, answered + 1);
		for (; answered < r.attempt_count; answered++)
			rig_results(&r, &r.attempts[answered], 250, "none");
	}
	rig_until(&r, &r.stored, COUNT);
	rig_until(&r, &r.answers_ok, COUNT);
	rig_wait(&r, 50);
	cr_assert_eq(r.attempt_count, COUNT);
	rig_admin(&r, "queue.status", rig_nothing);
	cr_assert(str_eq(rig_row(&r, 0, "messages"), STR("0")));
	rig_end(&r);
}

/* Main connects the new relay before the end of the old one is seen. */
Test(role, relay_replaced, .timeout = 60)
{
	static struct rig r;
	struct channel *before;

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	cr_assert_eq(
	    rig_commit(&r, rig_id(1), "alice@example.com", TO("bob@example.net")).code, 250);
	rig_attempt(&r, 0);
	before = r.relay;
	rig_relay(&r, true);
	channel_free(&before);
	rig_attempt(&r, 1);
	cr_assert(msgid_eq(r.attempts[1].id, r.attempts[0].id));
	rig_results(&r, &r.attempts[1], 250, "none");
	rig_until(&r, &r.stored, 1);
	rig_end(&r);
}

/* A shorter lifetime applies to messages that are queued already. */
Test(role, lifetime_follows_a_reload, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_quick);
	rig_relay(&r, true);
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com", TO("a@example.net")).code, 250);
	rig_results(&r, rig_attempt(&r, 0), 451, "greylisted");
	rig_reload(&r, "retry = [ \"1s\" ]; lifetime = \"1s\";");
	rig_results(&r, rig_attempt(&r, 1), 451, "greylisted");
	cr_assert(strstr(rig_attempt(&r, 2)->body, "Status: 4.4.7"));
	rig_end(&r);
}

/* A message that crashes relay at each attempt ends itself. */
Test(role, lost_attempts_do_not_outlive_the_message, .timeout = 60)
{
	static struct rig r;
	unsigned i;

	rig_begin(&r, "retry = [ \"1s\" ]; lifetime = \"2s\";");
	rig_relay(&r, true);
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com", TO("a@example.net")).code, 250);
	for (i = 0; i < 6 && rig_attempt(&r, i)->kind == ENVELOPE_MESSAGE; i++) {
		rig_relay_gone(&r);
		rig_wait(&r, 20);
		rig_relay(&r, true);
	}
	cr_assert_lt(i, 6, "tried for ever");
	cr_assert(strstr(r.attempts[i].body, "Status: 4.4.7"));
	rig_end(&r);
}

static unsigned
attempts_of(const struct rig *r, struct msgid id)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->attempt_count; i++)
		n += msgid_eq(r->attempts[i].id, id);
	return n;
}

/* Answers all attempts that came; an attempt that was answered must never come again. */
static void
answer_all(struct rig *r, unsigned *answered)
{
	for (; *answered < r->attempt_count; ++*answered)
		rig_results(r, &r->attempts[*answered], *answered % 5 ? 250 : 550, "none");
}

/* Killed at any moment under load, while relay keeps its results: no acknowledged message is lost,
 * no delivered message is delivered again, and no failure is reported twice. */
Test(role, killed_under_load, .timeout = 180)
{
	enum { ROUNDS = 12, BURST = 80 };
	static struct rig r;
	unsigned answered = 0, seed = (unsigned)clock_ms(), next = 0, before;
	struct timespec nap = {0, 0};

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < BURST; i++)
			rig_commit_soon(
			    &r, rig_id(next++), "alice@example.com", TO("a@example.net"));
		seed = seed * 1103515245 + 12345;
		for (unsigned i = 0; i < (seed >> 16) % 60; i++) {
			event_base_loop(r.base, EVLOOP_NONBLOCK);
			answer_all(&r, &answered);
			nap.tv_nsec = 200000;
			nanosleep(&nap, NULL);
		}
		/* only relay knows attempts that have no result */
		event_base_loop(r.base, EVLOOP_NONBLOCK);
		answered = r.attempt_count;
		rig_kill(&r);
		rig_start(&r);
		rig_relay(&r, false);
		before = 0;
		answer_all(&r, &before);
		rig_caught_up(&r);
	}
	before = r.stored;
	do {
		before = r.attempt_count;
		rig_wait(&r, 300);
		answer_all(&r, &answered);
	} while (before != r.attempt_count);
	rig_admin(&r, "queue.list", rig_nothing);
	cr_assert_eq(r.row_count, 0, "all is settled");
	for (unsigned i = 0; i < r.accepted_count; i++)
		cr_assert_eq(attempts_of(&r, r.accepted[i]), 1, "acknowledged, and delivered once");
	cr_assert_gt(r.accepted_count, 0);
	for (unsigned i = 0; i < r.attempt_count; i++)
		cr_assert_eq(attempts_of(&r, r.attempts[i].id), 1);
	rig_end(&r);
}
