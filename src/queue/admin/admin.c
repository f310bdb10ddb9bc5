/*
 * admin: the table of commands, the walk of each over the queued messages, and its answer.  The
 * walk keeps a cursor that moves on when its message is removed.  A change is stored before the
 * answer reports it.
 */
#include "queue/admin/admin.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/login_name.h"
#include "queue/admin/admin_batches.h"
#include "queue/admin/admin_changes.h"
#include "queue/admin/admin_flow.h"
#include "queue/admin/admin_format.h"
#include "queue/admin/admin_log.h"
#include "queue/admin/admin_rows.h"
#include "queue/admin/suspended_holds.h"
#include "queue/intake.h"
#include "queue/queue_sizes.h"
#include "spool/spool_fault.h"

enum {
	EXIT_USAGE = 64,
	EXIT_NO_MESSAGE = 67,
	EXIT_STORAGE = 74, EXIT_LATER = 75,
	TURN_US = 5000, /* of all commands; then the other work of the loop is done */
	PAUSE_US = 1000, /* between its turns, and until control is asked again whether it reads */
	MESSAGES_PER_LOOK = 32, /* at the clock */
	ADMIN_COMMAND_BYTES_MAX = 1 << 20,
	ADMIN_COMMANDS_MAX = 64,
	SHOWS_MAX = 32, /* of them: the others stay possible when the disk does not answer */
	SHOW_READ_MS = 20 * 1000, /* then the command fails; shorter than the timeout of control */
};

/* ---- answers ---- */

static void
send_admin_done(struct queue_peer *peer, uint64_t call, uint8_t exit_code, const char *text)
{
	struct message_admin_done m = {.exit_code = exit_code, .text = str_of(text)};

	if (peer)
		(void)!channel_answer(peer->channel, call, MESSAGE_ADMIN_DONE, &m, -1);
}

/* ---- verbs ---- */

static void
list_queued_message(struct admin_command *command, struct queued_message *e)
{
	struct buf values;

	buf_init(&values, ADMIN_ROW_BYTES_MAX);
	admin_format_message(command->queue, e, &values);
	admin_rows_send(command, &values);
}

/* A large body is a file, whose descriptor is sent to the tool.  Only for a command about one
 * message, so that few descriptors wait for a tool that does not read. */
static void
send_admin_body(struct admin_command *command, const struct spool_content *content)
{
	bool is_alone = command->filter.id_count == 1 && !command->filter.has_sessions;
	struct buf values;

	buf_init(&values, ADMIN_ROW_BODY_BYTES_MAX);
	admin_format_body(content, &values);
	admin_rows_send_with(command, &values, is_alone ? content->fd : -1);
}

static void
admin_message_read(const struct spool_content *content, int error, void *arg)
{
	struct admin_command *command = arg;
	struct buf values;

	if (!content) {
		command->error = error;
	} else {
		buf_init(&values, ADMIN_ROW_BYTES_MAX);
		admin_format_envelope(content, &values);
		admin_rows_send(command, &values);
		if (command->wants_body)
			send_admin_body(command, content);
	}
	queue_wake_admin(command->queue);
}

static void
show_queued_message(struct admin_command *command, struct queued_message *e)
{
	struct buf values;

	list_queued_message(command, e);
	for (uint32_t i = 1; i <= e->recipient_count; i++) {
		buf_init(&values, ADMIN_ROW_BYTES_MAX);
		admin_format_recipient(command->queue, e, i, &values);
		admin_rows_send(command, &values);
	}
	command->read_until_ms = clock_mono_ms() + clock_timeout_ms(SHOW_READ_MS);
	spool_read(command->queue->spool, &command->reading, e->id, admin_message_read, command);
}

static void
admin_command_send_total(struct admin_command *command)
{
	struct buf values;

	buf_init(&values, ADMIN_ROW_BYTES_MAX);
	admin_format_total(command, &values);
	admin_rows_send(command, &values);
}

static void
count_held(struct admin_command *command, struct queued_message *e)
{
	command->held += e->is_held;
}

static void
send_admin_user(struct admin_command *command)
{
	struct buf values;

	buf_init(&values, ADMIN_ROW_BYTES_MAX);
	admin_format_user(command, &values);
	admin_rows_send(command, &values);
}

static const struct admin_verb verbs[] = {
    {"queue.user", count_held, NULL, NULL, send_admin_user},
    {"queue.list", list_queued_message, NULL, NULL, NULL},
    {"queue.show", show_queued_message, NULL, NULL, NULL},
    {"queue.retry", admin_changes_retry, admin_changes_would_retry,
	"held, under way, or with no recipient left to try", admin_command_send_total},
    {"queue.hold", admin_changes_hold, admin_changes_would_hold, "held already",
	admin_command_send_total},
    {"queue.release", admin_changes_release, admin_changes_would_release, "not held",
	admin_command_send_total},
    {"queue.delete", admin_changes_delete, admin_changes_would_delete, "at an end already",
	admin_command_send_total},
};

/* ---- walking ---- */

static void
apply_admin_verb(struct admin_command *command, struct queued_message *e)
{
	if (!admin_filter_fits(&command->filter, command->queue->schedule, e, clock_ms()))
		return;
	command->matched++;
	if (command->verb->would && !command->verb->would(command, e)) {
		command->held += e->is_held;
		return;
	}
	if (command->verb->would && command->is_dry_run)
		admin_rows_changed(command, e->id);
	else
		command->verb->fn(command, e);
}

/* The cursor moves on before the verb can remove the message. */
static void
step_admin_command(struct admin_command *command)
{
	struct admin_filter *f = &command->filter;
	struct queued_message *e;

	if (f->id_count && !f->has_sessions) {
		e = queued_find(&command->queue->queued, f->ids[command->next_id++]);
		command->is_walked = command->next_id == f->id_count;
	} else {
		e = command->next;
		command->next = e && e != command->last
		    ? id_table_next(&command->queue->queued.messages, e) : NULL;
		command->is_walked = command->next == NULL;
	}
	if (e)
		apply_admin_verb(command, e);
}

static void
free_admin_command(struct admin_command *command)
{
	spool_read_cancel(&command->reading);
	suspended_hold_command_ended(command);
	TAILQ_REMOVE(&command->queue->admin_commands, command, link);
	admin_batches_forget(command);
	buf_clear(&command->ids);
	arena_clear(&command->arena);
	mem_free(command);
}

static void
finish_admin_command(struct admin_command *command)
{
	char text[384] = "";
	uint8_t exit_code = 0;

	if (command->verb->would && !command->is_dry_run)
		admin_command_log(command);
	suspended_hold_alert(command);
	admin_rows_send_ids(command);
	command->is_awaited = false; /* the last rows are sent in any case */
	if (command->verb->end)
		command->verb->end(command);
	if (command->verb->would)
		admin_format_count_text(command, text, sizeof text);
	if (command->is_late) {
		exit_code = EXIT_LATER;
		snprintf(text, sizeof text, "the message could not be read within %d s: the disk "
		    "of the spool does not answer; try again later\n", SHOW_READ_MS / 1000);
	} else if (command->error && command->verb->would) {
		exit_code = EXIT_STORAGE;
		snprintf(text, sizeof text, "%zu of %zu messages stay as they were, because the "
		    "spool could not store the change: %s\n", command->failed,
		    command->changed + command->failed, spool_fault_text(command->error));
	} else if (command->is_suspended_hold_refused) {
		exit_code = EXIT_LATER;
		snprintf(text, sizeof text, "%s", suspended_hold_too_many);
	} else if (command->error == ENOENT ||
		   (command->filter.id_count && command->matched == 0)) {
		exit_code = EXIT_NO_MESSAGE;
		snprintf(text, sizeof text, "no such message in the queue: it may be finished; "
		    "see the log for its id\n");
	} else if (command->error) {
		exit_code = EXIT_STORAGE;
		snprintf(text, sizeof text, "the message cannot be read: %s\n",
		    spool_fault_text(command->error));
	}
	send_admin_done(command->peer, command->call, exit_code, text);
	free_admin_command(command);
}

static bool
must_walk_wait(const struct admin_command *command)
{
	return spool_is_reading(&command->reading) || !admin_flow_has_window(command) ||
	       !admin_batches_have_room(command);
}

/* True: it waits for the spool or for its client. */
static bool
walk_until(struct admin_command *command, int64_t end_us)
{
	for (unsigned i = 1; !command->is_walked; i++) {
		if (!admin_flow_can_send(command))
			return false;
		if (must_walk_wait(command))
			return true;
		step_admin_command(command);
		if (i % MESSAGES_PER_LOOK == 0 && clock_mono_us() >= end_us)
			break;
	}
	return command->is_walked;
}

static bool
walk_queued_messages(struct admin_command *command, int64_t turn_us)
{
	bool waits;

	if (admin_changes_wait_for_others(command))
		return true;
	waits = walk_until(command, clock_mono_us() + turn_us);
	admin_batches_store(command);
	admin_rows_send_ids(command);
	return waits;
}

/* Ends the read of a message that has no client any more, or that takes too long. */
static void
check_reading(struct admin_command *command)
{
	bool is_lost = (!command->peer || command->is_client_gone) && !command->verb->would;

	command->is_late |= spool_is_reading(&command->reading) &&
			   clock_mono_ms() >= command->read_until_ms;
	if (!is_lost && !command->is_late)
		return;
	command->is_walked = true;
	spool_read_cancel(&command->reading);
}

/* A command that waits for a read is looked at again when the time for the read is over. */
static void
arm_read_timeout(struct queue *q)
{
	const struct admin_command *command;
	int64_t first_ms = INT64_MAX, ms;
	struct timeval tv;

	TAILQ_FOREACH(command, &q->admin_commands, link)
		if (spool_is_reading(&command->reading) && command->read_until_ms < first_ms)
			first_ms = command->read_until_ms;
	if (first_ms == INT64_MAX || evtimer_pending(q->admin_event, NULL))
		return;
	ms = first_ms - clock_mono_ms();
	ms = ms > 0 ? ms : 0;
	tv = (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	evtimer_add(q->admin_event, &tv);
}

/* It waits for the spool: for a change or a hold that is being stored, or for a read. */
static bool
is_waiting(const struct admin_command *command)
{
	return command->unstored || spool_is_reading(&command->reading) ||
	       suspended_hold_awaits_message(command) ||
	       (command->suspended_hold && suspended_hold_is_unstored(command->queue));
}

/* Commands with this verb; NULL: all. */
static size_t
count_admin_commands(const struct queue *q, const struct admin_verb *verb)
{
	const struct admin_command *command;
	size_t n = 0;

	TAILQ_FOREACH(command, &q->admin_commands, link)
		n += !verb || command->verb == verb;
	return n;
}

void
queue_admin_continue(evutil_socket_t fd, short what, void *arg)
{
	struct queue *q = arg;
	struct admin_command *command = TAILQ_FIRST(&q->admin_commands), *after;
	const struct timeval pause = {.tv_usec = PAUSE_US};
	int64_t turn_us = TURN_US / (int64_t)(command ? count_admin_commands(q, NULL) : 1);
	bool all_wait = true;

	(void)fd;
	(void)what;
	for (; command; command = after) {
		after = TAILQ_NEXT(command, link);
		check_reading(command);
		all_wait &= walk_queued_messages(command, turn_us);
		if (command->is_walked && !is_waiting(command))
			finish_admin_command(command);
	}
	if (!all_wait)
		evtimer_add(q->admin_event, &pause);
	arm_read_timeout(q);
	queue_wake(q);
}

static void
admin_command_message_gone(struct admin_command *command, struct queued_message *e)
{
	const struct id_table *messages = &command->queue->queued.messages;

	if (command->next == e)
		command->next = e != command->last ? id_table_next(messages, e) : NULL;
	if (command->last == e)
		command->last = id_table_previous(messages, e);
}

void
queue_admin_message_gone(struct queue *q, struct queued_message *e)
{
	struct admin_command *command;

	TAILQ_FOREACH(command, &q->admin_commands, link)
		admin_command_message_gone(command, e);
}

/* ---- start of a command ---- */

static const struct admin_verb *
find_admin_verb(struct str name)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (str_eq(name, str_of(verbs[i].name)))
			return &verbs[i];
	return NULL;
}

static void
send_queue_status(struct queue_peer *peer, uint64_t call)
{
	struct buf values;
	struct message_admin_row m;

	buf_init(&values, ADMIN_ROW_BYTES_MAX);
	admin_format_status(peer->queue, &values);
	queue_sizes_publish(peer->queue);
	m.values = buf_str(&values);
	(void)!channel_answer(peer->channel, call, MESSAGE_ADMIN_ROW, &m, -1);
	buf_clear(&values);
	send_admin_done(peer, call, 0, "");
}

/* The other name of the user that the filter names, see login_name.h. */
static void
complete_filter_user(const struct queue *q, struct admin_command *command)
{
	struct admin_filter *f = &command->filter;
	char room[LOGIN_NAME_BYTES];

	f->other_user =
	    arena_str(&command->arena, login_name_other(q->role->conf, f->user, room));
}

static void
begin_admin_command(struct queue_peer *peer, uint64_t call, const struct message_admin *m,
    const struct admin_verb *verb)
{
	struct admin_command *command = MEM_NEW(struct admin_command);
	struct queue *q = peer->queue;
	const char *why = "too much";

	*command = (struct admin_command){.queue = q, .peer = peer, .call = call, .verb = verb};
	arena_init(&command->arena, ADMIN_COMMAND_BYTES_MAX);
	buf_init(&command->ids, ADMIN_ROW_BYTES_MAX);
	TAILQ_INSERT_TAIL(&q->admin_commands, command, link);
	if (!admin_filter_parse(m->values, &command->arena, &command->filter, &why)) {
		send_admin_done(peer, call, EXIT_USAGE, why);
		free_admin_command(command);
		return;
	}
	complete_filter_user(q, command);
	command->by = arena_str(&command->arena, m->by);
	command->claimed_name =
	    arena_str(&command->arena, str_upto(m->claimed_name, MESSAGE_CLAIMED_NAME_MAX));
	command->reason = arena_str(&command->arena, message_values_get(m->values, "reason"));
	if (command->reason.n > SPOOL_DETAIL_MAX)
		command->reason.n = SPOOL_DETAIL_MAX;
	command->held_for = arena_str(&command->arena, message_values_get(m->values, "held_for"));
	command->is_dry_run = message_values_get(m->values, "dry_run").n != 0;
	command->wants_body = message_values_get(m->values, "body").n != 0;
	command->next = id_table_first(&q->queued.messages);
	admin_changes_begin(command);
	if (verb->fn == admin_changes_release)
		suspended_hold_remove(command);
	command->is_suspension =
	    verb->fn == admin_changes_hold && message_values_get(m->values, "coming").n;
	if (command->is_suspension)
		suspended_hold_add(command);
	queue_wake_admin(q);
}

void
queue_admin_handle_packet(struct queue_peer *peer, const struct channel_packet *p)
{
	const struct message_admin *m = &p->message->admin;
	const struct admin_verb *verb = find_admin_verb(m->verb);

	if (str_eq(m->verb, STR("queue.status")))
		send_queue_status(peer, p->call);
	else if (!verb)
		send_admin_done(peer, p->call, EXIT_USAGE, "the queue knows no such command\n");
	else if (count_admin_commands(peer->queue, NULL) >= ADMIN_COMMANDS_MAX)
		send_admin_done(peer, p->call, EXIT_LATER,
		    "the queue has too many commands to do now: try again later\n");
	else if (verb->fn == show_queued_message &&
	         count_admin_commands(peer->queue, verb) >= SHOWS_MAX)
		send_admin_done(peer, p->call, EXIT_LATER,
		    "too many messages are being read to be shown now: try again later\n");
	else
		begin_admin_command(peer, p->call, m, verb);
}

void
queue_admin_peer_lost(struct queue_peer *peer)
{
	struct admin_command *command;

	TAILQ_FOREACH(command, &peer->queue->admin_commands, link)
		if (command->peer == peer)
			command->peer = NULL;
}

void
queue_admin_clear(struct queue *q)
{
	struct admin_command *command;

	while ((command = TAILQ_FIRST(&q->admin_commands)))
		free_admin_command(command);
	suspended_hold_clear(q);
}
