/* expiry: messages that get no attempt end when they have expired, for whatever reason, and their
 * senders get a report. */
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "rig.h"
#include "spool/spool_names.h"

/* the next attempt would be in an hour */
#define SHORT "retry = [ \"1h\" ]; lifetime = \"1s\";"
/* on a busy machine nothing may expire before it is tried */
#define LESS_SHORT "retry = [ \"1h\" ]; lifetime = \"5s\";"
#define HASTY \
	SHORT " }; timeouts: { attempt = \"300ms\"; body = \"100ms\"; final = \"100ms\";"

static void
put_body(struct rig *r)
{
	static char body[RIG_FD_BODY];
	struct message_spool_file m = {.session = rig_id(1).session, .number = 1};

	memset(body, 'y', sizeof body);
	memcpy(body + sizeof body - 2, "\r\n", 2);
	rig_ask_file(r, &m);
	cr_assert_geq(r->fd, 0);
	cr_assert_eq(pwrite(r->fd, body, sizeof body, 0), (ssize_t)sizeof body);
}

static void
put(struct rig *r)
{
	cr_assert_eq(
	    rig_commit(r, rig_id(1), "alice@example.com", TO("a@example.net", "b@two.example"))
	        .code,
	    250);
}

/* Attempts of the message are not understood or not answered; the first report is checked. */
static void
expect_report(struct rig *r, bool is_understood)
{
	unsigned i;

	for (i = 0; i < 20 && rig_attempt(r, i)->kind == ENVELOPE_MESSAGE; i++) {
		struct rig_attempt attempt = r->attempts[i];

		attempt.id = (struct msgid){0};
		if (!is_understood)
			rig_results(r, &attempt, 451, "local");
	}
	cr_assert_lt(i, 20, "tried again and again");
	cr_assert(strstr(r->attempts[i].body, "Final-Recipient: rfc822;a@example.net\r\n"));
	cr_assert(strstr(r->attempts[i].body, "Final-Recipient: rfc822;b@two.example\r\n"));
	cr_assert(strstr(r->attempts[i].body, "Action: failed\r\n"), "%s", r->attempts[i].body);
	rig_results(r, &r->attempts[i], 250, "none");
	rig_wait(r, 200);
	rig_admin(r, "queue.list", rig_nothing);
	cr_assert_eq(r->row_count, 0);
}

/* The report can be sent only when relay is connected again; it is composed then. */
static void
no_relay(struct rig *r)
{
	rig_begin(r, SHORT);
	put(r);
	rig_wait(r, 4000);
	rig_relay(r, true);
	expect_report(r, true);
	cr_assert_eq(r->attempts[0].kind, ENVELOPE_REPORT, "its time was over before");
}

static void
relay_ends_and_stays_away(struct rig *r)
{
	rig_begin(r, SHORT);
	rig_relay(r, true);
	put(r);
	rig_attempt(r, 1);
	rig_relay_gone(r);
	rig_wait(r, 4000);
	rig_relay(r, true);
	expect_report(r, true);
	cr_assert_eq(r->attempts[2].kind, ENVELOPE_REPORT, "its time was over before");
}

static void
relay_does_not_understand(struct rig *r)
{
	rig_begin(r, SHORT);
	rig_relay(r, true);
	put(r);
	expect_report(r, false);
}

static void
relay_does_not_answer(struct rig *r)
{
	rig_begin(r, HASTY);
	rig_relay(r, true);
	put(r);
	expect_report(r, true);
}

static void
no_descriptors(struct rig *r)
{
	struct rlimit before, none = {.rlim_cur = 3, .rlim_max = 1024};

	rig_begin(r, SHORT);
	rig_relay(r, false);
	put_body(r);
	put(r);
	cr_assert_eq(prlimit(r->pid, RLIMIT_NOFILE, NULL, &before), 0);
	none.rlim_max = before.rlim_max;
	cr_assert_eq(prlimit(r->pid, RLIMIT_NOFILE, &none, NULL), 0);
	rig_caught_up(r);
	rig_wait(r, 4000);
	/* the report's header is read with the body's file */
	cr_assert_eq(prlimit(r->pid, RLIMIT_NOFILE, &before, NULL), 0);
	expect_report(r, true);
	cr_assert_eq(r->attempts[0].kind, ENVELOPE_REPORT);
	cr_assert(strstr(r->attempts[0].body, "could not be read"), "%s", r->attempts[0].body);
}

static void
damaged_body(struct rig *r)
{
	char name[SPOOL_NAMES_BYTES], path[128];

	rig_begin(r, SHORT);
	rig_relay(r, false);
	put_body(r);
	put(r);
	snprintf(path, sizeof path, "%s/%s", r->directory, spool_names_body(rig_id(1), name));
	cr_assert_eq(truncate(path, 1000), 0);
	rig_caught_up(r);
	expect_report(r, true);
	cr_assert(strstr(r->attempts[0].body, "damaged"), "%s", r->attempts[0].body);
}

/* The same after a restart, which holds it. */
static void
damaged_body_at_a_start(struct rig *r)
{
	char name[SPOOL_NAMES_BYTES], path[128];

	rig_begin(r, SHORT);
	put_body(r);
	put(r);
	rig_kill(r);
	snprintf(path, sizeof path, "%s/%s", r->directory, spool_names_body(rig_id(1), name));
	cr_assert_eq(truncate(path, 1000), 0);
	rig_start(r);
	rig_relay(r, true);
	expect_report(r, true);
}

static const struct reason {
	const char *what;
	void (*fn)(struct rig *r);
} reasons[] = {
    {"relay is not there", no_relay},
    {"relay ends and stays away", relay_ends_and_stays_away},
    {"relay does not understand the job", relay_does_not_understand},
    {"relay does not answer, the job is given up", relay_does_not_answer},
    {"the body cannot be opened", no_descriptors},
    {"the body is damaged", damaged_body},
    {"the body is damaged when the queue starts", damaged_body_at_a_start},
};

static void
check_reason(size_t n)
{
	static struct rig r;

	reasons[n].fn(&r);
	rig_end(&r);
}

Test(expiry, without_attempt_0, .timeout = 60) { check_reason(0); }
Test(expiry, without_attempt_1, .timeout = 60) { check_reason(1); }
Test(expiry, without_attempt_2, .timeout = 60) { check_reason(2); }
Test(expiry, without_attempt_3, .timeout = 60) { check_reason(3); }
Test(expiry, without_attempt_4, .timeout = 60) { check_reason(4); }
Test(expiry, without_attempt_5, .timeout = 60) { check_reason(5); }
Test(expiry, without_attempt_6, .timeout = 60) { check_reason(6); }

/* A hold by the operator is no end; after a release there is one attempt. */
Test(expiry, not_while_the_operator_holds_it, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, SHORT);
	put(&r);
	rig_admin(&r, "queue.hold", rig_nothing);
	rig_relay(&r, true);
	rig_wait(&r, 4000);
	cr_assert_eq(r.attempt_count, 0);
	rig_admin(&r, "queue.release", rig_nothing);
	cr_assert_eq(rig_attempt(&r, 0)->kind, ENVELOPE_MESSAGE);
	rig_results(&r, &r.attempts[0], 451, "greylisted");
	rig_results(&r, rig_attempt(&r, 1), 451, "greylisted");
	cr_assert_eq(rig_attempt(&r, 2)->kind, ENVELOPE_REPORT);
	rig_end(&r);
}

/* Also when the running attempt failed after the expiry: after a release it is tried again. */
Test(expiry, not_when_it_is_held_during_its_attempt, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, SHORT);
	rig_relay(&r, true);
	put(&r);
	rig_attempt(&r, 1);
	rig_admin(&r, "queue.hold", rig_nothing);
	rig_wait(&r, 1500);
	rig_results(&r, &r.attempts[0], 451, "local");
	rig_results(&r, &r.attempts[1], 451, "local");
	rig_wait(&r, 2000);
	cr_assert_eq(r.attempt_count, 2, "no report");
	rig_admin(&r, "queue.release", rig_nothing);
	cr_assert_eq(rig_attempt(&r, 2)->kind, ENVELOPE_MESSAGE);
	rig_end(&r);
}

/* The result of its attempt is not known, and it was made before the expiry: it was not the last
 * one. */
Test(expiry, the_last_attempt_follows_one_without_result, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, LESS_SHORT);
	rig_relay(&r, true);
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com", TO("a@example.net")).code, 250);
	rig_attempt(&r, 0);
	rig_relay_gone(&r);
	rig_wait(&r, 50);
	rig_relay(&r, true);
	cr_expect_eq(rig_attempt(&r, 1)->kind, ENVELOPE_MESSAGE, "its last attempt");
	rig_results(&r, &r.attempts[1], 250, "none");
	rig_wait(&r, 200);
	rig_admin(&r, "queue.list", rig_nothing);
	cr_expect_eq(r.row_count, 0);
	rig_end(&r);
}

/* sallyport.cfg(5): whatever pause follows, at its expiry it is tried for the last time. */
static void
expect_last_attempt(struct rig *r)
{
	cr_assert_eq(
	    rig_attempt(r, 1)->kind, ENVELOPE_MESSAGE, "it ended without its last attempt");
	rig_results(r, &r->attempts[1], 451, "greylisted");
	cr_assert_eq(rig_attempt(r, 2)->kind, ENVELOPE_REPORT);
	rig_end(r);
}

static void
begin_with_long_pause(struct rig *r)
{
	rig_begin(r, "retry = [ \"1h\" ];");
	rig_relay(r, true);
	cr_assert_eq(
	    rig_commit(r, rig_id(1), "alice@example.com", TO("a@example.net")).code, 250);
	rig_results(r, rig_attempt(r, 0), 451, "greylisted");
	rig_until(r, &r->stored, 1);
}

Test(expiry, a_shorter_lifetime_leaves_a_last_attempt, .timeout = 60)
{
	static struct rig r;

	begin_with_long_pause(&r);
	rig_reload(&r, LESS_SHORT);
	expect_last_attempt(&r);
}

Test(expiry, a_shorter_lifetime_after_a_restart_leaves_a_last_attempt, .timeout = 60)
{
	static struct rig r;

	begin_with_long_pause(&r);
	rig_kill(&r);
	rig_wait(&r, 5000);
	r.queue_conf = LESS_SHORT;
	rig_start(&r);
	rig_relay(&r, true);
	expect_last_attempt(&r);
}

/* Relay ended before it began the last attempt: the next relay makes it. */
Test(expiry, a_requeued_last_attempt_is_made, .timeout = 60)
{
	static struct rig r;
	struct rig_attempt attempt;

	rig_begin(&r, LESS_SHORT);
	rig_relay(&r, true);
	cr_assert_eq(
	    rig_commit(&r, rig_id(1), "alice@example.com", TO("a@example.net")).code, 250);
	rig_results(&r, rig_attempt(&r, 0), 451, "greylisted");
	attempt = *rig_attempt(&r, 1);
	attempt.id = (struct msgid){0};
	attempt.numbers[0] = 0;
	rig_results(&r, &attempt, 451, "stopping");
	cr_assert_eq(
	    rig_attempt(&r, 2)->kind, ENVELOPE_MESSAGE, "it ended without its last attempt");
	rig_end(&r);
}

/* But not again and again. */
Test(expiry, a_last_attempt_is_not_requeued_for_ever, .timeout = 60)
{
	static struct rig r;
	struct rig_attempt attempt;
	unsigned i;

	rig_begin(&r, SHORT);
	rig_relay(&r, true);
	cr_assert_eq(
	    rig_commit(&r, rig_id(1), "alice@example.com", TO("a@example.net")).code, 250);
	rig_results(&r, rig_attempt(&r, 0), 451, "greylisted");
	for (i = 1; i < 10 && rig_attempt(&r, i)->kind == ENVELOPE_MESSAGE; i++) {
		attempt = r.attempts[i];
		attempt.id = (struct msgid){0};
		attempt.numbers[0] = 0;
		rig_results(&r, &attempt, 451, "stopping");
	}
	cr_assert_lt(i, 10);
	rig_end(&r);
}

/* No delay report with a retry time that has passed. */
Test(expiry, no_delay_report_after_the_expiry, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, "retry = [ \"1h\" ]; lifetime = \"5s\"; delay_warning = \"1s\";");
	cr_assert_eq(
	    rig_commit(&r, rig_id(1), "alice@example.com", TO("a@example.net")).code, 250);
	rig_kill(&r);
	rig_wait(&r, 5000);
	rig_start(&r);
	rig_relay(&r, true);
	cr_assert_eq(rig_attempt(&r, 0)->kind, ENVELOPE_MESSAGE);
	rig_wait(&r, 16500); /* a round is over */
	cr_assert_eq(r.attempt_count, 1, "it was told of");
	rig_results(&r, &r.attempts[0], 250, "none");
	rig_end(&r);
}
