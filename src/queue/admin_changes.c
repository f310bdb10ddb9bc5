/*
 * admin_changes: see the header.
 */
#include "queue/admin_changes.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/dispatch_deadlines.h"
#include "queue/reports.h"

/* What is done to the message once the change is durable; error: it is not, and stays undone.
 * False: there was nothing left to change.  The entry may be gone afterwards. */
typedef bool change_fn(struct errand *errand, struct entry *e, int error);

struct change {
	LIST_ENTRY(change) link;
	struct errand *errand;
	struct msgid id;
	change_fn *apply;
};

static void
change_free(struct change *c)
{
	LIST_REMOVE(c, link);
	mem_free(c);
}

static void
change_stored(int error, void *arg)
{
	struct change *c = arg;
	struct errand *errand = c->errand;
	struct entry *e = book_find(&errand->queue->book, c->id);
	bool is_changed = e && c->apply(errand, e, error);

	errand->unstored--;
	if (is_changed)
		errand_changed(errand, c->id);
	else if (error && error != ENOENT) {
		errand->error = error;
		errand->failed++;
	}
	change_free(c);
	queue_wake_errands(errand->queue);
}

/* False: it could not be appended. */
static bool
change_store(struct errand *errand, struct entry *e, const struct spool_batch *entries,
    change_fn *apply)
{
	struct change *c = MEM_NEW(struct change);
	struct spool_batch batch = *entries;

	*c = (struct change){.errand = errand, .id = e->id, .apply = apply};
	LIST_INSERT_HEAD(&errand->changes, c, link);
	batch.urgency = SPOOL_NOW;
	batch.fn = change_stored;
	batch.arg = c;
	if (spool_append(errand->queue->spool, &batch) == 0) {
		errand->unstored++;
		return true;
	}
	/* ENOENT: the spool knows of no recipient that is left */
	if (errno != ENOENT) {
		errand->error = errno;
		errand->failed++;
	}
	change_free(c);
	return false;
}

void
changes_forget(struct errand *errand)
{
	struct change *c;

	while ((c = LIST_FIRST(&errand->changes)))
		change_free(c);
}

/* ---- hold and release ---- */

/* Relay ends what is not on the way as a whole yet; what comes back stays. */
static bool
change_to_held(struct errand *errand, struct entry *e, int error)
{
	errand->held += !error && e->is_held;
	if (error || e->is_held)
		return false;
	entry_hold(&errand->queue->book, e, true);
	for (size_t i = 0; i < e->shipment_count; i++)
		if (e->shipments[i].job)
			deadline_recall(e->shipments[i].job);
		else
			schedule_remove(errand->queue->schedule, &e->shipments[i].parcel);
	return true;
}

/* As `queue retry` does: who releases it wants to see what becomes of it. */
static void
change_try_now(struct queue *q, struct shipment *s)
{
	int64_t now = clock_ms();

	queue_schedule(q, s, now);
	schedule_hurry(q->schedule, &s->parcel, now);
}

static bool
change_to_released(struct errand *errand, struct entry *e, int error)
{
	if (error || !e->is_held)
		return false;
	errand->damaged += e->is_damaged;
	entry_hold(&errand->queue->book, e, false);
	for (size_t i = 0; i < e->shipment_count; i++)
		if (!e->shipments[i].job)
			change_try_now(errand->queue, &e->shipments[i]);
	return true;
}

static const struct str change_who = STR("operator"), change_colon = STR(": ");

struct str
changes_hold_why(const struct errand *errand, struct buf *room)
{
	size_t most = SPOOL_DETAIL_MAX - change_who.n - change_colon.n;

	buf_adds(room, change_who);
	if (errand->reason.n) {
		buf_adds(room, change_colon);
		buf_adds(room, str_upto(errand->reason, most));
	}
	return buf_str(room);
}

/* What stands behind this beginning; false: it begins otherwise. */
static bool
change_goes_on(struct str *text, struct str beginning)
{
	if (!str_starts(*text, beginning))
		return false;
	*text = str_from(*text, beginning.n);
	return true;
}

bool
changes_is_held_for(const struct errand *errand, struct str why)
{
	return change_goes_on(&why, change_who) && change_goes_on(&why, change_colon) &&
	    change_goes_on(&why, errand->held_for) &&
	    (why.n == 0 || str_starts(why, change_colon));
}

static bool
change_is_held_for(const struct errand *errand, const struct entry *e)
{
	struct spool_message m;

	return spool_find(errand->queue->spool, e->id, &m) &&
	    changes_is_held_for(errand, m.held_why);
}

/* False: it could not be appended. */
static bool
store_hold(struct errand *errand, struct entry *e, bool is_held, change_fn *apply)
{
	struct spool_entry entry = {.kind = SPOOL_HOLD, .id = e->id};
	struct spool_batch batch = {.entries = &entry, .count = 1};
	struct buf why;
	bool is_appended;

	buf_init(&why, SPOOL_DETAIL_MAX);
	entry.hold.is_held = is_held;
	if (is_held)
		entry.hold.why = changes_hold_why(errand, &why);
	is_appended = change_store(errand, e, &batch, apply);
	buf_clear(&why);
	return is_appended;
}

bool
changes_would_hold(const struct errand *errand, const struct entry *e)
{
	(void)errand;
	return !e->is_held;
}

bool
changes_would_release(const struct errand *errand, const struct entry *e)
{
	return e->is_held && (errand->held_for.n == 0 || change_is_held_for(errand, e));
}

void
changes_hold(struct errand *errand, struct entry *e)
{
	(void)store_hold(errand, e, true, change_to_held);
}

void
changes_release(struct errand *errand, struct entry *e)
{
	(void)store_hold(errand, e, false, change_to_released);
}

/* It is delivered after all, and who asked hears that it is not held. */
static void
change_schedule(struct queue *q, struct entry *e)
{
	for (size_t i = 0; i < e->shipment_count; i++)
		queue_schedule(q, &e->shipments[i], e->shipments[i].parcel.due_ms);
	queue_wake(q);
}

static bool
change_new_to_held(struct errand *errand, struct entry *e, int error)
{
	if (error)
		change_schedule(errand->queue, e);
	return change_to_held(errand, e, error);
}

void
changes_hold_new(struct errand *errand, struct entry *e)
{
	entry_hold(&errand->queue->book, e, false);
	if (!store_hold(errand, e, true, change_new_to_held))
		change_schedule(errand->queue, e);
}

static bool
change_is_of_holds(const struct errand *errand)
{
	return errand->verb->fn == changes_hold || errand->verb->fn == changes_release;
}

bool
changes_wait_for_others(const struct errand *errand)
{
	const struct errand *earlier;

	if (!change_is_of_holds(errand))
		return false;
	TAILQ_FOREACH(earlier, &errand->queue->errands, link) {
		if (earlier == errand)
			return false;
		if (earlier->unstored && earlier->verb != errand->verb &&
		    change_is_of_holds(earlier))
			return true;
	}
	return false;
}

/* ---- retry ---- */

bool
changes_would_retry(const struct errand *errand, const struct entry *e)
{
	(void)errand;
	for (size_t i = 0; i < e->shipment_count; i++)
		if (schedule_may_hurry(&e->shipments[i].parcel))
			return true;
	return false;
}

void
changes_retry(struct errand *errand, struct entry *e)
{
	for (size_t i = 0; i < e->shipment_count; i++)
		schedule_hurry(errand->queue->schedule, &e->shipments[i].parcel, clock_ms());
	errand_changed(errand, e->id);
}

/* ---- delete ---- */

/* An open recipient fails; one about which a report is owed keeps its end, and nobody is told. */
static struct spool_recipient
deletion_of(const struct entry *e, uint32_t number)
{
	const struct addressee *a = &e->addressees[number - 1];
	struct spool_recipient r = {.number = number, .is_settled = true};

	r.outcome = a->is_owed ? (enum spool_outcome)a->outcome : SPOOL_FAILED;
	r.marks = a->is_owed ? a->marks : MARK_DELETED;
	return r;
}

static bool
is_unsettled(const struct addressee *a)
{
	return a->is_owed || addressee_is_open(a);
}

static size_t
list_deletions(const struct entry *e, struct spool_entry *to)
{
	size_t count = 0;

	for (uint32_t i = 0; i < e->addressee_count; i++) {
		if (!is_unsettled(&e->addressees[i]))
			continue;
		to[count] = (struct spool_entry){.kind = SPOOL_STATUS, .id = e->id};
		to[count].status = deletion_of(e, i + 1);
		count++;
	}
	return count;
}

/* ---- what the log says of it ---- */

static void
log_untold(const struct entry *e)
{
	struct log_line l;

	if (e->owed == 0)
		return;
	log_begin(&l, LOG_NOTICE, "report");
	log_id(&l, e->id, 0);
	log_addr(&l, "to", entry_sender(e));
	log_num(&l, "rcpts", e->owed);
	log_str(&l, "status", STR("dropped"));
	log_quoted(&l, "reason",
	    STR("the message was deleted before its sender was told of these recipients"));
	log_end(&l);
}

/* Relay has it at this moment. */
static void
log_under_way(const struct entry *e, uint32_t number)
{
	struct log_line l;

	log_begin(&l, LOG_NOTICE, "deliver");
	log_id(&l, e->id, number);
	log_str(&l, "status", STR("deleted"));
	log_addr(&l, "to", entry_address(e, number));
	log_quoted(&l, "text", STR("an attempt is under way and is ended if the host has not got "
		"the whole message yet; if the host takes it, another line says so"));
	log_end(&l);
}

/* Recipients that came to an end meanwhile keep it. */
static void
delete_recipients(struct queue *q, struct entry *e)
{
	for (uint32_t i = 1; i <= e->addressee_count; i++) {
		struct spool_recipient r = deletion_of(e, i);

		if (!is_unsettled(&e->addressees[i - 1]))
			continue;
		if (e->addressees[i - 1].is_expected)
			log_under_way(e, i);
		entry_settle(&q->book, e, i, r.outcome, (uint8_t)r.marks);
	}
}

static bool
change_to_deleted(struct errand *errand, struct entry *e, int error)
{
	struct queue *q = errand->queue;

	if (error) {
		e->is_deleting = false;
		reports_check(q, e);
		return false;
	}
	log_untold(e);
	delete_recipients(q, e);
	for (size_t i = 0; i < e->shipment_count; i++)
		if (e->shipments[i].job) {
			e->shipments[i].job->is_deleted = true;
			deadline_recall(e->shipments[i].job);
		} else {
			schedule_remove(q->schedule, &e->shipments[i].parcel);
		}
	queue_end(q, e);
	return true;
}

bool
changes_would_delete(const struct errand *errand, const struct entry *e)
{
	(void)errand;
	return e->open > 0;
}

void
changes_delete(struct errand *errand, struct entry *e)
{
	struct spool_entry *entries = mem_new(e->addressee_count * sizeof *entries);
	struct spool_batch batch = {.entries = entries};

	batch.count = list_deletions(e, entries);
	if (batch.count && change_store(errand, e, &batch, change_to_deleted))
		e->is_deleting = true;
	mem_free(entries);
}
