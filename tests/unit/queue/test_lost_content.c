/* lost_content: messages whose stored record is damaged, in the queue role: an error of one read is
 * distinguished from damage on the disk, and a message that is lost is not sent as well. */
#include <stdio.h>
#include <string.h>

#include "queue/dispatch.h"
#include "rig.h"
#include "spool/lost_record.h"

enum { MANY = LOST_RECORD_AT_ONCE + 4 };

static const char *const one[] = {"marked@one.example", NULL};
/* Of each message, but not of a report about a lost one. */
static const char in_the_body[] = "Hello, world";
static const char slow[] = "retry = [ \"1h\" ]; concurrency = 4000;";

/* A message that waits to be read; so many reads of it return wrong data. */
static void
lost_content_begin(struct rig *r, const char *const *to, int wrong_reads)
{
	rig_begin(r, slow);
	cr_assert_eq(rig_commit(r, rig_id(1), "alice@example.com", to).code, 250);
	strcpy(r->disk->wrong, in_the_body);
	r->disk->wrong_reads = wrong_reads;
}

static void
damage_wait_for(struct rig *r, const atomic_uint *count, unsigned enough)
{
	for (int n = 0; n < 1000 && *count < enough; n++)
		rig_wait(r, 20);
	cr_assert_geq(*count, enough);
}

/* Only the report is sent, and then nothing is left. */
static void
damage_expect_report(struct rig *r)
{
	cr_assert_eq(rig_attempt(r, 0)->kind, ENVELOPE_REPORT);
	rig_results(r, &r->attempts[0], 250, "none");
	rig_until(r, &r->stored, 1);
	rig_admin(r, "queue.list", rig_nothing);
	cr_assert_eq(r->row_count, 0);
	cr_assert_eq(r->attempt_count, 1);
	rig_until(r, &r->alerts, 1);
	cr_expect_eq(r->alert_kind, NOTICE_MESSAGES, "main is told");
	cr_expect(strstr(r->alert, " is lost: what was stored of it is damaged"), "%s", r->alert);
	cr_expect_eq(r->alerts, 1);
}

/* Two reads returned wrong data; the third read, which confirms damage, is right: the message is
 * delivered, and not held. */
Test(lost_content, a_sound_message_is_not_held, .timeout = 60)
{
	static struct rig r;

	lost_content_begin(&r, one, 2);
	rig_relay(&r, true);
	cr_assert_neq(rig_attempt(&r, 0)->kind, ENVELOPE_REPORT);
	rig_results(&r, &r.attempts[0], 250, "none");
	rig_until(&r, &r.stored, 1);
	rig_admin(&r, "queue.list", rig_nothing);
	cr_expect_eq(r.alerts, 0);
	cr_assert_eq(r.row_count, 0);
	rig_end(&r);
}

/* Its end is being stored when it can be read again: it is not delivered and reported as failed. */
Test(lost_content, a_message_whose_loss_is_being_stored_is_not_sent, .timeout = 60)
{
	static const char *const two[] = {"marked@one.example", "b@two.example", NULL};
	static struct rig r;
	unsigned before;

	lost_content_begin(&r, two, 1000);
	strcpy(r.disk->unwritten, "marked@one.example");
	rig_relay(&r, true);
	damage_wait_for(&r, &r.disk->unwritten_blocked, 1);
	r.disk->wrong_reads = 0;
	before = r.disk->reads_asked;
	rig_admin(&r, "queue.retry", rig_nothing);
	damage_wait_for(&r, &r.disk->reads_asked, before + 1);
	rig_wait(&r, 500);
	cr_assert_eq(r.attempt_count, 0, "it was sent");
	memset(r.disk->unwritten, 0, sizeof r.disk->unwritten);
	damage_expect_report(&r);
	rig_end(&r);
}

/* The record without content cannot be written: the message is not lost; that is logged, and it is
 * tried again. */
Test(lost_content, an_end_that_cannot_be_stored, .timeout = 60)
{
	static struct rig r;
	int log = rig_keep_log();

	lost_content_begin(&r, one, 1000);
	strcpy(r.disk->unwritable, "marked@one.example");
	r.disk->failing_writes = 1;
	rig_relay(&r, true);
	for (int n = 0; n < 1000 && r.disk->failing_writes > 0; n++)
		rig_wait(&r, 20);
	rig_wait(&r, 300);
	cr_assert_eq(r.attempt_count, 0);
	rig_admin(&r, "queue.list", rig_nothing);
	cr_assert_eq(r.row_count, 1);
	cr_expect(rig_has_line(log, "its end cannot be stored: Input/output error", "queue delete"),
	    "%s", rig_logged(log));
	rig_admin(&r, "queue.retry", rig_nothing);
	damage_expect_report(&r);
	rig_end(&r);
}

/* More than may be set aside at once, found by deliveries: the others are found again. */
Test(lost_content, many_at_once, .timeout = 60)
{
	static struct rig r;
	char to[32];

	rig_begin(&r, slow);
	for (unsigned n = 0; n < MANY; n++) {
		snprintf(to, sizeof to, "marked@d%u.example", n);
		cr_assert_eq(rig_commit(&r, rig_id(n), "alice@example.com",
				 (const char *const[]){to, NULL}).code, 250);
	}
	strcpy(r.disk->wrong, in_the_body);
	strcpy(r.disk->stuck, in_the_body);
	r.disk->wrong_reads = 1000;
	r.disk->reads_allowed = 2 * MANY;
	rig_relay(&r, true);
	damage_wait_for(&r, &r.disk->reads_blocked, 1);
	damage_wait_for(&r, &r.disk->reads_asked, 2 * MANY);
	rig_wait(&r, 500);
	memset(r.disk->stuck, 0, sizeof r.disk->stuck);
	for (unsigned n = 0; n < MANY; n++) {
		cr_assert_eq(rig_attempt(&r, n)->kind, ENVELOPE_REPORT);
		rig_results(&r, &r.attempts[n], 250, "none");
	}
	rig_until(&r, &r.stored, MANY);
	rig_admin(&r, "queue.list", rig_nothing);
	cr_assert_eq(r.row_count, 0);
	rig_end(&r);
}
