/* Free space of the disk: to whom it is reported, and what is refused without it. */
#include <errno.h>
#include <unistd.h>

#include "queue/intake_room.h"
#include "rig.h"

/* Below the configured free share: refused at RCPT already, and at the latest at the end of data.
 */
Test(intake_room, disk_too_full, .timeout = 60)
{
	static struct rig r;
	struct msgid id = rig_id(1);
	struct message_spool_file m = {id.session, id.number, RIG_FD_BODY, STR_NULL};

	rig_begin(&r, "retry = [ \"1h\" ]; minimum_free = \"90%\";");
	cr_assert_eq(rig_lease(&r, "alice@example.com", 1).code, 452);
	rig_ask_file(&r, &m);
	cr_assert_eq(r.answer.code, 452);
	cr_assert_eq(r.fd, -1);
	cr_assert_eq(rig_commit(&r, id, "alice@example.com", TO("bob@example.net")).code, 452);
	rig_end(&r);
}

/* A reload changes how much must stay free, for messages from then on. */
Test(intake_room, a_reload_changes_the_free_share, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_slow);
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com", TO("a@example.net")).code, 250);
	rig_reload(&r, "retry = [ \"1h\" ]; minimum_free = \"90%\";");
	cr_assert_eq(rig_commit(&r, rig_id(2), "alice@example.com", TO("a@example.net")).code, 452);
	rig_reload(&r, rig_slow);
	cr_assert_eq(rig_commit(&r, rig_id(3), "alice@example.com", TO("a@example.net")).code, 250);
	rig_end(&r);
}

/* Submission gets the free space at once, when it changes, and on a new channel; the log has one
 * line when there is none, and one when there is some again. */
Test(intake_room, changes_are_sent_to_submission, .timeout = 60)
{
	static struct rig r;
	int log = rig_keep_log();

	rig_begin(&r, rig_slow);
	rig_until(&r, &r.rooms, 1);
	cr_expect_not(r.room.is_full);
	cr_expect_gt(r.room.file_bytes, 0);
	rig_reload(&r, "retry = [ \"1h\" ]; minimum_free = \"90%\";");
	rig_until(&r, &r.rooms, 2);
	while (!r.room.is_full)
		rig_until(&r, &r.rooms, r.rooms + 1);
	cr_expect_eq(r.room.file_bytes, 0);
	channel_free(&r.submission);
	r.room.is_full = false;
	rig_submission(&r);
	rig_until(&r, &r.rooms, r.rooms + 1);
	cr_expect(r.room.is_full);
	r.disk->free_percent = 95;
	while (r.room.is_full)
		rig_until(&r, &r.rooms, r.rooms + 1);
	cr_expect_not(rig_has_line(log, "room for mail", "again"));
	rig_wait(&r, INTAKE_ROOM_STEADY_MS + 2 * INTAKE_ROOM_CHECK_MS);
	cr_expect_eq(rig_count_words(log, "no room for mail: "), 1);
	cr_expect_eq(rig_count_words(log, "there is room for mail again"), 1);
	rig_end(&r);
}

/* Room only for small messages, in segments that exist: the log has a line of its own, and one when
 * it is over. */
Test(intake_room, no_room_for_large_bodies_is_logged, .timeout = 60)
{
	static struct rig r;
	int log = rig_keep_log();

	rig_begin(&r, rig_slow);
	rig_until(&r, &r.rooms, 1);
	rig_reload(&r, "retry = [ \"1h\" ]; minimum_free = \"80%\";");
	while (r.room.file_bytes > MESSAGE_CONTENT_MAX)
		rig_until(&r, &r.rooms, r.rooms + 1);
	cr_expect_not(r.room.is_full);
	rig_wait(&r, 2 * INTAKE_ROOM_CHECK_MS);
	cr_expect_eq(rig_count_words(log, "no room for mail above 128 KiB: "), 1);
	r.disk->free_percent = 95;
	rig_wait(&r, INTAKE_ROOM_STEADY_MS + 3 * INTAKE_ROOM_CHECK_MS);
	cr_expect_eq(rig_count_words(log, "no room for mail above 128 KiB: "), 1);
	cr_expect_eq(rig_count_words(log, "there is room for mail above 128 KiB again"), 1);
	cr_expect_eq(rig_count_words(log, "no room for mail: "), 0);
	rig_end(&r);
}

/* A file system that does not answer how much is free blocks no other request. */
Test(intake_room, a_disk_that_does_not_answer_how_much_is_free, .timeout = 60)
{
	static struct rig r;

	rig_begin(&r, rig_slow);
	r.disk->is_space_stuck = true;
	for (int i = 0; i < 12; i++) {
		rig_wait(&r, 250);
		rig_admin(&r, "queue.status", rig_nothing);
		cr_assert_eq(rig_lease(&r, "alice@example.com", 1).code, 250);
	}
	r.disk->is_space_stuck = false;
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com", TO("a@example.net")).code, 250);
	rig_end(&r);
}

/* A file system that became read-only is not a full one: clients get 451 before they send a
 * message, and the log has the reason, but not once for each message. */
Test(intake_room, a_disk_that_became_read_only, .timeout = 60)
{
	static struct rig r;
	int log = rig_keep_log();

	rig_begin(&r, rig_slow);
	cr_assert_eq(rig_commit(&r, rig_id(1), "alice@example.com", TO("a@example.net")).code, 250);
	r.disk->is_read_only = true;
	for (unsigned i = 2; i < 22; i++) {
		struct smtp_status s =
		    rig_commit(&r, rig_id(i), "alice@example.com", TO("a@example.net"));

		cr_assert_eq(s.code, 451, "%u: %u", i, s.code);
	}
	while (!r.room.is_failing)
		rig_until(&r, &r.rooms, r.rooms + 1);
	cr_expect_not(r.room.is_full);
	cr_expect_eq(rig_lease(&r, "alice@example.com", 1).code, 451);
	cr_expect(rig_has_line(log, "spool: ", strerror(EROFS)));
	cr_expect_not(rig_has_line(log, "spool: ", strerror(ENOSPC)));
	rig_wait(&r, 3000);
	cr_expect_lt(rig_count_words(log, "spool: "), 10);
	r.disk->is_read_only = false;
	while (r.room.is_failing)
		rig_until(&r, &r.rooms, r.rooms + 1);
	cr_assert_eq(
	    rig_commit(&r, rig_id(30), "alice@example.com", TO("a@example.net")).code, 250);
	cr_expect(rig_has_line(log, "spool: ", " again"));
	rig_end(&r);
}

enum { ROOM_SMALL_DISK = 464 << 20, ROOM_DECLARED = 50000000 };

/* A disk of 464 MiB: 75 % of it may be used. */
static void
room_begin_small(struct rig *r)
{
	rig_begin(r, rig_slow);
	r->disk->total_bytes = ROOM_SMALL_DISK;
	rig_until(r, &r->rooms, r->rooms + 1);
	while (r->room.file_bytes > ROOM_SMALL_DISK)
		rig_until(r, &r->rooms, r->rooms + 1);
}

static unsigned
room_ask(struct rig *r, unsigned n, const char *user, uint64_t bytes)
{
	struct msgid id = rig_id(n);
	struct message_spool_file m = {id.session, id.number, bytes, str_of(user)};

	rig_ask_file(r, &m);
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	return r->answer.code;
}

/* Seven sessions of one user declare 50 MB each, and send nothing more. */
Test(intake_room, reservations_of_one_user_leave_room_for_others, .timeout = 60)
{
	static struct rig r;

	room_begin_small(&r);
	for (unsigned n = 1; n <= 7; n++)
		cr_assert_eq(room_ask(&r, n, "mallory@example.com", ROOM_DECLARED), 250);
	cr_expect_eq(room_ask(&r, 8, "mallory@example.com", ROOM_DECLARED), 452);
	/* at MAIL too */
	rig_wait(&r, 2500);
	cr_expect_gt(r.room.file_bytes, 100000000);
	cr_expect_eq(room_ask(&r, 9, "alice@example.com", 30000000), 250);
	cr_expect_eq(room_ask(&r, 10, "bob@example.com", 200000000), 250);
	cr_expect_eq(room_ask(&r, 11, "eve@example.com", 300000000), 452);
	rig_end(&r);
}

/* The declared bytes do not come: after some time no space is kept for them. */
Test(intake_room, a_reservation_becomes_smaller_with_time, .timeout = 60)
{
	static struct rig r;
	unsigned n = 1;

	room_begin_small(&r);
	while (room_ask(&r, n, "alice@example.com", 2000000) == 250)
		n++;
	cr_expect_gt(n, 100);
	rig_wait(&r, 10500);
	cr_expect_eq(room_ask(&r, n + 1, "alice@example.com", ROOM_DECLARED), 250);
	rig_end(&r);
}

/* A reservation ends with its message. */
Test(intake_room, a_reservation_ends_with_its_message, .timeout = 60)
{
	static struct rig r;

	room_begin_small(&r);
	for (unsigned n = 1; n <= 7; n++)
		cr_assert_eq(room_ask(&r, n, "alice@example.com", ROOM_DECLARED), 250);
	cr_expect_eq(room_ask(&r, 8, "alice@example.com", ROOM_DECLARED), 452);
	rig_release(&r, rig_id(3));
	cr_expect_eq(room_ask(&r, 9, "alice@example.com", ROOM_DECLARED), 250);
	rig_end(&r);
}
