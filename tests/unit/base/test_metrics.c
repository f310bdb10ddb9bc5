/* metrics: main can read everything that a role writes. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metrics.h"

static char text[METRICS_TROUBLE_TEXT_BYTES];

struct metrics_pair {
	int fd;
	const struct metrics_region *region;
};

static struct metrics_pair
metrics_pair(void)
{
	struct metrics_pair p = {.fd = metrics_create()};

	cr_assert(p.fd >= 0);
	cr_assert_eq(metrics_use(p.fd), 0);
	p.region = metrics_map(p.fd);
	cr_assert(p.region);
	return p;
}

Test(metrics, work_is_read)
{
	struct metrics_pair p = metrics_pair();
	struct msgid id;
	uint32_t recipient;

	cr_expect_str_eq(metrics_read_work(p.region, text), "-");
	metrics_work("accept");
	cr_expect_str_eq(metrics_read_work(p.region, text), "accept");
	cr_assert(msgid_parse(STR("1R8K3M7Q4TB2-1"), &id, &recipient));
	metrics_work_id("deliver", id);
	cr_expect_str_eq(metrics_read_work(p.region, text), "deliver 1R8K3M7Q4TB2-1");
	metrics_work_on("check", STR("alice@example.com"));
	cr_expect_str_eq(metrics_read_work(p.region, text), "check alice@example.com");
	metrics_work("sign");
	cr_expect_str_eq(metrics_read_work(p.region, text), "sign");
}

Test(metrics, the_problem_stays_while_work_changes)
{
	struct metrics_pair p = metrics_pair();

	cr_expect_str_eq(metrics_read_trouble(p.region, text), "");
	cr_expect_str_eq(metrics_read_trouble(NULL, text), "");
	metrics_trouble("accounts.db is missing\n");
	metrics_work("accept");
	cr_expect_str_eq(metrics_read_trouble(p.region, text), "accounts.db is missing\\x0A");
	cr_expect_str_eq(metrics_read_work(p.region, text), "accept");
	metrics_trouble("");
	cr_expect_str_eq(metrics_read_trouble(p.region, text), "");
}

/* With any errno. */
Test(metrics, the_problem_text_of_a_disk_is_not_cut)
{
	struct metrics_pair p = metrics_pair();
	char trouble[METRICS_TROUBLE_TEXT_BYTES], read[METRICS_TROUBLE_TEXT_BYTES];

	for (int error = 1; error < 134; error++) {
		snprintf(trouble, sizeof trouble,
		    "the spool cannot be written (%s): messages are answered with 451 until it can",
		    strerror(error));
		metrics_trouble(trouble);
		cr_expect_str_eq(metrics_read_trouble(p.region, read), trouble);
	}
	memset(trouble, 'a', METRICS_TROUBLE_BYTES - 1);
	trouble[METRICS_TROUBLE_BYTES - 1] = 0;
	metrics_trouble(trouble);
	cr_expect_str_eq(metrics_read_trouble(p.region, read), trouble);
	memset(trouble, '\n', METRICS_TROUBLE_BYTES - 1);
	metrics_trouble(trouble);
	cr_expect_eq(strlen(metrics_read_trouble(p.region, read)), 4 * (METRICS_TROUBLE_BYTES - 1));
}

/* Text that a client chose must not end a line of the log or control a terminal. */
Test(metrics, work_is_cut_and_escaped)
{
	struct metrics_pair p = metrics_pair();
	char longest[200];

	metrics_work_on("check", STR("a\nb\x1b[2J\xff\\"));
	cr_expect_str_eq(metrics_read_work(p.region, text), "check a\\x0Ab\\x1B[2J\\xFF\\x5C");
	memset(longest, 1, sizeof longest);
	metrics_work_on(
	    "a word that is longer than its room is", str_make(longest, sizeof longest));
	metrics_read_work(p.region, text);
	cr_expect(strncmp(text, "a word that is longer th", 24) == 0, "%s", text);
	cr_expect_lt(strlen(text), METRICS_TEXT_BYTES);
}

/* A role under an attacker's control writes anything: no NUL anywhere, a version that stays odd. */
Test(metrics, anything_is_readable)
{
	int fd = metrics_create();
	void *own = mmap(NULL, METRICS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	const struct metrics_region *region = metrics_map(fd);

	memset(own, 0xff, METRICS_BYTES);
	metrics_read_work(region, text);
	cr_expect_lt(strlen(text), METRICS_TEXT_BYTES);
	for (const char *c = text; *c; c++)
		cr_expect(*c >= 0x20 && *c < 0x7f);
	cr_expect_eq(ftruncate(fd, 0), -1, "a region that shrinks would end main with SIGBUS");
}

Test(metrics, progress_and_blocking)
{
	struct metrics_pair p = metrics_pair();

	cr_expect_eq(metrics_read_progress(p.region), 0);
	metrics_progress();
	metrics_progress();
	cr_expect_eq(metrics_read_progress(p.region), 2);
	cr_expect(!metrics_read_is_blocking(p.region));
	metrics_blocking(true);
	cr_expect(metrics_read_is_blocking(p.region));
	metrics_blocking(false);
	cr_expect(!metrics_read_is_blocking(p.region));
}

Test(metrics, without_a_region_nothing_is_written)
{
	metrics_leave();
	metrics_work("accept");
	metrics_work_id("deliver", (struct msgid){1, 1});
	metrics_progress();
	metrics_blocking(true);
	cr_expect_str_eq(metrics_read_work(NULL, text), "-");
	cr_expect_eq(metrics_read_progress(NULL), 0);
	cr_expect(!metrics_read_is_blocking(NULL));
}

/* Set for every message, so it may cost at most 20 times what formatting a number costs in the same
 * run. */
Test(metrics, work_is_cheap)
{
	enum { TIMES = 300000, MOST = 20 };
	struct metrics_pair p = metrics_pair();
	int64_t began_us = clock_mono_us(), spent_us, other_us;
	char number[40];

	for (int i = 1; i <= TIMES; i++)
		metrics_work_id("deliver", (struct msgid){1, (uint32_t)i});
	spent_us = clock_mono_us() - began_us;
	began_us = clock_mono_us();
	for (int i = 1; i <= TIMES; i++)
		snprintf(number, sizeof number, "deliver %d", i);
	other_us = clock_mono_us() - began_us;
	cr_expect(strstr(metrics_read_work(p.region, text), "-300000"), "%s", text);
	cr_expect_lt(spent_us, MOST * other_us, "%lld us, %lld us", (long long)spent_us,
	    (long long)other_us);
}
