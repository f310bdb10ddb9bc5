/*
 * crash_losses: what is told of messages whose place in the log is damaged or gone.  A message of
 * which a later record says that it had come to its end is not called lost; what cannot be named is
 * placed between two accept lines of the log.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "cases.h"
#include "newest_rig.h"
#include "queue/store.h"

static const char lost[] = "it is lost", ended[] = "had come to their end: ";

static void
losses_expect(struct model *m, const char *words, const char *more, unsigned count)
{
	unsigned told = cases_told_both(words, more);

	if (told != count)
		model_broken(m, "\"%s ... %s\" was told %u times, not %u", words, more, told,
		    count);
}

/* Bytes of the message's body are changed on the disk. */
static void
losses_spoil(struct model *m, const struct model_message *g)
{
	const struct item *i = index_find(&m->spool->index, g->id);
	struct iovec v = {(char[]){"spoilt"}, 6};
	struct fsio *io = simdisk_io(m->disk);
	int fd = i->segment->fd;

	if (io->ops->pwritev(io, fd, &v, 1, i->offset + i->frame_bytes - 20) != 6 ||
	    io->ops->sync_data(io, fd) != 0)
		model_broken(m, "the record cannot be spoilt");
}

/* The last status of each recipient, but for `left` of them. */
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
	/* a later write knows that it was durable */
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

/* ---- what cannot be named ---- */

/* The newest message in segments up to this generation, or the oldest one behind it. */
static struct msgid
losses_beside(struct model *m, uint64_t generation, bool is_behind)
{
	struct msgid found = {0, 0};

	for (unsigned n = 0; n < MODEL_MESSAGES; n++) {
		const struct item *i = index_find(&m->spool->index, m->messages[n].id);

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
	char id[ID_NUMBER_TEXT_BYTES], words[80], more[80] = "accept lines";

	snprintf(words, sizeof words, "behind \"accept id=%s\"", msgid_text(before, 0, id));
	if (after.session)
		snprintf(more, sizeof more, "before \"accept id=%s\"", msgid_text(after, 0, id));
	losses_expect(m, words, more, 1);
	losses_expect(m, "up to record", "", 0);
	losses_expect(m, "0 recipients of missing messages", "", 0);
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
	if (newest_open(m, true))
		losses_expect_between(m, before, after);
	return model_end(m) == 0;
}

/* The file ends in the body of its last message, which is named; nothing stands behind it. */
static bool
losses_cut(void)
{
	struct model *m = newest_begin(7);
	struct model_message *before = losses_submit_any(m), *cut = losses_submit_any(m);
	size_t end;
	const struct item *i = index_find(&m->spool->index, cut->id);
	char name[SEGMENT_NAME_BYTES], id[ID_NUMBER_TEXT_BYTES];

	segment_name(i->segment->slot, name);
	end = i->offset + i->frame_bytes - 500;
	newest_crash(m);
	simdisk_truncate(m->disk, name, end);
	m->may_lose = true;
	if (newest_open(m, true)) {
		losses_expect(m, lost, msgid_text(cut->id, 0, id), 1);
		losses_expect_between(m, before->id, (struct msgid){0, 0});
	}
	return model_end(m) == 0;
}

static const struct crash_case losses_cases[] = {
    {"a damaged record of a message that had come to its end is no loss", losses_ended},
    {"of one that had come to its end for one recipient that is said", losses_half_ended},
    {"one that still waited is lost", losses_waiting},
    {"messages of a missing segment stand between two accept lines", losses_missing_segment},
    {"of a file cut short the message in the cut is named", losses_cut},
};

int
main(void)
{
	return cases_run(losses_cases, sizeof losses_cases / sizeof *losses_cases);
}
