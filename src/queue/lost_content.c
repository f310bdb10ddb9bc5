/*
 * lost_content: compaction and deliveries find such messages; both call this file. What is left is
 * set aside first, then the end of all recipients is stored in one record, and only then do they
 * fail in memory: before that nothing is lost by a crash. Each step finds the message by its id
 * again. What fails is tried again later, unless the envelope is too large for a record.
 */
#include "queue/lost_content.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/error_text.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "queue/content_fault.h"
#include "queue/last_attempt.h"
#include "queue/reports/reports.h"
#include "spool/lost_record.h"
#include "spool/spool_fault.h"

enum { ARENA_MAX = 4 << 20, RETRY_MS = 60000, LOST_TEXT_BYTES = 512 };

/* A message whose loss is confirmed: what is left of it is set aside, then its end is stored. */
struct lost_content {
	LIST_ENTRY(lost_content) link;
	struct queue *queue;
	struct msgid id;
	bool is_of_delivery;             /* a delivery found it and waits for the result */
	int error;                       /* of the read that found the damage */
	struct smtp_status status;
};

/* An attempt or a status update may still change its state. */
static bool
lost_content_must_wait(const struct queued_message *e)
{
	for (uint32_t i = 0; i < e->recipient_count; i++)
		if (queued_message_recipients(e)[i].is_expected)
			return true;
	return e->unstored > 0;
}

/* ---- durable ---- */

static void
lost_content_log(const struct lost_content *loss, const struct queued_message *e, uint32_t number)
{
	char code[SMTP_STATUS_ENHANCED_BYTES];
	struct log_line l;

	log_begin(&l, LOG_NOTICE, "deliver");
	log_id(&l, e->id, number);
	log_str(&l, "status", STR("failed"));
	log_str(&l, "reason", STR("damaged"));
	log_num(&l, "code", loss->status.code);
	log_str(&l, "dsn", str_of(smtp_status_enhanced(&loss->status, code)));
	log_addr(&l, "to", queued_message_address(e, number));
	log_seconds(&l, "delay", clock_ms() - e->arrival_ms);
	log_quoted(&l, "reply", str_of(loss->status.text));
	log_end(&l);
}

/* The end of each open recipient, as it is stored. */
static void
lost_content_detail(const struct lost_content *loss, struct buf *out)
{
	struct last_attempt detail = {
	    .status = loss->status, .reason = STR("damaged"), .at_ms = clock_ms()};

	buf_init(out, SPOOL_DETAIL_MAX);
	last_attempt_encode(&detail, out);
}

static void
lost_content_fail_recipient(
    const struct lost_content *loss, struct queued_message *e, uint32_t number)
{
	struct queue *q = loss->queue;
	struct queued_recipient *recipient = queued_message_recipient(e, number);
	uint8_t marks = recipient->marks & MARK_WARNED;
	struct buf detail;

	metrics_count(METRIC_RESULTS_FAILED, 1);
	lost_content_log(loss, e, number);
	lost_content_detail(loss, &detail);
	queued_recipient_set_detail(recipient, buf_str(&detail));
	queued_recipient_set_attempts(
	    recipient, queued_message_delivery(e, number)->sched.tries);
	buf_clear(&detail);
	if (reports_is_owed(e, number, SPOOL_FAILED, marks))
		queued_recipient_owe_report(e, number, SPOOL_FAILED, marks);
	else
		queued_recipient_set_outcome(&q->queued, e, number, SPOOL_FAILED, marks);
}

static void
lost_content_finish(struct lost_content *loss, struct queued_message *e)
{
	struct queue *q = loss->queue;
	char id[ID_NUMBER_TEXT_BYTES], text[LOST_TEXT_BYTES];

	snprintf(text, sizeof text,
	    "message %s is lost: what was stored of it is damaged or cannot be read; what is left "
	    "is kept as %s.aside in the spool, its sender is told",
	    msgid_text(e->id, 0, id), id);
	log_error("%s", text);
	role_alert(q->role, NOTICE_MESSAGES, str_of(id), "%s", text);
	for (uint32_t i = 1; i <= e->recipient_count; i++)
		if (queued_recipient_is_open(&queued_message_recipients(e)[i - 1]))
			lost_content_fail_recipient(loss, e, i);
	for (size_t i = 0; i < e->delivery_count; i++)
		if (!delivery_attempt(&e->deliveries[i]))
			schedule_remove(q->schedule, &e->deliveries[i].sched);
	reports_check(q, e);
	queue_finish_message(q, e);
}

static void
lost_content_try_later(struct queue *q, struct queued_message *e)
{
	for (size_t i = 0; i < e->delivery_count; i++)
		if (!delivery_attempt(&e->deliveries[i]) &&
		    e->deliveries[i].sched.state == DELIVERY_IDLE)
			queue_schedule(q, &e->deliveries[i], clock_ms() + RETRY_MS);
}

/* error: of the write, or 0. */
static void
lost_content_log_failed(const struct lost_content *loss, const char *why, int error)
{
	char id[ID_NUMBER_TEXT_BYTES];

	msgid_text(loss->id, 0, id);
	log_error("message %s cannot be read: %s; it cannot be given up as lost now: %s%s%s; it is "
		  "tried again; `sallyport queue delete %s` gives it up at once",
	    id, spool_fault_text(loss->error), why, error ? ": " : "",
	    error ? error_text(error) : "", id);
}

static void
lost_content_stored(int error, void *arg)
{
	struct lost_content *loss = arg;
	struct queued_message *e = queued_find(&loss->queue->queued, loss->id);

	if (e)
		e->is_loss_unstored = false;
	if (e && error) {
		lost_content_log_failed(loss, "its end cannot be stored", error);
		lost_content_try_later(loss->queue, e);
	} else if (e) {
		lost_content_finish(loss, e);
	}
	queue_wake(loss->queue);
	LIST_REMOVE(loss, link);
	mem_free(loss);
}

/* ---- its end ---- */

static void
lost_content_fill(const struct lost_content *loss, struct queued_message *e, struct arena *arena,
    struct lost_record *out)
{
	struct spool_recipient *ends =
	    ARENA_ARRAY(arena, struct spool_recipient, e->recipient_count);
	char *text = arena_new(arena, SPOOL_DETAIL_MAX);
	struct buf words;

	lost_content_detail(loss, &words);
	memcpy(text, words.p, words.n);
	out->statuses = ends;
	for (uint32_t i = 1; i <= e->recipient_count; i++) {
		const struct queued_recipient *recipient = &queued_message_recipients(e)[i - 1];
		uint8_t marks = recipient->marks & MARK_WARNED;

		if (!queued_recipient_is_open(recipient))
			continue;
		ends[out->count++] = (struct spool_recipient){.number = i,
		    .outcome = SPOOL_FAILED,
		    .is_settled = !reports_is_owed(e, i, SPOOL_FAILED, marks),
		    .attempts = e->deliveries[recipient->delivery].sched.tries,
		    .marks = marks,
		    .detail = str_make(text, words.n)};
	}
	buf_clear(&words);
}

/* BEGUN: lost_content_stored will be called.  SET_ASIDE, as before: its envelope is too large for a
 * record. */
static enum lost_record_result
lost_content_store_end(struct lost_content *loss, struct queued_message *e)
{
	struct lost_record lost = {.id = e->id, .fn = lost_content_stored, .arg = loss};
	struct envelope envelope;
	struct arena arena;
	struct buf bytes;
	enum lost_record_result result = LOST_RECORD_SET_ASIDE;

	arena_init(&arena, ARENA_MAX);
	buf_init(&bytes, ENVELOPE_BYTES_MAX);
	queued_message_envelope(e, &arena, &envelope);
	lost_content_fill(loss, e, &arena, &lost);
	if (envelope_encode(&envelope, &bytes)) {
		lost.envelope = buf_str(&bytes);
		result = lost_record_append(loss->queue->spool, &lost);
	}
	buf_clear(&bytes);
	arena_clear(&arena);
	e->is_loss_unstored = result == LOST_RECORD_BEGUN;
	return result;
}

/* The delivery ended without a result, and no other attempt was begun since. */
static void
lost_content_wait(const struct lost_content *loss, struct queued_message *e)
{
	for (size_t i = 0; i < e->delivery_count && !e->is_held; i++) {
		struct delivery *delivery = &e->deliveries[i];

		if (!delivery_attempt(delivery) && delivery->open > 0 &&
		    delivery->sched.state == DELIVERY_IDLE)
			content_fault_wait(loss->queue, delivery, loss->error);
	}
}

static void
lost_content_log_readable(const struct lost_content *loss)
{
	char id[ID_NUMBER_TEXT_BYTES];

	log_warn("message %s could not be read: %s; the next read of its record was right, and it "
		 "is tried again", msgid_text(loss->id, 0, id), spool_fault_text(loss->error));
}

/* No later attempt can succeed. */
static void
lost_content_hold(const struct lost_content *loss, struct queued_message *e)
{
	char id[ID_NUMBER_TEXT_BYTES];

	e->is_envelope_too_large = true;
	log_error("message %s is damaged: its list of recipients is too large to be stored without "
		  "it; its segment cannot be freed before `sallyport queue delete %s`",
	    msgid_text(e->id, 0, id), id);
	content_fault_hold(loss->queue, e, 0);
}

/* It failed: compaction tries again by itself. */
static void
lost_content_failed(
    const struct lost_content *loss, struct queued_message *e, enum lost_record_result result)
{
	if (result == LOST_RECORD_SET_ASIDE) {
		lost_content_hold(loss, e);
		return;
	}
	if (result == LOST_RECORD_READABLE)
		lost_content_log_readable(loss);
	else
		lost_content_log_failed(loss, lost_record_text(result), 0);
	if (loss->is_of_delivery)
		lost_content_wait(loss, e);
	queue_wake(loss->queue);
}

/* What is left has been set aside, or that failed.  The message may be removed or changed
 * meanwhile. */
static void
lost_content_set_aside(enum lost_record_result result, void *arg)
{
	struct lost_content *loss = arg;
	struct queued_message *e = queued_find(&loss->queue->queued, loss->id);

	if (e && result == LOST_RECORD_SET_ASIDE)
		result =
		    lost_content_must_wait(e) ? LOST_RECORD_BUSY : lost_content_store_end(loss, e);
	if (e && result == LOST_RECORD_BEGUN)
		return;
	if (e)
		lost_content_failed(loss, e, result);
	LIST_REMOVE(loss, link);
	mem_free(loss);
}

static void
lost_content_begin(struct queue *q, struct queued_message *e, int error, bool is_of_delivery)
{
	const char *text = error == EBADMSG ? "the stored message was damaged"
	    : "the stored message could not be read any more";
	struct lost_content *loss = MEM_NEW(struct lost_content);
	enum lost_record_result result = LOST_RECORD_BUSY;

	loss->queue = q;
	loss->id = e->id;
	loss->error = error;
	loss->is_of_delivery = is_of_delivery;
	loss->status = smtp_status_make(554, "5.3.0", "%s", text);
	if (e->is_envelope_too_large)
		result = LOST_RECORD_SET_ASIDE;
	else if (!lost_content_must_wait(e))
		result =
		    lost_record_set_aside(q->spool, e->id, error, lost_content_set_aside, loss);
	if (result == LOST_RECORD_BEGUN) {
		LIST_INSERT_HEAD(&q->lost_contents, loss, link);
		return;
	}
	lost_content_failed(loss, e, result);
	mem_free(loss);
}

/* With an envelope that is too large, and held, it is logged already, and nothing can be done
 * before it is released or deleted. */
static void
lost_content_check(struct queue *q, struct queued_message *e, int error, bool is_of_delivery)
{
	if (!e->is_envelope_too_large || !e->is_held)
		lost_content_begin(q, e, error, is_of_delivery);
}

void
lost_content_in_delivery(struct queue *q, struct queued_message *e)
{
	lost_content_check(q, e, EBADMSG, true);
}

/* Called by compaction, which calls again later when nothing was begun. */
static bool
lost_content_found(struct msgid id, int error, void *arg)
{
	struct queue *q = arg;
	struct queued_message *e = queued_find(&q->queued, id);

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
	struct lost_content *loss;

	while ((loss = LIST_FIRST(&q->lost_contents))) {
		LIST_REMOVE(loss, link);
		mem_free(loss);
	}
}
