#include "queue/admin/admin_filter.h"

#include "ipc/message.h"
#include "support.h"

static const int64_t start_ms = INT64_C(1795000000000);
static const int64_t retry_ms[] = {1000};

struct room {
	struct queued_messages queued;
	struct schedule *schedule;
	struct queued_message *message;
	struct arena arena;
	const char *why;
};

static void
room_open(struct room *r)
{
	struct schedule_limits limits = {10, 10, retry_ms, 1};
	struct envelope_recipient to[2] = {
	    {.address = STR("Bob@Example.net")}, {.address = STR("eve@example.org")}};
	struct envelope e = {.id = {7, 1},
	    .arrival_ms = start_ms,
	    .user = STR("alice@example.com"),
	    .sender = STR("news@example.com"),
	    .recipients = to,
	    .recipient_count = 2};

	arena_init(&r->arena, 1 << 20);
	queued_init(&r->queued);
	r->schedule = schedule_new(&limits);
	r->message = queued_message_new(&r->queued, &e, 432000000, STR("gw.test"));
	queued_add(&r->queued, r->message);
}

static void
room_close(struct room *r)
{
	schedule_free(&r->schedule);
	queued_clear(&r->queued);
	arena_clear(&r->arena);
}

static bool
parse(struct room *r, const char *key, const char *value, struct admin_filter *out)
{
	struct buf values;
	bool ok;

	buf_init(&values, 65536);
	message_values_add(&values, key, str_of(value));
	ok = admin_filter_parse(buf_str(&values), &r->arena, out, &r->why);
	buf_clear(&values);
	return ok;
}

static bool
fits(struct room *r, const char *key, const char *value)
{
	struct admin_filter f;

	cr_assert(parse(r, key, value, &f), "%s=%s: %s", key, value, r->why);
	return admin_filter_fits(&f, r->schedule, r->message, start_ms + 100000);
}

Test(admin_filter, each_condition)
{
	struct room r;
	static const struct {
		const char *key, *value;
		bool fits;
	} cases[] = {{"user", "Alice@example.com", true}, {"user", "bob@example.com", false},
	    {"account", "alice@example.com", true}, {"account", "alice", false},
	    {"from", "news@example.com", true}, {"from", "<>", false},
	    {"to", "bob@example.net", true}, {"to", "eve@example.net", false},
	    {"to", "EXAMPLE.org", true}, {"domain", "example.org", true},
	    {"domain", "example.edu", false}, {"older", "99s", true},
	    {"older", "101s", false}, {"older", "2m", false}, {"older", "1m", true},
	    {"state", "held", false}, {"state", "deferred", true}, {"unknown", "x", true}};

	room_open(&r);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_assert_eq(fits(&r, cases[i].key, cases[i].value), cases[i].fits, "%s=%s",
		    cases[i].key, cases[i].value);
	queued_message_hold(&r.queued, r.message, true);
	cr_assert(fits(&r, "state", "held"));
	room_close(&r);
}

/* Settled recipients do not match any more. */
Test(admin_filter, settled_recipients_do_not_match)
{
	struct room r;

	room_open(&r);
	queued_recipient_set_outcome(&r.queued, r.message, 1, SPOOL_DONE, 0);
	cr_assert_not(fits(&r, "to", "bob@example.net"));
	cr_assert_not(fits(&r, "domain", "example.net"));
	cr_assert(fits(&r, "domain", "example.org"));
	room_close(&r);
}

/* The id of a session, alone or together with ids of messages. */
Test(admin_filter, sessions)
{
	struct room r;
	struct admin_filter f;
	struct buf values;
	char id[ID_NUMBER_TEXT_BYTES];

	room_open(&r);
	cr_assert(parse(&r, "id", msgid_text((struct msgid){7, 0}, 0, id), &f));
	cr_assert(f.has_sessions && admin_filter_fits(&f, r.schedule, r.message, start_ms));
	cr_assert(parse(&r, "id", msgid_text((struct msgid){8, 0}, 0, id), &f));
	cr_assert_not(admin_filter_fits(&f, r.schedule, r.message, start_ms));
	cr_assert(parse(&r, "id", msgid_text((struct msgid){7, 1}, 0, id), &f));
	cr_assert_not(f.has_sessions);
	buf_init(&values, 1024);
	message_values_add(&values, "id", str_of(msgid_text((struct msgid){8, 0}, 0, id)));
	message_values_add(&values, "id", str_of(msgid_text((struct msgid){7, 2}, 0, id)));
	cr_assert(admin_filter_parse(buf_str(&values), &r.arena, &f, &r.why));
	cr_assert_not(admin_filter_fits(&f, r.schedule, r.message, start_ms));
	buf_clear(&values);
	room_close(&r);
}

Test(admin_filter, states_follow_the_schedule)
{
	struct room r;
	struct sched_delivery *p;

	room_open(&r);
	p = &r.message->deliveries[0].sched;
	p->due_ms = start_ms + 200000;
	schedule_add(r.schedule, p, STR("example.net"), start_ms);
	cr_assert_str_eq(admin_filter_state(r.schedule, r.message, start_ms), "deferred");
	cr_assert_str_eq(admin_filter_state(r.schedule, r.message, start_ms + 200000), "active");
	schedule_remove(r.schedule, p);
	room_close(&r);
}

Test(admin_filter, what_is_refused)
{
	struct room r;
	struct admin_filter f;
	static const char *const bad[][2] = {{"older", "soon"}, {"older", ""}, {"older", "-1"},
	    {"older", "10"}, {"older", "1y"}, {"older", "99999999999"}, {"state", "asleep"},
	    {"state", ""}, {"id", "nonsense"}, {"id", ""}};

	room_open(&r);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		r.why = NULL;
		cr_assert_not(parse(&r, bad[i][0], bad[i][1], &f), "%s=%s", bad[i][0], bad[i][1]);
		cr_assert(r.why && *r.why);
	}
	cr_assert(parse(&r, "id", "1R8K3M7Q4TB2-1", &f));
	cr_assert_eq(f.id_count, 1);
	room_close(&r);
}

/* A condition without a value comes from a script whose variable was not set; it does not mean "all
 * messages". */
Test(admin_filter, an_empty_value_is_an_error)
{
	static const char *const keys[] = {
	    "user", "account", "from", "to", "domain", "state", "older", "id"};
	struct admin_filter f;
	struct room r;

	room_open(&r);
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		cr_expect_not(parse(&r, keys[i], "", &f), "%s", keys[i]);
	cr_expect(parse(&r, "reason", "", &f));
	room_close(&r);
}

Test(admin_filter, a_user_without_a_domain)
{
	struct admin_filter f;
	struct room r;

	room_open(&r);
	cr_assert(parse(&r, "user", "alice", &f));
	cr_expect_not(admin_filter_fits(&f, r.schedule, r.message, start_ms));
	f.other_user = STR("alice@example.com");
	cr_expect(admin_filter_fits(&f, r.schedule, r.message, start_ms));
	room_close(&r);
}
