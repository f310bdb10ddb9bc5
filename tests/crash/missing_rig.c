/*
 * missing_rig: see the header.
 */
#include "missing_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "spool/spool_names.h"

bool
missing_open(struct model *m, bool accept_damage)
{
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};

	o.io = simdisk_io(m->disk);
	o.accept_damage = accept_damage;
	return model_open(m, &o);
}

struct missing_log
missing_list(struct model *m)
{
	struct missing_log log = {.count = 0};

	for (struct segment *g = m->spool->index.oldest; g && log.count < SEGMENTS; g = g->next)
		log.slot[log.count++] = g->slot;
	log.end = m->spool->writer.at;
	return log;
}

/* Work, power cuts, more work; then the files of the log are determined, and the spool is
 * closed. */
static struct missing_log
missing_work(struct model *m)
{
	struct missing_log log = {.count = 0};

	for (int cut = 0; cut < CUTS && missing_open(m, false); cut++) {
		model_check(m);
		simdisk_cut(m->disk, 40 + simdisk_draw(m->disk, 200));
		for (int n = 0; n < ACTS && !simdisk_is_cut(m->disk); n++)
			if (!model_act(m))
				model_turn(m);
		model_close(m);
		simdisk_restart(m->disk);
		simdisk_cut(m->disk, 0);
	}
	if (!missing_open(m, false)) {
		model_broken(m, "cannot be opened: errno %d", errno);
		return log;
	}
	model_check(m);
	for (int n = 0; n < 4; n++)
		model_turn(m);
	log = missing_list(m);
	model_close(m);
	return log;
}

void
missing_unmark(struct model *m)
{
	char name[SEGMENT_NAME_BYTES];

	for (uint32_t slot = 1; slot < SEGMENTS; slot++) {
		struct str s = simdisk_bytes(m->disk, segment_name(slot, name));

		if (s.n >= SEGMENT_DATA)
			memset((char *)(uintptr_t)s.p + 40, 0, SEGMENT_DATA - 40);
	}
}

void
missing_expect_refusal(struct model *m, const char *what)
{
	if (missing_open(m, false))
		model_broken(m, "opened although %s", what);
	else if (errno != ENOTRECOVERABLE)
		model_broken(m, "refused with errno %d", errno);
	model_close(m);
}

static bool
missing_body(struct model *m, const struct stored_message *i)
{
	struct fsio *io = simdisk_io(m->disk);
	char name[SPOOL_NAMES_BYTES];
	struct fsio_file file;

	return i->in_file && io->ops->inspect(io, spool_names_body(i->id, name), &file) != 0;
}

/* Messages that are on hold and have no body are reported at each start, whoever held them
 * first. */
static uint64_t
missing_held(struct model *m)
{
	uint64_t count = 0;

	for (struct segment *g = m->spool->index.oldest; g; g = g->next)
		for (struct stored_message *i = g->messages; i; i = stored_message_next(i))
			count += i->is_held && missing_body(m, i);
	return count;
}

bool
missing_opens_quietly(struct model *m)
{
	unsigned lost = m->lost;

	if (!missing_open(m, false)) {
		model_broken(m, "refused once more: errno %d", errno);
		return false;
	}
	model_check(m);
	if (m->spool->stats.quarantined > missing_held(m) || m->lost != lost)
		model_broken(m, "told again, or lost afterwards");
	return true;
}

void
missing_expect_acceptance(struct model *m)
{
	m->may_lose = true;
	if (!missing_open(m, true)) {
		model_broken(m, "refused although damage is accepted: errno %d", errno);
		return;
	}
	model_check(m);
	if (m->spool->stats.quarantined == 0)
		model_broken(m, "not counted");
	for (int n = 0; n < 3; n++) {
		model_submit(m, 1000, false);
		model_turn(m);
		model_close(m);
		if (!missing_opens_quietly(m))
			return;
	}
	/* segments are begun, emptied and freed meanwhile; some messages may be refused for lack of
	 * room */
	for (int n = 0; n < 150; n++)
		if (!model_act(m))
			model_turn(m);
	model_turn(m);
	model_close(m);
	(void)missing_opens_quietly(m);
}

void
missing_remove(struct model *m, uint32_t slot)
{
	struct fsio *io = simdisk_io(m->disk);
	char name[SEGMENT_NAME_BYTES];

	if (io->ops->unlink(io, segment_name(slot, name)) != 0 ||
	    io->ops->sync_directory(io) != 0)
		model_broken(m, "cannot remove %s", name);
}

void
missing_harm_seal(struct model *m, uint32_t slot, enum missing_harm harm)
{
	char name[SEGMENT_NAME_BYTES];
	struct str s = simdisk_bytes(m->disk, segment_name(slot, name));
	char *seal = (char *)(uintptr_t)s.p + SEGMENT_DATA;
	uint64_t bit = simdisk_draw(m->disk, 8 * 96);

	if (harm == MISSING_BIT)
		seal[bit / 8] = (char)(seal[bit / 8] ^ 1 << bit % 8);
	else if (harm == MISSING_ALL)
		memset(seal, 'X', 96);
	else
		simdisk_bad_place(m->disk, name, SEGMENT_DATA, SEGMENT_DATA + 96);
}

/* ---- cases ---- */

static bool
missing_run(const struct missing_case *c)
{
	unsigned faults = 0, tried = 0, lost = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct model *m = model_new(seed);
		struct missing_log log = missing_work(m);

		if (log.count >= 2 && !m->faults) {
			tried++;
			m->is_quiet = faults > 5;
			c->fn(m, &log);
		}
		lost += m->lost;
		faults += model_end(m);
	}
	printf("# %s: %u spools of %d, %u messages lost and told, %u broken promises\n", c->what,
	    tried, SEEDS, lost, faults);
	return faults == 0 && tried > SEEDS / 2;
}

void
missing_begin(size_t count)
{
	log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_TO_FILE);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%zu\n", count);
}

bool
missing_run_all(const struct missing_case *cases, size_t count, size_t first)
{
	bool all = true, is_good;

	for (size_t i = 0; i < count; i++) {
		is_good = missing_run(&cases[i]);
		printf("%sok %zu - %s\n", is_good ? "" : "not ", i + first, cases[i].what);
		all &= is_good;
	}
	return all;
}
