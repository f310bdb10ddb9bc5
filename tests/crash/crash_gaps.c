/*
 * crash_gaps: what a start with --accept-damage remembers of missing or truncated segments: through
 * power cuts while segments are freed, and when there are more than the spool can list.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cases.h"
#include "model.h"
#include "spool/spool_internal.h"

enum { SEEDS = 6, CUTS_MAX = 400, MESSAGES = 60, BEYOND = 12 };
enum { GAPS = SEGMENT_MISSING_MAX + BEYOND, SEGMENTS = 2 * GAPS + 1, SEGMENTS_MAX = 300 };

static bool
gaps_open(struct model *m, bool accept_damage)
{
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};

	o.io = simdisk_io(m->disk);
	o.accept_damage = accept_damage;
	return model_open(m, &o);
}

static void
gaps_must_open(struct model *m, bool accept_damage)
{
	if (!gaps_open(m, accept_damage))
		model_broken(m, "cannot be opened: errno %d", errno);
}

static void
gaps_must_be_refused(struct model *m)
{
	if (gaps_open(m, false))
		model_broken(m, "opened although segments are missing");
	else if (errno != ENOTRECOVERABLE)
		model_broken(m, "refused with errno %d", errno);
	model_close(m);
}

static void
gaps_remove(struct model *m, const char *name)
{
	struct fsio *io = simdisk_io(m->disk);

	if (io->ops->unlink(io, name) != 0 || io->ops->sync_directory(io) != 0)
		model_broken(m, "cannot remove %s", name);
}

/* ---- more than the spool can list ---- */

static struct msgid
gaps_id(unsigned number)
{
	return (struct msgid){(uint64_t)(number + 2) << 18, 1};
}

/* Stores messages so large that each has a segment of its own. */
static void
gaps_fill(struct model *m)
{
	static char body[40000];
	struct spool_entry e = {.kind = SPOOL_MESSAGE};
	struct spool_batch b = {.entries = &e, .count = 1};
	static const char envelope[64];

	gaps_must_open(m, false);
	for (unsigned n = 0; n < SEGMENTS; n++) {
		e.id = gaps_id(n);
		e.message.recipient_count = 1;
		e.message.envelope = str_make(envelope, sizeof envelope);
		e.message.body = str_make(body, sizeof body);
		if (spool_append(m->spool, &b) != 0)
			model_broken(m, "message %u: errno %d", n, errno);
		model_turn(m);
	}
	model_turn(m);
}

/* Settles so many of the existing messages, from the oldest on. */
static void
gaps_finish(struct model *m, unsigned count)
{
	struct spool_entry e = {.kind = SPOOL_STATUS};
	struct spool_batch b = {.entries = &e, .count = 1};
	struct spool_message found;

	e.status = (struct spool_recipient){
	    .number = 1, .outcome = SPOOL_DONE, .is_settled = true};
	for (unsigned n = 0; n < SEGMENTS && count > 0; n++) {
		e.id = gaps_id(n);
		if (!spool_find(m->spool, e.id, &found))
			continue;
		count--;
		if (spool_append(m->spool, &b) != 0)
			model_broken(m, "status of %u: errno %d", n, errno);
		model_turn(m);
	}
	for (unsigned n = 0; n < 8; n++)
		model_turn(m);
}

static void
gaps_make(struct model *m)
{
	uint32_t slot[SEGMENTS_MAX];
	char name[SEGMENT_NAME_BYTES];
	size_t count = 0;

	for (struct segment *g = m->spool->index.oldest; g && count < SEGMENTS_MAX; g = g->next)
		slot[count++] = g->slot;
	model_close(m);
	if (count < SEGMENTS)
		model_broken(m, "%zu segments", count);
	for (size_t i = 1; i < 2 * GAPS && i + 1 < count; i += 2)
		gaps_remove(m, segment_name(slot[i], name));
}

/* The log says once how many places exceed the list. */
static void
gaps_accept(struct model *m, unsigned beyond)
{
	unsigned before = cases_told("are more than the spool can list"), all;
	char words[80];

	snprintf(
	    words, sizeof words, "%u of the damaged places that were accepted are more", beyond);
	all = cases_told(words);
	gaps_must_open(m, true);
	if (cases_told("are more than the spool can list") != before + (beyond > 0) ||
	    cases_told(words) != all + (beyond > 0))
		model_broken(m, "%u places beyond the list are not told, or not once", beyond);
}

static bool
more_gaps_than_the_list_holds(void)
{
	struct model *m = model_new(1);

	m->may_lose = true;
	gaps_fill(m);
	gaps_make(m);
	gaps_must_be_refused(m);
	for (int n = 0; n < 2; n++) {
		gaps_accept(m, BEYOND);
		if (m->spool && m->spool->stats.quarantined < BEYOND)
			model_broken(m, "not counted");
		model_close(m);
		gaps_must_be_refused(m);
	}
	/* the oldest ones are freed: there is room for the others */
	gaps_accept(m, BEYOND);
	gaps_finish(m, BEYOND + 2);
	model_close(m);
	gaps_must_be_refused(m);
	gaps_accept(m, 0);
	model_close(m);
	gaps_must_open(m, false);
	if (m->spool && m->spool->stats.quarantined != 0)
		model_broken(m, "told again");
	return model_end(m) == 0;
}

/* ---- power cuts after an accepted loss ---- */

/* The oldest file is missing or truncated, and accepted; then all that is left is settled and
 * freed, and the power fails at operation `cut` of that; false: it was not reached. */
static bool
gaps_cut(uint64_t seed, uint64_t cut, unsigned *faults)
{
	struct model *m = model_new(seed);
	char name[SEGMENT_NAME_BYTES];
	bool was_cut;

	gaps_must_open(m, false);
	for (int n = 0; n < MESSAGES; n++) {
		model_submit(m, 2000, false);
		model_turn(m);
	}
	segment_name(m->spool->index.oldest->slot, name);
	model_close(m);
	if (seed % 2)
		simdisk_truncate(m->disk, name, SEGMENT_DATA + 200);
	else
		gaps_remove(m, name);
	gaps_must_be_refused(m);
	m->may_lose = true;
	gaps_must_open(m, true);
	model_check(m);
	simdisk_cut(m->disk, cut);
	model_finish_all(m);
	for (int n = 0; n < 20; n++)
		model_turn(m);
	was_cut = simdisk_is_cut(m->disk);
	model_close(m);
	simdisk_restart(m->disk);
	simdisk_cut(m->disk, 0);
	gaps_must_open(m, false);
	*faults += model_end(m);
	return was_cut;
}

static bool
an_accepted_gap_is_never_asked_again(void)
{
	unsigned cuts = 0, faults = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		for (uint64_t cut = 1; cut < CUTS_MAX && gaps_cut(seed, cut, &faults); cut++)
			cuts++;
	printf("# %u power cuts, %u broken promises\n", cuts, faults);
	return faults == 0 && cuts > 10 * SEEDS;
}

/* ---- cases ---- */

static const struct crash_case gaps_cases[] = {
    {"more gaps than the list holds: told, counted, and refused until there is room for them",
	more_gaps_than_the_list_holds},
    {"an accepted gap is not asked again, whenever the power fails",
	an_accepted_gap_is_never_asked_again},
};

int
main(void)
{
	return cases_run(gaps_cases, sizeof gaps_cases / sizeof *gaps_cases);
}
