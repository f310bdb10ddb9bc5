/*
 * crash_losses: what is logged about messages whose place in the log is damaged or missing.  A
 * message whose delivery was finished by a later status is not called lost; for one that cannot be
 * named the log says between which two accept lines it was accepted.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cases.h"
#include "newest_rig.h"
#include "spool/spool_internal.h"

static const char lost[] = "it is lost", ended[] = "whose delivery was finished: ";

static void
losses_expect(struct model *m, const char *words, const char *more, unsigned count)
{
	unsigned told = cases_told_both(words, more);

	if (told != count)
		model_broken(m, "\"%s ... %s\" was told %u times, not %u", words, more, told,
		    count);
}

/* Changes bytes of the message's body on the disk. */
static void
losses_spoil(struct model *m, const struct model_message *g)
{
	const struct stored_message *i = index_find(&m->spool->index, g->id);
	struct iovec v = {(char[]){"spoilt"}, 6};
	struct fsio *io = simdisk_io(m->disk);
	int fd = i->segment->fd;

	if (io->ops->pwritev(io, fd, &v, 1, i->offset + i->frame_bytes - 20) != 6 ||
	    io->ops->sync_data(io, fd) != 0)
		model_broken(m, "the record cannot be spoilt");
}

/* Appends the last status of each recipient, except for `left` of them. */
static void
losses_finish(struct model *m, const struct model_message *g, uint32_t left)
{
	struct spool_entry e[MODEL_RECIPIENTS] = {0};
	struct spool_batch b = {.entries = e, .count = g->recipient_count - left};

	for (uint32_t n = 0; n < b.count; n++) {
		e[n] = (struct spool_entry){.kind = SPOOL_STATUS, .id = g->id};
		e[n].status = (struct spool_recipient){
		    .number = n + 1, .outcome = SPOOL_DONE, .is_settled = true};
	}
	if (b.count && spool_append(m->spool, &b) != 0)
		model_broken(m, "a status is refused");
	model_turn(m);
}

static struct model_message *
losses_submit(struct model *m, uint32_t recipients)
{
	for (unsigned n = 0; n < MODEL_MESSAGES; n++) {
		struct model_message *g = &m->messages[n];

		if (g->fate == MODEL_NONE && !model_submit(m, 1000, false))
			return NULL;
		model_turn(m);
		if (g->fate == MODEL_STORED && g->recipient_count == recipients &&
		    !g->recipients[0].end)
			return g;
	}
	die("losses: no message with %u recipients", recipients);
}

static struct model_message *
losses_submit_any(struct model *m)
{
	unsigned n = 0;

	while (n + 1 < MODEL_MESSAGES && m->messages[n].fate != MODEL_NONE)
		n++;
	if (!model_submit(m, 1000, false))
		model_broken(m, "no message: errno %d", errno);
	model_turn(m);
	return &m->messages[n];
}

static bool
losses_of_one(uint32_t left, const char *words, const char *more)
{
	struct model *m = newest_begin(4);
	struct model_message *g = losses_submit(m, 2);
	char id[ID_NUMBER_TEXT_BYTES];

	losses_spoil(m, g);
	losses_finish(m, g, left);
	/* a later write records that it was durable */
	(void)losses_submit_any(m);
	m->may_lose = true;
	newest_crash(m);
	if (newest_open(m, false)) {
		msgid_text(g->id, 0, id);
		losses_expect(m, lost, id, words == lost);
		losses_expect(m, ended, "1; no mail is lost", words == ended);
		losses_expect(m, words, more, 1);
	}
	return model_end(m) == 0;
}

static bool
losses_ended(void)
{
	return losses_of_one(0, ended, "info");
}

static bool
losses_half_ended(void)
{
	return losses_of_one(1, lost, "(1 of 2 recipients are done)");
}

static bool
losses_waiting(void)
{
	return losses_of_one(2, lost, "ask the sender");
}

/* ---- messages that cannot be named ---- */

/* The newest message in segments up to this generation, or the oldest one after it. */
static struct msgid
losses_beside(struct model *m, uint64_t generation, bool is_behind)
{
	struct msgid found = {0, 0};

	for (unsigned n = 0; n < MODEL_MESSAGES; n++) {
		const struct stored_message *i = index_find(&m->spool->index, m->messages[n].id);

		if (!i || !i->segment || (i->segment->generation > generation) != is_behind)
			continue;
		if (!found.session || (i->id.session < found.session) == is_behind)
			found = i->id;
	}
	return found;
}

static void
losses_expect_between(struct model *m, struct msgid before, struct msgid after)
{
	char id[ID_NUMBER_TEXT_BYTES], words[96], more[96] = "accept lines";

	snprintf(words, sizeof words, "after the first line with \"id=%s\"",
	    msgid_text(before, 0, id));
	if (after.session)
		snprintf(more, sizeof more, "before the first line with \"id=%s\"",
		    msgid_text(after, 0, id));
	losses_expect(m, words, more, 1);
	losses_expect(m, "up to record", "", 0);
	losses_expect(m, "0 recipients of missing messages", "", 0);
}

/* The start that accepts the loss logs what is done, not how to start. */
static void
losses_expect_accepted(struct model *m)
{
	losses_expect(m, "this start goes on without it", "", 1);
	losses_expect(m, "start once with --accept-damage", "", 0);
	losses_expect(m, "put the", "back, or", 0);
}

static bool
losses_missing_segment(void)
{
	struct model *m = newest_begin(5);
	char name[SEGMENT_NAME_BYTES];
	struct msgid before, after;
	uint64_t generation;

	newest_fill(m);
	generation = m->spool->writer.active->generation;
	segment_name(m->spool->writer.active->slot, name);
	newest_fill(m);
	before = losses_beside(m, generation - 1, false);
	after = losses_beside(m, generation, true);
	newest_crash(m);
	newest_remove(m, name);
	m->may_lose = true;
	if (newest_open(m, true)) {
		losses_expect_between(m, before, after);
		losses_expect_accepted(m);
	}
	return model_end(m) == 0;
}

static bool
losses_missing_newest(void)
{
	struct model *m = newest_begin(6);
	char name[SEGMENT_NAME_BYTES];
	struct msgid before;

	newest_fill(m);
	segment_name(m->spool->writer.active->slot, name);
	before = losses_beside(m, m->spool->writer.active->generation - 1, false);
	newest_crash(m);
	newest_remove(m, name);
	m->may_lose = true;
	if (newest_open(m, true)) {
		losses_expect_between(m, before, (struct msgid){0, 0});
		losses_expect_accepted(m);
	}
	return model_end(m) == 0;
}

static bool
losses_missing_all(void)
{
	char name[SEGMENT_NAME_BYTES];
	struct model *m = newest_begin_single(name);

	newest_crash(m);
	newest_remove(m, name);
	m->may_lose = true;
	if (newest_open(m, true))
		losses_expect_accepted(m);
	return model_end(m) == 0;
}

/* The file ends in the body of its last message, which is named; nothing follows it. */
static bool
losses_cut(void)
{
	struct model *m = newest_begin(7);
	struct model_message *before = losses_submit_any(m), *cut = losses_submit_any(m);
	size_t end;
	const struct stored_message *i = index_find(&m->spool->index, cut->id);
	char name[SEGMENT_NAME_BYTES], id[ID_NUMBER_TEXT_BYTES];

	segment_name(i->segment->slot, name);
	end = i->offset + i->frame_bytes - 500;
	newest_crash(m);
	simdisk_truncate(m->disk, name, end);
	m->may_lose = true;
	if (newest_open(m, true)) {
		losses_expect(m, lost, msgid_text(cut->id, 0, id), 1);
		losses_expect_between(m, before->id, (struct msgid){0, 0});
		losses_expect_accepted(m);
	}
	return model_end(m) == 0;
}

/* The same for a segment that is not the newest: what is left after its last frame is logged with
 * the missing end. */
static bool
losses_cut_older(void)
{
	struct model *m = newest_begin(7);
	struct model_message *before = losses_submit_any(m), *cut = losses_submit_any(m);
	const struct stored_message *i = index_find(&m->spool->index, cut->id);
	size_t end = i->offset + i->frame_bytes - 500;
	uint64_t generation = i->segment->generation;
	char name[SEGMENT_NAME_BYTES], id[ID_NUMBER_TEXT_BYTES];
	struct msgid after;

	segment_name(i->segment->slot, name);
	newest_fill(m);
	newest_fill(m);
	after = losses_beside(m, generation, true);
	newest_crash(m);
	simdisk_truncate(m->disk, name, end);
	m->may_lose = true;
	if (newest_open(m, true)) {
		losses_expect(m, lost, msgid_text(cut->id, 0, id), 1);
		losses_expect(m, "accept lines", "", 1);
		losses_expect_between(m, before->id, after);
	}
	return model_end(m) == 0;
}

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

static const struct crash_case losses_cases[] = {
    {"a damaged record of a message that had come to its end is no loss", losses_ended},
    {"of one that had come to its end for one recipient that is said", losses_half_ended},
    {"one that still waited is lost", losses_waiting},
    {"messages of a missing segment stand between two accept lines", losses_missing_segment},
    {"messages of the newest segment stand behind an accept line", losses_missing_newest},
    {"the only segment is missing", losses_missing_all},
    {"of a file cut short the message in the cut is named", losses_cut},
    {"the same of a file that is not the newest", losses_cut_older},
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
	return cases_run(losses_cases, sizeof losses_cases / sizeof *losses_cases);
}
