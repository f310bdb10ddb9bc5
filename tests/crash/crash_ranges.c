/*
 * crash_ranges: what is logged when a range of the log is overwritten or cannot be read: the
 * messages that what is left names, and between which two accept lines the others were accepted.
 */
#include <stdio.h>
#include <string.h>

#include "cases.h"
#include "losses_rig.h"
#include "newest_rig.h"
#include "spool/spool_internal.h"

static const char lost[] = "it is lost";
/* ---- a damaged range ---- */

static const char unnamed[] = "accept lines", missing[] = "is missing, and was still being tried",
		  aside[] = "it is whole, and can be delivered from the file that is set aside",
		  torn[] = "is not whole, as a power cut leaves it";

/* The offsets of the messages' records; they are in one segment. */
struct losses_stretch {
	char name[SEGMENT_NAME_BYTES];
	size_t from, to;
};

static struct losses_stretch
losses_stretch(struct model *m, const struct model_message *first, const struct model_message *last)
{
	const struct stored_message *a = index_find(&m->spool->index, first->id);
	const struct stored_message *b = index_find(&m->spool->index, last->id);
	struct losses_stretch s = {.from = a->offset, .to = b->offset + b->frame_bytes};

	if (a->segment != b->segment || s.from >= s.to)
		model_broken(m, "no stretch");
	segment_name(a->segment->slot, s.name);
	return s;
}

static void
losses_wipe(struct model *m, struct losses_stretch s, char with)
{
	struct str bytes = simdisk_bytes(m->disk, s.name);

	memset((char *)(uintptr_t)bytes.p + s.from, with, s.to - s.from);
}

/* A first attempt to deliver the message has failed. */
static void
losses_defer(struct model *m, const struct model_message *g)
{
	struct spool_entry e = {.kind = SPOOL_STATUS, .id = g->id};
	struct spool_batch b = {.entries = &e, .count = 1};

	e.status = (struct spool_recipient){.number = 1, .outcome = SPOOL_DEFERRED};
	if (spool_append(m->spool, &b) != 0)
		model_broken(m, "a status is refused");
	model_turn(m);
	model_turn(m);
}

/* The next start logs nothing of it any more. */
static void
losses_expect_once(struct model *m)
{
	unsigned told = cases_told(unnamed);

	newest_crash(m);
	if (newest_open(m, false) && cases_told(unnamed) != told)
		model_broken(m, "told again");
}

/* Three of five messages are overwritten, except for so many bytes of the first one: the header of
 * its frame and the beginning of its record.  A later status of the second one is left. */
static bool
losses_of_three(size_t left, char with, bool is_sealed)
{
	struct model *m = newest_begin(8);
	struct model_message *g[5];
	struct losses_stretch s;
	char id[ID_NUMBER_TEXT_BYTES];

	for (unsigned n = 0; n < 5; n++)
		g[n] = losses_submit_any(m);
	s = losses_stretch(m, g[1], g[3]);
	s.from += left;
	if (is_sealed) {
		newest_fill(m);
		newest_fill(m);
	}
	losses_defer(m, g[2]);
	newest_crash(m);
	m->may_lose = true;
	losses_wipe(m, s, with);
	if (newest_open(m, false)) {
		losses_expect_between(m, g[0]->id, g[4]->id);
		losses_expect(m, unnamed, "", 1);
		losses_expect(m, lost, msgid_text(g[1]->id, 0, id), left > 0);
		losses_expect(m, missing, msgid_text(g[2]->id, 1, id), 1);
		losses_expect_once(m);
	}
	return model_end(m) == 0;
}

static bool
losses_zeros(void)
{
	return losses_of_three(200, 0, false);
}

static bool
losses_noise(void)
{
	return losses_of_three(0, 'n', false);
}

static bool
losses_noise_in_older(void)
{
	return losses_of_three(0, 'n', true);
}

static bool
losses_zeros_in_older(void)
{
	return losses_of_three(200, 0, true);
}

/* A page is read completely or not at all: the messages beside the range are in other pages. */
static bool
losses_unread(void)
{
	struct model *m = newest_begin(9);
	struct model_message *before, *first, *last, *after;
	struct losses_stretch s;

	before = losses_submit_any(m);
	for (int n = 0; n < 5; n++)
		first = losses_submit_any(m);
	last = losses_submit_any(m);
	for (int n = 0; n < 5; n++)
		(void)losses_submit_any(m);
	after = losses_submit_any(m);
	s = losses_stretch(m, first, last);
	newest_crash(m);
	m->may_lose = true;
	simdisk_bad_place(m->disk, s.name, s.from, s.to);
	if (newest_open(m, true)) {
		losses_expect(m, unnamed, "after the first line with \"id=", 1);
		losses_expect(m, unnamed, "before the first line with \"id=", 1);
		if (!index_find(&m->spool->index, before->id) ||
		    !index_find(&m->spool->index, after->id))
			model_broken(m, "too much is lost");
		/* its file is set aside meanwhile */
		for (int n = 0; n < TURNS; n++)
			model_turn(m);
		losses_expect_once(m);
	}
	return model_end(m) == 0;
}

/* What is left of all frames names their messages: there was nothing else in the range. */
static bool
losses_all_named(void)
{
	struct model *m = newest_begin(10);
	struct model_message *g[4];
	char id[ID_NUMBER_TEXT_BYTES];

	for (unsigned n = 0; n < 4; n++)
		g[n] = losses_submit_any(m);
	losses_spoil(m, g[1]);
	losses_spoil(m, g[2]);
	newest_crash(m);
	m->may_lose = true;
	if (newest_open(m, false)) {
		losses_expect(m, lost, msgid_text(g[1]->id, 0, id), 1);
		losses_expect(m, lost, msgid_text(g[2]->id, 0, id), 1);
		losses_expect(m, unnamed, "", 0);
	}
	return model_end(m) == 0;
}

/* Nothing of the newest segment can be read. */
static bool
losses_whole_newest(void)
{
	struct model *m = newest_begin(11);
	struct model_message *g;
	struct losses_stretch s;
	struct msgid before;

	newest_fill(m);
	g = losses_submit_any(m);
	s = losses_stretch(m, g, g);
	before = losses_beside(m, m->spool->writer.active->generation - 1, false);
	newest_crash(m);
	m->may_lose = true;
	s.from = SEGMENT_DATA;
	losses_wipe(m, s, 'n');
	if (newest_open(m, false))
		losses_expect_between(m, before, (struct msgid){0, 0});
	return model_end(m) == 0;
}

/* The header and the first frame are damaged: the place of the segment in the log is not known
 * then. */
static void
losses_wipe_place(struct model *m, struct losses_stretch s)
{
	s.from = 0;
	s.to = SEGMENT_DATA;
	losses_wipe(m, s, 'n');
	s.from = SEGMENT_DATA + FRAME_HEADER_BYTES;
	s.to = s.from + 8;
	losses_wipe(m, s, 'n');
}

/* Its file is set aside.  The messages in it are undamaged there, and are named. */
static bool
losses_without_place(void)
{
	struct model *m = newest_begin(14);
	struct model_message *first = losses_submit_any(m), *g = losses_submit_any(m);
	struct losses_stretch s = losses_stretch(m, first, g);
	char id[ID_NUMBER_TEXT_BYTES];

	newest_fill(m);
	newest_fill(m);
	newest_crash(m);
	m->may_lose = true;
	losses_wipe_place(m, s);
	if (newest_open(m, true)) {
		losses_expect(m, "it is not known where its", s.name, 1);
		losses_expect(m, aside, msgid_text(first->id, 0, id), 1);
		losses_expect(m, aside, msgid_text(g->id, 0, id), 1);
		losses_expect(m, lost, id, 0);
		losses_expect(m, "not known where in the log it belongs", unnamed, 1);
	}
	return model_end(m) == 0;
}

/* Two such segments have two lines: their generations are not known, and so they may be different
 * ones. */
static bool
losses_two_without_place(void)
{
	struct model *m = newest_begin(15);
	struct model_message *g[2];
	struct losses_stretch s[2];

	for (unsigned n = 0; n < 2; n++) {
		g[n] = losses_submit_any(m);
		s[n] = losses_stretch(m, g[n], g[n]);
		newest_fill(m);
	}
	newest_fill(m);
	newest_crash(m);
	m->may_lose = true;
	for (unsigned n = 0; n < 2; n++)
		losses_wipe_place(m, s[n]);
	if (newest_open(m, true))
		losses_expect(m, "not known where in the log it belongs", unnamed, 2);
	return model_end(m) == 0;
}

/* The last two writes are damaged: the last one recorded that the one before was durable. */
static bool
losses_known_tail(void)
{
	struct model *m = newest_begin(12);
	struct model_message *g[3];
	char id[ID_NUMBER_TEXT_BYTES];

	for (unsigned n = 0; n < 3; n++)
		g[n] = losses_submit_any(m);
	losses_spoil(m, g[2]);
	losses_spoil(m, g[1]);
	newest_crash(m);
	m->may_lose = true;
	if (newest_open(m, false)) {
		losses_expect(m, lost, msgid_text(g[1]->id, 0, id), 1);
		losses_expect(m, torn, "", 0);
		if (m->spool->stats.quarantined != 1)
			model_broken(m, "it is not counted");
		losses_expect_once(m);
	}
	return model_end(m) == 0;
}

/* The last write is incomplete: no later write records that it was durable. */
static bool
losses_torn_tail(void)
{
	struct model *m = newest_begin(13);
	struct model_message *before = losses_submit_any(m), *g = losses_submit_any(m);
	char id[ID_NUMBER_TEXT_BYTES], words[96];

	losses_spoil(m, g);
	newest_crash(m);
	m->may_lose = true;
	if (newest_open(m, false)) {
		losses_expect(m, "error", "", 0);
		losses_expect(m, lost, "", 0);
		snprintf(words, sizeof words, "after the first line with \"id=%s\"",
		    msgid_text(before->id, 0, id));
		losses_expect(m, torn, words, 1);
		if (m->spool->stats.quarantined)
			model_broken(m, "it is counted");
	}
	newest_crash(m);
	if (newest_open(m, false))
		losses_expect(m, torn, "", 1);
	return model_end(m) == 0;
}

static const struct crash_case ranges_cases[] = {
    {"zeros over three messages: one is named, the others stand between two accept lines",
	losses_zeros},
    {"noise over three messages: the same, and none is named", losses_noise},
    {"zeros in a segment that is not the newest", losses_zeros_in_older},
    {"noise in a segment that is not the newest", losses_noise_in_older},
    {"a stretch that cannot be read, and is accepted", losses_unread},
    {"a stretch whose messages are all named has no others", losses_all_named},
    {"nothing of the newest segment is left", losses_whole_newest},
    {"nothing tells where a segment belongs", losses_without_place},
    {"nor where two belong", losses_two_without_place},
    {"the last two writes are damaged", losses_known_tail},
    {"the last write is not whole: that is no loss", losses_torn_tail},
};

int
main(void)
{
	return cases_run(ranges_cases, sizeof ranges_cases / sizeof *ranges_cases);
}
