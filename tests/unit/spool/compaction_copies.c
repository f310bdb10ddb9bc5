/* The pace of compaction: how much of it is under way at once, what else has its turn meanwhile,
 * and that all of it comes to its end.  By hand: nothing is durable before writer_turn. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "rig.h"
#include "spool/spool_internal.h"

enum {
	SEGMENT_BYTES = 8 << 20,
	LARGE_BYTES = 120000,
	NOTE_BYTES = 200000,
	ONE_MORE = SPOOL_NOTE_MAX + 4096, /* the last one may go beyond the bound */
};

/* Reads of what holds these words fail; how many did. */
static const char bad_words[] = "BAD PLACE";
static bool fails;
static unsigned failed;

static ssize_t
copies_pread(struct fsio *f, int fd, void *p, size_t n, off_t at)
{
	ssize_t got = rig.disk->pread(f, fd, p, n, at);

	if (!fails || got <= 0 || !memmem(p, (size_t)got, bad_words, strlen(bad_words)))
		return got;
	failed++;
	errno = EIO;
	return -1;
}

static void
watch(struct fsio_ops *ops)
{
	ops->pread = copies_pread;
}

static void
begin(void)
{
	struct spool_options o = {.segment_bytes = SEGMENT_BYTES, .threadless = true};

	log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_TO_FILE);
	rig_begin(&o, watch);
}

TestSuite(spool_copies, .init = begin, .fini = rig_end, .timeout = 120);

/* ---- the loop, by hand ---- */

static void
writer_turn(void)
{
	spool_step(rig.spool);
	spool_dispatch(rig.spool);
}

static void
append(const struct spool_entry *e, size_t count)
{
	rig_append_soon(e, count, NULL);
}

static struct spool_entry
message(uint32_t number, const char *words, size_t body_bytes)
{
	static const char body[LARGE_BYTES];
	struct spool_entry e = rig_message(number);

	e.message.envelope = str_of(words);
	e.message.body = str_make(body, body_bytes);
	return e;
}

static void
store(uint32_t number, const char *words, size_t body_bytes)
{
	struct spool_entry e = message(number, words, body_bytes);

	append(&e, 1);
}

/* Messages that are finished at once fill so many segments.  Nothing is compacted meanwhile. */
static void
fill(unsigned segments)
{
	static uint32_t number = 1000001;

	for (unsigned n = 0; n < segments * (SEGMENT_BYTES / LARGE_BYTES); n++, number++) {
		struct spool_entry e[2] = {message(number, "e", LARGE_BYTES), rig_done(number, 1)};

		rig.spool->copies.next_ms = INT64_MAX;
		append(e, 2);
		if (n % 16 == 15)
			writer_turn();
	}
	writer_turn();
	cr_assert_eq(rig.spool->waiting_bytes, 0);
}

/* Compaction begins; the log's disk stands still.  Returns the most bytes that waited for it. */
static uint64_t
compact_without_writer(void)
{
	uint64_t most = 0;

	rig.spool->copies.next_ms = 0;
	for (int n = 0; n < 200; n++) {
		spool_dispatch(rig.spool);
		most = rig.spool->waiting_bytes > most ? rig.spool->waiting_bytes : most;
	}
	return most;
}

static void
expect_freed(const struct segment *oldest, unsigned turns)
{
	for (unsigned n = 0; n < turns && rig.spool->index.oldest == oldest; n++)
		writer_turn();
	cr_assert_neq(rig.spool->index.oldest, oldest, "it is not freed in %u turns", turns);
}

/* ---- what is not durable yet ---- */

Test(spool_copies, messages_that_are_not_durable_are_bounded)
{
	const struct segment *oldest = rig.spool->index.oldest;
	uint64_t most;

	for (uint32_t n = 1; n <= 50; n++)
		store(n, "e", LARGE_BYTES);
	fill(6);
	cr_assert_eq(rig.spool->index.oldest, oldest);
	most = compact_without_writer();
	cr_assert_gt(most, COMPACTION_COPIES_BYTES_MAX / 2);
	cr_assert_leq(most, COMPACTION_COPIES_BYTES_MAX);
	/* the writer does not wait for more */
	cr_assert(rig.spool->writer.filling->is_urgent);
	/* mail is taken, and durable with the next write */
	int answer;
	struct spool_entry e = message(100, "e", 1000);

	rig_append_soon(&e, 1, &answer);
	writer_turn();
	cr_assert_eq(answer, 0);
	expect_freed(oldest, 20);
	for (uint32_t n = 1; n <= 50; n++)
		rig_read(n);
}

/* Copies hold the states of their recipients too, which may be far more than the message. */
Test(spool_copies, states_of_messages_that_are_not_durable_are_bounded)
{
	static char words[SPOOL_DETAIL_MAX];
	const struct segment *oldest = rig.spool->index.oldest;
	uint64_t most;

	for (uint32_t n = 1; n <= 60; n++) {
		struct spool_entry e[201] = {message(n, "e", 10)};

		e[0].message.recipient_count = 200;
		for (uint32_t r = 1; r <= 200; r++) {
			e[r] = rig_done(n, 1);
			e[r].status = (struct spool_recipient){.number = r, .attempts = 1};
			e[r].status.detail = str_make(words, sizeof words);
		}
		append(e, 1);
		writer_turn();
		append(e + 1, 200);
		writer_turn();
	}
	fill(6);
	cr_assert_eq(rig.spool->index.oldest, oldest);
	most = compact_without_writer();
	cr_assert_gt(most, COMPACTION_COPIES_BYTES_MAX / 2);
	cr_assert_leq(most, COMPACTION_COPIES_BYTES_MAX + 2 * LARGE_BYTES);
	expect_freed(oldest, 60);
}

Test(spool_copies, notes_that_are_not_durable_are_bounded)
{
	static const char value[NOTE_BYTES];
	const struct segment *oldest = rig.spool->index.oldest;
	uint64_t most;

	for (unsigned n = 0; n < 25; n++) {
		char name[16];
		struct spool_entry e = {.kind = SPOOL_NOTE};

		snprintf(name, sizeof name, "note %u", n);
		e.note.name = str_of(name);
		e.note.value = str_make(value, sizeof value);
		append(&e, 1);
	}
	fill(6);
	cr_assert_eq(rig.spool->index.oldest, oldest);
	most = compact_without_writer();
	cr_assert_gt(most, COMPACTION_COPIES_BYTES_MAX / 2);
	cr_assert_leq(most, COMPACTION_COPIES_BYTES_MAX + ONE_MORE);
	expect_freed(oldest, 20);
}

/* Each turn copies much: 20000 small ones are not read 64 at a time for each sync. */
Test(spool_copies, many_small_messages_take_few_syncs)
{
	const struct segment *oldest = rig.spool->index.oldest;
	const struct stored_message *next = NULL;

	for (uint32_t n = 1; n <= 20000; n++) {
		store(n, "e", 10);
		if (n % 1000 == 0)
			writer_turn();
	}
	fill(6);
	cr_assert_eq(rig.spool->index.oldest, oldest);
	rig.spool->copies.next_ms = 0;
	for (int syncs = 0; syncs < 20 && rig.spool->index.oldest == oldest; syncs++) {
		for (int n = 0; n < 200; n++)
			spool_dispatch(rig.spool);
		cr_assert_leq(rig.spool->waiting_bytes, COMPACTION_COPIES_BYTES_MAX);
		/* the next turn begins where this one ended, not at the first one again */
		cr_assert(rig.spool->index.oldest->is_pass_done);
		cr_assert(!next || rig.spool->index.oldest->next_to_copy != next);
		next = rig.spool->index.oldest->next_to_copy;
		cr_assert_neq(next, rig.spool->index.oldest->messages);
		writer_turn();
	}
	cr_assert_neq(rig.spool->index.oldest, oldest);
	rig_read(1);
	rig_read(20000);
}

/* It is not copied while its status is under way, and is not forgotten. */
Test(spool_copies, one_that_was_left_is_copied_in_the_next_pass)
{
	const struct segment *oldest = rig.spool->index.oldest;
	struct spool_entry e[2];

	for (uint32_t n = 1; n <= 20; n++)
		store(n, "e", 1000);
	fill(6);
	e[0] = e[1] = rig_done(3, 1);
	e[0].status = e[1].status = (struct spool_recipient){.number = 1, .attempts = 2};
	e[1].id = rig_id(17);
	append(e, 1);
	rig.spool->copies.next_ms = 0;
	spool_dispatch(rig.spool);
	append(e + 1, 1);
	for (int n = 0; n < 5; n++)
		spool_dispatch(rig.spool);
	cr_assert_eq(index_find(&rig.spool->index, rig_id(3))->segment, oldest);
	expect_freed(oldest, 6);
	for (uint32_t n = 1; n <= 20; n++)
		rig_read(n);
}

/* ---- places that cannot be read ---- */

/* All were read once, and failed; now their time has come again. */
static void
begin_failing(void)
{
	for (uint32_t n = 1; n <= 40; n++)
		store(n, n % 4 == 0 ? "e" : bad_words, 1000);
	fill(6);
	fails = true;
	rig.spool->copies.next_ms = 0;
	for (int n = 0; n < 200 && failed < 30; n++)
		writer_turn();
	cr_assert_eq(failed, 30);
	writer_turn();
	for (uint32_t n = 1; n <= 40; n++)
		if (index_find(&rig.spool->index, rig_id(n))->wait)
			index_find(&rig.spool->index, rig_id(n))->wait->next_ms = 1;
	rig.spool->index.oldest->retry_ms = 1;
}

/* Each such read may last: they are tried again one by one, and what else that thread has to do
 * waits for no more than that. */
Test(spool_copies, those_that_failed_are_tried_again_one_by_one)
{
	unsigned before;
	int answer;

	begin_failing();
	for (int n = 0; n < 10; n++) {
		spool_dispatch(rig.spool);
		before = failed;
		rig_check_body(STR("body"), &answer);
		spool_dispatch(rig.spool);
		cr_assert_eq(answer, 0);
		cr_assert_leq(failed - before, 1, "it waited for %u reads", failed - before);
	}
	cr_assert_geq(failed, 35, "they are not tried again");
}

static void
loss_ended(enum lost_record_result result, void *arg)
{
	*(int *)arg = (int)result;
}

/* What counts as lost is done in many turns of that thread: none of them stands behind more than
 * one survivor, whether it can be read or not. */
Test(spool_copies, a_loss_waits_for_one_survivor_at_a_time)
{
	int answer = -1;

	begin_failing();
	cr_assert_eq(lost_record_set_aside(rig.spool, rig_id(1), EIO, loss_ended, &answer),
	    LOST_RECORD_BEGUN);
	spool_dispatch(rig.spool);
	cr_assert_eq(rig.spool->lost_task_count, 1);
	for (int n = 0; n < 100 && answer == -1; n++) {
		cr_assert_leq(rig.spool->copies.ahead, 1, "%u", rig.spool->copies.ahead);
		spool_dispatch(rig.spool);
	}
	cr_assert_neq(answer, -1);
	fails = false;
	for (int n = 0; n < 200 && index_find(&rig.spool->index, rig_id(2))->wait; n++)
		writer_turn();
	for (uint32_t n = 1; n <= 40; n++)
		rig_read(n);
}

/* ---- entries of a newer version ---- */

static bool
is_the_first(struct msgid owner, void *arg)
{
	(void)arg;
	return owner.number == 1;
}

static bool
is_any(struct msgid owner, void *arg)
{
	(void)owner;
	(void)arg;
	return true;
}

/* 20 MiB of entries, each of another message: more than is kept in the end, less than while the log
 * is read. */
static void
keep_many(struct unknown_entries *l)
{
	static const char bytes[1000];
	struct frame_entry r = {.type = (enum frame_entry_type)99};

	r.unknown = str_make(bytes, sizeof bytes);
	unknown_entries_init(l);
	for (uint32_t n = 1; n <= 20000; n++)
		unknown_entries_add(l, &r, rig_id(n), NULL);
	cr_assert(l->bytes > UNKNOWN_ENTRIES_BYTES_MAX && !l->is_full);
}

Test(unknown, those_of_no_message_do_not_count)
{
	struct unknown_entries l;

	keep_many(&l);
	unknown_entries_review(&l, is_the_first, NULL);
	cr_assert_not(l.is_full);
	cr_assert_eq(l.bytes, 1000 + sizeof(struct unknown_entry));
	cr_assert(msgid_eq(unknown_entries_next(&l, NULL, NULL)->owner, rig_id(1)));
	unknown_entries_forget(&l, rig_id(1));
	cr_assert_eq(l.bytes, 0);
	unknown_entries_clear(&l);
}

Test(unknown, more_than_can_be_kept_is_told)
{
	struct unknown_entries l;

	keep_many(&l);
	unknown_entries_review(&l, is_any, NULL);
	cr_assert(l.is_full);
	unknown_entries_clear(&l);
	cr_assert_eq(l.bytes, 0);
}
