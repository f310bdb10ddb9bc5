/* Changes of thousands of messages by one command: stored in batches, and what was answered is
 * durable, whatever fails or ends meanwhile. */
#include "rig.h"

enum { MESSAGES = 5000, AT_ONCE = 200 };

static const char *const to_two[] = {"bob@example.net", "eva@example.net", NULL};
static const char alice[] = "alice@example.com", bob[] = "bob@example.com";

static void
begin_with_many(struct rig *r)
{
	rig_begin(r, rig_slow);
	r->limits = "1000000 recipients / 1h";
	rig_reload(r, rig_slow);
	for (unsigned i = 1; i <= MESSAGES; i++) {
		rig_commit_soon(r, rig_id(i), alice, to_two);
		if (i % AT_ONCE == 0)
			rig_until(r, &r->answers_ok, i);
	}
	cr_assert_eq(r->answers_ok, MESSAGES);
}

static unsigned
status_number(struct rig *r, const char *key)
{
	uint64_t n;

	rig_admin(r, "queue.status", rig_nothing);
	cr_assert(str_u64(rig_row(r, 0, key), &n));
	return (unsigned)n;
}

static unsigned
count_state(struct rig *r, const char *state)
{
	rig_admin(r, "queue.list", WITH("state", state));
	return r->row_count;
}

/* The changed and the failed messages of the last answer. */
static void
take_total(const struct rig *r, uint64_t *changed, uint64_t *failed)
{
	struct str total = str_make(r->total, r->total_bytes);

	cr_assert(str_u64(message_values_get(total, "changed"), changed));
	cr_assert(str_u64(message_values_get(total, "failed"), failed));
}

/* A reason so long that the holds of a batch do not fit in one frame, and a write that fails: some
 * messages are held, the others are counted as failed, and a start finds it so. */
Test(admin_batches, of_a_write_that_fails_only_its_messages_fail, .timeout = 300)
{
	static struct rig r;
	static char reason[500];
	uint64_t changed, failed, rest;

	memset(reason, 'x', sizeof reason - 1);
	memcpy(reason, "no room ", 8);
	begin_with_many(&r);
	strcpy(r.disk->unwritable, "operator: no room");
	r.disk->failing_writes = 1;
	rig_admin(&r, "queue.hold", WITH("account", alice, "reason", reason));
	take_total(&r, &changed, &failed);
	cr_expect_eq(r.done.exit_code, 74, "%s", r.done_text);
	cr_expect_eq(changed + failed, MESSAGES);
	cr_expect_gt(changed, 0);
	cr_expect_gt(failed, 0);
	cr_expect_eq(r.row_count, changed);
	cr_expect_eq(count_state(&r, "held"), changed);
	rig_kill(&r);
	rig_start(&r);
	cr_expect_eq(count_state(&r, "held"), changed);
	rig_admin(&r, "queue.hold", WITH("account", alice, "reason", reason));
	take_total(&r, &rest, &failed);
	cr_expect_eq(rest, MESSAGES - changed);
	cr_expect_eq(failed, 0);
	rig_end(&r);
}

/* The disk writes nothing any more when the first ids have come, then the queue is killed. */
Test(admin_batches, after_a_kill_what_was_answered_is_deleted_and_no_message_in_part, .timeout = 300)
{
	static struct rig r;
	struct msgid ids[RIG_ROWS_MAX];
	unsigned answered, messages, recipients;
	uint32_t recipient;
	char text[ID_NUMBER_TEXT_BYTES];

	begin_with_many(&r);
	strcpy(r.disk->unwritten, "marked@example.net");
	rig_admin_soon(&r, "queue.delete", WITH("from", alice));
	rig_until(&r, &r.row_count, RIG_ROWS_MAX);
	rig_commit_soon(&r, rig_id(MESSAGES + 1), bob, TO("marked@example.net"));
	rig_wait(&r, 20);
	answered = r.row_count;
	for (unsigned i = 0; i < RIG_ROWS_MAX; i++)
		cr_assert(msgid_parse(rig_row(&r, i, "id"), &ids[i], &recipient));
	rig_kill(&r);
	memset(r.disk->unwritten, 0, sizeof r.disk->unwritten);
	rig_start(&r);
	messages = status_number(&r, "messages");
	cr_expect_leq(messages, MESSAGES + 1 - answered);
	rig_admin(&r, "queue.list", WITH("from", alice));
	messages = r.row_count;
	for (unsigned i = 0; i < messages && i < RIG_ROWS_MAX; i++)
		cr_expect(str_eq(rig_row(&r, i, "recipients"), STR("2")));
	rig_admin(&r, "queue.list", WITH("from", bob));
	cr_expect_leq(r.row_count, 1);
	recipients = 2 * messages + r.row_count;
	cr_expect_eq(status_number(&r, "recipients"), recipients);
	for (unsigned i = 0; i < RIG_ROWS_MAX; i++) {
		rig_admin(&r, "queue.show", WITH("id", msgid_text(ids[i], 0, text)));
		cr_expect_eq(r.done.exit_code, 67);
	}
	rig_admin(&r, "queue.delete", WITH("from", alice));
	cr_expect_eq(r.row_count, messages);
	rig_end(&r);
}

/* Mail of another sender is accepted meanwhile, and stays. */
Test(admin_batches, mail_flows_while_thousands_are_deleted, .timeout = 300)
{
	static struct rig r;
	unsigned commits = 0;

	begin_with_many(&r);
	rig_admin_soon(&r, "queue.delete", WITH("from", alice));
	while (r.dones == 0)
		cr_assert_eq(
		    rig_commit(&r, rig_id(MESSAGES + ++commits), bob, to_two).code, 250);
	cr_expect_eq(r.row_count, MESSAGES);
	cr_expect_str_eq(r.done_text, "5000 messages changed\n");
	cr_expect_geq(commits, 2, "%u", commits);
	cr_expect_eq(status_number(&r, "messages"), commits);
	rig_end(&r);
}
