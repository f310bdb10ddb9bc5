/* compaction_copies: how many copies are in progress at once, which other work is done meanwhile,
 * and that all of them are finished.  Without threads: nothing is durable before writer_turn. */
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
	ONE_MORE = SPOOL_NOTE_MAX + 4096, /* the last one may exceed the limit */
};

/* Reads of bytes with this text fail; how many did. */
static const char unreadable_text[] = "BAD PLACE";
static bool fails;
static unsigned failed;

static ssize_t
copies_pread(struct fsio *f, int fd, void *p, size_t n, off_t at)
{
	ssize_t got = rig.disk->pread(f, fd, p, n, at);

	if (!fails || got <= 0 || !memmem(p, (size_t)got, unreadable_text, strlen(unreadable_text)))
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

TestSuite(compaction_copies, .init = begin, .fini = rig_end, .timeout = 120);

/* ---- the event loop, without threads ---- */

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

/* Fills so many segments with messages that are settled at once.  Nothing is compacted
 * meanwhile. */
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

/* Compaction begins while the disk of the log does not respond.  Returns the highest number of
 * bytes that waited for it. */
static uint64_t
compact_without_writer(void)
{
	uint64_t max_bytes = 0;

	rig.spool->copies.next_ms = 0;
	for (int n = 0; n < 200; n++) {
		spool_dispatch(rig.spool);
		max_bytes =
		    rig.spool->waiting_bytes > max_bytes ? rig.spool->waiting_bytes : max_bytes;
	}
	return max_bytes;
}

static void
expect_freed(const struct segment *oldest, unsigned turns)
{
	for (unsigned n = 0; n < turns && rig.spool->index.oldest == oldest; n++)
		writer_turn();
	cr_assert_neq(rig.spool->index.oldest, oldest, "it is not freed in %u turns", turns);
}

/* ---- bytes in progress ---- */

Test(compaction_copies, bytes_of_messages_in_progress_are_bounded)
{
	const struct segment *oldest = rig.spool->index.oldest;
	uint64_t max_bytes;

	for (uint32_t n = 1; n <= 50; n++)
		store(n, "e", LARGE_BYTES);
	fill(6);
	cr_assert_eq(rig.spool->index.oldest, oldest);
	max_bytes = compact_without_writer();
	cr_assert_gt(max_bytes, COMPACTION_COPIES_BYTES_MAX / 2);
	cr_assert_leq(max_bytes, COMPACTION_COPIES_BYTES_MAX);
	/* the writer does not wait for more */
	cr_assert(rig.spool->writer.filling->is_urgent);
	/* new mail is accepted, and durable with the next write */
	int answer;
	struct spool_entry e = message(100, "e", 1000);

	rig_append_soon(&e, 1, &answer);
	writer_turn();
	cr_assert_eq(answer, 0);
	expect_freed(oldest, 20);
	for (uint32_t n = 1; n <= 50; n++)
		rig_read(n);
}

/* Copies contain the statuses of their recipients, which may be much larger than the message. */
Test(compaction_copies, bytes_of_statuses_in_progress_are_bounded)
{
	static char words[SPOOL_DETAIL_MAX];
	const struct segment *oldest = rig.spool->index.oldest;
	uint64_t max_bytes;

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
	max_bytes = compact_without_writer();
	cr_assert_gt(max_bytes, COMPACTION_COPIES_BYTES_MAX / 2);
	cr_assert_leq(max_bytes, COMPACTION_COPIES_BYTES_MAX + 2 * LARGE_BYTES);
	expect_freed(oldest, 60);
}

Test(compaction_copies, bytes_of_notes_in_progress_are_bounded)
{
	static const char value[NOTE_BYTES];
	const struct segment *oldest = rig.spool->index.oldest;
	uint64_t max_bytes;

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
	max_bytes = compact_without_writer();
	cr_assert_gt(max_bytes, COMPACTION_COPIES_BYTES_MAX / 2);
	cr_assert_leq(max_bytes, COMPACTION_COPIES_BYTES_MAX + ONE_MORE);
	expect_freed(oldest, 20);
}

/* Each turn copies many: 20000 small messages are not read 64 at a time for each sync. */
Test(compaction_copies, many_small_messages_take_few_syncs)
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
		/* the next turn begins where this one ended, not at the first message */
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

/* It is not copied while an append of its status is in progress, but later. */
Test(compaction_copies, a_message_that_was_left_is_copied_in_the_next_pass)
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

/* ---- ranges that cannot be read ---- */

/* All were read once and failed; now their retry time has come. */
static void
begin_failing(void)
{
	for (uint32_t n = 1; n <= 40; n++)
		store(n, n % 4 == 0 ? "e" : unreadable_text, 1000);
	fill(6);
	fails = true;
	rig.spool->copies.next_ms = 0;
	for (int n = 0; n < 200 && failed < 30; n++)
		writer_turn();
	cr_assert_eq(failed, 30);
	writer_turn();
	for (uint32_t n = 1; n <= 40; n++)
		if (stored_message_extra(index_find(&rig.spool->index, rig_id(n)))->wait)
			index_find(&rig.spool->index, rig_id(n))->extra->wait->next_ms = 1;
	rig.spool->index.oldest->retry_ms = 1;
}

/* Each such read may take long: they are retried one by one, and other tasks of that thread wait
 * for one of them only. */
Test(compaction_copies, failed_reads_are_retried_one_by_one)
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
set_aside_ended(enum lost_record_result result, void *arg)
{
	*(int *)arg = (int)result;
}

/* The thread sets a message aside in several turns: each turn waits for one read of compaction
 * only, whether that succeeds or not. */
Test(compaction_copies, setting_aside_waits_for_one_read_at_a_time)
{
	int answer = -1;

	begin_failing();
	cr_assert_eq(lost_record_set_aside(rig.spool, rig_id(1), EIO, set_aside_ended, &answer),
	    LOST_RECORD_BEGUN);
	spool_dispatch(rig.spool);
	cr_assert_eq(rig.spool->lost_task_count, 1);
	for (int n = 0; n < 100 && answer == -1; n++) {
		cr_assert_leq(rig.spool->copies.ahead, 1, "%u", rig.spool->copies.ahead);
		spool_dispatch(rig.spool);
	}
	cr_assert_neq(answer, -1);
	fails = false;
	for (int n = 0;
	    n < 200 && stored_message_extra(index_find(&rig.spool->index, rig_id(2)))->wait; n++)
		writer_turn();
	for (uint32_t n = 1; n <= 40; n++)
		rig_read(n);
}

/* ---- entries of a newer version ---- */

static bool
is_message_1(struct msgid owner, void *arg)
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

/* 20 MiB of entries, each of another message: more than the final limit, less than the limit while
 * the log is read. */
static void
add_many(struct unknown_entries *l)
{
	static const char bytes[1000];
	struct frame_entry r = {.type = (enum frame_entry_type)99};

	r.unknown = str_make(bytes, sizeof bytes);
	unknown_entries_init(l);
	for (uint32_t n = 1; n <= 20000; n++)
		unknown_entries_add(l, &r, rig_id(n), NULL);
	cr_assert(l->bytes > UNKNOWN_ENTRIES_BYTES_MAX && !l->is_full);
}

Test(unknown_entries, entries_without_a_message_do_not_count)
{
	struct unknown_entries l;

	add_many(&l);
	unknown_entries_review(&l, is_message_1, NULL);
	cr_assert_not(l.is_full);
	cr_assert_eq(l.bytes, 1000 + sizeof(struct unknown_entry));
	cr_assert(msgid_eq(unknown_entries_next(&l, NULL, NULL)->owner, rig_id(1)));
	unknown_entries_forget(&l, rig_id(1));
	cr_assert_eq(l.bytes, 0);
	unknown_entries_clear(&l);
}

Test(unknown_entries, too_many_entries_are_reported)
{
	struct unknown_entries l;

	add_many(&l);
	unknown_entries_review(&l, is_any, NULL);
	cr_assert(l.is_full);
	unknown_entries_clear(&l);
	cr_assert_eq(l.bytes, 0);
}
