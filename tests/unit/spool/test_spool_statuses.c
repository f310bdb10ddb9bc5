/* Who keeps the statuses of recipients: the owner, once it has the messages, or else the spool. */
#include <criterion/criterion.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "rig.h"
#include "spool/spool_internal.h"

static const struct spool_options with_owner_options = {.segment_bytes = SPOOL_SEGMENT_MIN};

static unsigned questions;
static bool is_forgetful; /* the owner does not know message 1 */

static void
watch_nothing(struct fsio_ops *ops)
{
	(void)ops;
}

/* It says more than is stored: 7 attempts. */
static bool
owner_says(struct msgid id, struct spool_recipient *out, uint32_t count, void *arg)
{
	cr_assert_eq(arg, &questions);
	if (!msgid_eq(id, rig_id(1)))
		return true;
	questions++;
	if (is_forgetful)
		return false;
	cr_assert_eq(count, 3);
	for (uint32_t n = 0; n < count; n++) {
		cr_assert_eq(out[n].number, n + 1);
		cr_assert(spool_statuses_is_initial(&out[n]));
	}
	out[0].outcome = SPOOL_DONE;
	out[1] = (struct spool_recipient){.number = 2, .outcome = SPOOL_DEFERRED, .attempts = 7,
	    .next_ms = 12345, .marks = 5, .detail = STR("the newest reply")};
	return true;
}

static void
begin(bool has_owner)
{
	struct spool_options o = with_owner_options;

	o.statuses = has_owner ? owner_says : NULL;
	o.statuses_arg = &questions;
	rig_begin(&o, watch_nothing);
}

/* Recipient 1 is settled, 2 was deferred once, 3 is in the initial state. */
static void
store_with_statuses(void)
{
	struct spool_entry e[3] = {rig_message(1), {.kind = SPOOL_STATUS, .id = rig_id(1)},
	    {.kind = SPOOL_STATUS, .id = rig_id(1)}};

	e[0].message.recipient_count = 3;
	e[1].status =
	    (struct spool_recipient){.number = 1, .outcome = SPOOL_DONE, .is_settled = true};
	e[2].status = (struct spool_recipient){
	    .number = 2, .outcome = SPOOL_DEFERRED, .attempts = 1, .detail = STR("the first")};
	rig_append(e, 3);
}

/* Until the message has a record in another segment. */
static void
compact(void)
{
	const struct segment *first = index_find(&rig.spool->index, rig_id(1))->segment;

	for (uint32_t n = 1; n < 50; n++) {
		rig_churn(n * 1000, 50);
		if (index_find(&rig.spool->index, rig_id(1))->segment != first)
			return;
	}
	cr_assert_fail("the message was not copied");
}

Test(spool_statuses, the_owner_is_asked_for_a_copy)
{
	struct spool_message m;

	begin(true);
	store_with_statuses();
	cr_assert(spool_find(rig.spool, rig_id(1), &m));
	cr_assert_null(m.recipients, "the owner has them");
	compact();
	cr_assert_gt(questions, 0);
	rig.options.statuses = NULL;
	rig_open_again();
	cr_assert(spool_find(rig.spool, rig_id(1), &m));
	cr_assert_not_null(m.recipients);
	cr_assert(m.recipients[0].is_settled, "what is settled stays settled");
	cr_assert_eq(m.recipients[0].outcome, SPOOL_DONE);
	cr_assert_eq(m.recipients[1].attempts, 7);
	cr_assert_eq(m.recipients[1].next_ms, 12345);
	cr_assert_eq(m.recipients[1].marks, 5);
	cr_assert(str_eq(m.recipients[1].detail, STR("the newest reply")));
	cr_assert(spool_statuses_is_initial(&m.recipients[2]));
	rig_end();
}

static unsigned
count_lines(int log, const char *words)
{
	static char text[1 << 20];
	ssize_t n = pread(log, text, sizeof text - 1, 0);
	unsigned count = 0;

	text[n > 0 ? n : 0] = 0;
	for (const char *at = text; (at = strstr(at, words)); at++)
		count++;
	return count;
}

/* It stays in its segment, as it is stored, and one line says so; the rest goes on.  When the owner
 * knows it again, it is copied. */
Test(spool_statuses, a_message_that_the_owner_does_not_know_is_kept)
{
	int log = memfd_create("log", MFD_CLOEXEC);
	struct segment *first;
	struct spool_message m;

	log_open(dup(log), LOG_TO_FILE);
	is_forgetful = true;
	begin(true);
	store_with_statuses();
	rig_store(2);
	first = index_find(&rig.spool->index, rig_id(1))->segment;
	for (uint32_t n = 1; n < 10; n++) {
		rig_churn(n * 1000, 50);
		first->retry_ms = first->retry_ms ? 1 : 0; /* the time to ask again has come */
	}
	cr_assert_gt(questions, 2);
	cr_assert_eq(index_find(&rig.spool->index, rig_id(1))->segment, first);
	cr_assert_neq(index_find(&rig.spool->index, rig_id(2))->segment, first, "it is copied");
	cr_assert_eq(count_lines(log, "but the queue does not know it"), 1);
	is_forgetful = false;
	first->retry_ms = 1;
	compact();
	is_forgetful = true;
	rig.options.statuses = NULL;
	rig_open_again();
	cr_assert(spool_find(rig.spool, rig_id(1), &m));
	cr_assert(m.recipients[0].is_settled);
	cr_assert_eq(m.recipients[1].attempts, 7);
	rig_end();
	log_open(2, LOG_TO_STDERR);
	close(log);
}

/* Nor is it lost when the process ends before. */
Test(spool_statuses, a_message_that_the_owner_does_not_know_is_there_at_the_next_start)
{
	struct spool_message m;

	is_forgetful = true;
	begin(true);
	store_with_statuses();
	rig_churn(1000, 200);
	cr_assert_gt(questions, 0);
	rig.options.statuses = NULL;
	rig_open_again();
	cr_assert(spool_find(rig.spool, rig_id(1), &m));
	cr_assert(m.recipients[0].is_settled);
	cr_assert_eq(m.recipients[1].attempts, 1, "as it was stored");
	rig_end();
}

Test(spool_statuses, without_an_owner_the_spool_keeps_them)
{
	struct spool_message m;

	begin(false);
	store_with_statuses();
	compact();
	rig_open_again();
	cr_assert(spool_find(rig.spool, rig_id(1), &m));
	cr_assert(m.recipients[0].is_settled);
	cr_assert_eq(m.recipients[1].attempts, 1);
	cr_assert(str_eq(m.recipients[1].detail, STR("the first")));
	cr_assert_eq(questions, 0);
	rig_end();
}

/* The owner did not take it at the start (here nobody was there to take it): the spool goes on to
 * keep its statuses, and what becomes durable later. */
Test(spool_statuses, what_the_owner_did_not_take_stays_with_the_spool)
{
	struct spool_entry e = {.kind = SPOOL_STATUS, .id = rig_id(1)};
	struct spool_message m;

	begin(true);
	store_with_statuses();
	rig_open_again();
	e.status = (struct spool_recipient){
	    .number = 2, .outcome = SPOOL_DEFERRED, .attempts = 2, .detail = STR("the second")};
	rig_append(&e, 1);
	compact();
	cr_assert_eq(questions, 0);
	cr_assert(spool_find(rig.spool, rig_id(1), &m));
	cr_assert_eq(m.recipients[1].attempts, 2);
	rig_open_again();
	cr_assert(spool_find(rig.spool, rig_id(1), &m));
	cr_assert(m.recipients[0].is_settled);
	cr_assert_eq(m.recipients[1].attempts, 2);
	cr_assert(str_eq(m.recipients[1].detail, STR("the second")));
	rig_end();
}

/* Of 1,000 recipients, more than one word of bits. */
Test(spool_statuses, settled_recipients_are_remembered_one_by_one)
{
	struct slab slab;
	struct stored_message *i;

	slab_init(&slab, sizeof *i);
	i = stored_message_new(&slab, rig_id(1), 1000);
	for (uint32_t n = 1; n <= 1000; n += 7) {
		stored_message_settle(i, n);
		stored_message_settle(i, n);
	}
	stored_message_settle(i, 0);
	stored_message_settle(i, 1001);
	cr_assert_eq(i->settled_count, 143);
	for (uint32_t n = 1; n <= 1000; n++)
		cr_assert_eq(stored_message_has_settled(i, n), n % 7 == 1);
	cr_assert_not(stored_message_is_settled(i));
	stored_message_free(&i);
	i = stored_message_new(&slab, rig_id(2), 1);
	cr_assert_not(stored_message_has_settled(i, 1));
	stored_message_settle(i, 1);
	stored_message_settle(i, 1);
	cr_assert(stored_message_is_settled(i));
	cr_assert_null(i->extra, "one recipient needs no bits");
	stored_message_free(&i);
	cr_assert_eq(slab.count, 0);
	slab_clear(&slab);
}
