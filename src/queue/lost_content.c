/*
 * lost_content: see the header.  Compaction and deliveries find such messages; both lead here.
 */
#include "queue/lost_content.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/last_attempt.h"
#include "queue/outcomes.h"
#include "queue/reports.h"
#include "spool/lost_record.h"
#include "spool/spool_fault.h"

enum { ARENA_MAX = 4 << 20, RETRY_MS = 60000, LOST_TEXT_BYTES = 512 };

/* One that is proven and put aside, then its end is being stored. */
struct damage {
	LIST_ENTRY(damage) link;
	struct queue *queue;
	struct msgid id;
	bool is_of_delivery;             /* which ended, and waits for what comes of this */
	int error;                       /* of the read that found it */
	struct status status;
};

/* Something of it is under way that may end otherwise. */
static bool
damage_must_wait(const struct entry *e)
{
	for (uint32_t i = 0; i < e->addressee_count; i++)
		if (e->addressees[i].is_expected)
			return true;
	return e->unstored > 0;
}

/* ---- durable ---- */

static void
damage_log(const struct damage *d, const struct entry *e, uint32_t number)
{
	char code[STATUS_ENHANCED_BYTES];
	struct log_line l;

	log_begin(&l, LOG_NOTICE, "deliver");
	log_id(&l, e->id, number);
	log_str(&l, "status", STR("failed"));
	log_str(&l, "reason", STR("damaged"));
	log_num(&l, "code", d->status.code);
	log_str(&l, "dsn", str_of(status_enhanced(&d->status, code)));
	log_addr(&l, "to", entry_address(e, number));
	log_seconds(&l, "delay", clock_ms() - e->arrival_ms);
	log_quoted(&l, "reply", str_of(d->status.text));
	log_end(&l);
}

static void
damage_end_one(const struct damage *d, struct entry *e, uint32_t number)
{
	struct queue *q = d->queue;
	uint8_t marks = e->addressees[number - 1].marks & MARK_WARNED;

	damage_log(d, e, number);
	if (reports_is_owed(e, number, SPOOL_FAILED, marks))
		entry_owe(e, number, SPOOL_FAILED, marks);
	else
		entry_settle(&q->book, e, number, SPOOL_FAILED, marks);
}

static void
damage_is_over(struct damage *d, struct entry *e)
{
	struct queue *q = d->queue;
	char id[ID_NUMBER_TEXT_BYTES], text[LOST_TEXT_BYTES];

	snprintf(text, sizeof text,
	    "message %s is lost: what was stored of it is damaged or cannot be read; what is left "
	    "is kept as %s.aside in the spool, its sender is told",
	    msgid_text(e->id, 0, id), id);
	log_error("%s", text);
	role_alert(q->role, NOTICE_MESSAGES, str_of(id), "%s", text);
	for (uint32_t i = 1; i <= e->addressee_count; i++)
		if (addressee_is_open(&e->addressees[i - 1]))
			damage_end_one(d, e, i);
	for (size_t i = 0; i < e->shipment_count; i++)
		if (!e->shipments[i].job)
			schedule_remove(q->schedule, &e->shipments[i].parcel);
	reports_check(q, e);
	queue_end(q, e);
}

static void
damage_try_later(struct queue *q, struct entry *e)
{
	for (size_t i = 0; i < e->shipment_count; i++)
		if (!e->shipments[i].job && e->shipments[i].parcel.state == PARCEL_IDLE)
			queue_schedule(q, &e->shipments[i], clock_ms() + RETRY_MS);
}

/* error: of what was to be written, or 0. */
static void
damage_log_failed(const struct damage *d, const char *why, int error)
{
	char id[ID_NUMBER_TEXT_BYTES];

	msgid_text(d->id, 0, id);
	log_error("message %s cannot be read: %s; it cannot be given up as lost now: %s%s%s; it is "
		  "tried again; `sallyport queue delete %s` gives it up at once",
	    id, finding_text(d->error), why, error ? ": " : "", error ? strerror(error) : "",
	    id);
}

static void
damage_stored(int error, void *arg)
{
	struct damage *d = arg;
	struct entry *e = book_find(&d->queue->book, d->id);

	if (e)
		e->is_being_lost = false;
	if (e && error) {
		damage_log_failed(d, "its end cannot be stored", error);
		damage_try_later(d->queue, e);
	} else if (e) {
		damage_is_over(d, e);
	}
	queue_wake(d->queue);
	LIST_REMOVE(d, link);
	mem_free(d);
}

/* ---- its end ---- */

static void
damage_fill(const struct damage *d, struct entry *e, struct arena *arena, struct lost *out)
{
	struct detail detail = {
	    .status = d->status, .reason = STR("damaged"), .at_ms = clock_ms()};
	struct spool_recipient *ends =
	    ARENA_ARRAY(arena, struct spool_recipient, e->addressee_count);
	char *text = arena_new(arena, SPOOL_DETAIL_MAX);
	struct buf words;

	buf_init(&words, SPOOL_DETAIL_MAX);
	detail_encode(&detail, &words);
	memcpy(text, words.p, words.n);
	out->ends = ends;
	for (uint32_t i = 1; i <= e->addressee_count; i++) {
		const struct addressee *a = &e->addressees[i - 1];
		uint8_t marks = a->marks & MARK_WARNED;

		if (!addressee_is_open(a))
			continue;
		ends[out->count++] = (struct spool_recipient){.number = i,
		    .outcome = SPOOL_FAILED,
		    .is_settled = !reports_is_owed(e, i, SPOOL_FAILED, marks),
		    .attempts = e->shipments[a->shipment].parcel.tries,
		    .marks = marks,
		    .detail = str_make(text, words.n)};
	}
	buf_clear(&words);
}

/* BEGUN: damage_stored will be called.  KEPT, as before: its envelope is too large for a record. */
static enum lost_result
damage_put(struct damage *d, struct entry *e)
{
	struct lost lost = {.id = e->id, .fn = damage_stored, .arg = d};
	struct envelope envelope;
	struct arena arena;
	struct buf bytes;
	enum lost_result result = LOST_KEPT;

	arena_init(&arena, ARENA_MAX);
	buf_init(&bytes, ENVELOPE_BYTES_MAX);
	entry_envelope(e, &arena, &envelope);
	damage_fill(d, e, &arena, &lost);
	if (envelope_encode(&envelope, &bytes)) {
		lost.envelope = buf_str(&bytes);
		result = lost_put(d->queue->spool, &lost);
	}
	buf_clear(&bytes);
	arena_clear(&arena);
	e->is_being_lost = result == LOST_BEGUN;
	return result;
}

/* The delivery has ended with nothing, and no other one was begun since. */
static void
damage_wait(const struct damage *d, struct entry *e)
{
	for (size_t i = 0; i < e->shipment_count && !e->is_held; i++) {
		struct shipment *s = &e->shipments[i];

		if (!s->job && s->open > 0 && s->parcel.state == PARCEL_IDLE)
			results_wait_for_content(d->queue, s, d->error);
	}
}

static void
damage_log_sound(const struct damage *d)
{
	char id[ID_NUMBER_TEXT_BYTES];

	log_warn("message %s could not be read: %s; the next read of its record was right, and it "
		 "is tried again", msgid_text(d->id, 0, id), finding_text(d->error));
}

/* No later attempt can do better. */
static void
damage_give_up(const struct damage *d, struct entry *e)
{
	char id[ID_NUMBER_TEXT_BYTES];

	e->is_unlosable = true;
	log_error("message %s is damaged: its list of recipients is too large to be stored without "
		  "it; its segment cannot be freed before `sallyport queue delete %s`",
	    msgid_text(e->id, 0, id), id);
	results_hold_damaged(d->queue, e, 0);
}

/* It came to nothing: compaction comes again by itself. */
static void
damage_failed(const struct damage *d, struct entry *e, enum lost_result result)
{
	if (result == LOST_KEPT) {
		damage_give_up(d, e);
		return;
	}
	if (result == LOST_SOUND)
		damage_log_sound(d);
	else
		damage_log_failed(d, lost_text(result), 0);
	if (d->is_of_delivery)
		damage_wait(d, e);
	queue_wake(d->queue);
}

/* What is left is put aside, or that came to nothing.  The message may have gone or gone on
 * meanwhile. */
static void
damage_kept(enum lost_result result, void *arg)
{
	struct damage *d = arg;
	struct entry *e = book_find(&d->queue->book, d->id);

	if (e && result == LOST_KEPT)
		result = damage_must_wait(e) ? LOST_BUSY : damage_put(d, e);
	if (e && result == LOST_BEGUN)
		return;
	if (e)
		damage_failed(d, e, result);
	LIST_REMOVE(d, link);
	mem_free(d);
}

static void
damage_begin(struct queue *q, struct entry *e, int error, bool is_of_delivery)
{
	const char *text = error == EBADMSG ? "the stored message was damaged"
	    : "the stored message could not be read any more";
	struct damage *d = MEM_NEW(struct damage);
	enum lost_result result = LOST_BUSY;

	d->queue = q;
	d->id = e->id;
	d->error = error;
	d->is_of_delivery = is_of_delivery;
	d->status = status_make(554, "5.3.0", "%s", text);
	if (e->is_unlosable)
		result = LOST_KEPT;
	else if (!damage_must_wait(e))
		result = lost_keep(q->spool, e->id, error, damage_kept, d);
	if (result == LOST_BEGUN) {
		LIST_INSERT_HEAD(&q->damages, d, link);
		return;
	}
	damage_failed(d, e, result);
	mem_free(d);
}

/* Unlosable and held: that was told, and nothing can be done before it is released or deleted. */
static void
damage_look(struct queue *q, struct entry *e, int error, bool is_of_delivery)
{
	if (!e->is_unlosable || !e->is_held)
		damage_begin(q, e, error, is_of_delivery);
}

void
damage_end(struct queue *q, struct entry *e)
{
	damage_look(q, e, EBADMSG, true);
}

/* From compaction, which comes again when nothing was begun. */
static bool
damage_found(struct msgid id, int error, void *arg)
{
	struct queue *q = arg;
	struct entry *e = book_find(&q->book, id);

	if (e)
		damage_look(q, e, error, false);
	return e != NULL;
}

void
damage_init(struct queue *q)
{
	lost_listen(q->spool, damage_found, q);
}

void
damage_clear(struct queue *q)
{
	struct damage *d;

	while ((d = LIST_FIRST(&q->damages))) {
		LIST_REMOVE(d, link);
		mem_free(d);
	}
}
