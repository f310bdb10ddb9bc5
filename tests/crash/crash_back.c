/*
 * crash_back: files of the log are put back after a start that went on without them.  What fits into
 * the log is read; the rest is set aside under a name of its own, and its messages are named.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "cases.h"
#include "newest_rig.h"
#include "queue/store.h"

enum { SLOTS = 32, CUTS_MAX = 400 };

/* ---- files ---- */

struct newest_file {
	char name[SEGMENT_NAME_BYTES];
	struct str bytes;
};

struct newest_files {
	struct newest_file file[SLOTS];
	unsigned count;
};

static void
newest_take(struct model *m, uint32_t slot, struct newest_files *out)
{
	struct newest_file *f = &out->file[out->count];
	struct str s = simdisk_bytes(m->disk, segment_name(slot, f->name));

	if (s.n == 0 || out->count + 1 == SLOTS)
		return;
	f->bytes = str_make(mem_text(s.p, s.n), s.n);
	out->count++;
	newest_remove(m, f->name);
}

/* Under a number that is free by now. */
static void
newest_put_back(struct model *m, struct newest_files *files)
{
	for (unsigned i = 0; i < files->count; i++) {
		struct newest_file *f = &files->file[i];

		segment_name(100 + i, f->name);
		newest_make(m, f->name, f->bytes);
		mem_free((char *)(uintptr_t)f->bytes.p);
	}
}

/* Are the bytes of the file, behind its header, in one that was set aside? */
struct newest_search {
	struct model *model;
	struct str bytes;
	bool is_found;
};

static void
newest_search_one(const char *name, void *arg)
{
	struct newest_search *s = arg;
	struct str b = simdisk_bytes(s->model->disk, name);

	s->is_found |= str_starts(str_of(name), STR("damaged-seg-")) && b.n >= s->bytes.n &&
	    b.n > SEGMENT_DATA &&
	    memcmp(b.p + SEGMENT_DATA, s->bytes.p + SEGMENT_DATA, s->bytes.n - SEGMENT_DATA) == 0;
}

static bool
newest_is_kept(struct model *m, struct str bytes)
{
	struct newest_search s = {m, bytes, false};
	struct fsio *io = simdisk_io(m->disk);

	return io->ops->list(io, newest_search_one, &s) == 0 && s.is_found;
}

/* The start that finds it says so; it gets a name of its own, and the next start has nothing to
 * tell. */
static void
newest_expect_kept(struct model *m, struct newest_files *files)
{
	unsigned before = cases_told("was put back after");
	struct newest_files copy = *files;

	for (unsigned i = 0; i < files->count; i++)
		copy.file[i].bytes.p = mem_text(files->file[i].bytes.p, files->file[i].bytes.n);
	newest_put_back(m, files);
	if (newest_open(m, false)) {
		model_check(m);
		for (int n = 0; n < TURNS; n++)
			model_turn(m);
		newest_fill(m);
		newest_fill(m);
		for (unsigned i = 0; i < copy.count; i++)
			if (!newest_is_kept(m, copy.file[i].bytes))
				model_broken(m, "%s is not kept", files->file[i].name);
		if (cases_told("was put back after") != before + copy.count)
			model_broken(m, "not told");
		newest_crash(m);
		if (newest_open(m, false))
			model_check(m);
		if (m->spool && m->spool->stats.quarantined)
			model_broken(m, "counted again");
		if (cases_told("was put back after") != before + copy.count)
			model_broken(m, "told again");
	}
	for (unsigned i = 0; i < copy.count; i++)
		mem_free((char *)(uintptr_t)copy.file[i].bytes.p);
}

/* ---- the newest ---- */

/* The newest file is gone; with or without the one that was ready behind it. */
static bool
run_newest_put_back(bool with_ready)
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
	slot = m->spool->writer.active->slot;
	if (m->spool->writer.pool.ready)
		ready = m->spool->writer.pool.ready->slot;
	newest_crash(m);
	newest_take(m, slot, &files);
	if (with_ready) {
		char name[SEGMENT_NAME_BYTES];

		newest_remove(m, segment_name(ready, name));
	}
	m->may_lose = true;
	if (newest_open(m, false)) {
		model_check(m);
		(void)model_submit(m, 1000, false);
		newest_fill(m);
		newest_crash(m);
	}
	m->may_lose = false;
	newest_expect_kept(m, &files);
	return model_end(m) == 0;
}

static bool
newest_alone_put_back(void)
{
	return run_newest_put_back(false);
}

static bool
newest_and_ready_gone(void)
{
	return run_newest_put_back(true);
}

/* A segment is begun in the middle of a batch: its seal and messages are one write, and the power
 * fails behind the answer. */
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
	m->may_lose = true;
	if (newest_open(m, false)) {
		model_check(m);
		if (m->lost == 0)
			model_broken(m, "nothing is lost");
		newest_fill(m);
		newest_crash(m);
	}
	m->may_lose = false;
	newest_expect_kept(m, &files);
	return model_end(m) == 0;
}

/* ---- others ---- */

/* Begins with a log of some segments; file `number` of it is gone, which a start accepts. */
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

/* While the segment behind it is there, it fits into the log: all is as before. */
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

/* What became of its messages was freed with the segment behind it: none of them comes back. */
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
	newest_expect_kept(m, &files);
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

/* What a power cut leaves of segments that were freed, readable or not, was never taken away: false
 * when the cut was not reached. */
static bool
newest_cut_while_freed(uint64_t cut, unsigned *faults)
{
	unsigned before = cases_told("was put back after");
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
		if (m->spool->stats.quarantined || cases_told("was put back after") != before)
			model_broken(m, "cut %llu: damage is told", (unsigned long long)cut);
	}
	*faults += model_end(m);
	return was_cut;
}

static bool
freed_files_are_not_put_back(void)
{
	unsigned faults = 0;
	uint64_t cut = 1;

	while (cut < CUTS_MAX && newest_cut_while_freed(cut, &faults))
		cut++;
	printf("# %llu power cuts\n", (unsigned long long)cut - 1);
	return faults == 0 && cut > 20;
}

/* ---- all ---- */

struct newest_bodies {
	struct model *model;
	char name[SLOTS][64];
	unsigned count;
};

static void
newest_find_body(const char *name, void *arg)
{
	struct newest_bodies *b = arg;

	if (str_iends(str_of(name), STR(".body.lost")) && b->count < SLOTS)
		snprintf(b->name[b->count++], sizeof b->name[0], "%s", name);
}

/* The bodies of messages that were gone have another name since. */
static void
newest_put_bodies_back(struct model *m)
{
	struct newest_bodies b = {.model = m};
	struct fsio *io = simdisk_io(m->disk);
	char name[64];

	if (io->ops->list(io, newest_find_body, &b) != 0 || b.count == 0)
		model_broken(m, "no bodies were kept");
	for (unsigned i = 0; i < b.count; i++) {
		snprintf(name, sizeof name, "%.*s", (int)(strlen(b.name[i]) - strlen(".lost")),
		    b.name[i]);
		if (io->ops->rename(io, b.name[i], name) != 0)
			model_broken(m, "cannot rename %s", b.name[i]);
	}
}

/* All files of a log with messages, holds, statuses, notes and bodies are gone, which a start
 * accepts. */
static struct model *
newest_begin_without_all(struct newest_files *files)
{
	struct model *m = newest_begin_freed();
	uint32_t slots[SLOTS];
	unsigned count = 0;

	for (int n = 0; n < 100; n++)
		if (!model_act(m))
			model_turn(m);
	(void)model_submit(m, 9000, true);
	for (int n = 0; n < 8; n++)
		model_turn(m);
	for (struct segment *g = m->spool->index.oldest; g && count < SLOTS; g = g->next)
		slots[count++] = g->slot;
	newest_crash(m);
	for (unsigned i = 0; i < count; i++)
		newest_take(m, slots[i], files);
	m->may_lose = true;
	(void)newest_open(m, true);
	return m;
}

/* Then all of it is there again: so is its mail, beside what came meanwhile. */
static bool
whole_log_put_back(void)
{
	struct newest_files files = {.count = 0};
	struct model *m = newest_begin_without_all(&files);

	for (int n = 0; n < 5; n++)
		(void)model_submit(m, 1000, false);
	for (int n = 0; n < 4; n++)
		model_turn(m);
	newest_crash(m);
	newest_put_back(m, &files);
	newest_put_bodies_back(m);
	m->may_lose = false;
	for (int n = 0; n < 2 && newest_open(m, false); n++) {
		model_check(m);
		if (m->spool->stats.quarantined)
			model_broken(m, "%llu damages",
			    (unsigned long long)m->spool->stats.quarantined);
		newest_crash(m);
	}
	return model_end(m) == 0;
}

/* The new log has freed a segment by then, so nothing older is read; one file is still missing. */
static bool
whole_log_put_back_too_late(void)
{
	struct newest_files files = {.count = 0};
	struct model *m = newest_begin_without_all(&files);
	uint64_t last;

	model_check(m);
	m->may_lose = false;
	last = m->spool->writer.pool.generation;
	for (int n = 0; n < TURNS && m->spool->writer.pool.mark.freed <= last; n++) {
		newest_fill(m);
		model_finish_all(m);
		model_check(m);
	}
	if (m->spool->writer.pool.mark.freed <= last)
		model_broken(m, "nothing was freed");
	newest_crash(m);
	if (files.count < 3)
		model_broken(m, "%u files", files.count);
	mem_free((char *)(uintptr_t)files.file[1].bytes.p);
	files.file[1] = files.file[--files.count];
	newest_expect_kept(m, &files);
	return model_end(m) == 0;
}

/* ---- cases ---- */

static const struct crash_case back_cases[] = {
    {"the newest file is put back after a start without it", newest_alone_put_back},
    {"the same, and the one that was ready is gone", newest_and_ready_gone},
    {"the same, and all of it was one write", newest_of_one_write},
    {"one of the middle is put back while the next is there", middle_put_back_in_time},
    {"the oldest is put back while the next is there", oldest_put_back_in_time},
    {"one of the middle is put back when what followed it was freed", middle_put_back_too_late},
    {"the oldest is put back when what followed it was freed", oldest_put_back_too_late},
    {"what a power cut leaves of freed segments is not told", freed_files_are_not_put_back},
    {"the whole log is put back after a start that accepted its loss", whole_log_put_back},
    {"the same without one file, when the new log has freed a segment",
	whole_log_put_back_too_late},
};

int
main(void)
{
	return cases_run(back_cases, sizeof back_cases / sizeof *back_cases);
}
