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

/* Does the file's head reach the loop?  An error of the whole disk says nothing of one message. */
static bool
clean_can_read(const struct spool *s, const struct segment *g)
{
	char head[SEGMENT_SECTOR];
	struct iovec v = {head, sizeof head};
	size_t got;

	return segment_read(s->io, g->fd, v, 0, &got) == 0 && got == sizeof head;
}

static bool
clean_is_lost(const struct spool *s, const struct item *i, int error, int64_t since_ms)
{
	if (error == EBADMSG)
		return true;
	return segment_is_medium_error(error) && since_ms >= LOST_AFTER_MS &&
	    clean_can_read(s, i->segment);
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

/* The others move on; this one is tried again, less and less often, until it can be read, is
 * deleted or counts as lost.  Until then nothing from here on can be freed. */
static void
clean_failed(const struct item *i, int error, int64_t now_ms)
{
	char id[ID_NUMBER_TEXT_BYTES], name[SEGMENT_NAME_BYTES];
	int64_t wait_ms = now_ms - i->wait->since_ms;

	wait_ms = wait_ms > RETRY_FIRST_MS ? wait_ms : RETRY_FIRST_MS;
	wait_ms = wait_ms < RETRY_MAX_MS ? wait_ms : RETRY_MAX_MS;
	i->wait->next_ms = now_ms + wait_ms;
	log_error("spool: message %s cannot be read: %s, offset %u: %s; the segment cannot be "
		  "freed and is tried again in %llu s; `sallyport queue delete %s` gives the "
		  "message up at once",
	    msgid_text(i->id, 0, id), segment_name(i->segment->slot, name), i->offset,
	    strerror(error), (unsigned long long)wait_ms / 1000, id);
}

/* What counts as lost leaves the log now, or is tried again as all others. */
static void
clean_unreadable(struct spool *s, struct item *i, int error)
{
	int64_t now_ms = clock_mono_ms(), since_ms = item_set_unreadable(i, now_ms);

	i->segment->is_suspect |= segment_is_medium_error(error) && error != EBADMSG &&
	    i->mismatches == 0;
	if (s->lost_fn && clean_is_lost(s, i, error, since_ms))
		s->lost_fn(i->id, error, s->lost_arg);
	if (i->open == 0)
		clean_failed(i, error, now_ms);
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
	if (error) {
		clean_unreadable(s, i, error);
		return true;
	}
	if (i->wait)
		i->segment->is_suspect = false;
	item_set_readable(i);
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

/* Not before its time, which the segment is to know. */
static bool
clean_must_wait(const struct item *i, struct segment *g, int64_t now_ms)
{
	if (!i->wait || i->wait->next_ms <= now_ms)
		return false;
	if (g->retry_ms == 0 || i->wait->next_ms < g->retry_ms)
		g->retry_ms = i->wait->next_ms;
	return true;
}

/* Those with an append under way come later: a copy must hold all that was answered before it.  A
 * round is bounded; it has written something then, and the answer to that brings the next one. */
static bool
move_items(struct spool *s, struct segment *g)
{
	int64_t now_ms = clock_mono_ms();
	uint64_t bytes = 0;

	g->retry_ms = 0;
	for (struct item *i = g->items; i && bytes < ROUND_BYTES; i = i->next) {
		if (i->open > 0 || clean_must_wait(i, g, now_ms))
			continue;
		if (!move_item(s, i))
			return false;
		bytes += i->frame_bytes;
		/* it was lost, and is written aside here and now: one in each round */
		if (i->wait && i->open > 0)
			return false;
		(void)clean_must_wait(i, g, now_ms);
	}
	return true;
}

static void
move_some(struct spool *s, struct segment *g)
{
	if (!move_items(s, g))
		return;
	for (struct note *n = s->index.notes; n; n = n->next)
		if (n->segment == g && n->value.n > 0 && n->open == 0 && !move_note(s, n))
			return;
	move_all_unknown(s, g);
}

int64_t
spool_retry_ms(const struct spool *s)
{
	const struct index *x = &s->index;

	return x->oldest != x->newest && is_worth(s) ? x->oldest->retry_ms : 0;
}

/* A file with a place that cannot be read would stop the next start: it is set aside. */
static void
clean_free_oldest(struct spool *s)
{
	struct segment *g = index_take_oldest(&s->index);

	g->is_kept |= g->is_suspect;
	writer_give_back(&s->writer, g);
}

void
clean(struct spool *s)
{
	struct index *x = &s->index;

	while (x->oldest != x->newest && !x->oldest->items && !x->oldest->readings &&
	    !has_note(s, x->oldest) && !has_unknown(s, x->oldest))
		clean_free_oldest(s);
	if (x->oldest != x->newest && is_worth(s))
		move_some(s, x->oldest);
}
