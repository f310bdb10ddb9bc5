/* The channel between the queue and relay, with faults in between. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/clock.h"
#include "support/fault_channel.h"
#include "unit/relay/rig.h"

/* No host listens on port 1: a result comes soon, and without a network. */
static const char nowhere[] =
    "hostname = \"gw.example.com\";\n"
    "routes: ( { via = \"smtp\"; host = \"127.0.0.1\"; port = 1; } );\n";

static void
deliver(struct rig *r, uint64_t attempt_id, size_t file_bytes)
{
	rig_deliver(r, &(struct rig_mail){.attempt_id = attempt_id,
	                   .domain = "host.test",
	                   .to = {"bob@host.test", "eva@host.test"},
	                   .file_bytes = file_bytes});
}

Test(relay_requests, a_body_whose_descriptor_was_lost_is_tried_again_later, .timeout = 60)
{
	static const struct fault lose = {MESSAGE_DELIVER, FAULT_LOSE_FD, 0, 1};
	struct rig *r = rig_new(nowhere);

	rig_new_queue_with_faults(r);
	fault_channel_set(r->faults, &lose, 1);
	deliver(r, 1, 300000);
	cr_assert(rig_wait(r, 2));
	rig_result_is(&r->results[0], 451, "local");
	rig_result_is(&r->results[1], 451, "local");
	cr_assert(r->results[1].is_last);
	deliver(r, 2, 300000);
	cr_assert(rig_wait(r, 4));
	rig_result_is(&r->results[3], 451, "connect");
	rig_free(&r);
}

/* The queue cannot store the results and does not answer: relay stops nevertheless, long before its
 * drain time is over. */
Test(relay_requests, stopping_does_not_wait_for_unstored_results, .timeout = 60)
{
	struct rig *r = rig_new(nowhere);
	int64_t began;

	deliver(r, 1, 0);
	cr_assert(rig_wait(r, 2));
	began = clock_mono_ms();
	rig_stop(r, 30000);
	while (!r->is_stopped && clock_mono_ms() - began < 30000)
		rig_idle(r, 20);
	cr_expect_lt(clock_mono_ms() - began, 10000);
	rig_free(&r);
}

/* Relay waits for results that are stored in time. */
Test(relay_requests, stopping_waits_for_results_that_are_stored, .timeout = 60)
{
	struct rig *r = rig_new(nowhere);

	deliver(r, 1, 0);
	cr_assert(rig_wait(r, 2));
	rig_stop(r, 30000);
	rig_idle(r, 300);
	cr_expect_not(r->is_stopped);
	rig_stored(r, 0);
	rig_stored(r, 1);
	rig_idle(r, 300);
	cr_expect(r->is_stopped);
	rig_free(&r);
}

/* The queue process does not read: the results wait in the channel, and arrive when it reads
 * again. */
Test(relay_requests, results_wait_while_the_queue_does_not_read, .timeout = 60)
{
	struct rig *r = rig_new(nowhere);

	rig_new_queue_with_faults(r);
	for (uint64_t i = 1; i <= 20; i++)
		deliver(r, i, 0);
	fault_channel_stall(r->faults, true);
	rig_idle(r, 200);
	rig_test_route(r, "bob@host.test");
	cr_assert_eq(r->exit_code, 0, "others are served meanwhile");
	fault_channel_stall(r->faults, false);
	cr_assert(rig_wait(r, 40));
	deliver(r, 21, 0);
	cr_assert(rig_wait(r, 42));
	rig_free(&r);
}

/* A result that was lost in the channel is sent to the next queue, and so are running attempts. */
Test(relay_requests, a_lost_result_is_sent_to_the_next_queue, .timeout = 60)
{
	static const struct fault drop = {MESSAGE_RESULT, FAULT_DROP, 0, 0};
	struct rig *r = rig_new(nowhere);

	rig_new_queue_with_faults(r);
	fault_channel_set(r->faults, &drop, 1);
	deliver(r, 1, 0);
	for (int i = 0; i < 2000 && fault_channel_seen(r->faults, MESSAGE_RESULT) < 2; i++)
		rig_idle(r, 5);
	cr_assert_eq(r->result_count, 0);
	rig_new_queue(r);
	cr_assert(rig_wait(r, 2));
	rig_free(&r);
}

Test(relay_requests, a_malformed_message_ends_the_channel_and_not_relay, .timeout = 60)
{
	static const struct fault faults[] = {
	    {MESSAGE_DELIVER, FAULT_TRUNCATE, 0, 0}, {MESSAGE_DELIVER, FAULT_SECOND_FD, 0, 0}};

	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		struct rig *r = rig_new(nowhere);

		rig_new_queue_with_faults(r);
		fault_channel_set(r->faults, &faults[i], 1);
		deliver(r, 1, 300000);
		rig_idle(r, 100);
		rig_new_queue(r);
		deliver(r, 2, 300000);
		cr_assert(rig_wait(r, 2));
		cr_assert_eq(r->results[0].attempt_id, 2);
		rig_free(&r);
	}
}

/* Every request gets an answer; relay refuses one that it does not know. */
Test(relay_requests, an_unknown_request_is_refused, .timeout = 60)
{
	static const struct fault other = {
	    MESSAGE_DESTINATION_ASK, FAULT_RETYPE, MESSAGE_COMMIT, 1};
	struct rig *r = rig_new(nowhere);

	rig_new_queue_with_faults(r);
	fault_channel_set(r->faults, &other, 1);
	rig_ask_destination(r, "host.test");
	cr_assert_eq(r->destination_end, REQUEST_ERROR);
	rig_ask_destination(r, "host.test");
	cr_assert_eq(r->destination_end, REQUEST_ANSWERED);
	rig_free(&r);
}
