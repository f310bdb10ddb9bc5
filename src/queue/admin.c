/*
 * admin: verbs are a table.  An errand walks the book with a cursor that moves on when its entry
 * goes; what it changes is stored before it says that it is done.
 */
#include "queue/admin.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/login_name.h"
#include "queue/admin_changes.h"
#include "queue/admin_flow.h"
#include "queue/admin_format.h"
#include "queue/admin_log.h"
#include "queue/intake.h"
#include "queue/suspended_holds.h"
#include "spool/spool_fault.h"

enum {
	EXIT_USAGE = 64,
	EXIT_NO_MESSAGE = 67,
	EXIT_STORAGE = 74, EXIT_LATER = 75,
	MESSAGES_PER_TURN = 200,
	ADMIN_COMMAND_BYTES_MAX = 1 << 20,
	ADMIN_COMMANDS_MAX = 64,
	SHOWS_MAX = 32,           /* of them: a disk that stands still leaves room for others */
	SHOW_READ_MS = 20 * 1000, /* then that is told; less than control's patience */
};

/* ---- answers ---- */

static void
send_admin_row(struct admin_command *errand, struct buf *values, int fd)
{
	struct message_admin_row m = {.values = buf_str(values)};

	if (admin_flow_count_row(errand, m.values.n))
		(void)!channel_answer(
		    errand->peer->channel, errand->call, MESSAGE_ADMIN_ROW, &m, fd);
	buf_clear(values);
}

void
admin_command_send_row(struct admin_command *errand, struct buf *values)
{
	send_admin_row(errand, values, -1);
}

static void
send_admin_done(struct queue_peer *peer, uint64_t call, uint8_t exit_code, const char *text)
{
	struct message_admin_done m = {.exit_code = exit_code, .text = str_of(text)};

	if (peer)
		(void)!channel_answer(peer->channel, call, MESSAGE_ADMIN_DONE, &m, -1);
}

void
admin_command_changed(struct admin_command *errand, struct msgid id)
{
	char text[ID_NUMBER_TEXT_BYTES];
	struct buf values;

	if (errand->changed < ADMIN_COMMAND_IDS_TOLD)
		errand->first[errand->changed] = id;
	errand->changed++;
	buf_init(&values, ADMIN_ROW_BYTES_MAX);
	message_values_add(&values, "id", str_of(msgid_text(id, 0, text)));
	admin_command_send_row(errand, &values);
}

/* ---- verbs ---- */

static void
list_queued_message(struct admin_command *errand, struct queued_message *e)
{
	struct buf values;

	buf_init(&values, ADMIN_ROW_BYTES_MAX);
	admin_format_message(errand->queue, e, &values);
	admin_command_send_row(errand, &values);
}

/* A large body is a file, which the tool is given to read.  Only of one message, so that those that
 * a tool does not take are few. */
static void
send_admin_body(struct admin_command *errand, const struct spool_content *content)
{
	bool is_alone = errand->filter.id_count == 1 && !errand->filter.has_sessions;
	struct buf values;

	buf_init(&values, ADMIN_ROW_BODY_BYTES_MAX);
	admin_format_body(content, &values);
	send_admin_row(errand, &values, is_alone ? content->fd : -1);
}

static void
admin_message_read(const struct spool_content *content, int error, void *arg)
{
	struct admin_command *errand = arg;
	struct buf values;

	if (!content) {
		errand->error = error;
	} else {
		buf_init(&values, ADMIN_ROW_BYTES_MAX);
		admin_format_envelope(content, &values);
		admin_command_send_row(errand, &values);
		if (errand->wants_body)
			send_admin_body(errand, content);
	}
	queue_wake_admin(errand->queue);
}

static void
show_queued_message(struct admin_command *errand, struct queued_message *e)
{
	struct buf values;

	list_queued_message(errand, e);
	for (uint32_t i = 1; i <= e->addressee_count; i++) {
		buf_init(&values, ADMIN_ROW_BYTES_MAX);
		admin_format_recipient(errand->queue, e, i, &values);
		admin_command_send_row(errand, &values);
	}
	errand->read_until_ms = clock_mono_ms() + clock_timeout_ms(SHOW_READ_MS);
	spool_read(errand->queue->spool, &errand->reading, e->id, admin_message_read, errand);
}

static void
admin_command_send_total(struct admin_command *errand)
{
	struct buf values;

	buf_init(&values, ADMIN_ROW_BYTES_MAX);
	admin_format_total(errand, &values);
	admin_command_send_row(errand, &values);
}

static void
count_held(struct admin_command *errand, struct queued_message *e)
{
	errand->held += e->is_held;
}

static void
send_admin_user(struct admin_command *errand)
{
	struct buf values;

	buf_init(&values, ADMIN_ROW_BYTES_MAX);
	admin_format_user(errand, &values);
	admin_command_send_row(errand, &values);
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
apply_admin_verb(struct admin_command *errand, struct queued_message *e)
{
	if (!admin_filter_fits(&errand->filter, errand->queue->schedule, e, clock_ms()))
		return;
	errand->matched++;
	if (errand->verb->would && !errand->verb->would(errand, e)) {
		errand->held += e->is_held;
		return;
	}
	if (errand->verb->would && errand->is_dry_run)
		admin_command_changed(errand, e->id);
	else
		errand->verb->fn(errand, e);
}

/* The cursor has moved on before the entry can go. */
static void
step_admin_command(struct admin_command *errand)
{
	struct admin_filter *f = &errand->filter;
	struct queued_message *e;

	if (f->id_count && !f->has_sessions) {
		e = queued_find(&errand->queue->book, f->ids[errand->next_id++]);
		errand->is_walked = errand->next_id == f->id_count;
	} else {
		e = errand->next;
		errand->next = e ? TAILQ_NEXT(e, link) : NULL;
		errand->is_walked = errand->next == NULL;
	}
	if (e)
		apply_admin_verb(errand, e);
}

static void
free_admin_command(struct admin_command *errand)
{
	spool_read_cancel(&errand->reading);
	suspended_hold_command_ended(errand);
	TAILQ_REMOVE(&errand->queue->errands, errand, link);
	arena_clear(&errand->arena);
	mem_free(errand);
}

/* What was really done, and how many that fit stay as they were. */
static void
admin_command_count_text(const struct admin_command *errand, char *out, size_t size)
{
	size_t same = errand->matched - errand->changed - errand->failed;
	const char *why_not = errand->held_for.n ? "not held, or for another reason"
						 : errand->verb->why_not;
	int n = snprintf(out, size, "%zu message%s%s", errand->changed,
	    errand->changed == 1 ? "" : "s", errand->is_dry_run ? " would be changed" : " changed");

	if (errand->damaged)
		n += snprintf(out + n, size - (size_t)n, "; %zu held because of damage: tried now, "
		    "and held again when the damage is still there", errand->damaged);
	if (same)
		snprintf(out + n, size - (size_t)n, "; %zu not changed: %s\n", same,
		    why_not);
	else
		snprintf(out + n, size - (size_t)n, "\n");
}

static void
finish_admin_command(struct admin_command *errand)
{
	char text[256] = "";
	uint8_t exit_code = 0;

	if (errand->verb->would && !errand->is_dry_run)
		admin_command_log(errand);
	suspended_hold_alert(errand);
	if (errand->verb->end)
		errand->verb->end(errand);
	if (errand->verb->would)
		admin_command_count_text(errand, text, sizeof text);
	if (errand->is_late) {
		exit_code = EXIT_LATER;
		snprintf(text, sizeof text, "the message could not be read within %d s: the disk "
		    "of the spool does not answer; try again later\n", SHOW_READ_MS / 1000);
	} else if (errand->error && errand->verb->would) {
		exit_code = EXIT_STORAGE;
		snprintf(text, sizeof text, "%zu of %zu messages stay as they were, because the "
		    "spool could not store the change: %s\n", errand->failed,
		    errand->changed + errand->failed, strerror(errand->error));
	} else if (errand->is_coming_lost) {
		exit_code = EXIT_LATER;
		snprintf(text, sizeof text, "%s", suspended_hold_too_many);
	} else if (errand->error == ENOENT ||
		   (errand->filter.id_count && errand->matched == 0)) {
		exit_code = EXIT_NO_MESSAGE;
		snprintf(text, sizeof text, "no such message in the queue: it may be finished; "
		    "see the log for its id\n");
	} else if (errand->error) {
		exit_code = EXIT_STORAGE;
		snprintf(text, sizeof text, "the message cannot be read: %s\n",
		    spool_fault_text(errand->error));
	}
	send_admin_done(errand->peer, errand->call, exit_code, text);
	free_admin_command(errand);
}

/* True: it waits for the spool or for its client. */
static bool
walk_queued_messages(struct admin_command *errand)
{
	if (admin_changes_wait_for_others(errand))
		return true;
	for (int i = 0; i < MESSAGES_PER_TURN && !errand->is_walked; i++) {
		if (!admin_flow_can_send(errand))
			return false;
		if (spool_is_reading(&errand->reading) || !admin_flow_has_window(errand))
			return true;
		step_admin_command(errand);
	}
	return errand->is_walked;
}

/* Nobody waits for it any more, or it took too long. */
static void
check_reading(struct admin_command *errand)
{
	bool is_lost = (!errand->peer || errand->is_gone) && !errand->verb->would;

	errand->is_late |= spool_is_reading(&errand->reading) &&
			   clock_mono_ms() >= errand->read_until_ms;
	if (!is_lost && !errand->is_late)
		return;
	errand->is_walked = true;
	spool_read_cancel(&errand->reading);
}

/* What waits for a read is looked at again at its end. */
static void
arm_read_timeout(struct queue *q)
{
	const struct admin_command *errand;
	int64_t first_ms = INT64_MAX, ms;
	struct timeval tv;

	TAILQ_FOREACH(errand, &q->errands, link)
		if (spool_is_reading(&errand->reading) && errand->read_until_ms < first_ms)
			first_ms = errand->read_until_ms;
	if (first_ms == INT64_MAX || evtimer_pending(q->errand_event, NULL))
		return;
	ms = first_ms - clock_mono_ms();
	ms = ms > 0 ? ms : 0;
	tv = (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	evtimer_add(q->errand_event, &tv);
}

/* For the spool: to store what it changed, or what it is to hold; or to read. */
static bool
is_waiting(const struct admin_command *errand)
{
	return errand->unstored || spool_is_reading(&errand->reading) ||
	       (errand->coming &&
	           (intake_is_awaited(errand) || suspended_hold_is_unstored(errand->queue)));
}

void
queue_admin_continue(evutil_socket_t fd, short what, void *arg)
{
	struct queue *q = arg;
	struct admin_command *errand = TAILQ_FIRST(&q->errands), *after;
	bool all_wait = true;

	(void)fd;
	(void)what;
	for (; errand; errand = after) {
		after = TAILQ_NEXT(errand, link);
		check_reading(errand);
		all_wait &= walk_queued_messages(errand);
		if (errand->is_walked && !is_waiting(errand))
			finish_admin_command(errand);
	}
	if (!all_wait)
		queue_wake_admin(q);
	arm_read_timeout(q);
	queue_wake(q);
}

void
queue_admin_message_gone(struct queue *q, struct queued_message *e)
{
	struct admin_command *errand;

	TAILQ_FOREACH(errand, &q->errands, link)
		if (errand->next == e)
			errand->next = TAILQ_NEXT(e, link);
}

/* ---- beginnings ---- */

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
	m.values = buf_str(&values);
	(void)!channel_answer(peer->channel, call, MESSAGE_ADMIN_ROW, &m, -1);
	buf_clear(&values);
	send_admin_done(peer, call, 0, "");
}

/* Of this verb; NULL: all. */
static size_t
count_admin_commands(const struct queue *q, const struct admin_verb *verb)
{
	const struct admin_command *errand;
	size_t n = 0;

	TAILQ_FOREACH(errand, &q->errands, link)
		n += !verb || errand->verb == verb;
	return n;
}

/* Whom a filter means, see login_name.h. */
static void
complete_filter_user(const struct queue *q, struct admin_command *errand)
{
	struct admin_filter *f = &errand->filter;
	char room[LOGIN_NAME_BYTES];

	f->other_user =
	    arena_str(&errand->arena, login_name_other(q->role->conf, f->user, room));
}

static void
begin_admin_command(struct queue_peer *peer, uint64_t call, const struct message_admin *m,
    const struct admin_verb *verb)
{
	struct admin_command *errand = MEM_NEW(struct admin_command);
	struct queue *q = peer->queue;
	const char *why = "too much";

	*errand = (struct admin_command){.queue = q, .peer = peer, .call = call, .verb = verb};
	arena_init(&errand->arena, ADMIN_COMMAND_BYTES_MAX);
	TAILQ_INSERT_TAIL(&q->errands, errand, link);
	if (!admin_filter_parse(m->values, &errand->arena, &errand->filter, &why)) {
		send_admin_done(peer, call, EXIT_USAGE, why);
		free_admin_command(errand);
		return;
	}
	complete_filter_user(q, errand);
	errand->by = arena_str(&errand->arena, m->by);
	errand->claim =
	    arena_str(&errand->arena, str_upto(m->claimed_name, MESSAGE_CLAIMED_NAME_MAX));
	errand->reason = arena_str(&errand->arena, message_values_get(m->values, "reason"));
	if (errand->reason.n > SPOOL_DETAIL_MAX)
		errand->reason.n = SPOOL_DETAIL_MAX;
	errand->held_for = arena_str(&errand->arena, message_values_get(m->values, "held_for"));
	errand->is_dry_run = message_values_get(m->values, "dry_run").n != 0;
	errand->wants_body = message_values_get(m->values, "body").n != 0;
	errand->next = TAILQ_FIRST(&q->book.entries);
	if (verb->fn == admin_changes_release)
		suspended_hold_remove(errand);
	if (verb->fn == admin_changes_hold && message_values_get(m->values, "coming").n)
		suspended_hold_add(errand);
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
		    "the queue has too many commands to do now: "
		    "try again later\n");
	else if (verb->fn == show_queued_message &&
	         count_admin_commands(peer->queue, verb) >= SHOWS_MAX)
		send_admin_done(peer, p->call, EXIT_LATER,
		    "too many messages are being read to be shown "
		    "now: try again later\n");
	else
		begin_admin_command(peer, p->call, m, verb);
}

void
queue_admin_peer_lost(struct queue_peer *peer)
{
	struct admin_command *errand;

	TAILQ_FOREACH(errand, &peer->queue->errands, link)
		if (errand->peer == peer)
			errand->peer = NULL;
}

void
queue_admin_clear(struct queue *q)
{
	struct admin_command *errand;

	while ((errand = TAILQ_FIRST(&q->errands))) {
		TAILQ_REMOVE(&q->errands, errand, link);
		spool_read_cancel(&errand->reading);
		suspended_hold_command_ended(errand);
		admin_changes_forget(errand);
		arena_clear(&errand->arena);
		mem_free(errand);
	}
	suspended_hold_clear(q);
}
