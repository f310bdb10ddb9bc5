/* Every type of request with every fault: each ends exactly once, and the channel works for the
 * next one. */
#include "ipc/request.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/channel.h"
#include "support/ask.h"
#include "support/fault_channel.h"
#include "unit/ipc/request_setting.h"

/* ---- the setting ---- */

typedef void case_fn(struct setting *s);

static void
for_all_types(case_fn *fn)
{
	unsigned asked = 0, before = setting_descriptors();
	struct setting s;

	for (int type = 0; type < MESSAGE_TYPES; type++) {
		if (!message_question((enum message_type)type))
			continue;
		asked++;
		setting_set_up(&s, (enum message_type)type);
		fn(&s);
		setting_tear_down(&s);
		cr_assert_eq(setting_descriptors(), before, "%s leaves descriptors open",
		    message_name((enum message_type)type));
	}
	cr_assert_geq(asked, 12);
}

/* ---- cases ---- */

static void
is_answered(struct setting *s)
{
	setting_ask_one(s);
	setting_ends_with(s, REQUEST_ANSWERED, "answer");
	cr_assert_eq(s->asker.rows, message_question(s->type)->has_rows);
}

static void
is_refused(struct setting *s)
{
	s->other.refuses = true;
	setting_ask_one(s);
	setting_ends_with(s, REQUEST_ERROR, "refusal");
	setting_works_as_ever(s, "refusal");
}

static void
expires_and_the_late_answer_is_ignored(struct setting *s)
{
	unsigned before = setting_descriptors();

	clock_shorten_timeouts(1000);
	s->other.is_silent = true;
	setting_ask_one(s);
	setting_ends_with(s, REQUEST_EXPIRED, "deadline");
	clock_shorten_timeouts(1);
	setting_until(s, &s->other.call_count, 1);
	setting_answer(s, s->other.calls[0]);
	setting_linger(s);
	cr_assert_eq(s->asker.ends, 1);
	cr_assert_eq(setting_descriptors(), before, "what came with the late answer is closed");
	setting_works_as_ever(s, "a late answer");
}

static void
ends_with_its_peer(struct setting *s)
{
	s->other.is_silent = true;
	setting_ask_one(s);
	setting_until(s, &s->other.call_count, 1);
	channel_free(&s->other.channel);
	setting_ends_with(s, REQUEST_LOST, "loss");
	cr_assert_eq(s->asker.lost, 1);
}

static void
a_cancelled_request_has_no_callback(struct setting *s)
{
	setting_ask_one(s);
	request_cancel(&s->request);
	setting_until(s, &s->other.call_count, 1);
	setting_linger(s);
	cr_assert_eq(s->asker.ends + s->asker.rows, 0);
	setting_works_as_ever(s, "cancel");
}

static void
one_fault(struct setting *s, enum fault_kind kind, enum message_type type, int value)
{
	struct fault f = {.type = type, .kind = kind, .value = value, .count = 1};

	fault_channel_set(s->between, &f, 1);
	setting_ask_one(s);
}

static void
another_type_is_an_error(struct setting *s)
{
	enum message_type answer = message_question(s->type)->answer;

	one_fault(s, FAULT_RETYPE, answer,
	    answer == MESSAGE_DESTINATION ? MESSAGE_STATUS : MESSAGE_DESTINATION);
	setting_ends_with(s, REQUEST_ERROR, "another type");
	setting_works_as_ever(s, "another type");
}

static void
an_incomplete_answer_is_an_error(struct setting *s)
{
	one_fault(s, FAULT_TRUNCATE, message_question(s->type)->answer, 0);
	setting_ends_with(s, REQUEST_ERROR, "half an answer");
	setting_works_as_ever(s, "half an answer");
}

/* An answer that cannot be decoded closes the channel, which ends the request. */
static void
an_incomplete_request_ends_the_channel(struct setting *s)
{
	one_fault(s, FAULT_TRUNCATE, s->type, 0);
	setting_ends_with(s, REQUEST_LOST, "half a question");
}

static void
a_lost_descriptor_is_an_error(struct setting *s)
{
	if (!message_question(s->type)->has_descriptor)
		return;
	one_fault(s, FAULT_LOSE_FD, message_question(s->type)->answer, 0);
	setting_ends_with(s, REQUEST_ERROR, "lost descriptor");
	setting_works_as_ever(s, "lost descriptor");
}

/* A row without its descriptor would look like one that has none. */
static void
a_row_s_lost_descriptor_is_an_error(struct setting *s)
{
	char text[REQUEST_TEXT_BYTES];

	if (!message_question(s->type)->has_row_descriptors)
		return;
	one_fault(s, FAULT_LOSE_FD, MESSAGE_ADMIN_ROW, 0);
	setting_ends_with(s, REQUEST_ERROR, "a row's lost descriptor");
	cr_assert_eq(s->asker.rows, 0);
	cr_assert(strstr(request_text("queue", &s->request, REQUEST_ERROR, text), "try again"),
	    "%s", text);
	setting_works_as_ever(s, "a row's lost descriptor");
}

static void
two_descriptors_end_the_channel(struct setting *s)
{
	one_fault(s, FAULT_SECOND_FD, message_question(s->type)->answer, 0);
	setting_ends_with(s, REQUEST_LOST, "two descriptors");
	cr_assert_eq(s->asker.lost, 1);
}

static void
an_answer_that_comes_twice_counts_once(struct setting *s)
{
	one_fault(s, FAULT_DOUBLE, message_question(s->type)->answer, 0);
	setting_ends_with(s, REQUEST_ANSWERED, "answered twice");
	if (s->asker.fd >= 0)
		close(s->asker.fd);
	s->asker.fd = -1;
	setting_works_as_ever(s, "answered twice");
}

static void
a_dropped_request_expires(struct setting *s)
{
	clock_shorten_timeouts(1000);
	one_fault(s, FAULT_DROP, s->type, 0);
	setting_ends_with(s, REQUEST_EXPIRED, "dropped question");
	setting_works_as_ever(s, "dropped question");
}

static void
a_dropped_answer_expires(struct setting *s)
{
	clock_shorten_timeouts(1000);
	one_fault(s, FAULT_DROP, message_question(s->type)->answer, 0);
	setting_ends_with(s, REQUEST_EXPIRED, "dropped answer");
	setting_works_as_ever(s, "dropped answer");
}

static void
a_slow_answer_is_waited_for(struct setting *s)
{
	one_fault(s, FAULT_DELAY, message_question(s->type)->answer, 30);
	setting_ends_with(s, REQUEST_ANSWERED, "slow answer");
}

/* The peer is stopped: all open requests expire; when it continues, it answers again. */
static void
a_stopped_peer_is_waited_for_no_longer_than_the_deadline(struct setting *s)
{
	union message zero = {0};

	clock_shorten_timeouts(1000);
	s->other.is_silent = true;
	fault_channel_stall(s->between, true);
	for (int i = 0; i < AT_ONCE; i++)
		(void)ask_pooled(s->asker.channel, s->type, &zero, setting_ended, s);
	setting_until(s, &s->asker.ends, AT_ONCE);
	cr_assert_eq(s->asker.end, REQUEST_EXPIRED);
	clock_shorten_timeouts(1);
	fault_channel_stall(s->between, false);
	setting_until(s, &s->other.call_count, AT_ONCE);
	cr_assert_eq(s->asker.ends, AT_ONCE);
	setting_works_as_ever(s, "a stopped peer");
}

/* Answers in another order than the requests reach the right owners. */
static void
answers_may_come_in_another_order(struct setting *s)
{
	struct fault f = {
	    .type = message_question(s->type)->answer, .kind = FAULT_REORDER, .count = 1};
	union message zero = {0};

	if (message_question(s->type)->has_descriptor || message_question(s->type)->has_rows)
		return;
	fault_channel_set(s->between, &f, 1);
	(void)ask_pooled(s->asker.channel, s->type, &zero, setting_ended, s);
	(void)ask_pooled(s->asker.channel, s->type, &zero, setting_ended, s);
	setting_until(s, &s->asker.ends, 2);
	cr_assert_eq(s->asker.end, REQUEST_ANSWERED);
}

#define CASE(name) \
	Test(request, name, .timeout = 120) \
	{ \
		for_all_types(name); \
	}
CASE(is_answered)
CASE(is_refused)
CASE(expires_and_the_late_answer_is_ignored)
CASE(ends_with_its_peer)
CASE(a_cancelled_request_has_no_callback)
CASE(another_type_is_an_error)
CASE(an_incomplete_answer_is_an_error)
CASE(an_incomplete_request_ends_the_channel)
CASE(a_lost_descriptor_is_an_error)
CASE(a_row_s_lost_descriptor_is_an_error)
CASE(two_descriptors_end_the_channel)
CASE(an_answer_that_comes_twice_counts_once)
CASE(a_dropped_request_expires)
CASE(a_dropped_answer_expires)
CASE(a_slow_answer_is_waited_for)
CASE(a_stopped_peer_is_waited_for_no_longer_than_the_deadline)
CASE(answers_may_come_in_another_order)
