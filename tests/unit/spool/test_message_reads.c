/* message_reads: a disk that does not respond blocks reads only; a message is read once for all
 * requests; the reads ahead are bounded; and what is read is not overwritten during the read. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "rig.h"
#include "spool/message_reads.h"

enum { REQUESTS_MAX = 1000, BODY_BYTES = 300000 };

static atomic_uint reads;         /* begun */
static atomic_bool is_blocked;    /* no read of the disk ends */
static atomic_bool is_last_synced, waits_for_last;
static atomic_int read_error;
static bool is_last_written;

static ssize_t
watch_pread(struct fsio *f, int fd, void *p, size_t n, off_t at)
{
	reads++;
	while (is_blocked || (waits_for_last && !is_last_synced))
		usleep(1000);
	if (read_error) {
		errno = read_error;
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
	is_blocked = false;
	rig_end();
}

TestSuite(message_reads, .init = begin, .fini = end, .timeout = 60);

/* Stores a message; reads for that do not count. */
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

/* ---- requests ---- */

struct requests {
	struct spool_reading reading;
	int error;                       /* -1: not answered */
	bool is_right;
	off_t file_bytes;
};

static struct requests requests[REQUESTS_MAX];
static unsigned answered;

static void
got(const struct spool_content *content, int error, void *arg)
{
	struct requests *a = arg;

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
request_read(unsigned n, uint32_t number)
{
	requests[n].error = -1;
	spool_read(rig.spool, &requests[n].reading, rig_id(number), got, &requests[n]);
}

static void
wait_answers(unsigned count)
{
	while (answered < count)
		rig_turn();
	cr_assert_eq(answered, count);
}

/* Waits until the thread has begun so many reads. */
static void
wait_reads(unsigned count)
{
	while (reads < count)
		usleep(1000);
}

/* ---- tests ---- */

Test(message_reads, appends_are_answered_while_a_read_is_blocked)
{
	store(1);
	is_blocked = true;
	request_read(0, 1);
	wait_reads(1);
	for (uint32_t n = 2; n < 22; n++) {
		store(n);
		rig_settle(n);
	}
	cr_assert_eq(answered, 0);
	is_blocked = false;
	wait_answers(1);
	cr_assert(requests[0].is_right);
}

Test(message_reads, all_requests_for_a_message_share_one_read)
{
	unsigned turns = 0;

	store(1);
	is_blocked = true;
	for (unsigned n = 0; n < 500; n++)
		request_read(n, 1);
	wait_reads(1);
	for (unsigned n = 500; n < REQUESTS_MAX; n++)
		request_read(n, 1);
	is_blocked = false;
	while (answered < REQUESTS_MAX) {
		unsigned before = answered;

		rig_turn();
		cr_assert_leq(answered - before, SPOOL_READS_CALLS_PER_TURN);
		turns += answered > before;
	}
	cr_assert_eq(reads, 1);
	cr_assert_geq(turns, REQUESTS_MAX / SPOOL_READS_CALLS_PER_TURN);
	for (unsigned n = 0; n < REQUESTS_MAX; n++)
		cr_assert(requests[n].error == 0 && requests[n].is_right);
}

Test(message_reads, a_body_file_is_open_for_each_request)
{
	store_in_file(1);
	for (unsigned n = 0; n < 50; n++)
		request_read(n, 1);
	wait_answers(50);
	cr_assert_eq(reads, 1);
	for (unsigned n = 0; n < 50; n++)
		cr_assert(requests[n].is_right && requests[n].file_bytes == BODY_BYTES);
}

/* Whatever the number of requests is, only so many are read before they are answered. */
Test(message_reads, reads_ahead_are_bounded)
{
	for (uint32_t n = 0; n < 100; n++)
		store(n + 1);
	for (unsigned n = 0; n < 100; n++)
		request_read(n, n + 1);
	wait_reads(SPOOL_READS_AHEAD_MAX);
	usleep(20000);
	cr_assert_eq(reads, SPOOL_READS_AHEAD_MAX);
	while (answered < 100) {
		rig_turn();
		cr_assert_leq(reads, answered + SPOOL_READS_AHEAD_MAX);
	}
	for (unsigned n = 0; n < 100; n++)
		cr_assert(requests[n].error == 0 && requests[n].is_right);
}

static unsigned order[3], order_count;

static void
note_order(const struct spool_content *content, int error, void *arg)
{
	(void)content;
	(void)error;
	order[order_count++] = *(unsigned *)arg;
}

Test(message_reads, answers_come_in_the_order_of_the_requests)
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

/* Cancels reads in progress, waiting ones, and one of two that share a read: none of these is
 * answered. */
Test(message_reads, a_read_can_be_cancelled_in_progress_and_while_it_waits)
{
	for (uint32_t n = 1; n <= 40; n++)
		store(n);
	is_blocked = true;
	for (unsigned n = 0; n < 40; n++)
		request_read(n, n + 1);
	request_read(40, 1);
	wait_reads(1);
	for (unsigned n = 0; n < 40; n++) {
		spool_read_cancel(&requests[n].reading);
		spool_read_cancel(&requests[n].reading);
		cr_assert_not(spool_is_reading(&requests[n].reading));
		memset(&requests[n].reading, 0xff, sizeof requests[n].reading);
	}
	is_blocked = false;
	wait_answers(1);
	memset(requests, 0, 40 * sizeof *requests);
	cr_assert_eq(requests[40].error, 0);
	/* those that the thread had not begun were not read at all */
	request_read(41, 40);
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
		spool_read_cancel(&requests[n].reading);
	request_read(10, 1);
}

/* The first callback cancels all others and requests the same message again. */
Test(message_reads, a_callback_may_cancel_others_and_request_again)
{
	struct spool_reading first = {.task = NULL};

	store(1);
	spool_read(rig.spool, &first, rig_id(1), cancel_others, NULL);
	for (unsigned n = 0; n < 10; n++)
		request_read(n, 1);
	wait_answers(2);
	cr_assert_eq(requests[10].error, 0);
	cr_assert_eq(reads, 2);
	for (unsigned n = 0; n < 10; n++)
		cr_assert_eq(requests[n].error, -1);
}

static void
expect_not_found_when_removed(void (*make)(uint32_t))
{
	make(1);
	is_blocked = true;
	request_read(0, 1);
	wait_reads(1);
	rig_settle(1);
	request_read(1, 1);
	is_blocked = false;
	wait_answers(2);
	cr_assert_eq(requests[0].error, ENOENT);
	cr_assert_eq(requests[1].error, ENOENT);
}

Test(message_reads, a_message_removed_during_its_read_is_not_found)
{
	expect_not_found_when_removed(store);
}

Test(message_reads, a_message_with_a_body_file_removed_during_its_read_is_not_found)
{
	expect_not_found_when_removed(store_in_file);
}

/* Its live messages have been copied, all in it is dead: it is not used again before the read has
 * ended. */
Test(message_reads, a_segment_is_not_used_again_while_it_is_read)
{
	store(1);
	store(2);
	is_blocked = true;
	request_read(0, 1);
	wait_reads(1);
	rig_settle(1);
	rig_settle(2);
	rig_churn(10, 200);
	cr_assert_gt(rig_segments(), 5, "%llu", (unsigned long long)rig_segments());
	is_blocked = false;
	wait_answers(1);
	rig_churn(1000, 200);
	cr_assert_leq(rig_segments(), 4, "%llu", (unsigned long long)rig_segments());
}

/* The append becomes durable before the read ends; the requests are not answered. */
Test(message_reads, close_makes_appends_durable_while_a_read_is_blocked)
{
	struct spool_entry e = rig_message(2);
	struct spool_batch b = {.entries = &e, .count = 1, .urgency = SPOOL_LAZY};
	struct spool_message found;

	store(1);
	e.message.envelope = STR("LAST");
	waits_for_last = true;
	request_read(0, 1);
	request_read(1, 1);
	request_read(2, 99);
	wait_reads(1);
	cr_assert_eq(spool_append(rig.spool, &b), 0);
	spool_close(&rig.spool);
	waits_for_last = false;
	cr_assert_eq(answered, 0);
	cr_assert_not(spool_is_reading(&requests[1].reading));
	rig_open_again();
	cr_assert(spool_find(rig.spool, rig_id(2), &found));
}

Test(message_reads, an_error_answers_all_requests_and_the_next_read_may_succeed)
{
	store(1);
	read_error = EIO;
	request_read(0, 1);
	request_read(1, 1);
	wait_answers(2);
	read_error = 0;
	request_read(2, 1);
	wait_answers(3);
	cr_assert(requests[0].error == EIO && requests[1].error == EIO && requests[2].error == 0);
}

Test(message_reads, a_missing_message_is_answered_without_a_read)
{
	request_read(0, 77);
	cr_assert_eq(answered, 0, "never from inside the asking call");
	wait_answers(1);
	cr_assert_eq(requests[0].error, ENOENT);
	cr_assert_eq(reads, 0);
}
