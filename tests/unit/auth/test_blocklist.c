/* Blocks of the operator: which logins they refuse, how long they hold, and that they stay in the
 * file. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/blocklist.h"
#include "base/clock.h"

enum { NOW_MS = 1000000, HOUR_MS = 3600000 };

static char directory[64];
static int directory_fd;

static void
set_up_directory(void)
{
	snprintf(directory, sizeof directory, "/tmp/sallyport-blocks-XXXXXX");
	cr_assert_not_null(mkdtemp(directory));
	directory_fd = open(directory, O_RDONLY | O_DIRECTORY);
	clock_fake(NOW_MS);
}

static void
remove_directory(void)
{
	(void)unlinkat(directory_fd, "blocks", 0);
	(void)unlinkat(directory_fd, "blocks.new", 0);
	cr_expect_eq(rmdir(directory), 0);
	close(directory_fd);
	clock_fake(-1);
}

TestSuite(blocklist, .init = set_up_directory, .fini = remove_directory);

static struct blocklist_entry
block_of(const char *target, int64_t for_ms)
{
	struct blocklist_entry b = {.since_ms = NOW_MS, .until_ms = NOW_MS + for_ms, .by = "root",
	    .reason = "it guesses"};

	cr_assert(blocklist_target_parse(str_of(target), &b.target), "%s", target);
	return b;
}

/* ---- a disk with faults ---- */

enum call { NO_CALL, OPEN, PREAD, PWRITEV, SYNC_DATA, CLOSE, RENAME, SYNC_DIRECTORY, CALLS };

static struct {
	const struct fsio_ops *real;
	enum call fails; /* with this errno */
	int error;
} fault;

static bool
is_fault(enum call call)
{
	if (fault.fails != call)
		return false;
	errno = fault.error;
	return true;
}

static int
try_open(struct fsio *f, const char *name, int flags)
{
	return is_fault(OPEN) ? -1 : fault.real->open(f, name, flags);
}

static ssize_t
try_pread(struct fsio *f, int fd, void *p, size_t n, off_t at)
{
	return is_fault(PREAD) ? -1 : fault.real->pread(f, fd, p, n, at);
}

static ssize_t
try_pwritev(struct fsio *f, int fd, const struct iovec *v, int count, off_t at)
{
	return is_fault(PWRITEV) ? -1 : fault.real->pwritev(f, fd, v, count, at);
}

static int
try_sync_data(struct fsio *f, int fd)
{
	return is_fault(SYNC_DATA) ? -1 : fault.real->sync_data(f, fd);
}

static int
try_close(struct fsio *f, int fd)
{
	int result = fault.real->close(f, fd);

	return is_fault(CLOSE) ? -1 : result;
}

static int
try_rename(struct fsio *f, const char *from, const char *to)
{
	return is_fault(RENAME) ? -1 : fault.real->rename(f, from, to);
}

static int
try_sync_directory(struct fsio *f)
{
	return is_fault(SYNC_DIRECTORY) ? -1 : fault.real->sync_directory(f);
}

static struct blocklist *
open_blocks(void)
{
	static struct fsio_ops ops;
	struct fsio *disk = fsio_new(dup(directory_fd));

	fault.real = disk->ops;
	ops = *disk->ops;
	ops.open = try_open;
	ops.pread = try_pread;
	ops.pwritev = try_pwritev;
	ops.sync_data = try_sync_data;
	ops.close = try_close;
	ops.rename = try_rename;
	ops.sync_directory = try_sync_directory;
	disk->ops = &ops;
	return blocklist_new(disk);
}

static void
fail_call(enum call call, int error)
{
	fault.fails = call;
	fault.error = error;
}

static void
add_name(const struct blocklist_entry *block, void *arg)
{
	char buffer[NETWORK_TEXT_BYTES];
	struct buf *names = arg;

	buf_addf(names, "%.*s ", STR_ARG(blocklist_target_text(&block->target, buffer)));
}

/* Compares all targets, in their order. */
static void
expect_names(struct blocklist *b, const char *expected, const char *when)
{
	struct buf names;

	buf_init(&names, 1024);
	blocklist_each(b, add_name, &names);
	buf_addc(&names, 0);
	cr_expect_str_eq(names.p, expected, "%s: %s", when, names.p);
	buf_clear(&names);
}

/* ---- which logins are blocked, and for how long ---- */

static bool
is_blocked(struct blocklist *b, const char *user, const char *ip)
{
	struct network client;

	cr_assert(network_parse(str_of(ip), &client));
	return blocklist_find(b, str_of(user), &client) != NULL;
}

Test(blocklist, networks_and_users_are_blocked)
{
	struct blocklist *b = open_blocks();
	struct blocklist_entry network = block_of("198.51.100.0/24", HOUR_MS),
	                       user = block_of("Bob@example.com", 2 * HOUR_MS);

	cr_assert_eq(blocklist_add(b, &network), BLOCKLIST_OK);
	cr_assert_eq(blocklist_add(b, &user), BLOCKLIST_OK);
	cr_expect(is_blocked(b, "alice@example.com", "198.51.100.7"));
	cr_expect_not(is_blocked(b, "alice@example.com", "198.51.101.7"));
	cr_expect(is_blocked(b, "bob@example.com", "192.0.2.1"));
	cr_expect(blocklist_find(b, STR("bob@example.com"), NULL));
	cr_expect_eq(blocklist_remove(b, &network.target), BLOCKLIST_OK);
	cr_expect_eq(blocklist_remove(b, &network.target), BLOCKLIST_NONE);
	cr_expect_not(is_blocked(b, "alice@example.com", "198.51.100.7"));
	blocklist_free(&b);
}

Test(blocklist, blocks_end_at_their_time)
{
	struct blocklist *b = open_blocks();
	struct blocklist_entry network = block_of("2001:db8::/32", HOUR_MS);

	cr_assert_eq(blocklist_add(b, &network), BLOCKLIST_OK);
	clock_fake(NOW_MS + HOUR_MS - 1);
	cr_expect(is_blocked(b, "alice@example.com", "2001:db8::7"));
	clock_fake(NOW_MS + HOUR_MS);
	cr_expect_not(is_blocked(b, "alice@example.com", "2001:db8::7"));
	cr_expect_eq(blocklist_remove(b, &network.target), BLOCKLIST_NONE);
	blocklist_free(&b);
}

static void
copy_block(const struct blocklist_entry *block, void *arg)
{
	*(struct blocklist_entry *)arg = *block;
}

Test(blocklist, blocks_are_read_after_a_restart)
{
	struct blocklist *b = open_blocks();
	struct blocklist_entry user = block_of("Bob@example.com", HOUR_MS),
	                       longer = block_of("bob@example.com", 3 * HOUR_MS);
	struct blocklist_entry found = {0};
	struct stat st;

	cr_assert_eq(blocklist_add(b, &user), BLOCKLIST_OK);
	longer.reason[0] = '\0';
	cr_assert_eq(blocklist_add(b, &longer), BLOCKLIST_OK, "in its place");
	blocklist_free(&b);
	cr_assert_eq(fstatat(directory_fd, "blocks", &st, 0), 0);
	cr_expect_eq(st.st_mode & 0777, 0600);
	b = open_blocks();
	cr_expect_str_eq(blocklist_error(b), "");
	blocklist_each(b, copy_block, &found);
	cr_expect_str_eq(found.target.user, "bob@example.com");
	cr_expect_str_eq(found.by, "root");
	cr_expect_str_eq(found.reason, "");
	cr_expect_eq(found.until_ms, NOW_MS + 3 * HOUR_MS);
	blocklist_free(&b);
}

/* ---- a file that cannot be read ---- */

/* The first line that is not valid, and how many blocks hold. */
static const struct {
	const char *text;
	unsigned line, holding_count;
} bad_files[] = {
    {"", 1, 0},
    {"sallyport blocks 2\n1\t9999999\tbob\troot\t\n", 1, 0},
    {"sallyport blocks 1\n1\t9999999\tbob\troot", 2, 0},
    {"sallyport blocks 1\n1\t9999999\tbob\n", 2, 0},
    {"sallyport blocks 1\n1\t9999999\tann\troot\t\nx\t9999999\tbob\troot\t\n", 3, 1},
    {"sallyport blocks 1\n1\t9999999\t192.0.2.1/24\troot\t\n1\t9999999\tann\troot\t\n", 2, 1},
    {"sallyport blocks 1\n1\t9999999\tann\troot\t\n1\t9999999\tbob\troot\ta\tb\n\n", 3, 1},
    {"sallyport blocks 1\n\n1\t9999999\tann\troot\t\n1\t9999999\tbob\troot\t\n", 2, 2},
};

static int
write_blocks(const char *text)
{
	int fd = openat(directory_fd, "blocks", O_RDWR | O_CREAT | O_TRUNC, 0600);

	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

static void
count_block(const struct blocklist_entry *block, void *arg)
{
	(void)block;
	++*(unsigned *)arg;
}

/* An invalid line is not overwritten, and the other blocks hold. */
Test(blocklist, an_invalid_line_is_not_overwritten)
{
	for (size_t i = 0; i < sizeof bad_files / sizeof *bad_files; i++) {
		struct blocklist_entry user = block_of("bob", HOUR_MS);
		char text[256] = "", prefix[32];
		unsigned holding = 0;
		struct blocklist *b;
		int fd = write_blocks(bad_files[i].text);

		snprintf(prefix, sizeof prefix, "blocks:%u: ", bad_files[i].line);
		b = open_blocks();
		cr_expect(
		    strstr(blocklist_error(b), prefix), "case %zu: %s", i, blocklist_error(b));
		blocklist_each(b, count_block, &holding);
		cr_expect_eq(holding, bad_files[i].holding_count, "case %zu: %u", i, holding);
		cr_expect_eq(blocklist_add(b, &user), BLOCKLIST_BROKEN);
		cr_expect_eq(blocklist_remove(b, &user.target), BLOCKLIST_BROKEN);
		blocklist_free(&b);
		cr_expect_geq(pread(fd, text, sizeof text - 1, 0), 0);
		cr_expect_str_eq(text, bad_files[i].text);
		close(fd);
	}
}

/* The counts of refused logins stay. */
Test(blocklist, a_corrected_file_is_read_again)
{
	struct blocklist *b;
	struct blocklist_entry *ann;

	close(write_blocks("sallyport blocks 1\njunk\n1\t9999999\tann\troot\t\n"));
	b = open_blocks();
	ann = blocklist_find(b, STR("ann"), NULL);
	cr_assert_not_null(ann);
	blocklist_note_refused(&ann->refused, STR("ann"), STR("192.0.2.7"));
	close(
	    write_blocks("sallyport blocks 1\n1\t9999999\tbob\troot\t\n1\t9999999\tann\troot\t\n"));
	fail_call(PREAD, EIO);
	blocklist_read_again(b);
	cr_expect(strstr(blocklist_error(b), strerror(EIO)), "%s", blocklist_error(b));
	expect_names(b, "ann ", "what was read still holds");
	fail_call(NO_CALL, 0);
	blocklist_read_again(b);
	cr_expect_str_eq(blocklist_error(b), "");
	expect_names(b, "bob ann ", "corrected");
	ann = blocklist_find(b, STR("ann"), NULL);
	cr_expect_eq(ann->refused.count, 1);
	blocklist_free(&b);
}

Test(blocklist, a_failed_read_is_repeated)
{
	static const enum call calls[] = {OPEN, PREAD};
	struct blocklist_entry user = block_of("bob@example.com", HOUR_MS);
	struct blocklist *b = open_blocks();

	cr_assert_eq(blocklist_add(b, &user), BLOCKLIST_OK);
	blocklist_free(&b);
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		fail_call(calls[i], i == 0 ? EMFILE : EIO);
		b = open_blocks();
		cr_expect(
		    strstr(blocklist_error(b), strerror(fault.error)), "%s", blocklist_error(b));
		cr_expect_not(is_blocked(b, "bob@example.com", "192.0.2.1"));
		fail_call(NO_CALL, 0);
		cr_expect_eq(blocklist_add(b, &user), BLOCKLIST_BROKEN);
		blocklist_read_again(b);
		cr_expect_str_eq(blocklist_error(b), "");
		cr_expect(is_blocked(b, "bob@example.com", "192.0.2.1"));
		blocklist_free(&b);
	}
	b = blocklist_new(NULL);
	blocklist_read_again(b);
	cr_expect_str_neq(blocklist_error(b), "");
	blocklist_free(&b);
}

/* ---- a disk that cannot be written ---- */

static void
expect_file(const char *expected, const char *when)
{
	struct blocklist *b = open_blocks();

	expect_names(b, expected, when);
	blocklist_free(&b);
}

/* A change that could not be written is undone in memory, and the order is as before. */
Test(blocklist, a_failed_write_changes_nothing)
{
	static const enum call calls[] = {OPEN, PWRITEV, SYNC_DATA, CLOSE, RENAME};
	struct blocklist *b = open_blocks();
	struct blocklist_entry bob = block_of("bob", HOUR_MS), net = block_of("192.0.2.1", HOUR_MS),
		     ann = block_of("ann", HOUR_MS), other = block_of("carl", HOUR_MS);

	cr_assert_eq(blocklist_add(b, &bob), BLOCKLIST_OK);
	cr_assert_eq(blocklist_add(b, &net), BLOCKLIST_OK);
	cr_assert_eq(blocklist_add(b, &ann), BLOCKLIST_OK);
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		struct blocklist_entry longer = net;

		longer.until_ms += HOUR_MS;
		fail_call(calls[i], ENOSPC);
		errno = 0;
		cr_expect_eq(blocklist_add(b, &other), BLOCKLIST_BROKEN, "call %d", calls[i]);
		cr_expect_eq(errno, ENOSPC, "call %d: %d", calls[i], errno);
		cr_expect_eq(blocklist_add(b, &longer), BLOCKLIST_BROKEN);
		cr_expect_eq(blocklist_remove(b, &bob.target), BLOCKLIST_BROKEN);
		fail_call(NO_CALL, 0);
		cr_expect_str_eq(blocklist_error(b), "");
		expect_names(b, "bob 192.0.2.1/32 ann ", "in memory");
		expect_file("bob 192.0.2.1/32 ann ", "in the file");
		clock_fake(NOW_MS + HOUR_MS - 1);
		cr_expect(is_blocked(b, "x", "192.0.2.1"));
		clock_fake(NOW_MS + HOUR_MS);
		cr_expect_not(is_blocked(b, "x", "192.0.2.1"), "the longer block was not added");
		clock_fake(NOW_MS);
	}
	blocklist_free(&b);
}

/* After the rename a start reads the new file; only a crash of the system may undo it. */
Test(blocklist, a_failed_directory_sync_keeps_the_change)
{
	struct blocklist *b = open_blocks();
	struct blocklist_entry bob = block_of("bob", HOUR_MS), ann = block_of("ann", HOUR_MS);

	cr_assert_eq(blocklist_add(b, &bob), BLOCKLIST_OK);
	fail_call(SYNC_DIRECTORY, EIO);
	errno = 0;
	cr_expect_eq(blocklist_add(b, &ann), BLOCKLIST_UNSURE);
	cr_expect_eq(errno, EIO);
	expect_names(b, "bob ann ", "in memory");
	expect_file("bob ann ", "in the file");
	cr_expect_eq(blocklist_remove(b, &bob.target), BLOCKLIST_UNSURE);
	expect_names(b, "ann ", "in memory");
	expect_file("ann ", "in the file");
	fail_call(NO_CALL, 0);
	cr_expect_eq(blocklist_remove(b, &ann.target), BLOCKLIST_OK);
	blocklist_free(&b);
}

/* A block that replaces another one becomes the newest. */
Test(blocklist, blocks_are_ordered_by_time)
{
	static const char *const names[] = {"bob", "ann", "carl", "bob"};
	struct blocklist *b = open_blocks();

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct blocklist_entry one = block_of(names[i], HOUR_MS);

		one.since_ms += (int64_t)i;
		cr_assert_eq(blocklist_add(b, &one), BLOCKLIST_OK);
	}
	expect_names(b, "ann carl bob ", "in memory");
	expect_file("ann carl bob ", "in the file");
	blocklist_free(&b);
}

Test(blocklist, the_number_is_bounded)
{
	struct blocklist *b = open_blocks();
	struct blocklist_entry more = block_of("192.0.2.1", HOUR_MS);
	char text[32];

	for (int i = 0; i < BLOCKLIST_MAX; i++) {
		struct blocklist_entry one;

		snprintf(text, sizeof text, "10.0.%d.%d", i / 256, i % 256);
		one = block_of(text, HOUR_MS);
		cr_assert_eq(blocklist_add(b, &one), BLOCKLIST_OK);
	}
	cr_expect_eq(blocklist_add(b, &more), BLOCKLIST_FULL);
	clock_fake(NOW_MS + HOUR_MS);
	more.until_ms += HOUR_MS;
	cr_expect_eq(blocklist_add(b, &more), BLOCKLIST_OK, "blocks that have ended are removed");
	blocklist_free(&b);
}

Test(blocklist, targets_are_parsed)
{
	struct blocklist_target t;
	char buffer[NETWORK_TEXT_BYTES];

	cr_expect(blocklist_target_parse(STR("192.0.2.7"), &t) && t.is_network);
	cr_expect(str_eq(blocklist_target_text(&t, buffer), STR("192.0.2.7/32")));
	cr_expect(blocklist_target_parse(STR("Alice"), &t) && !t.is_network);
	cr_expect(str_eq(blocklist_target_text(&t, buffer), STR("alice")));
	cr_expect_not(blocklist_target_parse(STR("192.0.2.7/24"), &t));
	cr_expect_not(blocklist_target_parse(STR(""), &t));
	cr_expect_not(blocklist_target_parse(STR("a\tb"), &t));
}
