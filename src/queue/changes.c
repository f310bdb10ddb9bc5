/*
 * changes: see the header.
 */
#include "queue/changes.h"

#include <errno.h>

#include "base/mem.h"
#include "queue/detail.h"

/* What is done to the message once the change is durable. */
typedef void change_fn(struct errand *errand, struct entry *e);

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

	errand->unstored--;
	if (error) {
		errand->error = error;
		errand->failed++;
	} else if (e) {
		errand_say_id(errand, e);
		c->apply(errand, e);
	}
	change_free(c);
	queue_wake_errands(errand->queue);
}

static void
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
		return;
	}
	errand->error = errno;
	errand->failed++;
	change_free(c);
}

void
changes_forget(struct errand *errand)
{
	struct change *c;

	while ((c = LIST_FIRST(&errand->changes)))
		change_free(c);
}

/* ---- hold and release ---- */

/* What is with relay goes on; what comes back of it stays. */
static void
change_to_held(struct errand *errand, struct entry *e)
{
	entry_hold(&errand->queue->book, e, true);
	for (size_t i = 0; i < e->shipment_count; i++)
		if (!e->shipments[i].job)
			schedule_remove(errand->queue->schedule, &e->shipments[i].parcel);
}

static void
change_to_released(struct errand *errand, struct entry *e)
{
	entry_hold(&errand->queue->book, e, false);
	for (size_t i = 0; i < e->shipment_count; i++)
		if (!e->shipments[i].job)
			queue_schedule(
			    errand->queue, &e->shipments[i], e->shipments[i].parcel.due_ms);
}

static void
store_hold(struct errand *errand, struct entry *e, bool is_held)
{
	struct spool_entry entry = {.kind = SPOOL_HOLD, .id = e->id};
	struct spool_batch batch = {.entries = &entry, .count = 1};

	entry.hold.is_held = is_held;
	entry.hold.why = errand->reason;
	if (e->is_held != is_held)
		change_store(errand, e, &batch, is_held ? change_to_held : change_to_released);
}

void
changes_hold(struct errand *errand, struct entry *e)
{
	store_hold(errand, e, true);
}

void
changes_release(struct errand *errand, struct entry *e)
{
	store_hold(errand, e, false);
}

/* ---- delete ---- */

static size_t
list_deletions(const struct entry *e, struct spool_entry *to)
{
	size_t count = 0;

	for (uint32_t i = 0; i < e->addressee_count; i++) {
		if (!addressee_is_open(&e->addressees[i]))
			continue;
		to[count] = (struct spool_entry){.kind = SPOOL_STATUS, .id = e->id};
		to[count].status = (struct spool_recipient){.number = i + 1,
		    .outcome = SPOOL_FAILED,
		    .is_settled = true,
		    .marks = MARK_DELETED};
		count++;
	}
	return count;
}

/* Recipients that came to an end meanwhile keep it. */
static void
change_to_deleted(struct errand *errand, struct entry *e)
{
	struct queue *q = errand->queue;

	for (uint32_t i = 0; i < e->addressee_count; i++)
		if (addressee_is_open(&e->addressees[i]))
			entry_settle(&q->book, e, i + 1, SPOOL_FAILED, MARK_DELETED);
	for (size_t i = 0; i < e->shipment_count; i++)
		if (!e->shipments[i].open && !e->shipments[i].job)
			schedule_remove(q->schedule, &e->shipments[i].parcel);
	queue_end(q, e);
}

void
changes_delete(struct errand *errand, struct entry *e)
{
	struct spool_entry *entries = mem_new(e->addressee_count * sizeof *entries);
	struct spool_batch batch = {.entries = entries};

	batch.count = list_deletions(e, entries);
	if (batch.count)
		change_store(errand, e, &batch, change_to_deleted);
	mem_free(entries);
}
