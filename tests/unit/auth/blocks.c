/* Blocks of the operator: whom they mean, how long they hold, and that the file keeps them. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/blocks.h"
#include "base/clock.h"

enum { NOW_MS = 1000000, HOUR_MS = 3600000 };

static char directory[64];
static int directory_fd;

static void
make(void)
{
	snprintf(directory, sizeof directory, "/tmp/sallyport-blocks-XXXXXX");
	cr_assert_not_null(mkdtemp(directory));
	directory_fd = open(directory, O_RDONLY | O_DIRECTORY);
	clock_fake(NOW_MS);
}

static void
clean(void)
{
	(void)unlinkat(directory_fd, "blocks", 0);
	(void)unlinkat(directory_fd, "blocks.new", 0);
	(void)unlinkat(directory_fd, "blocks.new", AT_REMOVEDIR);
	cr_expect_eq(rmdir(directory), 0);
	close(directory_fd);
	clock_fake(-1);
}

TestSuite(blocks, .init = make, .fini = clean);

static struct block
block_of(const char *target, int64_t for_ms)
{
	struct block b = {.since_ms = NOW_MS, .until_ms = NOW_MS + for_ms, .by = "root",
	    .reason = "it guesses"};

	cr_assert(block_target_parse(str_of(target), STR("example.com"), &b.target), "%s", target);
	return b;
}

static bool
holds(struct blocks *b, const char *user, const char *ip)
{
	struct network client;

	cr_assert(network_parse(str_of(ip), &client));
	return blocks_find(b, str_of(user), &client) != NULL;
}

Test(blocks, of_networks_and_users)
{
	struct blocks *b = blocks_new(directory_fd);
	struct block network = block_of("198.51.100.0/24", HOUR_MS), user = block_of("Bob", 2 * HOUR_MS);

	cr_assert_eq(blocks_add(b, &network), BLOCKS_OK);
	cr_assert_eq(blocks_add(b, &user), BLOCKS_OK);
	cr_expect(holds(b, "alice@example.com", "198.51.100.7"));
	cr_expect_not(holds(b, "alice@example.com", "198.51.101.7"));
	cr_expect(holds(b, "bob@example.com", "192.0.2.1"));
	cr_expect(blocks_find(b, STR("bob@example.com"), NULL));
	cr_expect_eq(blocks_remove(b, &network.target), BLOCKS_OK);
	cr_expect_eq(blocks_remove(b, &network.target), BLOCKS_NONE);
	cr_expect_not(holds(b, "alice@example.com", "198.51.100.7"));
	blocks_free(&b);
}

Test(blocks, end_by_themselves)
{
	struct blocks *b = blocks_new(directory_fd);
	struct block network = block_of("2001:db8::/32", HOUR_MS);

	cr_assert_eq(blocks_add(b, &network), BLOCKS_OK);
	clock_fake(NOW_MS + HOUR_MS - 1);
	cr_expect(holds(b, "alice@example.com", "2001:db8::7"));
	clock_fake(NOW_MS + HOUR_MS);
	cr_expect_not(holds(b, "alice@example.com", "2001:db8::7"));
	cr_expect_eq(blocks_remove(b, &network.target), BLOCKS_NONE);
	blocks_free(&b);
}

static void
keep_block(const struct block *block, void *arg)
{
	*(struct block *)arg = *block;
}

Test(blocks, are_there_after_a_start)
{
	struct blocks *b = blocks_new(directory_fd);
	struct block user = block_of("bob", HOUR_MS), longer = block_of("bob@example.com", 3 * HOUR_MS);
	struct block found = {0};
	struct stat st;

	cr_assert_eq(blocks_add(b, &user), BLOCKS_OK);
	longer.reason[0] = '\0';
	cr_assert_eq(blocks_add(b, &longer), BLOCKS_OK, "in its place");
	blocks_free(&b);
	cr_assert_eq(fstatat(directory_fd, "blocks", &st, 0), 0);
	cr_expect_eq(st.st_mode & 0777, 0600);
	b = blocks_new(directory_fd);
	cr_expect_str_eq(blocks_error(b), "");
	blocks_each(b, keep_block, &found);
	cr_expect_str_eq(found.target.user, "bob@example.com");
	cr_expect_str_eq(found.by, "root");
	cr_expect_str_eq(found.reason, "");
	cr_expect_eq(found.until_ms, NOW_MS + 3 * HOUR_MS);
	blocks_free(&b);
}

static const char *const nonsense[] = {
    "",
    "sallyport blocks 2\n",
    "sallyport blocks 1",
    "sallyport blocks 1\n1\t2\tbob@example.com\troot",
    "sallyport blocks 1\n1\t2\tbob@example.com\n",
    "sallyport blocks 1\nx\t2\tbob@example.com\troot\t\n",
    "sallyport blocks 1\n1\t2\t192.0.2.1/24\troot\t\n",
    "sallyport blocks 1\n1\t2\tbob\troot\ta\tb\n",
    "sallyport blocks 1\n\n",
};

/* What cannot be read is not overwritten. */
Test(blocks, a_file_that_makes_no_sense_stays)
{
	for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
		struct block user = block_of("bob", HOUR_MS);
		char text[256] = "";
		struct blocks *b;
		int fd = openat(directory_fd, "blocks", O_RDWR | O_CREAT | O_TRUNC, 0600);

		cr_assert_eq(write(fd, nonsense[i], strlen(nonsense[i])), (ssize_t)strlen(nonsense[i]));
		b = blocks_new(directory_fd);
		cr_expect(strstr(blocks_error(b), "is not valid"), "case %zu", i);
		cr_expect_eq(blocks_add(b, &user), BLOCKS_BROKEN);
		cr_expect_eq(blocks_remove(b, &user.target), BLOCKS_BROKEN);
		blocks_free(&b);
		cr_expect_geq(pread(fd, text, sizeof text - 1, 0), 0);
		cr_expect_str_eq(text, nonsense[i]);
		close(fd);
	}
}

/* A change that is not on the disk did not happen. */
Test(blocks, a_disk_that_fails_changes_nothing)
{
	struct blocks *b = blocks_new(directory_fd);
	struct block user = block_of("bob", HOUR_MS), other = block_of("192.0.2.1", HOUR_MS);

	cr_assert_eq(blocks_add(b, &user), BLOCKS_OK);
	cr_assert_eq(mkdirat(directory_fd, "blocks.new", 0700), 0);
	cr_expect_eq(blocks_add(b, &other), BLOCKS_BROKEN);
	cr_expect_not(holds(b, "alice@example.com", "192.0.2.1"));
	cr_expect_eq(blocks_remove(b, &user.target), BLOCKS_BROKEN);
	cr_expect(holds(b, "bob@example.com", "192.0.2.2"));
	blocks_free(&b);
}

Test(blocks, are_bounded)
{
	struct blocks *b = blocks_new(directory_fd);
	struct block more = block_of("192.0.2.1", HOUR_MS);
	char text[32];

	for (int i = 0; i < BLOCKS_MAX; i++) {
		struct block one;

		snprintf(text, sizeof text, "10.0.%d.%d", i / 256, i % 256);
		one = block_of(text, HOUR_MS);
		cr_assert_eq(blocks_add(b, &one), BLOCKS_OK);
	}
	cr_expect_eq(blocks_add(b, &more), BLOCKS_FULL);
	clock_fake(NOW_MS + HOUR_MS);
	more.until_ms += HOUR_MS;
	cr_expect_eq(blocks_add(b, &more), BLOCKS_OK, "those that are over make room");
	blocks_free(&b);
}

Test(blocks, targets)
{
	struct block_target t;
	char room[NETWORK_TEXT_BYTES];

	cr_expect(block_target_parse(STR("192.0.2.7"), STR("example.com"), &t) && t.is_network);
	cr_expect(str_eq(block_target_text(&t, room), STR("192.0.2.7/32")));
	cr_expect(block_target_parse(STR("Alice"), STR("example.com"), &t) && !t.is_network);
	cr_expect(str_eq(block_target_text(&t, room), STR("alice@example.com")));
	cr_expect_not(block_target_parse(STR("192.0.2.7/24"), STR("example.com"), &t));
	cr_expect_not(block_target_parse(STR(""), STR("example.com"), &t));
	cr_expect_not(block_target_parse(STR("a\tb"), STR("example.com"), &t));
}
