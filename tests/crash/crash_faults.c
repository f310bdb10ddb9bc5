/*
 * crash_faults: every kind of disk operation of the spool fails once, at every place of a run of
 * work, with every errno that it can have.  A failure may make commits fail; it must never be
 * reported as a success, and the spool must work afterwards, before and after a power cut.  Then
 * disks that stay full.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "model.h"
#include "spool/spool_internal.h"

struct fault_row {
	const char *what;
	struct simdisk_fault fault;
	bool must_fail;                  /* at least one commit is refused, over all places */
	unsigned spread;                 /* the number of such operations; 0: many */
};

static const struct fault_row rows[] = {
    {"EIO on a write", {SIMDISK_WRITE, 0, 1, EIO}, true, 0},
    {"EIO on three writes", {SIMDISK_WRITE, 0, 3, EIO}, true, 0},
    {"EIO on a sync", {SIMDISK_SYNC, 0, 1, EIO}, true, 0},
    {"EIO on three syncs", {SIMDISK_SYNC, 0, 3, EIO}, true, 0},
    {"EIO on a directory sync", {SIMDISK_SYNC_DIRECTORY, 0, 1, EIO}, true, 6},
    {"EIO on a rename", {SIMDISK_RENAME, 0, 1, EIO}, false, 2},
    {"EIO on an unlink", {SIMDISK_UNLINK, 0, 1, EIO}, false, 3},
    {"EIO on giving a name", {SIMDISK_NAME, 0, 1, EIO}, true, 5},
    {"ENOSPC on a write", {SIMDISK_WRITE, 0, 1, ENOSPC}, true, 0},
    {"ENOSPC on a sync", {SIMDISK_SYNC, 0, 1, ENOSPC}, true, 0},
    {"EIO on a read", {SIMDISK_READ, 0, 1, EIO}, false, 0},
    {"EIO on fifty reads", {SIMDISK_READ, 0, 50, EIO}, false, 0},
    {"ENOMEM on ten reads", {SIMDISK_READ, 0, 10, ENOMEM}, false, 0},
    {"EINTR on ten reads", {SIMDISK_READ, 0, 10, EINTR}, false, 0},
    {"EINTR on ten writes", {SIMDISK_WRITE, 0, 10, EINTR}, false, 0},
    {"EINTR on a thousand writes", {SIMDISK_WRITE, 0, 1000, EINTR}, true, 0},
    {"EACCES on an open", {SIMDISK_OPEN, 0, 1, EACCES}, false, 8},
    {"EMFILE on an open", {SIMDISK_OPEN, 0, 1, EMFILE}, false, 8},
    {"ENFILE on ten opens", {SIMDISK_OPEN, 0, 10, ENFILE}, false, 0},
    {"EIO on everything, ten times", {SIMDISK_DURABLE, 0, 10, EIO}, true, 0},
};

enum { PLACES = 60, ACTS_BEFORE = 250, ACTS_AFTER = 60 };

struct tally {
	uint64_t struck;
	uint64_t refused;
	unsigned faults;
};

static void
work(struct model *m, int acts)
{
	for (int n = 0; n < acts; n++)
		if (!model_act(m))
			model_turn(m);
	model_turn(m);
	model_turn(m);
}

static void
run_place(const struct fault_row *row, uint64_t place, struct tally *t)
{
	struct model *m = model_new(place);
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};
	struct simdisk_fault fault = row->fault;

	o.io = simdisk_io(m->disk);
	model_reopen(m, &o);
	fault.at = 1 + place % (row->spread ? row->spread : PLACES);
	simdisk_fail(m->disk, fault);
	m->reads_fail = row->fault.acts & (SIMDISK_OPEN | SIMDISK_READ);
	work(m, ACTS_BEFORE);
	m->reads_fail = false;
	t->struck += simdisk_struck(m->disk);
	t->refused += m->bad;
	model_expect_work(m);
	work(m, ACTS_AFTER);
	model_close(m);
	simdisk_restart(m->disk);
	if (!m->faults)
		model_reopen(m, &o);
	t->faults += model_end(m);
}

static bool
run_row(const struct fault_row *row)
{
	struct tally t = {0};

	for (uint64_t place = 1; place <= PLACES; place++)
		run_place(row, place, &t);
	printf("# %s: struck %llu times, %llu commits refused, %u broken promises\n", row->what,
	    (unsigned long long)t.struck, (unsigned long long)t.refused, t.faults);
	return t.faults == 0 && t.struck > 0 && (!row->must_fail || t.refused > 0);
}

/* Nothing is delivered until messages are refused; then statuses must still be accepted, all
 * messages are settled, and there is room again. */
static bool
run_full_disk(uint64_t seed)
{
	struct model *m = model_new(seed);
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};
	bool is_good;
	int taken = 0;

	simdisk_limit(m->disk, 5 * SPOOL_SEGMENT_MIN + SPOOL_SEGMENT_MIN / 2);
	o.io = simdisk_io(m->disk);
	model_reopen(m, &o);
	while (taken < 390 && m->bad == 0 && model_submit(m, 1500, false)) {
		model_turn(m);
		taken++;
	}
	is_good = taken > 50 && taken < 390;
	m->bad = 0;
	for (int round = 0; round < 4; round++)
		model_finish_all(m);
	is_good &= m->bad == 0;
	model_expect_work(m);
	model_check(m);
	model_close(m);
	simdisk_restart(m->disk);
	model_reopen(m, &o);
	printf("# full disk: %d messages taken, then refused; all finished\n", taken);
	return model_end(m) == 0 && is_good;
}

/* Below the free share messages are refused, and statuses are not. */
static bool
run_low_disk(void)
{
	struct model *m = model_new(1);
	struct spool_options o = {
	    .segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true, .minimum_free_percent = 50};
	bool is_good;

	simdisk_limit(m->disk, 16 * SPOOL_SEGMENT_MIN);
	o.io = simdisk_io(m->disk);
	model_reopen(m, &o);
	is_good = model_submit(m, 100, false);
	model_turn(m);
	is_good &= spool_admits_bodies(m->spool, 2 * SPOOL_SEGMENT_MIN) == 0;
	is_good &= spool_admits_bodies(m->spool, 9 * SPOOL_SEGMENT_MIN) == ENOSPC;
	simdisk_limit(m->disk, SPOOL_SEGMENT_MIN + SPOOL_SEGMENT_MIN / 2);
	is_good &= spool_admits(m->spool) == ENOSPC;
	is_good &= spool_admits_bodies(m->spool, 0) == ENOSPC;
	is_good &= !model_submit(m, 100, false) && errno == ENOSPC;
	model_finish_all(m);
	model_check(m);
	is_good &= m->bad == 0 && m->faults == 0;
	simdisk_limit(m->disk, 16 * SPOOL_SEGMENT_MIN);
	model_expect_work(m);
	return model_end(m) == 0 && is_good;
}

/* If the free space of a disk is not known, no new segment is made, and the error is not a lack of
 * room. */
static bool
run_until_no_segment(struct model *m)
{
	int error = 0;

	for (int n = 0; n < 390 && !error; n++) {
		(void)!model_submit(m, 1500, false);
		model_turn(m);
		error = spool_admits(m->spool);
	}
	if (error != EIO)
		printf("# messages are refused with errno %d\n", error);
	model_finish_all(m);
	return error == EIO;
}

/* That the free space is not known is no evidence that the disk is full: what the segments have
 * room for is accepted; a body file is refused, with another error than a lack of room; also if it
 * was known before. */
static bool
run_disk_does_not_say(void)
{
	struct model *m = model_new(1);
	struct spool_options o = {
	    .segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true, .minimum_free_percent = 50};
	bool is_good = true;

	simdisk_limit(m->disk, 16 * SPOOL_SEGMENT_MIN);
	o.io = simdisk_io(m->disk);
	model_reopen(m, &o);
	simdisk_hide_space(m->disk, true);
	is_good &= spool_admits(m->spool) == 0 && model_submit(m, 100, false);
	is_good &= spool_admits_bodies(m->spool, 0) == EIO;
	is_good &= spool_bodies_room(m->spool) == UINT64_MAX;
	is_good &= spool_file(m->spool) == -1 && errno == EIO;
	is_good &= run_until_no_segment(m);
	simdisk_hide_space(m->disk, false);
	is_good &= spool_admits_bodies(m->spool, 0) == 0;
	is_good &= spool_bodies_room(m->spool) < 16 * SPOOL_SEGMENT_MIN;
	model_expect_work(m);
	return model_end(m) == 0 && is_good;
}

/* ---- a disk that is slower than the client waits ---- */

enum { LATE_WAIT_MS = 400, LATE_SYNC_MS = 500, LATE_ROUNDS = 9 };

static const struct fsio_ops *late_disk;
static unsigned late_syncs;              /* so many of the next syncs are slow */

static int
late_sync_data(struct fsio *f, int fd)
{
	int result = late_disk->sync_data(f, fd);

	if (late_syncs && late_syncs--)
		usleep(LATE_SYNC_MS * 1000);
	return result;
}

/* A message and statuses are in one batch, whose sync ends too late, or which is not written in
 * time: the message is refused and made void, the statuses are kept. */
static bool
run_late_round(struct model *m, bool is_written, size_t body_bytes)
{
	uint64_t bad = m->bad, good = m->good;
	unsigned others = 0;

	while (others < 8 && model_act(m))
		others++;
	model_turn(m);
	if (m->bad != bad || m->good == good)
		return false;
	late_syncs = is_written;
	if (!model_submit(m, body_bytes, false))
		return false;
	model_finish(m, 2);
	good = m->good;
	if (!is_written)
		usleep(LATE_SYNC_MS * 1000);
	model_turn(m);
	return m->bad == bad + 1 && m->good == good + 2 && late_syncs == 0;
}

static bool
run_late_syncs(uint64_t seed)
{
	struct model *m = model_new(seed);
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN,
	    .threadless = true,
	    .message_wait_ms = LATE_WAIT_MS};
	static struct fsio_ops ops;
	bool is_good = true;

	o.io = simdisk_io(m->disk);
	late_disk = o.io->ops;
	ops = *late_disk;
	ops.sync_data = late_sync_data;
	o.io->ops = &ops;
	model_reopen(m, &o);
	for (int n = 0; n < LATE_ROUNDS && is_good; n++) {
		is_good = run_late_round(m, n % 2 == 0, n % 3 == 0 ? 20000 : 100);
		if (n % 4 < 2)
			continue;
		model_close(m);
		simdisk_restart(m->disk);
		model_reopen(m, &o);
	}
	o.io->ops = late_disk;
	model_expect_work(m);
	return model_end(m) == 0 && is_good;
}

static void
report_heard(int error, void *arg)
{
	*(int *)arg = error;
}

/* Stores one report as the queue does: the message, and the statuses that it settles.  0 or the
 * error. */
static int
store_report(struct model *m, const struct model_message *about)
{
	struct spool_entry entries[1 + MODEL_RECIPIENTS] = {{.kind = SPOOL_MESSAGE}};
	struct spool_batch b = {.entries = entries, .urgency = SPOOL_REPORT, .fn = report_heard};
	static char body[1500];
	int error = -1;

	b.arg = &error;
	b.count = 1 + about->recipient_count;
	entries[0].id = (struct msgid){about->id.session, 1000000};
	entries[0].message.recipient_count = 1;
	entries[0].message.envelope = STR("e");
	entries[0].message.header = STR("h");
	entries[0].message.body = str_make(body, sizeof body);
	for (uint32_t n = 1; n <= about->recipient_count; n++) {
		entries[n] = (struct spool_entry){.kind = SPOOL_STATUS, .id = about->id};
		entries[n].status = (struct spool_recipient){
		    .number = n, .outcome = SPOOL_FAILED, .is_settled = true};
	}
	if (spool_append(m->spool, &b) != 0)
		return errno;
	model_turn(m);
	return error;
}

struct report_run {
	struct model *model;
	uint32_t taken, reported, finished;
	uint32_t order[MODEL_MESSAGES];  /* in which they fail */
};

/* Fills the disk as far as messages may: ten segments, and the file that names the newest. */
static void
begin_reports(struct report_run *run, uint32_t minimum_free)
{
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN,
	    .threadless = true,
	    .minimum_free_percent = minimum_free};
	struct model *m = run->model = model_new(3);

	simdisk_limit(m->disk, 10 * SPOOL_SEGMENT_MIN + SEGMENT_SECTOR);
	o.io = simdisk_io(m->disk);
	model_reopen(m, &o);
	while (run->taken < 390 && m->bad == 0 && model_submit(m, 2500, false)) {
		model_turn(m);
		run->taken++;
	}
	run->taken -= (uint32_t)m->bad;
	m->bad = 0;
	for (uint32_t n = 0; n < run->taken; n++)
		run->order[n] = n;
}

/* Stores reports until the spool accepts no more; 0 or the error. */
static int
store_reports(struct report_run *run)
{
	int error = 0;

	while (run->reported < run->taken && error == 0) {
		error = store_report(run->model, &run->model->messages[run->order[run->reported]]);
		run->reported += error == 0;
	}
	return error;
}

/* Delivers the reports; the model knows neither them nor what they settled.  A status that finds no
 * room is retried later. */
static void
finish_reports(struct report_run *run)
{
	struct spool_entry done = {.kind = SPOOL_STATUS};
	struct spool_batch b = {.entries = &done, .count = 1, .fn = report_heard};
	int error = 0;

	b.arg = &error;
	for (; run->finished < run->reported && error == 0; run->finished += error == 0) {
		struct model_message *about = &run->model->messages[run->order[run->finished]];

		about->fate = MODEL_NONE;
		done.id = (struct msgid){about->id.session, 1000000};
		done.status = (struct spool_recipient){
		    .number = 1, .outcome = SPOOL_DONE, .is_settled = true};
		if (spool_append(run->model->spool, &b) != 0)
			error = errno;
		else
			model_turn(run->model);
	}
}

static void
end_reports(struct report_run *run, const char *what)
{
	printf("# %s: %u of %u messages reported\n", what, run->reported, run->taken);
	(void)model_end(run->model);
}

/* There is no room for messages, and any of them may fail first: the reports that there is room for
 * are delivered, compaction makes room for more, and the queue empties.  Half of the free share
 * stays free, except for a segment while compaction copies. */
static bool
run_reports_on_a_full_disk(uint32_t stride, uint32_t minimum_free)
{
	struct report_run run = {0};
	uint64_t have, all, least = UINT64_MAX;
	unsigned rounds = 0;
	bool is_good;

	begin_reports(&run, minimum_free);
	for (uint32_t n = 0; n < run.taken; n++)
		run.order[n] = n * stride % run.taken;
	is_good = run.taken > 50 && run.taken < 390 && (run.taken % stride || stride == 1);
	is_good &= spool_admits(run.model->spool) == ENOSPC;
	is_good &= (store_reports(&run) == ENOSPC || minimum_free) && run.reported > 0;
	for (; run.finished < run.taken && rounds < 1000; rounds++) {
		finish_reports(&run);
		/* as if the pause between two rounds of compaction were over */
		run.model->spool->round_next_ms = run.model->spool->copies.next_ms = 0;
		for (int n = 0; n < 20; n++)
			model_turn(run.model);
		(void)!store_reports(&run);
		(void)!simdisk_io(run.model->disk)
		    ->ops->space(simdisk_io(run.model->disk), &have, &all);
		least = have < least ? have : least;
	}
	is_good &= run.finished == run.taken;
	is_good &= minimum_free == 0 || least + SPOOL_SEGMENT_MIN >= all / 100 * minimum_free / 2;
	for (int n = 0; n < 4; n++)
		model_turn(run.model);
	model_check(run.model);
	is_good &= run.model->bad == 0;
	model_expect_work(run.model);
	is_good &= run.model->faults == 0;
	printf("# stride %u, free share %u %%: %u rounds, at least %llu of %llu bytes free\n",
	    stride, minimum_free, rounds, (unsigned long long)least, (unsigned long long)all);
	end_reports(&run, "full disk");
	return is_good;
}

static void
report(size_t number, const char *what, bool is_good, bool *all)
{
	printf("%sok %zu - %s\n", is_good ? "" : "not ", number, what);
	*all &= is_good;
}

int
main(void)
{
	size_t count = sizeof rows / sizeof rows[0];
	bool all = true;

	log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_TO_FILE);
	printf("1..%zu\n", count + 8);
	for (size_t i = 0; i < count; i++)
		report(i + 1, rows[i].what, run_row(&rows[i]), &all);
	report(count + 1, "a full disk", run_full_disk(7), &all);
	report(count + 2, "less than the free share", run_low_disk(), &all);
	report(count + 3, "less than the free share, failing mail: it empties, oldest first",
	    run_reports_on_a_full_disk(1, 30), &all);
	report(count + 4, "less than the free share, failing mail: it empties, in any order",
	    run_reports_on_a_full_disk(37, 30), &all);
	report(count + 5, "a full disk of failing mail: it empties, oldest first",
	    run_reports_on_a_full_disk(1, 0), &all);
	report(count + 6, "a full disk of failing mail: it empties, in any order",
	    run_reports_on_a_full_disk(37, 0), &all);
	report(
	    count + 7, "a disk that does not say what room it has", run_disk_does_not_say(), &all);
	report(count + 8, "syncs that end later than who asks waits", run_late_syncs(3), &all);
	return !all;
}
