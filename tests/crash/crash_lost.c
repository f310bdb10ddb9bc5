/*
 * crash_lost: a message's record is damaged, or cannot be read for an hour.  Its bytes are written
 * aside, a record without content takes its place, the log is freed; whatever fails or is cut off
 * in between, the message is there whole or is lost with all that is known of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "content.h"
#include "model.h"
#include "queue/store.h"

enum { SEGMENTS_FEW = 8, CUTS_MAX = 200, CALLS_MAX = 256, MANY = 12 };

static const char lost_words[64] = "what the queue still knows of the envelope";

/* One that is put aside. */
struct lost_call {
	struct lost_test *test;
	struct msgid id;
};

struct lost_test {
	struct model m;
	struct msgid id;                 /* of the one that is damaged */
	bool is_any;                     /* all of them are damaged */
	struct lost_call calls[CALLS_MAX];
	unsigned found;
	int found_error;
	int keep_error;                 /* of the last lost_keep */
	int put_error;                   /* what it came to, or lost_put */
	unsigned done;
	int done_error;
	bool is_deaf;                    /* does nothing when it is told of a loss */
	struct spool_message recovered;  /* of that id, at the last start */
	bool has_words;                  /* its envelope is lost_words */
	unsigned failed, settled;        /* its recipients */
};

static void
lost_done(int error, void *arg)
{
	struct lost_test *t = arg;

	t->done++;
	t->done_error = error;
}

/* What is left is put aside: the record follows. */
static void
lost_kept(int error, void *arg)
{
	const struct lost_call *c = arg;
	struct lost_test *t = c->test;
	struct spool_recipient ends[MODEL_RECIPIENTS] = {{0}};
	struct lost l = {.id = c->id, .ends = ends, .fn = lost_done, .arg = t};

	t->put_error = error;
	if (error)
		return;
	l.envelope = str_make(lost_words, sizeof lost_words);
	l.count = t->m.messages[0].recipient_count;
	for (uint32_t n = 0; n < l.count; n++) {
		ends[n].number = n + 1;
		ends[n].outcome = SPOOL_FAILED;
		ends[n].detail = STR("damaged");
	}
	t->put_error = lost_put(t->m.spool, &l) == 0 ? 0 : errno;
}

static void
lost_found(struct msgid id, int error, void *arg)
{
	struct lost_test *t = arg;
	struct lost_call *c = &t->calls[t->found++ % CALLS_MAX];

	t->found_error = error;
	if (!t->is_any && !msgid_eq(id, t->id))
		model_broken(&t->m, "another message was called lost");
	if (t->is_deaf)
		return;
	*c = (struct lost_call){t, id};
	t->put_error = -1;
	t->keep_error = lost_keep(t->m.spool, id, error, lost_kept, c) == 0 ? 0 : errno;
}

/* ---- the spool ---- */

static bool
lost_recovered(const struct spool_message *found, void *arg)
{
	struct lost_test *t = arg;

	if (!msgid_eq(found->id, t->id))
		return true;
	t->recovered = *found;
	t->has_words = str_eq(found->envelope, str_make(lost_words, sizeof lost_words));
	for (uint32_t n = 0; found->recipients && n < found->recipient_count; n++) {
		t->failed += found->recipients[n].outcome == SPOOL_FAILED;
		t->settled += found->recipients[n].is_settled;
	}
	return true;
}

static void
lost_note(struct str name, struct str value, void *arg)
{
	(void)name;
	(void)value;
	(void)arg;
}

static bool
lost_open(struct lost_test *t)
{
	struct spool_recovery r = {lost_recovered, lost_note, t};
	struct spool_options o = {.io = simdisk_io(t->m.disk),
	    .segment_bytes = SPOOL_SEGMENT_MIN,
	    .threadless = true};

	t->recovered = (struct spool_message){0};
	t->has_words = false;
	t->failed = t->settled = 0;
	t->m.spool = spool_open(&o, &r);
	if (!t->m.spool)
		return false;
	lost_listen(t->m.spool, lost_found, t);
	return true;
}

/* Three messages; the first one is the one that will be damaged. */
static struct lost_test *
lost_begin(uint64_t seed, bool in_file)
{
	struct lost_test *t = MEM_NEW(struct lost_test);

	t->m.seed = seed;
	t->m.disk = simdisk_new(seed);
	t->m.last_id = 1 << 18;
	if (!lost_open(t))
		model_broken(&t->m, "cannot be opened: errno %d", errno);
	model_submit(&t->m, 3000, in_file);
	model_submit(&t->m, 1000, false);
	model_submit(&t->m, 5000, true);
	model_turn(&t->m);
	t->id = t->m.messages[0].id;
	return t;
}

static bool
lost_end(struct lost_test *t)
{
	bool is_good = t->m.faults == 0;

	model_close(&t->m);
	simdisk_free(&t->m.disk);
	mem_free(t);
	return is_good;
}

static struct item *
lost_item(const struct lost_test *t)
{
	return index_find(&t->m.spool->index, t->id);
}

static uint64_t
lost_segments(struct lost_test *t)
{
	struct spool_stats stats;

	spool_stats(t->m.spool, &stats);
	return stats.segments;
}

static void
lost_flip(struct lost_test *t)
{
	const struct item *i = lost_item(t);
	char name[SEGMENT_NAME_BYTES];
	struct str bytes = simdisk_bytes(t->m.disk, segment_name(i->segment->slot, name));

	((char *)(uintptr_t)bytes.p)[i->offset + 150] ^= 1;
}

static void
lost_bad_place(struct lost_test *t, char name[SEGMENT_NAME_BYTES])
{
	const struct item *i = lost_item(t);

	simdisk_bad_place(t->m.disk, segment_name(i->segment->slot, name), i->offset + 100,
	    i->offset + 120);
}

/* As if the next try were due, and the first had been an hour ago. */
static void
lost_age(struct lost_test *t, int64_t ms)
{
	struct item *i = lost_item(t);

	if (!i || !i->wait)
		return;
	i->wait->since_ms -= ms;
	i->wait->next_ms = 0;
	i->segment->retry_ms = 1;
}

/* What the spool reads for itself is asked for in one turn, and told of in the next. */
static void
lost_turns(struct lost_test *t, unsigned count)
{
	while (count--)
		model_turn(&t->m);
}

/* A try to put the message aside comes to its end. */
static void
lost_try(struct lost_test *t)
{
	lost_found(t->id, EBADMSG, t);
	lost_turns(t, 3);
}

/* ---- what is expected ---- */

/* Settles the lost message, as a queue does that has stored the report. */
static void
lost_settle(struct lost_test *t)
{
	struct spool_entry e[MODEL_RECIPIENTS];
	struct spool_batch b = {.entries = e};

	b.count = t->m.messages[0].recipient_count;
	for (uint32_t n = 0; n < b.count; n++) {
		e[n] = (struct spool_entry){.kind = SPOOL_STATUS, .id = t->id};
		e[n].status.number = n + 1;
		e[n].status.outcome = SPOOL_FAILED;
		e[n].status.is_settled = true;
	}
	if (spool_append(t->m.spool, &b) != 0)
		model_broken(&t->m, "cannot be settled: errno %d", errno);
	model_turn(&t->m);
	model_turn(&t->m);
	t->m.messages[0].fate = MODEL_NONE;
}

static void
lost_expect_files(struct lost_test *t, bool is_whole)
{
	static struct content c;
	const struct model_message *g = &t->m.messages[0];
	char id[ID_NUMBER_TEXT_BYTES], name[64];
	struct str all;

	content_make(g, &c);
	snprintf(name, sizeof name, "%s.aside", msgid_text(t->id, 0, id));
	all = simdisk_bytes(t->m.disk, name);
	if (!memmem(all.p, all.n, id, strlen(id)))
		model_broken(&t->m, "%s has %zu bytes and not the id", name, all.n);
	if (is_whole && !g->in_file && !memmem(all.p, all.n, c.body + 500, 2000))
		model_broken(&t->m, "%s does not hold what is left of the body", name);
	snprintf(name, sizeof name, "%s.body.aside", id);
	if (g->in_file && !str_eq(simdisk_bytes(t->m.disk, name), str_make(c.body, g->body_bytes)))
		model_broken(&t->m, "%s does not hold the body", name);
	snprintf(name, sizeof name, "%s.body", id);
	if (simdisk_bytes(t->m.disk, name).p)
		model_broken(&t->m, "%s is still there", name);
}

static void
lost_expect_state(struct lost_test *t)
{
	uint32_t count = t->m.messages[0].recipient_count;

	if (!t->has_words || t->failed != count || t->settled)
		model_broken(&t->m, "after the start: words %d, %u of %u failed, %u settled",
		    t->has_words, t->failed, count, t->settled);
}

/* The same is found after a start, and once it is settled nothing is left but the files. */
static void
lost_expect_lost(struct lost_test *t, bool is_whole)
{
	if (t->done != 1 || t->done_error)
		model_broken(&t->m, "%u ends, errno %d, put errno %d, found %u", t->done,
		    t->done_error, t->put_error, t->found);
	lost_expect_files(t, is_whole);
	model_churn(&t->m, 100);
	if (lost_segments(t) > SEGMENTS_FEW)
		model_broken(&t->m, "%llu segments", (unsigned long long)lost_segments(t));
	model_close(&t->m);
	if (!lost_open(t)) {
		model_broken(&t->m, "cannot be opened: errno %d", errno);
		return;
	}
	lost_expect_state(t);
	lost_settle(t);
	lost_expect_files(t, is_whole);
	model_check(&t->m);
}

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
	/* a quiet queue is woken by this */
	if (spool_retry_ms(t->m.spool) != lost_item(t)->wait->next_ms)
		model_broken(&t->m, "the spool does not say when it tries again");
	if (t->found || before < 2 * SEGMENTS_FEW)
		model_broken(&t->m, "found %u, %llu segments", t->found, (unsigned long long)before);
	/* the second read proves it; the one who is told is told again */
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

/* Not before the hour is over; the file with the bad place is not used again. */
static bool
a_record_that_cannot_be_read(void)
{
	struct lost_test *t = lost_begin(2, false);
	char name[SEGMENT_NAME_BYTES], kept[SEGMENT_NAME_BYTES];

	lost_bad_place(t, name);
	model_churn(&t->m, 300);
	lost_age(t, LOST_AFTER_MS - 10000);
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

/* An error of the whole file says nothing of the message. */
static bool
a_file_that_cannot_be_read(void)
{
	struct lost_test *t = lost_begin(3, false);
	char name[SEGMENT_NAME_BYTES];

	simdisk_bad_place(t->m.disk, segment_name(lost_item(t)->segment->slot, name), 0, 1 << 16);
	model_churn(&t->m, 100);
	lost_age(t, 10 * (int64_t)LOST_AFTER_MS);
	lost_turns(t, 4);
	if (t->found)
		model_broken(&t->m, "called lost");
	simdisk_bad_place(t->m.disk, name, 0, 0);
	lost_age(t, 0);
	/* its neighbours have their own waits */
	for (size_t n = 1; n < 3; n++)
		index_find(&t->m.spool->index, t->m.messages[n].id)->wait->next_ms = 0;
	model_churn(&t->m, 100);
	if (lost_segments(t) > SEGMENTS_FEW)
		model_broken(&t->m, "%llu segments", (unsigned long long)lost_segments(t));
	model_check(&t->m);
	return lost_end(t);
}

/* What can be read is not given up, whoever asks for it; nor what is being stored. */
static bool
a_sound_record(void)
{
	struct lost_test *t = lost_begin(4, false);

	lost_try(t);
	if (t->keep_error || t->put_error != EEXIST)
		model_broken(&t->m, "errno %d, then %d", t->keep_error, t->put_error);
	t->id = (struct msgid){7, 7};
	lost_try(t);
	if (t->keep_error != ENOENT || t->put_error != -1)
		model_broken(&t->m, "errno %d, then %d", t->keep_error, t->put_error);
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
		lost_try(t); /* the first read that does not fit */
		if (t->put_error != EAGAIN)
			model_broken(&t->m, "lost by one read: errno %d", t->put_error);
		lost_found(t->id, EBADMSG, t);
		simdisk_fail(t->m.disk, (struct simdisk_fault){acts[n], 1, 1, ENOSPC});
		spool_dispatch(t->m.spool); /* the read */
		spool_dispatch(t->m.spool); /* the file */
		simdisk_fail(t->m.disk, (struct simdisk_fault){0});
		if (t->put_error != ENOSPC || !lost_item(t)->in_file)
			model_broken(&t->m, "act %zu: errno %d", n, t->put_error);
		lost_try(t);
		model_turn(&t->m);
		lost_expect_lost(t, true);
		all &= lost_end(t);
	}
	return all;
}

/* The file is there, the record cannot be stored: the next try comes after the pause, not with each
 * answer. */
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

/* The power fails at act `cut`; the place can be read again afterwards. */
static bool
a_cut(uint64_t cut, bool in_file, bool *was_cut_out, unsigned *lost)
{
	struct lost_test *t = lost_begin(100 + cut, in_file);
	char name[SEGMENT_NAME_BYTES];

	lost_bad_place(t, name);
	model_churn(&t->m, 120);
	lost_age(t, LOST_AFTER_MS);
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
	printf("# the power failed at each of %u acts; the loss was durable after %u\n", cuts, lost);
	return all && cuts > 10 && lost > 2 && lost < cuts;
}

/* As a delivery asks, unless it is lost already. */
static void
lost_ask(struct lost_test *t, struct msgid id)
{
	const struct item *i = index_find(&t->m.spool->index, id);

	if (i && i->header_bytes > 0)
		lost_found(id, EBADMSG, t);
}

/* Many at once: so many at a time, and all of them leave. */
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
		most = t->m.spool->losses > most ? t->m.spool->losses : most;
	}
	for (int n = 0; n < MANY; n++) {
		const struct item *i = index_find(&t->m.spool->index, t->m.messages[n].id);

		left += i && i->envelope_bytes == sizeof lost_words && i->header_bytes == 0;
	}
	if (left != MANY || t->done != MANY || most != LOST_AT_ONCE)
		model_broken(&t->m, "%u of %d are lost, %u ends, %u at once", left, MANY, t->done,
		    most);
	return lost_end(t);
}

/* The message comes to its end while it is put aside: of a message that is no more nothing is kept. */
static bool
a_message_that_goes_meanwhile(void)
{
	bool all = true;

	for (int turns = 1; turns < 3; turns++) {
		struct lost_test *t = lost_begin(8, true);
		char id[ID_NUMBER_TEXT_BYTES], name[64];

		lost_flip(t);
		lost_try(t);
		lost_found(t->id, EBADMSG, t);
		if (turns == 2)
			spool_dispatch(t->m.spool);
		/* durable and applied before the thread's next answer is heard */
		lost_settle(t);
		lost_turns(t, 3);
		if (t->put_error != ENOENT && t->put_error != EBUSY)
			model_broken(&t->m, "errno %d", t->put_error);
		snprintf(name, sizeof name, "%s.aside", msgid_text(t->id, 0, id));
		if (t->done || simdisk_bytes(t->m.disk, name).p)
			model_broken(&t->m, "turn %d: %s is there", turns, name);
		snprintf(name, sizeof name, "%s.body.aside", id);
		if (simdisk_bytes(t->m.disk, name).p)
			model_broken(&t->m, "turn %d: %s is there", turns, name);
		model_check(&t->m);
		all &= lost_end(t);
	}
	return all;
}

static const struct lost_case {
	const char *what;
	bool (*fn)(void);
} lost_cases[] = {
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
    {"of a message that goes while it is put aside nothing is kept",
	a_message_that_goes_meanwhile},
};

int
main(void)
{
	size_t count = sizeof lost_cases / sizeof *lost_cases;
	bool all = true;

	log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_TO_FILE);
	printf("1..%zu\n", count);
	for (size_t i = 0; i < count; i++) {
		bool is_good = lost_cases[i].fn();

		printf("%sok %zu - %s\n", is_good ? "" : "not ", i + 1, lost_cases[i].what);
		all &= is_good;
	}
	return !all;
}
