/*
 * outcomes: a result is assigned first: to the running attempt, a lost one, a deleted message, or
 * none. For a recipient the order is decision, log line, stored status, state in memory. Each
 * result is acknowledged: when its status is durable, or at once when there is nothing to store. A
 * late one needs the right ticket.
 */
#include "queue/outcomes.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "queue/body_recheck.h"
#include "queue/content_fault.h"
#include "queue/dispatch_attempts.h"
#include "queue/dispatch_deadlines.h"
#include "queue/lifetime.h"
#include "queue/lost_content.h"
#include "queue/outcome_kind.h"
#include "queue/outcome_log.h"
#include "queue/reports/reports.h"
#include "queue/status_updates.h"
#include "queue/ticket_key.h"
#include "spool/spool_fault.h"

struct outcome_decision {
	struct queue *queue;
	struct queued_message *message;
	uint32_t number;
	const struct message_result *result;
	const struct dispatch_attempt *attempt; /* of the result; NULL: unknown, or none */
	bool from_relay;
	bool is_end; /* a temporary failure ends it, already decided */
	int64_t now_ms;
	/* the decision */
	enum spool_outcome outcome;
	uint32_t tries, pauses;
	uint8_t marks;
	int64_t next_ms;
	int64_t attempt_ms; /* of its own last attempt; 0: none */
	int64_t found_ms;   /* when an attempt for another message found the failure; 0: none */
};

/* ---- the log ---- */

static void
log_outcome(const struct outcome_decision *d)
{
	const struct message_result *m = d->result;
	bool is_sent = d->outcome == SPOOL_DONE, is_deferred = d->outcome == SPOOL_DEFERRED;
	char code[SMTP_STATUS_ENHANCED_BYTES], stamp[CLOCK_TEXT_BYTES];
	struct log_line l;

	log_begin(&l, is_sent || is_deferred ? LOG_INFO : LOG_NOTICE, "deliver");
	log_id(&l, d->message->id, d->number);
	log_str(&l, "status", is_sent ? STR("sent") :
	    is_deferred ? STR("deferred") : STR("failed"));
	log_str(&l, "reason", d->marks & MARK_EXPIRED ? STR("expired") : m->reason);
	log_num(&l, "code", m->status.code);
	log_str(&l, "dsn", str_of(smtp_status_enhanced(&m->status, code)));
	log_addr(&l, "to", queued_message_address(d->message, d->number));
	log_num(&l, "attempts", d->tries);
	outcome_log_other_side(&l, m);
	log_seconds(&l, "delay", d->now_ms - d->message->arrival_ms);
	if (is_deferred)
		log_str(&l, "next", str_of(clock_iso(d->next_ms, stamp)));
	log_quoted(&l, "reply", str_of(m->status.text));
	log_end(&l);
}

/* ---- one recipient ---- */

static void
decide_outcome(struct outcome_decision *d)
{
	const struct smtp_status *s = &d->result->status;
	bool is_held = queued_message_is_operator_held(d->message);
	int64_t expires_ms = queued_message_expires_ms(d->message);

	if (smtp_status_is_ok(s)) {
		d->outcome = SPOOL_DONE;
		d->marks = (d->result->dsn_passed_on ? MARK_RELAYED : 0) |
			   (d->result->is_delivered ? MARK_FINAL : 0);
	} else if (smtp_status_is_permanent(s)) {
		d->outcome = SPOOL_FAILED;
	} else if (d->is_end || lifetime_is_over(expires_ms, is_held, d->now_ms)) {
		d->outcome = SPOOL_FAILED;
		d->marks = MARK_EXPIRED;
	} else {
		d->outcome = SPOOL_DEFERRED;
		d->next_ms = lifetime_next_ms(expires_ms,
		    schedule_backoff_ms(d->queue->schedule, d->pauses), d->now_ms);
	}
}

static enum metric
metric_of_outcome(const struct outcome_decision *d)
{
	if (d->outcome == SPOOL_DONE)
		return METRIC_RESULTS_SENT;
	if (d->outcome == SPOOL_DEFERRED)
		return METRIC_RESULTS_DEFERRED;
	return d->marks & MARK_EXPIRED ? METRIC_RESULTS_EXPIRED : METRIC_RESULTS_FAILED;
}

static void
record_outcome(struct outcome_decision *d)
{
	const struct message_result *m = d->result;
	struct last_attempt last = {.status = m->status, .reason = m->reason, .host = m->host};
	struct status_update update = {.id = d->message->id, .number = d->number,
	    .outcome = d->outcome,
	    .attempts = d->tries,
	    .next_ms = d->next_ms, .marks = d->marks,
	    .from_relay = d->from_relay,
	    .attempt_id = m->attempt_id};

	last.address = m->address;
	last.at_ms = d->attempt_ms;
	last.found_ms = d->found_ms;
	metrics_count(metric_of_outcome(d), 1);
	log_outcome(d);
	/* a running attempt makes it due again when it ends; what is stored says so now */
	if (d->attempt && d->outcome == SPOOL_DEFERRED)
		queued_message_delivery(d->message, d->number)->sched.due_ms = d->next_ms;
	update.is_owed = reports_is_owed(d->message, d->number, d->outcome, d->marks);
	status_updates_put(d->queue, &update, &last);
	if (update.is_owed)
		queued_recipient_owe_report(d->message, d->number, d->outcome, d->marks);
	else
		queued_recipient_set_outcome(
		    &d->queue->queued, d->message, d->number, d->outcome, d->marks);
}

/* An attempt that came as far as a connection is a try.  A busy host and a local failure do not
 * make the next pause longer. */
static void
outcomes_count_attempt(struct outcome_decision *d)
{
	const struct delivery *delivery = queued_message_delivery(d->message, d->number);

	d->tries = delivery->sched.tries + outcome_is_connected(d->result);
	d->pauses =
	    delivery->pauses + (d->attempt ? d->attempt->is_tried : outcome_is_tried(d->result));
	d->attempt_ms = d->now_ms;
}

static void
decide_and_record_outcome(struct outcome_decision *d)
{
	d->now_ms = clock_ms();
	if (d->from_relay)
		outcomes_count_attempt(d);
	decide_outcome(d);
	record_outcome(d);
}

/* ---- from relay ---- */

/* A session that breaks after MAIL shows nothing about the destination, because the message may be
 * the reason.  After a timeout the same holds, but it costs the destination its slots. */
static void
note_destination(struct dispatch_attempt *attempt, const struct message_result *m)
{
	bool is_silent = str_eq(m->reason, STR("timeout"));

	if (outcome_is_local(m))
		return;
	if (!m->was_ready) {
		attempt->is_unreachable |= smtp_status_is_temporary(&m->status);
	} else if (outcome_is_busy(m)) {
		attempt->is_busy = true;
	} else {
		attempt->is_silent |= is_silent;
		attempt->is_reached |= !is_silent && !str_eq(m->reason, STR("lost"));
	}
	if (attempt->is_unreachable || attempt->is_busy)
		attempt->status = m->status;
}

static void
note_in_attempt(struct dispatch_attempt *attempt, struct queued_recipient *recipient,
    const struct message_result *m)
{
	if (!recipient->is_expected)
		return;
	recipient->is_expected = false;
	attempt->expected--;
	attempt->is_deferred |= smtp_status_is_temporary(&m->status);
	attempt->is_tried |= outcome_is_tried(m);
	attempt->is_connected |= outcome_is_connected(m);
	note_destination(attempt, m);
}

/* A result of an attempt that this queue does not know any more. */
static void
reschedule_delivery(struct queue *q, struct queued_message *e, const struct outcome_decision *d)
{
	struct delivery *delivery = queued_message_delivery(e, d->number);

	if (delivery_attempt(delivery))
		return;
	if (d->outcome == SPOOL_DEFERRED && delivery->sched.due_ms <= d->now_ms) {
		delivery->sched.tries = (uint16_t)d->tries;
		delivery->pauses = (uint16_t)d->pauses;
	}
	schedule_remove(q->schedule, &delivery->sched);
	queue_schedule(
	    q, delivery, d->outcome == SPOOL_DEFERRED ? d->next_ms : delivery->sched.due_ms);
}

static bool
is_undecided(const struct queued_recipient *recipient)
{
	return recipient && queued_recipient_is_open(recipient);
}

/* Of an attempt of an earlier queue process, or of one that was given up; not of an attempt that
 * has reported a result for this recipient already. */
static bool
is_of_lost_attempt(const struct queue *q, struct queued_message *e, const struct message_result *m)
{
	const struct delivery *delivery = queued_message_delivery(e, m->recipient);

	return (!q->is_caught_up || delivery_late_attempt(delivery) == m->attempt_id) &&
	       !queued_message_recipients(e)[m->recipient - 1].is_expected &&
	       ticket_is_right(q, m->attempt_id, delivery, m->ticket);
}

static void
refuse_outcome(struct queue *q, const struct message_result *m)
{
	struct log_line l;

	log_begin(&l, LOG_WARNING, "result refused");
	log_id(&l, m->id, m->recipient);
	log_quoted(&l, "text",
	    STR("relay reports a result of a delivery that it was not given: it is ignored"));
	log_num(&l, "code", m->status.code);
	log_end(&l);
	status_updates_acknowledge(q, m->attempt_id, m->id, m->recipient);
}

static void
take_attempt_outcome(
    struct queue *q, struct dispatch_attempt *attempt, const struct message_result *m)
{
	struct queued_message *e = delivery_message(attempt->delivery);
	struct queued_recipient *recipient = queued_message_recipient(e, m->recipient);
	struct outcome_decision d = {
	    .queue = q, .message = e, .number = m->recipient, .result = m, .attempt = attempt};

	d.from_relay = true;
	note_in_attempt(attempt, recipient, m);
	delivery_set_unanswered(attempt->delivery, 0);
	if (is_undecided(recipient))
		decide_and_record_outcome(&d);
	else
		status_updates_acknowledge(q, m->attempt_id, m->id, m->recipient);
	if (outcome_is_damaged(m) && !e->is_held)
		body_recheck_begin(q, e);
	if (m->is_last || attempt->expected == 0)
		dispatch_attempt_end(attempt);
	else
		dispatch_deadline_renew(attempt);
}

static void
take_late_outcome(struct queue *q, struct queued_message *e, const struct message_result *m)
{
	struct queued_recipient *recipient = queued_message_recipient(e, m->recipient);
	struct outcome_decision d = {
	    .queue = q, .message = e, .number = m->recipient, .result = m, .from_relay = true};

	if (!is_undecided(recipient)) {
		status_updates_acknowledge(q, m->attempt_id, m->id, m->recipient); /* repeated */
		return;
	}
	if (!is_of_lost_attempt(q, e, m)) {
		refuse_outcome(q, m);
		return;
	}
	decide_and_record_outcome(&d);
	reschedule_delivery(q, e, &d);
	queue_finish_message(q, e);
}

/* Why relay did not begin an attempt that it could read; NULL: it could not read it. */
static const char *
outcome_put_back(const struct message_result *m)
{
	if (str_eq(m->reason, STR("stopping")))
		return "relay_stops";
	return str_eq(m->reason, STR("reloading")) ? "reload" : NULL;
}

/* Relay could not read the message or the recipients of the attempt, or has not begun it: that does
 * not count as an attempt. */
static void
attempt_not_understood(struct dispatch_attempt *attempt, const struct message_result *m)
{
	const char *put_back = outcome_put_back(m);
	char id[ID_NUMBER_TEXT_BYTES];

	status_updates_acknowledge(attempt->queue, m->attempt_id, m->id, m->recipient);
	if (!m->is_last)
		return;
	if (put_back) {
		dispatch_attempt_requeue(attempt, put_back);
		return;
	}
	log_error("relay could not read attempt %llu of message %s: %s; it is tried again later",
	    (unsigned long long)m->attempt_id, msgid_text(m->id, 0, id), m->status.text);
	if (attempt->delivery)
		delivery_set_unanswered(attempt->delivery, clock_ms());
	attempt->is_deferred = true;
	dispatch_attempt_end(attempt);
}

/* The message was deleted, or all its recipients are settled. */
static void
take_deleted_outcome(
    struct queue *q, struct dispatch_attempt *attempt, const struct message_result *m)
{
	if (attempt->is_deleted && smtp_status_is_ok(&m->status))
		outcome_log_deleted(m);
	status_updates_acknowledge(q, m->attempt_id, m->id, m->recipient);
	if (m->is_last)
		dispatch_attempt_end(attempt);
}

/* A repetition, sent to this queue: an earlier queue process settled the message, or deleted it. */
static void
take_unknown_outcome(struct queue *q, const struct message_result *m)
{
	outcome_log_unknown(m);
	status_updates_acknowledge(q, m->attempt_id, m->id, m->recipient);
}

/* Accepts a result only for a recipient that the attempt was sent for and has not reported yet.
 * The message may be freed. */
void
outcomes_handle(struct queue *q, const struct message_result *m)
{
	struct queued_message *e = queued_find(&q->queued, m->id);
	struct queued_recipient *recipient = e ? queued_message_recipient(e, m->recipient) : NULL;
	struct dispatch_attempt *attempt = dispatch_attempt_find(q, m->attempt_id);

	metrics_work_id("result", m->id);
	if (attempt && !attempt->is_sent)
		attempt = NULL;
	if (attempt && (m->recipient == 0 || m->id.session == 0))
		attempt_not_understood(attempt, m);
	else if (attempt && recipient &&
	         queued_message_delivery(e, m->recipient) == attempt->delivery &&
	         recipient->is_expected)
		take_attempt_outcome(q, attempt, m);
	else if (recipient)
		take_late_outcome(q, e, m);
	else if (attempt && !attempt->delivery && msgid_eq(m->id, attempt->id))
		take_deleted_outcome(q, attempt, m);
	else if (!e && !q->is_caught_up)
		take_unknown_outcome(q, m);
	else
		refuse_outcome(q, m);
}

/* ---- without an attempt ---- */

/* A destination that could not be found makes the next pause longer, but is no try. */
static void
decide_all_outcomes(struct queue *q, struct delivery *delivery, const struct message_result *m,
    const struct schedule_step *step)
{
	struct queued_message *e = delivery_message(delivery);

	if (step->act != SCHEDULE_EXPIRE)
		delivery->pauses++;
	for (uint32_t i = 1; i <= e->recipient_count; i++) {
		struct outcome_decision d = {.queue = q, .message = e, .number = i, .result = m};
		struct last_attempt last = {0};

		if (queued_message_delivery(e, i) != delivery ||
		    !is_undecided(queued_message_recipient(e, i)))
			continue;
		(void)!status_updates_last_attempt(q, e->id, i, &last);
		d.is_end = step->act == SCHEDULE_EXPIRE;
		d.tries = delivery->sched.tries;
		d.pauses = delivery->pauses;
		d.attempt_ms = last.at_ms;
		d.found_ms = step->act == SCHEDULE_REFUSE ? 0 : step->found_ms;
		decide_and_record_outcome(&d);
	}
	if (delivery->open)
		queue_schedule(q, delivery, lifetime_next_ms(queued_message_expires_ms(e),
			schedule_backoff_ms(q->schedule, delivery->pauses), clock_ms()));
	reports_check(q, e);
	queue_finish_message(q, e);
}

void
outcomes_unsent(struct queue *q, struct delivery *delivery, const struct schedule_step *step)
{
	bool is_away = step->destination.n > 0;
	struct message_result m = {.reason = is_away ? STR("destination_away") : STR("dns"),
	    .destination = is_away ? step->destination : step->next_hop};

	if (step->status)
		m.status = *step->status;
	else
		m.status = smtp_status_make(451, "4.4.7", "No attempt was possible in time");
	decide_all_outcomes(q, delivery, &m, step);
}

void
outcomes_expire(struct queue *q, struct delivery *delivery, const struct smtp_status *status)
{
	struct message_result m = {.reason = STR("local"), .status = *status};

	decide_all_outcomes(q, delivery, &m, &(struct schedule_step){.act = SCHEDULE_EXPIRE});
}

/* ---- what cannot be read ---- */

void
outcomes_unreadable(struct dispatch_attempt *attempt, int error)
{
	struct queue *q = attempt->queue;
	struct delivery *delivery = attempt->delivery;
	bool is_body_lost = attempt->reading.is_of_body && spool_fault_of_body(error);

	dispatch_detach_delivery(delivery);
	schedule_finished(q->schedule, &delivery->sched, SCHEDULE_UNKNOWN, NULL, clock_ms());
	dispatch_attempt_end(attempt);
	/* lost_content_stored logs the result */
	if (delivery_message(delivery)->is_loss_unstored)
		return;
	if (error == ENOENT || is_body_lost)
		content_fault_hold(q, delivery_message(delivery), error);
	else if (error == EBADMSG)
		lost_content_in_delivery(q, delivery_message(delivery));
	else
		content_fault_wait(q, delivery, error);
}
