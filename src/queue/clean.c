/*
 * clean: see the header.
 */
#include "queue/clean.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

enum {
	SEGMENTS_MIN = 4,
	ROUND_BYTES = 1 << 20,
	RETRY_FIRST_MS = 1000,
	RETRY_MAX_MS = 300000,
};

static bool
has_note(const struct spool *s, const struct segment *g)
{
	for (const struct note *n = s->index.notes; n; n = n->next)
		if (n->segment == g && n->value.n > 0)
			return true;
	return false;
}

/* Entries that are kept for a newer version. */
static bool
has_unknown(const struct spool *s, const struct segment *g)
{
	return unknown_in(&s->index.unknown, g, NULL) != NULL;
}

/* Worth copying: half of the log or more is dead, or space is short. */
static bool
is_worth(const struct spool *s)
{
	uint64_t used = s->index.segment_count * s->writer.pool.bytes;

	/* a segment that cannot be read everywhere is emptied as soon as it can be */
	if (s->index.kept_count)
		return true;
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

/* The others move on; this one is tried again, less and less often, until it can be read or is
 * deleted.  Until then nothing from here on can be freed. */
static void
clean_failed(const struct item *i, int error)
{
	struct segment *g = i->segment;
	char id[ID_NUMBER_TEXT_BYTES], name[SEGMENT_NAME_BYTES];
	int64_t wait_ms = RETRY_FIRST_MS;

	for (unsigned n = 0; n < g->failures && wait_ms < RETRY_MAX_MS; n++)
		wait_ms *= 2;
	wait_ms = wait_ms < RETRY_MAX_MS ? wait_ms : RETRY_MAX_MS;
	g->retry_ms = clock_mono_ms() + wait_ms;
	log_error("spool: message %s cannot be read: %s, offset %u: %s; the segment cannot be "
		  "freed and is tried again in %llu s; `sallyport queue delete %s` gives the "
		  "message up",
	    msgid_text(i->id, 0, id), segment_name(g->slot, name), i->offset, strerror(error),
	    (unsigned long long)wait_ms / 1000, id);
}

/* false: no room for the copy now. */
static bool
move_item(struct spool *s, struct item *i)
{
	struct spool_batch b = {.urgency = SPOOL_LAZY};
	struct spool_entry *entries;
	struct record r;
	int error;

	metrics_work_id("compact", i->id);
	error = item_read(i, s->io, &s->room, &r);
	i->is_unreadable = error != 0;
	if (error) {
		clean_failed(i, error);
		return true;
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

/* Each in a frame of its own, which names its message first. */
static bool
move_unknown(struct spool *s, struct unknown *u)
{
	struct spool_entry e[2] = {{.kind = SPOOL_UNKNOWN}};
	struct spool_batch b = {.entries = e, .count = 1, .urgency = SPOOL_LAZY};
	const struct item *i = u->owner.session ? index_find(&s->index, u->owner) : NULL;

	e[0].unknown.type = u->type;
	e[0].unknown.bytes = u->bytes;
	if (i) {
		e[1] = e[0];
		e[0] = (struct spool_entry){.kind = SPOOL_HOLD, .id = i->id};
		e[0].hold.is_held = i->is_held;
		e[0].hold.why = i->held_why;
		b.count = 2;
	}
	u->is_moving = store_copy(s, &b, 0) == 0;
	return u->is_moving;
}

static void
move_all_unknown(struct spool *s, const struct segment *g)
{
	struct unknown *u = NULL;

	while ((u = unknown_in(&s->index.unknown, g, u)))
		if (!u->is_moving && !move_unknown(s, u))
			return;
}

/* Those with an append under way come later: a copy must hold all that was answered before it.
 * Those that could not be read wait for the segment's next time. */
static bool
move_items(struct spool *s, struct segment *g, bool is_retry)
{
	uint64_t bytes = 0;

	for (struct item *i = g->items; i && bytes < ROUND_BYTES; i = i->next) {
		if (i->open > 0 || (i->is_unreadable && !is_retry))
			continue;
		if (!move_item(s, i))
			return false;
		bytes += i->frame_bytes;
	}
	return true;
}

static bool
has_unreadable(const struct segment *g)
{
	for (const struct item *i = g->items; i; i = i->next)
		if (i->is_unreadable)
			return true;
	return false;
}

static void
move_some(struct spool *s, struct segment *g)
{
	int64_t now = clock_mono_ms();
	bool is_retry = g->retry_ms && now >= g->retry_ms, is_done;

	if (is_retry) {
		g->failures++;
		g->retry_ms = 0;
	}
	is_done = move_items(s, g, is_retry);
	/* a round is bounded: those that it did not come to are tried in the next one */
	if (is_retry && !g->retry_ms && has_unreadable(g))
		g->retry_ms = now;
	if (!is_done)
		return;
	for (struct note *n = s->index.notes; n; n = n->next)
		if (n->segment == g && n->value.n > 0 && n->open == 0 && !move_note(s, n))
			return;
	move_all_unknown(s, g);
}

void
clean(struct spool *s)
{
	struct index *x = &s->index;

	while (x->oldest != x->newest && !x->oldest->items && !x->oldest->readings &&
	    !has_note(s, x->oldest) && !has_unknown(s, x->oldest))
		writer_give_back(&s->writer, index_take_oldest(x));
	if (x->oldest != x->newest && is_worth(s))
		move_some(s, x->oldest);
}
