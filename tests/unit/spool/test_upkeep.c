/* The upkeep thread: what the spool reads and syncs for itself (live messages of a segment that is
 * to be freed, the remains of a damaged message, a body that is checked again) while the disk does
 * not respond to it: appends, statuses and deliveries of other messages continue, and copies
 * contain what was answered. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "spool/spool_internal.h"
#include "upkeep_disk.h"

enum { SEGMENTS_FEW = 5, LARGE_BYTES = 120000 };

static void
begin(void)
{
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN * 4};

	rig_begin(&o, upkeep_disk_watch);
}

static void
end(void)
{
	upkeep_disk.is_read_blocked = upkeep_disk.is_set_aside_blocked = false;
	upkeep_disk.is_log_blocked = upkeep_disk.has_holes = false;
	rig_end();
}

TestSuite(upkeep, .init = begin, .fini = end, .timeout = 60);

/* Two recipients; words is the envelope. */
static struct spool_entry
message(uint32_t number, struct str words)
{
	struct spool_entry e = rig_message(number);

	e.message.recipient_count = 2;
	e.message.envelope = words;
	return e;
}

static void
store(uint32_t number, struct str words)
{
	struct spool_entry e = message(number, words);

	rig_append(&e, 1);
}

static struct spool_entry
deferred(uint32_t number, uint32_t recipient, uint32_t attempts)
{
	struct spool_entry e = {.kind = SPOOL_STATUS, .id = rig_id(number)};

	e.status.number = recipient;
	e.status.outcome = SPOOL_DEFERRED;
	e.status.attempts = attempts;
	return e;
}

/* Other messages are stored, read and settled. */
static void
others_continue(uint32_t from)
{
	for (uint32_t n = from; n < from + 20; n++) {
		store(n, STR("other"));
		rig_read(n);
		rig_settle(n);
	}
}

static void
wait_blocked(void)
{
	rig_until_count(&rig_blocked, 1, "calls that stand still");
	cr_assert_eq(rig_blocked, 1, "%u", rig_blocked);
}

/* ---- copies ---- */

/* Compaction is blocked in the read of message 1; 2 and 3 follow. */
static void
begin_compaction(void)
{
	store(1, STR("STUCK 1"));
	store(2, STR("e"));
	store(3, STR("e"));
	upkeep_disk.is_read_blocked = true;
	rig_churn(1000, 200);
	wait_blocked();
}

static void
end_compaction(void)
{
	upkeep_disk.is_read_blocked = false;
	rig_churn(2000, 200);
	cr_assert_leq(rig_segments(), SEGMENTS_FEW, "%llu", (unsigned long long)rig_segments());
}

Test(upkeep, a_blocked_read_of_compaction_stops_no_other_work)
{
	struct spool_message m;

	begin_compaction();
	others_continue(10);
	rig_read(2);
	rig_churn(3000, 100);
	cr_assert_eq(rig_blocked, 1);
	cr_assert_gt(rig_segments(), SEGMENTS_FEW, "its segment was freed under the read");
	end_compaction();
	for (uint32_t n = 1; n <= 3; n++) {
		cr_assert(spool_find(rig.spool, rig_id(n), &m));
		rig_read(n);
	}
}

/* The copy contains what was answered until it is appended, not the state when its read began. */
Test(upkeep, a_copy_holds_what_was_answered_during_the_read)
{
	struct spool_entry e[2] = {deferred(1, 2, 3), {.kind = SPOOL_HOLD, .id = rig_id(1)}};
	struct spool_message m;

	begin_compaction();
	e[1].hold.is_held = true;
	e[1].hold.why = STR("because");
	rig_append(e, 2);
	end_compaction();
	rig_open_again();
	cr_assert(spool_find(rig.spool, rig_id(1), &m));
	cr_assert(m.is_held && str_eq(m.held_why, STR("because")));
	cr_assert_not_null(m.recipients);
	cr_assert_eq(m.recipients[1].attempts, 3);
	cr_assert_eq(m.recipients[1].outcome, SPOOL_DEFERRED);
}

/* An append of its status is in progress when the read ends: it is not copied now, because its copy
 * would follow that status without containing it; it is copied later. */
Test(upkeep, a_message_with_an_append_in_progress_is_copied_later)
{
	const struct segment *oldest;
	struct spool_entry e = deferred(1, 2, 3);
	struct spool_message m;
	int answer;

	begin_compaction();
	oldest = rig.spool->index.oldest;
	upkeep_disk.is_log_blocked = true;
	rig_append_soon(&e, 1, &answer);
	upkeep_disk.is_read_blocked = false;
	for (int n = 0;
	    n < 1000 && stored_message_extra(index_find(&rig.spool->index, rig_id(1)))->copy; n++)
		rig_turn();
	cr_assert_null(stored_message_extra(index_find(&rig.spool->index, rig_id(1)))->copy);
	cr_assert_eq(answer, -1);
	upkeep_disk.is_log_blocked = false;
	rig_until(&answer);
	for (int n = 0; n < 1000 && rig.spool->index.oldest == oldest; n++)
		rig_turn();
	cr_assert_neq(rig.spool->index.oldest, oldest, "it is freed");
	/* at once: a later copy would hide the fault */
	rig_open_again();
	cr_assert(spool_find(rig.spool, rig_id(1), &m));
	cr_assert(m.recipients && m.recipients[1].attempts == 3);
}

Test(upkeep, a_message_that_is_settled_during_its_read_is_not_copied)
{
	struct spool_message m;

	begin_compaction();
	rig_settle(1);
	end_compaction();
	cr_assert_not(spool_find(rig.spool, rig_id(1), &m));
	rig_open_again();
	cr_assert_not(spool_find(rig.spool, rig_id(1), &m));
	cr_assert(spool_find(rig.spool, rig_id(2), &m));
}

/* Whatever the number of live messages is, only so many are read before they are copied. */
Test(upkeep, reads_ahead_of_compaction_are_bounded)
{
	unsigned ahead_max = 0;

	for (uint32_t n = 1; n <= 500; n++)
		store(n, STR("e"));
	for (uint32_t n = 1000; n < 1300; n++) {
		rig_churn(n, 1);
		ahead_max =
		    rig.spool->copies.ahead > ahead_max ? rig.spool->copies.ahead : ahead_max;
		cr_assert_leq(rig.spool->copies.ahead, COMPACTION_COPIES_AHEAD_MAX);
	}
	cr_assert_gt(ahead_max, 1, "they are read one by one");
	for (uint32_t n = 1; n <= 500; n++)
		rig_read(n);
	cr_assert_leq(rig_segments(), SEGMENTS_FEW, "%llu", (unsigned long long)rig_segments());
}

/* ---- lost messages ---- */

struct set_aside_case {
	int result; /* enum lost_record_result; -1: none yet */
	int stored;
	uint32_t number;
	size_t settled_count;            /* recipients that are settled */
};

static void
set_aside_done(enum lost_record_result result, void *arg)
{
	struct set_aside_case *k = arg;
	struct spool_recipient statuses[2] = {{.number = 1, .outcome = SPOOL_FAILED},
	    {.number = 2, .outcome = SPOOL_FAILED}};
	struct lost_record l = {.id = rig_id(k->number),
	    .envelope = STR("words"),
	    .statuses = statuses,
	    .count = k->settled_count,
	    .fn = rig_answered,
	    .arg = &k->stored};

	k->result = (int)result;
	if (result == LOST_RECORD_SET_ASIDE)
		cr_assert_eq(lost_record_append(rig.spool, &l), LOST_RECORD_BEGUN);
}

static void
begin_set_aside(struct set_aside_case *k, uint32_t number)
{
	*k = (struct set_aside_case){-1, -1, number, 2};
	cr_assert_eq(lost_record_set_aside(rig.spool, rig_id(number), EBADMSG, set_aside_done, k),
	    LOST_RECORD_BEGUN);
}

static bool
has_file(const char *end)
{
	char id[ID_NUMBER_TEXT_BYTES], name[80];
	struct fsio_file file;

	snprintf(name, sizeof name, "%s%s", msgid_text(rig_id(1), 0, id), end);
	return rig.disk->inspect(rig.io, name, &file) == 0;
}

/* One read of message 1 did not match its checksum; the next one proves the damage. */
static void
damage(struct set_aside_case *k)
{
	store(1, STR("STUCK 1"));
	upkeep_disk.damaged_byte = 1;
	begin_set_aside(k, 1);
	rig_until(&k->result);
	cr_assert_eq(k->result, LOST_RECORD_UNPROVEN, "one read is no proof");
	rig_blocked = 0;
}

Test(upkeep, a_blocked_set_aside_stops_no_other_work)
{
	struct spool_message m;
	struct set_aside_case k;

	damage(&k);
	upkeep_disk.is_read_blocked = upkeep_disk.is_set_aside_blocked = true;
	upkeep_disk.let_through = 1;
	begin_set_aside(&k, 1);
	wait_blocked();
	others_continue(10);
	cr_assert_eq(lost_record_set_aside(rig.spool, rig_id(1), EBADMSG, set_aside_done, &k),
	    LOST_RECORD_BUSY);
	rig_blocked = 0;
	upkeep_disk.is_read_blocked = false;
	wait_blocked();
	others_continue(100);
	cr_assert_eq(k.result, -1);
	upkeep_disk.is_set_aside_blocked = false;
	rig_until(&k.stored);
	cr_assert(k.result == LOST_RECORD_SET_ASIDE && k.stored == 0);
	cr_assert(has_file(".aside"));
	cr_assert(spool_find(rig.spool, rig_id(1), &m));
	cr_assert(m.header_bytes == 0 && m.recipients[0].outcome == SPOOL_FAILED);
}

/* What is left of message 1 is written, and the sync of that file is blocked. */
static void
begin_blocked_set_aside(struct set_aside_case *k)
{
	damage(k);
	upkeep_disk.is_set_aside_blocked = true;
	begin_set_aside(k, 1);
	wait_blocked();
}

/* The operator deletes it meanwhile: no report is sent, and no file of it stays. */
Test(upkeep, a_message_deleted_while_it_is_set_aside_leaves_no_file)
{
	struct set_aside_case k;

	begin_blocked_set_aside(&k);
	cr_assert(has_file(".aside"));
	rig_settle(1);
	upkeep_disk.is_set_aside_blocked = false;
	rig_until(&k.result);
	cr_assert_eq(k.result, LOST_RECORD_GONE);
	for (int n = 0; n < 100 && has_file(".aside"); n++)
		rig_turn();
	cr_assert_not(has_file(".aside"));
}

/* A status is answered meanwhile: the caller decides again with what is known then. */
Test(upkeep, a_status_appended_during_set_aside_is_not_lost)
{
	struct spool_entry e = deferred(1, 2, 3);
	struct spool_message m;
	struct set_aside_case k;
	int answer;

	begin_blocked_set_aside(&k);
	upkeep_disk.is_log_blocked = true;
	rig_append_soon(&e, 1, &answer);
	upkeep_disk.is_set_aside_blocked = false;
	rig_until(&k.result);
	cr_assert_eq(k.result, LOST_RECORD_BUSY);
	cr_assert_eq(answer, -1);
	upkeep_disk.is_log_blocked = false;
	rig_until(&answer);
	begin_set_aside(&k, 1);
	k.settled_count = 1;
	rig_until(&k.stored);
	cr_assert(k.result == LOST_RECORD_SET_ASIDE && k.stored == 0);
	cr_assert(spool_find(rig.spool, rig_id(1), &m));
	cr_assert_eq(m.recipients[0].outcome, SPOOL_FAILED);
	cr_assert_eq(m.recipients[1].outcome, SPOOL_DEFERRED);
	cr_assert_eq(m.recipients[1].attempts, 3);
}

/* It is deleted while its remains are written: the deletion becomes durable only after the thread
 * has finished. */
Test(upkeep, a_deletion_in_progress_during_set_aside_leaves_no_file)
{
	struct spool_entry e[2] = {rig_done(1, 1), rig_done(1, 2)};
	struct set_aside_case k;
	int answer;

	begin_blocked_set_aside(&k);
	upkeep_disk.is_log_blocked = true;
	rig_append_soon(e, 2, &answer);
	upkeep_disk.is_set_aside_blocked = false;
	rig_until(&k.result);
	cr_assert_eq(k.result, LOST_RECORD_BUSY);
	cr_assert(has_file(".aside"));
	upkeep_disk.is_log_blocked = false;
	rig_until(&answer);
	for (int n = 0; n < 100 && has_file(".aside"); n++)
		rig_turn();
	cr_assert_not(has_file(".aside"));
}

/* The spool is closed right after the message was removed: no file of it stays. */
Test(upkeep, close_removes_the_files_of_a_removed_message)
{
	struct set_aside_case k;

	begin_blocked_set_aside(&k);
	rig_settle(1);
	upkeep_disk.is_set_aside_blocked = false;
	rig_until(&k.result);
	cr_assert_eq(k.result, LOST_RECORD_GONE);
	spool_close(&rig.spool);
	cr_assert_not(has_file(".aside"));
	rig_open_again();
}

static void
store_large(uint32_t number)
{
	static char body[LARGE_BYTES];
	struct spool_entry e = message(number, STR("STUCK 1"));

	memset(body, 'b', sizeof body);
	e.message.body = str_make(body, sizeof body);
	rig_append(&e, 1);
}

/* Each page that cannot be read takes long: other messages are read in between, and a stop waits
 * for one page only. */
Test(upkeep, close_waits_for_one_read_of_set_aside_only)
{
	struct set_aside_case k, other;
	unsigned before;

	store_large(1);
	store(2, STR("e"));
	upkeep_disk.damaged_byte = 1;
	begin_set_aside(&k, 1);
	rig_until(&k.result);
	upkeep_disk.has_holes = true;
	begin_set_aside(&k, 1);
	while (upkeep_disk.holes < 2)
		rig_turn();
	begin_set_aside(&other, 2);
	rig_until(&other.result);
	cr_assert_eq(other.result, LOST_RECORD_READABLE);
	cr_assert_lt(upkeep_disk.holes, 8, "it waited for all of them");
	before = upkeep_disk.holes;
	spool_close(&rig.spool);
	cr_assert_leq(upkeep_disk.holes, before + 1, "%u reads were waited for",
	    upkeep_disk.holes - before);
	cr_assert_eq(k.result, -1);
	upkeep_disk.has_holes = false;
	upkeep_disk.damaged_byte = 0;
	rig_open_again();
	rig_read(1);
}

/* ---- checks of bodies ---- */

static void
check_body(int *answer)
{
	rig_check_body(STR("STUCK in the body"), answer);
}

Test(upkeep, a_blocked_check_of_a_body_stops_no_other_work)
{
	int answer;

	upkeep_disk.is_read_blocked = true;
	check_body(&answer);
	wait_blocked();
	others_continue(10);
	cr_assert_eq(answer, -1);
	upkeep_disk.is_read_blocked = false;
	rig_until(&answer);
	cr_assert_eq(answer, 0);
	upkeep_disk.damaged_byte = 1;
	check_body(&answer);
	rig_until(&answer);
	cr_assert_eq(answer, EBADMSG);
}

Test(upkeep, close_ends_checks_of_bodies_without_an_answer)
{
	int answer;

	check_body(&answer);
	check_body(&answer);
	spool_close(&rig.spool);
	cr_assert_eq(answer, -1);
	rig_open_again();
}
