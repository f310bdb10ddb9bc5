/* Reads while the spool works: a disk that stands still stops reads only, a message is read once
 * for all that ask, what is read ahead is bounded, and what is read stays until it was read. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "rig.h"
#include "spool/message_reads.h"

enum { ASKED_MAX = 1000, BODY_BYTES = 300000 };

static atomic_uint reads;         /* begun */
static atomic_bool is_shut;       /* the disk answers no read */
static atomic_bool is_last_synced, waits_for_last;
static atomic_int last_error_wanted;
static bool is_last_written;

static ssize_t
watch_pread(struct fsio *f, int fd, void *p, size_t n, off_t at)
{
	reads++;
	while (is_shut || (waits_for_last && !is_last_synced))
		usleep(1000);
	if (last_error_wanted) {
		errno = last_error_wanted;
		return -1;
	}
	return rig.disk->pread(f, fd, p, n, at);
}

/* Notices the record with LAST in its envelope. */
static ssize_t
watch_pwritev(struct fsio *f, int fd, const struct iovec *v, int count, off_t at)
{
	for (int i = 0; i < count; i++)
		if (v[i].iov_len && memmem(v[i].iov_base, v[i].iov_len, "LAST", 4))
			is_last_written = true;
	return rig.disk->pwritev(f, fd, v, count, at);
}

static int
watch_sync_data(struct fsio *f, int fd)
{
	int result = rig.disk->sync_data(f, fd);

	is_last_synced = is_last_written;
	return result;
}

static void
watch(struct fsio_ops *ops)
{
	ops->pread = watch_pread;
	ops->pwritev = watch_pwritev;
	ops->sync_data = watch_sync_data;
}

static void
begin(void)
{
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN * 4};

	rig_begin(&o, watch);
	reads = 0;
}

static void
end(void)
{
	is_shut = false;
	rig_end();
}

TestSuite(spool_reader, .init = begin, .fini = end, .timeout = 60);

/* What the spool read for that does not count. */
static void
store(uint32_t number)
{
	rig_store(number);
	reads = 0;
}

static void
store_in_file(uint32_t number)
{
	rig_store_in_file(number, BODY_BYTES);
	reads = 0;
}

/* ---- asking ---- */

struct asked {
	struct spool_reading reading;
	int error;                /* -1: not answered */
	bool is_right;
	off_t file_bytes;
};

static struct asked asked[ASKED_MAX];
static unsigned answered;

static void
got(const struct spool_content *content, int error, void *arg)
{
	struct asked *a = arg;

	cr_assert_eq(a->error, -1, "answered twice");
	a->error = error;
	answered++;
	if (!content)
		return;
	a->is_right = str_eq(content->header, STR("h")) && str_eq(content->envelope, STR("e"));
	if (content->fd >= 0)
		cr_assert_eq(rig.disk->size(rig.io, content->fd, &a->file_bytes), 0);
	else
		a->is_right &= str_eq(content->body, STR("a body"));
}

static void
ask(unsigned n, uint32_t number)
{
	asked[n].error = -1;
	spool_read(rig.spool, &asked[n].reading, rig_id(number), got, &asked[n]);
}

static void
wait_answers(unsigned count)
{
	while (answered < count)
		rig_turn();
	cr_assert_eq(answered, count);
}

/* The thread is within a read. */
static void
wait_reads(unsigned count)
{
	while (reads < count)
		usleep(1000);
}

/* ---- what must hold ---- */

Test(spool_reader, appends_are_answered_while_a_read_stands_still)
{
	store(1);
	is_shut = true;
	ask(0, 1);
	wait_reads(1);
	for (uint32_t n = 2; n < 22; n++) {
		store(n);
		rig_settle(n);
	}
	cr_assert_eq(answered, 0);
	is_shut = false;
	wait_answers(1);
	cr_assert(asked[0].is_right);
}

Test(spool_reader, all_that_ask_for_a_message_share_one_read)
{
	unsigned turns = 0;

	store(1);
	is_shut = true;
	for (unsigned n = 0; n < 500; n++)
		ask(n, 1);
	wait_reads(1);
	for (unsigned n = 500; n < ASKED_MAX; n++)
		ask(n, 1);
	is_shut = false;
	while (answered < ASKED_MAX) {
		unsigned before = answered;

		rig_turn();
		cr_assert_leq(answered - before, SPOOL_READS_CALLS_PER_TURN);
		turns += answered > before;
	}
	cr_assert_eq(reads, 1);
	cr_assert_geq(turns, ASKED_MAX / SPOOL_READS_CALLS_PER_TURN);
	for (unsigned n = 0; n < ASKED_MAX; n++)
		cr_assert(asked[n].error == 0 && asked[n].is_right);
}

Test(spool_reader, a_body_in_a_file_is_open_for_each_that_asks)
{
	store_in_file(1);
	for (unsigned n = 0; n < 50; n++)
		ask(n, 1);
	wait_answers(50);
	cr_assert_eq(reads, 1);
	for (unsigned n = 0; n < 50; n++)
		cr_assert(asked[n].is_right && asked[n].file_bytes == BODY_BYTES);
}

/* However many are asked for, only so many are read before they are told of. */
Test(spool_reader, what_is_read_ahead_is_bounded)
{
	for (uint32_t n = 0; n < 100; n++)
		store(n + 1);
	for (unsigned n = 0; n < 100; n++)
		ask(n, n + 1);
	wait_reads(SPOOL_READS_AHEAD_MAX);
	usleep(20000);
	cr_assert_eq(reads, SPOOL_READS_AHEAD_MAX);
	while (answered < 100) {
		rig_turn();
		cr_assert_leq(reads, answered + SPOOL_READS_AHEAD_MAX);
	}
	for (unsigned n = 0; n < 100; n++)
		cr_assert(asked[n].error == 0 && asked[n].is_right);
}

static unsigned order[3], order_count;

static void
note_order(const struct spool_content *content, int error, void *arg)
{
	(void)content;
	(void)error;
	order[order_count++] = *(unsigned *)arg;
}

Test(spool_reader, answers_come_in_the_order_of_the_questions)
{
	struct spool_reading readings[3] = {{.task = NULL}};
	unsigned numbers[3] = {3, 1, 2};

	for (uint32_t n = 1; n <= 3; n++)
		store(n);
	for (unsigned n = 0; n < 3; n++)
		spool_read(rig.spool, &readings[n], rig_id(numbers[n]), note_order, &numbers[n]);
	while (order_count < 3)
		rig_turn();
	cr_assert(order[0] == 3 && order[1] == 1 && order[2] == 2);
}

/* Those that are read, that wait, and that share: nobody who cancelled hears of it. */
Test(spool_reader, cancelled_while_it_is_read_and_while_it_waits)
{
	for (uint32_t n = 1; n <= 40; n++)
		store(n);
	is_shut = true;
	for (unsigned n = 0; n < 40; n++)
		ask(n, n + 1);
	ask(40, 1);
	wait_reads(1);
	for (unsigned n = 0; n < 40; n++) {
		spool_read_cancel(&asked[n].reading);
		spool_read_cancel(&asked[n].reading);
		cr_assert_not(spool_is_reading(&asked[n].reading));
		memset(&asked[n].reading, 0xff, sizeof asked[n].reading);
	}
	is_shut = false;
	wait_answers(1);
	memset(asked, 0, 40 * sizeof *asked);
	cr_assert_eq(asked[40].error, 0);
	/* those that were not with the thread yet were not read at all */
	ask(41, 40);
	wait_answers(2);
	cr_assert_leq(reads, SPOOL_READS_AHEAD_MAX + 1);
}

static void
cancel_others(const struct spool_content *content, int error, void *arg)
{
	(void)content;
	(void)error;
	(void)arg;
	answered++;
	for (unsigned n = 0; n < 10; n++)
		spool_read_cancel(&asked[n].reading);
	ask(10, 1);
}

/* In the callback of the first all others go, and the same message is asked for again. */
Test(spool_reader, a_callback_may_cancel_the_others_and_ask_again)
{
	struct spool_reading first = {.task = NULL};

	store(1);
	spool_read(rig.spool, &first, rig_id(1), cancel_others, NULL);
	for (unsigned n = 0; n < 10; n++)
		ask(n, 1);
	wait_answers(2);
	cr_assert_eq(asked[10].error, 0);
	cr_assert_eq(reads, 2);
	for (unsigned n = 0; n < 10; n++)
		cr_assert_eq(asked[n].error, -1);
}

static void
finished_while_it_is_read(void (*make)(uint32_t))
{
	make(1);
	is_shut = true;
	ask(0, 1);
	wait_reads(1);
	rig_settle(1);
	ask(1, 1);
	is_shut = false;
	wait_answers(2);
	cr_assert_eq(asked[0].error, ENOENT);
	cr_assert_eq(asked[1].error, ENOENT);
}

Test(spool_reader, a_message_that_is_finished_while_it_is_read)
{
	finished_while_it_is_read(store);
}

Test(spool_reader, a_body_file_that_is_removed_while_it_is_read)
{
	finished_while_it_is_read(store_in_file);
}

/* Its survivors have been copied, all in it is dead: it is not used again before the read ended. */
Test(spool_reader, a_segment_is_not_used_again_while_it_is_read)
{
	store(1);
	store(2);
	is_shut = true;
	ask(0, 1);
	wait_reads(1);
	rig_settle(1);
	rig_settle(2);
	rig_churn(10, 200);
	cr_assert_gt(rig_segments(), 5, "%llu", (unsigned long long)rig_segments());
	is_shut = false;
	wait_answers(1);
	rig_churn(1000, 200);
	cr_assert_leq(rig_segments(), 4, "%llu", (unsigned long long)rig_segments());
}

/* The append is durable although the read does not end before; whoever asked hears nothing. */
Test(spool_reader, close_while_a_read_stands_still)
{
	struct spool_entry e = rig_message(2);
	struct spool_batch b = {.entries = &e, .count = 1, .urgency = SPOOL_LAZY};
	struct spool_message found;

	store(1);
	e.message.envelope = STR("LAST");
	waits_for_last = true;
	ask(0, 1);
	ask(1, 1);
	ask(2, 99);
	wait_reads(1);
	cr_assert_eq(spool_append(rig.spool, &b), 0);
	spool_close(&rig.spool);
	waits_for_last = false;
	cr_assert_eq(answered, 0);
	cr_assert_not(spool_is_reading(&asked[1].reading));
	rig_open_again();
	cr_assert(spool_find(rig.spool, rig_id(2), &found));
}

Test(spool_reader, an_error_is_told_to_all_and_the_next_read_may_succeed)
{
	store(1);
	last_error_wanted = EIO;
	ask(0, 1);
	ask(1, 1);
	wait_answers(2);
	last_error_wanted = 0;
	ask(2, 1);
	wait_answers(3);
	cr_assert(asked[0].error == EIO && asked[1].error == EIO && asked[2].error == 0);
}

Test(spool_reader, no_such_message)
{
	ask(0, 77);
	cr_assert_eq(answered, 0, "never from inside the asking call");
	wait_answers(1);
	cr_assert_eq(asked[0].error, ENOENT);
	cr_assert_eq(reads, 0);
}
