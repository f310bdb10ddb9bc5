/* reports of delays: which senders get one, when, and only once, while the queue process is killed.
 */
#include "rig.h"

static const char warned_of[] = "retry = [ \"1h\" ]; delay_warning = \"1s\";";

static void
commit(struct rig *r, const char *const *to)
{
	cr_assert_eq(rig_commit(r, rig_id(1), "alice@example.com", to).code, 250);
}

/* Once per message, also over a kill; a later failure has its own report. */
Test(reports, of_delay, .timeout = 120)
{
	static struct rig r;
	const struct rig_attempt *report;

	rig_begin(&r, warned_of);
	rig_relay(&r, true);
	commit(&r, TO("a@one.example", "b@two.example"));
	rig_until(&r, &r.attempt_count, 2);
	rig_results(&r, rig_attempt_for(&r, "one.example"), 451, "greylisted");
	rig_results(&r, rig_attempt_for(&r, "two.example"), 250, "none");
	report = rig_attempt(&r, 2);
	cr_assert_eq(report->kind, ENVELOPE_REPORT);
	cr_assert_str_eq(report->to, "alice@example.com");
	cr_assert(strstr(report->header, "Subject: Delayed mail"));
	cr_assert(strstr(report->body, "Final-Recipient: rfc822;a@one.example\r\n"
				       "Action: delayed\r\nStatus: 4.0.0\r\n"));
	cr_assert(strstr(report->body, "Will-Retry-Until: "));
	cr_assert(strstr(report->body, "Diagnostic-Code: smtp; 451 remote text 451\r\n"));
	cr_assert_not(strstr(report->body, "two.example"));
	rig_results(&r, report, 250, "none");
	rig_until(&r, &r.stored, 3);
	rig_kill(&r);
	rig_start(&r);
	rig_relay(&r, true);
	rig_wait(&r, 1500);
	cr_assert_eq(rig_reports(&r), 1, "told once, over a kill");
	rig_admin(&r, "queue.retry", rig_nothing);
	rig_attempt(&r, 3);
	cr_assert_str_eq(r.attempts[3].next_hop, "mx:one.example");
	rig_results(&r, &r.attempts[3], 550, "mailbox");
	report = rig_attempt(&r, 4);
	cr_assert(strstr(report->body, "Action: failed\r\n"));
	rig_results(&r, report, 250, "none");
	rig_until(&r, &r.stored, 5);
	rig_check_empty(&r);
	rig_end(&r);
}

/* About messages that waited behind one that found their host unreachable: the report has that
 * failure, and no attempt that was not made. */
Test(reports, of_delay_behind_another, .timeout = 120)
{
	static struct rig r;
	const struct rig_attempt *report;

	rig_begin(&r, warned_of);
	rig_relay(&r, true);
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com", TO("a@one.example")).code, 250);
	cr_assert_eq(rig_commit(&r, rig_id(2), "bob@example.com", TO("b@one.example")).code, 250);
	rig_results(&r, rig_attempt(&r, 0), 451, "connect");
	for (unsigned i = 1; i < 3; i++) {
		report = rig_attempt(&r, i);
		cr_assert_eq(report->kind, ENVELOPE_REPORT);
		cr_expect(strstr(report->body, "Status: 4.4.1\r\n"), "%s", report->body);
		cr_expect(strstr(
		    report->body, "Diagnostic-Code: x-sallyport; connection refused\r\n"));
		cr_expect_eq(!strstr(report->body, "Last-Attempt-Date: "),
		    strcmp(report->to, "bob@example.com") == 0);
		cr_expect_eq(!strstr(report->body, "It was not tried yet"),
		    strcmp(report->to, "bob@example.com") != 0);
		rig_results(&r, report, 250, "none");
	}
	rig_end(&r);
}

/* The mark survives a later attempt, whose status does not contain it. */
Test(reports, of_delay_once_over_later_tries, .timeout = 120)
{
	static struct rig r;

	rig_begin(&r, warned_of);
	rig_relay(&r, true);
	commit(&r, TO("a@one.example"));
	rig_results(&r, rig_attempt(&r, 0), 451, "greylisted");
	rig_results(&r, rig_attempt(&r, 1), 250, "none");
	rig_admin(&r, "queue.retry", rig_nothing);
	rig_results(&r, rig_attempt(&r, 2), 451, "greylisted");
	rig_until(&r, &r.stored, 3);
	rig_kill(&r);
	rig_start(&r);
	rig_relay(&r, true);
	rig_wait(&r, 1500);
	cr_assert_eq(rig_reports(&r), 1);
	rig_end(&r);
}

/* No delay report when NOTIFY excludes it, or when there is no sender. */
Test(reports, of_delay_as_notify_requests, .timeout = 120)
{
	static const struct {
		unsigned notify;
		const char *sender;
		bool is_reported;
	} cases[] = {
	    {NOTIFY_DELAY, "alice@example.com", true},
	    {NOTIFY_FAILURE, "alice@example.com", false},
	    {NOTIFY_NEVER, "alice@example.com", false},
	    {0, "", false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		static struct rig r;

		rig_begin(&r, warned_of);
		r.notify = cases[i].notify;
		rig_relay(&r, true);
		cr_assert_eq(
		    rig_commit(&r, rig_id(1), cases[i].sender, TO("a@one.example")).code, 250);
		rig_results(&r, rig_attempt(&r, 0), 451, "greylisted");
		if (cases[i].is_reported)
			rig_attempt(&r, 1);
		else
			rig_wait(&r, 1500);
		cr_assert_eq(rig_reports(&r), cases[i].is_reported, "%zu", i);
		rig_end(&r);
	}
}

/* "0s" turns it off, and so does a time after the expiry. */
Test(reports, of_delay_turned_off, .timeout = 60)
{
	static const char *const confs[] = {"retry = [ \"1h\" ]; delay_warning = \"0s\";",
	    "retry = [ \"1h\" ]; delay_warning = \"2s\"; lifetime = \"2s\";"};

	for (size_t i = 0; i < 2; i++) {
		static struct rig r;

		rig_begin(&r, confs[i]);
		rig_relay(&r, true);
		commit(&r, TO("a@one.example"));
		rig_attempt(&r, 0);
		rig_wait(&r, 1500);
		cr_assert_eq(rig_reports(&r), 0);
		rig_end(&r);
	}
}

/* No host delays a held message. */
Test(reports, of_delay_not_while_held, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, warned_of);
	commit(&r, TO("a@one.example"));
	rig_admin(&r, "queue.hold", rig_nothing);
	rig_relay(&r, true);
	rig_wait(&r, 1500);
	cr_assert_eq(r.attempt_count, 0);
	rig_end(&r);
}

/* Different reports about it; a report that was in relay when the queue was killed is sent again.
 */
static unsigned
count_report_ids(const struct rig *r, uint64_t session)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->attempt_count; i++) {
		bool is_new =
		    r->attempts[i].kind == ENVELOPE_REPORT && r->attempts[i].id.session == session;

		for (unsigned k = 0; k < i && is_new; k++)
			is_new = !msgid_eq(r->attempts[k].id, r->attempts[i].id);
		n += is_new;
	}
	return n;
}

/* The same for a delay: the mark and its report are one batch. */
Test(reports, of_delay_killed_at_any_moment, .timeout = 180)
{
	enum { ROUNDS = 6, COUNT = 20 };
	static struct rig r;
	unsigned answered = 0, before;

	rig_begin(&r, warned_of);
	r.notify = NOTIFY_DELAY;
	rig_relay(&r, true);
	for (unsigned i = 0; i < COUNT; i++)
		cr_assert_eq(
		    rig_commit(&r, rig_id(i), "alice@example.com", TO("a@later.example")).code,
		    250);
	for (; answered < COUNT; answered++)
		rig_results(&r, rig_attempt(&r, answered), 451, "greylisted");
	rig_until(&r, &r.stored, COUNT);
	rig_wait(&r, 900);
	for (unsigned round = 0; round < ROUNDS; round++) {
		rig_wait(&r, 10 + 30 * (int)round);
		rig_kill(&r);
		rig_start(&r);
		rig_relay(&r, true);
	}
	do {
		before = r.attempt_count;
		for (; answered < r.attempt_count; answered++)
			rig_results(&r, &r.attempts[answered], 250, "none");
		rig_wait(&r, 1200);
	} while (before != r.attempt_count);
	for (unsigned i = 0; i < COUNT; i++)
		cr_assert_eq(count_report_ids(&r, rig_id(i).session), 1, "message %u", i);
	rig_end(&r);
}
