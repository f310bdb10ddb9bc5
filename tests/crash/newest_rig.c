/*
 * newest_rig: see the header.
 */
#include "newest_rig.h"

#include <errno.h>
#include <fcntl.h>

#include "queue/store.h"

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

	if (fd < 0 || segment_write(io, fd, &v, 1, 0) != 0 || io->ops->sync_data(io, fd) != 0 ||
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

unsigned
newest_messages(struct model *m)
{
	unsigned count = 0;

	for (struct segment *g = m->spool->index.oldest; g; g = g->next)
		for (struct item *i = g->items; i; i = i->next)
			count++;
	return count;
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
