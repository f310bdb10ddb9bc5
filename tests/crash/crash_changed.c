/*
 * crash_changed: the newest file of the log exists and can be read, but its content is not what was
 * written: it is not taken for the one that is prepared after the log.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"
#include "cases.h"
#include "newest_rig.h"
#include "spool/spool_internal.h"

enum { SUBMITS_MAX = 200 };

/* Are the bytes after the header in any file, whatever its name is? */
struct changed_search {
	struct model *model;
	struct str bytes;
	bool is_found;
};

static void
changed_search_one(const char *name, void *arg)
{
	struct changed_search *s = arg;
	struct str b = simdisk_bytes(s->model->disk, name);

	s->is_found |= b.n >= s->bytes.n && b.n > SEGMENT_DATA &&
	    memcmp(b.p + SEGMENT_DATA, s->bytes.p + SEGMENT_DATA, s->bytes.n - SEGMENT_DATA) == 0;
}

static bool
changed_is_kept(struct model *m, struct str bytes)
{
	struct changed_search s = {m, bytes, false};
	struct fsio *io = simdisk_io(m->disk);

	return io->ops->list(io, changed_search_one, &s) == 0 && s.is_found;
}

/* Changes the stored bytes: no read fails. */
static void
changed_write_over(struct model *m, const char *name, size_t at, struct str bytes)
{
	struct fsio *io = simdisk_io(m->disk);
	struct iovec v = {(char *)(uintptr_t)bytes.p, bytes.n};
	int fd = io->ops->open(io, name, O_RDWR);

	if (fd < 0 || fsio_write_all(io, fd, &v, 1, (off_t)at) != 0 ||
	    io->ops->sync_data(io, fd) != 0)
		model_broken(m, "cannot write over %s", name);
	if (fd >= 0)
		io->ops->close(io, fd);
}

/* Replaces all that was written to the file after its header.  The caller frees the result, the
 * whole former file. */
static struct str
changed_write_noise(struct model *m, const char *name)
{
	struct str bytes = simdisk_bytes(m->disk, name);
	char *changed = mem_text(bytes.p, bytes.n);

	for (size_t i = SEGMENT_DATA; i < bytes.n; i++)
		changed[i] ^= 'x';
	changed_write_over(m, name, SEGMENT_DATA,
	    str_make(changed + SEGMENT_DATA, bytes.n - SEGMENT_DATA));
	return str_make(changed, bytes.n);
}

static void
changed_expect_bodies(struct model *m, unsigned bodies)
{
	unsigned named = newest_names(m, ".body"), lost = newest_names(m, ".body.lost");

	if (bodies == 0 || named + lost < bodies)
		model_broken(m, "%u bodies, then %u and %u that are kept", bodies, named, lost);
}

/* Its file is set aside before a segment is begun: after a power cut nothing is left to be
 * logged. */
static bool
newest_is_changed(void)
{
	char name[SEGMENT_NAME_BYTES];
	struct model *m = newest_begin_unready(name);
	unsigned bodies = newest_names(m, ".body");
	struct str changed = changed_write_noise(m, name);

	if (newest_open(m, false))
		model_check(m);
	if (cases_told("none of its records can be read") != 1 || !m->spool ||
	    m->spool->stats.quarantined != 1)
		model_broken(m, "not told, or not counted");
	changed_expect_bodies(m, bodies);
	simdisk_cut(m->disk, 1);
	newest_crash(m);
	if (newest_open(m, false) && m->spool->stats.quarantined)
		model_broken(m, "told again");
	if (simdisk_bytes(m->disk, name).p || !changed_is_kept(m, changed))
		model_broken(m, "it is not set aside");
	mem_free((char *)(uintptr_t)changed.p);
	return model_end(m) == 0;
}

/* A start has begun it, and generations before it are unused: that is no reason to refuse. */
static bool
newest_is_changed_after_a_start(void)
{
	struct model *m = newest_begin(1);
	char name[SEGMENT_NAME_BYTES];
	struct str changed;

	(void)model_submit(m, 1000, false);
	model_turn(m);
	newest_crash(m);
	if (!newest_open(m, false))
		return model_end(m) == 0;
	(void)model_submit(m, 1000, false);
	model_turn(m);
	segment_name(m->spool->writer.active->slot, name);
	newest_crash(m);
	changed = changed_write_noise(m, name);
	m->may_lose = true;
	if (newest_open(m, false)) {
		model_check(m);
		if (m->spool->stats.quarantined != 1 || m->lost != 1)
			model_broken(m, "%llu damages for %u messages",
			    (unsigned long long)m->spool->stats.quarantined, m->lost);
	}
	if (!changed_is_kept(m, changed))
		model_broken(m, "it is not set aside");
	mem_free((char *)(uintptr_t)changed.p);
	return model_end(m) == 0;
}

/* The only segment of the log can be read, and has other content than was written. */
static bool
what_is_changed_is_not_missing(void)
{
	char name[SEGMENT_NAME_BYTES];
	struct model *m = newest_begin_single(name);
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};
	struct str changed;

	newest_crash(m);
	changed = changed_write_noise(m, name);
	o.io = simdisk_io(m->disk);
	if (model_open(m, &o) || errno != ENOTRECOVERABLE)
		model_broken(m, "opened although the whole log is lost: errno %d", errno);
	model_close(m);
	if (newest_open(m, true) && m->spool->stats.quarantined == 0)
		model_broken(m, "not counted");
	if (cases_told("are missing") != 0 || cases_told("no record can be") != 2)
		model_broken(m, "told as missing");
	for (int n = 0; n < TURNS; n++)
		model_turn(m);
	newest_crash(m);
	if (newest_open(m, false) && m->spool->stats.quarantined)
		model_broken(m, "counted again");
	for (int n = 0; n < TURNS; n++)
		model_turn(m);
	if (newest_names(m, name) || !changed_is_kept(m, changed))
		model_broken(m, "the file is not set aside");
	mem_free((char *)(uintptr_t)changed.p);
	return model_end(m) == 0;
}

/* A free file that was truncated holds nothing: the log is missing, and nothing of it is
 * damaged. */
static bool
a_free_file_is_no_log(void)
{
	char name[SEGMENT_NAME_BYTES], other[SEGMENT_NAME_BYTES];
	struct model *m = newest_begin_single(name);
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};

	for (int n = 0; n < TURNS && !m->spool->writer.pool.reserve; n++)
		model_turn(m);
	segment_name(m->spool->writer.pool.reserve->slot, other);
	newest_crash(m);
	newest_remove(m, name);
	simdisk_truncate(m->disk, other, SEGMENT_DATA);
	o.io = simdisk_io(m->disk);
	if (model_open(m, &o) || errno != ENOTRECOVERABLE)
		model_broken(m, "opened although the whole log is lost: errno %d", errno);
	if (cases_told("are missing") != 1 || cases_told("no record can be") != 0)
		model_broken(m, "told as damaged");
	return model_end(m) == 0;
}

/* Several messages are in the first write to a segment, and its first sector is changed: what
 * follows it was acknowledged, and so was what is damaged. */
static bool
the_first_write_is_changed(void)
{
	struct model *m = newest_begin(1);
	size_t count = m->spool->index.segment_count;
	char name[SEGMENT_NAME_BYTES], noise[SEGMENT_SECTOR];

	for (int n = 0; n < SUBMITS_MAX && m->spool->index.segment_count == count; n++) {
		for (int together = 0; together < 5; together++)
			(void)model_submit(m, 3000, false);
		model_turn(m);
	}
	if (!m->spool->index.newest->messages || !stored_message_next(m->spool->index.newest->messages))
		model_broken(m, "not several messages");
	segment_name(m->spool->index.newest->slot, name);
	newest_crash(m);
	memset(noise, 'x', sizeof noise);
	changed_write_over(m, name, SEGMENT_DATA, str_make(noise, sizeof noise));
	m->may_lose = true;
	if (newest_open(m, false)) {
		model_check(m);
		if (m->spool->stats.quarantined != 1 || m->lost != 1)
			model_broken(m, "%llu damages for %u messages",
			    (unsigned long long)m->spool->stats.quarantined, m->lost);
	}
	return model_end(m) == 0;
}

/* Two messages are in one write, and a later write records that they were durable; the record of
 * the first one is changed. */
static bool
a_record_between_others_is_changed(void)
{
	struct model *m = newest_begin(1);
	char name[SEGMENT_NAME_BYTES];
	const struct stored_message *i;
	unsigned bodies;
	uint32_t at;

	for (int n = 0; n < 2; n++)
		(void)model_submit(m, 9000, true);
	for (int n = 0; n < TURNS; n++)
		model_turn(m);
	(void)model_submit(m, 1000, false);
	for (int n = 0; n < TURNS; n++)
		model_turn(m);
	i = index_find(&m->spool->index, m->messages[0].id);
	at = i->offset;
	i = index_find(&m->spool->index, m->messages[1].id);
	if (i->offset / SEGMENT_SECTOR - at / SEGMENT_SECTOR > 1)
		model_broken(m, "not one write: %u and %u", at, i->offset);
	segment_name(i->segment->slot, name);
	bodies = newest_names(m, ".body");
	newest_crash(m);
	changed_write_over(m, name, at + 120, STR("changed"));
	m->may_lose = true;
	if (newest_open(m, false)) {
		model_check(m);
		if (m->spool->stats.quarantined != 1 || m->lost != 1)
			model_broken(m, "%llu damages for %u messages",
			    (unsigned long long)m->spool->stats.quarantined, m->lost);
	}
	changed_expect_bodies(m, bodies);
	return model_end(m) == 0;
}

/* ---- cases ---- */

static const struct crash_case changed_cases[] = {
    {"all of the newest file is changed: it is told, and no body is removed", newest_is_changed},
    {"the same, after a start", newest_is_changed_after_a_start},
    {"all of the only file is changed: that is not missing", what_is_changed_is_not_missing},
    {"a free file that was cut short is nothing of the log", a_free_file_is_no_log},
    {"the first write to the newest file is changed", the_first_write_is_changed},
    {"a record between two others of the newest file is changed",
	a_record_between_others_is_changed},
};

int
main(void)
{
	return cases_run(changed_cases, sizeof changed_cases / sizeof *changed_cases);
}
