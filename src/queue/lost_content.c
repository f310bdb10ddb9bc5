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
struct lost_content {
	LIST_ENTRY(lost_content) link;
	struct queue *queue;
	struct msgid id;
	bool is_of_delivery;             /* which ended, and waits for what comes of this */
	int error;                       /* of the read that found it */
	struct smtp_status status;
};

/* Something of it is under way that may end otherwise. */
static bool
lost_content_must_wait(const struct queued_message *e)
{
	for (uint32_t i = 0; i < e->addressee_count; i++)
		if (e->addressees[i].is_expected)
			return true;
	return e->unstored > 0;
}

/* ---- durable ---- */

static void
lost_content_log(const struct lost_content *d, const struct queued_message *e, uint32_t number)
{
	char code[SMTP_STATUS_ENHANCED_BYTES];
	struct log_line l;

	log_begin(&l, LOG_NOTICE, "deliver");
	log_id(&l, e->id, number);
	log_str(&l, "status", STR("failed"));
	log_str(&l, "reason", STR("damaged"));
	log_num(&l, "code", d->status.code);
	log_str(&l, "dsn", str_of(smtp_status_enhanced(&d->status, code)));
	log_addr(&l, "to", queued_message_address(e, number));
	log_seconds(&l, "delay", clock_ms() - e->arrival_ms);
	log_quoted(&l, "reply", str_of(d->status.text));
	log_end(&l);
}

static void
lost_content_fail_recipient(const struct lost_content *d, struct queued_message *e, uint32_t number)
{
	struct queue *q = d->queue;
	uint8_t marks = e->addressees[number - 1].marks & MARK_WARNED;

	lost_content_log(d, e, number);
	if (reports_is_owed(e, number, SPOOL_FAILED, marks))
		queued_recipient_owe_report(e, number, SPOOL_FAILED, marks);
	else
		queued_recipient_set_outcome(&q->book, e, number, SPOOL_FAILED, marks);
}

static void
lost_content_finish(struct lost_content *d, struct queued_message *e)
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
		if (queued_recipient_is_open(&e->addressees[i - 1]))
			lost_content_fail_recipient(d, e, i);
	for (size_t i = 0; i < e->shipment_count; i++)
		if (!e->shipments[i].job)
			schedule_remove(q->schedule, &e->shipments[i].parcel);
	reports_check(q, e);
	queue_finish_message(q, e);
}

static void
lost_content_try_later(struct queue *q, struct queued_message *e)
{
	for (size_t i = 0; i < e->shipment_count; i++)
		if (!e->shipments[i].job && e->shipments[i].parcel.state == DELIVERY_IDLE)
			queue_schedule(q, &e->shipments[i], clock_ms() + RETRY_MS);
}

/* error: of what was to be written, or 0. */
static void
lost_content_log_failed(const struct lost_content *d, const char *why, int error)
{
	char id[ID_NUMBER_TEXT_BYTES];

	msgid_text(d->id, 0, id);
	log_error("message %s cannot be read: %s; it cannot be given up as lost now: %s%s%s; it is "
		  "tried again; `sallyport queue delete %s` gives it up at once",
	    id, spool_fault_text(d->error), why, error ? ": " : "", error ? strerror(error) : "",
	    id);
}

static void
lost_content_stored(int error, void *arg)
{
	struct lost_content *d = arg;
	struct queued_message *e = queued_find(&d->queue->book, d->id);

	if (e)
		e->is_being_lost = false;
	if (e && error) {
		lost_content_log_failed(d, "its end cannot be stored", error);
		lost_content_try_later(d->queue, e);
	} else if (e) {
		lost_content_finish(d, e);
	}
	queue_wake(d->queue);
	LIST_REMOVE(d, link);
	mem_free(d);
}

/* ---- its end ---- */

static void
lost_content_fill(const struct lost_content *d, struct queued_message *e, struct arena *arena,
    struct lost_record *out)
{
	struct last_attempt detail = {
	    .status = d->status, .reason = STR("damaged"), .at_ms = clock_ms()};
	struct spool_recipient *ends =
	    ARENA_ARRAY(arena, struct spool_recipient, e->addressee_count);
	char *text = arena_new(arena, SPOOL_DETAIL_MAX);
	struct buf words;

	buf_init(&words, SPOOL_DETAIL_MAX);
	last_attempt_encode(&detail, &words);
	memcpy(text, words.p, words.n);
	out->statuses = ends;
	for (uint32_t i = 1; i <= e->addressee_count; i++) {
		const struct queued_recipient *a = &e->addressees[i - 1];
		uint8_t marks = a->marks & MARK_WARNED;

		if (!queued_recipient_is_open(a))
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

/* BEGUN: lost_content_stored will be called.  KEPT, as before: its envelope is too large for a
 * record. */
static enum lost_record_result
lost_content_store_end(struct lost_content *d, struct queued_message *e)
{
	struct lost_record lost = {.id = e->id, .fn = lost_content_stored, .arg = d};
	struct envelope envelope;
	struct arena arena;
	struct buf bytes;
	enum lost_record_result result = LOST_RECORD_SET_ASIDE;

	arena_init(&arena, ARENA_MAX);
	buf_init(&bytes, ENVELOPE_BYTES_MAX);
	queued_message_envelope(e, &arena, &envelope);
	lost_content_fill(d, e, &arena, &lost);
	if (envelope_encode(&envelope, &bytes)) {
		lost.envelope = buf_str(&bytes);
		result = lost_record_append(d->queue->spool, &lost);
	}
	buf_clear(&bytes);
	arena_clear(&arena);
	e->is_being_lost = result == LOST_RECORD_BEGUN;
	return result;
}

/* The delivery has ended with nothing, and no other one was begun since. */
static void
lost_content_wait(const struct lost_content *d, struct queued_message *e)
{
	for (size_t i = 0; i < e->shipment_count && !e->is_held; i++) {
		struct delivery *s = &e->shipments[i];

		if (!s->job && s->open > 0 && s->parcel.state == DELIVERY_IDLE)
			outcomes_wait_for_content(d->queue, s, d->error);
	}
}

static void
lost_content_log_readable(const struct lost_content *d)
{
	char id[ID_NUMBER_TEXT_BYTES];

	log_warn("message %s could not be read: %s; the next read of its record was right, and it "
		 "is tried again", msgid_text(d->id, 0, id), spool_fault_text(d->error));
}

/* No later attempt can do better. */
static void
lost_content_hold(const struct lost_content *d, struct queued_message *e)
{
	char id[ID_NUMBER_TEXT_BYTES];

	e->is_unlosable = true;
	log_error("message %s is damaged: its list of recipients is too large to be stored without "
		  "it; its segment cannot be freed before `sallyport queue delete %s`",
	    msgid_text(e->id, 0, id), id);
	outcomes_hold_damaged(d->queue, e, 0);
}

/* It came to nothing: compaction comes again by itself. */
static void
lost_content_failed(
    const struct lost_content *d, struct queued_message *e, enum lost_record_result result)
{
	if (result == LOST_RECORD_SET_ASIDE) {
		lost_content_hold(d, e);
		return;
	}
	if (result == LOST_RECORD_READABLE)
		lost_content_log_readable(d);
	else
		lost_content_log_failed(d, lost_record_text(result), 0);
	if (d->is_of_delivery)
		lost_content_wait(d, e);
	queue_wake(d->queue);
}

/* What is left is put aside, or that came to nothing.  The message may have gone or gone on
 * meanwhile. */
static void
lost_content_set_aside(enum lost_record_result result, void *arg)
{
	struct lost_content *d = arg;
	struct queued_message *e = queued_find(&d->queue->book, d->id);

	if (e && result == LOST_RECORD_SET_ASIDE)
		result =
		    lost_content_must_wait(e) ? LOST_RECORD_BUSY : lost_content_store_end(d, e);
	if (e && result == LOST_RECORD_BEGUN)
		return;
	if (e)
		lost_content_failed(d, e, result);
	LIST_REMOVE(d, link);
	mem_free(d);
}

static void
lost_content_begin(struct queue *q, struct queued_message *e, int error, bool is_of_delivery)
{
	const char *text = error == EBADMSG ? "the stored message was damaged"
	    : "the stored message could not be read any more";
	struct lost_content *d = MEM_NEW(struct lost_content);
	enum lost_record_result result = LOST_RECORD_BUSY;

	d->queue = q;
	d->id = e->id;
	d->error = error;
	d->is_of_delivery = is_of_delivery;
	d->status = smtp_status_make(554, "5.3.0", "%s", text);
	if (e->is_unlosable)
		result = LOST_RECORD_SET_ASIDE;
	else if (!lost_content_must_wait(e))
		result = lost_record_set_aside(q->spool, e->id, error, lost_content_set_aside, d);
	if (result == LOST_RECORD_BEGUN) {
		LIST_INSERT_HEAD(&q->damages, d, link);
		return;
	}
	lost_content_failed(d, e, result);
	mem_free(d);
}

/* Unlosable and held: that was told, and nothing can be done before it is released or deleted. */
static void
lost_content_check(struct queue *q, struct queued_message *e, int error, bool is_of_delivery)
{
	if (!e->is_unlosable || !e->is_held)
		lost_content_begin(q, e, error, is_of_delivery);
}

void
lost_content_in_delivery(struct queue *q, struct queued_message *e)
{
	lost_content_check(q, e, EBADMSG, true);
}

/* From compaction, which comes again when nothing was begun. */
static bool
lost_content_found(struct msgid id, int error, void *arg)
{
	struct queue *q = arg;
	struct queued_message *e = queued_find(&q->book, id);

	if (e)
		lost_content_check(q, e, error, false);
	return e != NULL;
}

void
lost_content_init(struct queue *q)
{
	lost_record_listen(q->spool, lost_content_found, q);
}

void
lost_content_clear(struct queue *q)
{
	struct lost_content *d;

	while ((d = LIST_FIRST(&q->damages))) {
		LIST_REMOVE(d, link);
		mem_free(d);
	}
}
