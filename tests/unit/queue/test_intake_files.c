/* SPOOL_FILE while no file can be opened: the request waits, is refused in time, and blocks nothing
 * else. */
#include <criterion/criterion.h>
#include <unistd.h>

#include "base/clock.h"
#include "rig.h"
#include "spool/body_files.h"

static struct rig rig;

static struct message_spool_file
file_of(unsigned n)
{
	struct msgid id = rig_id(n);

	return (struct message_spool_file){id.session, id.number, RIG_FD_BODY, STR_NULL};
}

static void
ask_now(unsigned n, unsigned code)
{
	struct message_spool_file m = file_of(n);

	rig_ask_file(&rig, &m);
	cr_assert_eq(
	    rig.answer.code, code, "file %u: %u %s", n, rig.answer.code, rig.answer.text);
	cr_assert_eq(rig.fd >= 0, code == 250);
	/* the next commit has no file */
	if (rig.fd >= 0)
		close(rig.fd);
	rig.fd = -1;
}

static void
ask_soon(unsigned n)
{
	struct message_spool_file m = file_of(n);

	rig_ask_file_soon(&rig, &m);
}

/* Files that were ready are given; the thread is blocked in the next call. */
static void
use_up(void)
{
	while (rig.disk->opens < BODY_FILES_READY)
		rig_wait(&rig, 10);
	rig_wait(&rig, 100);
	rig.disk->opens_nothing = true;
	for (unsigned n = 0; n < BODY_FILES_READY; n++)
		ask_now(900 + n, 250);
	while (rig.disk->opens == BODY_FILES_READY)
		rig_wait(&rig, 10);
}

static void
others_go_on(unsigned first)
{
	for (unsigned n = first; n < first + 20; n++)
		cr_assert_eq(rig_commit(&rig, rig_id(n), "alice@example.com",
				 TO("bob@example.net")).code, 250);
}

Test(intake_files, a_request_that_waits_too_long_is_refused, .timeout = 60)
{
	int64_t began = clock_mono_ms();
	unsigned answers;

	rig_begin(&rig, rig_slow);
	use_up();
	answers = rig.answers;
	ask_soon(1);
	others_go_on(100);
	/* the same request again */
	ask_now(1, 451);
	rig_wait(&rig, 1200);
	rig_admin(&rig, "queue.status", rig_nothing);
	cr_expect_not(str_eq(rig_row(&rig, 0, "files_s"), STR("0")));
	answers = rig.answers;
	rig_until(&rig, &rig.answers, answers + 1);
	cr_expect_eq(rig.answer.code, 451);
	cr_expect(rig.answer.class == 4 && rig.answer.subject == 3, "%s", rig.answer.text);
	cr_expect_lt(clock_mono_ms() - began, MESSAGE_LEASE_MS);
	others_go_on(200);
	rig.disk->opens_nothing = false;
	ask_now(1, 250);
	ask_now(2, 250);
	rig_end(&rig);
}

Test(intake_files, all_waiting_requests_are_answered, .timeout = 60)
{
	unsigned answers;

	rig_begin(&rig, rig_slow);
	use_up();
	answers = rig.answers;
	for (unsigned n = 1; n <= 30; n++)
		ask_soon(n);
	others_go_on(100);
	cr_assert_eq(rig.answers, answers + 20);
	rig.disk->opens_nothing = false;
	rig_until(&rig, &rig.answers, answers + 50);
	cr_expect_eq(rig.answer.code, 250);
	rig_end(&rig);
}

/* Released, or their process is lost, while they wait: nothing is left of them. */
Test(intake_files, requests_of_a_lost_peer_are_forgotten, .timeout = 60)
{
	unsigned before, answers;

	rig_begin(&rig, rig_slow);
	others_go_on(100);
	use_up();
	for (unsigned n = 0; n < BODY_FILES_READY; n++)
		rig_release(&rig, rig_id(900 + n));
	before = rig_descriptors(&rig);
	answers = rig.answers;
	for (unsigned n = 1; n <= 10; n++)
		ask_soon(n);
	for (unsigned n = 1; n <= 10; n++)
		rig_release(&rig, rig_id(n));
	others_go_on(200);
	cr_expect_eq(rig.answers, answers + 20);
	for (unsigned n = 11; n <= 20; n++)
		ask_soon(n);
	rig_admin(&rig, "queue.status", rig_nothing);
	channel_free(&rig.submission);
	rig_submission(&rig);
	rig_wait(&rig, 100);
	rig.disk->opens_nothing = false;
	for (unsigned n = 0; n < 50 && rig_descriptors(&rig) > before; n++)
		rig_wait(&rig, 100);
	/* the log may have opened a segment or two meanwhile */
	cr_expect_leq(rig_descriptors(&rig), before + 3, "%u, before %u", rig_descriptors(&rig),
	    before);
	ask_now(1, 250);
	rig_end(&rig);
}
