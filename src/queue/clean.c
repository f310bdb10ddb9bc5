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
	ROUND_PAUSE_MS = 10000,
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

/* Bytes of closed segments that nothing live stands in; part of them is padding. */
static uint64_t
clean_dead_bytes(const struct spool *s)
{
	const struct index *x = &s->index;
	uint64_t closed = (x->segment_count - 1) * s->writer.pool.bytes;
	uint64_t live = x->live_bytes - x->newest->live_bytes;

	return closed > live ? closed - live : 0;
}

/* A full disk: the log is gone through once, with the reserve as room, until there is a segment to
 * spare.  Where that frees nothing it comes again after a pause, so that the disk is not busy with
 * nothing else.  What cannot be read would keep the reserve. */
static bool
clean_is_worth_when_dry(const struct spool *s)
{
	const struct segment *g = s->index.oldest;
	uint64_t dead;

	if (g->live_bytes <= s->writer.pool.bytes / 16 || s->round_left > 0)
		return true;
	dead = clean_dead_bytes(s);
	if (clock_mono_ms() < s->round_next_ms || g->retry_ms)
		return false;
	return (s->index.segment_count > SEGMENTS_MIN &&
	        dead >= s->index.segment_count * s->writer.pool.bytes / 2) ||
	    (atomic_load(&s->writer.is_spent) && dead >= s->writer.pool.bytes / 4);
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
		return clean_is_worth_when_dry(s);
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
static int64_t
clean_set_wait(const struct item *i, int64_t now_ms)
{
	int64_t wait_ms = now_ms - i->wait->since_ms;

	wait_ms = wait_ms > RETRY_FIRST_MS ? wait_ms : RETRY_FIRST_MS;
	wait_ms = wait_ms < RETRY_MAX_MS ? wait_ms : RETRY_MAX_MS;
	i->wait->next_ms = now_ms + wait_ms;
	return wait_ms;
}

static void
clean_log_failed(const struct item *i, int error, int64_t wait_ms)
{
	char id[ID_NUMBER_TEXT_BYTES], name[SEGMENT_NAME_BYTES];

	log_error("spool: message %s cannot be read: %s, offset %u: %s; the segment cannot be "
		  "freed and is tried again in %llu s; `sallyport queue delete %s` gives the "
		  "message up at once",
	    msgid_text(i->id, 0, id), segment_name(i->segment->slot, name), i->offset,
	    strerror(error), (unsigned long long)wait_ms / 1000, id);
}

/* What counts as lost leaves the log now, or is tried again as all others: also when it was begun
 * and cannot be stored. */
static void
clean_unreadable(struct spool *s, struct item *i, int error)
{
	int64_t now_ms = clock_mono_ms(), since_ms = item_set_unreadable(i, now_ms);
	int64_t wait_ms = clean_set_wait(i, now_ms);

	i->segment->is_suspect |= segment_is_medium_error(error) && error != EBADMSG &&
	    i->mismatches == 0;
	if (s->lost_fn && clean_is_lost(s, i, error, since_ms))
		s->lost_fn(i->id, error, s->lost_arg);
	if (i->open == 0)
		clean_log_failed(i, error, wait_ms);
}

/* A copy that had no room: not again at once. */
static void
clean_copied(int error, void *arg)
{
	struct spool *s = arg;

	if (error)
		s->copy_ms = clock_mono_ms() + RETRY_FIRST_MS;
}

static int
clean_copy(struct spool *s, const struct spool_entry *e, size_t count, uint64_t body_bytes)
{
	struct spool_batch b = {.entries = e,
	    .count = count,
	    .urgency = SPOOL_LAZY,
	    .fn = clean_copied,
	    .arg = s};

	return store_copy(s, &b, body_bytes);
}

/* false: no room for the copy now. */
static bool
move_item(struct spool *s, struct item *i)
{
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
	error = clean_copy(s, entries, describe(i, &r, entries), r.body_bytes);
	mem_free(entries);
	return error == 0;
}

static bool
move_note(struct spool *s, struct note *n)
{
	struct spool_entry e = {.kind = SPOOL_NOTE};

	e.note.name = n->name;
	e.note.value = n->value;
	return clean_copy(s, &e, 1, 0) == 0;
}

/* Each in a frame of its own, which names its message first. */
static bool
move_unknown(struct spool *s, struct unknown *u)
{
	struct spool_entry e[2] = {{.kind = SPOOL_UNKNOWN}};
	const struct item *i = u->owner.session ? index_find(&s->index, u->owner) : NULL;

	e[0].unknown.type = u->type;
	e[0].unknown.bytes = u->bytes;
	if (i) {
		e[1] = e[0];
		e[0] = (struct spool_entry){.kind = SPOOL_HOLD, .id = i->id};
		e[0].hold.is_held = i->is_held;
		e[0].hold.why = i->held_why;
	}
	u->is_moving = clean_copy(s, e, i ? 2 : 1, 0) == 0;
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

/* The earlier one of two times; 0 is none. */
static int64_t
clean_earlier(int64_t a, int64_t b)
{
	return a && (!b || a < b) ? a : b;
}

int64_t
spool_retry_ms(const struct spool *s)
{
	const struct index *x = &s->index;
	int64_t at_ms = 0;

	if (x->oldest == x->newest)
		return 0;
	if (is_worth(s))
		at_ms = clean_earlier(x->oldest->retry_ms, s->copy_ms);
	else if (atomic_load(&s->writer.is_dry))
		at_ms = s->round_next_ms > clock_mono_ms() ? s->round_next_ms : 0;
	return at_ms;
}

/* A round that did not help is followed by a pause. */
static void
clean_end_round(struct spool *s)
{
	int64_t now_ms = clock_mono_ms(), pause_ms = 10 * (now_ms - s->round_began_ms);

	s->round_left = 0;
	s->round_next_ms = 0;
	if (atomic_load(&s->writer.is_dry))
		s->round_next_ms = now_ms + (pause_ms > ROUND_PAUSE_MS ? pause_ms : ROUND_PAUSE_MS);
}

/* A file with a place that cannot be read would stop the next start: it is set aside. */
static void
clean_free_oldest(struct spool *s)
{
	struct segment *g = index_take_oldest(&s->index);

	g->is_kept |= g->is_suspect;
	writer_give_back(&s->writer, g);
	if (s->round_left > 0 && --s->round_left == 0)
		clean_end_round(s);
}

/* What its copies take: they have the states of their recipients with them. */
static unsigned
clean_bytes(const struct segment *g)
{
	uint64_t bytes = g->live_bytes + g->live_bytes / 8 + g->live_count * RECORD_ALIGN;

	return bytes < UINT32_MAX ? (unsigned)bytes : UINT32_MAX;
}

/* The loop tells the writer what must be left for it. */
static void
clean_begin_or_end_round(struct spool *s, bool is_worth)
{
	bool is_dry = atomic_load(&s->writer.is_dry);

	if (is_dry && is_worth && s->round_left == 0) {
		s->round_left = s->index.segment_count;
		s->round_began_ms = clock_mono_ms();
	} else if (s->round_left > 0 && (!is_dry || s->index.oldest->retry_ms)) {
		clean_end_round(s);
	}
	atomic_store(&s->writer.cleaning_bytes, s->round_left ? clean_bytes(s->index.oldest) : 0);
}

void
clean(struct spool *s)
{
	struct index *x = &s->index;
	bool is_worth_it;

	while (x->oldest != x->newest && !x->oldest->items && !x->oldest->readings &&
	    !has_note(s, x->oldest) && !has_unknown(s, x->oldest))
		clean_free_oldest(s);
	if (x->oldest == x->newest)
		return;
	is_worth_it = is_worth(s);
	clean_begin_or_end_round(s, is_worth_it);
	if (!is_worth_it || s->copy_ms > clock_mono_ms())
		return;
	s->copy_ms = 0;
	move_some(s, x->oldest);
}
