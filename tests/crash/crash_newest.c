/*
 * crash_newest: nothing names the newest file of the log, so its absence is not seen.  No body of a
 * message that stood in it is removed then, also where a reserve was made meanwhile; and what a
 * crash left behind is removed where all files are there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "model.h"
#include "queue/store.h"

enum { SUBMITS_MAX = 200, TURNS = 60 };

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

/* ---- all ---- */

static const struct newest_case {
	const char *what;
	bool (*fn)(void);
} newest_cases[] = {
    {"the newest file is gone, and a reserve was made: no body is removed", reserve_is_not_ready},
    {"a body without a record is removed, from the first segment on", loose_body_is_removed},
};

int
main(void)
{
	size_t count = sizeof newest_cases / sizeof *newest_cases;
	bool all = true;

	log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_TO_FILE);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%zu\n", count);
	for (size_t i = 0; i < count; i++) {
		bool is_good = newest_cases[i].fn();

		printf("%sok %zu - %s\n", is_good ? "" : "not ", i + 1, newest_cases[i].what);
		all &= is_good;
	}
	return !all;
}
