#include "queue/queued.h"

#include "base/mem.h"
#include "support.h"

static const int64_t start_ms = INT64_C(1795000000000);

static struct queued_message *
make(struct queued_messages *b, uint64_t number, int64_t arrival_ms, const char *const *to)
{
	struct envelope_recipient recipients[8] = {0};
	struct envelope e = {.id = {number, 1},
	    .arrival_ms = arrival_ms,
	    .user = STR("alice@example.com"),
	    .sender = STR("news@example.com"),
	    .header_bytes = 10,
	    .body_bytes = 90,
	    .recipients = recipients};

	for (; to[e.recipient_count]; e.recipient_count++)
		recipients[e.recipient_count].address = str_of(to[e.recipient_count]);
	return queued_message_new(b, &e, 1000, STR("gw.test"));
}

#define TO(...) ((const char *const[]){__VA_ARGS__, NULL})

Test(queued, a_message_has_one_delivery_for_each_domain)
{
	struct queued_messages b;
	struct queued_message *e;

	queued_init(&b);
	e = make(&b, 1, start_ms, TO("a@One.test", "b@two.test", "c@one.TEST", "postmaster"));
	cr_assert_eq(e->delivery_count, 3);
	cr_assert(str_eq(delivery_domain(&e->deliveries[0]), STR("one.test")));
	cr_assert(str_eq(delivery_domain(&e->deliveries[2]), STR("gw.test")));
	cr_assert_eq(e->deliveries[0].open, 2);
	cr_assert(str_eq(queued_message_address(e, 1), STR("a@One.test")), "as it was given");
	cr_assert(str_eq(queued_message_sender(e), STR("news@example.com")));
	cr_assert_eq(queued_message_expires_ms(e), start_ms + 1000);
	cr_assert_null(queued_message_recipient(e, 0));
	cr_assert_null(queued_message_recipient(e, 5));
	queued_message_free(&b, &e);
	cr_assert_null(e);
	cr_assert_eq(map_count(b.users), 0);
	cr_assert_eq(map_count(b.senders), 0);
	queued_clear(&b);
}

Test(queued, what_an_attempt_needs_is_freed_with_it)
{
	struct dispatch_attempt *attempt = (struct dispatch_attempt *)(uintptr_t)&start_ms;
	struct delivery delivery = {.place = 0};

	delivery_set_attempt(&delivery, attempt);
	delivery_set_unanswered(&delivery, start_ms);
	cr_assert_eq(delivery_attempt(&delivery), attempt);
	delivery_set_attempt(&delivery, NULL);
	cr_assert_eq(delivery_unanswered_ms(&delivery), start_ms);
	delivery_set_unanswered(&delivery, 0);
	cr_assert_null(delivery.run, "nothing is left of it");
}

/* A domain that does not stand as it is in an address is stored behind the addresses. */
Test(queued, domains_and_the_limit_of_the_sender_stand_behind_the_addresses)
{
	struct envelope_recipient to[4] = {{.address = STR("a@ONE.test")},
	    {.address = STR("postmaster")}, {.address = STR("c@two.test")},
	    {.address = STR("d@Three.test"), .notify = 3}};
	struct envelope e = {.id = {1, 1}, .arrival_ms = start_ms,
	    .deliver_by_ms = start_ms + 500, .recipients = to, .recipient_count = 4}, again;
	struct queued_messages b;
	struct queued_message *m;
	struct arena arena;

	queued_init(&b);
	m = queued_message_new(&b, &e, 1000, STR("gw.test"));
	cr_assert_eq(m->delivery_count, 4);
	cr_assert(str_eq(delivery_domain(&m->deliveries[0]), STR("one.test")));
	cr_assert(str_eq(delivery_domain(&m->deliveries[1]), STR("gw.test")));
	cr_assert(str_eq(delivery_domain(&m->deliveries[2]), STR("two.test")));
	cr_assert(str_eq(delivery_domain(&m->deliveries[3]), STR("three.test")));
	cr_assert(str_eq(queued_message_address(m, 4), STR("d@Three.test")));
	cr_assert_eq(delivery_message(&m->deliveries[3]), m);
	cr_assert_eq(queued_message_expires_ms(m), start_ms + 500);
	queued_message_set_lifetime(m, 200);
	cr_assert_eq(queued_message_expires_ms(m), start_ms + 200);
	arena_init(&arena, 1 << 20);
	queued_message_envelope(m, &arena, &again);
	cr_assert_eq(again.deliver_by_ms, start_ms + 500);
	cr_assert_eq(again.sender.n, 0);
	cr_assert(str_eq(again.recipients[3].address, STR("d@Three.test")));
	cr_assert_eq(again.recipients[3].notify, 3);
	arena_clear(&arena);
	queued_message_free(&b, &m);
	queued_clear(&b);
}

/* Two messages of a user with one sender share both. */
Test(queued, senders_are_stored_once)
{
	struct queued_messages b;
	struct queued_message *e[2];

	queued_init(&b);
	for (uint64_t i = 0; i < 2; i++)
		e[i] = make(&b, i, start_ms, TO("a@one.test"));
	cr_assert_eq(e[0]->sender, e[1]->sender);
	cr_assert(str_eq(queued_message_user(e[0]), STR("alice@example.com")));
	queued_message_free(&b, &e[0]);
	cr_assert(str_eq(queued_message_sender(e[1]), STR("news@example.com")));
	queued_message_free(&b, &e[1]);
	cr_assert_eq(map_count(b.senders), 0);
	queued_clear(&b);
}

Test(queued, counts)
{
	struct queued_messages b;
	struct queued_message *e[3];

	queued_init(&b);
	cr_assert_eq(queued_oldest_ms(&b), INT64_MAX);
	for (uint64_t i = 0; i < 3; i++) {
		int64_t arrival_ms = start_ms + (int64_t)(i == 0 ? 50 : i);

		e[i] = make(&b, i, arrival_ms, TO("a@one.test", "b@two.test"));
		queued_add(&b, e[i]);
	}
	cr_assert_eq(b.bytes, 300);
	cr_assert_eq(b.recipients, 6);
	cr_assert_eq(queued_oldest_ms(&b), start_ms + 1, "not the first one that was added");
	queued_message_hold(&b, e[1], true);
	queued_message_hold(&b, e[1], true);
	queued_message_hold(&b, e[2], true);
	cr_assert_eq(b.held, 2);
	queued_message_hold(&b, e[2], false);
	cr_assert_eq(b.held, 1);
	cr_assert_eq(queued_find(&b, e[1]->id), e[1]);
	queued_remove(&b, &e[1]);
	cr_assert_eq(b.held, 0);
	cr_assert_eq(b.recipients, 4);
	cr_assert_eq(queued_oldest_ms(&b), start_ms + 2);
	cr_assert_null(queued_find(&b, (struct msgid){1, 1}));
	queued_clear(&b);
}

/* Held before it is added, as after a start. */
Test(queued, held_at_the_start)
{
	struct queued_messages b;
	struct queued_message *e;

	queued_init(&b);
	e = make(&b, 1, start_ms, TO("a@one.test"));
	queued_message_hold(&b, e, true);
	cr_assert_eq(b.held, 0);
	queued_add(&b, e);
	cr_assert_eq(b.held, 1);
	queued_clear(&b);
}

Test(queued, recipients_are_settled)
{
	struct queued_messages b;
	struct queued_message *e;
	struct queued_ends ends;

	queued_init(&b);
	e = make(&b, 1, start_ms, TO("a@one.test", "b@one.test", "c@one.test", "d@two.test"));
	queued_add(&b, e);
	queued_recipient_set_outcome(&b, e, 1, SPOOL_DEFERRED, 0);
	cr_assert_eq(e->open, 4);
	queued_recipient_set_outcome(&b, e, 1, SPOOL_DONE, 0);
	queued_recipient_owe_report(e, 2, SPOOL_FAILED, MARK_EXPIRED);
	queued_recipient_set_outcome(&b, e, 2, SPOOL_FAILED, MARK_EXPIRED);
	queued_recipient_set_outcome(&b, e, 3, SPOOL_FAILED, MARK_DELETED);
	queued_recipient_set_outcome(&b, e, 4, SPOOL_FAILED, 0);
	cr_assert_eq(e->open, 0);
	cr_assert_eq(b.recipients, 0);
	cr_assert_eq(e->deliveries[0].open, 0);
	ends = queued_message_ends(e);
	cr_assert_eq(ends.sent, 1);
	cr_assert_eq(ends.expired, 1);
	cr_assert_eq(ends.deleted, 1);
	cr_assert_eq(ends.failed, 1);
	queued_clear(&b);
}
