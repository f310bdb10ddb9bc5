/*
 * crash_missing: after random work with power cuts, one file of the log is missing or truncated.
 * This never stays unnoticed: the start is refused and changes nothing; with --accept-damage it
 * goes on with all that is left, and the next start needs no option.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "missing_rig.h"

/* ---- cases ---- */

static void
missing_any(struct model *m, const struct missing_log *log)
{
	missing_remove(m, log->slot[simdisk_draw(m->disk, log->count - 1)]);
	missing_expect_refusal(m, "a segment is missing");
	missing_expect_refusal(m, "a segment is missing, at a second start");
	missing_expect_acceptance(m);
}

/* Only one file is missing, and the one seal that names it is damaged as well. */
static void
missing_named_by_damage(struct model *m, const struct missing_log *log, enum missing_harm harm)
{
	size_t number = simdisk_draw(m->disk, log->count - 1);

	missing_remove(m, log->slot[number]);
	missing_harm_seal(m, log->slot[number + 1], harm);
	missing_expect_refusal(m, "a segment is missing, and the seal that names it is damaged");
	missing_expect_acceptance(m);
}

static void
missing_named_by_bit(struct model *m, const struct missing_log *log)
{
	missing_named_by_damage(m, log, MISSING_BIT);
}

static void
missing_named_by_none(struct model *m, const struct missing_log *log)
{
	missing_named_by_damage(m, log, MISSING_ALL);
}

static void
missing_oldest(struct model *m, const struct missing_log *log)
{
	size_t count = 1 + simdisk_draw(m->disk, log->count - 1);

	for (size_t i = 0; i < count; i++)
		missing_remove(m, log->slot[i]);
	missing_expect_refusal(m, "the oldest segments are missing");
	missing_expect_acceptance(m);
}

/* The files of the log and the one that was prepared for it: all but free ones. */
static void
missing_remove_all(struct model *m)
{
	char name[SEGMENT_NAME_BYTES];
	uint64_t generation;

	for (uint32_t slot = 1; slot < SEGMENTS; slot++) {
		struct str s = simdisk_bytes(m->disk, segment_name(slot, name));

		if (s.n < SEGMENT_DATA)
			continue;
		memcpy(&generation, s.p + 16, sizeof generation);
		if (generation != 0)
			missing_remove(m, slot);
	}
}

struct missing_bodies {
	unsigned bodies;
	unsigned lost;
};

static void
missing_count_body(const char *name, void *arg)
{
	struct missing_bodies *n = arg;
	struct str s = str_of(name);

	n->bodies += str_iends(s, STR(".body"));
	n->lost += str_iends(s, STR(".body.lost"));
}

static struct missing_bodies
missing_bodies(struct model *m)
{
	struct fsio *io = simdisk_io(m->disk);
	struct missing_bodies n = {0};

	if (io->ops->list(io, missing_count_body, &n) != 0)
		model_broken(m, "no list");
	return n;
}

/* No body of a message is removed because the records that name it are missing. */
static void
missing_expect_bodies(struct model *m, struct missing_bodies before)
{
	struct missing_bodies after = missing_bodies(m);

	if (after.bodies + after.lost < before.bodies + before.lost)
		model_broken(m, "%u bodies, then %u and %u that are kept", before.bodies,
		    after.bodies, after.lost);
}

/* The highest freed generation in all marks; 0: it is not known that there was a log. */
static uint64_t
missing_freed(struct model *m)
{
	char name[SEGMENT_NAME_BYTES];
	uint64_t freed, most = 0;

	for (uint32_t slot = 1; slot < SEGMENTS; slot++) {
		struct str s = simdisk_bytes(m->disk, segment_name(slot, name));

		if (s.n < SEGMENT_DATA || memcmp(s.p + 40, "MARK", 4) != 0)
			continue;
		memcpy(&freed, s.p + 48, sizeof freed);
		most = freed > most ? freed : most;
	}
	return most;
}

/* A log of which nothing is left is noticed as missing.  What is written then has higher
 * generations than all before, so that its own loss is noticed. */
static void
missing_log_begins_anew(struct model *m, const struct missing_log *log)
{
	struct missing_bodies bodies = missing_bodies(m);
	uint64_t freed;
	struct missing_log anew;
	(void)log;
	missing_remove_all(m);
	freed = missing_freed(m);
	missing_expect_refusal(m, "the whole log is missing");
	m->may_lose = true;
	if (!missing_open(m, true)) {
		model_broken(m, "refused without a log: errno %d", errno);
		return;
	}
	model_check(m);
	missing_expect_bodies(m, bodies);
	if (m->spool->writer.pool.generation <= freed)
		model_broken(m, "generation %llu is used again, up to %llu they were freed",
		    (unsigned long long)m->spool->writer.pool.generation,
		    (unsigned long long)freed);
	for (int n = 0; n < 200 && m->spool->index.segment_count < 4; n++) {
		model_submit(m, 3000, false);
		model_turn(m);
	}
	anew = missing_list(m);
	model_close(m);
	if (!missing_opens_quietly(m))
		return;
	model_close(m);
	if (anew.count == 4)
		missing_any(m, &anew);
	else
		model_broken(m, "%zu segments", anew.count);
}

static void
missing_newest(struct model *m, const struct missing_log *log)
{
	struct missing_bodies bodies = missing_bodies(m);

	missing_remove(m, log->slot[log->count - 1]);
	missing_expect_refusal(m, "the newest segment is missing");
	missing_expect_refusal(m, "the newest segment is missing, at a second start");
	if (m->seed % 2 == 0) {
		missing_expect_acceptance(m);
		return;
	}
	m->may_lose = true;
	if (!missing_open(m, true))
		model_broken(m, "refused although damage is accepted: errno %d", errno);
	missing_expect_bodies(m, bodies);
}

/* Nothing names the newest segment in a spool of an older version: its loss is not noticed, but no
 * body is removed. */
static void
missing_newest_unnamed(struct model *m, const struct missing_log *log)
{
	struct missing_bodies bodies = missing_bodies(m);
	struct fsio *io = simdisk_io(m->disk);

	missing_remove(m, log->slot[log->count - 1]);
	if (io->ops->unlink(io, NEWEST_SEGMENT_NAME) != 0 || io->ops->sync_directory(io) != 0)
		model_broken(m, "the newest is not named");
	m->may_lose = true;
	if (!missing_open(m, false)) {
		model_broken(m, "refused: errno %d", errno);
		return;
	}
	model_check(m);
	missing_expect_bodies(m, bodies);
}

/* Without room for a new segment, and without a free one, the next start needs no option either. */
static void
missing_on_full_disk(struct model *m, const struct missing_log *log)
{
	char name[SEGMENT_NAME_BYTES];
	uint64_t used = 0, told;

	missing_remove(m, log->slot[0]);
	for (uint32_t slot = 1; slot < SEGMENTS; slot++) {
		bool is_live = false;

		for (size_t i = 1; i < log->count; i++)
			is_live |= log->slot[i] == slot;
		if (simdisk_bytes(m->disk, segment_name(slot, name)).n && !is_live)
			missing_remove(m, slot);
		used += simdisk_bytes(m->disk, name).n;
	}
	simdisk_limit(m->disk, used + 1);
	missing_expect_refusal(m, "the oldest segment is missing");
	m->may_lose = true;
	if (!missing_open(m, true))
		model_broken(m, "refused although damage is accepted: errno %d", errno);
	else if (m->spool->writer.active)
		model_broken(m, "the disk is not full");
	else
		model_check(m);
	told = m->spool ? m->spool->stats.quarantined : 0;
	model_close(m);
	simdisk_restart(m->disk);
	if (!missing_open(m, false))
		model_broken(m, "refused once more: errno %d", errno);
	/* what had no room for a copy is logged again */
	else if (m->spool->stats.quarantined >= told)
		model_broken(m, "told again");
	else
		model_check(m);
}

static void
missing_in_old_spool(struct model *m, const struct missing_log *log)
{
	missing_unmark(m);
	if (log->count > 2) {
		missing_remove(m, log->slot[1 + simdisk_draw(m->disk, log->count - 2)]);
		missing_expect_refusal(m, "a segment is missing in the middle");
		missing_expect_acceptance(m);
		return;
	}
	if (!missing_open(m, false))
		model_broken(m, "a spool of 0.1.0 is refused: errno %d", errno);
	else
		model_check(m);
}

static void
missing_end(struct model *m, const struct missing_log *log)
{
	size_t number = simdisk_draw(m->disk, log->count);
	bool is_newest = number == log->count - 1;
	char name[SEGMENT_NAME_BYTES];

	/* the others are full to a quarter at least, or end where the power failed */
	simdisk_truncate(m->disk, segment_name(log->slot[number], name),
	    is_newest ? SEGMENT_DATA + simdisk_draw(m->disk, log->end - SEGMENT_DATA)
	              : SEGMENT_DATA + 200);
	missing_expect_refusal(m, "a segment is cut short");
	missing_expect_acceptance(m);
}

/* ---- a start on a full disk ---- */

/* A log of three segments, all but the newest of them dead, which is not recorded on the disk
 * yet. */
static void
missing_dead_log(struct model *m)
{
	struct spool_entry e[MODEL_RECIPIENTS];
	struct spool_batch b = {.entries = e};
	struct model_message *g = &m->messages[0];

	if (!missing_open(m, false) || !model_submit(m, 1000, false)) {
		model_broken(m, "cannot begin: errno %d", errno);
		return;
	}
	while (m->spool->index.segment_count < 3 && !m->faults)
		model_churn(m, 1);
	b.count = g->recipient_count;
	for (uint32_t n = 0; n < g->recipient_count; n++) {
		e[n] = (struct spool_entry){.kind = SPOOL_STATUS, .id = g->id};
		e[n].status.number = n + 1;
		e[n].status.outcome = SPOOL_DONE;
		e[n].status.is_settled = true;
	}
	if (spool_append(m->spool, &b) != 0)
		model_broken(m, "cannot be settled: errno %d", errno);
	g->fate = MODEL_NONE;
	model_close(m);
}

/* Room for a segment, which is larger than the existing ones, comes only from removed files; the
 * power fails at operation `cut` of that; false: it was not reached. */
static bool
missing_cut_full_start(struct model *m, uint64_t cut)
{
	struct spool_options o = {
	    .segment_bytes = 2 * SPOOL_SEGMENT_MIN, .threadless = true, .io = simdisk_io(m->disk)};
	bool was_cut;

	simdisk_limit(m->disk, 3 * SPOOL_SEGMENT_MIN + SPOOL_SEGMENT_MIN / 2);
	simdisk_cut(m->disk, cut);
	if (model_open(m, &o)) {
		if (m->spool->writer.active && !simdisk_is_cut(m->disk))
			model_broken(m, "the disk is not full");
		for (int n = 0; n < 20; n++)
			model_turn(m);
	}
	was_cut = simdisk_is_cut(m->disk);
	model_close(m);
	simdisk_restart(m->disk);
	simdisk_cut(m->disk, 0);
	simdisk_limit(m->disk, 0);
	return was_cut;
}

static bool
missing_full_start(void)
{
	unsigned faults = 0, cuts = 0;
	bool was_cut;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		was_cut = true;
		for (uint64_t cut = 1; was_cut && cut < CUT_ACTS_MAX; cut++) {
			struct model *m = model_new(seed);

			m->is_quiet = faults > 5;
			missing_dead_log(m);
			was_cut = missing_cut_full_start(m, cut);
			cuts += was_cut;
			if (!missing_open(m, false))
				model_broken(m, "cut %llu: refused with errno %d",
				    (unsigned long long)cut, errno);
			else
				model_check(m);
			faults += model_end(m);
		}
	}
	printf("# a start on a full disk: %u power cuts, %u broken promises\n", cuts, faults);
	return faults == 0 && cuts > SEEDS && !was_cut;
}

static const struct missing_case missing_cases[] = {
    {"any file but the newest is gone", missing_any},
    {"a file is gone, and the seal that names it has a flipped bit", missing_named_by_bit},
    {"a file is gone, and nothing is left of the seal that names it", missing_named_by_none},
    {"the oldest files are gone", missing_oldest},
    {"the oldest file is gone, and the disk is full", missing_on_full_disk},
    {"all files of the log are gone, then one of the new log", missing_log_begins_anew},
    {"the newest file is gone", missing_newest},
    {"the newest file of a spool of a version before is gone", missing_newest_unnamed},
    {"a file in the middle of a spool of 0.1.0 is gone", missing_in_old_spool},
    {"a file is cut short", missing_end},
};

int
main(void)
{
	bool is_good;

	missing_begin(sizeof missing_cases / sizeof *missing_cases + 1);
	is_good = missing_full_start();
	printf(
	    "%sok 1 - a start on a full disk with another segment size, cut off, costs nothing\n",
	    is_good ? "" : "not ");
	is_good &= missing_run_all(missing_cases, sizeof missing_cases / sizeof *missing_cases, 2);
	return !is_good;
}
