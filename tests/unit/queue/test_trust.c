/* What the queue accepts from relay, and how long it waits: relay is silent, late, repeats itself,
 * or reports messages that it was not given. */
#include <fcntl.h>
#include <unistd.h>

#include "rig.h"
#include "spool/spool_names.h"

/* an attempt may take half a second, and relay has 55 ms more to end it */
#define HASTY(retry) \
	"retry = [ \"" retry "\" ]; }; " \
	"timeouts: { attempt = \"300ms\"; body = \"100ms\"; final = \"100ms\";"
static const char hasty[] = HASTY("1s"), hasty_once[] = HASTY("1h");

static void
open_with(struct rig *r, const char *conf, const char *const *to)
{
	rig_begin(r, conf);
	rig_relay(r, true);
	cr_assert_eq(rig_commit(r, rig_id(1), "alice@example.com", to).code, 250);
	rig_attempt(r, 0);
}

/* How many messages the queue has. */
static unsigned
left(struct rig *r)
{
	rig_admin(r, "queue.list", rig_nothing);
	return r->row_count;
}

Test(trust, relay_never_answers, .timeout = 60)
{
	static struct rig r;

	open_with(&r, hasty, TO("a@example.net", "b@example.net"));
	rig_until(&r, &r.cancels, 1);
	cr_assert(r.cancelled == r.attempts[0].number && r.is_forced);
	rig_attempt(&r, 1);
	cr_assert_eq(r.attempts[1].count, 2, "both are tried again");
	cr_assert_eq(r.attempts[1].attempt, 2);
	cr_assert_neq(r.attempts[1].number, r.attempts[0].number);
	rig_results(&r, &r.attempts[1], 250, "none");
	rig_until(&r, &r.stored, 2);
	cr_assert_eq(left(&r), 0);
	rig_end(&r);
}

/* Relay could read nothing of the attempt, or only the message's id. */
Test(trust, relay_cannot_read_the_attempt, .timeout = 60)
{
	static struct rig r;
	struct rig_attempt attempt;

	open_with(&r, rig_quick, TO("a@example.net", "b@example.net"));
	attempt = r.attempts[0];
	attempt.id = (struct msgid){0};
	rig_results(&r, &attempt, 451, "local");
	cr_assert_eq(rig_attempt(&r, 1)->attempt, 1, "that was no attempt");
	cr_assert_eq(r.stored, 2, "relay is to forget it");
	attempt = r.attempts[1];
	attempt.count = 1;
	attempt.numbers[0] = 0;
	rig_results(&r, &attempt, 451, "local");
	cr_assert_eq(rig_attempt(&r, 2)->count, 2);
	rig_end(&r);
}

/* Relay is about to stop: no attempt was begun, and nothing waits for an hour. */
Test(trust, relay_stops_before_the_attempt, .timeout = 60)
{
	static struct rig r;
	struct rig_attempt attempt;

	open_with(&r, rig_slow, TO("a@example.net", "b@example.net"));
	attempt = r.attempts[0];
	attempt.id = (struct msgid){0};
	attempt.count = 1;
	attempt.numbers[0] = 0;
	rig_results(&r, &attempt, 451, "stopping");
	cr_assert_eq(rig_attempt(&r, 1)->count, 2);
	cr_assert_eq(r.attempts[1].attempt, 1, "that was no attempt");
	cr_assert_eq(r.stored, 1, "relay is to forget it");
	rig_end(&r);
}

static void
put_file(struct rig *r)
{
	struct message_spool_file m = {.session = rig_id(1).session, .number = 1};
	static char body[RIG_FD_BODY];

	memset(body, 'y', sizeof body);
	memcpy(body + sizeof body - 2, "\r\n", 2);
	rig_ask_file(r, &m);
	cr_assert_eq(pwrite(r->fd, body, sizeof body, 0), (ssize_t)sizeof body);
	cr_assert_eq(rig_commit(r, rig_id(1), "alice@example.com", TO("a@example.net")).code, 250);
	rig_attempt(r, 0);
}

/* Relay read a body wrong; the queue reads it as well, and holds the message only when it is
 * damaged. */
Test(trust, relay_reports_a_damaged_body, .timeout = 60)
{
	static struct rig r;
	char name[SPOOL_NAMES_BYTES], path[128];
	int fd;

	rig_begin(&r, rig_quick);
	rig_relay(&r, true);
	put_file(&r);
	rig_results(&r, &r.attempts[0], 451, "damaged");
	rig_attempt(&r, 1);
	rig_admin(&r, "queue.list", WITH("state", "held"));
	cr_assert_eq(r.row_count, 0, "its bytes are what was stored");
	snprintf(path, sizeof path, "%s/%s", r.directory, spool_names_body(rig_id(1), name));
	fd = open(path, O_WRONLY);
	cr_assert_eq(pwrite(fd, "Y", 1, 1150000), 1); /* not in the first part that is read */
	close(fd);
	rig_results(&r, &r.attempts[1], 451, "damaged");
	for (int i = 0; i < 500; i++) {
		rig_admin(&r, "queue.list", WITH("state", "held"));
		if (r.row_count)
			break;
		rig_wait(&r, 10);
	}
	cr_assert_eq(r.row_count, 1);
	cr_assert_eq(r.attempt_count, 2);
	cr_assert(str_starts(rig_row(&r, 0, "reason"), STR("damaged")));
	rig_admin(&r, "queue.release", WITH("id", msgid_text(rig_id(1), 0, name)));
	cr_assert(strstr(r.done_text, "1 held because of damage"), "%s", r.done_text);
	rig_end(&r);
}

/* In the normal case results follow, and it is an attempt like any other. */
Test(trust, relay_ends_a_cancelled_attempt, .timeout = 60)
{
	static struct rig r;

	open_with(&r, hasty_once, TO("a@example.net", "b@example.net"));
	rig_result(&r, &r.attempts[0], 0, 250, "none");
	rig_until(&r, &r.cancels, 1);
	rig_result(&r, &r.attempts[0], 1, 451, "timeout");
	rig_until(&r, &r.stored, 2);
	rig_wait(&r, 200);
	cr_assert_eq(r.cancels, 1);
	cr_assert_eq(left(&r), 1);
	cr_assert(str_eq(rig_row(&r, 0, "tries"), STR("1")));
	cr_assert(str_eq(rig_row(&r, 0, "reason"), STR("timeout")));
	rig_end(&r);
}

/* A result after the attempt was given up does not cause another delivery. */
Test(trust, relay_answers_late, .timeout = 60)
{
	static struct rig r;

	open_with(&r, hasty_once, TO("a@example.net", "b@example.net"));
	rig_until(&r, &r.cancels, 1);
	rig_wait(&r, 400);
	cr_assert_eq(left(&r), 1);
	cr_assert(str_eq(rig_row(&r, 0, "tries"), STR("1")));
	rig_result(&r, &r.attempts[0], 0, 250, "none");
	rig_until(&r, &r.stored, 1);
	cr_assert_eq(left(&r), 1);
	rig_result(&r, &r.attempts[0], 1, 250, "none");
	rig_until(&r, &r.stored, 2);
	cr_assert_eq(left(&r), 0);
	cr_assert_eq(r.attempt_count, 1);
	rig_end(&r);
}

/* The next attempt runs already: its result is accepted as well, and counts once. */
Test(trust, relay_answers_late_and_the_next_attempt_too, .timeout = 60)
{
	static struct rig r;

	open_with(&r, hasty, TO("a@example.net"));
	rig_attempt(&r, 1);
	rig_result(&r, &r.attempts[1], 0, 250, "none");
	rig_until(&r, &r.stored, 1);
	rig_result(&r, &r.attempts[0], 0, 550, "mailbox");
	rig_until(&r, &r.stored, 2);
	rig_wait(&r, 100);
	cr_assert_eq(left(&r), 0);
	cr_assert_eq(r.attempt_count, 2, "no report");
	rig_end(&r);
}

Test(trust, relay_answers_twice, .timeout = 60)
{
	static struct rig r;

	open_with(&r, rig_slow, TO("a@example.net", "b@example.net"));
	rig_result(&r, &r.attempts[0], 0, 451, "greylisted");
	rig_until(&r, &r.stored, 1);
	rig_result(&r, &r.attempts[0], 0, 250, "none");
	rig_until(&r, &r.stored, 2);
	rig_result(&r, &r.attempts[0], 1, 250, "none");
	rig_until(&r, &r.stored, 3);
	rig_result(&r, &r.attempts[0], 0, 250, "none");
	rig_until(&r, &r.stored, 4);
	cr_assert_eq(left(&r), 1, "what was told first holds");
	cr_assert(str_eq(rig_row(&r, 0, "recipients"), STR("1")));
	cr_assert(str_eq(rig_row(&r, 0, "to"), STR("a@example.net")));
	rig_end(&r);
}

/* Held messages, other recipients and other attempts: refused, and acknowledged so that relay
 * forgets them. */
Test(trust, results_for_attempts_that_relay_was_not_given_are_refused, .timeout = 60)
{
	static struct rig r;
	struct rig_attempt forged;

	rig_begin(&r, rig_slow);
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com", TO("a@example.net")).code, 250);
	rig_admin(&r, "queue.hold", WITH("domain", "example.net"));
	cr_assert_eq(rig_commit(&r, rig_id(2), "alice@example.com",
	                 TO("a@example.org", "b@example.edu"))
	                 .code,
	    250);
	rig_relay(&r, true);
	rig_attempt(&r, 1);
	forged = (struct rig_attempt){.number = 77, .id = rig_id(1), .numbers = {1}, .count = 1};
	rig_result(&r, &forged, 0, 250, "none");
	forged.number = r.attempts[0].number;
	forged.ticket = r.attempts[0].ticket;
	rig_result(&r, &forged, 0, 550, "mailbox");
	rig_until(&r, &r.stored, 2);
	forged = r.attempts[0];
	forged.numbers[0] = r.attempts[1].numbers[0];
	rig_result(&r, &forged, 0, 250, "none");
	forged.id = rig_id(3);
	rig_result(&r, &forged, 0, 250, "none");
	rig_until(&r, &r.stored, 4);
	cr_assert_eq(left(&r), 2, "nothing of it is believed");
	rig_results(&r, &r.attempts[0], 250, "none");
	rig_results(&r, &r.attempts[1], 250, "none");
	rig_until(&r, &r.stored, 6);
	cr_assert_eq(left(&r), 1, "the held one");
	cr_assert(str_eq(rig_row(&r, 0, "state"), STR("held")));
	rig_end(&r);
}

/* A new queue accepts results of attempts of the earlier queue process, and no others. */
Test(trust, results_and_running_after_a_restart, .timeout = 60)
{
	static struct rig r;
	struct rig_attempt forged;
	uint32_t one = 1;
	struct message_running running = {.next_hop = STR("mx:example.org"),
	    .destination = STR("mx:mx.example.org"),
	    .numbers = str_make((const char *)&one, sizeof one)};

	open_with(&r, rig_slow, TO("a@example.net"));
	cr_assert_eq(rig_commit(&r, rig_id(2), "alice@example.com", TO("a@example.org")).code, 250);
	rig_attempt(&r, 1);
	cr_assert_eq(rig_commit(&r, rig_id(3), "alice@example.com", TO("a@example.net")).code, 250);
	rig_kill(&r);
	rig_start(&r);
	rig_relay(&r, false);
	forged = r.attempts[0];
	forged.id = rig_id(3);
	rig_result(&r, &forged, 0, 250, "none");
	forged = r.attempts[1];
	forged.ticket++;
	rig_result(&r, &forged, 0, 250, "none");
	running.attempt_id = r.attempts[0].number;
	running.ticket = r.attempts[0].ticket;
	running.id = rig_id(2);
	cr_assert_eq(channel_send(r.relay, MESSAGE_RUNNING, &running, -1), 0);
	rig_result(&r, &r.attempts[0], 0, 250, "none");
	rig_caught_up(&r);
	rig_until(&r, &r.stored, 3);
	rig_attempt(&r, 3);
	cr_assert_not(msgid_eq(r.attempts[2].id, r.attempts[3].id));
	for (unsigned i = 2; i < 4; i++)
		cr_assert_not(msgid_eq(r.attempts[i].id, rig_id(1)), "what was true is believed");
	rig_end(&r);
}

/* RFC 5321 section 3.8: a host that accepts no more for now did not look at the message: a try, but
 * the next pause is not longer. */
Test(trust, busy_makes_no_pause_longer, .timeout = 60)
{
	static struct rig r;

	open_with(&r, "retry = [ \"1s\", \"1h\" ];", TO("a@example.net"));
	rig_results(&r, &r.attempts[0], 421, "refused");
	cr_assert_eq(rig_attempt(&r, 1)->attempt, 2);
	rig_results(&r, &r.attempts[1], 451, "greylisted");
	cr_assert_eq(rig_attempt(&r, 2)->attempt, 3, "it is the first pause still");
	rig_end(&r);
}

/* A local failure makes no pause longer either, and the stored state agrees. */
Test(trust, a_local_failure_makes_no_pause_longer, .timeout = 60)
{
	static struct rig r;

	open_with(&r, "retry = [ \"1s\", \"1h\" ];", TO("a@example.net"));
	rig_results(&r, &r.attempts[0], 451, "greylisted");
	rig_attempt(&r, 1);
	rig_results(&r, &r.attempts[1], 451, "local");
	rig_until(&r, &r.stored, 2);
	rig_kill(&r);
	rig_start(&r);
	rig_relay(&r, true);
	rig_attempt(&r, 2);
	rig_end(&r);
}

/* A commit that fails after it was accepted gives back its reserved tokens. */
Test(trust, a_failed_commit_costs_no_limit, .timeout = 60)
{
	static struct rig r;
	static char block[RIG_FD_BODY];
	struct msgid id = rig_id(1);
	struct message_spool_file m = {id.session, id.number, RIG_FD_BODY, STR_NULL};
	char name[SPOOL_NAMES_BYTES], path[128];
	const char *user = "alice@example.com";
	int fd;

	rig_begin(&r, rig_slow);
	snprintf(path, sizeof path, "%s/%s", r.directory, spool_names_body(id, name));
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
	cr_assert_geq(fd, 0, "the name of the body is taken");
	close(fd);
	cr_assert_eq(rig_lease(&r, user, 100).code, 250);
	memset(block, 'b', sizeof block);
	rig_ask_file(&r, &m);
	cr_assert_eq(write(r.fd, block, sizeof block), sizeof block);
	cr_assert_eq(rig_commit(&r, id, "alice@example.com", TO("a@example.net")).code, 451);
	close(r.fd);
	r.fd = -1;
	rig_return(&r, user, 100, false);
	cr_assert_eq(rig_lease(&r, user, 100).code, 250, "none is spent");
	cr_assert_eq(rig_commit(&r, rig_id(2), user, TO("a@example.net")).code, 250);
	rig_return(&r, user, 0, true);
	cr_assert_eq(rig_lease(&r, user, 99).code, 250);
	cr_assert_eq(rig_lease(&r, user, 1).code, 450, "one is spent");
	rig_end(&r);
}
