/*
 * startup: the size of the disk is checked before the spool is opened. The spool gives each message
 * and each note once; an envelope that cannot be decoded is reported to it, and it sets the message
 * aside. A spool that cannot be opened ends the start with its reason: the queue never runs without
 * its mail.
 */
#include "queue/startup.h"

#include <errno.h>

#include "base/clock.h"
#include "base/disk_space.h"
#include "base/log.h"
#include "queue/lifetime.h"
#include "queue/stored_statuses.h"
#include "spool/spool_fault.h"

enum {
	ENVELOPE_ARENA_MAX = 1 << 20,
	DESCRIBED_RECIPIENTS_MAX = 3,
};

/* The recipients of a delivery were tried together; when a crash came between their updates, the
 * later due time applies. */
static void
restore_recipient_state(struct queue *q, struct queued_message *e, const struct spool_recipient *r)
{
	struct sched_delivery *p = &queued_message_delivery(e, r->number)->sched;
	int64_t due_ms = lifetime_due_ms(p->expires_ms, r->next_ms, clock_ms());
	struct queued_recipient *recipient = queued_message_recipient(e, r->number);

	queued_recipient_set_detail(recipient, r->detail);
	queued_recipient_set_attempts(recipient, r->attempts);
	if (r->is_settled) {
		queued_recipient_set_outcome(
		    &q->queued, e, r->number, r->outcome, (uint8_t)r->marks);
		return;
	}
	if (r->outcome == SPOOL_DONE || r->outcome == SPOOL_FAILED) {
		queued_recipient_owe_report(e, r->number, r->outcome, (uint8_t)r->marks);
		return;
	}
	recipient->marks = (uint8_t)r->marks;
	if (r->outcome == SPOOL_DEFERRED)
		recipient->outcome = SPOOL_DEFERRED;
	if (r->attempts > p->tries)
		p->tries = (uint16_t)r->attempts;
	e->deliveries[recipient->delivery].pauses = p->tries;
	if (due_ms > p->due_ms)
		p->due_ms = due_ms;
}

static bool
restore_queued_message(const struct spool_message *m, void *arg)
{
	struct queue *q = arg;
	struct envelope envelope;
	struct arena arena;
	struct queued_message *e;

	arena_init(&arena, ENVELOPE_ARENA_MAX);
	if (!envelope_decode(m->envelope, &arena, &envelope) || !msgid_eq(envelope.id, m->id) ||
	    envelope.recipient_count != m->recipient_count) {
		arena_clear(&arena);
		return false;
	}
	e = queued_message_new(
	    &q->queued, &envelope, q->role->conf->queue.lifetime_ms, q->role->conf->hostname);
	arena_clear(&arena);
	e->is_held = m->is_held;
	e->is_damaged = m->is_held && str_starts(m->held_why, STR("damaged"));
	for (uint32_t i = 0; m->recipients && i < m->recipient_count; i++)
		if (queued_message_recipient(e, m->recipients[i].number))
			restore_recipient_state(q, e, &m->recipients[i]);
	if (e->open == 0)
		queued_message_free(&q->queued, &e);
	else
		queue_add_message(q, e);
	return true;
}

static void
restore_note(struct str name, struct str value, void *arg)
{
	struct queue *q = arg;

	if (str_eq(name, STR(TICKETS_NOTE)) && !tickets_load(&q->tickets, value))
		log_warn("spool: the key of the tickets cannot be read; there will be a new one");
	if (str_starts(name, STR("limits.")) && !rate_limits_load(q->rate_limits, name, value))
		log_warn("spool: the stored use of the sending limits cannot be read: the counts "
		         "of some "
		         "users start at 0");
}

static void
startup_report_lost(struct str what, const char *text, void *arg)
{
	const struct queue *q = arg;

	role_alert(q->role, NOTICE_MESSAGES, what, "%s", text);
}

static void
log_spool_open(const struct queue *q)
{
	struct spool_stats stats;
	struct log_line l;

	spool_stats(q->spool, &stats);
	log_begin(&l, stats.quarantined ? LOG_ERR : LOG_INFO, "spool open");
	log_num(&l, "messages", q->queued.messages.count);
	log_num(&l, "rcpts", q->queued.recipients);
	log_num(&l, "bytes", q->queued.bytes);
	log_num(&l, "segments", stats.segments);
	log_num(&l, "damages", stats.quarantined);
	log_num(&l, "set_aside", stats.set_aside);
	log_end(&l);
}

/* The same check as in sallyport config check, which knows the sizes before the daemon starts. */
static int
startup_check_disk(struct queue *q)
{
	const struct conf *c = q->role->conf;
	uint64_t have, all, usable;

	if (q->io->ops->space(q->io, &have, &all) != 0)
		return 0;
	usable = disk_space_usable_bytes(all, (unsigned)c->queue.minimum_free);
	if (usable >= CONF_SPOOL_BYTES_MIN)
		return 0;
	return role_refuse(q->role, ROLE_EXIT_CONFIG,
	    "the file system of the spool %.*s has %llu MiB, of which queue.minimum_free leaves "
	    "%llu MiB; a spool needs at least %u MiB: make the file system larger, move the spool "
	    "(queue.directory), or lower queue.minimum_free",
	    STR_ARG(c->queue.directory), (unsigned long long)(all >> 20),
	    (unsigned long long)(usable >> 20), (unsigned)(CONF_SPOOL_BYTES_MIN >> 20));
}

static const char *
startup_error_text(int error)
{
	if (error == EALREADY)
		return "another process has it, is there a second daemon?";
	if (error == ENOTRECOVERABLE)
		return "messages that were acknowledged are missing, the log says which files; "
		       "--accept-damage starts once without them";
	if (error == EEXIST)
		return "two segment files have the same generation, the log says which";
	if (error == EPROTO)
		return "a newer Sallyport wrote it, the log says more";
	if (error == EPERM)
		return "a file of it belongs to another user, or may not be opened, the log says "
		       "which";
	return spool_fault_text(error);
}

/* Describes a lost message by what is left: " from <sender> to <recipient>, ...". */
static void
describe_lost_envelope(struct str envelope, struct buf *out, void *arg)
{
	struct envelope e;
	struct arena arena;

	(void)arg;
	arena_init(&arena, ENVELOPE_ARENA_MAX);
	if (envelope_decode(envelope, &arena, &e)) {
		buf_adds(out, STR(" from <"));
		buf_adds(out, e.sender);
		for (uint32_t i = 0; i < e.recipient_count && i < DESCRIBED_RECIPIENTS_MAX; i++) {
			buf_adds(out, i ? STR(">, <") : STR("> to <"));
			buf_adds(out, e.recipients[i].address);
		}
		buf_adds(out, STR(">"));
		if (e.recipient_count > DESCRIBED_RECIPIENTS_MAX)
			buf_adds(out, STR(" and others"));
	}
	arena_clear(&arena);
}

int
queue_startup_run(struct queue *q)
{
	struct spool_recovery r = {.message = restore_queued_message,
	    .note = restore_note,
	    .lost = startup_report_lost,
	    .describe = describe_lost_envelope,
	    .arg = q};
	struct spool_options o = {.io = q->io = fsio_new(q->spool_directory)};
	int status = startup_check_disk(q);

	if (status != 0)
		return status;
	o.accept_damage = q->accept_damage;
	o.statuses = queued_statuses;
	o.statuses_arg = q;
	o.minimum_free_percent = (uint32_t)q->role->conf->queue.minimum_free;
	q->spool_directory = -1;
	q->spool = spool_open(&o, &r);
	if (!q->spool) {
		bool is_forbidden = errno == EACCES || errno == EPERM;

		return role_refuse(q->role, is_forbidden ? ROLE_EXIT_FORBIDDEN : ROLE_EXIT_LATER,
		    "spool %.*s cannot be opened: %s", STR_ARG(q->role->conf->queue.directory),
		    startup_error_text(errno));
	}
	q->newest_ms = spool_newest_ms(q->spool);
	log_spool_open(q);
	return 0;
}
