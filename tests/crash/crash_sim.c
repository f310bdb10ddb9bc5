/*
 * crash_sim: random work on a simulated disk, a power cut at a random operation, recovery,
 * comparison; repeated on the same disk, with some of the cuts during recovery.
 *
 *	crash_sim            all of it, and the proof that it fails when syncs do nothing
 *	crash_sim SEED       one seed, whose faults are printed
 *	crash_sim --no-sync  with syncs that do nothing: fails
 *	crash_sim --rounds N
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "model.h"
#include "spool/spool_internal.h"

enum { SEEDS = 2200, CUTS = 5, ACTS = 400 };

struct total {
	uint64_t cuts;
	uint64_t recovery_cuts;
	uint64_t refused_starts;
	uint64_t acked;
	uint64_t broken_seeds;
};

/* A start that finds an unreadable place is refused, and loses nothing for the next one; if nothing
 * of the file is needed it goes on, and logs the place. */
static bool
is_refused(struct model *m, const struct spool_options *o, struct total *t)
{
	bool is_open;

	simdisk_fail(m->disk,
	    (struct simdisk_fault){SIMDISK_READ, 1 + simdisk_draw(m->disk, 12), 1, EIO});
	is_open = model_open(m, o);
	if (is_open && simdisk_struck(m->disk) && m->spool->stats.quarantined == 0)
		model_broken(m, "opened over an unreadable place");
	t->refused_starts += !is_open;
	simdisk_fail(m->disk, (struct simdisk_fault){0});
	model_close(m);
	simdisk_restart(m->disk);
	return m->faults == 0;
}

static bool
open_after_cut(struct model *m, const struct spool_options *o, struct total *t)
{
	for (int tries = 0; tries < 20; tries++) {
		bool is_open;

		if (simdisk_draw(m->disk, 4) == 0 && !is_refused(m, o, t))
			return false;
		if (simdisk_draw(m->disk, 4) == 0)
			simdisk_cut(m->disk, 1 + simdisk_draw(m->disk, 12));
		is_open = model_open(m, o);
		if (is_open && !simdisk_is_cut(m->disk)) {
			simdisk_cut(m->disk, 0);
			return true;
		}
		if (!simdisk_is_cut(m->disk)) {
			model_broken(m, "the spool cannot be opened");
			return false;
		}
		model_close(m);
		simdisk_restart(m->disk);
		t->recovery_cuts++;
	}
	model_broken(m, "never recovered");
	return false;
}

static void
work_until_cut(struct model *m)
{
	simdisk_cut(m->disk, 1 + simdisk_draw(m->disk, 120));
	m->reads_fail = simdisk_draw(m->disk, 2);
	simdisk_read_fail_at_random(m->disk, m->reads_fail ? 10 : 0);
	for (int n = 0; n < ACTS && !simdisk_is_cut(m->disk); n++)
		if (!model_act(m))
			model_turn(m);
	m->reads_fail = false;
	simdisk_read_fail_at_random(m->disk, 0);
}

static void
run_seed(uint64_t seed, bool no_sync, bool is_quiet, struct total *t)
{
	struct model *m = MEM_NEW(struct model);
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};

	m->seed = seed;
	m->is_quiet = is_quiet;
	m->disk = simdisk_new(seed);
	m->last_id = 1 << 18;
	o.io = simdisk_io(m->disk);
	if (no_sync)
		simdisk_ignore_syncs(m->disk);
	if (simdisk_draw(m->disk, 3) == 0)
		simdisk_write_short(m->disk);
	if (simdisk_draw(m->disk, 3) == 0)
		simdisk_read_short(m->disk);
	for (int cut = 0; cut < CUTS && !m->faults && open_after_cut(m, &o, t); cut++) {
		model_check(m);
		work_until_cut(m);
		model_close(m);
		simdisk_restart(m->disk);
		t->cuts++;
	}
	if (!m->faults && open_after_cut(m, &o, t))
		model_check(m);
	model_close(m);
	t->acked += m->acked;
	t->broken_seeds += m->faults != 0;
	simdisk_free(&m->disk);
	mem_free(m);
}

static void
say(const char *what, const struct total *t)
{
	printf("# %s: %llu power cuts, %llu more during recovery, %llu starts refused for a read "
	       "error, %llu messages acknowledged, %llu seeds with a broken promise\n",
	    what, (unsigned long long)t->cuts, (unsigned long long)t->recovery_cuts,
	    (unsigned long long)t->refused_starts, (unsigned long long)t->acked,
	    (unsigned long long)t->broken_seeds);
}

int
main(int argc, char **argv)
{
	bool no_sync = argc > 1 && strcmp(argv[1], "--no-sync") == 0;
	bool has_rounds = argc > 2 && strcmp(argv[1], "--rounds") == 0;
	uint64_t seeds = has_rounds ? strtoull(argv[2], NULL, 10) : SEEDS;
	struct total real = {0}, without = {0};

	if (argc == 2 && !no_sync) {
		run_seed(strtoull(argv[1], NULL, 10), false, false, &real);
		return real.broken_seeds != 0;
	}
	log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_TO_FILE);
	printf("1..2\n");
	for (uint64_t seed = 1; seed <= seeds; seed++)
		run_seed(seed, no_sync, real.broken_seeds > 5, &real);
	say("as built", &real);
	printf("%sok 1 - at least 10000 crashes, nothing acknowledged lost\n",
	    real.broken_seeds || real.cuts < 10000 ? "not " : "");
	for (uint64_t seed = 1; seed <= 50; seed++)
		run_seed(seed, true, true, &without);
	say("syncs taken out", &without);
	printf("%sok 2 - without its syncs the spool fails this test\n",
	    without.broken_seeds ? "" : "not ");
	return real.broken_seeds || !without.broken_seeds;
}
