/* What the queue does when other roles stop, lose descriptors or break the rules. */
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "rig.h"
#include "support/ask.h"
#include "support/fault_channel.h"

static const char alice[] = "alice@example.com";

/* All timeouts are a hundredth, also in the queue, which is forked later. */
static void
begin_hurried(struct rig *r)
{
	clock_shorten_timeouts(100);
	rig_begin(r, rig_quick);
}

Test(requests, a_relay_that_does_not_report_its_attempts_is_given_up, .timeout = 60)
{
	static struct rig r;

	begin_hurried(&r);
	cr_assert_eq(rig_commit(&r, rig_id(1), alice, TO("bob@example.net")).code, 250);
	rig_relay(&r, false);
	for (int i = 0; i < 3000 && r.relay; i++)
		rig_wait(&r, 10);
	cr_assert_null(r.relay, "the channel was closed");
	cr_assert_eq(r.attempt_count, 0, "nothing was scheduled meanwhile");
	rig_relay(&r, true);
	rig_results(&r, rig_attempt(&r, 0), 250, "none");
	rig_until(&r, &r.stored, 1);
	rig_end(&r);
}

Test(requests, a_relay_that_answers_with_an_error_is_given_up, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_quick);
	rig_relay(&r, false);
	channel_refuse(r.relay, r.running_call);
	for (int i = 0; i < 3000 && r.relay; i++)
		rig_wait(&r, 10);
	cr_assert_null(r.relay);
	rig_relay(&r, true);
	cr_assert_eq(rig_commit(&r, rig_id(1), alice, TO("bob@example.net")).code, 250);
	rig_attempt(&r, 0);
	rig_end(&r);
}

/* Relay is stopped: the domain is deferred and queried again; relay goes on: it is delivered. */
Test(requests, a_destination_query_has_a_deadline, .timeout = 60)
{
	static struct rig r;

	begin_hurried(&r);
	rig_relay(&r, true);
	r.is_silent = true;
	cr_assert_eq(rig_commit(&r, rig_id(1), alice, TO("bob@example.net")).code, 250);
	rig_until(&r, &r.asked, 2);
	rig_admin(&r, "queue.list", rig_nothing);
	cr_assert_eq(r.row_count, 1);
	cr_assert(str_eq(rig_row(&r, 0, "reason"), STR("dns")));
	cr_assert(str_starts(rig_row(&r, 0, "reply"), STR("451 4.4.3")));
	cr_assert(str_eq(rig_row(&r, 0, "reply_by"), STR("here")));
	r.is_silent = false;
	rig_results(&r, rig_attempt(&r, 0), 250, "none");
	rig_until(&r, &r.stored, 1);
	rig_end(&r);
}

/* The answer has another type, or is a refusal: that is an error, not a timeout. */
Test(requests, an_invalid_destination_is_queried_again, .timeout = 60)
{
	static struct rig r;

	for (int way = 0; way < 2; way++) {
		clock_shorten_timeouts(1);
		rig_begin(&r, rig_quick);
		rig_relay(&r, true);
		r.refuses_destinations = way == 0;
		r.sends_wrong_types = way == 1;
		cr_assert_eq(rig_commit(&r, rig_id(1), alice, TO("bob@example.net")).code, 250);
		rig_until(&r, &r.asked, 2);
		r.refuses_destinations = r.sends_wrong_types = false;
		rig_results(&r, rig_attempt(&r, 0), 250, "none");
		rig_until(&r, &r.stored, 1);
		rig_end(&r);
	}
}

/* A descriptor that was lost on the way is an error of that request; the next one is answered. */
Test(requests, a_request_whose_descriptor_was_lost_is_refused, .timeout = 60)
{
	static const struct fault lose = {MESSAGE_COMMIT, FAULT_LOSE_FD, 0, 1};
	static struct rig r;

	rig_begin(&r, rig_quick);
	channel_free(&r.submission);
	rig_submission_through(&r);
	fault_channel_set(r.between, &lose, 1);
	cr_assert_eq(rig_commit(&r, rig_id(1), alice, TO("bob@example.net")).code, 0);
	cr_assert_eq(r.end, REQUEST_ERROR);
	cr_assert_eq(rig_commit(&r, rig_id(2), alice, TO("bob@example.net")).code, 250);
	rig_end(&r);
}

/* A sender of two descriptors loses the channel; the queue serves the others. */
Test(requests, two_descriptors_cost_the_sender_its_channel, .timeout = 60)
{
	static const struct fault two = {MESSAGE_LEASE_ASK, FAULT_SECOND_FD, 0, 0};
	static struct rig r;
	unsigned before;

	rig_begin(&r, rig_quick);
	channel_free(&r.submission);
	before = rig_descriptors(&r);
	for (int i = 0; i < 100; i++) {
		rig_submission_through(&r);
		fault_channel_set(r.between, &two, 1);
		rig_lease(&r, alice, 1);
		cr_assert_eq(r.end, REQUEST_LOST);
	}
	rig_submission(&r);
	cr_assert_eq(rig_lease(&r, alice, 1).code, 250);
	cr_assert_leq(rig_descriptors(&r), before + 4, "%u, then %u", before, rig_descriptors(&r));
	rig_end(&r);
}

/* One submission process may have only so many files of the spool, not all that there are. */
Test(requests, the_files_of_one_peer_are_bounded, .timeout = 60)
{
	static struct rig r;
	struct rlimit limit;
	struct message_spool_file m = {.size_hint = 200000};
	unsigned given = 0;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 1024;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	rig_begin(&r, rig_quick);
	for (unsigned i = 0; i < 100; i++) {
		m.session = rig_id(i).session;
		m.number = 1;
		rig_ask_file(&r, &m);
		if (r.answer.code == 451)
			break;
		cr_assert_eq(r.answer.code, 250);
		close(r.fd);
		r.fd = -1;
		given++;
	}
	cr_assert_eq(given, 1024 / 32);
	rig_release(&r, rig_id(0));
	rig_ask_file(&r, &m);
	cr_assert_eq(r.answer.code, 250, "one was given back");
	close(r.fd);
	r.fd = -1;
	rig_submission(&r);
	m.session = rig_id(200).session;
	rig_ask_file(&r, &m);
	cr_assert_eq(r.answer.code, 250, "another process has its own share");
	close(r.fd);
	r.fd = -1;
	rig_end(&r);
}

/* Control is stopped while rows are sent to it: the queue serves the others, and goes on later. */
Test(requests, a_stopped_reader_delays_no_other_peer, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_quick);
	channel_free(&r.submission);
	rig_submission_through(&r);
	fault_channel_stall(r.between, true);
	rig_commit_soon(&r, rig_id(1), alice, TO("bob@example.net"));
	rig_wait(&r, 50);
	cr_assert_eq(r.answers, 0);
	rig_admin(&r, "queue.list", rig_nothing);
	fault_channel_stall(r.between, false);
	rig_until(&r, &r.answers_ok, 1);
	rig_end(&r);
}

/* The queue is stopped: requests end at their deadline; the queue goes on: later requests are
 * answered. */
Test(requests, a_stopped_queue_costs_no_more_than_the_deadline, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_quick);
	clock_shorten_timeouts(100);
	channel_free(&r.submission);
	rig_submission_through(&r);
	fault_channel_stall(r.between, true);
	rig_lease(&r, alice, 1);
	cr_assert_eq(r.end, REQUEST_EXPIRED);
	rig_commit(&r, rig_id(1), alice, TO("bob@example.net"));
	cr_assert_eq(r.end, REQUEST_EXPIRED);
	fault_channel_stall(r.between, false);
	clock_shorten_timeouts(1);
	cr_assert_eq(rig_lease(&r, alice, 1).code, 250);
	cr_assert_eq(rig_commit(&r, rig_id(2), alice, TO("bob@example.net")).code, 250);
	rig_end(&r);
}

/* Main connects the two again before the queue has seen the end of the former channel: that one is
 * closed, and a loss is reported with the number of the lost pair. */
Test(requests, a_new_channel_replaces_the_former_one, .timeout = 60)
{
	static struct rig r;
	struct channel *former;
	uint32_t number;

	rig_begin(&r, rig_quick);
	rig_relay(&r, true);
	former = r.submission;
	rig_submission(&r);
	number = r.pairs;
	rig_until(&r, &r.ends_lost, 1);
	channel_free(&former);
	cr_assert_eq(rig_commit(&r, rig_id(1), alice, TO("bob@example.net")).code, 250);
	cr_expect_eq(r.peers_lost, 0, "main knows of the former one's end");
	channel_free(&r.submission);
	rig_until(&r, &r.peers_lost, 1);
	cr_expect_eq(r.last_lost, number);
	rig_submission(&r);
	cr_assert_eq(rig_commit(&r, rig_id(2), alice, TO("bob@example.net")).code, 250);
	rig_end(&r);
}
