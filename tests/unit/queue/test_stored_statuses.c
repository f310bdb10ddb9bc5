/* What the queue says to the spool of each recipient, when a message is written again. */
#include "queue/stored_statuses.h"

#include "spool/spool_statuses.h"
#include "support.h"

static const int64_t start_ms = INT64_C(1795000000000);

static struct queued_message *
add_message(struct queue *q)
{
	struct envelope_recipient to[5] = {{.address = STR("a@one.test")},
	    {.address = STR("b@one.test")}, {.address = STR("c@two.test")},
	    {.address = STR("d@two.test")}, {.address = STR("e@three.test")}};
	struct envelope e = {.id = {7, 1}, .arrival_ms = start_ms,
	    .user = STR("alice@example.com"), .sender = STR("news@example.com"),
	    .recipients = to, .recipient_count = 5};
	struct queued_message *message;

	queued_init(&q->queued);
	message = queued_message_new(&q->queued, &e, 432000000, STR("gw.test"));
	queued_add(&q->queued, message);
	return message;
}

static void
get_statuses(const struct queue *q, struct spool_recipient out[5])
{
	for (uint32_t n = 0; n < 5; n++)
		out[n] = (struct spool_recipient){.number = n + 1};
	cr_assert(queued_statuses((struct msgid){7, 1}, out, 5, (void *)(uintptr_t)q));
}

Test(stored_statuses, of_each_recipient)
{
	struct queue q = {.is_saved = false};
	struct queued_message *e = add_message(&q);
	struct spool_recipient r[5];

	e->deliveries[0].sched.tries = 9;
	queued_recipient_set_attempts(queued_message_recipient(e, 1), 3);
	queued_recipient_set_attempts(queued_message_recipient(e, 3), 2);
	queued_recipient_set_attempts(queued_message_recipient(e, 4), UINT32_MAX);
	e->deliveries[0].sched.due_ms = start_ms + 5000;
	queued_recipient_set_outcome(&q.queued, e, 1, SPOOL_DEFERRED, MARK_WARNED);
	queued_recipient_set_detail(queued_message_recipient(e, 1), STR("a reply"));
	queued_recipient_set_outcome(&q.queued, e, 3, SPOOL_DONE, MARK_FINAL);
	queued_recipient_owe_report(e, 4, SPOOL_FAILED, MARK_EXPIRED);
	get_statuses(&q, r);
	cr_assert_eq(r[0].outcome, SPOOL_DEFERRED);
	cr_assert_eq(r[0].attempts, 3, "its own, as it was stored");
	cr_assert_eq(r[0].next_ms, start_ms + 5000);
	cr_assert_eq(r[0].marks, MARK_WARNED);
	cr_assert(str_eq(r[0].detail, STR("a reply")));
	cr_assert_not(r[0].is_settled);
	cr_assert(spool_statuses_is_initial(&r[1]), "it was not tried with the first one");
	cr_assert_eq(r[2].attempts, 2);
	cr_assert_eq(r[3].attempts, QUEUED_ATTEMPTS_MAX);
	cr_assert(r[2].outcome == SPOOL_DONE && r[2].is_settled && r[2].marks == MARK_FINAL);
	cr_assert(r[3].outcome == SPOOL_FAILED && !r[3].is_settled, "a report is owed");
	cr_assert_eq(r[3].marks, MARK_EXPIRED);
	cr_assert(spool_statuses_is_initial(&r[4]));
	cr_assert_not(queued_statuses((struct msgid){7, 1}, r, 4, &q), "not this message");
	cr_assert_not(queued_statuses((struct msgid){7, 2}, r, 5, &q));
	queued_clear(&q.queued);
}

/* It has ended, and one of its statuses is not stored yet: a copy must not bring back what was
 * delivered. */
Test(stored_statuses, of_a_message_that_has_ended)
{
	struct queue q = {.is_saved = false};
	struct queued_message *e = add_message(&q);
	struct spool_recipient r[5];

	for (uint32_t n = 1; n <= 5; n++)
		queued_recipient_set_outcome(&q.queued, e, n, SPOOL_DONE, 0);
	e->unstored = 2;
	queued_remove(&q.queued, &e);
	cr_assert_null(e);
	cr_assert_null(queued_find(&q.queued, (struct msgid){7, 1}), "it is not queued");
	cr_assert_eq(q.queued.bytes, 0);
	get_statuses(&q, r);
	for (uint32_t n = 0; n < 5; n++)
		cr_assert(r[n].outcome == SPOOL_DONE && r[n].is_settled);
	queued_message_stored(&q.queued, (struct msgid){7, 1});
	get_statuses(&q, r);
	queued_message_stored(&q.queued, (struct msgid){7, 1});
	cr_assert_not(queued_statuses((struct msgid){7, 1}, r, 5, &q), "it is freed");
	cr_assert_eq(map_count(q.queued.senders), 0);
	queued_clear(&q.queued);
}
