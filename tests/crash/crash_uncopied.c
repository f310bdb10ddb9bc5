/*
 * crash_uncopied: starts that find damage which they cannot copy.  The damaged bytes are not
 * overwritten, for whatever reason there is no copy, and whenever the power fails.
 */
#include <errno.h>
#include <stdio.h>

#include "kept_rig.h"
#include "spool/segment_pool.h"

enum kept_reason {
	KEPT_NO_ROOM,
	KEPT_ROOM_UNKNOWN,
	KEPT_TOO_MANY,
	KEPT_UNWRITTEN,
	KEPT_NAME_UNSURE,                /* before it is logged; this is accepted */
	KEPT_NAME_UNSURE_LATER,          /* when it is written */
	KEPT_NAME_TAKEN,
	KEPT_UNSYNCED,                   /* there are copies, which a power cut may undo */
	KEPT_REASONS,
};

static const char *const kept_reason_told[] = {
    [KEPT_NO_ROOM] = "bytes and start again",
    [KEPT_ROOM_UNKNOWN] = "the free space of the disk is not known",
    [KEPT_TOO_MANY] = "a start copies 64",
    [KEPT_UNWRITTEN] = "cannot be written",
    [KEPT_NAME_UNSURE] = "cannot be looked at",
    [KEPT_NAME_UNSURE_LATER] = "cannot be looked at",
    [KEPT_NAME_TAKEN] = "there is something else of the name",
    [KEPT_UNSYNCED] = "are not durable",
};

static int
kept_space(struct fsio *io, uint64_t *free_out, uint64_t *total_out)
{
	(void)io;
	(void)free_out;
	(void)total_out;
	errno = EIO;
	return -1;
}

/* While the log is read each name is inspected once, and does not exist; later it cannot be
 * inspected, or is in use. */
static enum kept_reason kept_inspect_reason;
static unsigned kept_inspect_first;

static int
kept_inspect_late(struct fsio *io, const char *name, struct fsio_file *out)
{
	if (!str_starts(str_of(name), STR("damaged-")))
		return kept_ops->inspect(io, name, out);
	if (kept_inspect_first > 0) {
		kept_inspect_first--;
		return kept_ops->inspect(io, name, out);
	}
	if (kept_inspect_reason == KEPT_NAME_TAKEN) {
		*out = (struct fsio_file){.bytes = 1, .is_plain = true};
		return 0;
	}
	errno = EIO;
	return -1;
}

struct kept_file_search {
	struct model *m;
	const struct kept_evidence *evidence;
	bool is_there[MANY];
};

static void
kept_search_file(const char *name, void *arg)
{
	struct kept_file_search *f = arg;
	struct str all = simdisk_bytes(f->m->disk, name);
	const struct kept_evidence *e = f->evidence;

	if (damage_copies_is_unfinished(str_of(name)))
		return;
	/* one in use is not overwritten, as long as it has its header */
	if (!str_starts(str_of(name), STR("damaged-")) &&
	    (all.n < sizeof e->header || memcmp(all.p, e->header, sizeof e->header) != 0))
		return;
	for (unsigned n = 0; n < e->count; n++)
		f->is_there[n] |= memmem(all.p, all.n, e->bytes[n].p, e->bytes[n].n) != NULL;
}

static void
kept_expect_evidence(struct model *m, const struct kept_evidence *e, const char *when)
{
	struct kept_file_search f = {.m = m, .evidence = e};
	struct fsio *io = simdisk_io(m->disk);
	unsigned left = 0;

	if (io->ops->list(io, kept_search_file, &f) != 0)
		model_broken(m, "no list");
	for (unsigned n = 0; n < e->count; n++)
		left += f.is_there[n];
	if (left != e->count)
		model_broken(m, "%s %u of %u damaged messages are left", when, left, e->count);
}

/* All messages are settled, and their segment is freed. */
static void
kept_finish(struct model *m, uint32_t slot)
{
	model_finish_all(m);
	for (int n = 0; n < 40; n++)
		model_turn(m);
	if (m->spool->index.oldest->slot == slot && !simdisk_is_cut(m->disk))
		model_broken(m, "the segment is not freed");
}

static void
kept_fail_as(struct model *m, enum kept_reason reason, struct fsio_ops *ops)
{
	struct fsio *io = simdisk_io(m->disk);

	kept_ops = io->ops;
	*ops = *io->ops;
	io->ops = ops;
	kept_inspect_reason = reason;
	kept_inspect_error = EIO;
	switch (reason) {
	case KEPT_NO_ROOM:
		kept_leave_room(m, kept_options.segment_bytes / 8);
		break;
	case KEPT_ROOM_UNKNOWN:
		ops->space = kept_space;
		break;
	case KEPT_UNWRITTEN:
		simdisk_fail(m->disk, (struct simdisk_fault){SIMDISK_RENAME, 1, 1, EIO});
		break;
	case KEPT_UNSYNCED:
		/* the first one comes before anything is read */
		simdisk_fail(m->disk, (struct simdisk_fault){SIMDISK_SYNC_DIRECTORY, 2, 1, EIO});
		break;
	case KEPT_NAME_UNSURE:
		ops->inspect = kept_inspect;
		break;
	case KEPT_NAME_UNSURE_LATER:
	case KEPT_NAME_TAKEN:
		ops->inspect = kept_inspect_late;
		break;
	case KEPT_TOO_MANY:
	case KEPT_REASONS:
		break;
	}
}

static bool
kept_open_accepting(struct model *m, bool accept_damage, unsigned minimum_free)
{
	struct spool_options o = kept_options;

	o.io = simdisk_io(m->disk);
	o.accept_damage = accept_damage;
	o.minimum_free_percent = minimum_free;
	return model_open(m, &o);
}

/* A closed spool: all of its first segment is sealed, the last message too, and every second one is
 * damaged. */
static uint32_t
kept_damage_sealed(
    struct model *m, unsigned messages, unsigned count, struct kept_evidence *evidence)
{
	struct kept_heard h = {0};

	kept_fill(m, messages, 1000);
	model_close(m);
	if (!kept_open(m, &h))
		model_broken(m, "cannot be opened: errno %d", errno);
	m->may_lose = true;
	return kept_damage_from(m, 0, count, evidence);
}

/* The start goes on without a copy, and logs why.  The damaged bytes are not overwritten then,
 * though the segment is freed; the log continues, and the next start has nothing to report. */
static bool
run_uncopied(enum kept_reason reason, unsigned messages)
{
	struct model *m = model_new(1);
	struct kept_evidence evidence = {.count = 0};
	unsigned count = reason == KEPT_TOO_MANY ? MANY : (messages + 1) / 2;
	struct fsio_ops ops;
	uint32_t slot;
	bool is_good;
	unsigned aside = cases_told("any more, kept as damaged-seg-");

	messages = reason == KEPT_TOO_MANY ? 2 * MANY : messages;
	slot = kept_damage_sealed(m, messages, count, &evidence);
	kept_inspect_first = count;
	kept_fail_as(m, reason, &ops);
	if (!kept_open_accepting(m, reason == KEPT_NAME_UNSURE, 10))
		model_broken(m, "reason %d: refused: errno %d", reason, errno);
	else if (m->spool->stats.quarantined != count)
		model_broken(m, "reason %d: not counted", reason);
	simdisk_io(m->disk)->ops = kept_ops;
	if (cases_told_both(reason == KEPT_UNSYNCED ? "copies" : "not copied",
		kept_reason_told[reason]) == 0)
		model_broken(m, "reason %d: not told", reason);
	if (reason != KEPT_UNSYNCED && kept_copies(m, slot) == count)
		model_broken(m, "reason %d: all are copied", reason);
	if (m->spool)
		kept_finish(m, slot);
	kept_expect_evidence(m, &evidence, "when it is freed");
	if (cases_told("any more, kept as damaged-seg-") != aside + 1)
		model_broken(m, "reason %d: its file is not set aside", reason);
	model_close(m);
	simdisk_limit(m->disk, 1 << 30);
	if (!kept_open_accepting(m, false, 10) || m->spool->stats.quarantined > 0)
		model_broken(m, "reason %d: the next start tells of it", reason);
	kept_expect_evidence(m, &evidence, "at the next start");
	kept_clear_evidence(&evidence);
	is_good = model_end(m) == 0;
	if (!is_good)
		printf("# reason %d, %u messages\n", reason, messages);
	return is_good;
}

static bool
what_is_not_copied_is_not_written_over(void)
{
	bool all = true;

	for (enum kept_reason reason = 0; reason < KEPT_REASONS; reason++)
		for (unsigned messages = 1; messages <= MESSAGES; messages += MESSAGES - 1)
			all &= run_uncopied(reason, messages);
	return all;
}

/* The disk has room for some copies.  The power fails at operation `cut` of the start and of the
 * work by which the segment is freed; false: there were fewer operations. */
static bool
kept_cut_uncopied(uint64_t seed, uint64_t cut, unsigned *faults)
{
	struct model *m = model_new(seed);
	struct kept_evidence evidence = {.count = 0};
	uint32_t slot = kept_damage_sealed(m, MESSAGES, MESSAGES / 2, &evidence);
	bool was_cut;

	kept_remove_unused(m, slot);
	kept_leave_room(m, kept_options.segment_bytes + MESSAGES / 4 * 1500);
	simdisk_cut(m->disk, cut);
	if (kept_open_accepting(m, false, 0))
		kept_finish(m, slot);
	was_cut = simdisk_is_cut(m->disk);
	model_close(m);
	simdisk_restart(m->disk);
	kept_expect_evidence(m, &evidence, "after the power cut");
	simdisk_limit(m->disk, 1 << 30);
	if (kept_open_accepting(m, false, 0)) {
		model_check(m);
		kept_finish(m, slot);
	} else {
		model_broken(m, "refused: errno %d", errno);
	}
	kept_expect_evidence(m, &evidence, "when it is freed");
	kept_clear_evidence(&evidence);
	*faults += model_end(m);
	return was_cut;
}

static bool
power_cuts_beside_what_is_not_copied(void)
{
	unsigned cuts = 0, faults = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		for (uint64_t cut = 1; cut < ACTS_MAX && kept_cut_uncopied(seed, cut, &faults);
		     cut++)
			cuts++;
	printf("# %u power cuts, %u broken promises\n", cuts, faults);
	return faults == 0 && cuts > 10 * SEEDS &&
	       cases_told("damaged places are not copied now") &&
	       cases_told("is kept as damaged-1-") && cases_told("any more, kept as damaged-seg-");
}

/* It holds nothing that the log needs, and was returned to the pool before anything is copied. */
static bool
one_given_back_is_set_aside(void)
{
	struct model *m = model_new(1);
	struct damage_copies k = {.count = 0};
	struct damage_copies_stretch s = {.from = SEGMENT_DATA, .to = SEGMENT_DATA + 100};
	struct segment_pool *p;

	kept_fill(m, 1, 1000);
	p = &m->spool->writer.pool;
	for (int n = 0; n < 40 && !p->ready; n++)
		model_turn(m);
	s.segment = p->ready;
	p->ready = NULL;
	segment_pool_return(p, s.segment);
	damage_copies_skip(&k, &s);
	damage_copies_write(&k, p);
	for (int n = 0; n < 40; n++)
		model_turn(m);
	if (cases_told("any more, kept as damaged-seg-") != 1)
		model_broken(m, "it is used again");
	return model_end(m) == 0;
}

/* ---- cases ---- */

static const struct crash_case uncopied_cases[] = {
    {"what is not copied is not written over", what_is_not_copied_is_not_written_over},
    {"nor when the power fails meanwhile", power_cuts_beside_what_is_not_copied},
    {"nor where the segment was given back already", one_given_back_is_set_aside},
};

int
main(void)
{
	return cases_run(uncopied_cases, sizeof uncopied_cases / sizeof *uncopied_cases);
}
