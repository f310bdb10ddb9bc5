/* lost_messages: which lost messages the log names: the lowest ids by name, the others as a number;
 * of messages whose delivery was finished only the number; and that the work reports progress. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "spool/lost_messages.h"
#include "spool/spool_internal.h"

enum { TAG = 77, SPAN = 256, PIECES = 4, BYTES = PIECES << 20, NAMED_MAX = 200 };

static struct segment segment = {.slot = 9, .tag = TAG};
static struct spool spool;
static struct replay replay = {.spool = &spool};
static char *bytes;
static int log_fd;

static void
set_up(void)
{
	bytes = mem_new(BYTES);
	memset(bytes, 0, BYTES);
	index_init(&spool.index);
	log_fd = memfd_create("log", MFD_CLOEXEC);
	log_open(dup(log_fd), LOG_TO_FILE);
}

static void
tear_down(void)
{
	log_open(2, LOG_TO_STDERR);
	close(log_fd);
	lost_messages_clear(&replay);
	index_clear(&spool.index, NULL);
	mem_free(bytes);
}

TestSuite(lost_messages, .init = set_up, .fini = tear_down, .timeout = 60);

static unsigned
log_count(const char *words)
{
	static char text[4 << 20];
	ssize_t n = pread(log_fd, text, sizeof text - 1, 0);
	unsigned count = 0;

	text[n > 0 ? n : 0] = 0;
	for (char *at = text; (at = strstr(at, words)); at++)
		count++;
	return count;
}

/* Puts frames with one message each, from that offset on. */
static void
put_messages(uint32_t at, unsigned count)
{
	for (uint32_t i = 1; i <= count; i++, at += SPAN) {
		struct spool_entry e = {.kind = SPOOL_MESSAGE, .id = {1234, at}};
		struct frame_header f = {.tag = TAG, .sequence = i, .entries = 1, .span = SPAN};
		struct buf b;

		e.message.recipient_count = 1;
		e.message.envelope = STR("envelope");
		buf_init(&b, SPAN);
		frame_put_entry(&b, &e, 0);
		cr_assert_leq(b.n + FRAME_HEADER_BYTES, SPAN);
		f.payload_bytes = (uint32_t)b.n;
		f.payload_crc = crc32c(0, b.p, b.n);
		frame_header_write(&f, bytes + at);
		memcpy(bytes + at + FRAME_HEADER_BYTES, b.p, b.n);
		buf_clear(&b);
	}
}

Test(lost_messages, up_to_200_messages_are_named)
{
	put_messages(SEGMENT_DATA, NAMED_MAX);
	lost_messages_scan_damage(&replay, &segment, str_make(bytes, BYTES), SEGMENT_DATA);
	lost_messages_report(&replay);
	cr_expect_eq(log_count("is in message"), NAMED_MAX);
	cr_expect_eq(log_count("are not named"), 0);
	cr_expect_eq(log_count("no mail is lost"), 0);
}

/* Passes the final status of the first messages, from that offset on. */
static void
pass_final_statuses(uint32_t at, unsigned count)
{
	for (unsigned i = 0; i < count; i++, at += SPAN) {
		struct spool_entry e = {.kind = SPOOL_STATUS, .id = {1234, at}};

		e.status = (struct spool_recipient){
		    .number = 1, .outcome = SPOOL_DONE, .is_settled = true};
		lost_messages_pass_status(&replay, &e);
	}
}

static unsigned
log_count_id(const char *before, uint32_t number, uint32_t recipient, const char *after)
{
	char id[ID_NUMBER_TEXT_BYTES], words[200];

	msgid_text((struct msgid){1234, number}, recipient, id);
	snprintf(words, sizeof words, "%s%s%s", before, id, after);
	return log_count(words);
}

/* Whatever the number of the others is. */
Test(lost_messages, lost_messages_are_named_among_many_finished_ones)
{
	put_messages(SEGMENT_DATA, 3000);
	lost_messages_scan_damage(&replay, &segment, str_make(bytes, BYTES), SEGMENT_DATA);
	pass_final_statuses(SEGMENT_DATA, 2990);
	lost_messages_report(&replay);
	cr_expect_eq(log_count("is in message"), 10);
	for (uint32_t i = 2990; i < 3000; i++)
		cr_expect_eq(
		    log_count_id("message ", SEGMENT_DATA + i * SPAN, 0, ": it is lost"), 1);
	cr_expect_eq(
	    log_count("messages in damaged places whose delivery was finished: 2990; no mail is "
	              "lost with them"),
	    1);
	cr_expect_eq(log_count("are not named"), 0);
}

/* In two damaged ranges. */
Test(lost_messages, of_many_lost_messages_the_lowest_ids_are_named_and_the_others_counted)
{
	uint32_t second = SEGMENT_DATA + 1000 * SPAN;

	put_messages(SEGMENT_DATA, 3000);
	lost_messages_scan_damage(&replay, &segment, str_make(bytes, second), SEGMENT_DATA);
	lost_messages_scan_damage(&replay, &segment, str_make(bytes, BYTES), second);
	lost_messages_report(&replay);
	cr_expect_eq(log_count("is in message"), NAMED_MAX, "%u lines", log_count("is in message"));
	for (uint32_t i = 0; i < NAMED_MAX; i++)
		cr_expect_eq(
		    log_count_id("message ", SEGMENT_DATA + i * SPAN, 0, ": it is lost"), 1);
	cr_expect_eq(log_count("spool: 2800 more messages in damaged places are lost"), 1);
}

/* Messages that are missing with a segment; only their statuses exist. */
Test(lost_messages, of_many_missing_recipients_the_lowest_ids_are_named)
{
	lost_messages_add_gap(&replay, 2);
	for (uint32_t i = 1000; i > 0; i--) {
		struct spool_entry e = {.kind = SPOOL_STATUS, .id = {1234, i}};

		e.status = (struct spool_recipient){.number = 1, .outcome = SPOOL_DEFERRED};
		lost_messages_pass_status(&replay, &e);
	}
	lost_messages_report(&replay);
	cr_expect_eq(log_count("the message of recipient "), NAMED_MAX);
	for (uint32_t i = 1; i <= NAMED_MAX; i++)
		cr_expect_eq(log_count_id("of recipient ", i, 1, " is missing"), 1);
	cr_expect_eq(log_count("1000 recipients of missing messages are known, 200 of them"), 1);
}

/* It is not known between which messages the segment belongs. */
Test(lost_messages, a_segment_of_unknown_generation_has_no_bounds)
{
	lost_messages_add_gap(&replay, 0);
	lost_messages_pass_stored(&replay, (struct msgid){1234, 1}, 5);
	lost_messages_pass_stored(&replay, (struct msgid){1234, 2}, 6);
	lost_messages_report(&replay);
	cr_expect_eq(
	    log_count("lost with a segment of which it is not known where in the log it belongs"),
	    1);
	cr_expect_eq(log_count("accept lines stand in this log; those"), 1, "no bounds");
	cr_expect_eq(log_count("generation 0"), 0);
}

/* Two of them are not reported as one. */
Test(lost_messages, each_segment_of_unknown_generation_is_reported)
{
	lost_messages_add_gap(&replay, 0);
	lost_messages_add_gap(&replay, 0);
	lost_messages_report(&replay);
	cr_expect_eq(
	    log_count("lost with a segment of which it is not known where in the log it belongs"),
	    2);
}

Test(lost_messages, a_scan_reports_progress)
{
	int fd = metrics_create();
	const struct metrics_region *region = metrics_map(fd);

	cr_assert_eq(metrics_use(fd), 0);
	lost_messages_scan_damage(&replay, &segment, str_make(bytes, BYTES), SEGMENT_DATA);
	cr_expect_geq(metrics_read_progress(region), PIECES - 1, "%llu",
	    (unsigned long long)metrics_read_progress(region));
	metrics_leave();
	metrics_unmap(&region);
	close(fd);
}

static unsigned notified;
static char last_notice[4096];

static void
note_loss(struct str what, const char *text, void *arg)
{
	cr_assert_eq(arg, &notified);
	notified++;
	snprintf(last_notice, sizeof last_notice, "%.*s|%s", STR_ARG(what), text);
}

/* The user of the spool gets each by its id, with the text of the log, and the number of those that
 * are not named. */
Test(lost_messages, the_user_of_the_spool_is_notified)
{
	struct spool_recovery recovery = {.lost = note_loss, .arg = &notified};

	put_messages(SEGMENT_DATA, NAMED_MAX + 5);
	lost_messages_scan_damage(&replay, &segment, str_make(bytes, BYTES), SEGMENT_DATA);
	spool.recovery = &recovery;
	lost_messages_report(&replay);
	spool.recovery = NULL;
	cr_assert_eq(notified, NAMED_MAX + 1);
	cr_assert(str_starts(str_of(last_notice),
	              STR("more|spool: 5 more messages in damaged places are lost")),
	    "%s", last_notice);
	cr_assert_eq(log_count("is in message"), NAMED_MAX);
	lost_messages_report(&replay);
	cr_assert_eq(notified, NAMED_MAX + 1, "no callback is set any more");
}
