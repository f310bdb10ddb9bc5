/*
 * reports_store: makes one report: reads the message, composes, and appends the report in one batch
 * with the statuses.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/error_text.h"
#include "base/fsio.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "queue/last_attempt.h"
#include "queue/reports/reports_parts.h"
#include "queue/stored_statuses.h"
#include "spool/spool_fault.h"

enum { ENVELOPE_ARENA_MAX = 1 << 20, STORE_ARENA_MAX = 4 << 20 };

/* Everything for one batch. */
struct report_batch {
	struct report *report;
	struct queued_message *message;
	struct dsn dsn;
	struct dsn_report composed;
	struct buf envelope;
	struct spool_entry *entries;
	size_t count;
	struct arena arena;
};

/* ---- contents ---- */

static enum dsn_action
report_action(const struct report *r, const struct queued_recipient *recipient)
{
	if (r->is_warning)
		return DSN_DELAYED;
	if (recipient->outcome == SPOOL_FAILED)
		return DSN_FAILED;
	return recipient->marks & MARK_FINAL ? DSN_DELIVERED : DSN_RELAYED;
}

static void
report_list(struct report_batch *b)
{
	struct report *r = b->report;
	struct queued_message *e = b->message;
	size_t n = 0;

	r->is_warning = e->owed == 0;
	r->numbers = mem_grow(r->numbers, e->recipient_count * sizeof *r->numbers);
	for (uint32_t i = 1; i <= e->recipient_count; i++)
		if (r->is_warning ? reports_is_warned_of(e, i)
		                  : queued_message_recipient(e, i)->is_owed)
			r->numbers[n++] = i;
	r->count = n;
}

/* The failure of the destination that an attempt for another message found, as in `queue list`. */
static void
report_explain_wait(
    const struct report_batch *b, const struct queued_recipient *recipient, struct dsn_item *item)
{
	struct schedule_info info;

	schedule_explain(
	    b->report->queue->schedule, &b->message->deliveries[recipient->delivery].sched, &info);
	if (!info.status)
		return;
	item->status = *info.status;
	item->found_ms = info.found_ms;
	item->host = item->address = STR_NULL;
}

static struct dsn_item
report_item(const struct report_batch *b, uint32_t number)
{
	const struct queued_recipient *recipient = queued_message_recipient(b->message, number);
	struct dsn_item item = {.number = number, .action = report_action(b->report, recipient)};
	struct last_attempt d = {0};

	last_attempt_decode(queued_recipient_detail(recipient), &d);
	item.status = d.status;
	item.is_expired = item.action == DSN_FAILED && (recipient->marks & MARK_EXPIRED);
	item.host = d.host;
	item.address = d.address;
	item.at_ms = d.at_ms;
	item.found_ms = d.found_ms;
	if (item.action == DSN_DELAYED)
		report_explain_wait(b, recipient, &item);
	return item;
}

static void
report_fill(struct report_batch *b, const struct envelope *e, const struct spool_content *content)
{
	const struct conf *c = b->report->queue->role->conf;
	struct dsn_item *items = ARENA_ARRAY(&b->arena, struct dsn_item, b->report->count);
	struct dsn *d = &b->dsn;

	for (size_t i = 0; i < b->report->count; i++)
		items[i] = report_item(b, b->report->numbers[i]);
	*d = (struct dsn){.envelope = e,
	    .items = items,
	    .count = b->report->count,
	    .is_brief = fsio_is_full(spool_admits(b->report->queue->spool)),
	    .hostname = c->hostname,
	    .postmaster = c->postmaster,
	    .now_ms = clock_ms(),
	    .retry_until_ms = queued_message_expires_ms(b->message)};
	/* nothing is left of a lost message that could be returned */
	if (!content || content->header.n == 0)
		return;
	d->header = content->header;
	d->has_body = content->fd < 0 && dsn_returns_body(e);
	d->body = d->has_body ? content->body : STR_NULL;
}

/* ---- the batch ---- */

static void
report_add_message(struct report_batch *b)
{
	struct queue *q = b->report->queue;
	struct spool_entry *entry = &b->entries[b->count++];

	buf_init(&b->envelope, ENVELOPE_BYTES_MAX);
	if (!envelope_encode(&b->composed.envelope, &b->envelope))
		die("a report's envelope is too large");
	*entry = (struct spool_entry){.kind = SPOOL_MESSAGE, .id = b->composed.envelope.id};
	entry->message.recipient_count = 1;
	entry->message.envelope = buf_str(&b->envelope);
	entry->message.header = buf_str(&b->composed.header);
	entry->message.body = buf_str(&b->composed.body);
	b->report->queued_report = queued_message_new(&q->queued, &b->composed.envelope,
	    q->role->conf->queue.lifetime_ms, q->role->conf->hostname);
}

/* The whole state of the recipient, with the change by the report. */
static void
report_add_status(struct report_batch *b, uint32_t number)
{
	struct spool_entry *entry = &b->entries[b->count++];

	*entry = (struct spool_entry){.kind = SPOOL_STATUS, .id = b->message->id};
	entry->status = queued_status(b->message, number);
	if (b->report->is_warning)
		entry->status.marks |= MARK_WARNED;
	else
		entry->status.is_settled = true;
}

static void
report_durable(int error, void *arg)
{
	const struct report *r = arg;

	if (!error && r->queued_report)
		metrics_count(
		    r->is_warning ? METRIC_REPORTS_DELAYED : METRIC_REPORTS_FINAL, 1);
	reports_stored(arg, error);
}

static int
report_append(struct report_batch *b, bool with_message)
{
	struct report *r = b->report;
	struct spool_batch batch = {.urgency = SPOOL_REPORT, .fn = report_durable, .arg = r};

	b->count = 0;
	if (with_message)
		report_add_message(b);
	for (size_t i = 0; i < r->count; i++)
		report_add_status(b, r->numbers[i]);
	batch.entries = b->entries;
	batch.count = b->count;
	if (spool_append(r->queue->spool, &batch) == 0)
		return 0;
	queued_message_free(&r->queue->queued, &r->queued_report);
	return errno;
}

/* ---- dropped reports ---- */

static void
report_log_dropped(const struct report_batch *b, int error)
{
	struct log_line l;

	log_begin(&l, LOG_ERR, "report");
	log_id(&l, b->report->id, 0);
	log_str(&l, "status", STR("dropped"));
	log_addr(&l, "to", b->composed.recipient.address);
	log_quoted(&l, "reason", str_of(error_text(error)));
	log_end(&l);
}

/* A report that exists already was queued before.  A report that can never be stored is dropped; on
 * a full disk the report about a report is dropped too, because it would keep the disk full. */
static bool
report_is_hopeless(int error)
{
	return error == EEXIST || error == EMSGSIZE || error == EINVAL;
}

static int
report_put(struct report_batch *b)
{
	int error;

	b->report->count = dsn_compose(&b->dsn, &b->composed);
	b->entries = ARENA_ARRAY(&b->arena, struct spool_entry, b->report->count + 1);
	error = b->report->is_given_up ? ENOSPC : report_append(b, true);
	if (b->report->is_given_up || report_is_hopeless(error)) {
		if (error != EEXIST)
			report_log_dropped(b, error);
		error = report_append(b, false);
	}
	dsn_clear(&b->composed);
	buf_clear(&b->envelope);
	return error;
}

/* 0: appended, or nothing to report (*is_done_out). */
static int
report_store(struct report *r, const struct envelope *e, const struct spool_content *content,
    bool *is_done_out)
{
	struct report_batch b = {.report = r, .message = queued_find(&r->queue->queued, r->id)};
	struct spool_message stored;
	int error = 0;

	report_list(&b);
	if (r->is_warning)
		b.message->is_warning_due = false;
	*is_done_out = r->count == 0;
	if (r->count == 0)
		return 0;
	if (!spool_find(r->queue->spool, r->id, &stored))
		return ENOENT;
	arena_init(&b.arena, STORE_ARENA_MAX);
	report_fill(&b, e, content);
	error = report_put(&b);
	if (error && r->is_warning)
		b.message->is_warning_due = true;
	arena_clear(&b.arena);
	return error;
}

/* ---- the message ---- */

static void
report_make(struct report *r, struct queued_message *e, const struct spool_content *content)
{
	struct envelope envelope;
	struct arena arena;
	bool is_done;
	int error;

	arena_init(&arena, ENVELOPE_ARENA_MAX);
	if (!content || !envelope_decode(content->envelope, &arena, &envelope))
		queued_message_envelope(e, &arena, &envelope);
	error = report_store(r, &envelope, content, &is_done);
	arena_clear(&arena);
	if (error || is_done)
		reports_stored(r, error);
}

static bool
report_may_read_again(struct report *r, int error)
{
	return error != ENOENT && !spool_fault_of_body(error) && ++r->reads < REPORTS_READS_MAX;
}

static void
report_got_content(const struct spool_content *content, int error, void *arg)
{
	struct report *r = arg;
	struct queued_message *e = queued_find(&r->queue->queued, r->id);

	r->count = 0;
	if (!e)
		reports_stored(r, ENOENT);
	else if (e->unstored || e->is_deleting)
		reports_stored(r, ECANCELED);
	else if (error && report_may_read_again(r, error))
		reports_unread(r, error);
	else
		report_make(r, e, content);
}

void
report_begin(struct report *r)
{
	spool_read(r->queue->spool, &r->reading, r->id, report_got_content, r);
}
