/*
 * crash_whole: all files of the log are gone, which a start accepts, and are put back later.  Their
 * mail is there again while the new log has freed nothing; no body is removed meanwhile.
 */
#include "base/mem.h"
#include "cases.h"
#include "newest_rig.h"
#include "spool/spool_internal.h"

/* ---- the whole log ---- */

/* All files of a log with messages, holds, statuses, notes and bodies are missing. */
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
	return m;
}

static void
newest_expect_quiet(struct model *m)
{
	if (m->spool->stats.quarantined || m->spool->stats.known_damages)
		model_broken(m, "%llu damages, %llu known",
		    (unsigned long long)m->spool->stats.quarantined,
		    (unsigned long long)m->spool->stats.known_damages);
}

/* That is accepted; then all files are there again: so is their mail, beside the mail that was
 * stored meanwhile, and their bodies, which were renamed meanwhile. */
static bool
whole_log_put_back(void)
{
	struct newest_files files = {.count = 0};
	struct model *m = newest_begin_without_all(&files);

	if (newest_open(m, true)) {
		for (int n = 0; n < 5; n++)
			(void)model_submit(m, 1000, false);
		for (int n = 0; n < 4; n++)
			model_turn(m);
		newest_crash(m);
	}
	if (newest_open(m, false))
		newest_expect_quiet(m);
	newest_crash(m);
	if (newest_names(m, ".body.lost") == 0)
		model_broken(m, "no bodies were kept");
	newest_put_back(m, &files);
	m->may_lose = false;
	for (int n = 0; n < 2 && newest_open(m, false); n++) {
		model_check(m);
		newest_expect_quiet(m);
		newest_crash(m);
	}
	return model_end(m) == 0;
}

/* The power fails at operation `cut` of the start that accepts it: no body is removed, then or
 * later.  False: the cut was not reached. */
static bool
newest_cut_anew(uint64_t cut, unsigned *faults)
{
	struct newest_files files = {.count = 0};
	struct model *m = newest_begin_without_all(&files);
	unsigned bodies = newest_names(m, ".body"), left;
	bool was_cut;

	newest_forget(&files);
	was_cut = newest_accept_through_cut(m, cut, TURNS);
	newest_crash(m);
	if (newest_open(m, false))
		newest_expect_quiet(m);
	left = newest_names(m, ".body") + newest_names(m, ".body.lost");
	if (bodies == 0 || left < bodies)
		model_broken(m, "cut %llu: %u bodies, then %u", (unsigned long long)cut, bodies,
		    left);
	*faults += model_end(m);
	return was_cut;
}

static bool
bodies_of_a_log_that_is_gone(void)
{
	return newest_each_cut(newest_cut_anew, 10);
}

/* The new log has freed a segment by then, so nothing older is read; one file is still missing. */
static bool
whole_log_put_back_too_late(void)
{
	struct newest_files files = {.count = 0};
	struct model *m = newest_begin_without_all(&files);
	uint64_t last;

	if (!newest_open(m, true))
		return model_end(m) == 0;
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
	if (newest_expect_kept(m, &files) == 0)
		model_broken(m, "no message is named");
	return model_end(m) == 0;
}

static const struct crash_case whole_cases[] = {
    {"the whole log is put back after a start that accepted its loss", whole_log_put_back},
    {"no body of a log that is gone is removed, whenever the power fails",
	bodies_of_a_log_that_is_gone},
    {"a whole log without one file, when the new log has freed a segment",
	whole_log_put_back_too_late},
};

int
main(void)
{
	return cases_run(whole_cases, sizeof whole_cases / sizeof *whole_cases);
}
