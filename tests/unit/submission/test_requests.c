/* Auth, the queue or keys does not answer, answers late or loses descriptors: the client gets a
 * temporary refusal in time, and the next request works as usual. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/fault_channel.h"
#include "unit/submission/rig.h"

enum { SHORTEN = 100, HANDSHAKES = 20 };

static struct rig rig;
static struct client client;

/* ---- auth and the queue ---- */

Test(submission_requests, auth_does_not_answer, .timeout = 60)
{
	rig_begin(&rig, "");
	clock_shorten_timeouts(SHORTEN);
	client.fd = 0;
	cr_assert(client_connect(&client, &rig, 0));
	client_secure(&client);
	client_expect(&client, "220");
	client_send(&client, "EHLO x\r\n");
	client_expect(&client, "250");
	rig.is_silent = true;
	client_send(&client, "AUTH PLAIN AGEAYg==\r\n");
	client_expect(&client, "454");
	client_send(&client, "AUTH LOGIN\r\n");
	client_expect(&client, "454");
	rig.is_silent = false;
	client_send(&client, "AUTH PLAIN AGEAYg==\r\n");
	client_expect(&client, "235");
	client_close(&client);
	rig_end(&rig);
}

Test(submission_requests, the_queue_does_not_answer_any_of_its_requests, .timeout = 60)
{
	enum { LINES = 4000 };
	char *text = malloc(LINES * 80 + 1);

	for (int i = 0; i < LINES; i++)
		snprintf(text + (size_t)i * 80, 81, "%078d\r\n", i);
	rig_begin(&rig, "");
	client_login(&client, &rig);
	clock_shorten_timeouts(SHORTEN);
	rig.is_silent = true;
	client_send(&client, "MAIL FROM:<alice@example.com>\r\nRCPT TO:<bob@example.net>\r\n");
	client_expect(&client, "250");
	client_expect(&client, "451");
	rig.is_silent = false;
	client_send(&client, "RCPT TO:<bob@example.net>\r\nDATA\r\n");
	client_expect(&client, "250");
	client_expect(&client, "354");
	rig.is_silent = true;
	client_send(&client, CLIENT_MESSAGE);
	client_expect(&client, "451");
	rig.is_silent = false;
	client_send(&client, "RSET\r\n");
	client_expect(&client, "250");
	client_begin_message(&client);
	rig.is_silent = true;
	client_send(&client, "From: alice@example.com\r\n\r\n");
	client_send(&client, text);
	client_send(&client, ".\r\n");
	client_expect(&client, "451");
	rig.is_silent = false;
	client_send(&client, "RSET\r\n");
	client_expect(&client, "250");
	client_send_message(&client);
	client_close(&client);
	rig_end(&rig);
	free(text);
}

/* A positive answer without the file, because its descriptor was lost, is no answer. */
Test(submission_requests, the_descriptor_of_a_file_is_lost, .timeout = 60)
{
	static const struct fault lose = {MESSAGE_STATUS, FAULT_LOSE_FD, 0, 0};
	enum { LINES = 4000 };
	char *text = malloc(LINES * 80 + 1);

	for (int i = 0; i < LINES; i++)
		snprintf(text + (size_t)i * 80, 81, "%078d\r\n", i);
	rig_begin(&rig, "");
	rig_replace_through(&rig, ROLE_QUEUE);
	client_login(&client, &rig);
	client_begin_message(&client);
	fault_channel_set(rig.faulty_channel, &lose, 1);
	client_send(&client, "From: alice@example.com\r\n\r\n");
	client_send(&client, text);
	client_send(&client, ".\r\n");
	client_expect(&client, "451");
	fault_channel_set(rig.faulty_channel, NULL, 0);
	client_send(&client, "RSET\r\n");
	client_expect(&client, "250");
	client_send_message(&client);
	client_close(&client);
	rig_end(&rig);
	free(text);
}

/* The room that the queue reported is known at MAIL. */
Test(submission_requests, a_large_message_is_refused_at_mail_when_the_disk_is_full, .timeout = 60)
{
	static const char large[] = "MAIL FROM:<alice@example.com> SIZE=300000\r\n";

	rig_begin(&rig, "");
	client_login(&client, &rig);
	rig_room(&rig, 200000);
	client_send_message(&client); /* its answers come after that report */
	client_send(&client, large);
	client_expect(&client, "452 4.3.1");
	client_send(&client, "MAIL FROM:<alice@example.com> SIZE=200000\r\nRSET\r\n");
	client_expect(&client, "250");
	client_expect(&client, "250");
	rig_room(&rig, UINT64_MAX);
	client_send_message(&client);
	client_send(&client, large);
	client_expect(&client, "250");
	client_close(&client);
	rig_end(&rig);
}

/* Auth has no answer for a moment: users for whom it has answered are not asked about again. */
Test(submission_requests, only_users_without_an_answer_are_asked_about_again, .timeout = 120)
{
	enum { CLIENTS = 201 }; /* one more than one request may name */
	static struct client clients[CLIENTS];

	clock_shorten_timeouts(10);
	rig_begin(&rig, "");
	for (int i = 0; i < CLIENTS; i++)
		client_login(&clients[i], &rig);
	rig.users_asked = rig.users_named = 0;
	rig.users_answered = 1;
	rig.users_refused = 2;
	rig_replace(&rig, ROLE_AUTH);
	rig_until(&rig.users_asked, 4);
	usleep(300000);
	cr_expect_eq(rig.users_asked, 4);
	cr_expect_eq(rig.users_named, 200 + 3, "%u", rig.users_named);
	for (int i = 0; i < CLIENTS; i++)
		client_close(&clients[i]);
	clock_shorten_timeouts(1);
	rig_end(&rig);
}

/* The user was suspended while there was no channel to auth, so no report arrived. It is found on
 * the next channel, also when auth has no answer there at first. */
Test(submission_requests, a_suspended_user_is_found_on_the_next_channel, .timeout = 60)
{
	struct client other = {0};

	clock_shorten_timeouts(10);
	rig_begin(&rig, "");
	client_login(&client, &rig);
	cr_assert(client_connect(&other, &rig, 1));
	client_expect(&other, "220");
	rig.users_asked = 0;
	rig_replace(&rig, ROLE_AUTH);
	rig_until(&rig.users_asked, 1);
	client_send_message(&client);
	rig_lose_auth(&rig);
	rig.user_gone = "alice@example.com";
	rig.users_refused = 2;
	rig.users_asked = 0;
	rig_replace(&rig, ROLE_AUTH);
	client_expect(&client, "421 4.7.0");
	cr_assert(client_is_closed(&client));
	rig_until(&rig.users_asked, 3); /* counted after its answer is sent */
	client_send(&other, "NOOP\r\n");
	client_expect(&other, "250");
	client_close(&client);
	client_close(&other);
	clock_shorten_timeouts(1);
	rig_end(&rig);
}

/* An answer that leaves a name unknown does not prove that the user may log in: auth is asked about
 * it again, each time after a longer pause. */
Test(submission_requests, an_unknown_user_is_asked_about_again_and_again_later, .timeout = 60)
{
	int64_t began_ms;

	clock_shorten_timeouts(10);
	rig_begin(&rig, "");
	client_login(&client, &rig);
	rig.user_gone = "alice@example.com";
	rig.users_unknown = 3;
	rig.users_asked = 0;
	began_ms = clock_mono_ms();
	rig_replace(&rig, ROLE_AUTH);
	rig_until(&rig.users_asked, 4);
	cr_expect_geq(clock_mono_ms() - began_ms, 100 + 200 + 400 - 20, "its pauses grow");
	client_expect(&client, "421 4.7.0");
	cr_assert(client_is_closed(&client));
	client_close(&client);
	clock_shorten_timeouts(1);
	rig_end(&rig);
}

/* ---- keys ---- */

static bool
try_handshake(void)
{
	bool is_done;

	client.fd = 0;
	cr_assert(client_connect(&client, &rig, 0));
	is_done = client_try_secure(&client);
	client_close(&client);
	return is_done;
}

/* The signature must have passed through the faulty channel: the channel before it may still be in
 * use. */
static void
wait_for_handshake(void)
{
	unsigned before = fault_channel_seen(rig.faulty_channel, MESSAGE_SIGN);
	bool is_done = false;

	for (int i = 0; i < 3000 && !is_done; i++) {
		is_done = try_handshake() &&
		          fault_channel_seen(rig.faulty_channel, MESSAGE_SIGN) > before;
		if (!is_done)
			usleep(10000);
	}
	cr_assert(is_done, "no handshake any more");
}

/* One handshake waits for its signature; those after it fail without a request, until keys sends
 * the overdue answer. */
Test(submission_requests, keys_does_not_answer, .timeout = 120)
{
	unsigned before;

	rig_begin(&rig, "");
	clock_shorten_timeouts(10);
	rig_keys_through(&rig);
	wait_for_handshake();
	before = fault_channel_seen(rig.faulty_channel, MESSAGE_SIGN);
	fault_channel_stall(rig.faulty_channel, true);
	for (int i = 0; i < HANDSHAKES; i++)
		cr_assert_not(try_handshake());
	fault_channel_stall(rig.faulty_channel, false);
	wait_for_handshake();
	cr_assert_leq(fault_channel_seen(rig.faulty_channel, MESSAGE_SIGN) - before, 3,
	    "%u signatures were asked for",
	    fault_channel_seen(rig.faulty_channel, MESSAGE_SIGN) - before);
	client_login(&client, &rig);
	client_send_message(&client);
	client_close(&client);
	rig_end(&rig);
}

/* A late answer made all handshakes fail until a restart once. */
Test(submission_requests, keys_answers_late, .timeout = 120)
{
	static const struct fault late = {MESSAGE_SIGNED, FAULT_DELAY, 500, 1};

	rig_begin(&rig, "");
	clock_shorten_timeouts(10); /* 200 ms */
	rig_keys_through(&rig);
	wait_for_handshake();
	fault_channel_set(rig.faulty_channel, &late, 1);
	cr_assert_not(try_handshake());
	wait_for_handshake();
	rig_end(&rig);
}

/* The answer is lost for good: the probe at the next interval shows that keys works. */
Test(submission_requests, an_answer_of_keys_is_lost, .timeout = 120)
{
	static const struct fault drop = {MESSAGE_SIGNED, FAULT_DROP, 0, 1};

	rig_begin(&rig, "");
	clock_shorten_timeouts(20);
	rig_keys_through(&rig);
	wait_for_handshake();
	fault_channel_set(rig.faulty_channel, &drop, 1);
	cr_assert_not(try_handshake());
	wait_for_handshake();
	cr_assert_geq(fault_channel_seen(rig.faulty_channel, MESSAGE_KEY_ASK), 1);
	rig_end(&rig);
}

/* The answer of keys has a wrong type: that handshake fails, and no other. */
Test(submission_requests, keys_answers_with_another_type, .timeout = 120)
{
	static const struct fault faults[] = {
	    {MESSAGE_SIGNED, FAULT_RETYPE, MESSAGE_STATUS, 1}};

	rig_begin(&rig, "");
	rig_keys_through(&rig);
	wait_for_handshake();
	fault_channel_set(rig.faulty_channel, faults, 1);
	cr_assert_not(try_handshake());
	cr_assert(try_handshake());
	rig_end(&rig);
}

/* The channel to keys is lost: handshakes fail at once, and work again on a new channel. */
Test(submission_requests, the_channel_to_keys_is_lost, .timeout = 120)
{
	rig_begin(&rig, "");
	rig_keys_through(&rig);
	wait_for_handshake();
	fault_channel_free(&rig.faulty_channel);
	cr_assert_not(try_handshake());
	cr_assert_not(try_handshake());
	rig_keys_through(&rig);
	wait_for_handshake();
	rig_end(&rig);
}
