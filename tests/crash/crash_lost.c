/*
 * crash_lost: a message's record is damaged, or cannot be read for an hour.  Its bytes are written
 * to a file, a record without content replaces it, the segment is freed.  Whatever fails, or
 * whenever the power fails, the message is either complete, or lost with all that is known of it.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "cases.h"
#include "lost_rig.h"
#include "queue/lost_content.h"

enum { CUTS_MAX = 200, MANY = 12 };

/* ---- cases ---- */

static bool
lost_by_checksum(bool in_file)
{
	struct lost_test *t = lost_begin(1, in_file);
	uint64_t before;

	lost_flip(t);
	t->is_deaf = true;
	model_churn(&t->m, 300);
	before = lost_segments(t);
	/* this gives an idle queue a turn */
	if (spool_retry_ms(t->m.spool) != stored_message_extra(lost_item(t))->wait->next_ms)
		model_broken(&t->m, "the spool does not say when it tries again");
	if (t->found || before < 2 * SEGMENTS_FEW)
		model_broken(
		    &t->m, "found %u, %llu segments", t->found, (unsigned long long)before);
	/* the second read proves it; the callback is called again */
	for (unsigned n = 1; n <= 2; n++) {
		lost_age(t, 0);
		lost_turns(t, 2);
		if (t->found != n || t->found_error != EBADMSG)
			model_broken(&t->m, "found %u, errno %d", t->found, t->found_error);
	}
	t->is_deaf = false;
	lost_age(t, 0);
	for (int n = 0; n < 40; n++)
		model_turn(&t->m);
	lost_expect_lost(t, true);
	if (spool_retry_ms(t->m.spool) != 0)
		model_broken(&t->m, "the spool tries again what is over");
	return lost_end(t);
}

static bool
a_damaged_record(void)
{
	return lost_by_checksum(false) && lost_by_checksum(true);
}

/* Not before the hour is over; the file with the unreadable range is not used again. */
static bool
a_record_that_cannot_be_read(void)
{
	struct lost_test *t = lost_begin(2, false);
	char name[SEGMENT_NAME_BYTES], kept[SEGMENT_NAME_BYTES];

	lost_bad_place(t, name);
	model_churn(&t->m, 300);
	lost_age(t, LOST_RECORD_AFTER_MS - 10000);
	lost_turns(t, 4);
	if (t->found || lost_segments(t) < 2 * SEGMENTS_FEW)
		model_broken(&t->m, "lost before the hour is over");
	lost_age(t, 10000);
	for (int n = 0; n < 40; n++)
		model_turn(&t->m);
	if (t->found_error != EIO)
		model_broken(&t->m, "found with errno %d", t->found_error);
	lost_expect_lost(t, false);
	segment_name(1, kept);
	if (strcmp(name, kept) == 0 && simdisk_bytes(t->m.disk, name).p)
		model_broken(&t->m, "the file with the bad place is still in use");
	return lost_end(t);
}

/* An error of the whole file is no evidence about the message. */
static bool
a_file_that_cannot_be_read(void)
{
	struct lost_test *t = lost_begin(3, false);
	char name[SEGMENT_NAME_BYTES];

	simdisk_bad_place(t->m.disk, segment_name(lost_item(t)->segment->slot, name), 0, 1 << 16);
	model_churn(&t->m, 100);
	lost_age(t, 10 * (int64_t)LOST_RECORD_AFTER_MS);
	lost_turns(t, 4);
	if (t->found)
		model_broken(&t->m, "called lost");
	simdisk_bad_place(t->m.disk, name, 0, 0);
	lost_age(t, 0);
	/* the other messages have their own retry times */
	for (size_t n = 1; n < 3; n++)
		index_find(&t->m.spool->index, t->m.messages[n].id)->extra->wait->next_ms = 0;
	model_churn(&t->m, 100);
	if (lost_segments(t) > SEGMENTS_FEW)
		model_broken(&t->m, "%llu segments", (unsigned long long)lost_segments(t));
	model_check(&t->m);
	return lost_end(t);
}

/* A message that can be read is not made lost, whoever requests that; nor is one with an append in
 * progress. */
static bool
a_sound_record(void)
{
	struct lost_test *t = lost_begin(4, false);

	lost_try(t);
	if (t->keep_result || t->put_result != LOST_RECORD_READABLE)
		model_broken(&t->m, "result %d, then %d", t->keep_result, t->put_result);
	t->id = (struct msgid){7, 7};
	lost_try(t);
	if (t->keep_result != LOST_RECORD_GONE || t->put_result != -1)
		model_broken(&t->m, "result %d, then %d", t->keep_result, t->put_result);
	if (t->done)
		model_broken(&t->m, "an end of nothing");
	model_check(&t->m);
	return lost_end(t);
}

/* The file cannot be written: nothing changes, and it is tried again. */
static bool
no_room_for_the_file(void)
{
	static const unsigned acts[] = {SIMDISK_OPEN, SIMDISK_WRITE, SIMDISK_SYNC,
	    SIMDISK_SYNC_DIRECTORY, SIMDISK_NAME};
	bool all = true;

	for (size_t n = 0; n < sizeof acts / sizeof *acts; n++) {
		struct lost_test *t = lost_begin(5, true);

		model_churn(&t->m, 60);
		lost_flip(t);
		lost_try(t); /* the first read that does not match */
		if (t->put_result != LOST_RECORD_UNPROVEN)
			model_broken(&t->m, "lost by one read: result %d", t->put_result);
		lost_found(t->id, EBADMSG, t);
		simdisk_fail(t->m.disk, (struct simdisk_fault){acts[n], 1, 1, ENOSPC});
		spool_dispatch(t->m.spool); /* the read */
		spool_dispatch(t->m.spool); /* the file */
		simdisk_fail(t->m.disk, (struct simdisk_fault){0});
		if (t->put_result != LOST_RECORD_NOT_WRITTEN || !lost_item(t)->in_file)
			model_broken(&t->m, "act %zu: result %d", n, t->put_result);
		lost_try(t);
		model_turn(&t->m);
		lost_expect_lost(t, true);
		all &= lost_end(t);
	}
	return all;
}

/* The file exists, the record cannot be stored: the next attempt comes after the pause, not after
 * each result. */
static bool
no_room_for_the_record(void)
{
	static const int errors[] = {EIO, ENOSPC};
	bool all = true;

	for (size_t n = 0; n < sizeof errors / sizeof *errors; n++) {
		struct lost_test *t = lost_begin(7, true);

		lost_flip(t);
		t->is_deaf = true;
		model_churn(&t->m, 200);
		lost_age(t, 0);
		model_turn(&t->m);
		t->is_deaf = false;
		t->found = 0;
		lost_age(t, 0);
		for (int turn = 0; turn < 30; turn++) {
			spool_dispatch(t->m.spool);
			simdisk_fail(t->m.disk,
			    (struct simdisk_fault){SIMDISK_WRITE, 1, 100, errors[n]});
			spool_step(t->m.spool);
			simdisk_fail(t->m.disk, (struct simdisk_fault){0});
		}
		if (t->found != 1 || t->done != 1 || !t->done_error)
			model_broken(&t->m, "told %u times, %u failed appends, errno %d", t->found,
			    t->done, t->done_error);
		t->done = 0;
		lost_age(t, 0);
		for (int turn = 0; turn < 40; turn++)
			model_turn(&t->m);
		lost_expect_lost(t, true);
		all &= lost_end(t);
	}
	return all;
}

/* The power fails at operation `cut`; the range can be read again afterwards. */
static bool
a_cut(uint64_t cut, bool in_file, bool *was_cut_out, unsigned *lost)
{
	struct lost_test *t = lost_begin(100 + cut, in_file);
	char name[SEGMENT_NAME_BYTES];

	lost_bad_place(t, name);
	model_churn(&t->m, 120);
	lost_age(t, LOST_RECORD_AFTER_MS);
	simdisk_cut(t->m.disk, cut);
	for (int n = 0; n < 12; n++)
		model_turn(&t->m);
	*was_cut_out = simdisk_is_cut(t->m.disk);
	model_close(&t->m);
	simdisk_bad_place(t->m.disk, name, 0, 0);
	simdisk_restart(t->m.disk);
	if (!lost_open(t)) {
		model_broken(&t->m, "cut %llu: cannot be opened: errno %d", (unsigned long long)cut,
		    errno);
		return lost_end(t);
	}
	if (t->has_words) {
		++*lost;
		lost_expect_state(t);
		lost_settle(t);
		lost_expect_files(t, false);
	}
	model_check(&t->m);
	return lost_end(t);
}

static bool
the_power_fails(void)
{
	bool all = true, was_cut;
	unsigned cuts = 0, lost = 0;

	for (int in_file = 0; in_file < 2; in_file++) {
		was_cut = true;
		for (uint64_t cut = 1; was_cut && cut < CUTS_MAX; cut++, cuts++)
			all &= a_cut(cut, in_file, &was_cut, &lost);
	}
	printf(
	    "# the power failed at each of %u acts; the loss was durable after %u\n", cuts, lost);
	return all && cuts > 10 && lost > 2 && lost < cuts;
}

/* Reads it as a delivery does, unless it is lost already. */
static void
lost_ask(struct lost_test *t, struct msgid id)
{
	const struct stored_message *i = index_find(&t->m.spool->index, id);

	if (i && !i->is_lost)
		lost_found(id, EBADMSG, t);
}

/* Many at once: so many at the same time, and all of them become lost. */
static bool
many_of_them(void)
{
	struct lost_test *t = lost_begin(6, false);
	unsigned left = 0, most = 0;

	model_close(&t->m);
	simdisk_free(&t->m.disk);
	*t = (struct lost_test){.m = {.seed = 6, .last_id = 1 << 18}, .is_any = true};
	t->m.disk = simdisk_new(6);
	if (!lost_open(t))
		model_broken(&t->m, "cannot be opened");
	for (int n = 0; n < MANY; n++)
		model_submit(&t->m, 1000, false);
	model_turn(&t->m);
	for (int n = 0; n < MANY; n++) {
		t->id = t->m.messages[n].id;
		lost_flip(t);
	}
	model_churn(&t->m, 60);
	for (int turn = 0; turn < 40; turn++) {
		for (int n = 0; n < MANY; n++)
			lost_ask(t, t->m.messages[n].id);
		model_turn(&t->m);
		most = t->m.spool->lost_task_count > most ? t->m.spool->lost_task_count : most;
	}
	for (int n = 0; n < MANY; n++) {
		const struct stored_message *i =
		    index_find(&t->m.spool->index, t->m.messages[n].id);

		left += i && i->envelope_bytes == LOST_WORDS_BYTES && i->header_bytes == 0;
	}
	if (left != MANY || t->done != MANY || most != LOST_RECORD_AT_ONCE)
		model_broken(&t->m, "%u of %d are lost, %u ends, %u at once", left, MANY, t->done,
		    most);
	return lost_end(t);
}

/* A queue may have more recipients than an envelope may. */
static struct queued_message *
lost_entry(struct queued_messages *b, struct msgid id)
{
	static struct envelope_recipient recipients[ENVELOPE_RECIPIENTS_MAX + 1];
	struct envelope e = {.id = id,
	    .user = STR("alice@example.com"),
	    .sender = STR("alice@example.com"),
	    .recipients = recipients,
	    .recipient_count = sizeof recipients / sizeof *recipients};
	struct queued_message *made;

	for (uint32_t n = 0; n < e.recipient_count; n++)
		recipients[n].address = STR("bob@example.net");
	made = queued_message_new(b, &e, 1000, STR("gw.test"));
	queued_add(b, made);
	return made;
}

/* Requested by the operator: it is tried once more. */
static void
lost_release(struct lost_test *t, struct queued_messages *b, struct queued_message *e)
{
	struct spool_entry release = {.kind = SPOOL_HOLD, .id = t->id};
	struct spool_batch batch = {.entries = &release, .count = 1};

	if (spool_append(t->m.spool, &batch) != 0)
		model_broken(&t->m, "cannot be released: errno %d", errno);
	queued_message_hold(b, e, false);
	model_turn(&t->m);
	if (lost_item(t)->is_held)
		model_broken(&t->m, "it is not released");
}

static void
lost_expect_held(struct lost_test *t, const struct queued_message *e, unsigned told)
{
	if (!e->is_envelope_too_large || !e->is_held || !lost_item(t)->is_held)
		model_broken(&t->m, "it is not held");
	if (cases_told("its list of recipients is too large") != told)
		model_broken(&t->m, "told %u times, not %u",
		    cases_told("its list of recipients is too large"), told);
}

/* The message is held and that is reported, once: no later attempt can have another result, whoever
 * holds it.  After a release it is found again, as the operator requested. */
static bool
a_list_that_is_too_large(void)
{
	struct lost_test *t = lost_begin(7, false);
	struct role role = {.is_ending = true}; /* there is no main process to be notified */
	struct queue q = {.spool = t->m.spool, .role = &role};
	struct queued_message *e;
	size_t said;

	queued_init(&q.queued);
	e = lost_entry(&q.queued, t->id);
	lost_content_init(&q);
	lost_flip(t);
	model_churn(&t->m, 300);
	for (int n = 0; n < 4; n++) {
		lost_age(t, 0);
		lost_turns(t, 4);
	}
	for (unsigned told = 1; told <= 2; told++) {
		lost_expect_held(t, e, told);
		said = cases_logged();
		for (int n = 0; n < 8; n++) {
			e->is_damaged = n < 4;
			lost_age(t, 0);
			lost_turns(t, 4);
			if (stored_message_extra(lost_item(t))->wait->next_ms == 0)
				model_broken(&t->m, "it was not tried again");
		}
		if (cases_logged() != said)
			model_broken(&t->m, "told again: %zu bytes of log, then %zu", said,
			    cases_logged());
		lost_release(t, &q.queued, e);
		lost_age(t, 0);
		lost_turns(t, 4);
	}
	lost_expect_held(t, e, 3);
	queued_clear(&q.queued);
	return lost_end(t);
}

static const struct crash_case lost_cases[] = {
    {"a damaged record leaves the log, its bytes stay, the log is freed", a_damaged_record},
    {"a record that cannot be read leaves after an hour, its file is set aside",
	a_record_that_cannot_be_read},
    {"a file that cannot be read at all loses nothing", a_file_that_cannot_be_read},
    {"a sound record is not given up", a_sound_record},
    {"what is left cannot be written: nothing changes", no_room_for_the_file},
    {"what is left is written and the record cannot be stored: one try, then a pause",
	no_room_for_the_record},
    {"the power fails at each act", the_power_fails},
    {"many damaged records leave, so many at once", many_of_them},
    {"a list of recipients that is too large is told once", a_list_that_is_too_large},
};

int
main(void)
{
	return cases_run(lost_cases, sizeof lost_cases / sizeof *lost_cases);
}
