/*
 * completion: the frames of a finished batch are decoded again, and their entries are applied to
 * the index or, after a failure, released.
 */
#include "spool/completion.h"

#include "base/clock.h"

static void
complete_entry(struct spool *s, const struct frame_entry *r, const struct index_position *at)
{
	struct stored_message *message;
	struct spool_note *note;

	if (r->type == FRAME_NOTE) {
		note = index_find_note(&s->index, r->entry.note.name);
		if (note && note->open_appends > 0)
			note->open_appends--;
		if (at)
			index_apply(&s->index, r, at);
		return;
	}
	if (!frame_is_known((uint32_t)r->type)) {
		if (at)
			index_apply(&s->index, r, at);
		else
			unknown_entries_not_moved(&s->index.unknown, r);
		return;
	}
	message = index_find(&s->index, r->entry.id);
	if (!message)
		return;
	message->open_appends--;
	if (at)
		index_apply(&s->index, r, at);
	else
		index_remove_if_done(&s->index, message);
}

/* A message, and a copy by compaction, may be refused for a reason of its own.  When anything else
 * is not stored, a status or a note, the next one may fail too. */
static bool
commit_is_disk_failure(const struct batch_commit *c)
{
	return !c->is_own_fault || (!c->is_bulk && !c->is_copy);
}

/* What became durable is applied by the same function that replays the log after a crash. */
static void
complete_commit(struct spool *s, const struct batch *b, const struct batch_commit *c)
{
	struct str rest = batch_payload(b, c);
	struct index_position at = {
	    c->segment, c->offset, FRAME_HEADER_BYTES + c->payload_bytes, rest};
	struct frame_entry r;
	bool bad;

	while (frame_next_entry(&rest, &r, &bad))
		complete_entry(s, &r, c->error ? NULL : &at);
	s->waiting_bytes -= c->span;
	s->copies.waiting_bytes -= c->is_copy ? c->span : 0;
	s->stats.commits += !c->error;
	s->stats.failed += c->error != 0;
	if (!c->error)
		s->stored_ms = clock_mono_ms();
	else if (commit_is_disk_failure(c))
		s->stored_ms = 0;
}

static void
complete_batch(struct spool *s, struct batch *b)
{
	for (struct segment *g = b->opened, *next; g; g = next) {
		next = g->next;
		index_add_segment(&s->index, g);
	}
	s->stats.syncs += b->syncs;
	s->stats.sync_ms += b->sync_ms;
	for (size_t i = 0; i < b->count; i++) {
		complete_commit(s, b, &b->commits[i]);
		if (b->commits[i].fn)
			b->commits[i].fn(b->commits[i].error, b->commits[i].arg);
	}
}

void
completion_run(struct spool *s)
{
	struct batch_list done = STAILQ_HEAD_INITIALIZER(done);
	struct batch *b;

	writer_take_done(&s->writer, &done);
	while ((b = STAILQ_FIRST(&done))) {
		STAILQ_REMOVE_HEAD(&done, link);
		complete_batch(s, b);
		writer_reuse(&s->writer, b);
	}
}

int64_t
completion_stored_ms(const struct spool *s)
{
	return s->stored_ms;
}
