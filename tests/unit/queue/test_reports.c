/* reports: which reports a sender gets, and when, while the queue process is killed at every point
 * of that. */
#include <time.h>

#include "base/clock.h"
#include "rig.h"

static void
commit(struct rig *r, const char *const *to)
{
	cr_assert_eq(rig_commit(r, rig_id(1), "alice@example.com", to).code, 250);
}

/* L7: failures in three domains, one report. */
Test(reports, one_per_round, .timeout = 60)
{
	static struct rig r;
	const struct rig_attempt *report;

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	commit(&r, TO("a@one.example", "b@two.example", "c@nx.example.org", "d@three.example"));
	rig_until(&r, &r.attempt_count, 3);
	rig_results(&r, rig_attempt_for(&r, "one.example"), 550, "mailbox");
	rig_until(&r, &r.stored, 1);
	rig_wait(&r, 200);
	cr_assert_eq(rig_reports(&r), 0, "the other domains are still being tried");
	rig_results(&r, rig_attempt_for(&r, "two.example"), 551, "mailbox");
	rig_results(&r, rig_attempt_for(&r, "three.example"), 250, "none");
	report = rig_attempt(&r, 3);
	cr_assert_eq(report->kind, ENVELOPE_REPORT);
	cr_assert(strstr(report->body, "Final-Recipient: rfc822;a@one.example\r\n"));
	cr_assert(strstr(report->body, "Final-Recipient: rfc822;b@two.example\r\n"));
	cr_assert(strstr(report->body, "Final-Recipient: rfc822;c@nx.example.org\r\n"));
	cr_assert_not(strstr(report->body, "three.example"));
	rig_results(&r, report, 250, "none");
	rig_until(&r, &r.stored, 4);
	cr_assert_eq(rig_reports(&r), 1);
	rig_check_empty(&r);
	rig_end(&r);
}

/* A domain that does not answer delays the report about another only for a limited time. */
Test(reports, a_slow_domain_is_not_waited_for, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	commit(&r, TO("a@one.example", "b@two.example"));
	rig_until(&r, &r.attempt_count, 2);
	rig_results(&r, rig_attempt_for(&r, "one.example"), 550, "mailbox");
	rig_until(&r, &r.attempt_count, 3);
	cr_assert_eq(r.attempts[2].kind, ENVELOPE_REPORT);
	cr_assert_not(strstr(r.attempts[2].body, "two.example"));
	/* a destination that has not answered yet has one slot */
	rig_results(&r, &r.attempts[2], 250, "none");
	rig_results(&r, rig_attempt_for(&r, "two.example"), 550, "mailbox");
	rig_until(&r, &r.attempt_count, 4);
	cr_assert(strstr(r.attempts[3].body, "b@two.example"));
	cr_assert_not(strstr(r.attempts[3].body, "a@one.example"));
	rig_end(&r);
}

/* The end is durable before the round is over; the next queue composes the report. */
Test(reports, killed_before_the_round_is_over, .timeout = 60)
{
	static struct rig r;
	const struct rig_attempt *report;

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	commit(&r, TO("a@one.example", "b@two.example"));
	rig_until(&r, &r.attempt_count, 2);
	rig_results(&r, rig_attempt_for(&r, "one.example"), 550, "mailbox");
	rig_until(&r, &r.stored, 1);
	rig_kill(&r);
	rig_start(&r);
	rig_relay(&r, false);
	rig_results(&r, rig_attempt_for(&r, "two.example"), 250, "none");
	rig_until(&r, &r.stored, 2);
	rig_wait(&r, 100);
	cr_assert_eq(r.attempt_count, 2, "nothing before relay told what it has");
	rig_caught_up(&r);
	report = rig_attempt(&r, 2);
	cr_assert_eq(report->kind, ENVELOPE_REPORT);
	cr_assert(strstr(report->body, "Diagnostic-Code: smtp; 550 remote text 550\r\n"));
	cr_assert(strstr(report->body, "Final-Recipient: rfc822;a@one.example\r\n"));
	cr_assert(strstr(report->header, "Message-ID: <"));
	rig_results(&r, report, 250, "none");
	rig_until(&r, &r.stored, 3);
	rig_check_empty(&r);
	cr_assert_eq(rig_reports(&r), 1);
	rig_end(&r);
}

/* RFC 3461 section 4: no report is sent about a message with the null sender. */
Test(reports, none_to_the_null_sender, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_slow);
	r.notify = NOTIFY_FAILURE | NOTIFY_DELAY | NOTIFY_SUCCESS;
	rig_relay(&r, true);
	cr_assert_eq(rig_commit(&r, rig_id(1), "", TO("a@one.example", "b@two.example")).code, 250);
	rig_until(&r, &r.attempt_count, 2);
	cr_assert_str_eq(r.attempts[0].sender, "");
	cr_assert_eq(r.attempts[0].kind, ENVELOPE_MESSAGE);
	rig_admin(&r, "queue.list", WITH("from", "<>"));
	cr_assert_eq(r.row_count, 1);
	cr_assert(str_eq(rig_row(&r, 0, "from"), STR("<>")));
	cr_assert(str_eq(rig_row(&r, 0, "user"), STR("alice@example.com")));
	rig_results(&r, &r.attempts[0], 550, "mailbox");
	rig_results(&r, &r.attempts[1], 250, "none");
	rig_until(&r, &r.stored, 2);
	rig_wait(&r, 100);
	cr_assert_eq(r.attempt_count, 2);
	cr_assert_eq(rig_reports(&r), 0);
	rig_check_empty(&r);
	rig_end(&r);
}

struct success {
	unsigned notify;
	bool is_passed_on, is_delivered, is_reported;
	const char *action;
};

static void
check_success(const struct success *c)
{
	static struct rig r;

	rig_begin(&r, rig_slow);
	r.notify = c->notify;
	r.is_passed_on = c->is_passed_on;
	r.is_delivered = c->is_delivered;
	rig_relay(&r, true);
	commit(&r, TO("a@one.example", "b@two.example"));
	rig_until(&r, &r.attempt_count, 2);
	rig_results(&r, &r.attempts[0], 250, "none");
	rig_until(&r, &r.stored, 1);
	rig_kill(&r);
	rig_start(&r);
	rig_relay(&r, false);
	rig_results(&r, &r.attempts[1], 250, "none");
	rig_until(&r, &r.stored, 2);
	rig_caught_up(&r);
	if (c->is_reported) {
		rig_attempt(&r, 2);
		cr_assert_eq(r.attempts[2].kind, ENVELOPE_REPORT);
		cr_assert(strstr(r.attempts[2].body, "Final-Recipient: rfc822;a@one.example\r\n"));
		cr_assert(strstr(r.attempts[2].body, "Final-Recipient: rfc822;b@two.example\r\n"));
		cr_assert(strstr(r.attempts[2].body, c->action), "%s", r.attempts[2].body);
		cr_assert_not(strstr(r.attempts[2].body, "Hello, world"), "its header only");
		rig_results(&r, &r.attempts[2], 250, "none");
		rig_until(&r, &r.stored, 3);
	}
	rig_wait(&r, 100);
	cr_assert_eq(rig_reports(&r), c->is_reported);
	rig_check_empty(&r);
	rig_end(&r);
}

/* L8: RFC 3461 section 5.2; a queue that is killed in between sends one report. */
Test(reports, of_success, .timeout = 120)
{
	static const struct success cases[] = {
	    {NOTIFY_SUCCESS, false, false, true, "Action: relayed\r\nStatus: 2.0.0\r\n"},
	    {NOTIFY_SUCCESS | NOTIFY_FAILURE, false, true, true,
		"Action: delivered\r\nStatus: 2.0.0\r\n"},
	    {NOTIFY_SUCCESS, true, false, false, NULL},
	    {0, false, false, false, NULL},
	    {NOTIFY_FAILURE | NOTIFY_DELAY, false, false, false, NULL},
	    {NOTIFY_NEVER, false, true, false, NULL},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		check_success(&cases[i]);
}

/* Three messages with an unreachable host: the third was never tried when it expires. */
Test(reports, of_expiry_without_an_attempt, .timeout = 120)
{
	static struct rig r;
	unsigned untried = 0;

	rig_begin(&r, "retry = [ \"1s\", \"1h\" ]; lifetime = \"4s\";");
	rig_relay(&r, true);
	for (unsigned i = 1; i < 4; i++)
		cr_assert_eq(
		    rig_commit(&r, rig_id(i), "alice@example.com", TO("a@one.example")).code, 250);
	for (unsigned i = 0; i < 2; i++)
		rig_results(&r, rig_attempt(&r, i), 451, "connect");
	for (unsigned i = 2; i < 5; i++) {
		const struct rig_attempt *report = rig_attempt(&r, i);
		bool is_untried = !strstr(report->body, "Last-Attempt-Date: ");

		cr_assert_eq(report->kind, ENVELOPE_REPORT);
		cr_expect(strstr(report->body, "Status: 4.4.7\r\n"));
		cr_expect(strstr(
		    report->body, "Diagnostic-Code: x-sallyport; connection refused\r\n"));
		cr_expect_eq(strstr(report->body, "It was never tried, because its host") != NULL,
		    is_untried);
		untried += is_untried;
		rig_results(&r, report, 250, "none");
	}
	cr_expect_eq(untried, 1);
	rig_end(&r);
}

/* c85: reports expire as well: the report, then the one to the postmaster, then nothing. */
Test(reports, that_expire, .timeout = 120)
{
	static struct rig r;
	unsigned i, reports = 0;

	rig_begin(&r, "retry = [ \"1s\" ]; lifetime = \"1s\";");
	rig_relay(&r, true);
	commit(&r, TO("a@one.example"));
	for (i = 0; i < 40; i++) {
		rig_results(&r, rig_attempt(&r, i), 451, "greylisted");
		rig_admin(&r, "queue.list", rig_nothing);
		reports = r.row_count;
		if (reports == 0)
			break;
	}
	rig_wait(&r, 300);
	rig_admin(&r, "queue.list", rig_nothing);
	for (i = 0, reports = 0; i < r.attempt_count; i++)
		if (r.attempts[i].kind == ENVELOPE_REPORT && r.attempts[i].attempt == 1)
			reports++;
	cr_assert_eq(reports, 2);
	rig_end(&r);
}

/* Row T: a full disk with only failing mail: no message is taken, every report goes, and the queue
 * empties. */
Test(reports, on_a_full_disk, .timeout = 60)
{
	enum { COUNT = 50 };
	static struct rig r;

	rig_begin(&r, rig_slow);
	for (unsigned i = 0; i < COUNT; i++)
		cr_assert_eq(rig_commit(&r, rig_id(i), "alice@example.com", TO("a@one.example"))
				 .code,
		    250);
	rig_reload(&r, "retry = [ \"1h\" ]; minimum_free = \"90%\";");
	cr_assert_eq(
	    rig_commit(&r, rig_id(COUNT), "alice@example.com", TO("a@one.example")).code, 452);
	rig_relay(&r, true);
	for (unsigned i = 0; i < 2 * COUNT; i++) {
		const struct rig_attempt *attempt = rig_attempt(&r, i);

		rig_results(&r, attempt, attempt->kind == ENVELOPE_REPORT ? 250 : 550, "none");
		if (attempt->kind == ENVELOPE_REPORT)
			cr_assert_not(strstr(attempt->body, "Hello, world"), "brief");
	}
	rig_until(&r, &r.stored, 2 * COUNT);
	cr_assert_eq(rig_reports(&r), COUNT);
	rig_check_empty(&r);
	rig_end(&r);
}

/* Relay keeps its results and sends them again; each is acknowledged, and reported once. */
static void
answer_all(struct rig *r, unsigned *answered)
{
	for (; *answered < r->attempt_count; ++*answered) {
		const struct rig_attempt *attempt = &r->attempts[*answered];
		bool is_good = attempt->kind == ENVELOPE_REPORT || attempt->id.session % 2;

		rig_results(r, attempt, is_good ? 250 : 550, "none");
	}
}

static void
run_a_moment(struct rig *r, unsigned *answered, unsigned turns)
{
	struct timespec nap = {.tv_nsec = 200000};

	for (unsigned i = 0; i < turns; i++) {
		event_base_loop(r->base, EVLOOP_NONBLOCK);
		answer_all(r, answered);
		nanosleep(&nap, NULL);
	}
	event_base_loop(r->base, EVLOOP_NONBLOCK);
	*answered = r->attempt_count;
}

static unsigned
count_attempts(const struct rig *r, uint64_t session, bool is_report)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->attempt_count; i++)
		n += r->attempts[i].id.session == session &&
		     (r->attempts[i].kind == ENVELOPE_REPORT) == is_report;
	return n;
}

/* Killed at any moment, a success and a failure are reported once: the report and the statuses that
 * it settles are stored together or not at all. */
Test(reports, killed_at_any_moment, .timeout = 180)
{
	enum { ROUNDS = 10, BURST = 30 };
	static struct rig r;
	unsigned answered = 0, again, seed = (unsigned)clock_ms(), next = 0, before;

	rig_begin(&r, rig_slow);
	r.notify = NOTIFY_SUCCESS | NOTIFY_FAILURE;
	rig_relay(&r, true);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < BURST; i++)
			rig_commit_soon(
			    &r, rig_id(next++), "alice@example.com", TO("a@example.net"));
		seed = seed * 1103515245 + 12345;
		run_a_moment(&r, &answered, (seed >> 16) % 80);
		rig_kill(&r);
		rig_start(&r);
		rig_relay(&r, false);
		again = 0;
		answer_all(&r, &again);
		rig_caught_up(&r);
	}
	do {
		before = r.attempt_count;
		rig_wait(&r, 400);
		answer_all(&r, &answered);
	} while (before != r.attempt_count);
	cr_assert_gt(r.accepted_count, 0);
	for (unsigned i = 0; i < r.accepted_count; i++) {
		cr_assert_eq(count_attempts(&r, r.accepted[i].session, false), 1, "delivered once");
		cr_assert_eq(count_attempts(&r, r.accepted[i].session, true), 1, "told once");
	}
	rig_check_empty(&r);
	rig_end(&r);
}
