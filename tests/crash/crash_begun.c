/*
 * crash_begun: the file newest-segment names the newest segment that was begun.  If that segment is
 * missing the start is refused and changes nothing, until its file is put back or the loss is
 * accepted.  If newest-segment is damaged or outdated, that stops no start.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cases.h"
#include "newest_rig.h"
#include "spool/spool_internal.h"

enum { BEGUN_TURNS = 6 };

static const char begun_told[] = "the newest segment file is missing: seg-";

/* Stores messages in so many segments, with one prepared after them or not yet, and then the power
 * fails; returns the slot of the newest. */
static uint32_t
begun_fill(struct model *m, int segments)
{
	uint32_t slot;

	for (int n = 1; n < segments; n++)
		newest_fill(m);
	for (int n = 0; n < 3; n++)
		(void)model_submit(m, 1000, false);
	model_turn(m);
	slot = m->spool->writer.active->slot;
	simdisk_cut(m->disk, 1);
	newest_crash(m);
	simdisk_cut(m->disk, 0);
	return slot;
}

static void
begun_expect_quiet(struct model *m, const char *when)
{
	if (!newest_open(m, false))
		return;
	model_check(m);
	if (m->spool->stats.quarantined || m->spool->stats.known_damages)
		model_broken(m, "%s: something is told", when);
}

/* ---- the newest segment is missing ---- */

static bool
gone_and_put_back(void)
{
	unsigned faults = 0;

	for (int segments = 1; segments <= 5; segments++) {
		struct newest_files files = {.count = 0};
		struct model *m = newest_begin(1);
		char words[80], name[SEGMENT_NAME_BYTES];
		uint32_t slot = begun_fill(m, segments);

		newest_take(m, slot, &files);
		snprintf(words, sizeof words,
		    segments > 1 ? "is missing: %s, of gen" : "up to %s, of gen",
		    segment_name(slot, name));
		for (int n = 0; n < 2; n++)
			newest_expect_refusal(m, words);
		newest_make(m, name, files.file[0].bytes);
		newest_forget(&files);
		begun_expect_quiet(m, "put back");
		faults += model_end(m);
	}
	return faults == 0;
}

static bool
gone_and_accepted(void)
{
	unsigned faults = 0;

	for (int segments = 1; segments <= 5; segments++) {
		struct newest_files files = {.count = 0};
		struct model *m = newest_begin(1);

		newest_take(m, begun_fill(m, segments), &files);
		newest_forget(&files);
		m->may_lose = true;
		if (newest_open(m, true)) {
			model_check(m);
			if (m->lost < 3 || m->spool->stats.quarantined == 0)
				model_broken(m, "%u lost, not told", m->lost);
			if (segments > 1 &&
			    (!cases_told("says where in this log to look for them") ||
			        !cases_told("after the first line with \"id=")))
				model_broken(m, "it is not told where to look");
			m->may_lose = false;
			newest_crash(m);
		}
		for (int n = 0; n < 2; n++) {
			begun_expect_quiet(m, "accepted");
			newest_fill(m);
			newest_crash(m);
		}
		faults += model_end(m);
	}
	return faults == 0;
}

/* The power fails at operation `cut` of the start that accepts it; false: it was not reached. */
static bool
begun_cut_acceptance(uint64_t cut, unsigned *faults)
{
	struct newest_files files = {.count = 0};
	struct model *m = newest_begin(1);
	bool was_cut;

	newest_take(m, begun_fill(m, 3), &files);
	newest_forget(&files);
	m->may_lose = true;
	was_cut = newest_accept_through_cut(m, cut, BEGUN_TURNS);
	if (m->spool)
		model_check(m);
	m->may_lose = false;
	newest_crash(m);
	begun_expect_quiet(m, "later");
	*faults += model_end(m);
	return was_cut;
}

static bool
accepted_whenever_the_power_fails(void)
{
	return newest_each_cut(begun_cut_acceptance, 10);
}

/* ---- the file that was set aside ---- */

/* The newest file, with a body, is put back after the start that accepted its loss, and is set
 * aside. */
static struct model *
begun_set_aside(int segments, uint64_t *messages_out)
{
	struct newest_files files = {.count = 0};
	struct model *m = newest_begin(1);
	uint32_t slot;

	for (int n = 1; n < segments; n++)
		newest_fill(m);
	if (!model_submit(m, 9000, true) || !model_submit(m, 1000, false))
		model_broken(m, "no messages: errno %d", errno);
	for (int n = 0; n < BEGUN_TURNS; n++)
		model_turn(m);
	slot = m->spool->writer.active->slot;
	*messages_out = m->spool->writer.active->live_count;
	newest_crash(m);
	newest_take(m, slot, &files);
	(void)newest_open(m, true);
	newest_crash(m);
	newest_put_back(m, &files);
	(void)newest_open(m, false);
	newest_crash(m);
	return m;
}

/* As in sallyportd(8): in a directory of its own, under the name of a segment, with the bodies. */
static bool
set_aside_is_read_elsewhere(void)
{
	uint64_t messages;
	struct model *m = begun_set_aside(3, &messages);
	struct newest_list aside = newest_list(m, "damaged-seg-", ""),
	                   l = newest_list(m, "seg-", "");
	struct fsio *io = simdisk_io(m->disk);

	for (unsigned i = 0; i < l.count; i++)
		newest_remove(m, l.name[i]);
	newest_unname(m);
	if (aside.count != 1 || newest_names(m, ".body.lost") != 1)
		model_broken(m, "%u are set aside", aside.count);
	if (io->ops->rename(io, aside.name[0], "seg-00000001") != 0)
		model_broken(m, "no name");
	m->may_lose = true;
	if (newest_open(m, true)) {
		model_check(m);
		if (messages < 2 || index_count(&m->spool->index) != messages ||
		    newest_names(m, ".body") != 1)
			model_broken(m, "%zu of %llu messages", index_count(&m->spool->index),
			    (unsigned long long)messages);
	}
	return model_end(m) == 0;
}

/* ---- nothing is missing ---- */

/* The power fails at operation `cut` of the very first start and of the work in which segments are
 * begun: no start reports an existing segment as missing. */
static bool
begun_cut_work(uint64_t cut, unsigned *faults)
{
	struct model *m = model_new(cut);
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};
	bool was_cut;

	o.io = simdisk_io(m->disk);
	simdisk_cut(m->disk, cut);
	if (model_open(m, &o))
		for (int n = 0; n < 60 && !simdisk_is_cut(m->disk); n++) {
			(void)model_submit(m, 3000, n % 8 == 0);
			model_turn(m);
		}
	was_cut = simdisk_is_cut(m->disk);
	newest_crash(m);
	simdisk_cut(m->disk, 0);
	begun_expect_quiet(m, "after the cut");
	newest_crash(m);
	begun_expect_quiet(m, "later");
	*faults += model_end(m);
	return was_cut;
}

static bool
begun_whenever_the_power_fails(void)
{
	return newest_each_cut(begun_cut_work, 100);
}

/* ---- newest-segment is damaged or outdated ---- */

static void
begun_change(struct model *m, size_t at)
{
	struct str s = simdisk_bytes(m->disk, NEWEST_SEGMENT_NAME);
	char *p = (char *)(uintptr_t)s.p;

	if (s.n != SEGMENT_SECTOR)
		model_broken(m, "it has %zu bytes", s.n);
	else
		p[at] = (char)(p[at] ^ 1);
}

/* Logged and counted once; then the file is correct again and used. */
static void
begun_expect_written_anew(struct model *m, const char *words)
{
	struct newest_files files = {.count = 0};
	unsigned before = words ? cases_told(words) : 0;

	if (newest_open(m, false)) {
		model_check(m);
		if (m->spool->stats.quarantined != (words != NULL) ||
		    (words && cases_told(words) != before + 1))
			model_broken(m, "told %llu times",
			    (unsigned long long)m->spool->stats.quarantined);
	}
	newest_crash(m);
	simdisk_bad_place(m->disk, NEWEST_SEGMENT_NAME, 0, 0);
	begun_expect_quiet(m, "written anew");
	newest_take(m, begun_fill(m, 2), &files);
	newest_forget(&files);
	newest_expect_refusal(m, begun_told);
}

static bool
damaged_or_not_there(void)
{
	unsigned faults = 0;

	for (size_t at = 0; at <= 40; at += 4) {
		struct model *m = newest_begin(1);

		(void)begun_fill(m, 2);
		if (at < 32)
			begun_change(m, at);
		else if (at == 32)
			simdisk_truncate(m->disk, NEWEST_SEGMENT_NAME, 20);
		else if (at == 36)
			simdisk_truncate(m->disk, NEWEST_SEGMENT_NAME, 0);
		else
			newest_unname(m);
		begun_expect_written_anew(m, at <= 32 ? "newest-segment is damaged" : NULL);
		faults += model_end(m);
	}
	return faults == 0;
}

static bool
unreadable(void)
{
	struct model *m = newest_begin(1);

	(void)begun_fill(m, 2);
	simdisk_bad_place(m->disk, NEWEST_SEGMENT_NAME, 0, SEGMENT_SECTOR);
	begun_expect_written_anew(m, "newest-segment cannot be read: ");
	return model_end(m) == 0;
}

/* The machine lacks a descriptor: that is temporary, and no damage. */
static bool
unreadable_for_now(void)
{
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};
	struct model *m = newest_begin(1);

	(void)begun_fill(m, 2);
	o.io = simdisk_io(m->disk);
	o.accept_damage = true;
	simdisk_fail(m->disk, (struct simdisk_fault){SIMDISK_OPEN, 1, 1, EMFILE});
	if (model_open(m, &o) || errno != EMFILE ||
	    !cases_told("newest-segment cannot be read at offset 0"))
		model_broken(m, "not refused");
	simdisk_fail(m->disk, (struct simdisk_fault){0});
	begun_expect_quiet(m, "later");
	return model_end(m) == 0;
}

/* The file comes from a backup, or an older version has continued the log. */
static bool
older_than_the_log(void)
{
	struct model *m = newest_begin(1);
	char older[SEGMENT_SECTOR];
	struct str s;

	(void)begun_fill(m, 2);
	s = simdisk_bytes(m->disk, NEWEST_SEGMENT_NAME);
	memcpy(older, s.p, s.n);
	if (newest_open(m, false))
		(void)begun_fill(m, 3);
	newest_unname(m);
	newest_make(m, NEWEST_SEGMENT_NAME, str_make(older, sizeof older));
	begun_expect_written_anew(m, NULL);
	return model_end(m) == 0;
}

/* ---- newest-segment cannot be written ---- */

/* Mail is accepted nevertheless; closing the spool writes what could not be written before. */
static bool
unwritten_while_running(void)
{
	unsigned told = cases_told("newest-segment cannot be written");
	struct newest_files files = {.count = 0};
	struct model *m = newest_begin(1);
	uint32_t slot;

	simdisk_refuse_writes(m->disk, NEWEST_SEGMENT_NAME);
	newest_fill(m);
	slot = m->spool->writer.active->slot;
	if (m->bad || cases_told("newest-segment cannot be written") != told + 1)
		model_broken(m, "%llu refused, or not told", (unsigned long long)m->bad);
	simdisk_refuse_writes(m->disk, NULL);
	newest_crash(m);
	newest_take(m, slot, &files);
	newest_forget(&files);
	newest_expect_refusal(m, begun_told);
	return model_end(m) == 0;
}

/* ---- cases ---- */

static const struct crash_case begun_cases[] = {
    {"the newest file is gone: refused, until it is put back", gone_and_put_back},
    {"or until that is accepted, once", gone_and_accepted},
    {"whenever the power fails", accepted_whenever_the_power_fails},
    {"what was set aside is read in a directory of its own", set_aside_is_read_elsewhere},
    {"no power cut makes one that is there pass for missing", begun_whenever_the_power_fails},
    {"what names it is damaged, or not there: the start goes on", damaged_or_not_there},
    {"it is on a bad place: the start goes on", unreadable},
    {"it cannot be opened for now: the start is refused", unreadable_for_now},
    {"it is older than the log: the start goes on", older_than_the_log},
    {"it cannot be written: mail is taken, and a stop writes it", unwritten_while_running},
};

int
main(void)
{
	return cases_run(begun_cases, sizeof begun_cases / sizeof *begun_cases);
}
