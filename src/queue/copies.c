/*
 * copies: see the header.
 */
#include "queue/copies.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "queue/store.h"

enum { RETRY_FIRST_MS = 1000, RETRY_MAX_MS = 300000 };

/* One message that is being read. */
struct survivor {
	struct task task;
	struct msgid id;
	struct segment *segment;         /* counts it in its readings */
	struct item_place place;
	bool asks_head;                  /* if it cannot be read, can the head of the file be? */
	/* what came of it */
	int error;
	bool is_head_read;
	struct buf room;
	struct record record;
};

/* ---- in the thread ---- */

/* An error of the whole disk says nothing of one message. */
static bool
copies_can_read_head(struct fsio *io, int fd)
{
	char head[SEGMENT_SECTOR];
	struct iovec v = {head, sizeof head};
	size_t got;

	return segment_read(io, fd, v, 0, &got) == 0 && got == sizeof head;
}

static bool
survivor_run(struct fsio *io, void *of)
{
	struct survivor *one = of;

	one->error = item_fetch(&one->place, io, &one->room, &one->record);
	if (one->error && one->asks_head)
		one->is_head_read = copies_can_read_head(io, one->place.fd);
	return true;
}

static void
survivor_free(struct survivor *one)
{
	buf_clear(&one->room);
	mem_free(one);
}

static void
survivor_drop(struct spool *s, void *of)
{
	(void)s;
	survivor_free(of);
}

/* ---- what cannot be read ---- */

/* The others move on; this one is tried again, less and less often, until it can be read, is
 * deleted or counts as lost.  Until then nothing from here on can be freed. */
static int64_t
copies_set_wait(const struct item *i, int64_t now_ms)
{
	int64_t wait_ms = now_ms - i->wait->since_ms;

	wait_ms = wait_ms > RETRY_FIRST_MS ? wait_ms : RETRY_FIRST_MS;
	wait_ms = wait_ms < RETRY_MAX_MS ? wait_ms : RETRY_MAX_MS;
	i->wait->next_ms = now_ms + wait_ms;
	return wait_ms;
}

static void
copies_log_failed(const struct item *i, int error, int64_t wait_ms)
{
	char id[ID_NUMBER_TEXT_BYTES], name[SEGMENT_NAME_BYTES];

	log_error("spool: message %s cannot be read: %s, offset %u: %s; the segment cannot be "
		  "freed and is tried again in %llu s; `sallyport queue delete %s` gives the "
		  "message up at once",
	    msgid_text(i->id, 0, id), segment_name(i->segment->slot, name), i->offset,
	    strerror(error), (unsigned long long)wait_ms / 1000, id);
}

static bool
copies_is_lost(const struct survivor *one, int error, int64_t since_ms)
{
	if (error == EBADMSG)
		return true;
	return segment_is_medium_error(error) && since_ms >= LOST_AFTER_MS && one->is_head_read;
}

/* What counts as lost leaves the log now, or is tried again as all others: also when it was begun
 * and cannot be stored. */
static void
copies_unreadable(struct spool *s, struct item *i, const struct survivor *one, int error)
{
	int64_t now_ms = clock_mono_ms(), since_ms = item_set_unreadable(i, now_ms);
	int64_t wait_ms = copies_set_wait(i, now_ms);

	i->segment->is_suspect |= segment_is_medium_error(error) && error != EBADMSG &&
	    i->mismatches == 0;
	if (s->lost_fn && copies_is_lost(one, error, since_ms))
		s->lost_fn(i->id, error, s->lost_arg);
	if (!i->loss)
		copies_log_failed(i, error, wait_ms);
}

/* ---- copies ---- */

static bool
copies_may(const struct spool *s)
{
	return s->copies.next_ms <= clock_mono_ms() && s->waiting_bytes < SPOOL_WAITING_MAX;
}

/* A copy that had no room: not again at once. */
static void
copies_answered(int error, void *arg)
{
	struct spool *s = arg;

	if (error)
		s->copies.next_ms = clock_mono_ms() + RETRY_FIRST_MS;
}

static int
copies_append(
    struct spool *s, const struct spool_entry *e, size_t count, uint64_t body_bytes)
{
	struct spool_batch b = {.entries = e,
	    .count = count,
	    .urgency = SPOOL_LAZY,
	    .fn = copies_answered,
	    .arg = s};

	return store_copy(s, &b, body_bytes);
}

/* Message, hold and every state that is not as at first; returns how many. */
static size_t
copies_describe(const struct item *i, const struct record *r, struct spool_entry *entries)
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

/* One without room is asked for again. */
static void
copies_message(struct spool *s, struct item *i, const struct record *r)
{
	struct spool_entry *entries;

	if (!copies_may(s))
		return;
	entries = mem_new((i->recipient_count + 2) * sizeof *entries);
	(void)!copies_append(s, entries, copies_describe(i, r, entries), r->body_bytes);
	mem_free(entries);
}

static bool
copies_note(struct spool *s, struct note *n)
{
	struct spool_entry e = {.kind = SPOOL_NOTE};

	e.note.name = n->name;
	e.note.value = n->value;
	return copies_append(s, &e, 1, 0) == 0;
}

/* Each in a frame of its own, which names its message first. */
static bool
copies_unknown(struct spool *s, struct unknown *u)
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
	u->is_moving = copies_append(s, e, i ? 2 : 1, 0) == 0;
	return u->is_moving;
}

/* What is read before its message would be taken for that of one that is gone. */
static bool
copies_must_follow(const struct spool *s, const struct unknown *u)
{
	const struct item *i = u->owner.session ? index_find(&s->index, u->owner) : NULL;

	return i && i->segment == u->segment;
}

static void
copies_all_unknown(struct spool *s, const struct segment *g)
{
	struct unknown *u = NULL;

	while ((u = unknown_in(&s->index.unknown, g, u)))
		if (!u->is_moving && !copies_must_follow(s, u) && !copies_unknown(s, u))
			return;
}

/* ---- messages ---- */

static void
survivor_take(struct spool *s, struct item *i, const struct survivor *one)
{
	int error = item_judge(i, one->error);

	metrics_work_id("compact", i->id);
	if (error) {
		copies_unreadable(s, i, one, error);
		return;
	}
	if (i->wait)
		i->segment->is_suspect = false;
	item_set_readable(i);
	copies_message(s, i, &one->record);
}

/* Is this still the message that was to be read, with nothing of it under way? */
static bool
survivor_is_current(const struct survivor *one, const struct item *i)
{
	return item_is_at(i, one->segment, &one->place) && i->open == 0 && !i->loss;
}

static void
survivor_done(struct spool *s, void *of)
{
	struct survivor *one = of;
	struct item *i = index_find(&s->index, one->id);

	one->segment->readings--;
	s->copies.ahead--;
	s->copies.ahead_bytes -= one->place.frame_bytes;
	if (i && i->survivor == one) {
		i->survivor = NULL;
		if (survivor_is_current(one, i))
			survivor_take(s, i, one);
	}
	survivor_free(one);
}

static void
copies_read(struct spool *s, struct item *i)
{
	static const struct task_kind kind = {survivor_run, survivor_done, survivor_drop};
	struct survivor *one = MEM_NEW(struct survivor);

	one->id = i->id;
	one->segment = i->segment;
	one->asks_head = i->wait && clock_mono_ms() - i->wait->since_ms >= LOST_AFTER_MS;
	buf_init(&one->room, RECORD_PAYLOAD_MAX + RECORD_HEADER_BYTES);
	if (!item_where(i, &one->place))
		die("spool: a message that is not durable has a segment");
	i->survivor = one;
	i->segment->readings++;
	s->copies.ahead++;
	s->copies.ahead_bytes += one->place.frame_bytes;
	tasks_ask(&s->upkeep, &one->task, &kind, one);
}

static bool
copies_have_room(const struct copies *c, const struct item *i)
{
	return c->ahead == 0 || (c->ahead < COPIES_AHEAD_MAX &&
	    c->ahead_bytes + i->frame_bytes <= COPIES_AHEAD_BYTES);
}

/* Not before its time, which the segment is to know. */
static bool
copies_must_wait(const struct item *i, struct segment *g, int64_t now_ms)
{
	if (!i->wait || i->wait->next_ms <= now_ms)
		return false;
	if (g->retry_ms == 0 || i->wait->next_ms < g->retry_ms)
		g->retry_ms = i->wait->next_ms;
	return true;
}

/* Those with an append under way come later, and so does what has no room now: each answer brings
 * the next turn. */
static void
copies_messages(struct spool *s, struct segment *g)
{
	int64_t now_ms = clock_mono_ms();

	g->retry_ms = 0;
	for (struct item *i = g->items; i && copies_have_room(&s->copies, i); i = i->next)
		if (i->open == 0 && !i->survivor && !i->loss && !copies_must_wait(i, g, now_ms))
			copies_read(s, i);
}

void
copies_go_on(struct spool *s, struct segment *g)
{
	if (s->copies.next_ms > clock_mono_ms())
		return;
	s->copies.next_ms = 0;
	if (!copies_may(s))
		return;
	copies_messages(s, g);
	for (struct note *n = s->index.notes; n; n = n->next)
		if (n->segment == g && n->value.n > 0 && n->open == 0 && !copies_note(s, n))
			return;
	copies_all_unknown(s, g);
}
