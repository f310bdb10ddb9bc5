/*
 * crash_aside: the files that are set aside of a damaged message belong to that message until it is
 * lost.  Whatever happens to the message meanwhile, and whatever fails, the files exist when it is
 * lost and are removed when it is not.
 */
#include <errno.h>
#include <stdio.h>

#include "cases.h"
#include "lost_rig.h"

/* What happens to the message ... */
enum aside_act { ASIDE_NOTHING, ASIDE_STATUS, ASIDE_HOLD, ASIDE_DELETE, ASIDE_CLOSE };

/* ... and when: each is one turn of the event loop after the one before. */
enum aside_when { ASIDE_BEFORE_CHECK, ASIDE_BEFORE_FILES, ASIDE_BEFORE_STORED };

struct aside_row {
	const char *what;
	enum aside_act act;
	enum aside_when when;
	bool is_durable;                 /* before the next turn, else still in progress then */
	int result;                      /* the expected result; -1: fn is not called */
	bool is_lost;                    /* in the end, and the files stay */
};

static const struct aside_row aside_rows[] = {
    {"nothing happens", ASIDE_NOTHING, ASIDE_BEFORE_CHECK, false, LOST_RECORD_BEGUN, true},
    {"status under way, check", ASIDE_STATUS, ASIDE_BEFORE_CHECK, false, LOST_RECORD_BUSY, false},
    {"status durable, check", ASIDE_STATUS, ASIDE_BEFORE_CHECK, true, LOST_RECORD_BEGUN, true},
    {"status under way, files", ASIDE_STATUS, ASIDE_BEFORE_FILES, false, LOST_RECORD_BUSY, false},
    {"status durable, files", ASIDE_STATUS, ASIDE_BEFORE_FILES, true, LOST_RECORD_BEGUN, true},
    {"status under way, record", ASIDE_STATUS, ASIDE_BEFORE_STORED, false, LOST_RECORD_BEGUN, true},
    {"hold under way, check", ASIDE_HOLD, ASIDE_BEFORE_CHECK, false, LOST_RECORD_BUSY, false},
    {"hold durable, check", ASIDE_HOLD, ASIDE_BEFORE_CHECK, true, LOST_RECORD_BEGUN, true},
    {"hold under way, files", ASIDE_HOLD, ASIDE_BEFORE_FILES, false, LOST_RECORD_BUSY, false},
    {"hold durable, files", ASIDE_HOLD, ASIDE_BEFORE_FILES, true, LOST_RECORD_BEGUN, true},
    {"hold under way, record", ASIDE_HOLD, ASIDE_BEFORE_STORED, false, LOST_RECORD_BEGUN, true},
    {"delete under way, check", ASIDE_DELETE, ASIDE_BEFORE_CHECK, false, LOST_RECORD_BUSY, false},
    {"delete durable, check", ASIDE_DELETE, ASIDE_BEFORE_CHECK, true, LOST_RECORD_GONE, false},
    {"delete under way, files", ASIDE_DELETE, ASIDE_BEFORE_FILES, false, LOST_RECORD_BUSY, false},
    {"delete durable, files", ASIDE_DELETE, ASIDE_BEFORE_FILES, true, LOST_RECORD_GONE, false},
    {"delete under way, record", ASIDE_DELETE, ASIDE_BEFORE_STORED, false, LOST_RECORD_BEGUN, true},
    {"close, check", ASIDE_CLOSE, ASIDE_BEFORE_CHECK, false, -1, false},
    {"close, files", ASIDE_CLOSE, ASIDE_BEFORE_FILES, false, -1, false},
    {"close, record", ASIDE_CLOSE, ASIDE_BEFORE_STORED, false, LOST_RECORD_BEGUN, true},
};

static void
aside_act(struct lost_test *t, enum aside_act act)
{
	struct spool_entry e[MODEL_RECIPIENTS];
	struct spool_batch b = {.entries = e, .count = 1, .urgency = SPOOL_NOW};

	if (act == ASIDE_DELETE)
		b.count = t->m.messages[0].recipient_count;
	for (uint32_t n = 0; n < b.count; n++) {
		e[n] = (struct spool_entry){.kind = SPOOL_STATUS, .id = t->id};
		e[n].status.number = n + 1;
		e[n].status.outcome = act == ASIDE_DELETE ? SPOOL_FAILED : SPOOL_DEFERRED;
		e[n].status.is_settled = act == ASIDE_DELETE;
		e[n].status.attempts = 3;
	}
	if (act == ASIDE_HOLD) {
		e[0] = (struct spool_entry){.kind = SPOOL_HOLD, .id = t->id};
		e[0].hold.is_held = true;
		e[0].hold.why = STR("because");
	}
	if (spool_append(t->m.spool, &b) != 0)
		model_broken(&t->m, "cannot be appended: errno %d", errno);
}

static void
aside_open_again(struct lost_test *t)
{
	model_close(&t->m);
	if (!lost_open(t))
		model_broken(&t->m, "cannot be opened: errno %d", errno);
}

static bool
aside_has_file(struct lost_test *t, const char *end)
{
	struct fsio *io = simdisk_io(t->m.disk);
	char id[ID_NUMBER_TEXT_BYTES], name[64];
	struct fsio_file file;

	snprintf(name, sizeof name, "%s%s", msgid_text(t->id, 0, id), end);
	return io->ops->inspect(io, name, &file) == 0;
}

static uint64_t
aside_count(struct lost_test *t)
{
	struct spool_stats stats;

	spool_stats(t->m.spool, &stats);
	return stats.set_aside;
}

static void
aside_expect_none(struct lost_test *t, const char *what)
{
	if (aside_has_file(t, ".aside") || aside_has_file(t, ".body.aside"))
		model_broken(&t->m, "%s: what was put aside is still there", what);
	if (aside_count(t) != 0)
		model_broken(&t->m, "%s: %llu set aside", what, (unsigned long long)aside_count(t));
}

static void
aside_delete(struct lost_test *t)
{
	if (lost_item(t))
		lost_settle(t);
	lost_turns(t, 2);
	t->m.messages[0].fate = MODEL_NONE;
}

/* One read did not match its checksum before; the next one proves the damage. */
static struct lost_test *
aside_begin(void)
{
	struct lost_test *t = lost_begin(20, true);

	lost_flip(t);
	lost_try(t);
	if (t->put_result != LOST_RECORD_UNPROVEN)
		model_broken(&t->m, "lost by one read: result %d", t->put_result);
	return t;
}

static void
aside_expect_lost(struct lost_test *t, const struct aside_row *row)
{
	const struct stored_message *i = lost_item(t);

	if (i && (!i->is_lost || i->header_bytes != 0))
		model_broken(&t->m, "%s: it has its content", row->what);
	if (i && row->act == ASIDE_HOLD && (!i->is_held ||
	        !str_eq(stored_message_extra(i)->held_why, STR("because"))))
		model_broken(&t->m, "%s: the hold is forgotten", row->what);
	if (!i && row->act != ASIDE_DELETE)
		model_broken(&t->m, "%s: it is gone", row->what);
	aside_delete(t);
	if (!aside_has_file(t, ".aside") || !aside_has_file(t, ".body.aside"))
		model_broken(&t->m, "%s: the files are gone", row->what);
	if (aside_count(t) != 1)
		model_broken(&t->m, "%s: %llu set aside", row->what,
		    (unsigned long long)aside_count(t));
}

static bool
aside_one(const struct aside_row *row)
{
	struct lost_test *t = aside_begin();

	lost_found(t->id, EBADMSG, t);
	for (enum aside_when n = 0; n <= ASIDE_BEFORE_STORED && t->m.spool; n++) {
		bool is_now = n == row->when;

		if (is_now && row->act == ASIDE_CLOSE)
			aside_open_again(t);
		else if (is_now && row->act != ASIDE_NOTHING)
			aside_act(t, row->act);
		if (is_now && row->is_durable)
			spool_step(t->m.spool);
		spool_dispatch(t->m.spool);
	}
	if (t->put_result != row->result)
		model_broken(&t->m, "%s: result %d", row->what, t->put_result);
	lost_turns(t, 3);
	if (row->is_lost) {
		aside_expect_lost(t, row);
	} else {
		aside_delete(t);
		aside_expect_none(t, row->what);
	}
	model_check(&t->m);
	return lost_end(t);
}

static bool
aside_meanwhile(void)
{
	bool all = true;

	for (size_t n = 0; n < sizeof aside_rows / sizeof *aside_rows; n++)
		all &= aside_one(&aside_rows[n]);
	return all;
}

/* The callback does not make the message lost; later it is delivered or deleted. */
static bool
aside_and_not_lost(void)
{
	bool all = true;

	for (int restarts = 0; restarts < 2; restarts++) {
		struct lost_test *t = aside_begin();

		t->puts_nothing = true;
		lost_try(t);
		if (t->put_result != LOST_RECORD_SET_ASIDE || !aside_has_file(t, ".aside") ||
		    !aside_has_file(t, ".body.aside"))
			model_broken(&t->m, "nothing is put aside: result %d", t->put_result);
		if (aside_count(t) != 0)
			model_broken(&t->m, "it is counted, and is not lost");
		lost_flip(t); /* it can be read again: a start would keep it as damaged-* */
		if (restarts)
			aside_open_again(t);
		if (aside_count(t) != 0)
			model_broken(&t->m, "it is counted after a start, and is not lost");
		aside_delete(t);
		aside_expect_none(t, restarts ? "after a start" : "at once");
		model_check(&t->m);
		all &= lost_end(t);
	}
	return all;
}

/* The first attempt fails somewhere after the file was created; then the message is deleted, or the
 * next attempt makes it lost: in this case the file is counted, once. */
static bool
aside_fails_first(void)
{
	static const unsigned acts[] = {SIMDISK_WRITE, SIMDISK_SYNC, SIMDISK_SYNC_DIRECTORY,
	    SIMDISK_NAME};
	bool all = true;

	for (size_t n = 0; n < 2 * sizeof acts / sizeof *acts; n++) {
		struct lost_test *t = aside_begin();

		lost_found(t->id, EBADMSG, t);
		simdisk_fail(t->m.disk, (struct simdisk_fault){acts[n / 2], 1, 1, ENOSPC});
		spool_dispatch(t->m.spool);
		spool_dispatch(t->m.spool);
		simdisk_fail(t->m.disk, (struct simdisk_fault){0});
		if (t->put_result != LOST_RECORD_NOT_WRITTEN || !aside_has_file(t, ".aside"))
			model_broken(&t->m, "act %zu: result %d", n / 2, t->put_result);
		if (n % 2 == 0) {
			aside_delete(t);
			aside_expect_none(t, "deleted");
		} else {
			lost_try(t);
			lost_turns(t, 2);
			if (aside_count(t) != 1)
				model_broken(&t->m, "act %zu: %llu set aside", n / 2,
				    (unsigned long long)aside_count(t));
			lost_expect_lost(t, true);
			if (aside_count(t) != 1)
				model_broken(&t->m, "act %zu: %llu after a start", n / 2,
				    (unsigned long long)aside_count(t));
		}
		all &= lost_end(t);
	}
	return all;
}

/* The directory cannot be read for a moment: no existing file is taken for a missing one. */
static bool
aside_look_up_fails(void)
{
	struct lost_test *t = aside_begin();

	t->puts_nothing = true;
	lost_try(t);
	lost_found(t->id, EBADMSG, t);
	spool_dispatch(t->m.spool);
	simdisk_fail(t->m.disk, (struct simdisk_fault){SIMDISK_INSPECT, 1, 100, EIO});
	t->puts_nothing = false;
	spool_dispatch(t->m.spool);
	simdisk_fail(t->m.disk, (struct simdisk_fault){0});
	lost_turns(t, 2);
	if (aside_count(t) != 1)
		model_broken(&t->m, "%llu set aside", (unsigned long long)aside_count(t));
	lost_expect_lost(t, true);
	return lost_end(t);
}

/* It was lost, and its record without content is damaged as well: the files stay unchanged. */
static bool
aside_twice(void)
{
	struct lost_test *t = aside_begin();
	struct msgid id = t->id;

	lost_try(t);
	lost_turns(t, 2);
	lost_flip(t);
	lost_try(t);
	lost_try(t);
	lost_turns(t, 2);
	t->id = id;
	if (t->done != 2 || aside_count(t) != 1)
		model_broken(&t->m, "%u ends, %llu set aside", t->done,
		    (unsigned long long)aside_count(t));
	t->done = 1;
	lost_expect_lost(t, true);
	return lost_end(t);
}

/* Each error that means that the disk has lost the content leads to a loss after an hour; no other
 * error does; nor does the first read in a row that does not match its checksum. */
static bool
aside_errors(void)
{
	static const struct {
		int error;
		int result;
	} rows[] = {
	    {EIO, LOST_RECORD_BEGUN},
	    {EUCLEAN, LOST_RECORD_BEGUN},
	    {ENODATA, LOST_RECORD_BEGUN},
	    {EREMOTEIO, LOST_RECORD_BEGUN},
	    {EILSEQ, LOST_RECORD_BEGUN},
	    {ENOMEM, LOST_RECORD_UNPROVEN},
	    {EACCES, LOST_RECORD_UNPROVEN},
	    {EBADMSG, LOST_RECORD_UNPROVEN},
	    {0, LOST_RECORD_READABLE},
	};
	bool all = true;

	for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
		struct lost_test *t = lost_begin(21, false);

		if (rows[n].error == EBADMSG)
			lost_flip(t);
		lost_found(t->id, EIO, t);
		if (rows[n].error && rows[n].error != EBADMSG)
			simdisk_fail(t->m.disk,
			    (struct simdisk_fault){SIMDISK_READ, 1, 1, rows[n].error});
		spool_dispatch(t->m.spool);
		simdisk_fail(t->m.disk, (struct simdisk_fault){0});
		spool_dispatch(t->m.spool);
		if (t->put_result != rows[n].result)
			model_broken(&t->m, "errno %d: result %d", rows[n].error, t->put_result);
		all &= lost_end(t);
	}
	return all;
}

/* Each result has a text for the log. */
static bool
aside_words(void)
{
	for (enum lost_record_result r = LOST_RECORD_BEGUN; r <= LOST_RECORD_FULL; r++)
		if (!lost_record_text(r) || strlen(lost_record_text(r)) < 10)
			return false;
	return true;
}

static const struct crash_case aside_cases[] = {
    {"whatever happens meanwhile, the files are there when it is lost, else not", aside_meanwhile},
    {"what is put aside of a message that does not become lost goes with it", aside_and_not_lost},
    {"so does what a first attempt left that failed; the next one counts once", aside_fails_first},
    {"a look-up that fails is not taken for a file that is not there", aside_look_up_fails},
    {"a lost message whose record is damaged again keeps its files", aside_twice},
    {"each error of the medium counts, and no other", aside_errors},
    {"each result has words", aside_words},
};

int
main(void)
{
	return cases_run(aside_cases, sizeof aside_cases / sizeof *aside_cases);
}
