/*
 * admin_changes: of each verb which messages it would change, which entries are stored for that,
 * and what is done with the message when they are durable.  A message that is held already may be
 * taken over by a hold of the operator.
 */
#include "queue/admin/admin_changes.h"

#include "base/clock.h"
#include "base/log.h"
#include "queue/admin/admin_batches.h"
#include "queue/admin/admin_rows.h"
#include "queue/dispatch_deadlines.h"
#include "queue/reports/reports.h"

/* ---- hold and release ---- */

/* Relay ends each attempt whose host does not have the whole message yet; what is still open then
 * stays in the queue, held. */
static bool
admin_change_apply_hold(struct admin_command *command, struct queued_message *e, int error)
{
	command->held += !error && e->is_held;
	if (error || e->is_held)
		return false;
	queued_message_hold(&command->queue->queued, e, true);
	for (size_t i = 0; i < e->delivery_count; i++)
		if (delivery_attempt(&e->deliveries[i]))
			dispatch_deadline_cancel(delivery_attempt(&e->deliveries[i]));
		else
			schedule_remove(command->queue->schedule, &e->deliveries[i].sched);
	return true;
}

/* It was held, and has the reason of this command now. */
static bool
admin_change_apply_takeover(struct admin_command *command, struct queued_message *e, int error)
{
	if (error || !e->is_held)
		return admin_change_apply_hold(command, e, error);
	e->is_damaged = false;
	command->taken_over++;
	return true;
}

/* As `queue retry` does: an operator who releases a message wants to see the result at once. */
static void
admin_change_retry_now(struct queue *q, struct delivery *delivery)
{
	int64_t now = clock_ms();

	queue_schedule(q, delivery, now);
	schedule_retry_now(q->schedule, &delivery->sched, now);
}

static bool
admin_change_apply_release(struct admin_command *command, struct queued_message *e, int error)
{
	if (error || !e->is_held)
		return false;
	command->damaged += e->is_damaged;
	queued_message_hold(&command->queue->queued, e, false);
	for (size_t i = 0; i < e->delivery_count; i++)
		if (!delivery_attempt(&e->deliveries[i]))
			admin_change_retry_now(command->queue, &e->deliveries[i]);
	return true;
}

static const struct str admin_change_who = STR("operator"), admin_change_colon = STR(": ");

struct str
admin_changes_hold_why(const struct admin_command *command, struct buf *room)
{
	size_t most = SPOOL_DETAIL_MAX - admin_change_who.n - admin_change_colon.n;

	buf_adds(room, admin_change_who);
	if (command->reason.n) {
		buf_adds(room, admin_change_colon);
		buf_adds(room, str_upto(command->reason, most));
	}
	return buf_str(room);
}

/* Removes this beginning from *text; false: it begins otherwise. */
static bool
admin_change_skip_prefix(struct str *text, struct str beginning)
{
	if (!str_starts(*text, beginning))
		return false;
	*text = str_from(*text, beginning.n);
	return true;
}

bool
admin_changes_is_held_for(struct str held_for, struct str why)
{
	return admin_change_skip_prefix(&why, admin_change_who) &&
	       admin_change_skip_prefix(&why, admin_change_colon) &&
	       admin_change_skip_prefix(&why, held_for) &&
	       (why.n == 0 || str_starts(why, admin_change_colon));
}

static bool
admin_change_is_held_for(
    const struct admin_command *command, const struct queued_message *e, struct str held_for)
{
	struct spool_message m;

	return spool_find(command->queue->spool, e->id, &m) &&
	    admin_changes_is_held_for(held_for, m.held_why);
}

/* A hold that ends without a word of the operator about this message: by the resume of its user, or
 * with its lifetime. */
static bool
admin_change_may_take_over(const struct admin_command *command, const struct queued_message *e)
{
	return e->is_damaged ||
	       admin_change_is_held_for(command, e, STR(MESSAGE_SUSPENSION_REASON));
}

/* One copy for all messages of the command. */
static struct str
hold_why_of_command(struct admin_command *command)
{
	struct buf why;

	if (command->why.n)
		return command->why;
	buf_init(&why, SPOOL_DETAIL_MAX);
	command->why = arena_str(&command->arena, admin_changes_hold_why(command, &why));
	buf_clear(&why);
	return command->why;
}

static void
change_hold(
    struct admin_command *command, struct queued_message *e, bool is_held, admin_change_fn *apply)
{
	struct spool_entry *entry = admin_batches_room(command, 1);

	*entry = (struct spool_entry){.kind = SPOOL_HOLD, .id = e->id};
	entry->hold.is_held = is_held;
	if (is_held)
		entry->hold.why = hold_why_of_command(command);
	admin_batches_add(command, e->id, 1, apply);
}

bool
admin_changes_would_hold(const struct admin_command *command, const struct queued_message *e)
{
	return !e->is_held || (!command->is_suspension && admin_change_may_take_over(command, e));
}

bool
admin_changes_would_release(const struct admin_command *command, const struct queued_message *e)
{
	return e->is_held && (command->held_for.n == 0 ||
	                         admin_change_is_held_for(command, e, command->held_for));
}

void
admin_changes_hold(struct admin_command *command, struct queued_message *e)
{
	change_hold(command, e, true,
	    e->is_held ? admin_change_apply_takeover : admin_change_apply_hold);
}

void
admin_changes_release(struct admin_command *command, struct queued_message *e)
{
	change_hold(command, e, false, admin_change_apply_release);
}

/* The hold failed: the message is delivered, and the command counts it as failed. */
static void
admin_change_schedule(struct queue *q, struct queued_message *e)
{
	for (size_t i = 0; i < e->delivery_count; i++)
		queue_schedule(q, &e->deliveries[i], e->deliveries[i].sched.due_ms);
	queue_wake(q);
}

static bool
admin_change_apply_new_hold(struct admin_command *command, struct queued_message *e, int error)
{
	if (error)
		admin_change_schedule(command->queue, e);
	return admin_change_apply_hold(command, e, error);
}

void
admin_changes_hold_new(struct admin_command *command, struct queued_message *e)
{
	queued_message_hold(&command->queue->queued, e, false);
	change_hold(command, e, true, admin_change_apply_new_hold);
	admin_batches_store(command);
}

static bool
change_is_of_holds(const struct admin_command *command)
{
	return command->verb->fn == admin_changes_hold ||
	       command->verb->fn == admin_changes_release;
}

/* Both hold or release, and the order in which they do decides. */
static bool
are_changes_of_holds(const struct admin_command *a, const struct admin_command *b)
{
	return change_is_of_holds(a) && change_is_of_holds(b) && !a->is_dry_run && !b->is_dry_run;
}

void
admin_changes_begin(struct admin_command *command)
{
	struct admin_command *earlier;

	if (change_is_of_holds(command))
		command->last = id_table_last(&command->queue->queued.messages);
	TAILQ_FOREACH(earlier, &command->queue->admin_commands, link)
		if (earlier != command && are_changes_of_holds(earlier, command))
			earlier->is_awaited = true;
}

bool
admin_changes_wait_for_others(const struct admin_command *command)
{
	const struct admin_command *earlier;

	TAILQ_FOREACH(earlier, &command->queue->admin_commands, link) {
		if (earlier == command)
			return false;
		if ((earlier->unstored || !earlier->is_walked) &&
		    are_changes_of_holds(earlier, command))
			return true;
	}
	return false;
}

/* ---- retry ---- */

bool
admin_changes_would_retry(const struct admin_command *command, const struct queued_message *e)
{
	(void)command;
	for (size_t i = 0; i < e->delivery_count; i++)
		if (schedule_may_retry_now(&e->deliveries[i].sched))
			return true;
	return false;
}

void
admin_changes_retry(struct admin_command *command, struct queued_message *e)
{
	for (size_t i = 0; i < e->delivery_count; i++)
		schedule_retry_now(command->queue->schedule, &e->deliveries[i].sched, clock_ms());
	admin_rows_changed(command, e->id);
}

/* ---- delete ---- */

/* An open recipient fails.  One about which a report is owed keeps its outcome, and no report is
 * sent. */
static struct spool_recipient
deletion_of(const struct queued_message *e, uint32_t number)
{
	const struct queued_recipient *recipient = &queued_message_recipients(e)[number - 1];
	struct spool_recipient r = {.number = number, .is_settled = true};

	r.outcome = recipient->is_owed ? (enum spool_outcome)recipient->outcome : SPOOL_FAILED;
	r.marks = recipient->is_owed ? recipient->marks : MARK_DELETED;
	return r;
}

static bool
is_unsettled(const struct queued_recipient *recipient)
{
	return recipient->is_owed || queued_recipient_is_open(recipient);
}

static size_t
list_deletions(const struct queued_message *e, struct spool_entry *to)
{
	size_t count = 0;

	for (uint32_t i = 0; i < e->recipient_count; i++) {
		if (!is_unsettled(&queued_message_recipients(e)[i]))
			continue;
		to[count] = (struct spool_entry){.kind = SPOOL_STATUS, .id = e->id};
		to[count].status = deletion_of(e, i + 1);
		count++;
	}
	return count;
}

/* ---- log lines of a deletion ---- */

static void
log_unreported(const struct queued_message *e)
{
	struct log_line l;

	if (e->owed == 0)
		return;
	log_begin(&l, LOG_NOTICE, "report");
	log_id(&l, e->id, 0);
	log_addr(&l, "to", queued_message_sender(e));
	log_num(&l, "rcpts", e->owed);
	log_str(&l, "status", STR("dropped"));
	log_quoted(&l, "reason",
	    STR("the message was deleted before its sender was told of these recipients"));
	log_end(&l);
}

/* An attempt for this recipient is running in relay. */
static void
log_under_way(const struct queued_message *e, uint32_t number)
{
	struct log_line l;

	log_begin(&l, LOG_NOTICE, "deliver");
	log_id(&l, e->id, number);
	log_str(&l, "status", STR("deleted"));
	log_addr(&l, "to", queued_message_address(e, number));
	log_quoted(&l, "text", STR("an attempt is under way and is ended if the host has not got "
		"the whole message yet; if the host takes it, another line says so"));
	log_end(&l);
}

/* Recipients that have been settled meanwhile keep their outcome. */
static void
delete_recipients(struct queue *q, struct queued_message *e)
{
	for (uint32_t i = 1; i <= e->recipient_count; i++) {
		struct spool_recipient r = deletion_of(e, i);

		if (!is_unsettled(&queued_message_recipients(e)[i - 1]))
			continue;
		if (queued_message_recipients(e)[i - 1].is_expected)
			log_under_way(e, i);
		queued_recipient_set_outcome(&q->queued, e, i, r.outcome, (uint8_t)r.marks);
	}
}

static bool
admin_change_apply_delete(struct admin_command *command, struct queued_message *e, int error)
{
	struct queue *q = command->queue;

	if (error) {
		e->is_deleting = false;
		reports_check(q, e);
		return false;
	}
	log_unreported(e);
	delete_recipients(q, e);
	for (size_t i = 0; i < e->delivery_count; i++)
		if (delivery_attempt(&e->deliveries[i])) {
			delivery_attempt(&e->deliveries[i])->is_deleted = true;
			dispatch_deadline_cancel(delivery_attempt(&e->deliveries[i]));
		} else {
			schedule_remove(q->schedule, &e->deliveries[i].sched);
		}
	queue_finish_message(q, e);
	return true;
}

bool
admin_changes_would_delete(const struct admin_command *command, const struct queued_message *e)
{
	(void)command;
	return e->open > 0;
}

void
admin_changes_delete(struct admin_command *command, struct queued_message *e)
{
	struct spool_entry *entries = admin_batches_room(command, e->recipient_count);
	size_t count = list_deletions(e, entries);

	if (count == 0)
		return;
	e->is_deleting = true;
	admin_batches_add(command, e->id, count, admin_change_apply_delete);
}
