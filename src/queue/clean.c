/*
 * clean: see the header.
 */
#include "queue/clean.h"

#include <errno.h>

#include "base/log.h"
#include "base/mem.h"

enum { SEGMENTS_MIN = 4, ROUND_BYTES = 1 << 20 };

static bool
has_note(const struct spool *s, const struct segment *g)
{
	for (const struct note *n = s->index.notes; n; n = n->next)
		if (n->segment == g && n->value.n > 0)
			return true;
	return false;
}

/* Worth copying: half of the log or more is dead, or space is short. */
static bool
is_worth(const struct spool *s)
{
	uint64_t used = s->index.segment_count * s->writer.pool.bytes;

	if (atomic_load(&s->writer.is_dry))
		return s->index.oldest->live_bytes <= s->writer.pool.bytes / 16;
	return s->index.segment_count >= SEGMENTS_MIN && s->index.live_bytes <= used / 2;
}

/* Message, hold and every state that is not as at first; returns how many. */
static size_t
describe(const struct item *i, const struct record *r, struct spool_entry *entries)
{
	size_t count = 0;

	entries[count] = r->entry;
	entries[count++].message.fd = -1;
	if (i->is_held || i->held_why.n) {
		entries[count] = (struct spool_entry){.kind = SPOOL_HOLD, .id = i->id};
		entries[count].hold.is_held = i->is_held;
		entries[count++].hold.why = i->held_why;
	}
	for (uint32_t n = 0; i->recipients && n < i->recipient_count; n++) {
		if (i->recipients[n].outcome == SPOOL_WAITING && !i->recipients[n].marks &&
		    !i->recipients[n].is_settled && !i->recipients[n].attempts)
			continue;
		entries[count] = (struct spool_entry){.kind = SPOOL_STATUS, .id = i->id};
		entries[count++].status = i->recipients[n];
	}
	return count;
}

static bool
move_item(struct spool *s, struct item *i)
{
	struct spool_batch b = {.urgency = SPOOL_LAZY};
	struct spool_entry *entries;
	struct record r;
	int error = item_read(i, s->io, &s->room, &r);

	if (error) {
		log_error("spool: segment %u is kept: a message in it cannot be read",
		    i->segment->slot);
		i->segment->is_damaged = true;
		return false;
	}
	entries = mem_new((i->recipient_count + 2) * sizeof *entries);
	b.entries = entries;
	b.count = describe(i, &r, entries);
	error = store_copy(s, &b, r.body_bytes);
	mem_free(entries);
	return error == 0;
}

static bool
move_note(struct spool *s, struct note *n)
{
	struct spool_entry e = {.kind = SPOOL_NOTE};
	struct spool_batch b = {.entries = &e, .count = 1, .urgency = SPOOL_LAZY};

	e.note.name = n->name;
	e.note.value = n->value;
	return store_copy(s, &b, 0) == 0;
}

/* Those with an append under way come later: a copy must hold all that was answered before it. */
static void
move_some(struct spool *s, struct segment *g)
{
	uint64_t bytes = 0;

	for (struct item *i = g->items; i && bytes < ROUND_BYTES; i = i->next) {
		if (i->open > 0)
			continue;
		if (!move_item(s, i))
			return;
		bytes += i->frame_bytes;
	}
	for (struct note *n = s->index.notes; n; n = n->next)
		if (n->segment == g && n->value.n > 0 && n->open == 0 && !move_note(s, n))
			return;
}

void
clean(struct spool *s)
{
	struct index *x = &s->index;

	while (x->oldest != x->newest && !x->oldest->items && !has_note(s, x->oldest))
		writer_give_back(&s->writer, index_take_oldest(x));
	if (x->oldest != x->newest && !x->oldest->is_damaged && is_worth(s))
		move_some(s, x->oldest);
}
