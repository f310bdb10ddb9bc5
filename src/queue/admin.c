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
	ENTRIES_PER_TURN = 200,
	ERRAND_BYTES_MAX = 1 << 20,
	ERRANDS_MAX = 64,
	SHOWS_MAX = 32,           /* of them: a disk that stands still leaves room for others */
	SHOW_READ_MS = 20 * 1000, /* then that is told; less than control's patience */
};

/* ---- answers ---- */

static void
say_row_with(struct errand *errand, struct buf *values, int fd)
{
	struct message_admin_row m = {.values = buf_str(values)};

	if (credit_use(errand, m.values.n))
		(void)!channel_answer(
		    errand->peer->channel, errand->call, MESSAGE_ADMIN_ROW, &m, fd);
	buf_clear(values);
}

void
errand_say_row(struct errand *errand, struct buf *values)
{
	say_row_with(errand, values, -1);
}

static void
say_done(struct peer *peer, uint64_t call, uint8_t exit_code, const char *text)
{
	struct message_admin_done m = {.exit_code = exit_code, .text = str_of(text)};

	if (peer)
		(void)!channel_answer(peer->channel, call, MESSAGE_ADMIN_DONE, &m, -1);
}

void
errand_changed(struct errand *errand, struct msgid id)
{
	char text[ID_NUMBER_TEXT_BYTES];
	struct buf values;

	if (errand->changed < ERRAND_IDS_TOLD)
		errand->first[errand->changed] = id;
	errand->changed++;
	buf_init(&values, ROW_BYTES_MAX);
	message_values_add(&values, "id", str_of(msgid_text(id, 0, text)));
	errand_say_row(errand, &values);
}

/* ---- verbs ---- */

static void
list(struct errand *errand, struct entry *e)
{
	struct buf values;

	buf_init(&values, ROW_BYTES_MAX);
	rows_message(errand->queue, e, &values);
	errand_say_row(errand, &values);
}

/* A large body is a file, which the tool is given to read.  Only of one message, so that those that
 * a tool does not take are few. */
static void
say_body(struct errand *errand, const struct spool_content *content)
{
	bool is_alone = errand->filter.id_count == 1 && !errand->filter.has_sessions;
	struct buf values;

	buf_init(&values, ROW_BODY_BYTES_MAX);
	rows_body(content, &values);
	say_row_with(errand, &values, is_alone ? content->fd : -1);
}

static void
got_content(const struct spool_content *content, int error, void *arg)
{
	struct errand *errand = arg;
	struct buf values;

	if (!content) {
		errand->error = error;
	} else {
		buf_init(&values, ROW_BYTES_MAX);
		rows_envelope(content, &values);
		errand_say_row(errand, &values);
		if (errand->wants_body)
			say_body(errand, content);
	}
	queue_wake_errands(errand->queue);
}

static void
show(struct errand *errand, struct entry *e)
{
	struct buf values;

	list(errand, e);
	for (uint32_t i = 1; i <= e->addressee_count; i++) {
		buf_init(&values, ROW_BYTES_MAX);
		rows_recipient(errand->queue, e, i, &values);
		errand_say_row(errand, &values);
	}
	errand->read_until_ms = clock_mono_ms() + clock_patience(SHOW_READ_MS);
	spool_read(errand->queue->spool, &errand->reading, e->id, got_content, errand);
}

static void
errand_say_total(struct errand *errand)
{
	struct buf values;

	buf_init(&values, ROW_BYTES_MAX);
	rows_total(errand, &values);
	errand_say_row(errand, &values);
}

static void
count_held(struct errand *errand, struct entry *e)
{
	errand->held += e->is_held;
}

static void
say_user(struct errand *errand)
{
	struct buf values;

	buf_init(&values, ROW_BYTES_MAX);
	rows_user(errand, &values);
	errand_say_row(errand, &values);
}

static const struct verb verbs[] = {
    {"queue.user", count_held, NULL, NULL, say_user},
    {"queue.list", list, NULL, NULL, NULL},
    {"queue.show", show, NULL, NULL, NULL},
    {"queue.retry", changes_retry, changes_would_retry,
	"held, under way, or with no recipient left to try", errand_say_total},
    {"queue.hold", changes_hold, changes_would_hold, "held already", errand_say_total},
    {"queue.release", changes_release, changes_would_release, "not held", errand_say_total},
    {"queue.delete", changes_delete, changes_would_delete, "at an end already",
	errand_say_total},
};

/* ---- walking ---- */

static void
visit(struct errand *errand, struct entry *e)
{
	if (!filter_fits(&errand->filter, errand->queue->schedule, e, clock_ms()))
		return;
	errand->matched++;
	if (errand->verb->would && !errand->verb->would(errand, e)) {
		errand->held += e->is_held;
		return;
	}
	if (errand->verb->would && errand->is_dry_run)
		errand_changed(errand, e->id);
	else
		errand->verb->fn(errand, e);
}

/* The cursor has moved on before the entry can go. */
static void
step(struct errand *errand)
{
	struct filter *f = &errand->filter;
	struct entry *e;

	if (f->id_count && !f->has_sessions) {
		e = book_find(&errand->queue->book, f->ids[errand->next_id++]);
		errand->is_walked = errand->next_id == f->id_count;
	} else {
		e = errand->next;
		errand->next = e ? TAILQ_NEXT(e, link) : NULL;
		errand->is_walked = errand->next == NULL;
	}
	if (e)
		visit(errand, e);
}

static void
free_errand(struct errand *errand)
{
	spool_read_cancel(&errand->reading);
	coming_errand_gone(errand);
	TAILQ_REMOVE(&errand->queue->errands, errand, link);
	arena_clear(&errand->arena);
	mem_free(errand);
}

/* What was really done, and how many that fit stay as they were. */
static void
errand_tell_counts(const struct errand *errand, char *out, size_t size)
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
finish(struct errand *errand)
{
	char text[256] = "";
	uint8_t exit_code = 0;

	if (errand->verb->would && !errand->is_dry_run)
		errand_log(errand);
	coming_alert(errand);
	if (errand->verb->end)
		errand->verb->end(errand);
	if (errand->verb->would)
		errand_tell_counts(errand, text, sizeof text);
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
		snprintf(text, sizeof text, "%s", coming_too_many);
	} else if (errand->error == ENOENT ||
		   (errand->filter.id_count && errand->matched == 0)) {
		exit_code = EXIT_NO_MESSAGE;
		snprintf(text, sizeof text, "no such message in the queue: it may be finished; "
		    "see the log for its id\n");
	} else if (errand->error) {
		exit_code = EXIT_STORAGE;
		snprintf(text, sizeof text, "the message cannot be read: %s\n",
		    finding_text(errand->error));
	}
	say_done(errand->peer, errand->call, exit_code, text);
	free_errand(errand);
}

/* True: it waits for the spool or for its client. */
static bool
walk(struct errand *errand)
{
	if (changes_wait_for_others(errand))
		return true;
	for (int i = 0; i < ENTRIES_PER_TURN && !errand->is_walked; i++) {
		if (!credit_has_way(errand))
			return false;
		if (spool_is_reading(&errand->reading) || !credit_is_left(errand))
			return true;
		step(errand);
	}
	return errand->is_walked;
}

/* Nobody waits for it any more, or it took too long. */
static void
check_reading(struct errand *errand)
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
arm_readings(struct queue *q)
{
	const struct errand *errand;
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
is_waiting(const struct errand *errand)
{
	return errand->unstored || spool_is_reading(&errand->reading) ||
	    (errand->coming && (intake_is_awaited(errand) || coming_is_unstored(errand->queue)));
}

void
admin_go_on(evutil_socket_t fd, short what, void *arg)
{
	struct queue *q = arg;
	struct errand *errand = TAILQ_FIRST(&q->errands), *after;
	bool all_wait = true;

	(void)fd;
	(void)what;
	for (; errand; errand = after) {
		after = TAILQ_NEXT(errand, link);
		check_reading(errand);
		all_wait &= walk(errand);
		if (errand->is_walked && !is_waiting(errand))
			finish(errand);
	}
	if (!all_wait)
		queue_wake_errands(q);
	arm_readings(q);
	queue_wake(q);
}

void
admin_entry_gone(struct queue *q, struct entry *e)
{
	struct errand *errand;

	TAILQ_FOREACH(errand, &q->errands, link)
		if (errand->next == e)
			errand->next = TAILQ_NEXT(e, link);
}

/* ---- beginnings ---- */

static const struct verb *
find_verb(struct str name)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (str_eq(name, str_of(verbs[i].name)))
			return &verbs[i];
	return NULL;
}

static void
status(struct peer *peer, uint64_t call)
{
	struct buf values;
	struct message_admin_row m;

	buf_init(&values, ROW_BYTES_MAX);
	rows_status(peer->queue, &values);
	m.values = buf_str(&values);
	(void)!channel_answer(peer->channel, call, MESSAGE_ADMIN_ROW, &m, -1);
	buf_clear(&values);
	say_done(peer, call, 0, "");
}

/* Of this verb; NULL: all. */
static size_t
count_errands(const struct queue *q, const struct verb *verb)
{
	const struct errand *errand;
	size_t n = 0;

	TAILQ_FOREACH(errand, &q->errands, link)
		n += !verb || errand->verb == verb;
	return n;
}

/* Whom a filter means, see login_name.h. */
static void
admin_complete_user(const struct queue *q, struct errand *errand)
{
	struct filter *f = &errand->filter;
	char room[LOGIN_NAME_BYTES];

	f->other_user =
	    arena_str(&errand->arena, login_name_other(q->role->conf, f->user, room));
}

static void
begin(struct peer *peer, uint64_t call, const struct message_admin *m, const struct verb *verb)
{
	struct errand *errand = MEM_NEW(struct errand);
	struct queue *q = peer->queue;
	const char *why = "too much";

	*errand = (struct errand){.queue = q, .peer = peer, .call = call, .verb = verb};
	arena_init(&errand->arena, ERRAND_BYTES_MAX);
	TAILQ_INSERT_TAIL(&q->errands, errand, link);
	if (!filter_parse(m->values, &errand->arena, &errand->filter, &why)) {
		say_done(peer, call, EXIT_USAGE, why);
		free_errand(errand);
		return;
	}
	admin_complete_user(q, errand);
	errand->by = arena_str(&errand->arena, m->by);
	errand->claim = arena_str(&errand->arena, str_upto(m->claim, MESSAGE_CLAIM_MAX));
	errand->reason = arena_str(&errand->arena, message_values_get(m->values, "reason"));
	if (errand->reason.n > SPOOL_DETAIL_MAX)
		errand->reason.n = SPOOL_DETAIL_MAX;
	errand->held_for = arena_str(&errand->arena, message_values_get(m->values, "held_for"));
	errand->is_dry_run = message_values_get(m->values, "dry_run").n != 0;
	errand->wants_body = message_values_get(m->values, "body").n != 0;
	errand->next = TAILQ_FIRST(&q->book.entries);
	if (verb->fn == changes_release)
		coming_drop(errand);
	if (verb->fn == changes_hold && message_values_get(m->values, "coming").n)
		coming_add(errand);
	queue_wake_errands(q);
}

void
admin_take(struct peer *peer, const struct packet *p)
{
	const struct message_admin *m = &p->message->admin;
	const struct verb *verb = find_verb(m->verb);

	if (str_eq(m->verb, STR("queue.status")))
		status(peer, p->call);
	else if (!verb)
		say_done(peer, p->call, EXIT_USAGE, "the queue knows no such command\n");
	else if (count_errands(peer->queue, NULL) >= ERRANDS_MAX)
		say_done(peer, p->call, EXIT_LATER, "the queue has too many commands to do now: "
		    "try again later\n");
	else if (verb->fn == show && count_errands(peer->queue, verb) >= SHOWS_MAX)
		say_done(peer, p->call, EXIT_LATER, "too many messages are being read to be shown "
		    "now: try again later\n");
	else
		begin(peer, p->call, m, verb);
}

void
admin_peer_lost(struct peer *peer)
{
	struct errand *errand;

	TAILQ_FOREACH(errand, &peer->queue->errands, link)
		if (errand->peer == peer)
			errand->peer = NULL;
}

void
admin_clear(struct queue *q)
{
	struct errand *errand;

	while ((errand = TAILQ_FIRST(&q->errands))) {
		TAILQ_REMOVE(&q->errands, errand, link);
		spool_read_cancel(&errand->reading);
		coming_errand_gone(errand);
		changes_forget(errand);
		arena_clear(&errand->arena);
		mem_free(errand);
	}
	coming_clear(q);
}
