/*
 * completion: see the header.
 */
#include "spool/completion.h"

#include "base/clock.h"

static void
settle_entry(struct spool *s, const struct record *r, const struct index_place *at)
{
	struct item *item;
	struct note *note;

	if (r->type == RECORD_NOTE) {
		note = index_find_note(&s->index, r->entry.note.name);
		if (note && note->open > 0)
			note->open--;
		if (at)
			index_apply(&s->index, r, at);
		return;
	}
	if (!record_is_known((uint32_t)r->type)) {
		if (at)
			index_apply(&s->index, r, at);
		else
			unknown_not_moved(&s->index.unknown, r);
		return;
	}
	item = index_find(&s->index, r->entry.id);
	if (!item)
		return;
	item->open--;
	if (at)
		index_apply(&s->index, r, at);
	else
		index_review(&s->index, item);
}

/* A message, and a copy by compaction, may be refused for a reason of its own.  Of what else is not
 * stored, a status or a note, the next one may not be stored either. */
static bool
answer_is_of_disk(const struct commit *c)
{
	return !c->is_own || (!c->is_bulk && !c->is_copy);
}

/* What became durable is applied by the function that replays it after a crash. */
static void
settle_commit(struct spool *s, const struct batch *b, const struct commit *c)
{
	struct str rest = batch_payload(b, c);
	struct index_place at = {
	    c->segment, c->offset, RECORD_HEADER_BYTES + c->payload_bytes, rest};
	struct record r;
	bool bad;

	while (record_next(&rest, &r, &bad))
		settle_entry(s, &r, c->error ? NULL : &at);
	s->waiting_bytes -= c->span;
	s->copies.waiting_bytes -= c->is_copy ? c->span : 0;
	s->stats.commits += !c->error;
	s->stats.failed += c->error != 0;
	if (!c->error)
		s->stored_ms = clock_mono_ms();
	else if (answer_is_of_disk(c))
		s->stored_ms = 0;
}

static void
answer_batch(struct spool *s, struct batch *b)
{
	for (struct segment *g = b->opened, *next; g; g = next) {
		next = g->next;
		index_add_segment(&s->index, g);
	}
	s->stats.syncs += b->syncs;
	s->stats.sync_ms += b->sync_ms;
	for (size_t i = 0; i < b->count; i++) {
		settle_commit(s, b, &b->commits[i]);
		if (b->commits[i].fn)
			b->commits[i].fn(b->commits[i].error, b->commits[i].arg);
	}
}

void
answer_commits(struct spool *s)
{
	struct batch_list done = STAILQ_HEAD_INITIALIZER(done);
	struct batch *b;

	writer_done(&s->writer, &done);
	while ((b = STAILQ_FIRST(&done))) {
		STAILQ_REMOVE_HEAD(&done, link);
		answer_batch(s, b);
		writer_reuse(&s->writer, b);
	}
}

int64_t
answer_stored_ms(const struct spool *s)
{
	return s->stored_ms;
}
