/*
 * intake: see the header.
 */
#include "queue/intake.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/crlf_check.h"
#include "base/error_text.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "mail/header.h"
#include "queue/admin/suspended_holds.h"
#include "queue/intake_files.h"
#include "queue/intake_no_room.h"
#include "queue/intake_pending.h"
#include "queue/leases.h"
#include "queue/reports/dsn.h"
#include "spool/frame.h"

enum {
	ENVELOPE_ARENA_MAX = 1 << 20,
	DAY_MS = 24 * 60 * 60 * 1000,
};

#define TIME_MAX_MS (1ll << 42) /* of an id (base/id.h) */

static void
answer_commit(struct queue_peer *peer, uint64_t call, const struct smtp_status *s)
{
	struct message_status m = {.status = *s};

	if (peer)
		(void)!channel_answer(peer->channel, call, MESSAGE_STATUS, &m, -1);
}

/* ---- commit ---- */

static void
log_accept(const struct intake_pending *p)
{
	const struct queued_message *e = p->message;
	struct log_line l;

	log_begin(&l, LOG_INFO, "accept");
	log_id(&l, e->id, 0);
	log_user(&l, "user", queued_message_user(e));
	log_addr(&l, "from", queued_message_sender(e));
	log_addr(&l, "header_from", p->header_from);
	log_num(&l, "rcpts", e->recipient_count);
	log_num(&l, "bytes", e->bytes);
	if (p->message_id.n)
		log_addr(&l, "msgid", p->message_id);
	log_end(&l);
}

static void
count_accepted(const struct queued_message *e)
{
	metrics_count(METRIC_MESSAGES_ACCEPTED, 1);
	metrics_count(METRIC_RECIPIENTS_ACCEPTED, e->recipient_count);
	metrics_count(METRIC_BYTES_ACCEPTED, e->bytes);
}

static void
free_pending(struct intake_pending *p)
{
	LIST_REMOVE(p, link);
	queued_message_free(&p->queue->queued, &p->message);
	mem_free((char *)p->header_from.p);
	mem_free((char *)p->message_id.p);
	mem_free(p);
}

/* The client is not told of a success that comes later than this. */
_Static_assert(SPOOL_MESSAGE_WAIT_MS + 20000 <= MESSAGE_COMMIT_MS, "told 451, and stored");

static const char *
intake_error_text(int error)
{
	if (error == EILSEQ)
		return "its body has a bare CR or LF, or NUL";
	if (error == ETIMEDOUT)
		return "the disk took so long that the client had to be told 451";
	return error_text(error);
}

static void
intake_message_stored(int error, void *arg)
{
	struct intake_pending *p = arg;
	struct queue *q = p->queue;
	char id[ID_NUMBER_TEXT_BYTES];
	struct smtp_status s;

	if (error) {
		content_cache_forget(q->contents, p->message->id);
		msgid_text(p->message->id, 0, id);
		log_error("spool: message %s is not stored: %s", id, intake_error_text(error));
		s = intake_no_room(error);
	} else {
		s = smtp_status_make(
		    250, "2.0.0", "Queued as %s", msgid_text(p->message->id, 0, id));
		log_accept(p);
		count_accepted(p->message);
	}
	answer_commit(p->peer, p->call, &s);
	if (!error) {
		leases_spend(
		    q, p->peer, queued_message_user(p->message), p->message->recipient_count);
		suspended_hold_message_stored(q, p->message, p->release);
		p->message = NULL;
	}
	free_pending(p);
	if (!TAILQ_EMPTY(&q->admin_commands))
		queue_wake_admin(q);
}

/* Relay sends as many bytes of the file as the envelope says. */
static bool
intake_file_is_whole(const struct intake_file *r, uint64_t body_bytes)
{
	uint64_t bytes;

	return spool_file_bytes(r->peer->queue->spool, r->fd, &bytes) == 0 && bytes == body_bytes;
}

/* New ids start above the newest one in the spool: an id of the far future would leave none. */
static bool
intake_is_time(struct queue *q, int64_t ms)
{
	int64_t now = clock_ms();

	/* before the clock was set back it gave ids of that time */
	if (now > q->newest_ms)
		q->newest_ms = now;
	return ms >= 0 && ms < TIME_MAX_MS && ms <= q->newest_ms + DAY_MS;
}

static struct smtp_status
intake_check_times(const struct queue_peer *peer, const struct envelope *e)
{
	struct queue *q = peer->queue;
	char id[ID_NUMBER_TEXT_BYTES];

	if (!intake_is_time(q, id_ms(e->id.session)) || !intake_is_time(q, e->arrival_ms)) {
		log_error(
		    "submission %u: message %s is refused: its time is more than a day ahead; "
		    "if the clock was set back, restart sallyportd",
		    peer->role.index, msgid_text(e->id, 0, id));
		return smtp_status_make(
		    451, "4.3.0", "The clock of this server is not right, try again later");
	}
	if (e->hold_until_ms < 0 || e->hold_until_ms >= TIME_MAX_MS || e->deliver_by_ms < 0 ||
	    e->deliver_by_ms >= TIME_MAX_MS)
		return smtp_status_make(
		    554, "5.3.0", "Internal error: the envelope is not consistent");
	return smtp_status_make(250, "2.0.0", "Ok");
}

static struct smtp_status
check_commit(const struct message_commit *m, const struct envelope *e, const struct intake_file *r)
{
	if (e->recipient_count == 0 || e->kind != ENVELOPE_MESSAGE || e->id.number == 0 ||
	    e->id.number >= DSN_NUMBER || e->header_bytes != m->header.n ||
	    (!m->in_file && e->body_bytes != m->body.n))
		return smtp_status_make(
		    554, "5.3.0", "Internal error: the envelope is not consistent");
	if (m->in_file && (!r || r->fd < 0))
		return smtp_status_make(
		    451, "4.3.0", "Internal error: the stored file is not known, try again");
	if (m->in_file && !intake_file_is_whole(r, e->body_bytes))
		return smtp_status_make(
		    451, "4.3.0", "Internal error: the stored file has another size, try again");
	return smtp_status_make(250, "2.0.0", "Ok");
}

/* Submission has checked the same, but a submission process that an attacker controls has not.  A
 * body in a file is checked by the spool. */
static struct smtp_status
check_content(const struct queue_peer *peer, const struct message_commit *m, struct msgid msgid)
{
	struct crlf_check body = {.faults = 0};
	struct header_fault fault;
	char id[ID_NUMBER_TEXT_BYTES];

	if (!header_is_sendable(m->header, &fault)) {
		log_error("submission %u: message %s is refused: its header is not valid: %s, "
		          "field \"%.*s\"",
		    peer->role.index, msgid_text(msgid, 0, id), fault.why, STR_ARG(fault.name));
		if (fault.name.n == 0)
			return smtp_status_make(554, "5.6.0", "Header is not valid: %s", fault.why);
		return smtp_status_make(554, "5.6.0", "Header field %.*s is not valid: %s",
		    STR_ARG(fault.name), fault.why);
	}
	crlf_check_add(&body, m->body);
	if (crlf_check_end(&body)) {
		log_error(
		    "submission %u: message %s is refused: its body has a bare CR or LF, or NUL",
		    peer->role.index, msgid_text(msgid, 0, id));
		return smtp_status_make(554, "5.6.0", "Bare CR or LF, or NUL, in message body");
	}
	return smtp_status_make(250, "2.0.0", "Ok");
}

static int
append_intake_message(struct queue_peer *peer, struct intake_pending *p,
    const struct message_commit *m, struct intake_file *r)
{
	struct spool_entry entries[2] = {{.kind = SPOOL_MESSAGE, .id = p->message->id},
	    {.kind = SPOOL_HOLD, .id = p->message->id}}, *entry = &entries[0];
	struct spool_batch batch = {.entries = entries,
	    .count = 1,
	    .urgency = SPOOL_NOW,
	    .fn = intake_message_stored,
	    .arg = p};

	entry->message.recipient_count = p->message->recipient_count;
	entry->message.envelope = m->envelope;
	entry->message.header = m->header;
	entry->message.body = m->body;
	entry->message.in_file = m->in_file;
	entry->message.fd = m->in_file ? r->fd : -1;
	entries[1].hold.why = suspended_hold_reason(p->queue, p->message);
	entries[1].hold.is_held = p->message->is_held = entries[1].hold.why.n != 0;
	batch.count += p->message->is_held;
	if (spool_append(peer->queue->spool, &batch) != 0)
		return errno;
	if (m->in_file)
		intake_file_moved_to_spool(r);
	else if (!p->message->is_held)
		content_cache_put(p->queue->contents, p->message->id,
		    &(struct content_cache_parts){m->envelope, m->header, m->body},
		    p->message->delivery_count);
	return 0;
}

static struct str
copy_intake_text(struct str s)
{
	return str_make(mem_text(s.p, s.n), s.n);
}

/* The text between < and > in the first Message-ID field, when it is on one line. */
static struct str
message_id_of_header(struct str header)
{
	struct str line;

	while (str_split(&header, '\n', &line)) {
		if (!str_istarts(line, STR("message-id:")))
			continue;
		line = str_from(line, str_find(line, '<') + 1);
		return str_upto(line, str_find(line, '>'));
	}
	return STR_NULL;
}

static struct smtp_status
take_intake_message(struct queue_peer *peer, uint64_t call, const struct message_commit *m,
    const struct envelope *e)
{
	struct queue *q = peer->queue;
	struct intake_file *r = intake_file_find(peer, e->id);
	struct smtp_status s = check_commit(m, e, r);
	struct intake_pending *p;
	char id[ID_NUMBER_TEXT_BYTES];
	int error;

	if (smtp_status_is_ok(&s))
		s = intake_check_times(peer, e);
	if (smtp_status_is_ok(&s))
		s = check_content(peer, m, e->id);
	if (!smtp_status_is_ok(&s))
		return s;
	p = MEM_NEW(struct intake_pending);
	p->queue = q;
	p->peer = peer;
	p->call = call;
	p->message = queued_message_new(
	    &q->queued, e, q->role->conf->queue.lifetime_ms, q->role->conf->hostname);
	p->header_from = copy_intake_text(e->header_from);
	p->message_id = copy_intake_text(message_id_of_header(m->header));
	LIST_INSERT_HEAD(&q->pending_messages, p, link);
	error = append_intake_message(peer, p, m, r);
	if (error == 0) {
		if (r)
			intake_file_close(r);
		return (struct smtp_status){0};
	}
	log_error("spool: message %s is not stored: %s", msgid_text(e->id, 0, id),
	    intake_error_text(error));
	free_pending(p);
	if (r)
		intake_file_close(r);
	return intake_no_room(error);
}

/* A status is answered at once; code 0: the answer comes when the message is durable. */
static void
handle_commit(struct queue_peer *peer, uint64_t call, const struct message_commit *m)
{
	struct smtp_status s = intake_no_room(0);
	struct envelope e;
	struct arena arena;
	int error = spool_admits(peer->queue->spool);

	arena_init(&arena, ENVELOPE_ARENA_MAX);
	if (error) {
		s = intake_no_room(error);
	} else if (!envelope_decode(m->envelope, &arena, &e)) {
		s = smtp_status_make(554, "5.3.0", "Internal error: the envelope cannot be read");
		log_error("submission %u: a message is refused: its envelope cannot be read or "
		          "breaks the grammar",
		    peer->role.index);
	} else {
		metrics_work_id("commit", e.id);
		s = take_intake_message(peer, call, m, &e);
	}
	arena_clear(&arena);
	if (s.code)
		answer_commit(peer, call, &s);
}

void
intake_handle_packet(struct queue_peer *peer, const struct channel_packet *p)
{
	switch (p->type) {
	case MESSAGE_LEASE_ASK:
		leases_ask(peer, p->call, &p->message->lease_ask);
		break;
	case MESSAGE_LEASE_RETURN:
		leases_returned(peer, &p->message->lease_return);
		break;
	case MESSAGE_RELEASE:
		intake_files_release(peer, &p->message->release);
		break;
	case MESSAGE_SPOOL_FILE:
		intake_files_request(peer, p->call, &p->message->spool_file);
		break;
	case MESSAGE_COMMIT:
		handle_commit(peer, p->call, &p->message->commit);
		break;
	default:
		log_error("submission %u: unexpected %s", peer->role.index, message_name(p->type));
		channel_refuse(peer->channel, p->call);
	}
}

/* ---- life ---- */

void
intake_peer_lost(struct queue_peer *peer)
{
	struct intake_pending *p;

	intake_files_close(peer->queue, peer);
	LIST_FOREACH(p, &peer->queue->pending_messages, link)
		if (p->peer == peer)
			p->peer = NULL;
}

void
intake_init(struct queue *q)
{
	intake_files_init(q);
	LIST_INIT(&q->pending_messages);
}

void
intake_clear(struct queue *q)
{
	struct intake_pending *p;

	if (!q->files)
		return;
	intake_files_close(q, NULL);
	map_free(&q->files);
	size_reservations_clear(&q->size_reservations);
	while ((p = LIST_FIRST(&q->pending_messages)))
		free_pending(p);
}
