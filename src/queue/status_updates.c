/*
 * status_updates: an update that could not be stored is stored again later. When the recipient has
 * a newer state by then, the newer update replaces it. A message counts its updates that are not
 * stored, and its report waits for them. A message that the spool does not have any more needs no
 * update.
 */
#include "queue/status_updates.h"

#include <errno.h>

#include "base/mem.h"
#include "queue/reports/reports.h"

struct status_update_write {
	TAILQ_ENTRY(status_update_write) link;
	struct queue *queue;
	struct status_update update;
	size_t detail_n;
	char detail[SPOOL_DETAIL_MAX];
	bool is_late;
	bool is_counted;                 /* in unstored of its message */
};

void
status_updates_acknowledge(struct queue *q, uint64_t attempt_id, struct msgid id, uint32_t number)
{
	struct message_result_stored m = {.attempt_id = attempt_id, .recipient = number, .id = id};

	if (q->relay)
		(void)!channel_send(q->relay->channel, MESSAGE_RESULT_STORED, &m, -1);
}

static void
finish_status_update(struct status_update_write *w)
{
	struct queue *q = w->queue;
	struct msgid id = w->update.id;
	struct queued_message *e;

	if (w->update.from_relay)
		status_updates_acknowledge(q, w->update.attempt_id, w->update.id, w->update.number);
	if (w->is_late)
		storage_check_drop_late(q);
	if (w->is_counted)
		queued_message_stored(&q->queued, id);
	mem_free(w);
	e = queued_find(&q->queued, id);
	if (e)
		reports_check(q, e);
}

/* A delay report may have been stored since this update was made. */
static uint8_t
status_update_marks(const struct status_update_write *w)
{
	struct queued_message *e = queued_find(&w->queue->queued, w->update.id);
	struct queued_recipient *recipient =
	    e ? queued_message_recipient(e, w->update.number) : NULL;

	return w->update.marks | (uint8_t)(recipient ? recipient->marks & MARK_WARNED : 0);
}

static void
delay_status_update(struct status_update_write *w, int error)
{
	if (!w->is_late)
		storage_check_add_late(
		    w->queue, w->update.id, w->update.number, w->update.outcome, error);
	w->is_late = true;
	TAILQ_INSERT_TAIL(&w->queue->late_updates, w, link);
	queue_retry_later(w->queue);
}

static void
status_update_stored(int error, void *arg)
{
	struct status_update_write *w = arg;

	if (error && error != ENOENT)
		delay_status_update(w, error);
	else
		finish_status_update(w);
}

static void
append_status_update(struct status_update_write *w)
{
	const struct status_update *from = &w->update;
	struct spool_entry entry = {.kind = SPOOL_STATUS, .id = from->id};
	struct spool_batch batch = {.entries = &entry,
	    .count = 1,
	    .urgency = SPOOL_LAZY,
	    .fn = status_update_stored,
	    .arg = w};

	entry.status = (struct spool_recipient){
	    .number = from->number,
	    .outcome = from->outcome,
	    .is_settled =
		!from->is_owed && (from->outcome == SPOOL_DONE || from->outcome == SPOOL_FAILED),
	    .attempts = from->attempts,
	    .next_ms = from->next_ms,
	    .marks = status_update_marks(w),
	    .detail = str_make(w->detail, w->detail_n),
	};
	if (spool_append(w->queue->spool, &batch) == 0)
		return;
	if (errno == ENOENT)
		finish_status_update(w);
	else
		delay_status_update(w, errno);
}

void
status_updates_put(
    struct queue *q, const struct status_update *update, const struct last_attempt *d)
{
	struct status_update_write *w = MEM_NEW(struct status_update_write);
	struct queued_message *e = queued_find(&q->queued, update->id);
	struct queued_recipient *recipient =
	    e ? queued_message_recipient(e, update->number) : NULL;
	struct buf detail;

	buf_init(&detail, SPOOL_DETAIL_MAX);
	last_attempt_encode(d, &detail);
	if (recipient) {
		queued_recipient_set_detail(recipient, buf_str(&detail));
		queued_recipient_set_attempts(recipient, update->attempts);
	}
	w->queue = q;
	w->update = *update;
	w->detail_n = detail.n;
	memcpy(w->detail, detail.p, detail.n);
	buf_clear(&detail);
	w->is_counted = e && e->unstored < QUEUED_UNSTORED_MAX;
	if (w->is_counted)
		e->unstored++;
	append_status_update(w);
}

bool
status_updates_last_attempt(
    struct queue *q, struct msgid id, uint32_t number, struct last_attempt *out)
{
	struct queued_message *e = queued_find(&q->queued, id);
	const struct queued_recipient *recipient = e ? queued_message_recipient(e, number) : NULL;

	if (!recipient)
		return false;
	last_attempt_decode(queued_recipient_detail(recipient), out);
	return out->status.code != 0;
}

static bool
is_superseded(const struct status_update_write *w)
{
	struct queued_message *e = queued_find(&w->queue->queued, w->update.id);
	struct queued_recipient *recipient =
	    e ? queued_message_recipient(e, w->update.number) : NULL;

	if (!recipient || w->update.outcome != SPOOL_DEFERRED)
		return false;
	return recipient->outcome != w->update.outcome ||
	       e->deliveries[recipient->delivery].sched.tries > w->update.attempts;
}

void
status_updates_retry(struct queue *q)
{
	TAILQ_HEAD(, status_update_write) now = TAILQ_HEAD_INITIALIZER(now);
	struct status_update_write *w;

	TAILQ_CONCAT(&now, &q->late_updates, link);
	while ((w = TAILQ_FIRST(&now))) {
		TAILQ_REMOVE(&now, w, link);
		if (is_superseded(w))
			finish_status_update(w);
		else
			append_status_update(w);
	}
}

void
status_updates_clear(struct queue *q)
{
	struct status_update_write *w;

	while ((w = TAILQ_FIRST(&q->late_updates))) {
		TAILQ_REMOVE(&q->late_updates, w, link);
		mem_free(w);
	}
}
