/*
 * dispatch: see the header.
 */
#include "queue/dispatch.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "queue/dispatch_deadlines.h"
#include "queue/dispatch_log.h"
#include "queue/lifetime.h"
#include "queue/outcomes.h"
#include "queue/reports.h"
#include "queue/ticket_key.h"

enum {
	STEPS_PER_TURN = 128,
	ATTEMPTS_READING_MAX = 64,       /* deliveries whose message is being read */
	RELAY_WAITING_MAX = 8 << 20, /* bytes that relay has not taken: enough for now */
	NUMBERS_BYTES_MAX = 4 * SPOOL_RECIPIENTS_MAX,
};

void
dispatch_init(struct queue *q)
{
	q->jobs = map_new();
	q->last_job = (uint64_t)clock_ms() << 20;
}

static struct str
dispatch_attempt_key(const uint64_t *number)
{
	return str_make((const char *)number, sizeof *number);
}

struct dispatch_attempt *
dispatch_attempt_find(const struct queue *q, uint64_t number)
{
	return map_get(q->jobs, dispatch_attempt_key(&number));
}

static struct dispatch_attempt *
dispatch_attempt_new(struct queue *q, uint64_t number, struct delivery *s)
{
	struct dispatch_attempt *job = MEM_NEW(struct dispatch_attempt);

	job->number = number;
	job->queue = q;
	job->id = s->entry->id;
	job->shipment = s;
	s->job = job;
	map_put(q->jobs, dispatch_attempt_key(&job->number), job);
	dispatch_deadline_begin(job);
	return job;
}

/* The next deliveries may be begun. */
static void
dispatch_attempt_read_done(struct dispatch_attempt *job)
{
	if (job->queue->reading_jobs-- == ATTEMPTS_READING_MAX)
		queue_wake(job->queue);
}

static void
dispatch_attempt_free(struct dispatch_attempt *job)
{
	dispatch_deadline_end(job);
	map_remove(job->queue->jobs, dispatch_attempt_key(&job->number));
	if (spool_is_reading(&job->reading)) {
		spool_read_cancel(&job->reading);
		dispatch_attempt_read_done(job);
	}
	if (job->shipment)
		job->shipment->job = NULL;
	mem_free(job);
}

void
dispatch_detach_delivery(struct delivery *s)
{
	if (!s->job)
		return;
	s->job->shipment = NULL;
	s->job = NULL;
}

/* ---- an end ---- */

static void
clear_expected_results(struct delivery *s)
{
	struct queued_message *e = s->entry;

	for (uint32_t i = 0; i < e->addressee_count; i++)
		if (&e->shipments[e->addressees[i].shipment] == s)
			e->addressees[i].is_expected = false;
}

static int64_t
next_due(
    const struct queue *q, struct delivery *s, const struct dispatch_attempt *job, int64_t now_ms)
{
	struct lifetime_attempt j = {.expires_ms = s->parcel.expires_ms,
	    .pause_ms = schedule_backoff_ms(q->schedule, s->pauses),
	    .pauses = s->pauses,
	    .is_deferred = job->is_deferred,
	    .is_tried = job->is_tried};

	if (now_ms < j.expires_ms || job->is_deferred || job->is_tried)
		s->put_backs = 0;
	else if (s->put_backs < UINT8_MAX)
		s->put_backs++;
	j.put_backs = s->put_backs;
	return lifetime_after_attempt_ms(&j, now_ms);
}

/* Back into the schedule with what is still open. */
static void
return_to_schedule(struct dispatch_attempt *job, enum schedule_outcome outcome)
{
	struct queue *q = job->queue;
	struct delivery *s = job->shipment;
	int64_t now = clock_ms();

	clear_expected_results(s);
	s->job = NULL;
	job->shipment = NULL;
	schedule_finished(
	    q->schedule, &s->parcel, outcome, job->status.code ? &job->status : NULL, now);
	s->pauses = (uint16_t)(s->pauses + job->is_tried);
	s->parcel.tries = (uint16_t)(s->parcel.tries + job->is_connected);
	queue_schedule(q, s, next_due(q, s, job, now));
}

static enum schedule_outcome
dispatch_attempt_outcome(const struct dispatch_attempt *job)
{
	if (job->is_busy)
		return SCHEDULE_BUSY;
	if (job->is_reached)
		return SCHEDULE_REACHED;
	if (job->is_away)
		return SCHEDULE_UNREACHABLE;
	return job->is_silent ? SCHEDULE_SILENT : SCHEDULE_UNKNOWN;
}

void
dispatch_attempt_end(struct dispatch_attempt *job)
{
	struct queue *q = job->queue;
	struct queued_message *e = job->shipment ? job->shipment->entry : NULL;

	if (e)
		return_to_schedule(job, dispatch_attempt_outcome(job));
	dispatch_attempt_free(job);
	if (e) {
		reports_check(q, e);
		queue_finish_message(q, e);
	}
	queue_check_stopped(q);
	queue_wake(q);
}

void
dispatch_attempt_give_up(struct dispatch_attempt *job)
{
	if (!job->shipment) {
		dispatch_attempt_free(job);
		return;
	}
	if (job->is_sent) {
		job->shipment->late_job = job->number;
		job->shipment->unanswered_ms = clock_ms();
	} else if (job->shipment->unreadable < UINT8_MAX) {
		job->shipment->unreadable++;
	}
	job->is_tried |= job->is_sent;
	job->is_connected |= job->is_sent;
	job->is_deferred = true;
	dispatch_attempt_end(job);
}

/* Nothing was said of it to any host: that is no attempt. */
void
dispatch_attempt_requeue(struct dispatch_attempt *job, const char *why)
{
	dispatch_log_open(job, LOG_INFO, "put_back", why);
	dispatch_attempt_end(job);
}

/* ---- to relay ---- */

static bool
is_wanted(const struct delivery *s, const struct queued_recipient *a)
{
	return &s->entry->shipments[a->shipment] == s && queued_recipient_is_open(a);
}

static void
list_numbers(struct dispatch_attempt *job, struct buf *out)
{
	struct delivery *s = job->shipment;

	for (uint32_t i = 0; i < s->entry->addressee_count; i++) {
		struct queued_recipient *a = &s->entry->addressees[i];
		uint32_t number = i + 1;

		if (!is_wanted(s, a))
			continue;
		buf_add(out, &number, sizeof number);
		a->is_expected = true;
		job->expected++;
	}
}

static bool
send_attempt(struct dispatch_attempt *job, const struct spool_content *content)
{
	struct queue *q = job->queue;
	struct delivery *s = job->shipment;
	struct schedule_info info;
	struct message_deliver m = {.attempt_id = job->number,
	    .domain = delivery_domain(s),
	    .envelope = content->envelope,
	    .header = content->header,
	    .body_in_file = content->fd >= 0,
	    .body = content->body,
	    .sums = content->sums,
	    .attempt = s->parcel.tries + 1u,
	    .ticket = ticket_of(q, job->number, s)};
	struct buf numbers;
	bool ok;

	buf_init(&numbers, NUMBERS_BYTES_MAX);
	list_numbers(job, &numbers);
	schedule_explain(q->schedule, &s->parcel, &info);
	m.destination = info.site;
	m.numbers = buf_str(&numbers);
	ok = q->relay && channel_send(q->relay->channel, MESSAGE_DELIVER, &m, content->fd) == 0;
	buf_clear(&numbers);
	return ok;
}

static void
dispatch_attempt_mark_sent(struct dispatch_attempt *job)
{
	job->is_sent = true;
	job->shipment->unreadable = 0;
}

static void
dispatch_message_read(const struct spool_content *content, int error, void *arg)
{
	struct dispatch_attempt *job = arg;

	dispatch_attempt_read_done(job);
	if (!job->shipment || job->shipment->open == 0 || job->shipment->entry->is_held)
		dispatch_attempt_end(job);
	else if (error || job->shipment->entry->is_being_lost)
		outcomes_unreadable(job, error);
	else if (send_attempt(job, content))
		dispatch_attempt_mark_sent(job);
	else
		dispatch_attempt_requeue(job, "relay_away");
}

static void
expire_overdue_delivery(struct queue *q, struct delivery *s, int64_t now_ms)
{
	struct smtp_status status = smtp_status_make(451, "4.3.0", "No delivery attempt ended");
	struct schedule_step step = {.act = SCHEDULE_EXPIRE, .status = &status};

	schedule_finished(q->schedule, &s->parcel, SCHEDULE_UNKNOWN, NULL, now_ms);
	outcomes_unsent(q, s, &step);
}

static void
begin_delivery(struct queue *q, struct delivery *s)
{
	int64_t now = clock_ms();
	struct dispatch_attempt *job;

	if (!lifetime_may_begin(s->parcel.expires_ms, s->unanswered_ms, now)) {
		expire_overdue_delivery(q, s, now);
		return;
	}
	job = dispatch_attempt_new(q, ++q->last_job, s);
	metrics_work_id("read for delivery", job->id);
	q->reading_jobs++;
	spool_read(q->spool, &job->reading, job->id, dispatch_message_read, job);
}

/* ---- sites ---- */

struct dispatch_destination_query {
	LIST_ENTRY(dispatch_destination_query) link;
	struct request request;
	struct queue *queue;
	size_t n;
	char domain[];
};

/* A domain that was asked for in vain is asked for again later, as after a failure of DNS. */
static void
destination_unanswered(const struct dispatch_destination_query *ask, enum request_end end)
{
	struct str domain = str_make(ask->domain, ask->n);
	struct queue *q = ask->queue;
	struct smtp_status status =
	    smtp_status_make(451, "4.4.3", "The route could not be found in time");
	struct schedule_answer answer = {STR_NULL, &status, 0};
	char text[REQUEST_TEXT_BYTES];

	log_warn("no route to %.*s is known, it is asked for again later: %s", STR_ARG(domain),
	    request_text("relay", &ask->request, end, text));
	schedule_answered(q->schedule, domain, &answer, clock_ms());
}

/* A relay that is lost answers none: dispatch_relay_lost has all of them asked again. */
static void
dispatch_destination_answered(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct dispatch_destination_query *ask = arg;
	struct queue *q = ask->queue;
	struct str domain = str_make(ask->domain, ask->n);
	const struct message_destination *m;
	struct schedule_answer answer;

	if (end == REQUEST_ANSWERED) {
		m = &p->message->destination;
		answer = (struct schedule_answer){m->destination, &m->status, m->ttl_s};
		schedule_answered(q->schedule, domain, &answer, clock_ms());
	} else if (end != REQUEST_LOST) {
		destination_unanswered(ask, end);
	}
	queue_wake(q);
	LIST_REMOVE(ask, link);
	mem_free(ask);
}

static void
ask_destination(struct queue *q, struct str domain)
{
	struct message_destination_ask m = {.domain = domain};
	struct dispatch_destination_query *ask = mem_new(sizeof *ask + domain.n);

	ask->queue = q;
	ask->n = domain.n;
	memcpy(ask->domain, domain.p, domain.n);
	LIST_INSERT_HEAD(&q->questions, ask, link);
	request_init(&ask->request, dispatch_destination_answered, ask);
	request_ask(&ask->request, q->relay->channel, MESSAGE_DESTINATION_ASK, &m);
}

static void
do_schedule_step(struct queue *q, const struct schedule_step *step)
{
	switch (step->act) {
	case SCHEDULE_RESOLVE:
		ask_destination(q, step->domain);
		break;
	case SCHEDULE_DELIVER:
		begin_delivery(q, (struct delivery *)step->parcel);
		break;
	case SCHEDULE_REFUSE:
	case SCHEDULE_DEFER:
	case SCHEDULE_EXPIRE:
		outcomes_unsent(q, (struct delivery *)step->parcel, step);
		break;
	case SCHEDULE_NOTHING:
		break;
	}
}

static bool
may_schedule(struct queue *q)
{
	return q->relay && q->is_caught_up && q->tickets.is_durable && !q->is_stopping &&
	       q->reading_jobs < ATTEMPTS_READING_MAX &&
	       channel_waiting(q->relay->channel) <= RELAY_WAITING_MAX &&
	       schedule_wake_ms(q->schedule) <= clock_ms() && storage_check_may_deliver(q);
}

bool
dispatch_run_schedule(struct queue *q)
{
	struct schedule_step step;

	for (int i = 0; i < STEPS_PER_TURN; i++) {
		if (!may_schedule(q))
			return true;
		schedule_next(q->schedule, clock_ms(), &step);
		if (step.act == SCHEDULE_NOTHING)
			return true;
		do_schedule_step(q, &step);
	}
	return false;
}

/* ---- relay's beginning and end ---- */

static uint32_t
recipient_number_at(struct str numbers, size_t i)
{
	uint32_t number;

	memcpy(&number, numbers.p + 4 * i, 4);
	return number;
}

void
dispatch_relay_running(struct queue *q, const struct message_running *m)
{
	struct queued_message *e = queued_find(&q->book, m->id);
	struct queued_recipient *a =
	    e && m->numbers.n >= 4 ? queued_message_recipient(e, recipient_number_at(m->numbers, 0))
	                           : NULL;
	struct delivery *s = a ? &e->shipments[a->shipment] : NULL;
	char id[ID_NUMBER_TEXT_BYTES];
	struct dispatch_attempt *job;

	if (!s || !ticket_is_right(q, m->attempt_id, s, m->ticket)) {
		log_warn("relay reports a delivery of message %s that it was not given: ignored",
		    msgid_text(m->id, 0, id));
		return;
	}
	if (s->job || s->open == 0 || q->is_caught_up || dispatch_attempt_find(q, m->attempt_id))
		return;
	job = dispatch_attempt_new(q, m->attempt_id, s);
	job->is_sent = true;
	for (size_t i = 0; i < m->numbers.n / 4; i++) {
		a = queued_message_recipient(e, recipient_number_at(m->numbers, i));
		if (!a || a->is_expected || !is_wanted(s, a))
			continue;
		a->is_expected = true;
		job->expected++;
	}
	schedule_remove(q->schedule, &s->parcel);
	schedule_running(q->schedule, &s->parcel, delivery_domain(s), m->destination);
}

void
dispatch_relay_caught_up(struct queue *q)
{
	q->is_caught_up = true;
	q->caught_up_ms = clock_mono_ms();
	reports_check_all(q);
	queue_wake(q);
}

static void
lose_relay_attempt(struct str key, void *value, void *arg)
{
	struct dispatch_attempt *job = value;

	(void)key;
	(void)arg;
	if (!job->shipment && job->is_sent)
		dispatch_attempt_free(job);
	else if (job->is_sent) {
		job->shipment->unanswered_ms = clock_ms();
		job->is_tried = job->is_connected = true;
		dispatch_log_open(job, LOG_WARNING, "unknown", "relay_lost");
		dispatch_attempt_end(job);
	}
}

/* Those whose content is being read are not with relay yet: they will notice that it is away. */
void
dispatch_relay_lost(struct queue *q)
{
	q->is_caught_up = false;
	map_each(q->jobs, lose_relay_attempt, NULL);
	schedule_relay_lost(q->schedule);
}

/* ---- our own end ---- */

void
dispatch_clear(struct queue *q)
{
	struct dispatch_destination_query *ask;

	while ((ask = LIST_FIRST(&q->questions))) {
		request_cancel(&ask->request);
		LIST_REMOVE(ask, link);
		mem_free(ask);
	}
	if (!q->jobs)
		return;
	map_free_all(&q->jobs);
}
