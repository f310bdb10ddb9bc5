/*
 * admin_format: see the header.
 */
#include "queue/admin/admin_format.h"

#include <stdio.h>

#include "base/clock.h"
#include "conf/value.h"
#include "queue/admin/admin_command.h"
#include "queue/admin/admin_filter.h"
#include "queue/leases.h"
#include "queue/queue_sizes.h"
#include "queue/status_updates.h"
#include "spool/spool_threads.h"

static void
add_row_text(struct buf *out, const char *key, const char *text)
{
	message_values_add(out, key, str_of(text));
}

static void
add_seconds(struct buf *out, const char *key, int64_t ms)
{
	message_values_add_number(out, key, ms > 0 ? (uint64_t)ms / 1000 : 0);
}

static void
add_row_time(struct buf *out, const char *key, int64_t ms)
{
	char stamp[CLOCK_TEXT_BYTES];

	add_row_text(out, key, clock_iso(ms, stamp));
}

static void
add_status(struct buf *out, const struct smtp_status *s)
{
	char text[SMTP_STATUS_TEXT_BYTES + 40], code[SMTP_STATUS_ENHANCED_BYTES];

	snprintf(text, sizeof text, "%u %s %s", s->code, smtp_status_enhanced(s, code), s->text);
	add_row_text(out, "reply", text);
	add_row_text(out, "reply_by", s->is_remote ? "host" : "here");
}

/* The last attempt was not begun, because the stored message could not be read. */
static bool
is_unreadable_for(const struct queued_message *e, uint32_t number)
{
	const struct queued_recipient *recipient = &queued_message_recipients(e)[number - 1];

	return !e->is_held && e->deliveries[recipient->delivery].unreadable > 0;
}

/* The reason of the hold, or of the last attempt. */
static void
add_reason(struct queue *q, const struct queued_message *e, struct str reason, struct buf *out)
{
	struct spool_message m;

	if (!e->is_held)
		message_values_add(out, "reason", reason);
	else if (spool_find(q->spool, e->id, &m) && m.held_why.n)
		message_values_add(out, "reason", m.held_why);
	else if (e->is_damaged) /* the hold is not stored yet */
		add_row_text(out, "reason", "damaged");
	else
		add_row_text(out, "reason", "operator");
}

/* Time and host of the last attempt, if there was one. */
static void
add_attempt(const struct last_attempt *d, struct buf *out)
{
	if (d->at_ms)
		add_row_time(out, "tried", d->at_ms);
	if (d->found_ms)
		add_row_time(out, "found", d->found_ms);
	if (d->host.n)
		message_values_add(out, "mx", d->host);
	if (d->address.n)
		message_values_add(out, "mx_address", d->address);
}

static void
add_reply(struct queue *q, const struct queued_message *e, uint32_t number,
    const struct schedule_info *info, struct buf *out)
{
	struct last_attempt d = {0};
	bool is_known = status_updates_last_attempt(q, e->id, number, &d);

	if (is_unreadable_for(e, number)) {
		add_row_text(out, "reply", "the stored message could not be read, see the log");
		add_row_text(out, "reply_by", "here");
		d = (struct last_attempt){.reason = STR("unreadable")};
		is_known = true;
	} else if (info->status)
		add_status(out, info->status);
	else if (is_known)
		add_status(out, &d.status);
	else
		add_row_text(out, "reply", "");
	/* not tried itself: an attempt for another message found the destination unreachable */
	if (!is_known && info->status)
		d.reason = STR("destination_away");
	add_reason(q, e, d.reason, out);
	message_values_add(
	    out, "destination", info->destination.n ? info->destination : info->next_hop);
	add_attempt(&d, out);
}

/* The open recipient that is tried first; 0: none. */
static uint32_t
first_open_recipient(const struct queued_message *e)
{
	uint32_t best = 0;
	int64_t due = INT64_MAX;

	for (uint32_t i = 1; i <= e->recipient_count; i++) {
		const struct queued_recipient *recipient = &queued_message_recipients(e)[i - 1];

		if (!queued_recipient_is_open(recipient) ||
		    e->deliveries[recipient->delivery].sched.due_ms >= due)
			continue;
		due = e->deliveries[recipient->delivery].sched.due_ms;
		best = i;
	}
	return best;
}

static void
add_row_next(const struct queued_message *e, const struct schedule_info *info, struct buf *out)
{
	if (e->is_held)
		add_row_text(out, "next", "held");
	else if (info->next_ms <= clock_ms())
		add_row_text(out, "next", "now");
	else
		add_row_time(out, "next", info->next_ms);
}

static void
add_tries(const struct queued_message *e, uint32_t number, struct buf *out)
{
	message_values_add_number(out, "tries", queued_message_delivery(e, number)->sched.tries);
}

/* Nothing is taken from the delivery, which may go on for other recipients. */
static void
add_end(const struct queued_message *e, uint32_t number, struct buf *out)
{
	const struct queued_recipient *recipient = &queued_message_recipients(e)[number - 1];
	struct last_attempt d = {0};

	last_attempt_decode(queued_recipient_detail(recipient), &d);
	message_values_add_number(out, "tries", recipient->attempts);
	if (d.status.code)
		add_status(out, &d.status);
	else
		add_row_text(out, "reply", "");
	message_values_add(out, "reason", d.reason);
	add_attempt(&d, out);
}

static void
add_progress(struct queue *q, const struct queued_message *e, uint32_t number, struct buf *out)
{
	struct schedule_info info = {0};

	if (number == 0)
		return;
	if (!queued_recipient_is_open(&queued_message_recipients(e)[number - 1])) {
		add_end(e, number, out);
		return;
	}
	schedule_explain(q->schedule, &queued_message_delivery(e, number)->sched, &info);
	add_tries(e, number, out);
	add_row_next(e, &info, out);
	add_reply(q, e, number, &info, out);
}

void
admin_format_message(struct queue *q, const struct queued_message *e, struct buf *out)
{
	struct str sender = queued_message_sender(e);
	char id[ID_NUMBER_TEXT_BYTES];
	int64_t now = clock_ms();

	add_row_text(out, "row", "message");
	add_row_text(out, "id", msgid_text(e->id, 0, id));
	message_values_add(out, "user", queued_message_user(e));
	message_values_add(out, "from", sender.n > 0 ? sender : STR("<>"));
	add_row_text(out, "state", admin_filter_state(q->schedule, e, now));
	message_values_add_number(out, "size", e->bytes);
	add_seconds(out, "age_s", now - e->arrival_ms);
	message_values_add_number(out, "recipients", e->open);
	add_progress(q, e, first_open_recipient(e), out);
	for (uint32_t i = 1; i <= e->recipient_count; i++)
		if (queued_recipient_is_open(&queued_message_recipients(e)[i - 1]))
			message_values_add(out, "to", queued_message_address(e, i));
}

void
admin_format_envelope(const struct spool_content *content, struct buf *out)
{
	struct envelope e;
	struct arena arena;

	add_row_text(out, "row", "content");
	arena_init(&arena, 1 << 20);
	if (envelope_decode(content->envelope, &arena, &e)) {
		message_values_add(out, "header_from", e.header_from);
		message_values_add(out, "client", e.client);
		message_values_add(out, "envid", e.envid);
		add_row_time(out, "arrival", e.arrival_ms);
		message_values_add(out, "credential", e.credential);
		message_values_add_number(out, "body_bytes", e.body_bytes);
		add_row_text(out, "smtputf8", e.smtputf8 ? "yes" : "no");
	}
	message_values_add(out, "header", content->header);
	arena_clear(&arena);
}

void
admin_format_body(const struct spool_content *content, struct buf *out)
{
	bool is_here = content->fd < 0;

	add_row_text(out, "row", "body");
	add_row_text(out, "in_file", is_here ? "no" : "yes");
	if (is_here)
		message_values_add(out, "body", content->body);
}

static const char *
recipient_state_text(const struct queued_message *e, const struct queued_recipient *recipient)
{
	if (recipient->outcome == SPOOL_FAILED)
		return recipient->marks & MARK_EXPIRED ? "expired" : "failed";
	if (recipient->outcome == SPOOL_DONE)
		return "sent";
	if (e->is_held)
		return "held";
	return recipient->outcome == SPOOL_DEFERRED ? "deferred" : "new";
}

void
admin_format_recipient(
    struct queue *q, const struct queued_message *e, uint32_t number, struct buf *out)
{
	char id[ID_NUMBER_TEXT_BYTES];

	add_row_text(out, "row", "recipient");
	add_row_text(out, "id", msgid_text(e->id, number, id));
	message_values_add(out, "to", queued_message_address(e, number));
	add_row_text(out, "state",
	    recipient_state_text(e, &queued_message_recipients(e)[number - 1]));
	add_progress(q, e, number, out);
}

void
admin_format_total(const struct admin_command *command, struct buf *out)
{
	add_row_text(out, "row", "total");
	message_values_add_number(out, "changed", command->changed);
	message_values_add_number(
	    out, "unchanged", command->matched - command->changed - command->failed);
	message_values_add_number(out, "failed", command->failed);
	if (command->is_suspended_hold_refused)
		add_row_text(out, "coming", "not held");
	add_row_text(out, "dry_run", command->is_dry_run ? "yes" : "no");
}

void
admin_format_count_text(const struct admin_command *command, char *out, size_t size)
{
	size_t same = command->matched - command->changed - command->failed;
	const char *why_not = command->held_for.n ? "not held, or for another reason"
						 : command->verb->why_not;
	int n = snprintf(out, size, "%zu message%s%s", command->changed,
	    command->changed == 1 ? "" : "s",
	    command->is_dry_run ? " would be changed" : " changed");

	if (command->damaged)
		n += snprintf(out + n, size - (size_t)n, "; %zu held because of damage: tried now, "
		    "and held again when the damage is still there", command->damaged);
	if (command->untold)
		n += snprintf(out + n, size - (size_t)n, "; %zu of them are not listed, because "
		    "another command waited for this one", command->untold);
	if (command->taken_over)
		n += snprintf(out + n, size - (size_t)n, "; %zu of these held already, for another "
		    "reason than now", command->taken_over);
	if (same)
		snprintf(out + n, size - (size_t)n, "; %zu not changed: %s\n", same,
		    why_not);
	else
		snprintf(out + n, size - (size_t)n, "\n");
}

/* In lower case, as account names are stored. */
static struct str
canonical(struct str name, char *room, size_t size)
{
	if (name.n > size)
		name.n = size;
	for (size_t i = 0; i < name.n; i++)
		room[i] = char_lower(name.p[i]);
	return str_make(room, name.n);
}

static void
add_rate(struct buf *out, const struct conf_rate *rate, uint64_t used)
{
	struct buf text;

	buf_init(&text, 128);
	value_print_rate(rate, "recipients", &text);
	message_values_add(out, "limit", buf_str(&text));
	message_values_add_number(out, "limit_used", used);
	buf_clear(&text);
}

void
admin_format_user(const struct admin_command *command, struct buf *out)
{
	const struct conf *conf = command->queue->role->conf;
	char room[ENVELOPE_TEXT_MAX];
	struct str user = canonical(command->filter.account, room, sizeof room);
	const struct conf_rates *rates = limits_of_user(conf, user);
	struct limit_store *limits = command->queue->limits;
	struct limits_use use;

	limits->operations->peek(limits, user, rates, &use);
	for (size_t i = 0; i < use.count; i++)
		add_rate(out, &rates->rate[i], use.used[i]);
	add_row_text(out, "limit_source",
	    rates == &conf->limits.per_user ? "limits.per_user" : "limits.users");
	message_values_add_number(out, "limit_lent", leases_count(command->queue, user));
	if (use.wait_ms >= 0)
		add_seconds(out, "limit_wait_s", use.wait_ms + 999);
	message_values_add_number(out, "queued", command->matched);
	message_values_add_number(out, "queued_held", command->held);
}

/* For how long each thread of the spool has been busy with one task: "upkeep_s". */
static void
add_threads(struct spool *s, struct buf *out)
{
	char key[32];

	for (enum spool_thread t = 0; t < SPOOL_THREADS; t++) {
		snprintf(key, sizeof key, "%s_s", spool_thread_name(t));
		add_seconds(out, key, spool_thread_ms(s, t));
	}
}

void
admin_format_status(struct queue *q, struct buf *out)
{
	struct queue_sizes s;

	queue_sizes_read(q, &s);
	add_row_text(out, "row", "queue");
	message_values_add_number(out, "messages", s.messages);
	message_values_add_number(out, "recipients", s.recipients);
	message_values_add_number(out, "active", s.active);
	message_values_add_number(out, "deferred", s.deferred);
	message_values_add_number(out, "held", s.held);
	add_seconds(out, "oldest_s", s.oldest_ms);
	message_values_add_number(out, "running", s.schedule.running);
	message_values_add_number(out, "destinations", s.schedule.destinations);
	message_values_add_number(out, "bytes", s.bytes);
	message_values_add_number(out, "set_aside", s.spool.set_aside);
	message_values_add_number(out, "unremoved", s.spool.unremoved);
	message_values_add_number(out, "damages", s.damages);
	if (s.disk.all_bytes)
		message_values_add_number(
		    out, "free_percent", s.disk.free_bytes * 100 / s.disk.all_bytes);
	message_values_add_number(out, "free_bytes", s.disk.free_bytes);
	add_threads(q->spool, out);
	add_row_text(out, "relay", !q->relay ? "away" : q->is_caught_up ? "ready" : "catching up");
}
