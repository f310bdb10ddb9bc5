/*
 * newest_rig: see the header.
 */
#include "newest_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/mem.h"
#include "cases.h"
#include "spool/spool_internal.h"

enum { SUBMITS_MAX = 200 };

bool
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
struct model *
newest_begin(uint64_t seed)
{
	struct model *m = model_new(seed);
	struct segment_pool *p;

	if (!newest_open(m, false))
		return m;
	p = &m->spool->writer.pool;
	for (int n = 0; n < TURNS && !(p->ready && p->reserve); n++)
		model_turn(m);
	if (!p->ready || !p->reserve)
		model_broken(m, "nothing is ready");
	return m;
}

/* Stores messages until the log has one more segment. */
void
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
void
newest_fill_disk(struct model *m)
{
	uint64_t have, all;
	struct fsio *io = simdisk_io(m->disk);

	simdisk_limit(m->disk, 1 << 30);
	if (io->ops->space(io, &have, &all) != 0)
		model_broken(m, "no space is told");
	simdisk_limit(m->disk, all - have + SPOOL_SEGMENT_MIN / 2);
}

void
newest_crash(struct model *m)
{
	model_close(m);
	simdisk_restart(m->disk);
}

struct model *
newest_begin_single(char name[SEGMENT_NAME_BYTES])
{
	struct model *m = newest_begin(1);

	for (int n = 0; n < 1000 &&
	     (m->spool->writer.pool.mark.freed == 0 || m->spool->index.segment_count > 1); n++)
		model_churn(m, 1);
	segment_name(m->spool->writer.active->slot, name);
	if (m->spool->index.segment_count != 1)
		model_broken(m, "%zu segments", (size_t)m->spool->index.segment_count);
	return m;
}

struct model *
newest_begin_unready(char name[SEGMENT_NAME_BYTES])
{
	struct model *m = newest_begin(1);

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
	m->may_lose = true;
	return m;
}

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

unsigned
newest_names(struct model *m, const char *end)
{
	struct newest_names n = {.end = end};
	struct fsio *io = simdisk_io(m->disk);

	if (io->ops->list(io, newest_count_name, &n) != 0)
		model_broken(m, "no list");
	return n.count;
}

void
newest_make(struct model *m, const char *name, struct str bytes)
{
	struct fsio *io = simdisk_io(m->disk);
	int fd = io->ops->open(io, name, O_RDWR | O_CREAT | O_EXCL);
	struct iovec v = {(char *)(uintptr_t)bytes.p, bytes.n};

	if (fd < 0 || fsio_write_all(io, fd, &v, 1, 0) != 0 || io->ops->sync_data(io, fd) != 0 ||
	    io->ops->sync_directory(io) != 0)
		model_broken(m, "cannot make %s", name);
	if (fd >= 0)
		io->ops->close(io, fd);
}

void
newest_remove(struct model *m, const char *name)
{
	struct fsio *io = simdisk_io(m->disk);

	if (io->ops->unlink(io, name) != 0 || io->ops->sync_directory(io) != 0)
		model_broken(m, "cannot remove %s", name);
}

void
newest_unname(struct model *m)
{
	newest_remove(m, NEWEST_SEGMENT_NAME);
}

void
newest_expect_refusal(struct model *m, const char *words)
{
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};
	unsigned before = cases_told(words);
	unsigned names = newest_names(m, "");

	o.io = simdisk_io(m->disk);
	if (model_open(m, &o))
		model_broken(m, "opened");
	else if (errno != ENOTRECOVERABLE || cases_told(words) != before + 1)
		model_broken(m, "refused with errno %d, \"%s\" is told %u times", errno, words,
		    cases_told(words) - before);
	model_close(m);
	if (newest_names(m, "") != names)
		model_broken(m, "something was changed");
}

struct model *
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

/* ---- files ---- */

static void
newest_list_one(const char *name, void *arg)
{
	struct newest_list *l = arg;
	struct str s = str_of(name);

	if (str_starts(s, str_of(l->begin)) && str_iends(s, str_of(l->end)) && l->count < SLOTS)
		snprintf(l->name[l->count++], NAME_BYTES, "%s", name);
}

struct newest_list
newest_list(struct model *m, const char *begin, const char *end)
{
	struct newest_list l = {.begin = begin, .end = end};
	struct fsio *io = simdisk_io(m->disk);

	if (io->ops->list(io, newest_list_one, &l) != 0)
		model_broken(m, "no list");
	return l;
}

void
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

void
newest_put_back(struct model *m, struct newest_files *files)
{
	for (unsigned i = 0; i < files->count; i++) {
		struct newest_file *f = &files->file[i];

		segment_name(100 + i, f->name);
		newest_make(m, f->name, f->bytes);
		mem_free((char *)(uintptr_t)f->bytes.p);
	}
}

void
newest_forget(struct newest_files *files)
{
	for (unsigned i = 0; i < files->count; i++)
		mem_free((char *)(uintptr_t)files->file[i].bytes.p);
}

/* Is there a file that was set aside and contains the bytes of this one after its header? */
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

	s->is_found |= str_starts(str_of(name), STR("damaged-seg-")) && cases_told(name) > 0 &&
	    b.n >= s->bytes.n && b.n > SEGMENT_DATA &&
	    memcmp(b.p + SEGMENT_DATA, s->bytes.p + SEGMENT_DATA, s->bytes.n - SEGMENT_DATA) == 0;
}

bool
newest_is_kept(struct model *m, struct str bytes)
{
	struct newest_search s = {m, bytes, false};
	struct fsio *io = simdisk_io(m->disk);

	return io->ops->list(io, newest_search_one, &s) == 0 && s.is_found;
}

unsigned
newest_expect_kept(struct model *m, struct newest_files *files)
{
	unsigned before = cases_told("is not read, because it was"),
	         named = cases_told("is in message");
	unsigned aside = cases_told("it is set aside as damaged-seg-00000");
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
				model_broken(m, "%s is not kept as was told", files->file[i].name);
		if (cases_told("is not read, because it was") != before + copy.count)
			model_broken(m, "not told");
		if (cases_told("it is set aside as damaged-seg-00000") != aside + copy.count)
			model_broken(m, "its new name is not told");
		newest_crash(m);
		if (newest_open(m, false))
			model_check(m);
		if (m->spool && m->spool->stats.quarantined)
			model_broken(m, "counted again");
		if (cases_told("is not read, because it was") != before + copy.count)
			model_broken(m, "told again");
	}
	newest_forget(&copy);
	return cases_told("is in message") - named;
}

bool
newest_each_cut(bool (*fn)(uint64_t cut, unsigned *faults), uint64_t at_least)
{
	unsigned faults = 0;
	uint64_t cut = 1;

	while (cut < CUTS_MAX && fn(cut, &faults))
		cut++;
	printf("# %llu power cuts\n", (unsigned long long)cut - 1);
	return faults == 0 && cut > at_least;
}

bool
newest_accept_through_cut(struct model *m, uint64_t cut, int turns)
{
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};
	bool was_cut;

	o.io = simdisk_io(m->disk);
	o.accept_damage = true;
	simdisk_cut(m->disk, cut);
	if (model_open(m, &o))
		for (int n = 0; n < turns; n++)
			model_turn(m);
	was_cut = simdisk_is_cut(m->disk);
	newest_crash(m);
	simdisk_cut(m->disk, 0);
	o.accept_damage = false;
	if (!model_open(m, &o))
		(void)newest_open(m, true);
	return was_cut;
}
