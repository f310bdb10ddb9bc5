/*
 * notice_store: a repeated request for a notice creates no second message: not while the notice is
 * being stored, which may take longer than main waits, nor when it is queued, nor when it was
 * delivered meanwhile. Only the ids of the last stored notices are remembered, and only in memory.
 */
#include "queue/reports/notice_store.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "queue/intake_no_room.h"
#include "queue/reports/notice_mail.h"

enum { NOTICE_KIND_BYTES = 32 };

struct notice_store_write {
	LIST_ENTRY(notice_store_write) link;
	struct queue *queue;
	uint64_t call;
	struct queued_message *message;
	char *kind;
};

static void
notice_store_answer(struct queue *q, uint64_t call, struct smtp_status s)
{
	struct message_status m = {.status = s};

	(void)!channel_answer(q->role->main, call, MESSAGE_STATUS, &m, -1);
}

static void
notice_store_free(struct notice_store_write *n)
{
	LIST_REMOVE(n, link);
	queued_message_free(&n->queue->queued, &n->message);
	mem_free(n->kind);
	mem_free(n);
}

static void
notice_store_log(const struct notice_store_write *n)
{
	struct log_line l;

	log_begin(&l, LOG_INFO, "notice");
	log_id(&l, n->message->id, 0);
	log_str(&l, "kind", str_of(n->kind));
	log_addr(&l, "to", queued_message_address(n->message, 1));
	log_end(&l);
}

static void
notice_store_stored(int error, void *arg)
{
	struct notice_store_write *n = arg;
	struct queue *q = n->queue;
	char id[ID_NUMBER_TEXT_BYTES];

	if (error) {
		notice_store_answer(q, n->call, intake_no_room(error));
	} else {
		notice_store_log(n);
		q->stored_notices[q->next_stored_notice++ % NOTICES_STORED_MAX] = n->message->id;
		notice_store_answer(q, n->call,
		    smtp_status_make(
		        250, "2.0.0", "Queued as %s", msgid_text(n->message->id, 0, id)));
		queue_add_message(q, n->message);
		n->message = NULL;
	}
	notice_store_free(n);
	queue_check_stopped(q);
}

static int
notice_store_append(struct notice_store_write *n, const struct notice_mail *mail)
{
	struct spool_entry entry = {.kind = SPOOL_MESSAGE, .id = mail->envelope.id};
	struct spool_batch batch = {.entries = &entry, .count = 1, .urgency = SPOOL_REPORT,
	    .fn = notice_store_stored, .arg = n};
	struct buf envelope;
	int error;

	buf_init(&envelope, ENVELOPE_BYTES_MAX);
	if (!envelope_encode(&mail->envelope, &envelope))
		die("a notice's envelope is too large");
	entry.message.recipient_count = 1;
	entry.message.envelope = buf_str(&envelope);
	entry.message.header = buf_str(&mail->header);
	entry.message.body = buf_str(&mail->body);
	error = spool_append(n->queue->spool, &batch) == 0 ? 0 : errno;
	buf_clear(&envelope);
	return error;
}

/* 0: the answer comes when it is durable. */
static int
notice_store_put(struct queue *q, uint64_t call, struct str kind, const struct notice_mail *mail)
{
	struct notice_store_write *n = MEM_NEW(struct notice_store_write);
	int error;

	n->queue = q;
	n->call = call;
	n->kind = mem_text(kind.p, kind.n < NOTICE_KIND_BYTES ? kind.n : NOTICE_KIND_BYTES);
	n->message = queued_message_new(
	    &q->queued, &mail->envelope, q->role->conf->queue.lifetime_ms, q->role->conf->hostname);
	LIST_INSERT_HEAD(&q->notices, n, link);
	error = notice_store_append(n, mail);
	if (error)
		notice_store_free(n);
	return error;
}

static struct notice_store_write *
notice_store_under_way(const struct queue *q, struct msgid id)
{
	struct notice_store_write *n;

	LIST_FOREACH(n, &q->notices, link)
		if (msgid_eq(n->message->id, id))
			return n;
	return NULL;
}

static bool
notice_store_was_stored(const struct queue *q, struct msgid id)
{
	for (size_t i = 0; i < NOTICES_STORED_MAX; i++)
		if (msgid_eq(q->stored_notices[i], id))
			return true;
	return false;
}

static struct smtp_status
notice_store_refusal(int error)
{
	if (error == EEXIST)
		return smtp_status_make(250, "2.0.0", "It was put into the queue before");
	if (error == EMSGSIZE || error == EINVAL)
		return smtp_status_make(554, "5.3.4", "A notice cannot be stored");
	return intake_no_room(error);
}

/* 0: the answer comes later.  A notice that is being stored answers only the latest request: main
 * may have given up the former one. */
static int
notice_store_try(
    struct queue *q, uint64_t call, struct str kind, const struct notice_mail *mail)
{
	struct notice_store_write *n = notice_store_under_way(q, mail->envelope.id);

	if (n) {
		notice_store_answer(q, n->call, intake_no_room(EAGAIN));
		n->call = call;
		return 0;
	}
	if (notice_store_was_stored(q, mail->envelope.id))
		return EEXIST;
	return q->is_stopping ? EAGAIN : notice_store_put(q, call, kind, mail);
}

static void
notice_store_take(struct queue *q, uint64_t call, const struct message_notice *m)
{
	const struct conf *c = q->role->conf;
	struct notice_mail_content n = {.id = m->notice, .subject = m->subject, .text = m->text,
	    .hostname = c->hostname, .postmaster = c->postmaster, .now_ms = clock_ms()};
	struct notice_mail mail;
	int error = EMSGSIZE;

	if (!c->postmaster.n) {
		notice_store_answer(
		    q, call, smtp_status_make(554, "5.1.3", "There is no postmaster"));
		return;
	}
	if (notice_mail_compose(&n, &mail))
		error = notice_store_try(q, call, m->kind, &mail);
	if (error)
		notice_store_answer(q, call, notice_store_refusal(error));
	notice_mail_clear(&mail);
}

void
notice_store_handle_packet(struct role *r, const struct channel_packet *p)
{
	if (p->type == MESSAGE_NOTICE) {
		notice_store_take(r->state, p->call, &p->message->notice);
		return;
	}
	log_error("queue: unexpected %s from main", message_name(p->type));
	channel_refuse(r->main, p->call);
}

void
notice_store_clear(struct queue *q)
{
	struct notice_store_write *n;

	while ((n = LIST_FIRST(&q->notices)))
		notice_store_free(n);
}
