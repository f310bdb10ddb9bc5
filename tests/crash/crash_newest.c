/*
 * crash_newest: if nothing names the newest file of the log, as in older versions, its absence is
 * not noticed.  No body of a message in it is removed then, also if a reserve was made meanwhile;
 * what a crash left is removed if all files exist.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cases.h"
#include "newest_rig.h"
#include "spool/spool_internal.h"

enum { NAMED_LOST_BYTES = 69000 };

/* ---- bodies ---- */

/* The segment after the one that was ready when the reserve was made is missing. */
static bool
reserve_is_not_ready(void)
{
	char name[SEGMENT_NAME_BYTES];
	struct model *m = newest_begin_unready(name);
	unsigned bodies;

	newest_remove(m, name);
	newest_unname(m);
	bodies = newest_names(m, ".body");
	m->may_lose = true;
	if (newest_open(m, false))
		model_check(m);
	if (bodies == 0 || newest_names(m, ".body") + newest_names(m, ".body.lost") < bodies)
		model_broken(m, "%u bodies, then %u and %u that are kept", bodies,
		    newest_names(m, ".body"), newest_names(m, ".body.lost"));
	return model_end(m) == 0;
}

/* A body without a record was never acknowledged: if all files exist it is no loss. */
static bool
loose_body_is_removed(void)
{
	unsigned faults = 0;

	for (int segments = 1; segments <= 5; segments++) {
		struct model *m = newest_begin(1);

		for (int n = 1; n < segments; n++)
			newest_fill(m);
		for (int n = 0; n < TURNS; n++)
			model_turn(m);
		newest_crash(m);
		newest_make(m, "DVX00000-1.body", STR("never acknowledged"));
		if (newest_open(m, false)) {
			model_check(m);
			if (newest_names(m, ".lost") || newest_names(m, ".body"))
				model_broken(m, "with %d segments it is kept", segments);
			if (m->spool->stats.quarantined)
				model_broken(m, "with %d segments it is counted", segments);
		}
		faults += model_end(m);
	}
	return faults == 0;
}

/* Earlier builds gave the reserve a generation: such a spool opens with all that is in it. */
static bool
reserve_with_a_generation(void)
{
	unsigned faults = 0;

	for (int segments = 1; segments <= 5; segments++) {
		struct model *m = newest_begin(1);
		struct segment_pool *p = &m->spool->writer.pool;

		p->reserve->generation = ++p->generation;
		p->reserve->tag = segment_make_tag();
		if (segment_write_header(p->reserve, simdisk_io(m->disk), &p->mark) != 0)
			model_broken(m, "no header");
		for (int n = 1; n < segments; n++)
			newest_fill(m);
		if (!model_submit(m, 9000, true))
			model_broken(m, "no message with a file: errno %d", errno);
		for (int n = 0; n < TURNS; n++)
			model_turn(m);
		for (int n = 0; n < 3; n++) {
			newest_crash(m);
			if (!newest_open(m, false))
				break;
			model_check(m);
			if (m->spool->stats.quarantined || newest_names(m, ".lost"))
				model_broken(m, "with %d segments something is damaged", segments);
			newest_fill(m);
		}
		faults += model_end(m);
	}
	return faults == 0;
}

/* No segment is ready after the newest, so the body is to be kept; the disk refuses to rename
 * it. */
static bool
body_that_is_not_renamed(void)
{
	unsigned kept = cases_told("NRN00000-1.body.lost"), refused = cases_told("NRN00000");
	struct model *m = newest_begin(1);
	char name[SEGMENT_NAME_BYTES];
	uint32_t ready = m->spool->writer.pool.ready->slot;

	newest_crash(m);
	newest_remove(m, segment_name(ready, name));
	newest_make(m, "NRN00000-1.body", STR("never acknowledged"));
	simdisk_fail(m->disk, (struct simdisk_fault){SIMDISK_RENAME, 1, 1, EIO});
	if (newest_open(m, false) && !newest_names(m, "NRN00000-1.body"))
		model_broken(m, "it is gone");
	if (cases_told("NRN00000-1.body.lost") != kept)
		model_broken(m, "told as kept");
	if (cases_told("NRN00000") == refused)
		model_broken(m, "not told");
	return model_end(m) == 0;
}

/* The power fails at operation `cut` of the start that restores a body which an earlier start
 * renamed; false: it was not reached. */
static bool
newest_cut_taking_back(uint64_t cut, unsigned *faults)
{
	struct model *m = newest_begin(1);
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};
	struct fsio *io = o.io = simdisk_io(m->disk);
	char lost[NAME_BYTES + 8];
	struct newest_list l;
	bool was_cut;

	if (!model_submit(m, 9000, true))
		model_broken(m, "no message with a file: errno %d", errno);
	for (int n = 0; n < TURNS; n++)
		model_turn(m);
	newest_crash(m);
	l = newest_list(m, "", ".body");
	snprintf(lost, sizeof lost, "%s.lost", l.name[0]);
	if (l.count != 1 || io->ops->rename(io, l.name[0], lost) != 0 ||
	    io->ops->sync_directory(io) != 0)
		model_broken(m, "no body is renamed");
	simdisk_cut(m->disk, cut);
	(void)model_open(m, &o);
	was_cut = simdisk_is_cut(m->disk);
	newest_crash(m);
	simdisk_cut(m->disk, 0);
	if (newest_open(m, false)) {
		model_check(m);
		if (m->spool->stats.quarantined || !newest_names(m, l.name[0]))
			model_broken(m, "cut %llu: it is not back", (unsigned long long)cut);
	}
	*faults += model_end(m);
	return was_cut;
}

static bool
kept_body_is_taken_back(void)
{
	return newest_each_cut(newest_cut_taking_back, 4);
}

/* ---- the name in the log of a refused start ---- */

/* One body in its place, one as *.lost, a damaged record that was logged and copied, a damaged
 * header. */
static struct model *
newest_begin_named(void)
{
	struct model *m = newest_begin(1);
	char name[SEGMENT_NAME_BYTES], lost[NAME_BYTES + 8];
	struct fsio *io = simdisk_io(m->disk);
	struct newest_list l;
	size_t at;

	newest_fill(m);
	if (!model_submit(m, 9000, true) || !model_submit(m, NAMED_LOST_BYTES, true))
		model_broken(m, "no message with a file: errno %d", errno);
	for (int n = 0; n < TURNS; n++)
		model_turn(m);
	at = index_find(&m->spool->index, m->messages[0].id)->offset + 200;
	segment_name(index_find(&m->spool->index, m->messages[0].id)->segment->slot, name);
	newest_crash(m);
	((char *)(uintptr_t)simdisk_bytes(m->disk, name).p)[at] ^= 1;
	m->may_lose = true;
	if (newest_open(m, false))
		model_check(m);
	newest_crash(m);
	l = newest_list(m, "", ".body");
	for (unsigned n = 0; n < l.count; n++) {
		snprintf(lost, sizeof lost, "%s.lost", l.name[n]);
		if (simdisk_bytes(m->disk, l.name[n]).n == NAMED_LOST_BYTES &&
		    io->ops->rename(io, l.name[n], lost) != 0)
			model_broken(m, "no body is renamed");
	}
	memset((char *)(uintptr_t)simdisk_bytes(m->disk, name).p, 'X', 8);
	if (l.count != 2 || !newest_names(m, ".lost") || !newest_list(m, "damaged-", "").count)
		model_broken(m, "%u bodies, %u are lost, %u copies", l.count,
		    newest_names(m, ".lost"), newest_list(m, "damaged-", "").count);
	return m;
}

struct newest_named {
	unsigned refused, lost, moved;
};

/* Operation number `place` of the start fails; false: there were fewer, or it opened. */
static bool
newest_expect_named(
    struct model *m, struct simdisk_fault fault, bool accept_damage, struct newest_named *t)
{
	char read_words[160], look_words[160], open_words[160];
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};
	size_t logged = cases_logged();

	o.io = simdisk_io(m->disk);
	o.accept_damage = accept_damage;
	simdisk_fail(m->disk, fault);
	if (model_open(m, &o) || !simdisk_struck(m->disk))
		return false;
	snprintf(read_words, sizeof read_words, "spool: %s cannot be read at offset %llu: ",
	    simdisk_struck_name(m->disk), (unsigned long long)simdisk_struck_at(m->disk));
	snprintf(look_words, sizeof look_words, "spool: %s cannot be looked at: ",
	    simdisk_struck_name(m->disk));
	snprintf(open_words, sizeof open_words, "spool: %s cannot be opened: ",
	    simdisk_struck_name(m->disk));
	if (!cases_told_since(logged, read_words) && !cases_told_since(logged, look_words) &&
	    !cases_told_since(logged, open_words))
		model_broken(m, "act %llu of kind %u: not told: %s", (unsigned long long)fault.at,
		    fault.acts, read_words);
	t->refused++;
	t->lost += str_iends(str_of(simdisk_struck_name(m->disk)), STR(".lost"));
	t->moved += simdisk_struck_at(m->disk) > 0;
	return true;
}

/* Whichever file cannot be inspected, opened or read at a start: the log names this one and no
 * other. */
static bool
refusal_names_the_file(void)
{
	static const struct simdisk_fault faults[] = {{SIMDISK_INSPECT, 0, 1, EMFILE},
	    {SIMDISK_OPEN, 0, 1, EMFILE}, {SIMDISK_READ, 0, 1, ENOMEM}};
	unsigned broken = 0;

	for (size_t n = 0; n < 2 * sizeof faults / sizeof *faults; n++) {
		struct model *m = newest_begin_named();
		struct newest_named t = {0};
		struct simdisk_fault fault = faults[n / 2];

		for (fault.at = 1; newest_expect_named(m, fault, n % 2, &t); fault.at++)
			continue;
		printf("# %u starts are refused, %u for a *.lost, %u behind the beginning\n",
		    t.refused, t.lost, t.moved);
		if (t.refused < 5 || !t.lost || (fault.acts == SIMDISK_READ && t.moved < 5))
			model_broken(m, "too few");
		simdisk_fail(m->disk, (struct simdisk_fault){0});
		broken += model_end(m);
	}
	return broken == 0;
}

/* ---- the whole log is missing ---- */

/* A new spool: nothing was freed yet.  Its segments are missing, all or those that hold something,
 * and perhaps the file that names the newest. */
static bool
run_bodies_without_a_log(bool with_unused, bool is_named)
{
	struct newest_files files = {.count = 0};
	struct model *m = newest_begin(1);
	unsigned bodies;

	if (!model_submit(m, 9000, true) || !model_submit(m, 8000, true))
		model_broken(m, "no message with a file: errno %d", errno);
	for (int n = 0; n < TURNS; n++)
		model_turn(m);
	newest_crash(m);
	newest_take(m, 1, &files);
	for (uint32_t slot = 2; with_unused && slot < SLOTS; slot++) {
		struct newest_files unused = {.count = 0};

		newest_take(m, slot, &unused);
		newest_forget(&unused);
	}
	bodies = newest_names(m, ".body");
	if (!is_named)
		newest_unname(m);
	for (int n = 0; n < 2; n++)
		newest_expect_refusal(m, is_named ? "missing, up to seg-00000001, of generation 1"
		                                  : "2 body files of messages are there");
	if (newest_open(m, true)) {
		(void)model_submit(m, 1000, false);
		newest_crash(m);
	}
	if (bodies != 2 || newest_names(m, ".body.lost") != bodies)
		model_broken(m, "%u of %u bodies are kept", newest_names(m, ".body.lost"), bodies);
	(void)newest_open(m, false);
	newest_crash(m);
	newest_put_back(m, &files);
	if (newest_open(m, false))
		model_check(m);
	return model_end(m) == 0;
}

static bool
bodies_without_a_log(void)
{
	return run_bodies_without_a_log(false, false) && run_bodies_without_a_log(true, false) &&
	    run_bodies_without_a_log(false, true) && run_bodies_without_a_log(true, true);
}

/* A file with another name than that of a body is no evidence of a log. */
static bool
strange_body_without_a_log(void)
{
	struct model *m = model_new(1);

	newest_make(m, "notes.body", STR("not of the spool"));
	(void)newest_open(m, false);
	return model_end(m) == 0;
}

/* ---- unreadable segments ---- */

/* The log has one segment, and the disk can read nothing of it. */
static struct model *
newest_begin_unread(void)
{
	char name[SEGMENT_NAME_BYTES];
	struct model *m = newest_begin_single(name);

	newest_crash(m);
	simdisk_bad_place(m->disk, name, SEGMENT_DATA, SPOOL_SEGMENT_MIN);
	return m;
}

/* It exists: it is not reported as missing. */
static bool
what_is_unread_is_not_missing(void)
{
	unsigned missing = cases_told("are missing"), unread = cases_told("no record can be");
	struct model *m = newest_begin_unread();

	if (newest_open(m, true) && m->spool->stats.quarantined == 0)
		model_broken(m, "not counted");
	if (cases_told("are missing") != missing || cases_told("no record can be") != unread + 1)
		model_broken(m, "told as missing");
	for (int n = 0; n < TURNS; n++)
		model_turn(m);
	newest_crash(m);
	if (newest_open(m, false) && m->spool->stats.quarantined)
		model_broken(m, "counted again");
	return model_end(m) == 0;
}

/* The power fails at operation `cut` of the start that accepts it; false: it was not reached. */
static bool
newest_cut_acceptance(uint64_t cut, unsigned *faults)
{
	struct model *m = newest_begin_unread();
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};
	bool is_open, was_cut;

	o.io = simdisk_io(m->disk);
	o.accept_damage = true;
	simdisk_cut(m->disk, cut);
	is_open = model_open(m, &o) && !simdisk_is_cut(m->disk);
	for (int n = 0; m->spool && n < TURNS; n++)
		model_turn(m);
	was_cut = simdisk_is_cut(m->disk);
	newest_crash(m);
	simdisk_cut(m->disk, 0);
	(void)newest_open(m, !is_open);
	*faults += model_end(m);
	return was_cut;
}

static bool
what_was_accepted_is_not_asked_again(void)
{
	return newest_each_cut(newest_cut_acceptance, 10);
}

/* ---- cases ---- */

static const struct crash_case newest_cases[] = {
    {"the newest file is gone, and a reserve was made: no body is removed", reserve_is_not_ready},
    {"a body without a record is removed, from the first segment on", loose_body_is_removed},
    {"a reserve that has a generation, as builds before left it", reserve_with_a_generation},
    {"a body without a record that cannot be renamed", body_that_is_not_renamed},
    {"a body that was kept is taken back, whenever the power fails", kept_body_is_taken_back},
    {"a start that cannot read a file names it, and where", refusal_names_the_file},
    {"bodies of messages and no log: it is refused, until it is accepted", bodies_without_a_log},
    {"a file that is no body of a message, and no log", strange_body_without_a_log},
    {"a log of which nothing can be read is not missing", what_is_unread_is_not_missing},
    {"it is accepted once, whenever the power fails", what_was_accepted_is_not_asked_again},
};

int
main(void)
{
	return cases_run(newest_cases, sizeof newest_cases / sizeof *newest_cases);
}
