/*
 * crash_kept: starts that find damage and a message that is to be set aside.  A start that is
 * refused changes nothing on the disk.  After a start that succeeded, or was ended by a power cut,
 * damage counts as known only if a complete copy of it is durable.
 */
#include <errno.h>
#include <stdio.h>

#include "kept_rig.h"

/* ---- starts that are refused ---- */

/* False: the start had fewer reads. */
static bool
kept_refuse(uint64_t read, unsigned *late, unsigned *faults)
{
	struct model *m = model_new(1);
	struct kept_heard h = {.is_strange = true};
	uint64_t before;
	bool is_open, was_read;

	(void)kept_damage(m, MESSAGES, 2, 2000);
	before = kept_disk(m);
	simdisk_fail(m->disk, (struct simdisk_fault){SIMDISK_READ, read, 1, EIO});
	is_open = kept_open(m, &h);
	was_read = simdisk_struck(m->disk) > 0;
	simdisk_fail(m->disk, (struct simdisk_fault){0});
	*late += !is_open && h.messages > 0;
	if (!is_open && kept_disk(m) != before)
		model_broken(m, "read %llu: refused, and the disk is changed",
		    (unsigned long long)read);
	if (!is_open && (!kept_open(m, &h) || m->spool->stats.quarantined != 2))
		model_broken(m, "read %llu: not told by the next start",
		    (unsigned long long)read);
	*faults += model_end(m);
	return was_read;
}

static bool
a_refused_start_changes_nothing(void)
{
	unsigned late = 0, faults = 0;
	uint64_t read = 1;

	while (read < ACTS_MAX && kept_refuse(read, &late, &faults))
		read++;
	printf("# %llu reads fail, %u of them when messages are told, %u broken promises\n",
	    (unsigned long long)read - 1, late, faults);
	return faults == 0 && late > 0 && read < ACTS_MAX;
}

/* ---- starts that a power cut ends ---- */

/* The spool is opened: known damage has a copy, and in the end all damage has one. */
static void
kept_expect(struct model *m, uint32_t slot, unsigned known_least)
{
	unsigned before = kept_copies(m, slot);
	struct kept_heard h = {0};
	const struct spool_stats *s;

	if (!kept_open(m, &h)) {
		model_broken(m, "refused: errno %d", errno);
		return;
	}
	s = &m->spool->stats;
	if (s->quarantined + s->known_damages != 2 || s->known_damages < known_least)
		model_broken(m, "%llu told, %llu known", (unsigned long long)s->quarantined,
		    (unsigned long long)s->known_damages);
	if (s->known_damages > before)
		model_broken(m, "%llu known, %u copies", (unsigned long long)s->known_damages,
		    before);
	if (kept_copies(m, slot) != 2)
		model_broken(m, "%u copies", kept_copies(m, slot));
	model_close(m);
}

/* The power fails at operation `cut` of the first start; false: it had fewer operations. */
static bool
kept_cut(uint64_t seed, uint64_t cut, unsigned *faults)
{
	struct model *m = model_new(seed);
	uint32_t slot = kept_damage(m, MESSAGES, 2, 2000);
	struct kept_heard h = {0};
	bool was_cut;

	simdisk_cut(m->disk, cut);
	(void)kept_open(m, &h);
	was_cut = simdisk_is_cut(m->disk);
	model_close(m);
	simdisk_restart(m->disk);
	kept_expect(m, slot, was_cut ? 0 : 2);
	simdisk_restart(m->disk);
	kept_expect(m, slot, 2);
	*faults += model_end(m);
	return was_cut;
}

static bool
damage_is_known_where_its_copy_is_durable(void)
{
	unsigned cuts = 0, faults = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		for (uint64_t cut = 1; cut < ACTS_MAX && kept_cut(seed, cut, &faults); cut++)
			cuts++;
	printf("# %u power cuts, %u broken promises\n", cuts, faults);
	return faults == 0 && cuts > SEEDS;
}

/* ---- more copies than one start makes ---- */

static bool
a_second_start_copies_the_rest(void)
{
	struct model *m = model_new(1);
	uint32_t slot = kept_damage(m, 2 * MANY + 1, MANY, 10);
	uint64_t told[3] = {MANY, MANY - DAMAGE_COPIES_MAX, 0};
	struct kept_heard h = {0};

	for (int n = 0; n < 3; n++) {
		if (!kept_open(m, &h) || m->spool->stats.quarantined != told[n])
			model_broken(m, "start %d does not tell %llu", n,
			    (unsigned long long)told[n]);
		model_close(m);
	}
	if (kept_copies(m, slot) != MANY)
		model_broken(m, "%u copies of %d", kept_copies(m, slot), MANY);
	return model_end(m) == 0;
}

/* ---- a copy of another length exists ---- */

struct kept_first {
	char name[DAMAGE_COPIES_NAME_BYTES];
	unsigned count;
};

static void
kept_take_name(const char *name, void *arg)
{
	struct kept_first *f = arg;

	if (strncmp(name, "damaged-", 8) == 0 && f->count++ == 0)
		snprintf(f->name, sizeof f->name, "%s", name);
}

static struct kept_first
kept_names(struct model *m)
{
	struct fsio *io = simdisk_io(m->disk);
	struct kept_first f = {.count = 0};

	if (io->ops->list(io, kept_take_name, &f) != 0)
		model_broken(m, "no list");
	return f;
}

static bool
a_copy_is_not_written_over(void)
{
	struct model *m = model_new(1);
	struct kept_heard h = {0};
	struct kept_first first;

	(void)kept_damage(m, MESSAGES, 1, 2000);
	if (!kept_open(m, &h))
		model_broken(m, "refused: errno %d", errno);
	model_close(m);
	first = kept_names(m);
	/* as if the damaged range had been another one when the copy was made */
	simdisk_truncate(m->disk, first.name, 100);
	for (uint64_t told = 1; told != UINT64_MAX; told--) {
		if (!kept_open(m, &h) || m->spool->stats.quarantined != told)
			model_broken(m, "not told %llu times", (unsigned long long)told);
		model_close(m);
		if (simdisk_bytes(m->disk, first.name).n != 100 || kept_names(m).count != 2)
			model_broken(m, "%u copies", kept_names(m).count);
	}
	return model_end(m) == 0;
}

/* ---- a name that cannot be inspected ---- */

/* An error that the option does not accept refuses the start with the option as well. */
static void
kept_expect_unsure(struct model *m, int error, bool may_accept)
{
	struct kept_heard h = {0};
	uint64_t disk = kept_disk(m);
	unsigned advised = cases_told_both("cannot be looked at", "--accept-damage");
	unsigned told = cases_told_both("damaged-1-", "move");

	kept_inspect_error = error;
	if (kept_open_as(m, &h, false) || errno != error)
		model_broken(m, "opened, or refused with errno %d", errno);
	model_close(m);
	if (cases_told_both("damaged-1-", "move") != told + 1 ||
	    cases_told_both("at offset 0", "damaged-"))
		model_broken(m, "the name is not told, or not what to do");
	advised = cases_told_both("cannot be looked at", "--accept-damage") - advised;
	if (advised != may_accept)
		model_broken(m, "the option is advised though it does not help, or is not");
	if (kept_disk(m) != disk)
		model_broken(m, "a refused start has changed the disk");
	if (kept_open_as(m, &h, true) != may_accept)
		model_broken(m, "with the option: errno %d", errno);
	if (!may_accept && kept_disk(m) != disk)
		model_broken(m, "a start refused with the option has changed the disk");
	if (may_accept && (!m->spool || m->spool->stats.quarantined != 1))
		model_broken(m, "not counted");
	model_close(m);
}

static bool
a_name_that_cannot_be_looked_at(void)
{
	struct model *m = model_new(1);
	struct fsio *io = simdisk_io(m->disk);
	struct kept_heard h = {0};
	struct fsio_ops ops;
	uint32_t slot = kept_damage(m, MESSAGES, 1, 2000);

	kept_ops = io->ops;
	ops = *io->ops;
	ops.inspect = kept_inspect;
	io->ops = &ops;
	kept_expect_unsure(m, ENOMEM, false);
	kept_expect_unsure(m, EIO, true);
	io->ops = kept_ops;
	if (kept_copies(m, slot) != 0)
		model_broken(m, "a copy was made");
	/* when it can be inspected, all is as usual */
	for (uint64_t told = 1; told != UINT64_MAX; told--) {
		if (!kept_open(m, &h) || m->spool->stats.quarantined != told)
			model_broken(m, "not told %llu times", (unsigned long long)told);
		model_close(m);
	}
	if (kept_copies(m, slot) != 1)
		model_broken(m, "%u copies", kept_copies(m, slot));
	return model_end(m) == 0;
}

/* ---- room on the disk ---- */

/* A start that must report three damaged messages, and then has work. */
static void
kept_expect_told(struct model *m, const struct spool_options *o)
{
	if (!model_open(m, o) || !m->spool->writer.active)
		model_broken(m, "nothing can be stored");
	else if (m->spool->stats.quarantined != 3)
		model_broken(m, "not told");
	for (int n = 0; n < 20 && m->spool; n++)
		model_turn(m);
	model_close(m);
}

static void
kept_add_bytes(const char *name, void *arg)
{
	struct kept_sum *k = arg;

	if (str_starts(str_of(name), STR("damaged-")))
		k->sum += simdisk_bytes(k->m->disk, name).n;
}

/* So many bytes of copies did not fit into `spare`: the log says how many more they need. */
static void
kept_expect_lack(struct model *m, uint64_t spare)
{
	struct kept_sum k = {.m = m};
	struct fsio *io = simdisk_io(m->disk);
	char words[80];

	if (io->ops->list(io, kept_add_bytes, &k) != 0)
		model_broken(m, "no list");
	snprintf(words, sizeof words, "; free %llu bytes and start again",
	    (unsigned long long)(k.sum - spare));
	if (cases_told_both("3 damaged places are not copied now", words) != 1)
		model_broken(m, "not told: %s", words);
}

/* There is room either for a segment or for the copies: new mail comes first, the next start
 * copies. */
static bool
copies_leave_room_for_a_segment(void)
{
	enum { SPARE = 1000 };
	struct spool_options o = kept_options;
	struct model *m = model_new(1);
	uint32_t slot = kept_damage(m, MESSAGES, 3, 2000);

	o.io = simdisk_io(m->disk);
	m->may_lose = true;
	kept_remove_unused(m, slot);
	kept_leave_room(m, kept_options.segment_bytes + SPARE);
	for (unsigned copies = 0; copies <= 3; copies += 3) {
		kept_expect_told(m, &o);
		if (kept_copies(m, slot) != copies)
			model_broken(m, "%u copies, not %u", kept_copies(m, slot), copies);
		kept_leave_room(m, kept_options.segment_bytes + 10 * SPARE);
	}
	kept_expect_lack(m, SPARE);
	return model_end(m) == 0;
}

/* Copies do not use what must stay free. */
static bool
copies_leave_the_free_share(void)
{
	struct spool_options o = kept_options;
	struct model *m = model_new(1);
	uint32_t slot = kept_damage(m, MESSAGES, 3, 2000);

	o.io = simdisk_io(m->disk);
	o.minimum_free_percent = 20;
	kept_leave_room(m, kept_options.segment_bytes / 8);
	m->may_lose = true;
	for (unsigned copies = 0; copies <= 3; copies += 3) {
		kept_expect_told(m, &o);
		if (kept_copies(m, slot) != copies)
			model_broken(m, "%u copies, not %u", kept_copies(m, slot), copies);
		kept_leave_room(m, 4 * kept_options.segment_bytes);
	}
	return model_end(m) == 0;
}

/* ---- cases ---- */

static const struct crash_case kept_cases[] = {
    {"a refused start changes nothing", a_refused_start_changes_nothing},
    {"damage is known only where its whole copy is durable",
	damage_is_known_where_its_copy_is_durable},
    {"a copy of another length is not written over", a_copy_is_not_written_over},
    {"a name damaged-* that cannot be looked at", a_name_that_cannot_be_looked_at},
    {"copies leave room for a segment", copies_leave_room_for_a_segment},
    {"copies leave the disk its free share", copies_leave_the_free_share},
    {"what one start does not copy the next one does", a_second_start_copies_the_rest},
};

int
main(void)
{
	return cases_run(kept_cases, sizeof kept_cases / sizeof *kept_cases);
}
