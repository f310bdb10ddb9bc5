/* limit_tokens: tokens are taken without a request while there are some, are returned when they are
 * not used, and are void when the queue is lost. */
#include "submission/limit_tokens.h"

#include <criterion/criterion.h>
#include <unistd.h>

#include "base/map.h"

enum { WAITERS = 4 };

struct queue_side {
	struct event_base *base;
	struct channel *channel; /* the queue's end */
	struct limit_tokens *tokens;
	struct channel *submission_side;
	unsigned asks, returns;
	uint64_t last_call;
	struct message_lease_return returned;
	bool is_silent;
	uint32_t lend;  /* 0: refuse */
	unsigned calls[WAITERS];
	unsigned code[WAITERS];
	struct limit_tokens_waiter waiters[WAITERS];
};

static struct queue_side q;

static void
answer_request(uint64_t call)
{
	struct message_lease m = {.status = smtp_status_make(250, "2.0.0", "Ok"), .tokens = q.lend};

	if (q.lend == 0)
		m.status = smtp_status_make(450, "4.7.1", "Your sending limit is reached");
	cr_assert_eq(channel_answer(q.channel, call, MESSAGE_LEASE, &m, -1), 0);
}

static void
on_request(struct channel *c, const struct channel_packet *p, void *arg)
{
	(void)c;
	(void)arg;
	if (p->type == MESSAGE_LEASE_RETURN) {
		q.returned = p->message->lease_return;
		q.returns++;
	}
	if (p->type != MESSAGE_LEASE_ASK)
		return;
	q.asks++;
	q.last_call = p->call;
	if (!q.is_silent)
		answer_request(p->call);
}

static void
ignore(struct channel *c, const struct channel_packet *p, void *arg)
{
	(void)c;
	(void)p;
	(void)arg;
}

static void
on_lost(struct channel *c, void *arg)
{
	(void)c;
	(void)arg;
}

static void
on_token(const struct smtp_status *status, void *arg)
{
	size_t i = (size_t)((struct limit_tokens_waiter *)arg - q.waiters);

	q.calls[i]++;
	q.code[i] = status ? status->code : 0;
}

static void
begin(uint32_t lend)
{
	int ends[2];

	memset(&q, 0, sizeof q);
	q.base = event_base_new();
	q.lend = lend;
	cr_assert_eq(channel_pair(ends), 0);
	q.submission_side = channel_new(q.base, ends[0], ignore, on_lost, NULL);
	q.channel = channel_new(q.base, ends[1], on_request, on_lost, NULL);
	q.tokens = limit_tokens_new(q.base);
	limit_tokens_set_queue(q.tokens, q.submission_side);
	for (size_t i = 0; i < WAITERS; i++) {
		q.waiters[i].fn = on_token;
		q.waiters[i].arg = &q.waiters[i];
	}
}

static void
end(void)
{
	limit_tokens_free(&q.tokens);
	channel_free(&q.submission_side);
	channel_free(&q.channel);
	event_base_free(q.base);
}

static void
run_until(const unsigned *count, unsigned enough)
{
	for (int i = 0; *count < enough; i++) {
		cr_assert_lt(i, 1000);
		event_base_loop(q.base, EVLOOP_ONCE);
	}
}

static void
run_some(void)
{
	for (int i = 0; i < 20; i++)
		event_base_loop(q.base, EVLOOP_NONBLOCK);
}

static const struct str alice = STR("alice@example.com");

Test(tokens, tokens_are_taken_without_a_request_while_there_are_some, .init = map_prepare,
    .timeout = 30)
{
	begin(3);
	cr_assert_not(limit_tokens_take(q.tokens, alice));
	cr_assert(limit_tokens_wait(q.tokens, alice, &q.waiters[0]));
	cr_assert_eq(q.calls[0], 0, "never from inside the call");
	run_until(&q.calls[0], 1);
	cr_assert_eq(q.code[0], 250);
	cr_assert(limit_tokens_take(q.tokens, alice));
	cr_assert(limit_tokens_take(q.tokens, alice));
	cr_assert_not(limit_tokens_take(q.tokens, alice), "three were lent");
	limit_tokens_return(q.tokens, alice, 2);
	cr_assert(limit_tokens_take(q.tokens, alice));
	cr_assert_not(
	    limit_tokens_take(q.tokens, STR("bob@example.com")), "one user's are not another's");
	cr_assert_eq(q.asks, 1);
	end();
}

Test(tokens, all_waiters_are_served_in_turn, .init = map_prepare, .timeout = 30)
{
	begin(1);
	for (size_t i = 0; i < WAITERS; i++)
		cr_assert(limit_tokens_wait(q.tokens, alice, &q.waiters[i]));
	for (size_t i = 0; i < WAITERS; i++)
		run_until(&q.calls[i], 1);
	cr_assert_eq(q.asks, WAITERS, "one was lent each time");
	run_some();
	cr_assert_eq(q.asks, WAITERS, "no waiter is left: nothing is requested");
	end();
}

Test(tokens, a_refusal_reaches_all_waiters, .init = map_prepare, .timeout = 30)
{
	begin(0);
	cr_assert(limit_tokens_wait(q.tokens, alice, &q.waiters[0]));
	cr_assert(limit_tokens_wait(q.tokens, alice, &q.waiters[1]));
	run_until(&q.calls[1], 1);
	cr_assert_eq(q.code[0], 450);
	cr_assert_eq(q.code[1], 450);
	cr_assert_eq(q.asks, 1);
	cr_assert(limit_tokens_wait(q.tokens, alice, &q.waiters[0]), "it may be tried again");
	run_until(&q.calls[0], 2);
	end();
}

Test(tokens, a_cancelled_waiter_is_not_called_and_leaves_the_token, .init = map_prepare,
    .timeout = 30)
{
	begin(1);
	cr_assert(limit_tokens_wait(q.tokens, alice, &q.waiters[0]));
	limit_tokens_cancel(&q.waiters[0]);
	limit_tokens_cancel(&q.waiters[0]);
	run_until(&q.asks, 1);
	run_some();
	cr_assert_eq(q.calls[0], 0);
	cr_assert(limit_tokens_take(q.tokens, alice));
	end();
}

Test(tokens, a_lost_queue_ends_the_wait_and_voids_its_tokens, .init = map_prepare, .timeout = 30)
{
	begin(2);
	cr_assert(limit_tokens_wait(q.tokens, alice, &q.waiters[0]));
	run_until(&q.calls[0], 1);
	q.is_silent = true;
	cr_assert(limit_tokens_wait(q.tokens, STR("bob@example.com"), &q.waiters[1]));
	run_until(&q.asks, 2);
	limit_tokens_set_queue(q.tokens, NULL);
	cr_assert_eq(q.calls[1], 1);
	cr_assert_eq(q.code[1], 0);
	cr_assert_not(limit_tokens_take(q.tokens, alice), "the new queue has not lent any");
	cr_assert_not(limit_tokens_wait(q.tokens, alice, &q.waiters[0]), "there is no queue");
	limit_tokens_return(q.tokens, alice, 1);
	cr_assert_not(limit_tokens_take(q.tokens, alice), "what is returned was the old queue's");
	end();
}

Test(tokens, tokens_that_are_not_taken_are_returned_on_recall, .init = map_prepare, .timeout = 30)
{
	begin(5);
	cr_assert(limit_tokens_wait(q.tokens, alice, &q.waiters[0]));
	run_until(&q.calls[0], 1);
	limit_tokens_recall(q.tokens, alice);
	run_until(&q.returns, 1);
	cr_assert_eq(q.returned.tokens, 4);
	cr_assert_not(q.returned.is_all, "one is in a message");
	cr_assert_not(limit_tokens_take(q.tokens, alice));
	limit_tokens_spend(q.tokens, alice, 1);
	limit_tokens_recall(q.tokens, alice);
	run_until(&q.returns, 2);
	cr_assert(q.returned.is_all);
	limit_tokens_recall(q.tokens, STR("nobody@example.com"));
	end();
}
