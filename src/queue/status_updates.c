/*
 * status_updates: see the header.  A record that could not be stored waits; when the recipient has
 * moved on by then, the newer record speaks for it.
 */
#include "queue/status_updates.h"

#include <errno.h>

#include "base/mem.h"
#include "queue/reports.h"

struct record {
	TAILQ_ENTRY(record) link;
	struct queue *queue;
	struct record_result result;
	size_t detail_n;
	char detail[SPOOL_DETAIL_MAX];
	bool is_late;
};

void
records_tell(struct queue *q, uint64_t job, struct msgid id, uint32_t number)
{
	struct message_result_stored m = {.job = job, .recipient = number, .id = id};

	if (q->relay)
		(void)!channel_send(q->relay->channel, MESSAGE_RESULT_STORED, &m, -1);
}

static void
finish(struct record *r)
{
	struct queue *q = r->queue;
	struct entry *e = book_find(&q->book, r->result.id);

	if (r->result.from_relay)
		records_tell(q, r->result.job, r->result.id, r->result.number);
	if (r->is_late)
		storing_is_late_no_more(q);
	mem_free(r);
	if (e) {
		e->unstored--;
		reports_check(q, e);
	}
}

/* A warning may have been stored since this record was made. */
static uint8_t
record_marks(const struct record *r)
{
	struct entry *e = book_find(&r->queue->book, r->result.id);
	struct addressee *a = e ? entry_addressee(e, r->result.number) : NULL;

	return r->result.marks | (uint8_t)(a ? a->marks & MARK_WARNED : 0);
}

static void
be_late(struct record *r, int error)
{
	if (!r->is_late)
		storing_is_late(
		    r->queue, r->result.id, r->result.number, r->result.outcome, error);
	r->is_late = true;
	TAILQ_INSERT_TAIL(&r->queue->late_records, r, link);
	queue_retry_later(r->queue);
}

static void
stored(int error, void *arg)
{
	struct record *r = arg;

	if (error && error != ENOENT)
		be_late(r, error);
	else
		finish(r);
}

static void
append(struct record *r)
{
	const struct record_result *from = &r->result;
	struct spool_entry entry = {.kind = SPOOL_STATUS, .id = from->id};
	struct spool_batch batch = {
	    .entries = &entry, .count = 1, .urgency = SPOOL_LAZY, .fn = stored, .arg = r};

	entry.status = (struct spool_recipient){
	    .number = from->number,
	    .outcome = from->outcome,
	    .is_settled =
		!from->is_owed && (from->outcome == SPOOL_DONE || from->outcome == SPOOL_FAILED),
	    .attempts = from->attempts,
	    .next_ms = from->next_ms,
	    .marks = record_marks(r),
	    .detail = str_make(r->detail, r->detail_n),
	};
	if (spool_append(r->queue->spool, &batch) == 0)
		return;
	if (errno == ENOENT)
		finish(r);
	else
		be_late(r, errno);
}

void
records_put(struct queue *q, const struct record_result *result, const struct detail *d)
{
	struct record *r = MEM_NEW(struct record);
	struct entry *e = book_find(&q->book, result->id);
	struct buf detail;

	buf_init(&detail, SPOOL_DETAIL_MAX);
	detail_encode(d, &detail);
	r->queue = q;
	r->result = *result;
	r->detail_n = detail.n;
	memcpy(r->detail, detail.p, detail.n);
	buf_clear(&detail);
	if (e)
		e->unstored++;
	append(r);
}

bool
records_last(struct queue *q, struct msgid id, uint32_t number, struct detail *out)
{
	struct spool_message m;

	if (!spool_find(q->spool, id, &m) || !m.recipients || number > m.recipient_count)
		return false;
	detail_decode(m.recipients[number - 1].detail, out);
	return out->status.code != 0;
}

static bool
is_superseded(const struct record *r)
{
	struct entry *e = book_find(&r->queue->book, r->result.id);
	struct addressee *a = e ? entry_addressee(e, r->result.number) : NULL;

	if (!a || r->result.outcome != SPOOL_DEFERRED)
		return false;
	return a->outcome != r->result.outcome ||
	       e->shipments[a->shipment].parcel.tries > r->result.attempts;
}

void
records_retry(struct queue *q)
{
	TAILQ_HEAD(, record) now = TAILQ_HEAD_INITIALIZER(now);
	struct record *r;

	TAILQ_CONCAT(&now, &q->late_records, link);
	while ((r = TAILQ_FIRST(&now))) {
		TAILQ_REMOVE(&now, r, link);
		if (is_superseded(r))
			finish(r);
		else
			append(r);
	}
}

void
records_clear(struct queue *q)
{
	struct record *r;

	while ((r = TAILQ_FIRST(&q->late_records))) {
		TAILQ_REMOVE(&q->late_records, r, link);
		mem_free(r);
	}
}
