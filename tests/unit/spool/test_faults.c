/* completion: whether an error shows that the disk failed.  After a failure of the disk nothing
 * proves that it can be written (completion_stored_ms); after an error of the message itself it is
 * still proven. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "rig.h"
#include "spool/completion.h"

enum { BODY_BYTES = 200000, BURST = 60, BURST_BODY_BYTES = 60000, WAIT_MS = 300 };

enum faulty { NOTHING, WRITE_BACK, SYNC_BODY, NAME, SYNC_DIRECTORY, NEW_FILE, FAULTY_KINDS };

static const char *const words[FAULTY_KINDS] = {"nothing", "write back", "sync of the body", "name",
    "sync of the directory", "new file"};

static atomic_int failing_operation;     /* this fails with EIO */
static atomic_int body_fd;
static atomic_bool is_log_blocked;       /* syncs of the log do not end */
static atomic_bool is_slow;              /* syncs of a body take longer than a client waits */
static atomic_bool is_small;             /* the disk has no room for another segment */

static bool
fails(enum faulty what)
{
	errno = EIO;
	return failing_operation == (int)what;
}

static int
watch_sync_data(struct fsio *f, int fd)
{
	if (fd != body_fd)
		rig_block(&is_log_blocked);
	else if (is_slow)
		usleep(WAIT_MS * 1500);
	return fd == body_fd && fails(SYNC_BODY) ? -1 : rig.disk->sync_data(f, fd);
}

static int
watch_write_back(struct fsio *f, int fd, off_t at, off_t bytes)
{
	return fails(WRITE_BACK) ? -1 : rig.disk->write_back(f, fd, at, bytes);
}

static int
watch_name(struct fsio *f, int fd, const char *name)
{
	return fails(NAME) ? -1 : rig.disk->name(f, fd, name);
}

static int
watch_sync_directory(struct fsio *f)
{
	return fails(SYNC_DIRECTORY) ? -1 : rig.disk->sync_directory(f);
}

static int
watch_open(struct fsio *f, const char *name, int flags)
{
	return (flags & O_CREAT) && fails(NEW_FILE) ? -1 : rig.disk->open(f, name, flags);
}

static int
watch_space(struct fsio *f, uint64_t *free_out, uint64_t *total_out)
{
	int result = rig.disk->space(f, free_out, total_out);

	*free_out = is_small ? *total_out / 100 : *total_out;
	return result;
}

static void
watch(struct fsio_ops *ops)
{
	ops->sync_data = watch_sync_data;
	ops->write_back = watch_write_back;
	ops->name = watch_name;
	ops->sync_directory = watch_sync_directory;
	ops->open = watch_open;
	ops->space = watch_space;
}

static void
begin(void)
{
	struct spool_options o = {.segment_bytes = 1 << 20, .minimum_free_percent = 5};

	rig_begin(&o, watch);
}

TestSuite(faults, .init = begin, .fini = rig_end, .timeout = 60);

static bool
is_disk_writable(void)
{
	return completion_stored_ms(rig.spool) != 0;
}

static int
append_body(uint32_t number, const char *wrong)
{
	struct spool_entry e = rig_message_in_file(number, BODY_BYTES);
	int answer;

	body_fd = e.message.fd;
	if (wrong)
		cr_assert_eq(pwrite(body_fd, wrong, strlen(wrong), 1000), (ssize_t)strlen(wrong));
	rig_append_soon(&e, 1, &answer);
	rig_until(&answer);
	body_fd = -1;
	return answer;
}

Test(faults, a_body_that_the_disk_refuses_is_a_disk_failure)
{
	for (enum faulty what = WRITE_BACK; what <= SYNC_DIRECTORY; what++) {
		rig_store(10 * what);
		cr_assert(is_disk_writable());
		failing_operation = (int)what;
		cr_assert_eq(append_body(10 * what + 1, NULL), EIO, "%s", words[what]);
		cr_expect_not(is_disk_writable(), "%s", words[what]);
		failing_operation = NOTHING;
		rig_store(10 * what + 2);
		cr_assert(is_disk_writable());
	}
}

Test(faults, a_body_with_bare_lf_is_no_disk_failure)
{
	rig_store(1);
	cr_assert_eq(append_body(2, "\n.\nMAIL"), EILSEQ);
	cr_expect(is_disk_writable());
}

Test(faults, a_late_body_is_no_disk_failure)
{
	rig.options.message_wait_ms = WAIT_MS;
	rig_open_again();
	rig_store(1);
	is_slow = true;
	cr_assert_eq(append_body(2, NULL), ETIMEDOUT);
	is_slow = false;
	cr_expect(is_disk_writable());
}

/* Appends more than the existing segments hold, in one batch; returns the error of the last
 * message. */
static int
append_burst(void)
{
	static char body[BURST_BODY_BYTES];
	static int answers[BURST];
	int first;

	memset(body, 'x', sizeof body);
	memcpy(body + sizeof body - 2, "\r\n", 2);
	is_log_blocked = true;
	rig_store_soon(1, &first);
	while (!rig_blocked)
		usleep(1000);
	for (uint32_t i = 0; i < BURST; i++) {
		struct spool_entry e = rig_message(2 + i);

		e.message.body = str_make(body, sizeof body);
		rig_append_soon(&e, 1, &answers[i]);
	}
	is_log_blocked = false;
	for (int i = 0; i < BURST; i++)
		rig_until(&answers[i]);
	cr_assert_eq(first, 0);
	cr_assert_eq(answers[0], 0);
	return answers[BURST - 1];
}

Test(faults, a_segment_that_cannot_be_made_is_a_disk_failure)
{
	failing_operation = NEW_FILE;
	cr_assert_eq(append_burst(), EIO);
	cr_expect_not(is_disk_writable());
}

Test(faults, a_full_disk_is_no_disk_failure)
{
	is_small = true;
	cr_assert_eq(append_burst(), ENOSPC);
	cr_expect(is_disk_writable());
}
