/*
 * crash_seals: the first record of a segment, which names the segment before it, is damaged, in a
 * log whose segments were each begun by a start.  What no start reports as missing is not reported
 * by a later one either, in whatever order segments are freed, damage occurs and starts are made.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "cases.h"
#include "newest_rig.h"
#include "spool/spool_internal.h"

enum {
	SEALS_SEGMENTS = 3,
	SEALS_MESSAGES = 3,              /* in each of them */
	SEALS_FINISHED_MAX = 200,
	/* the part of a mark that older versions did not write */
	SEALS_MARK_BYTES = 408,
	SEALS_HEADER_BYTES = 40,
};

static const struct seals_damage {
	uint32_t at, bytes;
} seals_damages[] = {
    {SEGMENT_DATA, 64},
    {SEGMENT_DATA, SEGMENT_SECTOR},
    {SEGMENT_DATA + 64, 64},
    {SEGMENT_DATA + 16, 8},
    {SEGMENT_DATA + 8, 4},
};

enum { SEALS_DAMAGES = sizeof seals_damages / sizeof *seals_damages };

/* Changes the stored bytes. */
static void
seals_zero(struct model *m, const char *name, uint32_t at, uint32_t bytes)
{
	struct fsio *io = simdisk_io(m->disk);
	int fd = io->ops->open(io, name, O_RDWR);

	if (fd < 0 || segment_write_zeros(io, fd, at, bytes) != 0 ||
	    io->ops->sync_data(io, fd) != 0)
		model_broken(m, "cannot write over %s", name);
	if (fd >= 0)
		io->ops->close(io, fd);
}

static void
seals_submit(struct model *m)
{
	for (int n = 0; n < SEALS_MESSAGES; n++) {
		(void)model_submit(m, 1000, false);
		model_turn(m);
	}
	for (int n = 0; n < TURNS; n++)
		model_turn(m);
}

/* A new log of several segments, each of another start, which all hold messages. */
static struct model *
seals_begin(void)
{
	struct model *m = newest_begin(1);

	seals_submit(m);
	for (size_t n = 1; n < SEALS_SEGMENTS; n++) {
		newest_crash(m);
		if (!newest_open(m, false))
			return m;
		seals_submit(m);
	}
	if (m->spool->index.segment_count != SEALS_SEGMENTS)
		model_broken(m, "%zu segments", (size_t)m->spool->index.segment_count);
	return m;
}

/* Settles the messages of the oldest segment, which is freed. */
static void
seals_free_oldest(struct model *m)
{
	const struct segment *oldest = m->spool->index.oldest;

	for (int n = 0; n < SEALS_FINISHED_MAX && m->spool->index.oldest == oldest; n++) {
		model_finish(m, 1);
		model_turn(m);
		model_turn(m);
	}
	for (int n = 0; n < TURNS; n++)
		model_turn(m);
	if (m->spool->index.oldest == oldest)
		model_broken(m, "the oldest segment is not freed");
}

static void
seals_name(const struct model *m, unsigned number, char out[SEGMENT_NAME_BYTES])
{
	const struct segment *g = m->spool->index.oldest;

	for (; number > 0 && g->next; number--)
		g = g->next;
	segment_name(g->slot, out);
}

static bool
seals_open(struct model *m)
{
	newest_crash(m);
	if (!newest_open(m, false))
		return false;
	model_check(m);
	return true;
}

/* A start, and one after each segment that is freed. */
static void
seals_free_all(struct model *m)
{
	/* each start begins one */
	for (int n = 0; n < SEALS_SEGMENTS && seals_open(m) && m->spool->index.oldest->next; n++)
		seals_free_oldest(m);
	(void)seals_open(m);
}

static void
seals_expect_starts(struct model *m)
{
	seals_free_all(m);
	if (cases_told("missing") != 0)
		model_broken(m, "something is told as missing");
}

/* So many of the oldest are freed, then the first record of one is damaged. */
static unsigned
seals_damage_one(unsigned freed, unsigned number, const struct seals_damage *d)
{
	char name[SEGMENT_NAME_BYTES];
	struct model *m = seals_begin();

	for (unsigned n = 0; n < freed && m->spool; n++)
		seals_free_oldest(m);
	if (m->spool) {
		seals_name(m, number - freed, name);
		model_close(m);
		seals_zero(m, name, d->at, d->bytes);
		m->may_lose = true;
		seals_expect_starts(m);
	}
	if (m->faults)
		printf("# %u freed, %u bytes at %u of segment %u\n", freed, d->bytes, d->at,
		    number + 1);
	return model_end(m);
}

/* Nothing is missing, so no start is refused, and no generation is reported as missing. */
static bool
no_damage_is_a_gap(void)
{
	unsigned faults = 0;

	for (unsigned freed = 0; freed < SEALS_SEGMENTS; freed++)
		for (unsigned number = freed; number < SEALS_SEGMENTS; number++)
			for (size_t i = 0; i < SEALS_DAMAGES; i++)
				faults += seals_damage_one(freed, number, &seals_damages[i]);
	return faults == 0;
}

/* A segment that no mark names may be missing; after that was accepted no other start asks for
 * it. */
static unsigned
seals_miss_one(unsigned freed, const struct seals_damage *d)
{
	char gone[SEGMENT_NAME_BYTES], name[SEGMENT_NAME_BYTES], words[64];
	struct model *m = seals_begin();

	for (unsigned n = 0; n < freed && m->spool; n++)
		seals_free_oldest(m);
	seals_name(m, 1 - freed, gone);
	seals_name(m, 2 - freed, name);
	newest_crash(m);
	newest_remove(m, gone);
	seals_zero(m, name, d->at, d->bytes);
	m->may_lose = true;
	snprintf(words, sizeof words, "the first record of %s is damaged", name);
	newest_expect_refusal(m, words);
	simdisk_restart(m->disk);
	(void)newest_open(m, true);
	seals_free_all(m);
	if (m->faults)
		printf("# %u freed, %u bytes at %u\n", freed, d->bytes, d->at);
	return model_end(m);
}

static bool
what_is_missing_is_refused(void)
{
	unsigned faults = 0;

	for (unsigned freed = 0; freed < 2; freed++)
		for (size_t i = 0; i < SEALS_DAMAGES; i++)
			faults += seals_miss_one(freed, &seals_damages[i]);
	return faults == 0;
}

/* ---- marks of older versions ---- */

/* They wrote zeros after the mark. */
static void
seals_write_old_marks(struct model *m)
{
	static const uint32_t at[] = {
	    SEALS_HEADER_BYTES, SEGMENT_MARK_AT, SEGMENT_MARK_AT + SEGMENT_SECTOR};
	struct newest_list l = newest_list(m, "seg-", "");

	for (unsigned n = 0; n < l.count; n++)
		for (size_t i = 0; i < sizeof at / sizeof *at; i++)
			seals_zero(m, l.name[n], at[i] + SEALS_MARK_BYTES, 16);
}

/* The next start finds nothing missing, and from then on marks record the oldest segment. */
static bool
old_marks_are_read(void)
{
	char name[SEGMENT_NAME_BYTES];
	struct model *m = seals_begin();

	seals_free_oldest(m);
	newest_crash(m);
	seals_write_old_marks(m);
	if (seals_open(m)) {
		for (int n = 0; n < TURNS; n++)
			model_turn(m);
		seals_name(m, 0, name);
		model_close(m);
		seals_zero(m, name, SEGMENT_DATA, 64);
		seals_expect_starts(m);
	}
	return model_end(m) == 0;
}

/* Nothing else is known: another segment may have followed the one that was freed. */
static bool
old_marks_and_damage_are_refused(void)
{
	char name[SEGMENT_NAME_BYTES];
	struct model *m = seals_begin();

	seals_free_oldest(m);
	seals_name(m, 0, name);
	newest_crash(m);
	seals_write_old_marks(m);
	seals_zero(m, name, SEGMENT_DATA, 64);
	m->may_lose = true;
	newest_expect_refusal(m, "a segment may be missing");
	simdisk_restart(m->disk);
	(void)newest_open(m, true);
	seals_free_all(m);
	return model_end(m) == 0;
}

/* ---- cases ---- */

static const struct crash_case seals_cases[] = {
    {"the first record of a segment is damaged, before or after others are freed: no start is "
     "refused", no_damage_is_a_gap},
    {"the same, and the segment before it is missing: refused, until it is accepted",
	what_is_missing_is_refused},
    {"marks of a version before", old_marks_are_read},
    {"marks of a version before, and the oldest segment's first record is damaged",
	old_marks_and_damage_are_refused},
};

int
main(void)
{
	return cases_run(seals_cases, sizeof seals_cases / sizeof *seals_cases);
}
