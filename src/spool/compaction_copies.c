/*
 * compaction_copies: passes over the messages of the oldest segment, one after the other.
 */
#include "spool/compaction_copies.h"

#include <errno.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "spool/compaction_entries.h"
#include "spool/spool_fault.h"
#include "spool/spool_internal.h"

enum { COMPACTION_COPIES_RETRY_FIRST_MS = 1000, COMPACTION_COPIES_RETRY_MAX_MS = 300000 };

/* One message that is being read. */
struct compaction_copy {
	struct task task;
	struct msgid id;
	struct segment *segment;         /* counts it in its reads */
	struct stored_message_position position;
	size_t bytes;                    /* size of its copy, as far as known */
	bool is_retry;                   /* it could not be read the last time */
	/* if it cannot be read, also test whether the file's first sector can be */
	bool checks_head;
	/* results */
	int error;
	bool is_head_read;
	struct buf buffer;
	struct frame_entry record;
};

/* ---- in the thread ---- */

/* An error of the whole disk is no evidence about a single message. */
static bool
can_read_segment_head(struct fsio *io, int fd)
{
	char head[SEGMENT_SECTOR];
	struct iovec v = {head, sizeof head};
	size_t got;

	return fsio_read_all(io, fd, v, 0, &got) == 0 && got == sizeof head;
}

static bool
compaction_copy_read(struct fsio *io, void *arg)
{
	struct compaction_copy *copy = arg;

	copy->error = stored_message_read_at(&copy->position, io, &copy->buffer, &copy->record);
	if (copy->error && copy->checks_head)
		copy->is_head_read = can_read_segment_head(io, copy->position.fd);
	return true;
}

static void
compaction_copy_free(struct compaction_copy *copy)
{
	buf_clear(&copy->buffer);
	mem_free(copy);
}

static void
compaction_copy_drop(void *owner, void *arg)
{
	(void)owner;
	compaction_copy_free(arg);
}

/* ---- what cannot be read ---- */

/* The segment records the earliest retry time of its messages. */
static void
compaction_set_retry(struct segment *g, int64_t at_ms)
{
	if (g->retry_ms == 0 || at_ms < g->retry_ms)
		g->retry_ms = at_ms;
}

/* The other messages are copied; this one is tried again at longer and longer intervals, until it
 * can be read, is deleted or counts as lost.  Until then neither this segment nor a newer one can
 * be freed. */
static int64_t
compaction_set_wait(const struct stored_message *i, int64_t now_ms)
{
	struct stored_message_wait *wait = stored_message_extra(i)->wait;
	int64_t wait_ms = now_ms - wait->since_ms;

	wait_ms =
	    wait_ms > COMPACTION_COPIES_RETRY_FIRST_MS ? wait_ms : COMPACTION_COPIES_RETRY_FIRST_MS;
	wait_ms =
	    wait_ms < COMPACTION_COPIES_RETRY_MAX_MS ? wait_ms : COMPACTION_COPIES_RETRY_MAX_MS;
	wait->next_ms = now_ms + wait_ms;
	compaction_set_retry(i->segment, wait->next_ms);
	return wait_ms;
}

static void
compaction_log_unreadable(const struct stored_message *i, int error, int64_t wait_ms)
{
	char id[ID_NUMBER_TEXT_BYTES], name[SEGMENT_NAME_BYTES];

	log_error("spool: message %s cannot be read: %s, offset %u: %s; the segment cannot be "
		  "freed and is tried again in %llu s; `sallyport queue delete %s` gives the "
		  "message up at once",
	    msgid_text(i->id, 0, id), segment_name(i->segment->slot, name), i->offset,
	    spool_fault_text(error), (unsigned long long)wait_ms / 1000, id);
}

static bool
copy_proves_loss(const struct compaction_copy *copy, int error, int64_t since_ms)
{
	if (error == EBADMSG)
		return true;
	return segment_is_medium_error(error) && since_ms >= LOST_RECORD_AFTER_MS &&
	       copy->is_head_read;
}

/* A message that counts as lost leaves the log now (lost_fn), or is retried like all others, also
 * when its record cannot be stored.  Either the queue or the spool logs it, in one line. */
static void
compaction_handle_unreadable(
    struct spool *s, struct stored_message *i, const struct compaction_copy *copy, int error)
{
	int64_t now_ms = clock_mono_ms(), since_ms = stored_message_set_unreadable(i, now_ms);
	int64_t wait_ms = compaction_set_wait(i, now_ms);

	i->segment->has_read_error |= segment_is_medium_error(error) && error != EBADMSG;
	if (!s->lost_fn || !copy_proves_loss(copy, error, since_ms) ||
	    !s->lost_fn(i->id, error, s->lost_arg))
		compaction_log_unreadable(i, error, wait_ms);
}

/* ---- copies ---- */

static bool
compaction_copies_are_allowed(const struct spool *s)
{
	return s->copies.next_ms <= clock_mono_ms() && s->waiting_bytes < SPOOL_WAITING_MAX;
}

static bool
compaction_copies_are_idle(const struct compaction_copies *c)
{
	return c->ahead == 0 && c->waiting_bytes == 0;
}

/* Together with all copies that are in progress.  A single message always fits, whatever its
 * size. */
static bool
compaction_copies_fit(const struct compaction_copies *c, size_t bytes)
{
	return compaction_copies_are_idle(c) ||
	    c->ahead_bytes + c->waiting_bytes + bytes <= COMPACTION_COPIES_BYTES_MAX;
}

/* May the message be copied now?  An append about it that is in progress would stand before the
 * copy in the log, and the copy would undo it. */
static bool
can_copy_message(const struct stored_message *i)
{
	return i->open_appends == 0 && !stored_message_extra(i)->lost_task &&
	    !stored_message_extra(i)->copy;
}

/* A copy that had no room is not tried again at once. */
static void
compaction_copy_stored(int error, void *arg)
{
	struct spool *s = arg;

	if (!error)
		return;
	s->copies.next_ms = clock_mono_ms() + COMPACTION_COPIES_RETRY_FIRST_MS;
	s->index.oldest->is_pass_done = false;
}

static int
compaction_append(
    struct spool *s, const struct spool_entry *e, size_t count, uint64_t body_bytes)
{
	struct spool_batch b = {
	    .entries = e, .count = count, .fn = compaction_copy_stored, .arg = s};
	uint64_t bytes = s->copies.waiting_bytes;

	for (size_t n = 0; n < count; n++)
		bytes += frame_entry_bytes(&e[n]);
	/* no further copies begin before these are durable: they do not wait to share a sync */
	b.urgency = bytes >= COMPACTION_COPIES_BYTES_MAX / 2 ? SPOOL_NOW : SPOOL_LAZY;
	return spool_append_copy(s, &b, body_bytes);
}

/* False: there is no room, or its statuses are not known; the message comes again in the next pass.
 */
static bool
copy_stored_message(struct spool *s, struct stored_message *i, const struct frame_entry *r)
{
	struct spool_entry *entries;
	size_t count;
	bool is_taken;

	if (!compaction_copies_are_allowed(s) ||
	    s->copies.waiting_bytes >= COMPACTION_COPIES_BYTES_MAX)
		return false;
	entries = mem_new((i->recipient_count + 2) * sizeof *entries);
	count = compaction_message_entries(s, i, r, entries);
	is_taken = count > 0 && compaction_append(s, entries, count, r->body_bytes) == 0;
	mem_free(entries);
	return is_taken;
}

static bool
copy_spool_note(struct spool *s, struct spool_note *n)
{
	struct spool_entry e = {.kind = SPOOL_NOTE};

	e.note.name = n->name;
	e.note.value = n->value;
	return compaction_copies_fit(&s->copies, frame_entry_bytes(&e)) &&
	       compaction_append(s, &e, 1, 0) == 0;
}

/* False: there is no room. */
static bool
copy_spool_notes(struct spool *s, const struct segment *g)
{
	for (struct spool_note *n = s->index.notes; n; n = n->next)
		if (n->segment == g && n->value.n > 0 && n->open_appends == 0 &&
		    !copy_spool_note(s, n))
			return false;
	return true;
}

/* Each in a frame of its own, whose first entry names the message. */
static bool
copy_unknown_entry(struct spool *s, struct unknown_entry *u, const struct stored_message *i)
{
	struct spool_entry e[2] = {{.kind = SPOOL_UNKNOWN}};

	e[0].unknown.type = u->type;
	e[0].unknown.bytes = u->bytes;
	if (i) {
		e[1] = e[0];
		e[0] = compaction_hold_entry(i);
	}
	if (!compaction_copies_fit(
	        &s->copies, FRAME_HEADER_BYTES + frame_entry_bytes(&e[0]) + u->bytes.n))
		return false;
	u->is_moving = compaction_append(s, e, i ? 2 : 1, 0) == 0;
	return u->is_moving;
}

/* In parts: the next entries are found when the copies before them are durable. */
static void
copy_unknown_entries(struct spool *s, const struct segment *g)
{
	struct unknown_entry *u = NULL;

	if (!compaction_copies_are_idle(&s->copies))
		return;
	while ((u = unknown_entries_next(&s->index.unknown, g, u))) {
		const struct stored_message *i =
		    u->owner.session ? index_find(&s->index, u->owner) : NULL;

		if (u->is_moving || (i && !can_copy_message(i)))
			continue;
		if (!copy_unknown_entry(s, u, i))
			return;
	}
}

/* ---- messages ---- */

static void
compaction_copy_handle(
    struct spool *s, struct stored_message *i, const struct compaction_copy *copy)
{
	int error = stored_message_judge_read(i, copy->error);

	metrics_work_id("compact", i->id);
	if (error) {
		compaction_handle_unreadable(s, i, copy, error);
		return;
	}
	if (stored_message_extra(i)->wait)
		i->segment->has_read_error = false;
	stored_message_set_readable(i);
	if (!copy_stored_message(s, i, &copy->record))
		i->segment->is_pass_done = false;
}

/* Is the record still at the same position, and no append about the message in progress? */
static bool
compaction_copy_is_current(const struct compaction_copy *copy, const struct stored_message *i)
{
	return stored_message_is_at(i, copy->segment, &copy->position) && can_copy_message(i);
}

static void
compaction_copy_done(void *owner, void *arg)
{
	struct spool *s = owner;
	struct compaction_copy *copy = arg;
	struct stored_message *i = index_find(&s->index, copy->id);

	copy->segment->reads--;
	s->copies.ahead--;
	s->copies.retries -= copy->is_retry;
	s->copies.ahead_bytes -= copy->bytes;
	if (i && stored_message_extra(i)->copy == copy) {
		i->extra->copy = NULL;
		stored_message_drop_extra(i);
		if (compaction_copy_is_current(copy, i))
			compaction_copy_handle(s, i, copy);
		else
			copy->segment->is_pass_done = false;
	}
	compaction_copy_free(copy);
}

static void
read_message_to_copy(struct spool *s, struct stored_message *i, size_t bytes)
{
	static const struct task_kind kind = {compaction_copy_read, compaction_copy_done,
	    compaction_copy_drop, "read for compaction"};
	struct compaction_copy *copy = MEM_NEW(struct compaction_copy);
	const struct stored_message_wait *wait = stored_message_extra(i)->wait;

	copy->id = copy->task.id = i->id;
	copy->segment = i->segment;
	copy->bytes = bytes;
	copy->is_retry = wait != NULL;
	copy->checks_head = wait && clock_mono_ms() - wait->since_ms >= LOST_RECORD_AFTER_MS;
	buf_init(&copy->buffer, FRAME_PAYLOAD_MAX + FRAME_HEADER_BYTES);
	if (!stored_message_locate(i, &copy->position))
		die("spool: a message that is not durable has a segment");
	stored_message_ensure_extra(i)->copy = copy;
	i->segment->reads++;
	s->copies.ahead++;
	s->copies.retries += copy->is_retry;
	s->copies.ahead_bytes += copy->bytes;
	tasks_submit(&s->upkeep, &copy->task, &kind, copy);
}

static bool
compaction_copies_have_room(const struct spool *s, const struct segment *g, size_t bytes)
{
	unsigned at_most = s->lost_task_count || g->retry_ms ? 1 : COMPACTION_COPIES_AHEAD_MAX;

	return s->copies.ahead < at_most &&
	       compaction_copies_fit(&s->copies, bytes);
}

/* A read that fails may take long: one of them at a time, and none while too many messages are
 * being set aside, because it would have to be repeated. */
static bool
may_retry_copy(const struct spool *s)
{
	return s->copies.retries == 0 && s->lost_task_count < LOST_RECORD_AT_ONCE;
}

enum compaction_copies_check {
	COMPACTION_COPIES_PASSED,
	COMPACTION_COPIES_LEFT,
	COMPACTION_COPIES_FULL
};

/* A copy without the statuses would bring back what was delivered.  So the message stays in its
 * segment, and neither that one nor a newer one is freed; the owner is asked again from time to
 * time, and takes the message at the next start. */
static void
compaction_pass_unowned(struct stored_message *i, int64_t now_ms)
{
	char id[ID_NUMBER_TEXT_BYTES], name[SEGMENT_NAME_BYTES];

	compaction_set_retry(i->segment, now_ms + COMPACTION_COPIES_RETRY_MAX_MS);
	if (i->is_unowned)
		return;
	i->is_unowned = true;
	log_error("spool: message %s is stored, but the queue does not know it, which is a defect "
		  "of Sallyport: it is kept (%s), that segment cannot be freed, and the next "
		  "start delivers the message",
	    msgid_text(i->id, 0, id), segment_name(i->segment->slot, name));
}

/* PASSED: it is being read, or its retry time has not come; LEFT: it is for the next pass; FULL:
 * too many copies are in progress. */
static enum compaction_copies_check
check_message_to_copy(struct spool *s, struct segment *g, struct stored_message *i, int64_t now_ms)
{
	const struct stored_message_wait *wait = stored_message_extra(i)->wait;
	size_t bytes;

	if (!can_copy_message(i))
		return COMPACTION_COPIES_LEFT;
	if (wait && wait->next_ms > now_ms) {
		compaction_set_retry(g, wait->next_ms);
		return COMPACTION_COPIES_PASSED;
	}
	if (wait && !may_retry_copy(s))
		return COMPACTION_COPIES_LEFT;
	bytes = compaction_message_bytes(s, i);
	if (bytes == 0) {
		compaction_pass_unowned(i, now_ms);
		return COMPACTION_COPIES_PASSED;
	}
	i->is_unowned = false;
	if (!compaction_copies_have_room(s, g, bytes))
		return COMPACTION_COPIES_FULL;
	read_message_to_copy(s, i, bytes);
	return COMPACTION_COPIES_PASSED;
}

/* Begins a pass, also when the retry time of a message has come. */
static void
begin_copy_pass(struct spool *s, struct segment *g, int64_t now_ms)
{
	if (g->retry_ms && g->retry_ms <= now_ms) {
		g->retry_ms = 0;
		g->is_pass_done = false;
	}
	if (g->next_to_copy || g->is_pass_done || !compaction_copies_are_idle(&s->copies))
		return;
	g->next_to_copy = g->messages;
	g->is_pass_done = true;
}

static void
copy_stored_messages(struct spool *s, struct segment *g)
{
	int64_t now_ms = clock_mono_ms();

	begin_copy_pass(s, g, now_ms);
	for (unsigned checks = 0; g->next_to_copy; checks++) {
		struct stored_message *i = g->next_to_copy;
		enum compaction_copies_check result;

		if (checks == COMPACTION_COPIES_CHECKS_MAX) {
			/* the rest follows after the other work of the event loop */
			eventfd_write(s->writer.event_fd, 1);
			return;
		}
		result = check_message_to_copy(s, g, i, now_ms);
		if (result == COMPACTION_COPIES_FULL)
			return;
		g->is_pass_done &= result != COMPACTION_COPIES_LEFT;
		g->next_to_copy = stored_message_next(i);
	}
}

void
compaction_copies_run(struct spool *s, struct segment *g)
{
	if (s->copies.next_ms > clock_mono_ms())
		return;
	s->copies.next_ms = 0;
	if (!compaction_copies_are_allowed(s))
		return;
	copy_stored_messages(s, g);
	if (copy_spool_notes(s, g))
		copy_unknown_entries(s, g);
}
