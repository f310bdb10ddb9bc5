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

/* ---- counters and gauges ---- */

Test(metrics, a_counter_is_read)
{
	struct metrics_pair p = metrics_pair();
	uint64_t value = 7;

	cr_expect(metrics_read(p.region, METRIC_SESSIONS, &value));
	cr_expect_eq(value, 0);
	metrics_count(METRIC_SESSIONS, 1);
	metrics_count(METRIC_SESSIONS, 4);
	metrics_count(METRIC_LOGINS_OK, 0);
	cr_expect(metrics_read(p.region, METRIC_SESSIONS, &value));
	cr_expect_eq(value, 5);
	cr_expect(metrics_read(p.region, METRIC_LOGINS_OK, &value));
	cr_expect_eq(value, 0);
	metrics_set(METRIC_SPOOL_SYNCS, 12);
	cr_expect(metrics_read(p.region, METRIC_SPOOL_SYNCS, &value));
	cr_expect_eq(value, 12);
}

/* An empty queue and one whose size nobody knows are two things. */
Test(metrics, a_gauge_has_a_value_when_it_is_set)
{
	struct metrics_pair p = metrics_pair();
	uint64_t value = 7;

	cr_expect(!metrics_read(p.region, METRIC_QUEUE_MESSAGES, &value));
	cr_expect_eq(value, 0);
	metrics_set(METRIC_QUEUE_MESSAGES, 0);
	cr_expect(metrics_read(p.region, METRIC_QUEUE_MESSAGES, &value));
	cr_expect_eq(value, 0);
	metrics_set(METRIC_QUEUE_MESSAGES, 3);
	cr_expect(metrics_read(p.region, METRIC_QUEUE_MESSAGES, &value));
	cr_expect_eq(value, 3);
}

Test(metrics, a_process_without_a_region_counts_nothing)
{
	uint64_t value = 7;

	metrics_leave();
	metrics_count(METRIC_SESSIONS, 1);
	metrics_set(METRIC_QUEUE_MESSAGES, 1);
	cr_expect(!metrics_read(NULL, METRIC_SESSIONS, &value));
	cr_expect_eq(value, 0);
	cr_expect(!metrics_read(NULL, METRIC_QUEUE_MESSAGES, &value));
}

Test(metrics, values_are_shown_in_the_unit_of_their_row)
{
	char out[METRIC_VALUE_BYTES];

	cr_expect_str_eq(metric_value_text(METRIC_SPOOL_SYNC_TIME, 12050, out), "12.050");
	cr_expect_str_eq(metric_value_text(METRIC_QUEUE_OLDEST, 12050, out), "12050");
	cr_expect_str_eq(metric_value_text(METRIC_SESSIONS, UINT64_MAX, out),
	    "18446744073709551615");
}

/* ---- the table ---- */

static bool
metric_ends_in(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n > m && strcmp(name + n - m, end) == 0;
}

static bool
metric_is_word(const char *word)
{
	return word[0] >= 'a' && word[0] <= 'z' &&
	    word[strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_")] == 0;
}

/* Names as Prometheus recommends them: one prefix, base units, and _total for counters. */
Test(metric_table, names_follow_the_conventions)
{
	for (enum metric m = 0; m < METRIC_COUNT; m++) {
		const struct metric_row *row = &metric_table[m];

		cr_assert(row->name, "row %d is missing", (int)m);
		cr_expect(strncmp(row->name, "sallyport_", 10) == 0 && metric_is_word(row->name),
		    "%s", row->name);
		cr_expect(row->help && row->help[0] && !strpbrk(row->help, "\n\\"), "%s",
		    row->name);
		cr_expect_eq(metric_ends_in(row->name, "_total"), row->type == METRIC_COUNTER, "%s",
		    row->name);
		cr_expect_eq(strstr(row->name, "_bytes") != NULL, row->unit == METRIC_UNIT_BYTES,
		    "%s", row->name);
		cr_expect_eq(strstr(row->name, "_seconds") != NULL,
		    strcmp(metric_unit_name(row->unit), "seconds") == 0, "%s", row->name);
	}
}

static bool
metric_rows_have_same_labels(const struct metric_row *a, const struct metric_row *b, bool values)
{
	for (size_t i = 0; i < METRIC_LABELS_MAX; i++) {
		const struct metric_label *x = &a->labels[i], *y = &b->labels[i];

		if (!x->name != !y->name || (x->name && strcmp(x->name, y->name) != 0) ||
		    (values && x->name && strcmp(x->value, y->value) != 0))
			return false;
	}
	return true;
}

/* The rows of a name stand together, and differ in the values of the same labels. */
Test(metric_table, each_row_is_a_series_of_its_own)
{
	for (enum metric m = 1; m < METRIC_COUNT; m++) {
		const struct metric_row *row = &metric_table[m], *before = row - 1;
		bool is_same = strcmp(row->name, before->name) == 0;

		for (enum metric n = 0; n + 1 < m; n++)
			cr_expect(is_same || strcmp(metric_table[n].name, row->name) != 0, "%s",
			    row->name);
		if (!is_same)
			continue;
		cr_expect(metric_rows_have_same_labels(row, before, false), "%s", row->name);
		cr_expect_eq(row->type, before->type, "%s", row->name);
		cr_expect_str_eq(row->help, before->help);
		for (enum metric n = m - 1; strcmp(metric_table[n].name, row->name) == 0; n--) {
			cr_expect(!metric_rows_have_same_labels(row, &metric_table[n], true), "%s",
			    row->name);
			if (n == 0)
				break;
		}
	}
}

/* A label stands beside these keys in a row of the answer, and needs no escapes. */
Test(metric_table, labels_are_words_of_their_own)
{
	static const char *const keys[] = {"row", "name", "type", "unit", "value", "v"};

	for (enum metric m = 0; m < METRIC_COUNT; m++)
		for (size_t i = 0; i < METRIC_LABELS_MAX; i++) {
			const struct metric_label *label = &metric_table[m].labels[i];

			if (!label->name)
				continue;
			cr_expect(metric_is_word(label->name), "%s", label->name);
			cr_expect(!strpbrk(label->value, "\"\\\n"), "%s", label->value);
			for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
				cr_expect_str_neq(label->name, keys[k]);
		}
}
