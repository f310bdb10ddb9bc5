/*
 * status_updates: see the header.  A record that could not be stored waits; when the recipient has
 * moved on by then, the newer record speaks for it.
 */
#include "queue/status_updates.h"

#include <errno.h>

#include "base/mem.h"
#include "queue/reports.h"

struct status_update_write {
	TAILQ_ENTRY(status_update_write) link;
	struct queue *queue;
	struct status_update result;
	size_t detail_n;
	char detail[SPOOL_DETAIL_MAX];
	bool is_late;
};

void
status_updates_acknowledge(struct queue *q, uint64_t job, struct msgid id, uint32_t number)
{
	struct message_result_stored m = {.attempt_id = job, .recipient = number, .id = id};

	if (q->relay)
		(void)!channel_send(q->relay->channel, MESSAGE_RESULT_STORED, &m, -1);
}

static void
finish_status_update(struct status_update_write *r)
{
	struct queue *q = r->queue;
	struct queued_message *e = queued_find(&q->book, r->result.id);

	if (r->result.from_relay)
		status_updates_acknowledge(q, r->result.job, r->result.id, r->result.number);
	if (r->is_late)
		storage_check_drop_late(q);
	mem_free(r);
	if (e) {
		e->unstored--;
		reports_check(q, e);
	}
}

/* A warning may have been stored since this record was made. */
static uint8_t
status_update_marks(const struct status_update_write *r)
{
	struct queued_message *e = queued_find(&r->queue->book, r->result.id);
	struct queued_recipient *a = e ? queued_message_recipient(e, r->result.number) : NULL;

	return r->result.marks | (uint8_t)(a ? a->marks & MARK_WARNED : 0);
}

static void
delay_status_update(struct status_update_write *r, int error)
{
	if (!r->is_late)
		storage_check_add_late(
		    r->queue, r->result.id, r->result.number, r->result.outcome, error);
	r->is_late = true;
	TAILQ_INSERT_TAIL(&r->queue->late_records, r, link);
	queue_retry_later(r->queue);
}

static void
status_update_stored(int error, void *arg)
{
	struct status_update_write *r = arg;

	if (error && error != ENOENT)
		delay_status_update(r, error);
	else
		finish_status_update(r);
}

static void
append_status_update(struct status_update_write *r)
{
	const struct status_update *from = &r->result;
	struct spool_entry entry = {.kind = SPOOL_STATUS, .id = from->id};
	struct spool_batch batch = {.entries = &entry,
	    .count = 1,
	    .urgency = SPOOL_LAZY,
	    .fn = status_update_stored,
	    .arg = r};

	entry.status = (struct spool_recipient){
	    .number = from->number,
	    .outcome = from->outcome,
	    .is_settled =
		!from->is_owed && (from->outcome == SPOOL_DONE || from->outcome == SPOOL_FAILED),
	    .attempts = from->attempts,
	    .next_ms = from->next_ms,
	    .marks = status_update_marks(r),
	    .detail = str_make(r->detail, r->detail_n),
	};
	if (spool_append(r->queue->spool, &batch) == 0)
		return;
	if (errno == ENOENT)
		finish_status_update(r);
	else
		delay_status_update(r, errno);
}

void
status_updates_put(
    struct queue *q, const struct status_update *result, const struct last_attempt *d)
{
	struct status_update_write *r = MEM_NEW(struct status_update_write);
	struct queued_message *e = queued_find(&q->book, result->id);
	struct buf detail;

	buf_init(&detail, SPOOL_DETAIL_MAX);
	last_attempt_encode(d, &detail);
	r->queue = q;
	r->result = *result;
	r->detail_n = detail.n;
	memcpy(r->detail, detail.p, detail.n);
	buf_clear(&detail);
	if (e)
		e->unstored++;
	append_status_update(r);
}

bool
status_updates_last_attempt(
    struct queue *q, struct msgid id, uint32_t number, struct last_attempt *out)
{
	struct spool_message m;

	if (!spool_find(q->spool, id, &m) || !m.recipients || number > m.recipient_count)
		return false;
	last_attempt_decode(m.recipients[number - 1].detail, out);
	return out->status.code != 0;
}

static bool
is_superseded(const struct status_update_write *r)
{
	struct queued_message *e = queued_find(&r->queue->book, r->result.id);
	struct queued_recipient *a = e ? queued_message_recipient(e, r->result.number) : NULL;

	if (!a || r->result.outcome != SPOOL_DEFERRED)
		return false;
	return a->outcome != r->result.outcome ||
	       e->shipments[a->shipment].parcel.tries > r->result.attempts;
}

void
status_updates_retry(struct queue *q)
{
	TAILQ_HEAD(, status_update_write) now = TAILQ_HEAD_INITIALIZER(now);
	struct status_update_write *r;

	TAILQ_CONCAT(&now, &q->late_records, link);
	while ((r = TAILQ_FIRST(&now))) {
		TAILQ_REMOVE(&now, r, link);
		if (is_superseded(r))
			finish_status_update(r);
		else
			append_status_update(r);
	}
}

void
status_updates_clear(struct queue *q)
{
	struct status_update_write *r;

	while ((r = TAILQ_FIRST(&q->late_records))) {
		TAILQ_REMOVE(&q->late_records, r, link);
		mem_free(r);
	}
}
