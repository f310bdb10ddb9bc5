/*
 * returns: a list goes through collect -> read the message -> compose -> store -> done.  When the
 * spool refuses, it goes back to reading some seconds later.  Failures that one report has no room
 * for stay in the list and go the same way again.
 */
#include "queue/returns.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/dsn.h"
#include "queue/records.h"

enum { ENVELOPE_ARENA_MAX = 1 << 20 };

struct returns {
	TAILQ_ENTRY(returns) link;
	struct queue *queue;
	struct msgid id;
	struct failure *items;
	size_t count, cap;
	size_t told;          /* of items, the first ones: in the batch that is being stored */
	struct entry *report; /* goes into the book with it */
	bool is_on_its_way;
	bool is_late;
};

static struct str
copy(struct str s)
{
	return s.n ? str_make(mem_text(s.p, s.n), s.n) : STR_NULL;
}

static void
clear_item(struct failure *f)
{
	mem_free((char *)f->detail.reason.p);
	mem_free((char *)f->detail.host.p);
	mem_free((char *)f->detail.address.p);
}

static struct returns *
returns_of(struct queue *q, struct entry *e)
{
	if (!e->failures) {
		e->failures = MEM_NEW(struct returns);
		e->failures->queue = q;
		e->failures->id = e->id;
		TAILQ_INSERT_TAIL(&q->failures, e->failures, link);
	}
	return e->failures;
}

void
returns_add(struct queue *q, struct entry *e, const struct failure *f)
{
	struct returns *list = returns_of(q, e);
	struct failure *to;

	if (list->count == list->cap) {
		list->cap = list->cap ? list->cap * 2 : 4;
		list->items = mem_grow(list->items, list->cap * sizeof *list->items);
	}
	to = &list->items[list->count++];
	*to = *f;
	to->detail.reason = copy(f->detail.reason);
	to->detail.host = copy(f->detail.host);
	to->detail.address = copy(f->detail.address);
	e->addressees[f->number - 1].is_failing = true;
	e->shipments[e->addressees[f->number - 1].shipment].open--;
}

static void
free_list(struct returns *list)
{
	TAILQ_REMOVE(&list->queue->failures, list, link);
	for (size_t i = 0; i < list->count; i++)
		clear_item(&list->items[i]);
	entry_free(&list->queue->book, &list->report);
	mem_free(list->items);
	mem_free(list);
}

static void
be_late(struct returns *list, int error)
{
	log_warn("spool: a failure could not be stored: %s", strerror(error));
	entry_free(&list->queue->book, &list->report);
	list->is_late = true;
	queue_retry_later(list->queue);
}

/* ---- stored ---- */

static void
settle(struct returns *list, struct entry *e, const struct failure *f)
{
	if (f->from_relay)
		records_tell(list->queue, f->job, list->id, f->number);
	if (e && e->addressees[f->number - 1].is_failing)
		entry_settle(&list->queue->book, e, f->number, SPOOL_FAILED, f->marks);
}

static void
log_report(const struct returns *list)
{
	struct log_line l;
	char about[ID_NUMBER_TEXT_BYTES];

	log_begin(&l, LOG_INFO, "report");
	log_id(&l, list->report->id, 0);
	log_str(&l, "about", str_of(msgid_text(list->id, 0, about)));
	log_addr(&l, "to", entry_address(list->report, 1));
	log_num(&l, "rcpts", list->told);
	log_end(&l);
}

static void begin(struct returns *list);

static void
stored(int error, void *arg)
{
	struct returns *list = arg;
	struct queue *q = list->queue;
	struct entry *e = book_find(&q->book, list->id);

	if (error && error != ENOENT) {
		be_late(list, error);
		return;
	}
	for (size_t i = 0; i < list->told; i++) {
		settle(list, e, &list->items[i]);
		clear_item(&list->items[i]);
	}
	if (error)
		entry_free(&q->book, &list->report);
	if (list->report) {
		log_report(list);
		queue_take(q, list->report);
		list->report = NULL;
	}
	list->count -= list->told;
	memmove(list->items, list->items + list->told, list->count * sizeof *list->items);
	if (list->count)
		begin(list);
	else
		free_list(list);
	if (e)
		queue_end(q, e);
	queue_check_stopped(q);
}

/* ---- composed ---- */

struct batch {
	struct spool_entry *entries;
	size_t count;
	struct buf details;
	struct buf envelope;
	struct arena arena;
};

static void
add_status(struct batch *b, struct msgid id, const struct failure *f)
{
	struct spool_entry *entry = &b->entries[b->count++];
	struct buf detail;

	buf_init(&detail, SPOOL_DETAIL_MAX);
	detail_encode(&f->detail, &detail);
	*entry = (struct spool_entry){.kind = SPOOL_STATUS, .id = id};
	entry->status = (struct spool_recipient){
	    .number = f->number,
	    .outcome = SPOOL_FAILED,
	    .is_settled = true,
	    .attempts = f->attempts,
	    .marks = f->marks,
	    .detail = arena_str(&b->arena, buf_str(&detail)),
	};
	buf_clear(&detail);
}

static bool
is_wanted(const struct envelope *e, uint32_t number)
{
	struct dsn_wish w = {e->id, e->kind, e->sender.n > 0, e->recipients[number - 1].notify};

	return dsn_is_wanted(&w, DSN_FAILED);
}

/* Those to be told of first: one batch takes the first `told`. */
static size_t
wanted_first(struct returns *list, const struct envelope *e)
{
	size_t wanted = 0;

	for (size_t i = 0; i < list->count; i++) {
		struct failure f = list->items[i];

		if (f.number > e->recipient_count || (f.marks & MARK_DELETED) ||
		    !is_wanted(e, f.number))
			continue;
		list->items[i] = list->items[wanted];
		list->items[wanted++] = f;
	}
	return wanted;
}

static void
fill_dsn(struct dsn *d, struct dsn_item *to, const struct returns *list, size_t wanted)
{
	for (size_t i = 0; i < wanted; i++) {
		const struct failure *f = &list->items[i];

		to[i] = (struct dsn_item){
		    .number = f->number,
		    .status = f->detail.status,
		    .is_expired = f->marks & MARK_EXPIRED,
		    .host = f->detail.host,
		    .address = f->detail.address,
		    .at_ms = f->detail.at_ms,
		};
	}
	d->items = to;
	d->count = wanted;
}

static int
append(struct returns *list, struct batch *b)
{
	struct spool_batch batch = {.entries = b->entries,
	    .count = b->count,
	    .urgency = SPOOL_NOW,
	    .fn = stored,
	    .arg = list};

	for (size_t i = 0; i < list->told; i++)
		add_status(b, list->id, &list->items[i]);
	batch.count = b->count;
	return spool_append(list->queue->spool, &batch) == 0 ? 0 : errno;
}

static void
add_report(struct returns *list, struct batch *b, const struct dsn_report *report)
{
	struct queue *q = list->queue;
	struct spool_entry *entry = &b->entries[b->count++];

	buf_init(&b->envelope, ENVELOPE_BYTES_MAX);
	if (!envelope_encode(&report->envelope, &b->envelope))
		die("a report's envelope is too large");
	*entry = (struct spool_entry){.kind = SPOOL_MESSAGE, .id = report->envelope.id};
	entry->message.recipient_count = 1;
	entry->message.envelope = buf_str(&b->envelope);
	entry->message.header = buf_str(&report->header);
	entry->message.body = buf_str(&report->body);
	list->report = entry_new(
	    &q->book, &report->envelope, q->role->conf->queue.lifetime_ms, q->role->conf->hostname);
}

/* Stores the first of the list: with a report, as many as it tells of; else all.  0 or an errno. */
static int
store(struct returns *list, const struct envelope *e, const struct spool_content *content)
{
	struct dsn d = {.envelope = e, .now_ms = clock_ms()};
	size_t wanted = e ? wanted_first(list, e) : 0;
	struct dsn_report report = {0};
	struct batch b = {0};
	int r;

	arena_init(&b.arena, (list->count + 1) * (SPOOL_DETAIL_MAX + 1024));
	b.entries = ARENA_ARRAY(&b.arena, struct spool_entry, list->count + 1);
	list->told = list->count;
	if (wanted) {
		d.hostname = list->queue->role->conf->hostname;
		d.postmaster = list->queue->role->conf->postmaster;
		if (content) {
			d.header = content->header;
			d.has_body = content->fd < 0 && dsn_returns_body(e);
			d.body = d.has_body ? content->body : STR_NULL;
		}
		fill_dsn(&d, ARENA_ARRAY(&b.arena, struct dsn_item, wanted), list, wanted);
		list->told = dsn_compose(&d, &report);
		add_report(list, &b, &report);
	}
	r = append(list, &b);
	dsn_clear(&report);
	buf_clear(&b.envelope);
	arena_clear(&b.arena);
	return r;
}

/* What the book still knows of a message that cannot be read any more. */
static bool
envelope_of(struct entry *from, struct arena *arena, struct envelope *out)
{
	if (!from)
		return false;
	*out = (struct envelope){.id = from->id, .arrival_ms = from->arrival_ms};
	out->kind = from->is_report ? ENVELOPE_REPORT : ENVELOPE_MESSAGE;
	out->sender = entry_sender(from);
	out->recipient_count = from->addressee_count;
	out->recipients = ARENA_ARRAY(arena, struct recipient, from->addressee_count);
	for (uint32_t i = 0; i < from->addressee_count; i++)
		out->recipients[i].address = entry_address(from, i + 1);
	return true;
}

static void
got_content(const struct spool_content *content, int error, void *arg)
{
	struct returns *list = arg;
	struct envelope e;
	struct arena arena;
	bool is_known;

	if (!content && error != ENOENT && error != EBADMSG) {
		be_late(list, error);
		return;
	}
	arena_init(&arena, ENVELOPE_ARENA_MAX);
	if (content)
		is_known = envelope_decode(content->envelope, &arena, &e);
	else
		is_known = envelope_of(book_find(&list->queue->book, list->id), &arena, &e);
	error = store(list, is_known ? &e : NULL, content);
	if (error == ENOENT)
		stored(ENOENT, list);
	else if (error)
		be_late(list, error);
	if (content && content->fd >= 0)
		close(content->fd);
	arena_clear(&arena);
}

static void
begin(struct returns *list)
{
	list->is_on_its_way = true;
	list->is_late = false;
	spool_read(list->queue->spool, list->id, got_content, list);
}

void
returns_send(struct queue *q, struct entry *e)
{
	struct returns *list = e->failures;

	(void)q;
	if (!list)
		return;
	e->failures = NULL;
	begin(list);
}

void
returns_send_all(struct queue *q)
{
	struct returns *list;

	TAILQ_FOREACH(list, &q->failures, link) {
		struct entry *e = list->is_on_its_way ? NULL : book_find(&q->book, list->id);

		if (e)
			returns_send(q, e);
	}
}

void
returns_retry(struct queue *q)
{
	struct returns *list;

	TAILQ_FOREACH(list, &q->failures, link)
		if (list->is_late)
			begin(list);
}

void
returns_clear(struct queue *q)
{
	struct returns *list;

	while ((list = TAILQ_FIRST(&q->failures)))
		free_list(list);
}
