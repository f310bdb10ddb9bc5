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

struct judgement {
	struct queue *queue;
	struct entry *entry;
	uint32_t number;
	const struct message_result *result;
	const struct job *job; /* that tells it; NULL: it is not known any more, or none */
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

static struct shipment *
shipment_of(struct entry *e, uint32_t number)
{
	return &e->shipments[e->addressees[number - 1].shipment];
}

/* ---- the log ---- */

static void
log_judgement(const struct judgement *j)
{
	const struct message_result *m = j->result;
	bool is_sent = j->outcome == SPOOL_DONE, is_deferred = j->outcome == SPOOL_DEFERRED;
	char code[STATUS_ENHANCED_BYTES], stamp[CLOCK_TEXT_BYTES];
	struct log_line l;

	log_begin(&l, is_sent || is_deferred ? LOG_INFO : LOG_NOTICE, "deliver");
	log_id(&l, j->entry->id, j->number);
	log_str(&l, "status",
	    is_sent       ? STR("sent")
	    : is_deferred ? STR("deferred")
	                  : STR("failed"));
	log_str(&l, "reason", j->marks & MARK_EXPIRED ? STR("expired") : m->reason);
	log_num(&l, "code", m->status.code);
	log_str(&l, "dsn", str_of(status_enhanced(&m->status, code)));
	log_addr(&l, "to", entry_address(j->entry, j->number));
	log_num(&l, "try", j->tries);
	result_log_other_side(&l, m);
	log_seconds(&l, "delay", j->now_ms - j->entry->arrival_ms);
	if (is_deferred)
		log_str(&l, "next", str_of(clock_iso(j->next_ms, stamp)));
	log_quoted(&l, "reply", str_of(m->status.text));
	log_end(&l);
}

/* ---- one recipient ---- */

static void
judge(struct judgement *j)
{
	const struct status *s = &j->result->status;
	bool is_held = entry_is_held_by_operator(j->entry);

	if (status_is_ok(s)) {
		j->outcome = SPOOL_DONE;
		j->marks = (j->result->dsn_passed_on ? MARK_PASSED_ON : 0) |
			   (j->result->is_delivered ? MARK_FINAL : 0);
	} else if (status_is_permanent(s)) {
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
apply(struct judgement *j)
{
	const struct message_result *m = j->result;
	struct detail d = {.status = m->status, .reason = m->reason, .host = m->host};
	struct record_result r = {.id = j->entry->id,
	    .number = j->number,
	    .outcome = j->outcome,
	    .attempts = j->tries,
	    .next_ms = j->next_ms,
	    .marks = j->marks,
	    .from_relay = j->from_relay,
	    .job = m->job};

	d.address = m->address;
	d.at_ms = j->attempt_ms;
	d.found_ms = j->found_ms;
	log_judgement(j);
	r.is_owed = reports_is_owed(j->entry, j->number, j->outcome, j->marks);
	records_put(j->queue, &r, &d);
	if (r.is_owed)
		entry_owe(j->entry, j->number, j->outcome, j->marks);
	else
		entry_settle(&j->queue->book, j->entry, j->number, j->outcome, j->marks);
}

/* One that came as far as a connection is a try.  A host that is busy does not make the next pause
 * longer, nor does what is wrong here. */
static void
results_count_attempt(struct judgement *j)
{
	const struct shipment *s = shipment_of(j->entry, j->number);

	j->tries = s->parcel.tries + result_is_connected(j->result);
	j->pauses = s->pauses + (j->job ? j->job->is_tried : result_is_tried(j->result));
	j->attempt_ms = j->now_ms;
}

static void
decide(struct judgement *j)
{
	j->now_ms = clock_ms();
	if (j->from_relay)
		results_count_attempt(j);
	judge(j);
	apply(j);
}

/* ---- from relay ---- */

/* What the attempt tells about the site.  A session that breaks after MAIL says nothing about it,
 * for the message may be the reason; so with silence, but that costs the site its slots. */
static void
note_site(struct job *job, const struct message_result *m)
{
	bool is_silent = str_eq(m->reason, STR("timeout"));

	if (result_is_local(m))
		return;
	if (!m->was_ready) {
		job->is_away |= status_is_temporary(&m->status);
	} else if (result_is_busy(m)) {
		job->is_busy = true;
	} else {
		job->is_silent |= is_silent;
		job->is_reached |= !is_silent && !str_eq(m->reason, STR("lost"));
	}
	if (job->is_away || job->is_busy)
		job->status = m->status;
}

static void
note_in_job(struct job *job, struct addressee *a, const struct message_result *m)
{
	if (!a->is_expected)
		return;
	a->is_expected = false;
	job->expected--;
	job->is_deferred |= status_is_temporary(&m->status);
	job->is_tried |= result_is_tried(m);
	job->is_connected |= result_is_connected(m);
	note_site(job, m);
}

/* A result of a job that is not known here any more. */
static void
reschedule(struct queue *q, struct entry *e, const struct judgement *j)
{
	struct shipment *s = shipment_of(e, j->number);

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
is_undecided(const struct addressee *a)
{
	return a && addressee_is_open(a);
}

/* Of a job that a queue before us handed out, or that came too late; not of one that said already
 * what became of this recipient. */
static bool
is_of_lost_job(const struct queue *q, struct entry *e, const struct message_result *m)
{
	const struct shipment *s = shipment_of(e, m->recipient);

	return (!q->is_caught_up || s->late_job == m->job) &&
	       !e->addressees[m->recipient - 1].is_expected &&
	       ticket_is_right(q, m->job, s, m->ticket);
}

/* Not believed; relay is to forget it. */
static void
refuse_result(struct queue *q, const struct message_result *m)
{
	struct log_line l;

	log_begin(&l, LOG_WARNING, "result refused");
	log_id(&l, m->id, m->recipient);
	log_quoted(&l, "text",
	    STR("relay reports a result of a delivery that it was not given: it is ignored"));
	log_num(&l, "code", m->status.code);
	log_end(&l);
	records_tell(q, m->job, m->id, m->recipient);
}

/* what: without "damaged: ". */
static void
tell_held(const struct queue *q, const struct entry *e, const char *what)
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
results_hold_damaged(struct queue *q, struct entry *e, int error)
{
	struct spool_entry entry = {.kind = SPOOL_HOLD, .id = e->id};
	struct spool_batch batch = {.entries = &entry, .count = 1, .urgency = SPOOL_LAZY};
	char id[ID_NUMBER_TEXT_BYTES], room[FINDING_HELD_WHY_BYTES];
	const char *why = finding_held_why(e->id, error, room);

	/* the operator's reason stays: after a release the damage is found again */
	if (entry_is_held_by_operator(e))
		return;
	entry.hold.is_held = true;
	entry.hold.why = str_of(why);
	msgid_text(e->id, 0, id);
	if (spool_append(q->spool, &batch) != 0)
		log_warn("spool: the hold of message %s cannot be stored: %m; the next start holds "
			 "it again", id);
	entry_hold(&q->book, e, true);
	e->is_damaged = true;
	for (size_t i = 0; i < e->shipment_count; i++)
		if (!e->shipments[i].job)
			schedule_remove(q->schedule, &e->shipments[i].parcel);
	tell_held(q, e, why + strlen("damaged: "));
}

static void
take_from_job(struct queue *q, struct job *job, const struct message_result *m)
{
	struct entry *e = job->shipment->entry;
	struct addressee *a = entry_addressee(e, m->recipient);
	struct judgement j = {
	    .queue = q, .entry = e, .number = m->recipient, .result = m, .job = job};

	j.from_relay = true;
	note_in_job(job, a, m);
	job->shipment->unanswered_ms = 0;
	if (is_undecided(a))
		decide(&j);
	else
		records_tell(q, m->job, m->id, m->recipient);
	if (result_is_damaged(m) && !e->is_held)
		reread_begin(q, e);
	if (m->is_last || job->expected == 0)
		job_end(job);
	else
		deadline_renew(job);
}

static void
take_without_job(struct queue *q, struct entry *e, const struct message_result *m)
{
	struct addressee *a = entry_addressee(e, m->recipient);
	struct judgement j = {
	    .queue = q, .entry = e, .number = m->recipient, .result = m, .from_relay = true};

	if (!is_undecided(a)) {
		records_tell(q, m->job, m->id, m->recipient); /* told again */
		return;
	}
	if (!is_of_lost_job(q, e, m)) {
		refuse_result(q, m);
		return;
	}
	decide(&j);
	reschedule(q, e, &j);
	queue_end(q, e);
}

/* It ends, and has not begun with the job. */
static bool
result_is_of_end(const struct message_result *m)
{
	return str_eq(m->reason, STR("stopping"));
}

/* Relay could not make out which message the job is for, or whom, or it is about to end: that is no
 * attempt. */
static void
job_not_understood(struct job *job, const struct message_result *m)
{
	char id[ID_NUMBER_TEXT_BYTES];

	records_tell(job->queue, m->job, m->id, m->recipient);
	if (!m->is_last)
		return;
	if (result_is_of_end(m)) {
		job_put_back(job, "relay_stops");
		return;
	}
	log_error("relay could not read job %llu of message %s: %s; it is tried again later",
	    (unsigned long long)m->job, msgid_text(m->id, 0, id), m->status.text);
	if (job->shipment)
		job->shipment->unanswered_ms = clock_ms();
	job->is_deferred = true;
	job_end(job);
}

/* The message was deleted, or all of it was settled otherwise. */
static void
take_of_gone(struct queue *q, struct job *job, const struct message_result *m)
{
	if (job->is_deleted && status_is_ok(&m->status))
		result_log_deleted(m);
	records_tell(q, m->job, m->id, m->recipient);
	if (m->is_last)
		job_end(job);
}

/* Told again to this queue: the one before it settled the message, or deleted it. */
static void
take_of_unknown(struct queue *q, const struct message_result *m)
{
	result_log_unknown(m);
	records_tell(q, m->job, m->id, m->recipient);
}

/* Believed is only what the job was sent for and did not tell yet.  The message may be gone. */
void
results_take(struct queue *q, const struct message_result *m)
{
	struct entry *e = book_find(&q->book, m->id);
	struct addressee *a = e ? entry_addressee(e, m->recipient) : NULL;
	struct job *job = job_find(q, m->job);

	metrics_work_id("result", m->id);
	if (job && !job->is_sent)
		job = NULL;
	if (job && (m->recipient == 0 || m->id.session == 0))
		job_not_understood(job, m);
	else if (job && a && shipment_of(e, m->recipient) == job->shipment && a->is_expected)
		take_from_job(q, job, m);
	else if (a)
		take_without_job(q, e, m);
	else if (job && !job->shipment && msgid_eq(m->id, job->id))
		take_of_gone(q, job, m);
	else if (!e && !q->is_caught_up)
		take_of_unknown(q, m);
	else
		refuse_result(q, m);
}

/* ---- without an attempt ---- */

/* A site that could not be found makes the next pause longer, but is no try. */
static void
decide_all(struct queue *q, struct shipment *s, const struct message_result *m,
    const struct schedule_step *step)
{
	struct entry *e = s->entry;

	if (step->act != SCHEDULE_EXPIRE)
		s->pauses++;
	for (uint32_t i = 1; i <= e->addressee_count; i++) {
		struct judgement j = {.queue = q, .entry = e, .number = i, .result = m};
		struct detail last = {0};

		if (shipment_of(e, i) != s || !is_undecided(&e->addressees[i - 1]))
			continue;
		(void)!records_last(q, e->id, i, &last);
		j.is_end = step->act == SCHEDULE_EXPIRE;
		j.tries = s->parcel.tries;
		j.pauses = s->pauses;
		j.attempt_ms = last.at_ms;
		j.found_ms = step->act == SCHEDULE_REFUSE ? 0 : step->found_ms;
		decide(&j);
	}
	if (s->open)
		queue_schedule(q, s, lifetime_next_ms(e->expires_ms,
			schedule_backoff_ms(q->schedule, s->pauses), clock_ms()));
	reports_check(q, e);
	queue_end(q, e);
}

void
results_unsent(struct queue *q, struct shipment *s, const struct schedule_step *step)
{
	struct message_result m = {.reason = step->site.n ? STR("site_away") : STR("dns")};

	if (step->status)
		m.status = *step->status;
	else
		m.status = status_make(451, "4.4.7", "No attempt was possible in time");
	decide_all(q, s, &m, step);
}

void
results_expire(struct queue *q, struct shipment *s, const struct status *status)
{
	struct message_result m = {.reason = STR("local"), .status = *status};

	decide_all(q, s, &m, &(struct schedule_step){.act = SCHEDULE_EXPIRE});
}

/* ---- what cannot be read ---- */

/* A moment's trouble of the disk or of the process: not an attempt, and nobody is told. */
void
results_wait_for_content(struct queue *q, struct shipment *s, int error)
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
	log_str(&l, "domain", shipment_domain(s));
	log_str(&l, "next", str_of(clock_iso(next_ms, stamp)));
	log_quoted(&l, "error", str_of(finding_text(error)));
	log_end(&l);
	queue_schedule(q, s, next_ms);
}

void
results_unreadable(struct job *job, int error)
{
	struct queue *q = job->queue;
	struct shipment *s = job->shipment;
	bool is_body_lost = job->reading.is_of_body && finding_of_body(error);

	job_orphan(s);
	schedule_finished(q->schedule, &s->parcel, SCHEDULE_LOST, NULL, clock_ms());
	job_end(job);
	/* what comes of that is told by damage_stored */
	if (s->entry->is_being_lost)
		return;
	if (error == ENOENT || is_body_lost)
		results_hold_damaged(q, s->entry, error);
	else if (error == EBADMSG)
		damage_end(q, s->entry);
	else
		results_wait_for_content(q, s, error);
}
