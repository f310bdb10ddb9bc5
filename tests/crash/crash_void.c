/*
 * crash_void: a segment's file that the log does not need any more, because a start went on without
 * it or because it was freed.  It is set aside whenever the power fails, also when it cannot be
 * renamed at once, and also when it cannot be read.
 */
#include <errno.h>
#include <stdio.h>

#include "base/mem.h"
#include "cases.h"
#include "newest_rig.h"
#include "spool/spool_internal.h"

/* The newest file was missing during one start, and is there again. */
static struct model *
newest_begin_back(struct newest_files *files)
{
	struct model *m = newest_begin(9);
	uint32_t slot;

	newest_fill(m);
	slot = m->spool->writer.active->slot;
	newest_crash(m);
	newest_take(m, slot, files);
	m->may_lose = true;
	if (newest_open(m, true)) {
		model_check(m);
		newest_fill(m);
		newest_crash(m);
	}
	m->may_lose = false;
	return m;
}

/* The power fails at operation `cut` of the start that sets the file aside; false: it was not
 * reached. */
static bool
newest_cut_aside(uint64_t cut, unsigned *faults)
{
	struct newest_files files = {.count = 0}, copy;
	struct model *m = newest_begin_back(&files);
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};
	bool was_cut;

	copy = files;
	copy.file[0].bytes.p = mem_text(files.file[0].bytes.p, files.file[0].bytes.n);
	newest_put_back(m, &files);
	o.io = simdisk_io(m->disk);
	simdisk_cut(m->disk, cut);
	if (model_open(m, &o))
		for (int n = 0; n < TURNS; n++)
			model_turn(m);
	was_cut = simdisk_is_cut(m->disk);
	newest_crash(m);
	simdisk_cut(m->disk, 0);
	for (int n = 0; n < 2 && newest_open(m, false); n++) {
		model_check(m);
		if (!newest_is_kept(m, copy.file[0].bytes))
			model_broken(m, "cut %llu: it is not kept", (unsigned long long)cut);
		newest_crash(m);
	}
	newest_forget(&copy);
	*faults += model_end(m);
	return was_cut;
}

static bool
set_aside_through_power_cuts(void)
{
	return newest_each_cut(newest_cut_aside, 10);
}

/* The file cannot be renamed: that stops nothing, and is done later. */
static bool
not_renamed_at_once(void)
{
	struct newest_files files = {.count = 0};
	struct model *m = newest_begin_back(&files);
	uint64_t good;

	newest_put_back(m, &files);
	simdisk_fail(m->disk, (struct simdisk_fault){SIMDISK_RENAME, 1, 1000, EIO});
	if (newest_open(m, false)) {
		model_check(m);
		good = m->good;
		(void)model_submit(m, 1000, false);
		model_turn(m);
		if (m->good == good)
			model_broken(m, "no message is taken");
		simdisk_fail(m->disk, (struct simdisk_fault){0});
		for (int n = 0; n < TURNS; n++)
			model_turn(m);
		if (newest_list(m, "damaged-seg-", "").count != 1)
			model_broken(m, "it is not set aside later");
	}
	return model_end(m) == 0;
}

/* ---- unreadable files ---- */

/* Nothing of the file is needed, so the start does not ask for it: it is logged and set aside. */
static void
newest_expect_unread(struct model *m, const char *name)
{
	unsigned before = cases_told("cannot be read at");

	simdisk_bad_place(m->disk, name, SEGMENT_DATA, SPOOL_SEGMENT_MIN);
	if (!newest_open(m, false))
		return;
	model_check(m);
	if (m->spool->stats.quarantined == 0 || cases_told("cannot be read at") == before)
		model_broken(m, "not told");
	for (int n = 0; n < TURNS; n++)
		model_turn(m);
	if (newest_list(m, "damaged-seg-", "").count == 0)
		model_broken(m, "not set aside");
	newest_crash(m);
	if (newest_open(m, false) && m->spool->stats.quarantined)
		model_broken(m, "told again");
}

/* One that a later seal makes void. */
static bool
voided_file_is_unread(void)
{
	struct newest_files files = {.count = 0};
	struct model *m = newest_begin_back(&files);

	newest_put_back(m, &files);
	newest_expect_unread(m, files.file[0].name);
	return model_end(m) == 0;
}

/* The merged content of all marks on the disk. */
static uint64_t
newest_freed(struct model *m)
{
	static const size_t at[] = {40, SEGMENT_MARK_AT, SEGMENT_MARK_AT + SEGMENT_SECTOR};
	struct newest_list l = newest_list(m, "seg-", "");
	uint64_t freed, most = 0;

	for (unsigned i = 0; i < l.count; i++)
		for (size_t n = 0; n < sizeof at / sizeof *at; n++) {
			struct str s = simdisk_bytes(m->disk, l.name[i]);

			if (s.n < SEGMENT_DATA || memcmp(s.p + at[n], "MARK", 4) != 0)
				continue;
			memcpy(&freed, s.p + at[n] + 8, sizeof freed);
			most = freed > most ? freed : most;
		}
	return most;
}

/* A segment that was freed when the power failed at operation `cut`, and still has its frames;
 * false: the cut was not reached. */
static bool
newest_cut_unread(uint64_t cut, unsigned *tried, unsigned *faults)
{
	struct model *m = newest_begin(6);
	char name[SEGMENT_NAME_BYTES];
	uint64_t generation = m->spool->index.oldest->generation, now = 0;
	bool was_cut;

	segment_name(m->spool->index.oldest->slot, name);
	for (int n = 0; n < 5; n++)
		newest_fill(m);
	simdisk_cut(m->disk, cut);
	model_finish_all(m);
	for (int n = 0; n < TURNS / 2; n++)
		model_turn(m);
	was_cut = simdisk_is_cut(m->disk);
	newest_crash(m);
	simdisk_cut(m->disk, 0);
	if (simdisk_bytes(m->disk, name).n >= SEGMENT_DATA)
		memcpy(&now, simdisk_bytes(m->disk, name).p + 16, sizeof now);
	if (now == generation && newest_freed(m) >= generation) {
		++*tried;
		newest_expect_unread(m, name);
	}
	*faults += model_end(m);
	return was_cut;
}

static bool
freed_file_is_unread(void)
{
	unsigned faults = 0, tried = 0;

	for (uint64_t cut = 1; cut < CUTS_MAX && newest_cut_unread(cut, &tried, &faults);)
		cut++;
	printf("# %u files that were freed and are unread\n", tried);
	return faults == 0 && tried > 0;
}

static const struct crash_case void_cases[] = {
    {"a file is set aside, whenever the power fails", set_aside_through_power_cuts},
    {"a file cannot be renamed at once", not_renamed_at_once},
    {"a file that a later seal voids cannot be read", voided_file_is_unread},
    {"a file that was freed cannot be read", freed_file_is_unread},
};

int
main(void)
{
	return cases_run(void_cases, sizeof void_cases / sizeof *void_cases);
}
