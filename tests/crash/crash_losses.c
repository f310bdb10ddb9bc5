/*
 * crash_losses: what is logged about messages whose place in the log is damaged or missing.  A
 * message whose delivery was finished by a later status is not called lost; for one that cannot be
 * named the log says between which two accept lines it was accepted.
 */
#include "base/mem.h"
#include "cases.h"
#include "losses_rig.h"
#include "newest_rig.h"
#include "spool/spool_internal.h"

static const char lost[] = "it is lost", ended[] = "whose delivery was finished: ";

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

static const struct crash_case losses_cases[] = {
    {"a damaged record of a message that had come to its end is no loss", losses_ended},
    {"of one that had come to its end for one recipient that is said", losses_half_ended},
    {"one that still waited is lost", losses_waiting},
    {"messages of a missing segment stand between two accept lines", losses_missing_segment},
    {"messages of the newest segment stand behind an accept line", losses_missing_newest},
    {"the only segment is missing", losses_missing_all},
    {"of a file cut short the message in the cut is named", losses_cut},
    {"the same of a file that is not the newest", losses_cut_older},
};

int
main(void)
{
	return cases_run(losses_cases, sizeof losses_cases / sizeof *losses_cases);
}
