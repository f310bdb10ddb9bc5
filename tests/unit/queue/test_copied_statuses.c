/* What compaction writes again of messages whose statuses only the queue has. */
#include "rig.h"

enum {
	MESSAGES = 3,
	RECIPIENTS = 4,
	ROUNDS = 3,
	COPIES = 2, /* of each message, in each round */
	BODY_BYTES = 200000,
	CHURN_MAX = 400,
	SMALL_DISK = 64 << 20, /* small segments */
};

/* The rows of the recipients, which name state, attempts, times, reply and host. */
struct shown {
	char rows[MESSAGES][RECIPIENTS][4096];
	size_t bytes[MESSAGES][RECIPIENTS];
};

static char body[BODY_BYTES];

static void
begin(struct rig *r)
{
	memset(body, 'x', sizeof body);
	rig_begin(r, rig_slow);
	r->notify = NOTIFY_NEVER;
	rig_kill(r);
	r->disk->total_bytes = SMALL_DISK;
	strcpy(r->disk->watched, "kept@");
	rig_start(r);
	rig_relay(r, true);
}

static void
show(struct rig *r, struct shown *out)
{
	char id[ID_NUMBER_TEXT_BYTES];

	memset(out, 0, sizeof *out);
	for (unsigned m = 0; m < MESSAGES; m++) {
		rig_admin(r, "queue.show", WITH("id", msgid_text(rig_id(m + 1), 0, id)));
		cr_assert_eq(r->row_count, RECIPIENTS + 2, "message %u is queued", m + 1);
		for (unsigned n = 0; n < RECIPIENTS; n++) {
			out->bytes[m][n] = r->row_bytes[n + 1];
			memcpy(out->rows[m][n], r->rows[n + 1], r->row_bytes[n + 1]);
		}
	}
}

static void
check_shown(struct rig *r, const struct shown *expected)
{
	static struct shown now;

	show(r, &now);
	for (unsigned m = 0; m < MESSAGES; m++)
		for (unsigned n = 0; n < RECIPIENTS; n++)
			cr_assert(now.bytes[m][n] == expected->bytes[m][n] &&
			        memcmp(now.rows[m][n], expected->rows[m][n], now.bytes[m][n]) == 0,
			    "message %u, recipient %u is not shown as before", m + 1, n + 1);
}

static void
check_value(const struct shown *s, unsigned message, unsigned recipient, const char *key,
    const char *value)
{
	struct str row =
	    str_make(s->rows[message - 1][recipient - 1], s->bytes[message - 1][recipient - 1]);

	cr_assert(str_eq(message_values_get(row, key), str_of(value)), "%u.%u: %s is %.*s", message,
	    recipient, key, STR_ARG(message_values_get(row, key)));
}

static void
retry(struct rig *r, unsigned message)
{
	char id[ID_NUMBER_TEXT_BYTES];

	rig_admin(r, "queue.retry", WITH("id", msgid_text(rig_id(message), 0, id)));
}

/* Sent at once, sent and failed at the second attempt, deferred twice. */
static void
make_partly_delivered(struct rig *r)
{
	const struct rig_attempt *attempt;

	cr_assert_eq(rig_commit(r, rig_id(1), "alice@example.com",
	                 TO("kept@one.test", "b@one.test", "c@one.test", "d@one.test"))
	                 .code,
	    250);
	attempt = rig_attempt(r, 0);
	rig_result(r, attempt, 0, 250, "none");
	for (unsigned n = 1; n < RECIPIENTS; n++)
		rig_result(r, attempt, n, 451, "greylisted");
	rig_until(r, &r->stored, 4);
	retry(r, 1);
	attempt = rig_attempt(r, 1);
	cr_assert_eq(attempt->count, 3);
	rig_result(r, attempt, 0, 250, "none");
	rig_result(r, attempt, 1, 550, "mailbox");
	rig_result(r, attempt, 2, 452, "full");
	rig_until(r, &r->stored, 7);
}

/* All of one domain deferred; one of another domain failed. */
static void
make_deferred(struct rig *r)
{
	cr_assert_eq(rig_commit(r, rig_id(2), "alice@example.com",
	                 TO("kept@two.test", "b@two.test", "c@two.test", "d@three.test"))
	                 .code,
	    250);
	rig_attempt(r, 3);
	for (unsigned i = 2; i < 4; i++)
		rig_results(r, &r->attempts[i], r->attempts[i].count == 3 ? 450 : 554, "policy");
	rig_until(r, &r->stored, 11);
}

/* Deferred once, or sent, and then held with a reason. */
static void
make_held(struct rig *r)
{
	const struct rig_attempt *attempt;
	char id[ID_NUMBER_TEXT_BYTES];

	cr_assert_eq(rig_commit(r, rig_id(3), "alice@example.com",
	                 TO("kept@four.test", "b@four.test", "c@four.test", "d@four.test"))
	                 .code,
	    250);
	attempt = rig_attempt(r, 4);
	rig_result(r, attempt, 0, 250, "none");
	for (unsigned n = 1; n < RECIPIENTS; n++)
		rig_result(r, attempt, n, 421, "busy");
	rig_until(r, &r->stored, 15);
	rig_admin(r, "queue.hold",
	    WITH("id", msgid_text(rig_id(3), 0, id), "reason", "inspected by hand"));
}

/* Commits a message with a large body, which is delivered at once. */
static void
pass_large_message(struct rig *r, uint64_t number)
{
	struct envelope_recipient to = {
	    .address = STR("x@churn.test"), .notify = NOTIFY_NEVER};
	struct message_commit m = {.header = STR("From: alice@example.com\r\n")};
	struct envelope e = {.id = rig_id(number), .user = STR("alice@example.com"),
	    .sender = STR("alice@example.com"), .recipients = &to, .recipient_count = 1};
	unsigned before = r->attempt_count;
	struct buf envelope;

	m.body = str_make(body, sizeof body);
	e.arrival_ms = (int64_t)id_ms(e.id.session);
	e.header_bytes = (uint32_t)m.header.n;
	e.body_bytes = sizeof body;
	buf_init(&envelope, ENVELOPE_BYTES_MAX);
	cr_assert(envelope_encode(&e, &envelope));
	m.envelope = buf_str(&envelope);
	cr_assert_eq(rig_ask_commit(r, &m).code, 250);
	buf_clear(&envelope);
	rig_results(r, rig_attempt(r, before), 250, "none");
}

/* Until each message was copied so often.  A write may contain several of them. */
static void
compact(struct rig *r, unsigned round)
{
	unsigned until = r->disk->watched_writes + COPIES * MESSAGES, n = 0;

	for (; r->disk->watched_writes < until && n < CHURN_MAX; n++)
		pass_large_message(r, 1000 * (round + 1) + n);
	cr_assert_geq(r->disk->watched_writes, until, "copied by compaction");
}

Test(copied_statuses, survive_compactions_and_kills, .timeout = 300)
{
	static struct rig r;
	static struct shown before;

	begin(&r);
	make_partly_delivered(&r);
	make_deferred(&r);
	make_held(&r);
	show(&r, &before);
	check_value(&before, 1, 1, "tries", "1");
	check_value(&before, 1, 2, "state", "sent");
	check_value(&before, 1, 3, "state", "failed");
	check_value(&before, 1, 4, "tries", "2");
	check_value(&before, 2, 1, "state", "deferred");
	check_value(&before, 2, 4, "state", "failed");
	check_value(&before, 3, 1, "state", "sent");
	check_value(&before, 3, 2, "reason", "operator: inspected by hand");
	for (unsigned round = 0; round < ROUNDS; round++) {
		compact(&r, round);
		check_shown(&r, &before);
		rig_kill(&r);
		rig_start(&r);
		check_shown(&r, &before);
		rig_relay(&r, true);
	}
	rig_end(&r);
}
