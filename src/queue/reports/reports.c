/*
 * reports: reports whose round is over are made in that order, a bounded number at a time. When the
 * message of one cannot be read, only that one waits. Reports that cannot be stored wait in a queue
 * of their own; only the first of it is tried, with growing pauses, and nothing is read while the
 * spool has no room; each success starts two more.
 */
#include "queue/reports/reports.h"

#include <errno.h>

#include "base/clock.h"
#include "base/fsio.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/reports/reports_parts.h"
#include "spool/spool_fault.h"

enum { LATE_AT_ONCE = 2 };

void
reports_arm(struct event *event, int64_t ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	evtimer_add(event, &tv);
}

/* ---- conditions ---- */

static bool
report_is_wanted(const struct queued_message *e, uint32_t number, enum dsn_action action)
{
	struct dsn_conditions w = {.id = e->id,
	    .kind = e->is_report ? ENVELOPE_REPORT : ENVELOPE_MESSAGE,
	    .has_sender = queued_message_sender(e).n > 0,
	    .notify = queued_message_recipients(e)[number - 1].notify};

	return dsn_is_wanted(&w, action);
}

bool
reports_is_owed(const struct queued_message *e, uint32_t number, enum spool_outcome outcome,
    uint8_t marks)
{
	if (outcome == SPOOL_FAILED)
		return !(marks & MARK_DELETED) && report_is_wanted(e, number, DSN_FAILED);
	return outcome == SPOOL_DONE && !(marks & MARK_RELAYED) &&
	       report_is_wanted(e, number, DSN_RELAYED);
}

bool
reports_is_warned_of(const struct queued_message *e, uint32_t number)
{
	const struct queued_recipient *recipient = &queued_message_recipients(e)[number - 1];

	return queued_recipient_is_open(recipient) && !(recipient->marks & MARK_WARNED) &&
	       report_is_wanted(e, number, DSN_DELAYED);
}

/* ---- states ---- */

static void
report_enter(struct report *r, enum report_state state)
{
	struct reports *all = r->queue->reports;

	TAILQ_REMOVE(&all->of_state[r->state], r, link);
	all->busy_count += state == REPORT_BUSY;
	all->busy_count -= r->state == REPORT_BUSY;
	r->state = state;
	TAILQ_INSERT_TAIL(&all->of_state[state], r, link);
}

static struct report *
report_find(const struct queue *q, const struct queued_message *e)
{
	char room[MSGID_KEY_BYTES];

	return e->has_report ? map_get(q->reports->by_message, msgid_key(e->id, room)) : NULL;
}

static struct report *
report_ensure(struct queue *q, struct queued_message *e)
{
	struct report *r = report_find(q, e);
	char room[MSGID_KEY_BYTES];

	if (r)
		return r;
	r = MEM_NEW(struct report);
	map_put(q->reports->by_message, msgid_key(e->id, room), r);
	e->has_report = true;
	r->queue = q;
	r->id = e->id;
	r->since_ms = clock_mono_ms();
	TAILQ_INSERT_TAIL(&q->reports->of_state[REPORT_ROUND], r, link);
	return r;
}

static void
report_free(struct report *r, struct queued_message *e)
{
	struct reports *all = r->queue->reports;
	char room[MSGID_KEY_BYTES];

	map_remove(all->by_message, msgid_key(r->id, room));
	TAILQ_REMOVE(&all->of_state[r->state], r, link);
	all->busy_count -= r->state == REPORT_BUSY;
	timers_remove(&all->unread, &r->again);
	spool_read_cancel(&r->reading);
	if (e)
		e->has_report = false;
	queued_message_free(&r->queue->queued, &r->queued_report);
	mem_free(r->numbers);
	mem_free(r);
}

/* ---- rounds ---- */

/* An attempt is running, or a delivery is due and its destination is not paused. */
static bool
report_has_more(const struct queue *q, const struct queued_message *e)
{
	int64_t now = clock_ms();

	for (size_t i = 0; i < e->delivery_count; i++) {
		const struct delivery *delivery = &e->deliveries[i];
		struct schedule_info info;

		schedule_explain(q->schedule, &delivery->sched, &info);
		if (delivery_attempt(delivery) || (delivery->open && info.next_ms <= now &&
				  (delivery->sched.state == DELIVERY_ASKING ||
				      delivery->sched.state == DELIVERY_READY)))
			return true;
	}
	return false;
}

static void
report_arm_round(struct reports *all)
{
	struct report *first = TAILQ_FIRST(&all->of_state[REPORT_ROUND]);
	int64_t ms = first ? first->since_ms + REPORTS_ROUND_MS - clock_mono_ms() : 0;

	if (first && !evtimer_pending(all->round_event, NULL))
		reports_arm(all->round_event, ms > 0 ? ms : 0);
}

static bool
report_is_round_over(const struct report *r, const struct queued_message *e)
{
	return r->queue->is_stopping || !report_has_more(r->queue, e) ||
	       clock_mono_ms() >= r->since_ms + REPORTS_ROUND_MS;
}

/* Begins reports in order; while reports wait that could not be stored, only those are tried. */
static void
reports_begin_ready(struct queue *q)
{
	struct reports *all = q->reports;
	struct report *r;

	while (all->pause_ms == 0 && all->busy_count < REPORTS_AT_ONCE &&
	    (r = TAILQ_FIRST(&all->of_state[REPORT_READY]))) {
		report_enter(r, REPORT_BUSY);
		report_begin(r);
	}
}

void
reports_check(struct queue *q, struct queued_message *e)
{
	struct report *r;

	if ((e->owed == 0 && !e->is_warning_due) || e->is_deleting)
		return;
	r = report_ensure(q, e);
	if ((r->state != REPORT_ROUND && r->state != REPORT_WAITING) || !q->is_caught_up)
		return;
	if (!report_is_round_over(r, e)) {
		if (r->state != REPORT_ROUND)
			report_enter(r, REPORT_ROUND);
		report_arm_round(q->reports);
		return;
	}
	if (e->unstored) {
		report_enter(r, REPORT_WAITING);
	} else if (q->reports->pause_ms) {
		report_enter(r, REPORT_LATE);
	} else {
		report_enter(r, REPORT_READY);
		reports_begin_ready(q);
	}
}

static void
reports_on_round(evutil_socket_t fd, short what, void *arg)
{
	struct queue *q = arg;
	int64_t now = clock_mono_ms();
	struct report *r;

	(void)fd;
	(void)what;
	while ((r = TAILQ_FIRST(&q->reports->of_state[REPORT_ROUND]))) {
		struct queued_message *e = queued_find(&q->queued, r->id);

		if (now < r->since_ms + REPORTS_ROUND_MS)
			break;
		report_enter(r, REPORT_WAITING);
		if (e)
			reports_check(q, e);
		else
			report_free(r, NULL);
	}
	report_arm_round(q->reports);
}

/* ---- the result of a store ---- */

static void
reports_begin_late(struct queue *q, unsigned count)
{
	struct report *r;

	while (count-- && q->reports->busy_count < REPORTS_AT_ONCE &&
	    (r = TAILQ_FIRST(&q->reports->of_state[REPORT_LATE]))) {
		report_enter(r, REPORT_BUSY);
		report_begin(r);
	}
}

static int64_t
reports_longer(int64_t pause_ms)
{
	if (pause_ms == 0)
		return REPORTS_PAUSE_FIRST_MS;
	return pause_ms * 2 < REPORTS_PAUSE_MAX_MS ? pause_ms * 2 : REPORTS_PAUSE_MAX_MS;
}

static void
reports_on_late(evutil_socket_t fd, short what, void *arg)
{
	struct queue *q = arg;
	struct reports *all = q->reports;

	(void)fd;
	(void)what;
	if (TAILQ_EMPTY(&all->of_state[REPORT_LATE])) {
		all->pause_ms = 0;
		reports_begin_ready(q);
	} else if (spool_admits_reports(q->spool) == 0) {
		reports_begin_late(q, 1);
	} else {
		all->pause_ms = reports_longer(all->pause_ms);
		reports_arm(all->late_event, all->pause_ms);
	}
}

static void
report_log_late(const struct report *r, int64_t pause_ms, int error)
{
	struct log_line l;

	log_begin(&l, LOG_WARNING, "report");
	log_id(&l, r->id, 0);
	log_str(&l, "status", STR("late"));
	log_seconds(&l, "again_in", pause_ms);
	log_quoted(&l, "reason", str_of(spool_fault_text(error)));
	log_end(&l);
}

static void
report_be_late(struct report *r, int error)
{
	struct reports *all = r->queue->reports;

	report_enter(r, REPORT_LATE);
	if (evtimer_pending(all->late_event, NULL))
		return;
	all->pause_ms = reports_longer(all->pause_ms);
	reports_arm(all->late_event, all->pause_ms);
	report_log_late(r, all->pause_ms, error);
}

/* One has ended or waits: begins the next ones. */
static void
reports_go_on(struct queue *q)
{
	reports_begin_ready(q);
	if (!evtimer_pending(q->reports->late_event, NULL) && q->reports->busy_count == 0)
		reports_on_late(-1, 0, q);
	queue_check_stopped(q);
}

static void
report_log(const struct report *r)
{
	char about[ID_NUMBER_TEXT_BYTES];
	struct log_line l;

	log_begin(&l, LOG_INFO, "report");
	log_id(&l, r->queued_report->id, 0);
	log_str(&l, "about", str_of(msgid_text(r->id, 0, about)));
	log_addr(&l, "to", queued_message_address(r->queued_report, 1));
	log_num(&l, "rcpts", r->count);
	if (r->is_warning)
		log_str(&l, "action", STR("delayed"));
	log_end(&l);
}

static void
report_settle(struct report *r, struct queued_message *e)
{
	for (size_t i = 0; i < r->count; i++) {
		struct queued_recipient *recipient =
		    queued_message_recipient(e, r->numbers[i]);

		if (r->is_warning)
			recipient->marks |= MARK_WARNED;
		else if (recipient->is_owed)
			queued_recipient_set_outcome(&r->queue->queued, e, r->numbers[i],
			    (enum spool_outcome)recipient->outcome, recipient->marks);
	}
}

/* The message may owe more: recipients for whom there was no room, or that ended meanwhile. */
static void
report_go_on(struct report *r, struct queued_message *e)
{
	struct queue *q = r->queue;

	if (!e || (e->owed == 0 && !e->is_warning_due)) {
		report_free(r, e);
		if (e)
			queue_finish_message(q, e);
	} else {
		report_enter(r, REPORT_WAITING);
		reports_check(q, e);
	}
}

void
reports_stored(struct report *r, int error)
{
	struct queue *q = r->queue;
	struct queued_message *e = queued_find(&q->queued, r->id);

	if (error == ENOENT)
		error = 0; /* the spool has lost the message: nothing can be stored for it */
	if (fsio_is_full(error) && e && e->is_report && !r->is_given_up) {
		r->is_given_up = true;
		queued_message_free(&q->queued, &r->queued_report);
		report_begin(r);
		return;
	}
	if (error && error != ECANCELED && e) {
		queued_message_free(&q->queued, &r->queued_report);
		report_be_late(r, error);
		reports_go_on(q);
		return;
	}
	if (!error && e)
		report_settle(r, e);
	if (!error && r->queued_report) {
		report_log(r);
		queue_add_message(q, r->queued_report);
		r->queued_report = NULL;
	}
	report_go_on(r, e);
	if (q->reports->pause_ms && !error) {
		q->reports->pause_ms = REPORTS_PAUSE_FIRST_MS;
		reports_begin_late(q, LATE_AT_ONCE);
	}
	reports_go_on(q);
}

/* ---- the message cannot be read now ---- */

static struct report *
report_of_timer(struct timer *t)
{
	return (struct report *)(void *)((char *)t - offsetof(struct report, again));
}

static void
reports_arm_unread(struct reports *all)
{
	struct timer *first = timers_first(&all->unread);
	int64_t ms = first ? first->at_ms - clock_mono_ms() : 0;

	if (first)
		reports_arm(all->unread_event, ms > 0 ? ms : 0);
}

static void
reports_on_unread(evutil_socket_t fd, short what, void *arg)
{
	struct queue *q = arg;
	struct timer *t;

	(void)fd;
	(void)what;
	while ((t = timers_first(&q->reports->unread)) && t->at_ms <= clock_mono_ms()) {
		timers_remove(&q->reports->unread, t);
		report_enter(report_of_timer(t), REPORT_READY);
	}
	reports_begin_ready(q);
	reports_arm_unread(q->reports);
}

void
reports_unread(struct report *r, int error)
{
	struct queue *q = r->queue;
	int64_t pause_ms = 0;

	for (unsigned n = 0; n < r->reads; n++)
		pause_ms = reports_longer(pause_ms);
	report_log_late(r, pause_ms, error);
	report_enter(r, REPORT_UNREAD);
	timers_set(&q->reports->unread, &r->again, clock_mono_ms() + pause_ms);
	reports_arm_unread(q->reports);
	reports_go_on(q);
}

/* ---- the queue ---- */

/* A report that is being stored goes on, and then finds no message. */
void
reports_message_removed(struct queue *q, struct queued_message *e)
{
	struct report *r = report_find(q, e);

	if (r && r->state != REPORT_BUSY)
		report_free(r, e);
}

void
reports_check_all(struct queue *q)
{
	static const enum report_state states[] = {REPORT_ROUND, REPORT_WAITING};
	struct report *r, *after;

	for (size_t i = 0; i < 2; i++)
		for (r = TAILQ_FIRST(&q->reports->of_state[states[i]]); r; r = after) {
			struct queued_message *e = queued_find(&q->queued, r->id);

			after = TAILQ_NEXT(r, link);
			if (e)
				reports_check(q, e);
		}
}

bool
reports_are_idle(const struct queue *q)
{
	const struct reports *all = q->reports;

	return all->busy_count == 0 && (all->pause_ms || TAILQ_EMPTY(&all->of_state[REPORT_READY]));
}

/* ---- life ---- */

void
reports_init(struct queue *q, struct event_base *base)
{
	struct reports *all = q->reports = MEM_NEW(struct reports);

	for (size_t i = 0; i <= REPORT_LATE; i++)
		TAILQ_INIT(&all->of_state[i]);
	all->by_message = map_new();
	timers_init(&all->unread);
	all->round_event = evtimer_new(base, reports_on_round, q);
	all->late_event = evtimer_new(base, reports_on_late, q);
	all->unread_event = evtimer_new(base, reports_on_unread, q);
}

void
reports_clear(struct queue *q)
{
	struct reports *all = q->reports;
	struct report *r;

	if (!all)
		return;
	for (size_t i = 0; i <= REPORT_LATE; i++)
		while ((r = TAILQ_FIRST(&all->of_state[i])))
			report_free(r, queued_find(&q->queued, r->id));
	event_free(all->round_event);
	event_free(all->late_event);
	event_free(all->unread_event);
	map_free(&all->by_message);
	timers_clear(&all->unread);
	mem_free(all);
	q->reports = NULL;
}
