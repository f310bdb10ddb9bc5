/* Every type of question through every fault: each ends exactly once, and the channel serves the
 * next one. */
#include "ipc/request.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/channel.h"
#include "support/ask.h"
#include "support/fault_channel.h"

enum { AT_ONCE = 200 };

struct other {
	struct channel *channel;
	uint64_t calls[AT_ONCE];
	unsigned call_count;
	bool is_silent, refuses;
};

struct asker {
	struct channel *channel;
	unsigned rows, ends, lost;
	enum request_end end;
	int fd;
};

struct setting {
	struct event_base *base;
	struct fault_channel *between;
	struct other other;
	struct asker asker;
	enum message_type type;
	struct request request;
};

static void
answer(struct setting *s, uint64_t call)
{
	const struct message_ask *ask = message_ask(s->type);
	union message zero = {0};
	int fd = ask->has_descriptor ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;

	if (ask->has_rows)
		(void)!channel_answer(s->other.channel, call, MESSAGE_ADMIN_ROW, &zero, -1);
	(void)!channel_answer(s->other.channel, call, ask->answer, &zero, fd);
	if (fd >= 0)
		close(fd);
}

static void
other_hears(struct channel *c, const struct packet *p, void *arg)
{
	struct setting *s = arg;

	cr_assert_neq(p->call, 0);
	s->other.calls[s->other.call_count % AT_ONCE] = p->call;
	s->other.call_count++;
	if (s->other.refuses)
		channel_refuse(c, p->call);
	else if (!s->other.is_silent)
		answer(s, p->call);
}

static void
asker_hears(struct channel *c, const struct packet *p, void *arg)
{
	(void)c;
	(void)p;
	(void)arg;
	cr_assert_fail("nothing but answers was sent");
}

static void
other_lost(struct channel *c, void *arg)
{
	struct setting *s = arg;

	(void)c;
	channel_free(&s->other.channel);
}

static void
asker_lost(struct channel *c, void *arg)
{
	struct setting *s = arg;

	(void)c;
	s->asker.lost++;
	channel_free(&s->asker.channel);
}

static void
ended(enum request_end end, const struct packet *p, void *arg)
{
	struct setting *s = arg;

	cr_assert_eq(p != NULL, end == REQUEST_ROW || end == REQUEST_ANSWERED);
	if (end == REQUEST_ROW) {
		s->asker.rows++;
		return;
	}
	s->asker.ends++;
	s->asker.end = end;
	if (p && p->fd >= 0)
		s->asker.fd = p->fd;
}

/* ---- the setting ---- */

static void
join(struct setting *s)
{
	int ends[2];

	s->between = fault_channel_new(ends);
	s->asker.channel = channel_new(s->base, ends[0], asker_hears, asker_lost, s);
	s->other.channel = channel_new(s->base, ends[1], other_hears, other_lost, s);
}

static void
set_up(struct setting *s, enum message_type type)
{
	*s = (struct setting){.base = event_base_new(), .type = type, .asker.fd = -1};
	join(s);
}

static void
tear_down(struct setting *s)
{
	clock_hurry(1);
	if (s->asker.fd >= 0)
		close(s->asker.fd);
	channel_free(&s->asker.channel);
	channel_free(&s->other.channel);
	fault_channel_free(&s->between);
	event_base_free(s->base);
}

static void
ask_one(struct setting *s)
{
	union message zero = {0};
	unsigned ends = s->asker.ends;

	request_init(&s->request, ended, s);
	request_ask(&s->request, s->asker.channel, s->type, &zero);
	cr_assert_eq(s->asker.ends, ends, "never from inside the asking call");
}

static void
once(struct setting *s)
{
	struct timeval limit = {0, 2000};

	event_base_loopexit(s->base, &limit);
	event_base_dispatch(s->base);
}

static void
until(struct setting *s, const unsigned *count, unsigned enough)
{
	int64_t end = clock_mono_ms() + 20000;

	while (*count < enough && clock_mono_ms() < end)
		once(s);
	cr_assert_geq(*count, enough, "%s: waited for ever", message_name(s->type));
}

static void
linger(struct setting *s)
{
	for (int i = 0; i < 10; i++)
		once(s);
}

static unsigned
descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 512; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* The end, and that there is no second one; then the same channel answers as ever. */
static void
ends_with(struct setting *s, enum request_end end, const char *fault)
{
	until(s, &s->asker.ends, 1);
	linger(s);
	cr_assert_eq(s->asker.ends, 1, "%s, %s: ended twice", message_name(s->type), fault);
	cr_assert_eq(s->asker.end, end, "%s, %s: end %d", message_name(s->type), fault, s->asker.end);
	cr_assert_not(request_is_open(&s->request));
}

static void
works_as_ever(struct setting *s, const char *fault)
{
	clock_hurry(1);
	fault_channel_set(s->between, NULL, 0);
	s->other.is_silent = s->other.refuses = false;
	s->asker.ends = 0;
	ask_one(s);
	until(s, &s->asker.ends, 1);
	cr_assert_eq(s->asker.end, REQUEST_ANSWERED, "%s after %s: end %d", message_name(s->type),
	    fault, s->asker.end);
	cr_assert_eq(s->asker.fd >= 0, message_ask(s->type)->has_descriptor);
}

typedef void case_fn(struct setting *s);

static void
for_all_types(case_fn *fn)
{
	unsigned asked = 0, before = descriptors();
	struct setting s;

	for (int type = 0; type < MESSAGE_TYPES; type++) {
		if (!message_ask((enum message_type)type))
			continue;
		asked++;
		set_up(&s, (enum message_type)type);
		fn(&s);
		tear_down(&s);
		cr_assert_eq(descriptors(), before, "%s leaves descriptors open",
		    message_name((enum message_type)type));
	}
	cr_assert_geq(asked, 12);
}

/* ---- cases ---- */

static void
is_answered(struct setting *s)
{
	ask_one(s);
	ends_with(s, REQUEST_ANSWERED, "answer");
	cr_assert_eq(s->asker.rows, message_ask(s->type)->has_rows);
}

static void
is_refused(struct setting *s)
{
	s->other.refuses = true;
	ask_one(s);
	ends_with(s, REQUEST_ERROR, "refusal");
	works_as_ever(s, "refusal");
}

static void
expires_and_the_late_answer_finds_no_one(struct setting *s)
{
	unsigned before = descriptors();

	clock_hurry(1000);
	s->other.is_silent = true;
	ask_one(s);
	ends_with(s, REQUEST_EXPIRED, "deadline");
	clock_hurry(1);
	until(s, &s->other.call_count, 1);
	answer(s, s->other.calls[0]);
	linger(s);
	cr_assert_eq(s->asker.ends, 1);
	cr_assert_eq(descriptors(), before, "what came with the late answer is closed");
	works_as_ever(s, "a late answer");
}

static void
ends_with_its_peer(struct setting *s)
{
	s->other.is_silent = true;
	ask_one(s);
	until(s, &s->other.call_count, 1);
	channel_free(&s->other.channel);
	ends_with(s, REQUEST_LOST, "loss");
	cr_assert_eq(s->asker.lost, 1);
}

static void
cancelled_hears_nothing(struct setting *s)
{
	ask_one(s);
	request_cancel(&s->request);
	until(s, &s->other.call_count, 1);
	linger(s);
	cr_assert_eq(s->asker.ends + s->asker.rows, 0);
	works_as_ever(s, "cancel");
}

static void
one_fault(struct setting *s, enum fault_kind kind, enum message_type type, int value)
{
	struct fault f = {.type = type, .kind = kind, .value = value, .count = 1};

	fault_channel_set(s->between, &f, 1);
	ask_one(s);
}

static void
another_type_is_an_error(struct setting *s)
{
	enum message_type answer = message_ask(s->type)->answer;

	one_fault(s, FAULT_RETYPE, answer, answer == MESSAGE_SITE ? MESSAGE_VERDICT : MESSAGE_SITE);
	ends_with(s, REQUEST_ERROR, "another type");
	works_as_ever(s, "another type");
}

static void
half_an_answer_is_an_error(struct setting *s)
{
	one_fault(s, FAULT_TRUNCATE, message_ask(s->type)->answer, 0);
	ends_with(s, REQUEST_ERROR, "half an answer");
	works_as_ever(s, "half an answer");
}

/* What cannot be read cannot be answered: the channel ends, and with it the request. */
static void
half_a_question_ends_the_channel(struct setting *s)
{
	one_fault(s, FAULT_TRUNCATE, s->type, 0);
	ends_with(s, REQUEST_LOST, "half a question");
}

static void
a_lost_descriptor_is_an_error(struct setting *s)
{
	if (!message_ask(s->type)->has_descriptor)
		return;
	one_fault(s, FAULT_LOSE_FD, message_ask(s->type)->answer, 0);
	ends_with(s, REQUEST_ERROR, "lost descriptor");
	works_as_ever(s, "lost descriptor");
}

static void
two_descriptors_end_the_channel(struct setting *s)
{
	one_fault(s, FAULT_SECOND_FD, message_ask(s->type)->answer, 0);
	ends_with(s, REQUEST_LOST, "two descriptors");
	cr_assert_eq(s->asker.lost, 1);
}

static void
an_answer_that_comes_twice_is_heard_once(struct setting *s)
{
	one_fault(s, FAULT_DOUBLE, message_ask(s->type)->answer, 0);
	ends_with(s, REQUEST_ANSWERED, "answered twice");
	if (s->asker.fd >= 0)
		close(s->asker.fd);
	s->asker.fd = -1;
	works_as_ever(s, "answered twice");
}

static void
a_dropped_question_expires(struct setting *s)
{
	clock_hurry(1000);
	one_fault(s, FAULT_DROP, s->type, 0);
	ends_with(s, REQUEST_EXPIRED, "dropped question");
	works_as_ever(s, "dropped question");
}

static void
a_dropped_answer_expires(struct setting *s)
{
	clock_hurry(1000);
	one_fault(s, FAULT_DROP, message_ask(s->type)->answer, 0);
	ends_with(s, REQUEST_EXPIRED, "dropped answer");
	works_as_ever(s, "dropped answer");
}

static void
a_slow_answer_is_waited_for(struct setting *s)
{
	one_fault(s, FAULT_DELAY, message_ask(s->type)->answer, 30);
	ends_with(s, REQUEST_ANSWERED, "slow answer");
}

/* The peer is stopped: all that wait expire; when it goes on, it serves again. */
static void
a_stopped_peer_is_waited_for_no_longer_than_the_deadline(struct setting *s)
{
	union message zero = {0};

	clock_hurry(1000);
	s->other.is_silent = true;
	fault_channel_stall(s->between, true);
	for (int i = 0; i < AT_ONCE; i++)
		(void)ask(s->asker.channel, s->type, &zero, ended, s);
	until(s, &s->asker.ends, AT_ONCE);
	cr_assert_eq(s->asker.end, REQUEST_EXPIRED);
	clock_hurry(1);
	fault_channel_stall(s->between, false);
	until(s, &s->other.call_count, AT_ONCE);
	cr_assert_eq(s->asker.ends, AT_ONCE);
	works_as_ever(s, "a stopped peer");
}

/* Answers in another order than the questions reach those who asked. */
static void
answers_may_overtake(struct setting *s)
{
	struct fault f = {
	    .type = message_ask(s->type)->answer, .kind = FAULT_REORDER, .count = 1};
	union message zero = {0};

	if (message_ask(s->type)->has_descriptor || message_ask(s->type)->has_rows)
		return;
	fault_channel_set(s->between, &f, 1);
	(void)ask(s->asker.channel, s->type, &zero, ended, s);
	(void)ask(s->asker.channel, s->type, &zero, ended, s);
	until(s, &s->asker.ends, 2);
	cr_assert_eq(s->asker.end, REQUEST_ANSWERED);
}

#define CASE(name) \
	Test(request, name, .timeout = 120) \
	{ \
		for_all_types(name); \
	}
CASE(is_answered)
CASE(is_refused)
CASE(expires_and_the_late_answer_finds_no_one)
CASE(ends_with_its_peer)
CASE(cancelled_hears_nothing)
CASE(another_type_is_an_error)
CASE(half_an_answer_is_an_error)
CASE(half_a_question_ends_the_channel)
CASE(a_lost_descriptor_is_an_error)
CASE(two_descriptors_end_the_channel)
CASE(an_answer_that_comes_twice_is_heard_once)
CASE(a_dropped_question_expires)
CASE(a_dropped_answer_expires)
CASE(a_slow_answer_is_waited_for)
CASE(a_stopped_peer_is_waited_for_no_longer_than_the_deadline)
CASE(answers_may_overtake)

/* ---- what is not of a type ---- */

/* 12 bits of use and a slot made a number once, and it came again after 4,095 others. */
Test(request, a_number_is_never_used_again, .timeout = 120)
{
	struct setting s;
	union message zero = {0};
	uint64_t first;

	set_up(&s, MESSAGE_LEASE_ASK);
	s.other.is_silent = true;
	ask_one(&s);
	until(&s, &s.other.call_count, 1);
	first = s.other.calls[0];
	request_cancel(&s.request);
	for (unsigned i = 1; i <= 10000; i++) {
		struct request *r = ask(s.asker.channel, MESSAGE_LEASE_ASK, &zero, ended, &s);

		cr_assert_eq(r->number, first + i);
		request_cancel(r);
		if (i % 100 == 0)
			until(&s, &s.other.call_count, i + 1);
	}
	answer(&s, first);
	ask_one(&s);
	linger(&s);
	cr_assert_eq(s.asker.ends, 0, "an answer to the first is none to the last");
	tear_down(&s);
}

/* What cannot be sent at all ends soon, and not from inside the asking call. */
Test(request, too_large_to_be_sent_is_an_error, .timeout = 60)
{
	static char body[MESSAGE_BYTES_MAX];
	struct message_commit m = {.body = {body, sizeof body}};
	struct setting s;

	set_up(&s, MESSAGE_COMMIT);
	request_init(&s.request, ended, &s);
	request_ask(&s.request, s.asker.channel, MESSAGE_COMMIT, &m);
	cr_assert_eq(s.asker.ends, 0);
	ends_with(&s, REQUEST_ERROR, "too large");
	works_as_ever(&s, "too large");
	tear_down(&s);
}

Test(request, asked_of_a_dead_channel_is_lost, .timeout = 60)
{
	union message zero = {0};
	struct setting s;

	set_up(&s, MESSAGE_COMMIT);
	channel_free(&s.other.channel);
	linger(&s);
	fault_channel_free(&s.between);
	request_init(&s.request, ended, &s);
	if (s.asker.channel)
		request_ask(&s.request, s.asker.channel, MESSAGE_COMMIT, &zero);
	until(&s, &s.asker.lost, 1);
	cr_assert_eq(s.asker.ends, s.asker.end == REQUEST_LOST);
	tear_down(&s);
}

/* The answer's descriptor cannot be passed: the question ends all the same. */
Test(request, an_answer_whose_descriptor_cannot_be_passed_is_an_error, .timeout = 60)
{
	struct message_verdict m = {.status = status_make(250, "2.0.0", "ok")};
	struct setting s;

	set_up(&s, MESSAGE_SPOOL_FILE);
	s.other.is_silent = true;
	ask_one(&s);
	until(&s, &s.other.call_count, 1);
	cr_assert_eq(
	    channel_answer(s.other.channel, s.other.calls[0], MESSAGE_VERDICT, &m, 500), 0);
	ends_with(&s, REQUEST_ERROR, "bad descriptor");
	works_as_ever(&s, "bad descriptor");
	tear_down(&s);
}

/* Each row gives the next one the whole time. */
Test(request, rows_renew_the_deadline, .timeout = 60)
{
	struct setting s;
	union message zero = {0};

	clock_hurry(200); /* 300 ms */
	set_up(&s, MESSAGE_ADMIN);
	s.other.is_silent = true;
	ask_one(&s);
	until(&s, &s.other.call_count, 1);
	for (unsigned i = 1; i <= 8; i++) {
		struct timeval pause = {0, 60000};

		cr_assert_eq(channel_answer(s.other.channel, s.other.calls[0], MESSAGE_ADMIN_ROW,
				 &zero, -1), 0);
		until(&s, &s.asker.rows, i);
		event_base_loopexit(s.base, &pause);
		event_base_dispatch(s.base);
	}
	cr_assert_eq(s.asker.ends, 0, "480 ms, and still open");
	ends_with(&s, REQUEST_EXPIRED, "no more rows");
	tear_down(&s);
}

/* The owner of a request may free the channel from its end. */
static void
frees(enum request_end end, const struct packet *p, void *arg)
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

		set_up(&s, MESSAGE_COMMIT);
		clock_hurry(i == 1 ? 1000 : 1);
		s.other.is_silent = i > 0;
		request_init(&s.request, frees, &s);
	request_ask(&s.request, s.asker.channel, MESSAGE_COMMIT, &zero);
		(void)ask(s.asker.channel, MESSAGE_COMMIT, &zero, ended, &s);
		if (i == 2)
			channel_free(&s.other.channel);
		until(&s, &s.asker.ends, 1);
		linger(&s);
		cr_assert_eq(s.asker.ends, 1, "the other one was cancelled");
		tear_down(&s);
	}
}
