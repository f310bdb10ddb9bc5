/*
 * crash_back: files of the log are put back after a start that went on without them.  What fits
 * into the log is read; the rest is set aside under a name of its own, and its messages are logged.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cases.h"
#include "newest_rig.h"
#include "spool/spool_internal.h"

enum { DAY_MS = 86400000 };

/* ---- the newest segment ---- */

static void
newest_expect_named(struct model *m, struct newest_files *files)
{
	unsigned lost = m->lost, named = newest_expect_kept(m, files);

	if (lost == 0 || named != lost)
		model_broken(m, "%u of %u lost messages are named", named, lost);
}

/* The file was accepted as missing: the log says that an earlier start did so, and does not call
 * any of its undamaged messages lost. */
static void
newest_expect_deliverable(struct model *m, unsigned told)
{
	if (cases_told("is not read, because it was missing at an earlier start") != told)
		model_broken(m, "it is not told that an earlier start went on without it");
	if (cases_told_both("is in message", "it is lost") > 0)
		model_broken(m, "whole messages are called lost");
	if (cases_told_both("is in message", "can be delivered from the file") == 0)
		model_broken(m, "it is not told how to deliver them");
}

/* As if so many generations had been given to missing files, or to none, as after failed writes. */
static void
newest_skip_generations(struct model *m, unsigned count)
{
	struct segment_pool *p = &m->spool->writer.pool;

	m->spool->writer.active->generation += count;
	if (segment_write_header(m->spool->writer.active, simdisk_io(m->disk), &p->mark) != 0)
		model_broken(m, "no header");
}

/* The newest file is missing, with or without the one that was prepared after it. */
static bool
run_newest_put_back(bool with_ready, unsigned skipped)
{
	struct newest_files files = {.count = 0};
	struct model *m = newest_begin(2);
	uint32_t slot, ready = 0;

	newest_fill(m);
	for (int n = 0; n < TURNS; n++)
		model_turn(m);
	for (int n = 0; n < 5; n++)
		(void)model_submit(m, 1000, false);
	model_turn(m);
	newest_skip_generations(m, skipped);
	slot = m->spool->writer.active->slot;
	if (m->spool->writer.pool.ready)
		ready = m->spool->writer.pool.ready->slot;
	newest_crash(m);
	newest_take(m, slot, &files);
	if (with_ready) {
		char name[SEGMENT_NAME_BYTES];

		newest_remove(m, segment_name(ready, name));
	}
	newest_expect_refusal(m, "the newest segment file is missing");
	m->may_lose = true;
	if (newest_open(m, true)) {
		model_check(m);
		(void)model_submit(m, 1000, false);
		newest_fill(m);
		newest_crash(m);
	}
	m->may_lose = false;
	newest_expect_named(m, &files);
	return model_end(m) == 0;
}

static bool
newest_alone_put_back(void)
{
	return run_newest_put_back(false, 0);
}

static bool
newest_and_ready_gone(void)
{
	return run_newest_put_back(true, 0);
}

static bool
newest_far_ahead(void)
{
	return run_newest_put_back(true, 70) && run_newest_put_back(true, 100000);
}

/* ---- files of two logs ---- */

/* Saves all segments as they are. */
static struct newest_files
newest_copy(struct model *m)
{
	struct newest_list l = newest_list(m, "seg-", "");
	struct newest_files files = {.count = l.count};

	for (unsigned i = 0; i < l.count; i++) {
		struct newest_file *f = &files.file[i];
		struct str s = simdisk_bytes(m->disk, l.name[i]);

		snprintf(f->name, sizeof f->name, "%.20s", l.name[i]);
		f->bytes = str_make(mem_text(s.p, s.n), s.n);
	}
	return files;
}

/* These are all segments that exist; nothing names the newest one. */
static void
newest_restore(struct model *m, struct newest_files *files)
{
	struct newest_list l = newest_list(m, "seg-", "");

	for (unsigned i = 0; i < l.count; i++)
		newest_remove(m, l.name[i]);
	newest_unname(m);
	for (unsigned i = 0; i < files->count; i++) {
		newest_make(m, files->file[i].name, files->file[i].bytes);
		mem_free((char *)(uintptr_t)files->file[i].bytes.p);
	}
}

/* A backup is restored and used; then the segments that were begun after it are put back. */
static bool
newer_than_a_backup(void)
{
	struct newest_files files = {.count = 0}, backup;
	struct model *m = newest_begin(5);
	int64_t now_ms = clock_ms();
	uint64_t last;

	newest_fill(m);
	for (int n = 0; n < TURNS; n++)
		model_turn(m);
	last = m->spool->writer.active->generation;
	newest_crash(m);
	backup = newest_copy(m);
	if (newest_open(m, false)) {
		uint32_t slots[SLOTS];
		unsigned count = 0;

		for (int n = 0; n < 3; n++)
			newest_fill(m);
		for (struct segment *g = m->spool->index.oldest; g && count < SLOTS; g = g->next)
			if (g->generation > last)
				slots[count++] = g->slot;
		newest_crash(m);
		for (unsigned i = 0; i < count; i++)
			newest_take(m, slots[i], &files);
	}
	newest_restore(m, &backup);
	clock_fake(now_ms + DAY_MS);
	m->may_lose = true;
	if (newest_open(m, false)) {
		model_check(m);
		newest_fill(m);
		newest_fill(m);
		newest_crash(m);
	}
	m->may_lose = false;
	if (newest_expect_kept(m, &files) == 0)
		model_broken(m, "no message is named");
	clock_fake(-1);
	return model_end(m) == 0;
}

/* Two files have one generation: it is not known which of them belongs to the log.  One is moved
 * away, then all is there. */
static bool
two_of_one_generation(void)
{
	unsigned before = cases_told("seg-00000001 and seg-00000100 have the same generation");
	struct model *m = newest_begin(7);
	struct newest_files files;

	newest_fill(m);
	newest_crash(m);
	files = newest_copy(m);
	newest_make(m, "seg-00000100", files.file[0].bytes);
	for (int accept = 0; accept <= 1; accept++) {
		struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};

		o.io = simdisk_io(m->disk);
		o.accept_damage = accept;
		if (model_open(m, &o))
			model_broken(m, "opened");
		model_close(m);
	}
	if (cases_told("seg-00000001 and seg-00000100 have the same generation") != before + 2)
		model_broken(m, "not told");
	newest_remove(m, "seg-00000100");
	if (newest_open(m, false))
		model_check(m);
	newest_forget(&files);
	return model_end(m) == 0;
}

/* A segment is begun in the middle of a batch: its seal and messages are one write, and the power
 * fails after the answer. */
static bool
newest_of_one_write(void)
{
	struct newest_files files = {.count = 0};
	struct model *m = newest_begin(8);
	struct segment *first = m->spool->writer.active;
	uint32_t slot;

	for (int n = 0; n < 10; n++)
		(void)model_submit(m, 3000, false);
	model_turn(m);
	for (int n = 0; n < 14; n++)
		(void)model_submit(m, 3000, false);
	model_turn(m);
	slot = m->spool->writer.active->slot;
	if (m->spool->writer.active == first || m->bad)
		model_broken(m, "no segment was begun");
	newest_crash(m);
	newest_take(m, slot, &files);
	newest_expect_refusal(m, "the newest segment file is missing");
	m->may_lose = true;
	if (newest_open(m, true)) {
		model_check(m);
		if (m->lost == 0)
			model_broken(m, "nothing is lost");
		newest_fill(m);
		newest_crash(m);
	}
	m->may_lose = false;
	newest_expect_named(m, &files);
	return model_end(m) == 0;
}

/* ---- other segments ---- */

/* Begins with a log of some segments; file `number` of it is missing, which a start accepts. */
static struct model *
newest_begin_without(unsigned number, struct newest_files *files)
{
	struct model *m = newest_begin(4);
	struct segment *g = m->spool->index.oldest;

	for (int n = 0; n < 5; n++)
		newest_fill(m);
	for (unsigned n = 0; n < number; n++)
		g = g->next;
	number = g->slot;
	newest_crash(m);
	newest_take(m, number, files);
	m->may_lose = true;
	(void)newest_open(m, true);
	return m;
}

/* While the segment after it exists, it fits into the log: all is as before. */
static bool
run_put_back_in_time(unsigned number)
{
	struct newest_files files = {.count = 0};
	struct model *m = newest_begin_without(number, &files);

	for (int n = 0; n < 3; n++)
		newest_fill(m);
	newest_crash(m);
	newest_put_back(m, &files);
	m->may_lose = false;
	if (newest_open(m, false)) {
		model_check(m);
		if (m->spool->stats.quarantined || m->spool->stats.known_damages)
			model_broken(m, "damage is told");
	}
	return model_end(m) == 0;
}

static bool
middle_put_back_in_time(void)
{
	return run_put_back_in_time(2);
}

static bool
oldest_put_back_in_time(void)
{
	return run_put_back_in_time(0);
}

/* The statuses of its messages were freed with the segment after it: none of its messages is
 * restored. */
static bool
run_put_back_too_late(unsigned number)
{
	struct newest_files files = {.count = 0};
	struct model *m = newest_begin_without(number, &files);
	uint64_t last;

	model_check(m);
	if (m->lost == 0)
		model_broken(m, "nothing is lost");
	m->may_lose = false;
	last = m->spool->writer.pool.generation;
	for (int n = 0; n < TURNS && m->spool->writer.pool.mark.freed < last; n++) {
		newest_fill(m);
		model_finish_all(m);
		model_check(m);
	}
	if (m->spool->writer.pool.mark.freed < last)
		model_broken(m, "nothing was freed");
	newest_crash(m);
	newest_expect_named(m, &files);
	newest_expect_deliverable(m, 1);
	return model_end(m) == 0;
}

static bool
middle_put_back_too_late(void)
{
	return run_put_back_too_late(2);
}

static bool
oldest_put_back_too_late(void)
{
	return run_put_back_too_late(0);
}

/* Segments that were freed before a power cut, readable or not, do not count as put back.  False
 * when the cut was not reached. */
static bool
newest_cut_while_freed(uint64_t cut, unsigned *faults)
{
	unsigned before = cases_told("is not read, because it was");
	struct model *m = newest_begin(6);
	bool was_cut;

	for (int n = 0; n < 5; n++)
		newest_fill(m);
	simdisk_cut(m->disk, cut);
	model_finish_all(m);
	for (int n = 0; n < TURNS / 2; n++)
		model_turn(m);
	was_cut = simdisk_is_cut(m->disk);
	newest_crash(m);
	simdisk_cut(m->disk, 0);
	if (newest_open(m, false)) {
		model_check(m);
		if (m->spool->stats.quarantined ||
		    cases_told("is not read, because it was") != before)
			model_broken(m, "cut %llu: damage is told", (unsigned long long)cut);
	}
	*faults += model_end(m);
	return was_cut;
}

static bool
freed_files_are_not_put_back(void)
{
	return newest_each_cut(newest_cut_while_freed, 20);
}

/* ---- cases ---- */

static const struct crash_case back_cases[] = {
    {"the newest file is put back after a start without it", newest_alone_put_back},
    {"the same, and the one that was ready is gone", newest_and_ready_gone},
    {"the same, and all of it was one write", newest_of_one_write},
    {"the same, and generations were given to files that never were", newest_far_ahead},
    {"what was newer than a restored backup is put back", newer_than_a_backup},
    {"two files of one generation", two_of_one_generation},
    {"one of the middle is put back while the next is there", middle_put_back_in_time},
    {"the oldest is put back while the next is there", oldest_put_back_in_time},
    {"one of the middle is put back when what followed it was freed", middle_put_back_too_late},
    {"the oldest is put back when what followed it was freed", oldest_put_back_too_late},
    {"what a power cut leaves of freed segments is not told", freed_files_are_not_put_back},
};

int
main(void)
{
	return cases_run(back_cases, sizeof back_cases / sizeof *back_cases);
}
