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
#include "queue/reports/reports.h"
#include "queue/ticket_key.h"

enum {
	STEPS_PER_TURN = 128,
	ATTEMPTS_READING_MAX = 64,       /* deliveries whose message is being read */
	RELAY_WAITING_MAX = 8 << 20, /* bytes that relay has not read; no delivery begins above */
	NUMBERS_BYTES_MAX = 4 * SPOOL_RECIPIENTS_MAX,
};

void
dispatch_init(struct queue *q)
{
	q->attempts = map_new();
	q->last_attempt_id = (uint64_t)clock_ms() << 20;
}

static struct str
dispatch_attempt_key(const uint64_t *number)
{
	return str_make((const char *)number, sizeof *number);
}

struct dispatch_attempt *
dispatch_attempt_find(const struct queue *q, uint64_t number)
{
	return map_get(q->attempts, dispatch_attempt_key(&number));
}

static struct dispatch_attempt *
dispatch_attempt_new(struct queue *q, uint64_t number, struct delivery *delivery)
{
	struct dispatch_attempt *attempt = MEM_NEW(struct dispatch_attempt);

	attempt->number = number;
	attempt->queue = q;
	attempt->id = delivery->message->id;
	attempt->delivery = delivery;
	delivery->attempt = attempt;
	map_put(q->attempts, dispatch_attempt_key(&attempt->number), attempt);
	dispatch_deadline_begin(attempt);
	return attempt;
}

/* Further deliveries may begin. */
static void
dispatch_attempt_read_done(struct dispatch_attempt *attempt)
{
	if (attempt->queue->reading_attempts-- == ATTEMPTS_READING_MAX)
		queue_wake(attempt->queue);
}

static void
dispatch_attempt_free(struct dispatch_attempt *attempt)
{
	dispatch_deadline_end(attempt);
	map_remove(attempt->queue->attempts, dispatch_attempt_key(&attempt->number));
	if (spool_is_reading(&attempt->reading)) {
		spool_read_cancel(&attempt->reading);
		dispatch_attempt_read_done(attempt);
	}
	if (attempt->delivery)
		attempt->delivery->attempt = NULL;
	mem_free(attempt);
}

void
dispatch_detach_delivery(struct delivery *delivery)
{
	if (!delivery->attempt)
		return;
	delivery->attempt->delivery = NULL;
	delivery->attempt = NULL;
}

/* ---- end of an attempt ---- */

static void
clear_expected_results(struct delivery *delivery)
{
	struct queued_message *e = delivery->message;

	for (uint32_t i = 0; i < e->recipient_count; i++)
		if (&e->deliveries[e->recipients[i].delivery] == delivery)
			e->recipients[i].is_expected = false;
}

static int64_t
next_due(const struct queue *q, struct delivery *delivery, const struct dispatch_attempt *attempt,
    int64_t now_ms)
{
	struct lifetime_attempt j = {.expires_ms = delivery->sched.expires_ms,
	    .pause_ms = schedule_backoff_ms(q->schedule, delivery->pauses),
	    .pauses = delivery->pauses,
	    .is_deferred = attempt->is_deferred,
	    .is_tried = attempt->is_tried};

	if (now_ms < j.expires_ms || attempt->is_deferred || attempt->is_tried)
		delivery->requeues = 0;
	else if (delivery->requeues < UINT8_MAX)
		delivery->requeues++;
	j.requeues = delivery->requeues;
	return lifetime_after_attempt_ms(&j, now_ms);
}

/* Returns the delivery to the schedule with its open recipients. */
static void
return_to_schedule(struct dispatch_attempt *attempt, enum schedule_outcome outcome)
{
	struct queue *q = attempt->queue;
	struct delivery *delivery = attempt->delivery;
	int64_t now = clock_ms();

	clear_expected_results(delivery);
	delivery->attempt = NULL;
	attempt->delivery = NULL;
	schedule_finished(q->schedule, &delivery->sched, outcome,
	    attempt->status.code ? &attempt->status : NULL, now);
	delivery->pauses = (uint16_t)(delivery->pauses + attempt->is_tried);
	delivery->sched.tries = (uint16_t)(delivery->sched.tries + attempt->is_connected);
	queue_schedule(q, delivery, next_due(q, delivery, attempt, now));
}

static enum schedule_outcome
dispatch_attempt_outcome(const struct dispatch_attempt *attempt)
{
	if (attempt->is_busy)
		return SCHEDULE_BUSY;
	if (attempt->is_reached)
		return SCHEDULE_REACHED;
	if (attempt->is_unreachable)
		return SCHEDULE_UNREACHABLE;
	return attempt->is_silent ? SCHEDULE_SILENT : SCHEDULE_UNKNOWN;
}

void
dispatch_attempt_end(struct dispatch_attempt *attempt)
{
	struct queue *q = attempt->queue;
	struct queued_message *e = attempt->delivery ? attempt->delivery->message : NULL;

	if (e)
		return_to_schedule(attempt, dispatch_attempt_outcome(attempt));
	dispatch_attempt_free(attempt);
	if (e) {
		reports_check(q, e);
		queue_finish_message(q, e);
	}
	queue_check_stopped(q);
	queue_wake(q);
}

void
dispatch_attempt_give_up(struct dispatch_attempt *attempt)
{
	if (!attempt->delivery) {
		dispatch_attempt_free(attempt);
		return;
	}
	if (attempt->is_sent) {
		attempt->delivery->late_attempt_id = attempt->number;
		attempt->delivery->unanswered_ms = clock_ms();
	} else if (attempt->delivery->unreadable < UINT8_MAX) {
		attempt->delivery->unreadable++;
	}
	attempt->is_tried |= attempt->is_sent;
	attempt->is_connected |= attempt->is_sent;
	attempt->is_deferred = true;
	dispatch_attempt_end(attempt);
}

/* No host was contacted for it, so it does not count as an attempt. */
void
dispatch_attempt_requeue(struct dispatch_attempt *attempt, const char *why)
{
	dispatch_log_open(attempt, LOG_INFO, "put_back", why);
	dispatch_attempt_end(attempt);
}

/* ---- to relay ---- */

static bool
is_wanted(const struct delivery *delivery, const struct queued_recipient *recipient)
{
	return &delivery->message->deliveries[recipient->delivery] == delivery &&
	       queued_recipient_is_open(recipient);
}

static void
list_numbers(struct dispatch_attempt *attempt, struct buf *out)
{
	struct delivery *delivery = attempt->delivery;

	for (uint32_t i = 0; i < delivery->message->recipient_count; i++) {
		struct queued_recipient *recipient = &delivery->message->recipients[i];
		uint32_t number = i + 1;

		if (!is_wanted(delivery, recipient))
			continue;
		buf_add(out, &number, sizeof number);
		recipient->is_expected = true;
		attempt->expected++;
	}
}

static bool
send_attempt(struct dispatch_attempt *attempt, const struct spool_content *content)
{
	struct queue *q = attempt->queue;
	struct delivery *delivery = attempt->delivery;
	struct schedule_info info;
	struct message_deliver m = {.attempt_id = attempt->number,
	    .domain = delivery_domain(delivery),
	    .envelope = content->envelope,
	    .header = content->header,
	    .body_in_file = content->fd >= 0,
	    .body = content->body,
	    .sums = content->sums,
	    .attempt = delivery->sched.tries + 1u,
	    .ticket = ticket_of(q, attempt->number, delivery)};
	struct buf numbers;
	bool ok;

	buf_init(&numbers, NUMBERS_BYTES_MAX);
	list_numbers(attempt, &numbers);
	schedule_explain(q->schedule, &delivery->sched, &info);
	m.destination = info.destination;
	m.numbers = buf_str(&numbers);
	ok = q->relay && channel_send(q->relay->channel, MESSAGE_DELIVER, &m, content->fd) == 0;
	buf_clear(&numbers);
	return ok;
}

static void
dispatch_attempt_mark_sent(struct dispatch_attempt *attempt)
{
	attempt->is_sent = true;
	attempt->delivery->unreadable = 0;
}

static void
dispatch_message_read(const struct spool_content *content, int error, void *arg)
{
	struct dispatch_attempt *attempt = arg;

	dispatch_attempt_read_done(attempt);
	if (!attempt->delivery || attempt->delivery->open == 0 ||
	    attempt->delivery->message->is_held)
		dispatch_attempt_end(attempt);
	else if (error || attempt->delivery->message->is_loss_unstored)
		outcomes_unreadable(attempt, error);
	else if (send_attempt(attempt, content))
		dispatch_attempt_mark_sent(attempt);
	else
		dispatch_attempt_requeue(attempt, "relay_away");
}

static void
expire_overdue_delivery(struct queue *q, struct delivery *delivery, int64_t now_ms)
{
	struct smtp_status status = smtp_status_make(451, "4.3.0", "No delivery attempt ended");
	struct schedule_step step = {.act = SCHEDULE_EXPIRE, .status = &status};

	schedule_finished(q->schedule, &delivery->sched, SCHEDULE_UNKNOWN, NULL, now_ms);
	outcomes_unsent(q, delivery, &step);
}

static void
begin_delivery(struct queue *q, struct delivery *delivery)
{
	int64_t now = clock_ms();
	struct dispatch_attempt *attempt;

	if (!lifetime_may_begin(delivery->sched.expires_ms, delivery->unanswered_ms, now)) {
		expire_overdue_delivery(q, delivery, now);
		return;
	}
	attempt = dispatch_attempt_new(q, ++q->last_attempt_id, delivery);
	metrics_work_id("read for delivery", attempt->id);
	q->reading_attempts++;
	spool_read(q->spool, &attempt->reading, attempt->id, dispatch_message_read, attempt);
}

/* ---- destinations ---- */

struct dispatch_destination_query {
	LIST_ENTRY(dispatch_destination_query) link;
	struct request request;
	struct queue *queue;
	size_t n;
	char domain[];
};

/* A domain whose query failed is asked for again later, as after a failure of DNS. */
static void
destination_unanswered(const struct dispatch_destination_query *query, enum request_end end)
{
	struct str domain = str_make(query->domain, query->n);
	struct queue *q = query->queue;
	struct smtp_status status =
	    smtp_status_make(451, "4.4.3", "The route could not be found in time");
	struct schedule_answer answer = {STR_NULL, &status, 0};
	char text[REQUEST_TEXT_BYTES];

	log_warn("no route to %.*s is known, it is asked for again later: %s", STR_ARG(domain),
	    request_text("relay", &query->request, end, text));
	schedule_answered(q->schedule, domain, &answer, clock_ms());
}

/* When relay is lost no query is answered: dispatch_relay_lost repeats all of them. */
static void
dispatch_destination_answered(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct dispatch_destination_query *query = arg;
	struct queue *q = query->queue;
	struct str domain = str_make(query->domain, query->n);
	const struct message_destination *m;
	struct schedule_answer answer;

	if (end == REQUEST_ANSWERED) {
		m = &p->message->destination;
		answer = (struct schedule_answer){m->destination, &m->status, m->ttl_s};
		schedule_answered(q->schedule, domain, &answer, clock_ms());
	} else if (end != REQUEST_LOST) {
		destination_unanswered(query, end);
	}
	queue_wake(q);
	LIST_REMOVE(query, link);
	mem_free(query);
}

static void
ask_destination(struct queue *q, struct str domain)
{
	struct message_destination_ask m = {.domain = domain};
	struct dispatch_destination_query *query = mem_new(sizeof *query + domain.n);

	query->queue = q;
	query->n = domain.n;
	memcpy(query->domain, domain.p, domain.n);
	LIST_INSERT_HEAD(&q->destination_queries, query, link);
	request_init(&query->request, dispatch_destination_answered, query);
	request_ask(&query->request, q->relay->channel, MESSAGE_DESTINATION_ASK, &m);
}

static void
do_schedule_step(struct queue *q, const struct schedule_step *step)
{
	switch (step->act) {
	case SCHEDULE_RESOLVE:
		ask_destination(q, step->domain);
		break;
	case SCHEDULE_DELIVER:
		begin_delivery(q, (struct delivery *)step->delivery);
		break;
	case SCHEDULE_REFUSE:
	case SCHEDULE_DEFER:
	case SCHEDULE_EXPIRE:
		outcomes_unsent(q, (struct delivery *)step->delivery, step);
		break;
	case SCHEDULE_NOTHING:
		break;
	}
}

static bool
may_schedule(struct queue *q)
{
	return q->relay && q->is_caught_up && q->tickets.is_durable && !q->is_stopping &&
	       q->reading_attempts < ATTEMPTS_READING_MAX &&
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

/* ---- start and loss of relay ---- */

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
	struct queued_message *e = queued_find(&q->queued, m->id);
	struct queued_recipient *recipient =
	    e && m->numbers.n >= 4 ? queued_message_recipient(e, recipient_number_at(m->numbers, 0))
	                           : NULL;
	struct delivery *delivery = recipient ? &e->deliveries[recipient->delivery] : NULL;
	char id[ID_NUMBER_TEXT_BYTES];
	struct dispatch_attempt *attempt;

	if (!delivery || !ticket_is_right(q, m->attempt_id, delivery, m->ticket)) {
		log_warn("relay reports a delivery of message %s that it was not given: ignored",
		    msgid_text(m->id, 0, id));
		return;
	}
	if (delivery->attempt || delivery->open == 0 || q->is_caught_up ||
	    dispatch_attempt_find(q, m->attempt_id))
		return;
	attempt = dispatch_attempt_new(q, m->attempt_id, delivery);
	attempt->is_sent = true;
	for (size_t i = 0; i < m->numbers.n / 4; i++) {
		recipient = queued_message_recipient(e, recipient_number_at(m->numbers, i));
		if (!recipient || recipient->is_expected || !is_wanted(delivery, recipient))
			continue;
		recipient->is_expected = true;
		attempt->expected++;
	}
	schedule_remove(q->schedule, &delivery->sched);
	schedule_running(q->schedule, &delivery->sched, delivery_domain(delivery), m->destination);
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
	struct dispatch_attempt *attempt = value;

	(void)key;
	(void)arg;
	if (!attempt->delivery && attempt->is_sent)
		dispatch_attempt_free(attempt);
	else if (attempt->is_sent) {
		attempt->delivery->unanswered_ms = clock_ms();
		attempt->is_tried = attempt->is_connected = true;
		dispatch_log_open(attempt, LOG_WARNING, "unknown", "relay_lost");
		dispatch_attempt_end(attempt);
	}
}

/* Attempts whose message is being read are not in relay yet; they end when the read is done. */
void
dispatch_relay_lost(struct queue *q)
{
	q->is_caught_up = false;
	map_each(q->attempts, lose_relay_attempt, NULL);
	schedule_relay_lost(q->schedule);
}

/* ---- end of the role ---- */

void
dispatch_clear(struct queue *q)
{
	struct dispatch_destination_query *query;

	while ((query = LIST_FIRST(&q->destination_queries))) {
		request_cancel(&query->request);
		LIST_REMOVE(query, link);
		mem_free(query);
	}
	if (!q->attempts)
		return;
	map_free_all(&q->attempts);
}
