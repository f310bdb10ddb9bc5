/* Workers that hang, die or send false answers, and the jobs that wait for them. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sasl/sasl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/ask.h"
#include "unit/auth/client.h"
#include "unit/auth/rig.h"

/* ---- fairness and bounds ---- */

static void
start_from(struct rig *r, uint64_t session, const char *client, struct rig_answer *out)
{
	char plain[64];
	int n = snprintf(plain, sizeof plain, "%cu%u%cx", 0, (unsigned)session, 0);
	struct message_auth_start m = {.session = session, .mechanism = STR("PLAIN"),
	    .has_initial = true, .initial = str_make(plain, (size_t)n), .client = str_of(client),
	    .port = 465, .tls = STR("TLSv1.3"), .hostname = STR("mx.test")};

	rig_start_as(r, &m, out);
}

Test(broker, one_network_does_not_fill_the_queue, .timeout = 60)
{
	enum { MANY = 400, PER_NETWORK = 2, HELD = 256 };
	static struct rig_answer crowd[MANY], other;
	struct rig *r = rig_with_alice(HIGH_LIMIT "checks_per_network = 2;", 0);
	unsigned refused = 0;

	rig_fake_worker(r, 0);
	for (unsigned i = 0; i < MANY; i++)
		start_from(r, 1 + i, "203.0.113.7", &crowd[i]);
	start_from(r, 1000, "198.51.100.1", &other);
	rig_until_count(r, &r->answers, MANY - PER_NETWORK - HELD);
	for (unsigned i = 0; i < MANY; i++)
		if (crowd[i].is_done) {
			cr_assert_eq(crowd[i].status.code, 454);
			refused++;
		}
	cr_assert_eq(refused, MANY - PER_NETWORK - HELD);
	for (unsigned i = 0; i < PER_NETWORK; i++) {
		rig_until_count(r, &r->check_count, i + 1);
		rig_answer_check(r, i);
	}
	rig_until_count(r, &r->check_count, PER_NETWORK + 1);
	cr_assert_str_eq(
	    r->checks[PER_NETWORK].user, "u1000@example.com", "%s", r->checks[PER_NETWORK].user);
	rig_free(&r);
}

/* A compromised worker answers "yes" to a wrong password: the answer is not accepted, and nothing
 * is added to the cache. */
Test(broker, a_false_answer_of_a_worker_is_refused, .timeout = 60)
{
	static const char key[SCRAM_SECRET_KEY_BYTES + 1] = "0123456789abcdef0123456789abcdef";
	struct rig *r = rig_with_alice(HIGH_LIMIT, 0);
	struct str wrong = WRONG;
	struct rig_answer a;

	rig_fake_worker(r, 0);
	for (unsigned i = 0; i < 2; i++) {
		rig_start(r, 1 + i, "PLAIN", &wrong, &a);
		rig_until_count(r, &r->check_count, i + 1);
		rig_answer_check_with(r, i, AUTH_OK, str_make(key, SCRAM_SECRET_KEY_BYTES));
		rig_until(r, &a.is_done);
		cr_assert_eq(a.status.code, 535, "%u", a.status.code);
	}
	rig_free(&r);
}

/* A "yes" without a key, a "no" with one, a step that no mechanism has: the worker is replaced. */
Test(broker, a_worker_with_an_invalid_answer_is_replaced, .timeout = 60)
{
	static const struct {
		uint8_t outcome;
		struct str key;
	} answers[] = {{AUTH_OK, STR("")}, {AUTH_OK, STR("short")},
	    {AUTH_FAIL, STR("0123456789abcdef0123456789abcdef")}, {AUTH_CONTINUE, STR("")},
	    {99, STR("")}};
	struct rig *r = rig_with_alice(HIGH_LIMIT, 0);
	struct str wrong = WRONG;
	struct rig_answer a;

	for (unsigned i = 0; i < sizeof answers / sizeof *answers; i++) {
		channel_free(&r->fake_worker);
		rig_fake_worker(r, 0);
		rig_start(r, 1 + i, "PLAIN", &wrong, &a);
		rig_until_count(r, &r->check_count, i + 1);
		rig_answer_check_with(r, i, answers[i].outcome, answers[i].key);
		rig_until(r, &a.is_done);
		cr_assert_eq(a.status.code, 454, "%u: %u", i, a.status.code);
		rig_until_count(r, &r->restarts, i + 1);
	}
	rig_free(&r);
}

/* A right key accepts only the account of this login, and no other authorization identity. */
Test(broker, a_right_key_allows_no_other_identity, .timeout = 60)
{
	struct str other = STR("bob\0alice@example.com\0wonderland");
	struct rig *r = rig_with_alice(HIGH_LIMIT, 0);
	struct rig_answer a;

	rig_fake_worker(r, 0);
	rig_start(r, 1, "PLAIN", &other, &a);
	rig_until_count(r, &r->check_count, 1);
	rig_answer_check(r, 0);
	rig_until(r, &a.is_done);
	cr_assert_eq(a.status.code, 535, "%u", a.status.code);
	rig_free(&r);
}

/* Many sessions with one password need one check. */
Test(broker, waiting_sessions_use_the_first_result, .timeout = 60)
{
	enum { MANY = 50 };
	static struct rig_answer a[MANY];
	struct rig *r = rig_with_alice(HIGH_LIMIT, 0);
	struct str good = GOOD;

	rig_fake_worker(r, 0);
	for (unsigned i = 0; i < MANY; i++)
		rig_start(r, 1 + i, "PLAIN", &good, &a[i]);
	rig_until_count(r, &r->check_count, 1);
	rig_answer_check(r, 0);
	rig_until_count(r, &r->answers, MANY);
	for (unsigned i = 0; i < MANY; i++)
		cr_assert_eq(a[i].status.code, 235);
	cr_assert_eq(r->check_count, 1);
	rig_free(&r);
}

/* The worker finishes the cancelled check, and then takes the next job. */
Test(broker, a_cancelled_session_frees_its_worker, .timeout = 60)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT, 0);
	struct str good = GOOD;
	struct rig_answer a, b;

	rig_fake_worker(r, 0);
	rig_start(r, 1, "PLAIN", &good, &a);
	rig_until_count(r, &r->check_count, 1);
	rig_cancel(r, 1);
	rig_start(r, 2, "PLAIN", &good, &b);
	rig_answer_check_with(r, 0, AUTH_FAIL, STR(""));
	rig_until_count(r, &r->check_count, 2);
	rig_answer_check(r, 1);
	rig_until(r, &b.is_done);
	cr_assert_eq(b.status.code, 235);
	rig_free(&r);
}

/* ---- workers that do not answer as they should ---- */

/* A worker is stopped: its client gets 454 at the deadline of the step, main gets the request to
 * end it, and the next worker is used. */
Test(broker_requests, a_stopped_worker_is_replaced, .timeout = 60)
{
	struct rig *r = rig_new();
	struct rig_answer a;

	clock_shorten_timeouts(50); /* 400 ms */
	rig_store(r, "alice@example.com", "secret", NULL);
	rig_run(r, "", 0);
	rig_fake_worker(r, 0);
	rig_start(r, 1, "PLAIN", &STR("\0alice@example.com\0secret"), &a);
	rig_until(r, &a.is_done);
	cr_assert_eq(a.status.code, 454);
	rig_until_count(r, &r->restarts, 1);
	cr_assert_eq(r->last_restart, 0);
	rig_worker(r, 0);
	cr_assert_eq(rig_login(r, 2, "PLAIN", STR("\0alice@example.com\0secret")), 235);
	rig_free(&r);
}

/* An answer of another type, or a refusal, is an error, and the worker is replaced. */
Test(broker_requests, a_worker_that_answers_with_another_type_is_replaced, .timeout = 60)
{
	for (int case_index = 0; case_index < 2; case_index++) {
		struct message_status wrong = {.status = smtp_status_make(250, NULL, "ok")};
		struct rig *r = rig_new();
		struct rig_answer a;

		rig_store(r, "alice@example.com", "secret", NULL);
		rig_run(r, "", 0);
		rig_fake_worker(r, 0);
		rig_start(r, 1, "PLAIN", &STR("\0alice@example.com\0secret"), &a);
		rig_until_count(r, &r->check_count, 1);
		if (case_index == 0)
			cr_assert_eq(channel_answer(r->fake_worker, r->checks[0].call,
			                 MESSAGE_STATUS, &wrong, -1),
			    0);
		else
			channel_refuse(r->fake_worker, r->checks[0].call);
		rig_until(r, &a.is_done);
		cr_assert_eq(a.status.code, 454);
		rig_until_count(r, &r->restarts, 1);
		rig_worker(r, 0);
		cr_assert_eq(rig_login(r, 2, "PLAIN", STR("\0alice@example.com\0secret")), 235);
		rig_free(&r);
	}
}

/* A session starts again, or sends a step before the answer: the former request is refused. */
Test(broker_requests, a_former_request_is_refused, .timeout = 60)
{
	struct rig *r = rig_new();
	struct rig_answer first, second, third;

	rig_store(r, "alice@example.com", "secret", NULL);
	rig_run(r, "", 0);
	rig_fake_worker(r, 0);
	rig_start(r, 1, "PLAIN", &STR("\0alice@example.com\0secret"), &first);
	rig_until_count(r, &r->check_count, 1);
	rig_start(r, 1, "PLAIN", &STR("\0alice@example.com\0secret"), &second);
	rig_until(r, &first.is_done);
	cr_assert_eq(first.end, REQUEST_ERROR);
	rig_step(r, 1, STR("more"), &third);
	rig_until(r, &second.is_done);
	cr_assert_eq(second.end, REQUEST_ERROR);
	rig_until(r, &third.is_done);
	cr_assert_eq(third.status.code, 501);
	rig_free(&r);
}
