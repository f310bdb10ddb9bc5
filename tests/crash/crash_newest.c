/*
 * crash_newest: nothing names the newest file of the log, so its absence is not seen.  No body of a
 * message that stood in it is removed then, also where a reserve was made meanwhile; what a crash
 * left behind is removed where all files are there; and a file that is put back after a start that
 * went on without it is kept, with a line of the log.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "cases.h"
#include "model.h"
#include "queue/store.h"

enum { SUBMITS_MAX = 200, SLOTS = 32, TURNS = 60 };

static bool
newest_open(struct model *m, bool accept_damage)
{
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};

	o.io = simdisk_io(m->disk);
	o.accept_damage = accept_damage;
	if (model_open(m, &o))
		return true;
	model_broken(m, "refused: errno %d", errno);
	return false;
}

/* A new spool with one segment in use, one ready, and a reserve. */
static struct model *
newest_begin(uint64_t seed)
{
	struct model *m = model_new(seed);
	struct stock *p;

	if (!newest_open(m, false))
		return m;
	p = &m->spool->writer.pool;
	for (int n = 0; n < TURNS && !(p->ready && p->reserve); n++)
		model_turn(m);
	if (!p->ready || !p->reserve)
		model_broken(m, "nothing is ready");
	return m;
}

/* Messages until the log has one more segment. */
static void
newest_fill(struct model *m)
{
	size_t count = m->spool->index.segment_count;

	for (int n = 0; n < SUBMITS_MAX && m->spool->index.segment_count == count; n++) {
		(void)model_submit(m, 3000, false);
		model_turn(m);
	}
	if (m->spool->index.segment_count == count)
		model_broken(m, "no segment was begun");
}

/* From now on the disk has no room for a segment; there is some for bodies. */
static void
newest_fill_disk(struct model *m)
{
	uint64_t have, all;
	struct fsio *io = simdisk_io(m->disk);

	simdisk_limit(m->disk, 1 << 30);
	if (io->ops->space(io, &have, &all) != 0)
		model_broken(m, "no space is told");
	simdisk_limit(m->disk, all - have + SPOOL_SEGMENT_MIN / 2);
}

static void
newest_crash(struct model *m)
{
	model_close(m);
	simdisk_restart(m->disk);
}

/* ---- names ---- */

struct newest_names {
	const char *end;
	unsigned count;
};

static void
newest_count_name(const char *name, void *arg)
{
	struct newest_names *n = arg;

	n->count += str_iends(str_of(name), str_of(n->end));
}

static unsigned
newest_names(struct model *m, const char *end)
{
	struct newest_names n = {.end = end};
	struct fsio *io = simdisk_io(m->disk);

	if (io->ops->list(io, newest_count_name, &n) != 0)
		model_broken(m, "no list");
	return n.count;
}

static void
newest_make(struct model *m, const char *name, struct str bytes)
{
	struct fsio *io = simdisk_io(m->disk);
	int fd = io->ops->open(io, name, O_RDWR | O_CREAT | O_EXCL);
	struct iovec v = {(char *)(uintptr_t)bytes.p, bytes.n};

	if (fd < 0 || segment_write(io, fd, &v, 1, 0) != 0 || io->ops->sync_data(io, fd) != 0 ||
	    io->ops->sync_directory(io) != 0)
		model_broken(m, "cannot make %s", name);
	if (fd >= 0)
		io->ops->close(io, fd);
}

static void
newest_remove(struct model *m, const char *name)
{
	struct fsio *io = simdisk_io(m->disk);

	if (io->ops->unlink(io, name) != 0 || io->ops->sync_directory(io) != 0)
		model_broken(m, "cannot remove %s", name);
}

/* ---- bodies ---- */

/* The log has one segment more than was ready when the reserve was made; none is ready behind it,
 * for the disk is full.  Its file is gone. */
static bool
reserve_is_not_ready(void)
{
	struct model *m = newest_begin(1);
	char name[SEGMENT_NAME_BYTES];
	unsigned bodies;

	newest_fill(m);
	for (int n = 0; n < TURNS && !m->spool->writer.pool.ready; n++)
		model_turn(m);
	newest_fill_disk(m);
	newest_fill(m);
	if (!model_submit(m, 9000, true))
		model_broken(m, "no message with a file: errno %d", errno);
	for (int n = 0; n < TURNS; n++)
		model_turn(m);
	if (m->spool->writer.pool.ready)
		model_broken(m, "one is ready");
	segment_name(m->spool->writer.active->slot, name);
	newest_crash(m);
	newest_remove(m, name);
	bodies = newest_names(m, ".body");
	m->may_lose = true;
	if (newest_open(m, false))
		model_check(m);
	if (bodies == 0 || newest_names(m, ".body") + newest_names(m, ".body.lost") < bodies)
		model_broken(m, "%u bodies, then %u and %u that are kept", bodies,
		    newest_names(m, ".body"), newest_names(m, ".body.lost"));
	return model_end(m) == 0;
}

/* A body without a record was never acknowledged: with all files there it is no loss. */
static bool
loose_body_is_removed(void)
{
	unsigned faults = 0;

	for (int segments = 1; segments <= 5; segments++) {
		struct model *m = newest_begin(1);

		for (int n = 1; n < segments; n++)
			newest_fill(m);
		for (int n = 0; n < TURNS; n++)
			model_turn(m);
		newest_crash(m);
		newest_make(m, "DVX00000-1.body", STR("never acknowledged"));
		if (newest_open(m, false)) {
			model_check(m);
			if (newest_names(m, ".lost") || newest_names(m, ".body"))
				model_broken(m, "with %d segments it is kept", segments);
			if (m->spool->stats.quarantined)
				model_broken(m, "with %d segments it is counted", segments);
		}
		faults += model_end(m);
	}
	return faults == 0;
}

/* Builds before gave the reserve a generation: such a spool opens with all that is in it. */
static bool
reserve_with_a_generation(void)
{
	unsigned faults = 0;

	for (int segments = 1; segments <= 5; segments++) {
		struct model *m = newest_begin(1);
		struct stock *p = &m->spool->writer.pool;

		p->reserve->generation = ++p->generation;
		p->reserve->tag = segment_draw_tag();
		if (segment_write_header(p->reserve, simdisk_io(m->disk), &p->mark) != 0)
			model_broken(m, "no header");
		for (int n = 1; n < segments; n++)
			newest_fill(m);
		if (!model_submit(m, 9000, true))
			model_broken(m, "no message with a file: errno %d", errno);
		for (int n = 0; n < TURNS; n++)
			model_turn(m);
		for (int n = 0; n < 3; n++) {
			newest_crash(m);
			if (!newest_open(m, false))
				break;
			model_check(m);
			if (m->spool->stats.quarantined || newest_names(m, ".lost"))
				model_broken(m, "with %d segments something is damaged", segments);
			newest_fill(m);
		}
		faults += model_end(m);
	}
	return faults == 0;
}

/* No segment is ready behind the newest, so it would be kept; the disk refuses to rename it. */
static bool
body_that_is_not_renamed(void)
{
	unsigned kept = cases_told("NRN00000-1.body.lost"), refused = cases_told("NRN00000");
	struct model *m = newest_begin(1);
	char name[SEGMENT_NAME_BYTES];
	uint32_t ready = m->spool->writer.pool.ready->slot;

	newest_crash(m);
	newest_remove(m, segment_name(ready, name));
	newest_make(m, "NRN00000-1.body", STR("never acknowledged"));
	simdisk_fail(m->disk, (struct simdisk_fault){SIMDISK_RENAME, 1, 1, EIO});
	if (newest_open(m, false) && !newest_names(m, "NRN00000-1.body"))
		model_broken(m, "it is gone");
	if (cases_told("NRN00000-1.body.lost") != kept)
		model_broken(m, "told as kept");
	if (cases_told("NRN00000") == refused)
		model_broken(m, "not told");
	return model_end(m) == 0;
}

/* The one segment of the log is there, and the disk can read nothing of it: that is not missing. */
static bool
what_is_unread_is_not_missing(void)
{
	unsigned missing = cases_told("are missing"), unread = cases_told("no record can be");
	struct model *m = newest_begin(1);
	char name[SEGMENT_NAME_BYTES];

	for (int n = 0; n < 1000 &&
	     (m->spool->writer.pool.mark.freed == 0 || m->spool->index.segment_count > 1); n++)
		model_churn(m, 1);
	segment_name(m->spool->writer.active->slot, name);
	if (m->spool->index.segment_count != 1)
		model_broken(m, "%zu segments", (size_t)m->spool->index.segment_count);
	newest_crash(m);
	simdisk_bad_place(m->disk, name, SEGMENT_DATA, SPOOL_SEGMENT_MIN);
	if (newest_open(m, true) && m->spool->stats.quarantined == 0)
		model_broken(m, "not counted");
	if (cases_told("are missing") != missing || cases_told("no record can be") != unread + 1)
		model_broken(m, "told as missing");
	for (int n = 0; n < TURNS; n++)
		model_turn(m);
	newest_crash(m);
	if (newest_open(m, false) && m->spool->stats.quarantined)
		model_broken(m, "counted again");
	return model_end(m) == 0;
}

/* ---- files that are put back ---- */

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

/* Are the bytes behind the header of any file, whatever its name? */
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

	s->is_found |= b.n >= s->bytes.n && b.n > SEGMENT_DATA &&
	    memcmp(b.p + SEGMENT_DATA, s->bytes.p + SEGMENT_DATA, s->bytes.n - SEGMENT_DATA) == 0;
}

static bool
newest_is_kept(struct model *m, struct str bytes)
{
	struct newest_search s = {m, bytes, false};
	struct fsio *io = simdisk_io(m->disk);

	return io->ops->list(io, newest_search_one, &s) == 0 && s.is_found;
}

/* The start that finds it again says so, and the work that follows does not write over it. */
static void
newest_expect_kept(struct model *m, struct newest_files *files)
{
	unsigned before = cases_told("was put back after a start that went on without it");
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
				model_broken(m, "%s is written over", files->file[i].name);
		if (cases_told("was put back after a start that went on without it") !=
		    before + copy.count)
			model_broken(m, "not told");
		newest_crash(m);
		if (newest_open(m, false))
			model_check(m);
	}
	for (unsigned i = 0; i < copy.count; i++)
		mem_free((char *)(uintptr_t)copy.file[i].bytes.p);
}

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

static unsigned
newest_messages(struct model *m)
{
	unsigned count = 0;

	for (struct segment *g = m->spool->index.oldest; g; g = g->next)
		for (struct item *i = g->items; i; i = i->next)
			count++;
	return count;
}

/* A spool that has freed segments, and messages in several of those that it has. */
static struct model *
newest_begin_freed(void)
{
	struct model *m = newest_begin(3);

	for (int n = 0; n < 1000 && m->spool->writer.pool.mark.freed == 0; n++)
		model_churn(m, 1);
	newest_fill(m);
	newest_fill(m);
	for (int n = 0; n < TURNS; n++)
		model_turn(m);
	return m;
}

/* The whole log is gone, which is accepted; then all of it is there again: so is its mail, beside
 * what came meanwhile. */
static bool
whole_log_put_back(void)
{
	struct newest_files files = {.count = 0};
	struct model *m = newest_begin_freed();
	unsigned before = newest_messages(m), came;
	uint32_t slots[SLOTS];
	unsigned count = 0;

	for (struct segment *g = m->spool->index.oldest; g && count < SLOTS; g = g->next)
		slots[count++] = g->slot;
	newest_crash(m);
	for (unsigned i = 0; i < count; i++)
		newest_take(m, slots[i], &files);
	m->may_lose = true;
	if (!newest_open(m, true))
		return model_end(m) == 0;
	for (int n = 0; n < 5; n++)
		(void)model_submit(m, 1000, false);
	for (int n = 0; n < 4; n++)
		model_turn(m);
	came = newest_messages(m);
	newest_crash(m);
	newest_put_back(m, &files);
	if (newest_open(m, false)) {
		if (came == 0 || newest_messages(m) != before + came)
			model_broken(m, "%u messages, then %u more; %u are there", before, came,
			    newest_messages(m));
		if (m->spool->stats.quarantined)
			model_broken(m, "%llu damages",
			    (unsigned long long)m->spool->stats.quarantined);
	}
	newest_crash(m);
	if (newest_open(m, false) && newest_messages(m) != before + came)
		model_broken(m, "%u are there at the next start", newest_messages(m));
	return model_end(m) == 0;
}

/* ---- all ---- */

static const struct crash_case newest_cases[] = {
    {"the newest file is gone, and a reserve was made: no body is removed", reserve_is_not_ready},
    {"a body without a record is removed, from the first segment on", loose_body_is_removed},
    {"a reserve that has a generation, as builds before left it", reserve_with_a_generation},
    {"a body without a record that cannot be renamed", body_that_is_not_renamed},
    {"a log of which nothing can be read is not missing", what_is_unread_is_not_missing},
    {"the newest file is put back after a start without it", newest_alone_put_back},
    {"the same, and the one that was ready is gone", newest_and_ready_gone},
    {"the whole log is put back after a start that accepted its loss", whole_log_put_back},
};

int
main(void)
{
	return cases_run(newest_cases, sizeof newest_cases / sizeof *newest_cases);
}
