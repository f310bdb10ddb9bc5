/* While the outcome of a delivery cannot be stored, no delivery begins: it would be repeated after
 * a restart. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "queue/storage_check.h"
#include "rig.h"

enum { STORING_MAIL = 4 };

/* So many messages that were tried once and wait for an hour. */
static void
storing_begin(struct rig *r)
{
	rig_begin(r, rig_slow);
	rig_relay(r, true);
	for (unsigned n = 0; n < STORING_MAIL; n++) {
		cr_assert_eq(
		    rig_commit(r, rig_id(n), "alice@example.com", TO("a@example.net")).code, 250);
		rig_result(r, rig_attempt(r, n), 0, 451, "greylisted");
	}
	rig_until(r, &r->stored, STORING_MAIL);
}

/* The disk can be written again, and the second attempt of each succeeds. */
static void
storing_goes_on(struct rig *r)
{
	r->disk->is_read_only = false;
	for (unsigned n = STORING_MAIL; n < 2 * STORING_MAIL; n++)
		rig_result(r, rig_attempt(r, n), 0, 250, "none");
	rig_until(r, &r->stored, 2 * STORING_MAIL);
}

/* A disk that is known to be read-only, and one that became so since the last write. */
Test(storage_check, no_delivery_begins_on_a_disk_that_cannot_be_written, .timeout = 60)
{
	static struct rig r;
	int log = rig_keep_log();

	storing_begin(&r);
	rig_wait(&r, STORAGE_CHECK_FRESH_MS + 500);
	r.disk->is_read_only = true;
	rig_admin(&r, "queue.retry", rig_nothing);
	rig_wait(&r, 2 * STORAGE_CHECK_RETRY_MS + 500);
	cr_expect_eq(
	    r.attempt_count, STORING_MAIL, "%u were begun", r.attempt_count - STORING_MAIL);
	cr_expect_eq(rig_count_words(log, "deliveries wait"), 1);
	cr_expect(rig_has_line(log, "deliveries wait", strerror(EROFS)));
	cr_expect_eq(rig_count_words(log, "deliveries begin again"), 0);
	/* nobody sends any mail */
	storing_goes_on(&r);
	cr_expect_eq(rig_count_words(log, "deliveries begin again"), 1);
	cr_expect_eq(rig_count_words(log, "deliveries wait"), 1);
	rig_check_empty(&r);
	rig_end(&r);
}

/* Something was stored a moment ago; then a message was refused, because the disk could not be
 * written. */
Test(storage_check, no_delivery_begins_after_a_message_that_could_not_be_written, .timeout = 60)
{
	static struct rig r;

	storing_begin(&r);
	r.disk->is_read_only = true;
	cr_assert_eq(
	    rig_commit(&r, rig_id(99), "alice@example.com", TO("a@example.net")).code, 451);
	rig_admin(&r, "queue.retry", rig_nothing);
	rig_wait(&r, 500);
	cr_expect_eq(
	    r.attempt_count, STORING_MAIL, "%u were begun", r.attempt_count - STORING_MAIL);
	storing_goes_on(&r);
	rig_check_empty(&r);
	rig_end(&r);
}

/* The same with a body in a file of its own: the log was not written. */
Test(storage_check, no_delivery_begins_after_a_body_that_could_not_be_written, .timeout = 60)
{
	static struct rig r;
	static char body[RIG_FD_BODY];
	struct message_spool_file m = {.session = rig_id(99).session, .number = rig_id(99).number};

	storing_begin(&r);
	memset(body, 'y', sizeof body);
	memcpy(body + sizeof body - 2, "\r\n", 2);
	rig_ask_file(&r, &m);
	cr_assert_geq(r.fd, 0);
	cr_assert_eq(pwrite(r.fd, body, sizeof body, 0), (ssize_t)sizeof body);
	r.disk->is_read_only = true;
	cr_expect_eq(
	    rig_commit(&r, rig_id(99), "alice@example.com", TO("a@example.net")).code, 451);
	close(r.fd);
	r.fd = -1;
	rig_admin(&r, "queue.retry", rig_nothing);
	rig_wait(&r, 500);
	cr_expect_eq(
	    r.attempt_count, STORING_MAIL, "%u were begun", r.attempt_count - STORING_MAIL);
	storing_goes_on(&r);
	rig_end(&r);
}

/* Running attempts end; each status that is not stored has its log line, and further deliveries
 * wait for all of them. */
Test(storage_check, a_disk_that_fails_during_attempts, .timeout = 60)
{
	static struct rig r;
	int log = rig_keep_log();
	char id[ID_NUMBER_TEXT_BYTES];

	storing_begin(&r);
	rig_admin(&r, "queue.retry", rig_nothing);
	rig_attempt(&r, 2 * STORING_MAIL - 1);
	r.disk->is_read_only = true;
	for (unsigned n = STORING_MAIL; n < 2 * STORING_MAIL; n++)
		rig_result(&r, &r.attempts[n], 0, n % 2 ? 451 : 250, "none");
	rig_wait(&r, 500);
	rig_admin(&r, "queue.retry", rig_nothing);
	rig_wait(&r, 2 * STORAGE_CHECK_RETRY_MS + 500);
	cr_expect_eq(r.attempt_count, 2 * STORING_MAIL);
	cr_expect_eq(r.stored, STORING_MAIL);
	cr_expect_eq(rig_count_words(log, "deliveries wait"), 1);
	cr_expect_eq(rig_count_words(log, "may send it again"), STORING_MAIL);
	for (unsigned n = STORING_MAIL; n < 2 * STORING_MAIL; n++)
		cr_expect(
		    rig_has_line(log, msgid_text(r.attempts[n].id, 1, id), "may send it again"));
	r.disk->is_read_only = false;
	for (unsigned n = 2 * STORING_MAIL; n < 2 * STORING_MAIL + STORING_MAIL / 2; n++)
		rig_result(&r, rig_attempt(&r, n), 0, 250, "none");
	rig_until(&r, &r.stored, 2 * STORING_MAIL + STORING_MAIL / 2);
	cr_expect_eq(r.attempt_count, 2 * STORING_MAIL + STORING_MAIL / 2, "one was made twice");
	rig_check_empty(&r);
	rig_end(&r);
}

/* The number of lines is bounded; the end of the role does not wait for them, and logs how many are
 * lost. */
Test(storage_check, statuses_that_were_never_stored_are_counted, .timeout = 60)
{
	enum { MANY = STORAGE_CHECK_LOGGED_MAX + 2 };
	static struct rig r;
	int log = rig_keep_log();
	int64_t began;
	char text[80];

	rig_begin(&r, rig_slow);
	rig_relay(&r, true);
	for (unsigned n = 0; n < MANY; n++) {
		snprintf(text, sizeof text, "a@host%u.example.net", n);
		cr_assert_eq(rig_commit(&r, rig_id(n), "alice@example.com", TO(text)).code, 250);
		rig_attempt(&r, n);
	}
	r.disk->is_read_only = true;
	for (unsigned n = 0; n < MANY; n++)
		rig_result(&r, &r.attempts[n], 0, 250, "none");
	rig_wait(&r, 500);
	cr_expect_eq(rig_count_words(log, "may send it again"), STORAGE_CHECK_LOGGED_MAX);
	cr_expect_eq(rig_count_words(log, "only counted"), 1);
	rig_relay_gone(&r);
	began = clock_mono_ms();
	rig_stop(&r);
	cr_expect_lt(clock_mono_ms() - began, 4000, "the drain is 5000");
	snprintf(text, sizeof text, " %u statuses were not stored", MANY);
	cr_expect_eq(rig_count_words(log, text), 1);
}

/* Deliveries go on with a full disk and make room. */
Test(storage_check, a_full_disk_does_not_stop_deliveries, .timeout = 60)
{
	static struct rig r;
	int log = rig_keep_log();

	storing_begin(&r);
	rig_reload(&r, "retry = [ \"1h\" ]; minimum_free = \"90%\";");
	rig_wait(&r, STORAGE_CHECK_FRESH_MS + 500);
	cr_expect_eq(
	    rig_commit(&r, rig_id(99), "alice@example.com", TO("a@example.net")).code, 452);
	rig_admin(&r, "queue.retry", rig_nothing);
	for (unsigned n = STORING_MAIL; n < 2 * STORING_MAIL; n++)
		rig_result(&r, rig_attempt(&r, n), 0, 250, "none");
	rig_until(&r, &r.stored, 2 * STORING_MAIL);
	cr_expect_eq(rig_count_words(log, "deliveries wait"), 0);
	rig_end(&r);
}
