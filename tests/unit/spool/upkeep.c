/* What the spool reads and syncs for itself (survivors of a segment that is freed, what is left of
 * a damaged message, a body that is checked again) while the disk stands still there: appends,
 * statuses and deliveries of other messages go on, and what is copied is what was answered. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rig.h"
#include "spool/spool_internal.h"

enum { SEGMENTS_FEW = 5, HOLE_MS = 100, LARGE_BYTES = 120000 };

/* Reads of what holds these words do not end while the disk stands still there, but for the first
 * so many; syncs of files that were opened to be written neither. */
static const char stuck_words[] = "STUCK";
static atomic_bool stands_still, syncs_stand_still, log_stands_still;
static atomic_int let_through;
static atomic_int damaged_byte;   /* what they read differs by it */
static atomic_uint holes;         /* reads of a page, which all failed, each after HOLE_MS */
static atomic_bool has_holes;
static atomic_int aside_fd;

static ssize_t
watch_pread(struct fsio *f, int fd, void *p, size_t n, off_t at)
{
	ssize_t got = rig.disk->pread(f, fd, p, n, at);
	char *words = got > 0 ? memmem(p, (size_t)got, stuck_words, strlen(stuck_words)) : NULL;

	if (has_holes && n == SEGMENT_SALVAGE_BYTES) {
		usleep(HOLE_MS * 1000);
		holes++;
		errno = EIO;
		return -1;
	}
	if (!words)
		return got;
	if (let_through-- <= 0)
		rig_stand(&stands_still);
	words[strlen(stuck_words) + 1] ^= (char)damaged_byte;
	return got;
}

static int
watch_open(struct fsio *f, const char *name, int flags)
{
	int fd = rig.disk->open(f, name, flags);

	if (strstr(name, ".aside"))
		aside_fd = fd;
	return fd;
}

static int
watch_sync_data(struct fsio *f, int fd)
{
	rig_stand(fd == aside_fd ? &syncs_stand_still : &log_stands_still);
	return rig.disk->sync_data(f, fd);
}

static void
watch(struct fsio_ops *ops)
{
	ops->pread = watch_pread;
	ops->open = watch_open;
	ops->sync_data = watch_sync_data;
}

static void
begin(void)
{
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN * 4};

	aside_fd = -1;
	rig_begin(&o, watch);
}

static void
end(void)
{
	stands_still = syncs_stand_still = log_stands_still = has_holes = false;
	rig_end();
}

TestSuite(spool_upkeep, .init = begin, .fini = end, .timeout = 60);

/* Of two recipients; words is its envelope. */
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

/* Other messages are taken, read and settled. */
static void
others_go_on(uint32_t from)
{
	for (uint32_t n = from; n < from + 20; n++) {
		store(n, STR("other"));
		rig_read(n);
		rig_settle(n);
	}
}

static void
wait_stuck(void)
{
	rig_until_count(&rig_stuck, 1, "calls that stand still");
	cr_assert_eq(rig_stuck, 1, "%u", rig_stuck);
}

/* ---- survivors ---- */

/* Compaction reads message 1 and does not come to an end of it; 2 and 3 are behind. */
static void
begin_compaction(void)
{
	store(1, STR("STUCK 1"));
	store(2, STR("e"));
	store(3, STR("e"));
	stands_still = true;
	rig_churn(1000, 200);
	wait_stuck();
}

static void
end_compaction(void)
{
	stands_still = false;
	rig_churn(2000, 200);
	cr_assert_leq(rig_segments(), SEGMENTS_FEW, "%llu", (unsigned long long)rig_segments());
}

Test(spool_upkeep, a_survivor_whose_read_stands_still_stops_nobody)
{
	struct spool_message m;

	begin_compaction();
	others_go_on(10);
	rig_read(2);
	rig_churn(3000, 100);
	cr_assert_eq(rig_stuck, 1);
	cr_assert_gt(rig_segments(), SEGMENTS_FEW, "its segment was freed under the read");
	end_compaction();
	for (uint32_t n = 1; n <= 3; n++) {
		cr_assert(spool_find(rig.spool, rig_id(n), &m));
		rig_read(n);
	}
}

/* The copy is made of what was answered until then, not of what it was when its read was begun. */
Test(spool_upkeep, a_copy_holds_what_was_answered_during_the_read)
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

/* Its status is under way when the read ends: it is not copied now, for its copy would stand behind
 * that status without it, and it is not forgotten. */
Test(spool_upkeep, a_survivor_with_an_append_under_way_is_copied_later)
{
	const struct segment *oldest;
	struct spool_entry e = deferred(1, 2, 3);
	struct spool_message m;
	int answer;

	begin_compaction();
	oldest = rig.spool->index.oldest;
	log_stands_still = true;
	rig_append_soon(&e, 1, &answer);
	stands_still = false;
	for (int n = 0; n < 1000 && index_find(&rig.spool->index, rig_id(1))->copy; n++)
		rig_turn();
	cr_assert_null(index_find(&rig.spool->index, rig_id(1))->copy);
	cr_assert_eq(answer, -1);
	log_stands_still = false;
	rig_until(&answer);
	for (int n = 0; n < 1000 && rig.spool->index.oldest == oldest; n++)
		rig_turn();
	cr_assert_neq(rig.spool->index.oldest, oldest, "it is freed");
	/* at once: the next copy would mend it */
	rig_open_again();
	cr_assert(spool_find(rig.spool, rig_id(1), &m));
	cr_assert(m.recipients && m.recipients[1].attempts == 3);
}

Test(spool_upkeep, a_survivor_that_is_finished_during_its_read_is_not_copied)
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

/* However many survive, only so many are read before they are copied. */
Test(spool_upkeep, survivors_that_are_read_ahead_are_bounded)
{
	unsigned most = 0;

	for (uint32_t n = 1; n <= 500; n++)
		store(n, STR("e"));
	for (uint32_t n = 1000; n < 1300; n++) {
		rig_churn(n, 1);
		most = rig.spool->copies.ahead > most ? rig.spool->copies.ahead : most;
		cr_assert_leq(rig.spool->copies.ahead, COMPACTION_COPIES_AHEAD_MAX);
	}
	cr_assert_gt(most, 1, "they are read one by one");
	for (uint32_t n = 1; n <= 500; n++)
		rig_read(n);
	cr_assert_leq(rig_segments(), SEGMENTS_FEW, "%llu", (unsigned long long)rig_segments());
}

/* ---- what is lost ---- */

struct keeping {
	int kept; /* enum lost_record_result, as lost_record_set_aside tells; -1: not yet */
	int stored;
	uint32_t number;
	size_t ends;              /* recipients that come to their end */
};

static void
kept(enum lost_record_result result, void *arg)
{
	struct keeping *k = arg;
	struct spool_recipient ends[2] = {{.number = 1, .outcome = SPOOL_FAILED},
	    {.number = 2, .outcome = SPOOL_FAILED}};
	struct lost_record l = {.id = rig_id(k->number),
	    .envelope = STR("words"),
	    .ends = ends,
	    .count = k->ends,
	    .fn = rig_heard,
	    .arg = &k->stored};

	k->kept = (int)result;
	if (result == LOST_RECORD_SET_ASIDE)
		cr_assert_eq(lost_record_append(rig.spool, &l), LOST_RECORD_BEGUN);
}

static void
keep(struct keeping *k, uint32_t number)
{
	*k = (struct keeping){-1, -1, number, 2};
	cr_assert_eq(
	    lost_record_set_aside(rig.spool, rig_id(number), EBADMSG, kept, k), LOST_RECORD_BEGUN);
}

static bool
is_there(const char *end)
{
	char id[ID_NUMBER_TEXT_BYTES], name[80];
	struct fsio_file file;

	snprintf(name, sizeof name, "%s%s", msgid_text(rig_id(1), 0, id), end);
	return rig.disk->inspect(rig.io, name, &file) == 0;
}

/* Message 1 was read wrong once; the next try proves it. */
static void
damage(struct keeping *k)
{
	store(1, STR("STUCK 1"));
	damaged_byte = 1;
	keep(k, 1);
	rig_until(&k->kept);
	cr_assert_eq(k->kept, LOST_RECORD_UNPROVEN, "one read is no proof");
	rig_stuck = 0;
}

Test(spool_upkeep, a_loss_whose_reads_and_syncs_stand_still_stops_nobody)
{
	struct spool_message m;
	struct keeping k;

	damage(&k);
	stands_still = syncs_stand_still = true;
	let_through = 1;
	keep(&k, 1);
	wait_stuck();
	others_go_on(10);
	cr_assert_eq(
	    lost_record_set_aside(rig.spool, rig_id(1), EBADMSG, kept, &k), LOST_RECORD_BUSY);
	rig_stuck = 0;
	stands_still = false;
	wait_stuck();
	others_go_on(100);
	cr_assert_eq(k.kept, -1);
	syncs_stand_still = false;
	rig_until(&k.stored);
	cr_assert(k.kept == LOST_RECORD_SET_ASIDE && k.stored == 0);
	cr_assert(is_there(".aside"));
	cr_assert(spool_find(rig.spool, rig_id(1), &m));
	cr_assert(m.header_bytes == 0 && m.recipients[0].outcome == SPOOL_FAILED);
}

/* What is left of message 1 is written, and its sync does not end. */
static void
begin_putting_aside(struct keeping *k)
{
	damage(k);
	syncs_stand_still = true;
	keep(k, 1);
	wait_stuck();
}

/* The operator deletes it meanwhile: nothing is told of it, and nothing of it is kept. */
Test(spool_upkeep, a_message_that_is_deleted_while_it_is_put_aside)
{
	struct keeping k;

	begin_putting_aside(&k);
	cr_assert(is_there(".aside"));
	rig_settle(1);
	syncs_stand_still = false;
	rig_until(&k.kept);
	cr_assert_eq(k.kept, LOST_RECORD_GONE);
	for (int n = 0; n < 100 && is_there(".aside"); n++)
		rig_turn();
	cr_assert_not(is_there(".aside"));
}

/* Something of it is answered meanwhile: whoever is told decides anew with what is known then. */
Test(spool_upkeep, a_message_that_goes_on_while_it_is_put_aside)
{
	struct spool_entry e = deferred(1, 2, 3);
	struct spool_message m;
	struct keeping k;
	int answer;

	begin_putting_aside(&k);
	log_stands_still = true;
	rig_append_soon(&e, 1, &answer);
	syncs_stand_still = false;
	rig_until(&k.kept);
	cr_assert_eq(k.kept, LOST_RECORD_BUSY);
	cr_assert_eq(answer, -1);
	log_stands_still = false;
	rig_until(&answer);
	keep(&k, 1);
	k.ends = 1;
	rig_until(&k.stored);
	cr_assert(k.kept == LOST_RECORD_SET_ASIDE && k.stored == 0);
	cr_assert(spool_find(rig.spool, rig_id(1), &m));
	cr_assert_eq(m.recipients[0].outcome, SPOOL_FAILED);
	cr_assert_eq(m.recipients[1].outcome, SPOOL_DEFERRED);
	cr_assert_eq(m.recipients[1].attempts, 3);
}

/* It is deleted while what is left is written: that is durable only after the thread has ended. */
Test(spool_upkeep, a_message_whose_deletion_is_under_way_while_it_is_put_aside)
{
	struct spool_entry e[2] = {rig_done(1, 1), rig_done(1, 2)};
	struct keeping k;
	int answer;

	begin_putting_aside(&k);
	log_stands_still = true;
	rig_append_soon(e, 2, &answer);
	syncs_stand_still = false;
	rig_until(&k.kept);
	cr_assert_eq(k.kept, LOST_RECORD_BUSY);
	cr_assert(is_there(".aside"));
	log_stands_still = false;
	rig_until(&answer);
	for (int n = 0; n < 100 && is_there(".aside"); n++)
		rig_turn();
	cr_assert_not(is_there(".aside"));
}

/* The spool ends right after a message has gone: what was put aside of it is not left behind. */
Test(spool_upkeep, close_while_what_was_put_aside_is_removed)
{
	struct keeping k;

	begin_putting_aside(&k);
	rig_settle(1);
	syncs_stand_still = false;
	rig_until(&k.kept);
	cr_assert_eq(k.kept, LOST_RECORD_GONE);
	spool_close(&rig.spool);
	cr_assert_not(is_there(".aside"));
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

/* Each page that cannot be read takes its time: others are read in between, and a stop waits for
 * one of them only. */
Test(spool_upkeep, close_while_a_loss_is_put_aside)
{
	struct keeping k, other;
	unsigned before;

	store_large(1);
	store(2, STR("e"));
	damaged_byte = 1;
	keep(&k, 1);
	rig_until(&k.kept);
	has_holes = true;
	keep(&k, 1);
	while (holes < 2)
		rig_turn();
	keep(&other, 2);
	rig_until(&other.kept);
	cr_assert_eq(other.kept, LOST_RECORD_READABLE);
	cr_assert_lt(holes, 8, "it waited for all of them");
	before = holes;
	spool_close(&rig.spool);
	cr_assert_leq(holes, before + 1, "%u reads were waited for", holes - before);
	cr_assert_eq(k.kept, -1);
	has_holes = false;
	damaged_byte = 0;
	rig_open_again();
	rig_read(1);
}

/* ---- bodies that are checked ---- */

static void
check_body(int *answer)
{
	rig_check_body(STR("STUCK in the body"), answer);
}

Test(spool_upkeep, a_body_whose_check_stands_still_stops_nobody)
{
	int answer;

	stands_still = true;
	check_body(&answer);
	wait_stuck();
	others_go_on(10);
	cr_assert_eq(answer, -1);
	stands_still = false;
	rig_until(&answer);
	cr_assert_eq(answer, 0);
	damaged_byte = 1;
	check_body(&answer);
	rig_until(&answer);
	cr_assert_eq(answer, EBADMSG);
}

Test(spool_upkeep, close_while_a_body_is_checked)
{
	int answer;

	check_body(&answer);
	check_body(&answer);
	spool_close(&rig.spool);
	cr_assert_eq(answer, -1);
	rig_open_again();
}
