/*
 * dispatch: see the header.
 */
#include "queue/dispatch.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "queue/dispatch_attempts.h"
#include "queue/lifetime.h"
#include "queue/next_hop.h"
#include "queue/outcomes.h"
#include "queue/reports/reports.h"
#include "queue/ticket_key.h"

enum {
	STEPS_PER_TURN = 128,
	RELAY_WAITING_MAX = 8 << 20, /* bytes that relay has not read; no delivery begins above */
	NUMBERS_BYTES_MAX = 4 * SPOOL_RECIPIENTS_MAX,
};

void
dispatch_init(struct queue *q)
{
	q->attempts = map_new();
	q->last_attempt_id = (uint64_t)clock_ms() << 20;
}

/* ---- to relay ---- */

static bool
is_wanted(const struct delivery *delivery, const struct queued_recipient *recipient)
{
	return &delivery_message(delivery)->deliveries[recipient->delivery] == delivery &&
	       queued_recipient_is_open(recipient);
}

static void
list_numbers(struct dispatch_attempt *attempt, struct buf *out)
{
	struct delivery *delivery = attempt->delivery;
	struct queued_message *e = delivery_message(delivery);

	for (uint32_t i = 0; i < e->recipient_count; i++) {
		struct queued_recipient *recipient = &queued_message_recipients(e)[i];
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
	m.next_hop = info.next_hop;
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
	    delivery_message(attempt->delivery)->is_held)
		dispatch_attempt_end(attempt);
	else if (error || delivery_message(attempt->delivery)->is_loss_unstored)
		outcomes_unreadable(attempt, error);
	else if (send_attempt(attempt, content))
		dispatch_attempt_mark_sent(attempt);
	else
		dispatch_attempt_requeue(attempt, "relay_away");
}

/* The first attempt has what the commit brought; the attempt may be freed afterwards. */
static void
send_kept_content(struct dispatch_attempt *attempt, const struct content_cache_parts *kept)
{
	const struct spool_content content = {
	    .envelope = kept->envelope, .header = kept->header, .body = kept->body, .fd = -1};
	struct content_cache *contents = attempt->queue->contents;
	struct msgid id = attempt->id;

	dispatch_message_read(&content, 0, attempt);
	content_cache_used(contents, id);
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
	struct content_cache_parts kept;
	struct dispatch_attempt *attempt;

	if (next_hop_is_former(q, delivery)) {
		schedule_finished(q->schedule, &delivery->sched, SCHEDULE_UNKNOWN, NULL, now);
		queue_schedule(q, delivery, delivery->sched.due_ms);
		return;
	}
	if (!lifetime_may_begin(
	        delivery->sched.expires_ms, delivery_unanswered_ms(delivery), now)) {
		expire_overdue_delivery(q, delivery, now);
		return;
	}
	attempt = dispatch_attempt_new(q, ++q->last_attempt_id, delivery);
	metrics_work_id("read for delivery", attempt->id);
	q->reading_attempts++;
	if (content_cache_find(q->contents, attempt->id, &kept))
		send_kept_content(attempt, &kept);
	else
		spool_read(
		    q->spool, &attempt->reading, attempt->id, dispatch_message_read, attempt);
}

/* ---- destinations ---- */

struct dispatch_destination_query {
	LIST_ENTRY(dispatch_destination_query) link;
	struct request request;
	struct queue *queue;
	size_t n;
	char next_hop[];
};

/* A next hop whose query failed is asked for again later, as after a failure of DNS. */
static void
destination_unanswered(const struct dispatch_destination_query *query, enum request_end end)
{
	struct str next_hop = str_make(query->next_hop, query->n);
	struct queue *q = query->queue;
	struct smtp_status status =
	    smtp_status_make(451, "4.4.3", "The destination could not be found in time");
	struct schedule_answer answer = {STR_NULL, &status, 0};
	char text[REQUEST_TEXT_BYTES];

	log_warn("the hosts of %.*s are not known, they are asked for again later: %s",
	    STR_ARG(next_hop), request_text("relay", &query->request, end, text));
	schedule_answered(q->schedule, next_hop, &answer, clock_ms());
}

/* When relay is lost no query is answered: dispatch_relay_lost repeats all of them. */
static void
dispatch_destination_answered(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct dispatch_destination_query *query = arg;
	struct queue *q = query->queue;
	struct str next_hop = str_make(query->next_hop, query->n);
	const struct message_destination *m;
	struct schedule_answer answer;

	if (end == REQUEST_ANSWERED) {
		m = &p->message->destination;
		answer = (struct schedule_answer){m->destination, &m->status, m->ttl_s};
		schedule_answered(q->schedule, next_hop, &answer, clock_ms());
	} else if (end != REQUEST_LOST) {
		destination_unanswered(query, end);
	}
	queue_wake(q);
	LIST_REMOVE(query, link);
	mem_free(query);
}

static void
ask_destination(struct queue *q, struct str next_hop)
{
	struct message_destination_ask m = {.next_hop = next_hop};
	struct dispatch_destination_query *query = mem_new(sizeof *query + next_hop.n);

	query->queue = q;
	query->n = next_hop.n;
	memcpy(query->next_hop, next_hop.p, next_hop.n);
	LIST_INSERT_HEAD(&q->destination_queries, query, link);
	request_init(&query->request, dispatch_destination_answered, query);
	request_ask(&query->request, q->relay->channel, MESSAGE_DESTINATION_ASK, &m);
}

static void
do_schedule_step(struct queue *q, const struct schedule_step *step)
{
	switch (step->act) {
	case SCHEDULE_RESOLVE:
		ask_destination(q, step->next_hop);
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
	       q->reading_attempts < DISPATCH_READING_MAX &&
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
	if (delivery_attempt(delivery) || delivery->open == 0 || q->is_caught_up ||
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
	schedule_running(q->schedule, &delivery->sched, m->next_hop, m->destination);
}

void
dispatch_relay_caught_up(struct queue *q)
{
	q->is_caught_up = true;
	q->caught_up_ms = clock_mono_ms();
	reports_check_all(q);
	queue_wake(q);
}

void
dispatch_relay_lost(struct queue *q)
{
	q->is_caught_up = false;
	dispatch_attempts_relay_lost(q);
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
