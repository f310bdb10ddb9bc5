/*
 * outcomes: see the header.
 */
#include "queue/outcomes.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "queue/body_recheck.h"
#include "queue/dispatch_deadlines.h"
#include "queue/lifetime.h"
#include "queue/lost_content.h"
#include "queue/outcome_kind.h"
#include "queue/outcome_log.h"
#include "queue/reports.h"
#include "queue/status_updates.h"
#include "queue/ticket_key.h"
#include "spool/spool_fault.h"

enum { UNREADABLE_FIRST_MS = 1000, UNREADABLE_MAX_MS = 300000, HELD_TEXT_BYTES = 1024 };

struct outcome_decision {
	struct queue *queue;
	struct queued_message *entry;
	uint32_t number;
	const struct message_result *result;
	const struct dispatch_attempt
	    *job; /* that tells it; NULL: it is not known any more, or none */
	bool from_relay;
	bool is_end; /* a temporary failure ends it, that is decided already */
	int64_t now_ms;
	/* what comes of it */
	enum spool_outcome outcome;
	uint32_t tries, pauses;
	uint8_t marks;
	int64_t next_ms;
	int64_t attempt_ms; /* of its own last one; 0: none */
	int64_t found_ms;   /* of another's, that kept it waiting; 0: none */
};

static struct delivery *
delivery_of_recipient(struct queued_message *e, uint32_t number)
{
	return &e->shipments[e->addressees[number - 1].shipment];
}

/* ---- the log ---- */

static void
log_outcome(const struct outcome_decision *j)
{
	const struct message_result *m = j->result;
	bool is_sent = j->outcome == SPOOL_DONE, is_deferred = j->outcome == SPOOL_DEFERRED;
	char code[SMTP_STATUS_ENHANCED_BYTES], stamp[CLOCK_TEXT_BYTES];
	struct log_line l;

	log_begin(&l, is_sent || is_deferred ? LOG_INFO : LOG_NOTICE, "deliver");
	log_id(&l, j->entry->id, j->number);
	log_str(&l, "status",
	    is_sent       ? STR("sent")
	    : is_deferred ? STR("deferred")
	                  : STR("failed"));
	log_str(&l, "reason", j->marks & MARK_EXPIRED ? STR("expired") : m->reason);
	log_num(&l, "code", m->status.code);
	log_str(&l, "dsn", str_of(smtp_status_enhanced(&m->status, code)));
	log_addr(&l, "to", queued_message_address(j->entry, j->number));
	log_num(&l, "try", j->tries);
	outcome_log_other_side(&l, m);
	log_seconds(&l, "delay", j->now_ms - j->entry->arrival_ms);
	if (is_deferred)
		log_str(&l, "next", str_of(clock_iso(j->next_ms, stamp)));
	log_quoted(&l, "reply", str_of(m->status.text));
	log_end(&l);
}

/* ---- one recipient ---- */

static void
decide_outcome(struct outcome_decision *j)
{
	const struct smtp_status *s = &j->result->status;
	bool is_held = queued_message_is_operator_held(j->entry);

	if (smtp_status_is_ok(s)) {
		j->outcome = SPOOL_DONE;
		j->marks = (j->result->dsn_passed_on ? MARK_RELAYED : 0) |
			   (j->result->is_delivered ? MARK_FINAL : 0);
	} else if (smtp_status_is_permanent(s)) {
		j->outcome = SPOOL_FAILED;
	} else if (j->is_end || lifetime_is_over(j->entry->expires_ms, is_held, j->now_ms)) {
		j->outcome = SPOOL_FAILED;
		j->marks = MARK_EXPIRED;
	} else {
		j->outcome = SPOOL_DEFERRED;
		j->next_ms = lifetime_next_ms(j->entry->expires_ms,
		    schedule_backoff_ms(j->queue->schedule, j->pauses), j->now_ms);
	}
}

static void
record_outcome(struct outcome_decision *j)
{
	const struct message_result *m = j->result;
	struct last_attempt d = {.status = m->status, .reason = m->reason, .host = m->host};
	struct status_update r = {.id = j->entry->id,
	    .number = j->number,
	    .outcome = j->outcome,
	    .attempts = j->tries,
	    .next_ms = j->next_ms,
	    .marks = j->marks,
	    .from_relay = j->from_relay,
	    .job = m->attempt_id};

	d.address = m->address;
	d.at_ms = j->attempt_ms;
	d.found_ms = j->found_ms;
	log_outcome(j);
	r.is_owed = reports_is_owed(j->entry, j->number, j->outcome, j->marks);
	status_updates_put(j->queue, &r, &d);
	if (r.is_owed)
		queued_recipient_owe_report(j->entry, j->number, j->outcome, j->marks);
	else
		queued_recipient_set_outcome(
		    &j->queue->book, j->entry, j->number, j->outcome, j->marks);
}

/* One that came as far as a connection is a try.  A host that is busy does not make the next pause
 * longer, nor does what is wrong here. */
static void
outcomes_count_attempt(struct outcome_decision *j)
{
	const struct delivery *s = delivery_of_recipient(j->entry, j->number);

	j->tries = s->parcel.tries + outcome_is_connected(j->result);
	j->pauses = s->pauses + (j->job ? j->job->is_tried : outcome_is_tried(j->result));
	j->attempt_ms = j->now_ms;
}

static void
decide_and_record_outcome(struct outcome_decision *j)
{
	j->now_ms = clock_ms();
	if (j->from_relay)
		outcomes_count_attempt(j);
	decide_outcome(j);
	record_outcome(j);
}

/* ---- from relay ---- */

/* What the attempt tells about the site.  A session that breaks after MAIL says nothing about it,
 * for the message may be the reason; so with silence, but that costs the site its slots. */
static void
note_destination(struct dispatch_attempt *job, const struct message_result *m)
{
	bool is_silent = str_eq(m->reason, STR("timeout"));

	if (outcome_is_local(m))
		return;
	if (!m->was_ready) {
		job->is_away |= smtp_status_is_temporary(&m->status);
	} else if (outcome_is_busy(m)) {
		job->is_busy = true;
	} else {
		job->is_silent |= is_silent;
		job->is_reached |= !is_silent && !str_eq(m->reason, STR("lost"));
	}
	if (job->is_away || job->is_busy)
		job->status = m->status;
}

static void
note_in_attempt(
    struct dispatch_attempt *job, struct queued_recipient *a, const struct message_result *m)
{
	if (!a->is_expected)
		return;
	a->is_expected = false;
	job->expected--;
	job->is_deferred |= smtp_status_is_temporary(&m->status);
	job->is_tried |= outcome_is_tried(m);
	job->is_connected |= outcome_is_connected(m);
	note_destination(job, m);
}

/* A result of a job that is not known here any more. */
static void
reschedule_delivery(struct queue *q, struct queued_message *e, const struct outcome_decision *j)
{
	struct delivery *s = delivery_of_recipient(e, j->number);

	if (s->job)
		return;
	if (j->outcome == SPOOL_DEFERRED && s->parcel.due_ms <= j->now_ms) {
		s->parcel.tries = (uint16_t)j->tries;
		s->pauses = (uint16_t)j->pauses;
	}
	schedule_remove(q->schedule, &s->parcel);
	queue_schedule(q, s, j->outcome == SPOOL_DEFERRED ? j->next_ms : s->parcel.due_ms);
}

static bool
is_undecided(const struct queued_recipient *a)
{
	return a && queued_recipient_is_open(a);
}

/* Of a job that a queue before us handed out, or that came too late; not of one that said already
 * what became of this recipient. */
static bool
is_of_lost_attempt(const struct queue *q, struct queued_message *e, const struct message_result *m)
{
	const struct delivery *s = delivery_of_recipient(e, m->recipient);

	return (!q->is_caught_up || s->late_job == m->attempt_id) &&
	       !e->addressees[m->recipient - 1].is_expected &&
	       ticket_is_right(q, m->attempt_id, s, m->ticket);
}

/* Not believed; relay is to forget it. */
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

/* what: without "damaged: ". */
static void
report_held_message(const struct queue *q, const struct queued_message *e, const char *what)
{
	char id[ID_NUMBER_TEXT_BYTES], until[CLOCK_TEXT_BYTES], text[HELD_TEXT_BYTES];

	msgid_text(e->id, 0, id);
	if (lifetime_is_over(e->expires_ms, false, clock_ms()))
		snprintf(text, sizeof text,
		    "message %s cannot be sent: %s; its life (queue.lifetime) is over, and its "
		    "sender is told", id, what);
	else
		snprintf(text, sizeof text,
		    "message %s is held: %s; `sallyport queue release %s` tries once more, "
		    "`sallyport queue delete %s` gives it up; else its sender is told at %s "
		    "(queue.lifetime)", id, what, id, id,
		    clock_iso(e->expires_ms, until));
	log_error("%s", text);
	role_alert(q->role, NOTICE_MESSAGES, str_of(id), "%s", text);
}

void
outcomes_hold_damaged(struct queue *q, struct queued_message *e, int error)
{
	struct spool_entry entry = {.kind = SPOOL_HOLD, .id = e->id};
	struct spool_batch batch = {.entries = &entry, .count = 1, .urgency = SPOOL_LAZY};
	char id[ID_NUMBER_TEXT_BYTES], room[SPOOL_FAULT_HELD_REASON_BYTES];
	const char *why = spool_fault_held_reason(e->id, error, room);

	/* the operator's reason stays: after a release the damage is found again */
	if (queued_message_is_operator_held(e))
		return;
	entry.hold.is_held = true;
	entry.hold.why = str_of(why);
	msgid_text(e->id, 0, id);
	if (spool_append(q->spool, &batch) != 0)
		log_warn("spool: the hold of message %s cannot be stored: %m; the next start holds "
			 "it again", id);
	queued_message_hold(&q->book, e, true);
	e->is_damaged = true;
	for (size_t i = 0; i < e->shipment_count; i++)
		if (!e->shipments[i].job)
			schedule_remove(q->schedule, &e->shipments[i].parcel);
	report_held_message(q, e, why + strlen("damaged: "));
}

static void
take_attempt_outcome(struct queue *q, struct dispatch_attempt *job, const struct message_result *m)
{
	struct queued_message *e = job->shipment->entry;
	struct queued_recipient *a = queued_message_recipient(e, m->recipient);
	struct outcome_decision j = {
	    .queue = q, .entry = e, .number = m->recipient, .result = m, .job = job};

	j.from_relay = true;
	note_in_attempt(job, a, m);
	job->shipment->unanswered_ms = 0;
	if (is_undecided(a))
		decide_and_record_outcome(&j);
	else
		status_updates_acknowledge(q, m->attempt_id, m->id, m->recipient);
	if (outcome_is_damaged(m) && !e->is_held)
		body_recheck_begin(q, e);
	if (m->is_last || job->expected == 0)
		dispatch_attempt_end(job);
	else
		dispatch_deadline_renew(job);
}

static void
take_late_outcome(struct queue *q, struct queued_message *e, const struct message_result *m)
{
	struct queued_recipient *a = queued_message_recipient(e, m->recipient);
	struct outcome_decision j = {
	    .queue = q, .entry = e, .number = m->recipient, .result = m, .from_relay = true};

	if (!is_undecided(a)) {
		status_updates_acknowledge(q, m->attempt_id, m->id, m->recipient); /* told again */
		return;
	}
	if (!is_of_lost_attempt(q, e, m)) {
		refuse_outcome(q, m);
		return;
	}
	decide_and_record_outcome(&j);
	reschedule_delivery(q, e, &j);
	queue_finish_message(q, e);
}

/* It ends, and has not begun with the job. */
static bool
outcome_is_relay_stopping(const struct message_result *m)
{
	return str_eq(m->reason, STR("stopping"));
}

/* Relay could not make out which message the job is for, or whom, or it is about to end: that is no
 * attempt. */
static void
attempt_not_understood(struct dispatch_attempt *job, const struct message_result *m)
{
	char id[ID_NUMBER_TEXT_BYTES];

	status_updates_acknowledge(job->queue, m->attempt_id, m->id, m->recipient);
	if (!m->is_last)
		return;
	if (outcome_is_relay_stopping(m)) {
		dispatch_attempt_requeue(job, "relay_stops");
		return;
	}
	log_error("relay could not read job %llu of message %s: %s; it is tried again later",
	    (unsigned long long)m->attempt_id, msgid_text(m->id, 0, id), m->status.text);
	if (job->shipment)
		job->shipment->unanswered_ms = clock_ms();
	job->is_deferred = true;
	dispatch_attempt_end(job);
}

/* The message was deleted, or all of it was settled otherwise. */
static void
take_deleted_outcome(struct queue *q, struct dispatch_attempt *job, const struct message_result *m)
{
	if (job->is_deleted && smtp_status_is_ok(&m->status))
		outcome_log_deleted(m);
	status_updates_acknowledge(q, m->attempt_id, m->id, m->recipient);
	if (m->is_last)
		dispatch_attempt_end(job);
}

/* Told again to this queue: the one before it settled the message, or deleted it. */
static void
take_unknown_outcome(struct queue *q, const struct message_result *m)
{
	outcome_log_unknown(m);
	status_updates_acknowledge(q, m->attempt_id, m->id, m->recipient);
}

/* Believed is only what the job was sent for and did not tell yet.  The message may be gone. */
void
outcomes_handle(struct queue *q, const struct message_result *m)
{
	struct queued_message *e = queued_find(&q->book, m->id);
	struct queued_recipient *a = e ? queued_message_recipient(e, m->recipient) : NULL;
	struct dispatch_attempt *job = dispatch_attempt_find(q, m->attempt_id);

	metrics_work_id("result", m->id);
	if (job && !job->is_sent)
		job = NULL;
	if (job && (m->recipient == 0 || m->id.session == 0))
		attempt_not_understood(job, m);
	else if (job && a && delivery_of_recipient(e, m->recipient) == job->shipment &&
	         a->is_expected)
		take_attempt_outcome(q, job, m);
	else if (a)
		take_late_outcome(q, e, m);
	else if (job && !job->shipment && msgid_eq(m->id, job->id))
		take_deleted_outcome(q, job, m);
	else if (!e && !q->is_caught_up)
		take_unknown_outcome(q, m);
	else
		refuse_outcome(q, m);
}

/* ---- without an attempt ---- */

/* A site that could not be found makes the next pause longer, but is no try. */
static void
decide_all_outcomes(struct queue *q, struct delivery *s, const struct message_result *m,
    const struct schedule_step *step)
{
	struct queued_message *e = s->entry;

	if (step->act != SCHEDULE_EXPIRE)
		s->pauses++;
	for (uint32_t i = 1; i <= e->addressee_count; i++) {
		struct outcome_decision j = {.queue = q, .entry = e, .number = i, .result = m};
		struct last_attempt last = {0};

		if (delivery_of_recipient(e, i) != s || !is_undecided(&e->addressees[i - 1]))
			continue;
		(void)!status_updates_last_attempt(q, e->id, i, &last);
		j.is_end = step->act == SCHEDULE_EXPIRE;
		j.tries = s->parcel.tries;
		j.pauses = s->pauses;
		j.attempt_ms = last.at_ms;
		j.found_ms = step->act == SCHEDULE_REFUSE ? 0 : step->found_ms;
		decide_and_record_outcome(&j);
	}
	if (s->open)
		queue_schedule(q, s, lifetime_next_ms(e->expires_ms,
			schedule_backoff_ms(q->schedule, s->pauses), clock_ms()));
	reports_check(q, e);
	queue_finish_message(q, e);
}

void
outcomes_unsent(struct queue *q, struct delivery *s, const struct schedule_step *step)
{
	struct message_result m = {.reason = step->site.n ? STR("site_away") : STR("dns")};

	if (step->status)
		m.status = *step->status;
	else
		m.status = smtp_status_make(451, "4.4.7", "No attempt was possible in time");
	decide_all_outcomes(q, s, &m, step);
}

void
outcomes_expire(struct queue *q, struct delivery *s, const struct smtp_status *status)
{
	struct message_result m = {.reason = STR("local"), .status = *status};

	decide_all_outcomes(q, s, &m, &(struct schedule_step){.act = SCHEDULE_EXPIRE});
}

/* ---- what cannot be read ---- */

/* A moment's trouble of the disk or of the process: not an attempt, and nobody is told. */
void
outcomes_wait_for_content(struct queue *q, struct delivery *s, int error)
{
	int64_t wait_ms = UNREADABLE_FIRST_MS, next_ms;
	char stamp[CLOCK_TEXT_BYTES];
	struct log_line l;

	for (unsigned n = 0; n < s->unreadable && wait_ms < UNREADABLE_MAX_MS; n++)
		wait_ms *= 2;
	wait_ms = wait_ms < UNREADABLE_MAX_MS ? wait_ms : UNREADABLE_MAX_MS;
	if (s->unreadable < UINT8_MAX)
		s->unreadable++;
	next_ms = lifetime_next_ms(s->entry->expires_ms, wait_ms, clock_ms());
	log_begin(&l, LOG_ERR, "deliver");
	log_id(&l, s->entry->id, 0);
	log_str(&l, "status", STR("deferred"));
	log_str(&l, "reason", STR("unreadable"));
	log_str(&l, "domain", delivery_domain(s));
	log_str(&l, "next", str_of(clock_iso(next_ms, stamp)));
	log_quoted(&l, "error", str_of(spool_fault_text(error)));
	log_end(&l);
	queue_schedule(q, s, next_ms);
}

void
outcomes_unreadable(struct dispatch_attempt *job, int error)
{
	struct queue *q = job->queue;
	struct delivery *s = job->shipment;
	bool is_body_lost = job->reading.is_of_body && spool_fault_of_body(error);

	dispatch_detach_delivery(s);
	schedule_finished(q->schedule, &s->parcel, SCHEDULE_UNKNOWN, NULL, clock_ms());
	dispatch_attempt_end(job);
	/* what comes of that is told by lost_content_stored */
	if (s->entry->is_being_lost)
		return;
	if (error == ENOENT || is_body_lost)
		outcomes_hold_damaged(q, s->entry, error);
	else if (error == EBADMSG)
		lost_content_in_delivery(q, s->entry);
	else
		outcomes_wait_for_content(q, s, error);
}
