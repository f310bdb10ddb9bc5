/*
 * compaction_copies: see the header.
 */
#include "spool/compaction_copies.h"

#include <errno.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "spool/spool_fault.h"
#include "spool/spool_internal.h"

enum { RETRY_FIRST_MS = 1000, RETRY_MAX_MS = 300000 };

/* One message that is being read. */
struct survivor {
	struct task task;
	struct msgid id;
	struct segment *segment;         /* counts it in its readings */
	struct item_place place;
	size_t bytes;                    /* that its copy will have, as far as is known */
	bool is_retry;                   /* it could not be read the last time */
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

	return fsio_read_all(io, fd, v, 0, &got) == 0 && got == sizeof head;
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
survivor_drop(void *owner, void *of)
{
	(void)owner;
	survivor_free(of);
}

/* ---- what cannot be read ---- */

/* The segment is to know the first one of them. */
static void
copies_set_retry(struct segment *g, int64_t at_ms)
{
	if (g->retry_ms == 0 || at_ms < g->retry_ms)
		g->retry_ms = at_ms;
}

/* The others move on; this one is tried again, less and less often, until it can be read, is
 * deleted or counts as lost.  Until then nothing from here on can be freed. */
static int64_t
copies_set_wait(const struct item *i, int64_t now_ms)
{
	int64_t wait_ms = now_ms - i->wait->since_ms;

	wait_ms = wait_ms > RETRY_FIRST_MS ? wait_ms : RETRY_FIRST_MS;
	wait_ms = wait_ms < RETRY_MAX_MS ? wait_ms : RETRY_MAX_MS;
	i->wait->next_ms = now_ms + wait_ms;
	copies_set_retry(i->segment, i->wait->next_ms);
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
	    finding_text(error), (unsigned long long)wait_ms / 1000, id);
}

static bool
copies_is_lost(const struct survivor *one, int error, int64_t since_ms)
{
	if (error == EBADMSG)
		return true;
	return segment_is_medium_error(error) && since_ms >= LOST_AFTER_MS && one->is_head_read;
}

/* What counts as lost leaves the log now, or is tried again as all others: also when it was begun
 * and cannot be stored.  One line tells of it, of the queue or of the spool. */
static void
copies_unreadable(struct spool *s, struct item *i, const struct survivor *one, int error)
{
	int64_t now_ms = clock_mono_ms(), since_ms = item_set_unreadable(i, now_ms);
	int64_t wait_ms = copies_set_wait(i, now_ms);

	i->segment->is_suspect |= segment_is_medium_error(error) && error != EBADMSG;
	if (!s->lost_fn || !copies_is_lost(one, error, since_ms) ||
	    !s->lost_fn(i->id, error, s->lost_arg))
		copies_log_failed(i, error, wait_ms);
}

/* ---- copies ---- */

static bool
copies_may(const struct spool *s)
{
	return s->copies.next_ms <= clock_mono_ms() && s->waiting_bytes < SPOOL_WAITING_MAX;
}

static bool
copies_is_idle(const struct copies *c)
{
	return c->ahead == 0 && c->waiting_bytes == 0;
}

/* Beside all that is under way.  A single one has room whatever its size is. */
static bool
copies_have_bytes(const struct copies *c, size_t bytes)
{
	return copies_is_idle(c) ||
	    c->ahead_bytes + c->waiting_bytes + bytes <= COPIES_UNDER_WAY_BYTES;
}

/* May a copy say anything of this message?  What is under way would stand before it in the log, and
 * be undone by it. */
static bool
copies_may_speak_of(const struct item *i)
{
	return i->open == 0 && !i->loss && !i->survivor;
}

/* A copy that had no room: not again at once. */
static void
copies_answered(int error, void *arg)
{
	struct spool *s = arg;

	if (!error)
		return;
	s->copies.next_ms = clock_mono_ms() + RETRY_FIRST_MS;
	s->index.oldest->is_looked_through = false;
}

static int
copies_append(
    struct spool *s, const struct spool_entry *e, size_t count, uint64_t body_bytes)
{
	struct spool_batch b = {.entries = e, .count = count, .fn = copies_answered, .arg = s};
	uint64_t bytes = s->copies.waiting_bytes;

	for (size_t n = 0; n < count; n++)
		bytes += record_bytes(&e[n]);
	/* nothing else is begun before these are durable: they do not wait for company */
	b.urgency = bytes >= COPIES_UNDER_WAY_BYTES / 2 ? SPOOL_NOW : SPOOL_LAZY;
	return store_copy(s, &b, body_bytes);
}

static bool
copies_is_as_at_first(const struct spool_recipient *r)
{
	return r->outcome == SPOOL_WAITING && !r->marks && !r->is_settled && !r->attempts;
}

static bool
copies_has_hold(const struct item *i)
{
	return i->is_held || i->held_why.n;
}

static struct spool_entry
copies_hold(const struct item *i)
{
	struct spool_entry e = {.kind = SPOOL_HOLD, .id = i->id};

	e.hold.is_held = i->is_held;
	e.hold.why = i->held_why;
	return e;
}

static struct spool_entry
copies_status(const struct item *i, uint32_t n)
{
	struct spool_entry e = {.kind = SPOOL_STATUS, .id = i->id};

	e.status = i->recipients[n];
	return e;
}

/* The copy's frame, as it would be now. */
static size_t
copies_bytes(const struct item *i)
{
	size_t bytes = i->frame_bytes;
	struct spool_entry e;

	if (copies_has_hold(i)) {
		e = copies_hold(i);
		bytes += record_bytes(&e);
	}
	for (uint32_t n = 0; i->recipients && n < i->recipient_count; n++)
		if (!copies_is_as_at_first(&i->recipients[n])) {
			e = copies_status(i, n);
			bytes += record_bytes(&e);
		}
	return bytes + RECORD_ALIGN;
}

/* Message, hold and every state that is not as at first; returns how many. */
static size_t
copies_describe(const struct item *i, const struct record *r, struct spool_entry *entries)
{
	size_t count = 0;

	entries[count] = r->entry;
	entries[count++].message.fd = -1;
	if (copies_has_hold(i))
		entries[count++] = copies_hold(i);
	for (uint32_t n = 0; i->recipients && n < i->recipient_count; n++)
		if (!copies_is_as_at_first(&i->recipients[n]))
			entries[count++] = copies_status(i, n);
	return count;
}

/* false: there is no room; it comes again. */
static bool
copies_message(struct spool *s, struct item *i, const struct record *r)
{
	struct spool_entry *entries;
	bool is_taken;

	if (!copies_may(s) || s->copies.waiting_bytes >= COPIES_UNDER_WAY_BYTES)
		return false;
	entries = mem_new((i->recipient_count + 2) * sizeof *entries);
	is_taken = copies_append(s, entries, copies_describe(i, r, entries), r->body_bytes) == 0;
	mem_free(entries);
	return is_taken;
}

static bool
copies_note(struct spool *s, struct note *n)
{
	struct spool_entry e = {.kind = SPOOL_NOTE};

	e.note.name = n->name;
	e.note.value = n->value;
	return copies_have_bytes(&s->copies, record_bytes(&e)) && copies_append(s, &e, 1, 0) == 0;
}

/* false: there is no room. */
static bool
copies_notes(struct spool *s, const struct segment *g)
{
	for (struct note *n = s->index.notes; n; n = n->next)
		if (n->segment == g && n->value.n > 0 && n->open == 0 && !copies_note(s, n))
			return false;
	return true;
}

/* Each in a frame of its own, which names its message first. */
static bool
copies_unknown(struct spool *s, struct unknown *u, const struct item *i)
{
	struct spool_entry e[2] = {{.kind = SPOOL_UNKNOWN}};

	e[0].unknown.type = u->type;
	e[0].unknown.bytes = u->bytes;
	if (i) {
		e[1] = e[0];
		e[0] = copies_hold(i);
	}
	if (!copies_have_bytes(&s->copies, RECORD_HEADER_BYTES + record_bytes(&e[0]) + u->bytes.n))
		return false;
	u->is_moving = copies_append(s, e, i ? 2 : 1, 0) == 0;
	return u->is_moving;
}

/* In pieces, each looked for when the one before it is durable. */
static void
copies_all_unknown(struct spool *s, const struct segment *g)
{
	struct unknown *u = NULL;

	if (!copies_is_idle(&s->copies))
		return;
	while ((u = unknown_in(&s->index.unknown, g, u))) {
		const struct item *i = u->owner.session ? index_find(&s->index, u->owner) : NULL;

		if (u->is_moving || (i && !copies_may_speak_of(i)))
			continue;
		if (!copies_unknown(s, u, i))
			return;
	}
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
	if (!copies_message(s, i, &one->record))
		i->segment->is_looked_through = false;
}

/* Is this still the message that was to be read, with nothing of it under way? */
static bool
survivor_is_current(const struct survivor *one, const struct item *i)
{
	return item_is_at(i, one->segment, &one->place) && copies_may_speak_of(i);
}

static void
survivor_done(void *owner, void *of)
{
	struct spool *s = owner;
	struct survivor *one = of;
	struct item *i = index_find(&s->index, one->id);

	one->segment->readings--;
	s->copies.ahead--;
	s->copies.retries -= one->is_retry;
	s->copies.ahead_bytes -= one->bytes;
	if (i && i->survivor == one) {
		i->survivor = NULL;
		if (survivor_is_current(one, i))
			survivor_take(s, i, one);
		else
			one->segment->is_looked_through = false;
	}
	survivor_free(one);
}

static void
copies_read(struct spool *s, struct item *i)
{
	static const struct task_kind kind = {survivor_run, survivor_done, survivor_drop,
	    "read for compaction"};
	struct survivor *one = MEM_NEW(struct survivor);

	one->id = one->task.id = i->id;
	one->segment = i->segment;
	one->bytes = copies_bytes(i);
	one->is_retry = i->wait != NULL;
	one->asks_head = i->wait && clock_mono_ms() - i->wait->since_ms >= LOST_AFTER_MS;
	buf_init(&one->room, RECORD_PAYLOAD_MAX + RECORD_HEADER_BYTES);
	if (!item_where(i, &one->place))
		die("spool: a message that is not durable has a segment");
	i->survivor = one;
	i->segment->readings++;
	s->copies.ahead++;
	s->copies.retries += one->is_retry;
	s->copies.ahead_bytes += one->bytes;
	tasks_ask(&s->upkeep, &one->task, &kind, one);
}

static bool
copies_have_room(const struct spool *s, const struct segment *g, const struct item *i)
{
	unsigned at_most = s->losses || g->retry_ms ? 1 : COPIES_AHEAD_MAX;

	return s->copies.ahead < at_most && copies_have_bytes(&s->copies, copies_bytes(i));
}

/* Each read that fails may last: one of them at a time, and none that would have to come again
 * because too many losses are under way. */
static bool
copies_may_retry(const struct spool *s)
{
	return s->copies.retries == 0 && s->losses < LOST_AT_ONCE;
}

enum copies_look { COPIES_PASSED, COPIES_LEFT, COPIES_FULL };

/* PASSED: it is being read, or waits for its time; LEFT: it is for the next pass. */
static enum copies_look
copies_look_at(struct spool *s, struct segment *g, struct item *i, int64_t now_ms)
{
	if (!copies_may_speak_of(i))
		return COPIES_LEFT;
	if (i->wait && i->wait->next_ms > now_ms) {
		copies_set_retry(g, i->wait->next_ms);
		return COPIES_PASSED;
	}
	if (i->wait && !copies_may_retry(s))
		return COPIES_LEFT;
	if (!copies_have_room(s, g, i))
		return COPIES_FULL;
	copies_read(s, i);
	return COPIES_PASSED;
}

/* The time of one that failed has come: it is looked for. */
static void
copies_begin_pass(struct spool *s, struct segment *g, int64_t now_ms)
{
	if (g->retry_ms && g->retry_ms <= now_ms) {
		g->retry_ms = 0;
		g->is_looked_through = false;
	}
	if (g->copies_next || g->is_looked_through || !copies_is_idle(&s->copies))
		return;
	g->copies_next = g->items;
	g->is_looked_through = true;
}

static void
copies_messages(struct spool *s, struct segment *g)
{
	int64_t now_ms = clock_mono_ms();

	copies_begin_pass(s, g, now_ms);
	for (unsigned looks = 0; g->copies_next; looks++) {
		struct item *i = g->copies_next;
		enum copies_look look;

		if (looks == COPIES_LOOKS_MAX) {
			/* the rest has its turn after the other work of the loop */
			eventfd_write(s->writer.event_fd, 1);
			return;
		}
		look = copies_look_at(s, g, i, now_ms);
		if (look == COPIES_FULL)
			return;
		g->is_looked_through &= look != COPIES_LEFT;
		g->copies_next = i->next;
	}
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
	if (copies_notes(s, g))
		copies_all_unknown(s, g);
}
