/*
 * crash_missing: after random work with power cuts, one file of the log is gone, cut short, or has a
 * damaged header.  A file that is gone or cut is never passed over in silence: the start is refused
 * and changes nothing; with --accept-damage it goes on with all that is left, and the next one needs
 * no option.  A damaged header costs nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "model.h"
#include "queue/seals.h"
#include "queue/store.h"

enum { SEEDS = 60, CUTS = 3, ACTS = 250, SEGMENTS = 64, CUT_ACTS_MAX = 300 };

struct missing_log {
	uint32_t slot[SEGMENTS];         /* oldest first; the last one is the newest */
	uint32_t end;                    /* of what is written in the newest */
	size_t count;
};

static bool
missing_open(struct model *m, bool accept_damage)
{
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};

	o.io = simdisk_io(m->disk);
	o.accept_damage = accept_damage;
	return model_open(m, &o);
}

/* What the log consists of. */
static struct missing_log
missing_list(struct model *m)
{
	struct missing_log log = {.count = 0};

	for (struct segment *g = m->spool->index.oldest; g && log.count < SEGMENTS; g = g->next)
		log.slot[log.count++] = g->slot;
	log.end = m->spool->writer.at;
	return log;
}

/* Work, power cuts, work; then what the log consists of, and a proper end. */
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

/* 0.1.0 left zeros where later versions write the mark. */
static void
missing_unmark(struct model *m)
{
	char name[SEGMENT_NAME_BYTES];

	for (uint32_t slot = 1; slot < SEGMENTS; slot++) {
		struct str s = simdisk_bytes(m->disk, segment_name(slot, name));

		if (s.n >= SEGMENT_DATA)
			memset((char *)(uintptr_t)s.p + 40, 0, SEGMENT_DATA - 40);
	}
}

static void
missing_expect_refusal(struct model *m, const char *what)
{
	if (missing_open(m, false))
		model_broken(m, "opened although %s", what);
	else if (errno != ENOTRECOVERABLE)
		model_broken(m, "refused with errno %d", errno);
	model_close(m);
}

static bool
missing_body(struct model *m, const struct item *i)
{
	struct fsio *io = simdisk_io(m->disk);
	char name[WRITER_FILE_NAME_BYTES];
	struct fsio_file file;

	return i->in_file && io->ops->inspect(io, writer_file_name(i->id, name), &file) != 0;
}

/* Messages that are held and have no body are told at each start, whoever held them first. */
static uint64_t
missing_held(struct model *m)
{
	uint64_t count = 0;

	for (struct segment *g = m->spool->index.oldest; g; g = g->next)
		for (struct item *i = g->items; i; i = i->next)
			count += i->is_held && missing_body(m, i);
	return count;
}

static bool
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

/* With the option what is left is there (and what became of some is forgotten); then without it. */
static void
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
	/* segments are begun, emptied and freed meanwhile; some messages may be refused for room */
	for (int n = 0; n < 150; n++)
		if (!model_act(m))
			model_turn(m);
	model_turn(m);
	model_close(m);
	(void)missing_opens_quietly(m);
}

static void
missing_remove(struct model *m, uint32_t slot)
{
	struct fsio *io = simdisk_io(m->disk);
	char name[SEGMENT_NAME_BYTES];

	if (io->ops->unlink(io, segment_name(slot, name)) != 0 ||
	    io->ops->sync_directory(io) != 0)
		model_broken(m, "cannot remove %s", name);
}

/* ---- the cases ---- */

static void
missing_any(struct model *m, const struct missing_log *log)
{
	missing_remove(m, log->slot[simdisk_draw(m->disk, log->count - 1)]);
	missing_expect_refusal(m, "a segment is missing");
	missing_expect_refusal(m, "a segment is missing, at a second start");
	missing_expect_acceptance(m);
}

enum missing_harm { MISSING_BIT, MISSING_ALL, MISSING_UNREADABLE };

/* Of the first frame, which names the segment before: 64 bytes of header, 32 of payload. */
static void
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

/* Nothing but one file is gone, and the one seal that names it is damaged as well. */
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
missing_expect_all(struct model *m, bool accept_damage)
{
	m->may_lose = true;
	if (missing_open(m, accept_damage))
		model_check(m);
	else
		model_broken(m, "refused: errno %d", errno);
	if (m->lost)
		model_broken(m, "%u messages are lost", m->lost);
	model_close(m);
}

/* One flipped bit in one seal, all files are there. */
static void
missing_seal_alone(struct model *m, const struct missing_log *log)
{
	missing_harm_seal(m, log->slot[simdisk_draw(m->disk, log->count)], MISSING_BIT);
	missing_expect_all(m, false);
}

static void
missing_harm_header(struct model *m, uint32_t slot)
{
	char name[SEGMENT_NAME_BYTES];
	struct str s = simdisk_bytes(m->disk, segment_name(slot, name));

	memset((char *)(uintptr_t)s.p + simdisk_draw(m->disk, 36), 'X', 4);
}

/* A damaged header, and the seal that would tell which segment it is has a flipped bit. */
static void
missing_header_and_bit(struct model *m, const struct missing_log *log)
{
	size_t number = simdisk_draw(m->disk, log->count - 1);

	missing_harm_header(m, log->slot[number]);
	missing_harm_seal(m, log->slot[number + 1], MISSING_BIT);
	missing_expect_all(m, false);
	missing_expect_all(m, false);
}

/* The same, and nothing is left of the seal: nothing is lost without a word, nor what is whole. */
static void
missing_header_and_seal(struct model *m, const struct missing_log *log)
{
	size_t number = simdisk_draw(m->disk, log->count - 1);

	missing_harm_header(m, log->slot[number]);
	missing_harm_seal(m, log->slot[number + 1], MISSING_ALL);
	m->may_lose = true;
	if (missing_open(m, false))
		model_check(m);
	else if (errno != ENOTRECOVERABLE)
		model_broken(m, "refused with errno %d", errno);
	if (m->lost)
		model_broken(m, "%u messages are lost without a word", m->lost);
	model_close(m);
	missing_expect_all(m, true);
}

/* The same, and the disk cannot read it: the start that accepts it uses what is whole. */
static void
missing_header_and_unread(struct model *m, const struct missing_log *log)
{
	size_t number = simdisk_draw(m->disk, log->count - 1);
	bool is_there = false;

	missing_harm_header(m, log->slot[number]);
	missing_harm_seal(m, log->slot[number + 1], MISSING_UNREADABLE);
	m->may_lose = true;
	if (missing_open(m, false))
		model_broken(m, "opened over an unreadable place");
	model_close(m);
	if (!missing_open(m, true)) {
		model_broken(m, "refused although damage is accepted: errno %d", errno);
		return;
	}
	for (struct segment *g = m->spool->index.oldest; g; g = g->next)
		is_there |= g->slot == log->slot[number];
	if (!is_there)
		model_broken(m, "what is whole is not used");
	model_check(m);
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

/* Of the log, and the one that was ready for it: all but free ones. */
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

/* No body of a message is removed because the records that spoke of it are gone. */
static void
missing_expect_bodies(struct model *m, struct missing_bodies before)
{
	struct missing_bodies after = missing_bodies(m);

	if (after.bodies + after.lost < before.bodies + before.lost)
		model_broken(m, "%u bodies, then %u and %u that are kept", before.bodies,
		    after.bodies, after.lost);
}

/* What marks say of freed generations; 0: no log is known to have been. */
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

/* A log of which nothing is left is missed.
 * What is written then bears higher generations than all before, so that its own loss is seen. */
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

/* Nothing names the newest segment in a spool of a version before: what is gone with it is not seen,
 * but no body is removed. */
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
	/* what had no room for a copy is told again */
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

	/* the others are full to a quarter at least, or end where the power was cut */
	simdisk_truncate(m->disk, segment_name(log->slot[number], name),
	    is_newest ? SEGMENT_DATA + simdisk_draw(m->disk, log->end - SEGMENT_DATA)
	              : SEGMENT_DATA + 200);
	missing_expect_refusal(m, "a segment is cut short");
	missing_expect_acceptance(m);
}

static void
missing_header(struct model *m, const struct missing_log *log)
{
	size_t from = simdisk_draw(m->disk, log->count), count = 1 + simdisk_draw(m->disk, 2);
	char name[SEGMENT_NAME_BYTES];

	for (size_t i = 0; i < count; i++) {
		struct str s = simdisk_bytes(
		    m->disk, segment_name(log->slot[(from + i) % log->count], name));

		memset((char *)(uintptr_t)s.p + simdisk_draw(m->disk, 36), 'X', 4);
	}
	if (!missing_open(m, false)) {
		model_broken(m, "refused for a damaged header: errno %d", errno);
		return;
	}
	model_check(m);
	if (m->spool->stats.quarantined == 0)
		model_broken(m, "not counted");
	model_submit(m, 1000, false);
	model_turn(m);
	model_close(m);
	if (!missing_open(m, false)) {
		model_broken(m, "refused after a damaged header: errno %d", errno);
		return;
	}
	model_check(m);
	if (m->spool->stats.quarantined != 0)
		model_broken(m, "told again");
}

/* A free file with a damaged header, and frames of a former use in it: nothing comes back. */
static void
missing_free_header(struct model *m, const struct missing_log *log)
{
	char name[SEGMENT_NAME_BYTES];

	for (uint32_t slot = 1; slot < SEGMENTS; slot++) {
		struct str s = simdisk_bytes(m->disk, segment_name(slot, name));
		bool is_live = false;

		for (size_t i = 0; i < log->count; i++)
			is_live |= log->slot[i] == slot;
		if (s.n > 0 && !is_live)
			memset((char *)(uintptr_t)s.p + simdisk_draw(m->disk, 36), 'X', 4);
	}
	if (missing_open(m, false))
		model_check(m);
	else
		model_broken(m, "refused for the header of a free file: errno %d", errno);
}

/* ---- a start on a full disk ---- */

/* A log of three segments, all but the newest of them dead, which nothing on the disk says yet. */
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

/* Nothing but what is unlinked gives room for a segment, which is larger than those that are there;
 * the power fails at act `cut` of that; false: it was not reached. */
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

static const struct missing_case {
	const char *what;
	void (*fn)(struct model *m, const struct missing_log *log);
} missing_cases[] = {
    {"any file but the newest is gone", missing_any},
    {"a file is gone, and the seal that names it has a flipped bit", missing_named_by_bit},
    {"a file is gone, and nothing is left of the seal that names it", missing_named_by_none},
    {"a seal has a flipped bit", missing_seal_alone},
    {"a header is damaged, and the seal that names it has a flipped bit", missing_header_and_bit},
    {"a header is damaged, and nothing is left of the seal that names it",
	missing_header_and_seal},
    {"a header is damaged, and the seal that names it cannot be read", missing_header_and_unread},
    {"the oldest files are gone", missing_oldest},
    {"the oldest file is gone, and the disk is full", missing_on_full_disk},
    {"all files of the log are gone, then one of the new log", missing_log_begins_anew},
    {"the newest file is gone", missing_newest},
    {"the newest file of a spool of a version before is gone", missing_newest_unnamed},
    {"a file in the middle of a spool of 0.1.0 is gone", missing_in_old_spool},
    {"a file is cut short", missing_end},
    {"one or two headers are damaged", missing_header},
    {"the headers of all free files are damaged", missing_free_header},
};

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

int
main(void)
{
	size_t count = sizeof missing_cases / sizeof *missing_cases;
	bool all, is_good;

	log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_TO_FILE);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%zu\n", count + 1);
	all = missing_full_start();
	printf("%sok 1 - a start on a full disk with another segment size, cut off, costs nothing\n",
	    all ? "" : "not ");
	for (size_t i = 0; i < count; i++) {
		is_good = missing_run(&missing_cases[i]);
		printf("%sok %zu - %s\n", is_good ? "" : "not ", i + 2, missing_cases[i].what);
		all &= is_good;
	}
	return !all;
}
