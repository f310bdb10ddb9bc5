/* Requests of any type: numbers, sizes, closed channels, rows, and owners that are freed. */
#include "ipc/request.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/channel.h"
#include "support/ask.h"
#include "support/fault_channel.h"
#include "unit/ipc/request_setting.h"

/* ---- independent of the type ---- */

/* A number once was 12 bits and a slot, and came again after 4,095 others. */
Test(request, a_number_is_never_used_again, .timeout = 120)
{
	struct setting s;
	union message zero = {0};
	uint64_t first;

	setting_set_up(&s, MESSAGE_LEASE_ASK);
	s.other.is_silent = true;
	setting_ask_one(&s);
	setting_until(&s, &s.other.call_count, 1);
	first = s.other.calls[0];
	request_cancel(&s.request);
	for (unsigned i = 1; i <= 10000; i++) {
		struct request *r =
		    ask_pooled(s.asker.channel, MESSAGE_LEASE_ASK, &zero, setting_ended, &s);

		cr_assert_eq(r->number, first + i);
		request_cancel(r);
		if (i % 100 == 0)
			setting_until(&s, &s.other.call_count, i + 1);
	}
	setting_answer(&s, first);
	setting_ask_one(&s);
	setting_linger(&s);
	cr_assert_eq(s.asker.ends, 0, "an answer to the first is none to the last");
	setting_tear_down(&s);
}

/* A request that cannot be sent ends soon, and not from inside request_ask. */
Test(request, too_large_to_be_sent_is_an_error, .timeout = 60)
{
	static char body[MESSAGE_BYTES_MAX];
	struct message_commit m = {.body = {body, sizeof body}};
	struct setting s;

	setting_set_up(&s, MESSAGE_COMMIT);
	request_init(&s.request, setting_ended, &s);
	request_ask(&s.request, s.asker.channel, MESSAGE_COMMIT, &m);
	cr_assert_eq(s.asker.ends, 0);
	setting_ends_with(&s, REQUEST_ERROR, "too large");
	setting_works_as_ever(&s, "too large");
	setting_tear_down(&s);
}

Test(request, a_request_on_a_closed_channel_is_lost, .timeout = 60)
{
	union message zero = {0};
	struct setting s;

	setting_set_up(&s, MESSAGE_COMMIT);
	channel_free(&s.other.channel);
	setting_linger(&s);
	fault_channel_free(&s.between);
	request_init(&s.request, setting_ended, &s);
	if (s.asker.channel)
		request_ask(&s.request, s.asker.channel, MESSAGE_COMMIT, &zero);
	setting_until(&s, &s.asker.lost, 1);
	cr_assert_eq(s.asker.ends, s.asker.end == REQUEST_LOST);
	setting_tear_down(&s);
}

/* The descriptor of the answer cannot be passed: the request still ends. */
Test(request, an_answer_whose_descriptor_cannot_be_passed_is_an_error, .timeout = 60)
{
	struct message_status m = {.status = smtp_status_make(250, "2.0.0", "ok")};
	struct setting s;

	setting_set_up(&s, MESSAGE_SPOOL_FILE);
	s.other.is_silent = true;
	setting_ask_one(&s);
	setting_until(&s, &s.other.call_count, 1);
	cr_assert_eq(
	    channel_answer(s.other.channel, s.other.calls[0], MESSAGE_STATUS, &m, 500), 0);
	setting_ends_with(&s, REQUEST_ERROR, "bad descriptor");
	setting_works_as_ever(&s, "bad descriptor");
	setting_tear_down(&s);
}

static unsigned taken_late;

static void
take_late(int fd, void *arg)
{
	cr_assert_geq(fcntl(fd, F_GETFD), 0, "it is open");
	cr_assert_eq(arg, &taken_late);
	close(fd);
	taken_late++;
}

/* The request has ended: the descriptor of its late answer goes to the function of the channel's
 * owner. */
Test(request, a_late_descriptor_goes_to_the_channel_owner, .timeout = 60)
{
	unsigned before;
	struct setting s;

	setting_set_up(&s, MESSAGE_SPOOL_FILE);
	before = setting_descriptors();
	channel_take_late(s.asker.channel, take_late, &taken_late);
	s.other.is_silent = true;
	setting_ask_one(&s);
	setting_until(&s, &s.other.call_count, 1);
	request_cancel(&s.request);
	setting_answer(&s, s.other.calls[0]);
	setting_until(&s, &taken_late, 1);
	cr_assert_eq(s.asker.ends, 0);
	cr_assert_eq(setting_descriptors(), before);
	setting_works_as_ever(&s, "a late descriptor");
	cr_assert_eq(taken_late, 1, "one that is waited for is its request's");
	setting_tear_down(&s);
}

/* Each row restarts the deadline. */
Test(request, rows_renew_the_deadline, .timeout = 60)
{
	struct setting s;
	union message zero = {0};

	clock_shorten_timeouts(200); /* 300 ms */
	setting_set_up(&s, MESSAGE_ADMIN);
	s.other.is_silent = true;
	setting_ask_one(&s);
	setting_until(&s, &s.other.call_count, 1);
	for (unsigned i = 1; i <= 8; i++) {
		struct timeval pause = {0, 60000};

		cr_assert_eq(channel_answer(s.other.channel, s.other.calls[0], MESSAGE_ADMIN_ROW,
				 &zero, -1), 0);
		setting_until(&s, &s.asker.rows, i);
		event_base_loopexit(s.base, &pause);
		event_base_dispatch(s.base);
	}
	cr_assert_eq(s.asker.ends, 0, "480 ms, and still open");
	setting_ends_with(&s, REQUEST_EXPIRED, "no more rows");
	setting_tear_down(&s);
}

/* The requesting side must go on first; then the deadline starts again.  A loss still ends it. */
Test(request, a_held_request_has_no_deadline, .timeout = 60)
{
	struct timeval pause = {0, 600000};
	struct setting s;
	union message zero = {0};

	clock_shorten_timeouts(200); /* 300 ms */
	setting_set_up(&s, MESSAGE_ADMIN);
	s.other.is_silent = true;
	setting_ask_one(&s);
	setting_until(&s, &s.other.call_count, 1);
	request_hold(&s.request);
	request_hold(&s.request);
	event_base_loopexit(s.base, &pause);
	event_base_dispatch(s.base);
	cr_assert_eq(s.asker.ends, 0);
	cr_assert_eq(
	    channel_answer(s.other.channel, s.other.calls[0], MESSAGE_ADMIN_ROW, &zero, -1), 0);
	setting_until(&s, &s.asker.rows, 1);
	request_hold(&s.request);
	request_renew(&s.request);
	setting_ends_with(&s, REQUEST_EXPIRED, "no more rows");
	s.asker.ends = 0;
	setting_ask_one(&s);
	setting_until(&s, &s.other.call_count, 2);
	request_hold(&s.request);
	fault_channel_free(&s.between);
	setting_ends_with(&s, REQUEST_LOST, "held, and the peer is gone");
	setting_tear_down(&s);
}

/* The owner of a request may free the channel in the callback of the end. */
static void
frees(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct setting *s = arg;

	(void)p;
	s->asker.ends++;
	s->asker.end = end;
	channel_free(&s->asker.channel);
}

Test(request, an_end_may_free_the_channel, .timeout = 60)
{
	union message zero = {0};

	for (int i = 0; i < 3; i++) {
		struct setting s;

		setting_set_up(&s, MESSAGE_COMMIT);
		clock_shorten_timeouts(i == 1 ? 1000 : 1);
		s.other.is_silent = i > 0;
		request_init(&s.request, frees, &s);
	request_ask(&s.request, s.asker.channel, MESSAGE_COMMIT, &zero);
		(void)ask_pooled(s.asker.channel, MESSAGE_COMMIT, &zero, setting_ended, &s);
		if (i == 2)
			channel_free(&s.other.channel);
		setting_until(&s, &s.asker.ends, 1);
		setting_linger(&s);
		cr_assert_eq(s.asker.ends, 1, "the other one was cancelled");
		setting_tear_down(&s);
	}
}
