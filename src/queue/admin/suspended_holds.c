/*
 * suspended_holds: see the header.
 */
#include "queue/admin/suspended_holds.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error_text.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/login_name.h"
#include "ipc/operator_log.h"
#include "queue/admin/admin_changes.h"
#include "queue/admin/admin_rows.h"
#include "queue/intake_pending.h"

enum { ALERT_TEXT_BYTES = 2048 };

struct suspended_hold {
	LIST_ENTRY(suspended_hold) link;
	struct admin_command *command; /* NULL: it has ended */
	struct str account, why;
	int64_t at_ms;    /* of the newest session that is included */
	int64_t until_ms; /* monotonic */
};

const char suspended_hold_too_many[] =
    "what is in the queue is held, but not what is being stored at this moment, or comes from the "
    "user's sessions later: too many users were suspended with --hold in the last minutes: do it "
    "again in some minutes\n";

static struct str
suspended_hold_copy(struct str s)
{
	return str_make(mem_text(s.p, s.n), s.n);
}

static void
suspended_hold_free(struct suspended_hold *hold)
{
	if (hold->command)
		hold->command->suspended_hold = NULL;
	LIST_REMOVE(hold, link);
	mem_free((char *)hold->account.p);
	mem_free((char *)hold->why.p);
	mem_free(hold);
}

/* Frees those that are over; returns how many are left. */
static size_t
suspended_hold_count(struct queue *q)
{
	struct suspended_hold *hold, *after;
	size_t count = 0;

	for (hold = LIST_FIRST(&q->suspended_holds); hold; hold = after) {
		after = LIST_NEXT(hold, link);
		if (hold->command || clock_mono_ms() < hold->until_ms)
			count++;
		else
			suspended_hold_free(hold);
	}
	return count;
}

/* Frees the holds of an account that are older than this one, which replaces them; a hold whose
 * command is running stays until the end of that command.  Returns the latest at_ms among them. */
static int64_t
suspended_hold_replace(struct suspended_hold *older, struct str account)
{
	int64_t at_ms = 0;
	struct suspended_hold *after;

	for (; older; older = after) {
		after = LIST_NEXT(older, link);
		if (!str_ieq(older->account, account))
			continue;
		at_ms = older->at_ms > at_ms ? older->at_ms : at_ms;
		if (!older->command)
			suspended_hold_free(older);
	}
	return at_ms;
}

static bool
suspended_hold_fits(const struct suspended_hold *hold, const struct queued_message *e)
{
	return id_ms(e->id.session) <= hold->at_ms &&
	    str_ieq(hold->account, queued_message_user(e));
}

/* What is being stored with this hold is released when it is stored. */
static void
release_pending_messages(struct admin_command *release, const struct suspended_hold *hold)
{
	struct intake_pending *p;

	LIST_FOREACH(p, &release->queue->pending_messages, link)
		if (p->message->is_held && suspended_hold_fits(hold, p->message))
			p->release = release;
}

/* What this new hold includes stays held when it is stored. */
static void
keep_pending_messages(struct queue *q, const struct suspended_hold *hold)
{
	struct intake_pending *p;

	LIST_FOREACH(p, &q->pending_messages, link)
		if (suspended_hold_fits(hold, p->message))
			p->release = NULL;
}

void
suspended_hold_add(struct admin_command *command)
{
	struct queue *q = command->queue;
	struct str account = command->filter.account;
	int64_t now = clock_ms(), former;
	struct suspended_hold *hold;
	struct buf why;

	if (account.n == 0 || command->is_dry_run)
		return;
	former = suspended_hold_replace(LIST_FIRST(&q->suspended_holds), account);
	command->is_suspended_hold_refused = suspended_hold_count(q) >= SUSPENDED_HOLD_MAX;
	if (command->is_suspended_hold_refused)
		return;
	hold = MEM_NEW(struct suspended_hold);
	buf_init(&why, SPOOL_DETAIL_MAX);
	hold->command = command;
	hold->account = suspended_hold_copy(account);
	hold->why = suspended_hold_copy(admin_changes_hold_why(command, &why));
	/* after the clock was set back, ids continue above the newest one */
	hold->at_ms = now > q->newest_ms ? now : q->newest_ms;
	hold->at_ms = former > hold->at_ms ? former : hold->at_ms;
	hold->until_ms = clock_mono_ms() + SUSPENDED_HOLD_MS;
	LIST_INSERT_HEAD(&q->suspended_holds, hold, link);
	keep_pending_messages(q, hold);
	command->suspended_hold = hold;
	buf_clear(&why);
}

static bool
suspended_hold_is_released(const struct suspended_hold *hold, const struct admin_command *command)
{
	const struct admin_filter *f = &command->filter;

	return (str_ieq(hold->account, f->account) || str_ieq(hold->account, f->user) ||
		   str_ieq(hold->account, f->other_user)) &&
	    (command->held_for.n == 0 || admin_changes_is_held_for(command->held_for, hold->why));
}

void
suspended_hold_remove(struct admin_command *command)
{
	struct queue *q = command->queue;
	struct suspended_hold *hold, *after;

	if (command->is_dry_run || admin_filter_is_narrow(&command->filter))
		return;
	for (hold = LIST_FIRST(&q->suspended_holds); hold; hold = after) {
		after = LIST_NEXT(hold, link);
		if (!suspended_hold_is_released(hold, command))
			continue;
		release_pending_messages(command, hold);
		suspended_hold_free(hold);
	}
}

static void
suspended_hold_add_unheld(const struct admin_command *command, struct buf *out)
{
	if (command->failed)
		buf_addf(out,
		    ", %zu %s not, because the spool could not store it: %s", command->failed,
		    command->failed == 1 ? "is" : "are", error_text(command->error));
	if (command->is_suspended_hold_refused)
		buf_addz(out,
		    ", but not what was being stored, or came from its sessions later: too many "
		    "users were suspended at the same time");
}

void
suspended_hold_alert(const struct admin_command *command)
{
	struct str account = command->filter.account;
	size_t held = command->held + command->changed;
	char object[LOGIN_NAME_BYTES + 64];
	struct buf text;

	if (!command->suspended_hold && !command->is_suspended_hold_refused)
		return;
	snprintf(object, sizeof object, "%.*s\nqueued mail%s%s", STR_ARG(account),
	    command->failed ? ", not stored" : "",
	    command->is_suspended_hold_refused ? ", and not what comes" : "");
	buf_init(&text, ALERT_TEXT_BYTES);
	buf_addf(&text, "%zu queued message%s of login %.*s %s held", held, held == 1 ? "" : "s",
	    STR_ARG(account), held == 1 ? "was" : "were");
	suspended_hold_add_unheld(command, &text);
	buf_addz(&text, " (user suspend --hold), by ");
	operator_log_add_who(&text, command->by, command->claimed_name);
	role_alert(command->queue->role, NOTICE_ACCESS, str_of(object), "%.*s",
	    STR_ARG(buf_str(&text)));
	buf_clear(&text);
}

void
suspended_hold_command_ended(struct admin_command *command)
{
	struct suspended_hold *hold = command->suspended_hold, *newer;

	command->suspended_hold = NULL;
	if (!hold)
		return;
	hold->command = NULL;
	newer = LIST_FIRST(&command->queue->suspended_holds);
	while (newer != hold && !str_ieq(newer->account, hold->account))
		newer = LIST_NEXT(newer, link);
	(void)suspended_hold_replace(LIST_NEXT(newer, link), newer->account);
}

void
suspended_hold_clear(struct queue *q)
{
	struct suspended_hold *hold;

	while ((hold = LIST_FIRST(&q->suspended_holds)))
		suspended_hold_free(hold);
}

/* ---- messages ---- */

static struct suspended_hold *
suspended_hold_find(struct queue *q, const struct queued_message *e)
{
	struct suspended_hold *hold;

	if (suspended_hold_count(q) == 0)
		return NULL;
	LIST_FOREACH(hold, &q->suspended_holds, link)
		if (suspended_hold_fits(hold, e))
			return hold;
	return NULL;
}

struct str
suspended_hold_reason(struct queue *q, const struct queued_message *e)
{
	const struct suspended_hold *hold = suspended_hold_find(q, e);

	return hold ? hold->why : STR_NULL;
}

bool
suspended_hold_awaits_message(const struct admin_command *command)
{
	const struct suspended_hold *hold = command->suspended_hold;
	const struct intake_pending *p;

	LIST_FOREACH(p, &command->queue->pending_messages, link)
		if (p->release == command || (hold && suspended_hold_fits(hold, p->message)))
			return true;
	return false;
}

static void
suspended_hold_log(const struct queued_message *e)
{
	char id[ID_NUMBER_TEXT_BYTES];

	log_info("message %s is held as it comes: its user was suspended with --hold while it was "
		 "handed over", msgid_text(e->id, 0, id));
}

void
suspended_hold_message_stored(
    struct queue *q, struct queued_message *e, struct admin_command *release)
{
	struct suspended_hold *hold = suspended_hold_find(q, e);
	struct admin_command *command = hold ? hold->command : NULL;
	bool is_stored_held = e->is_held;

	if (release) {
		queue_add_message(q, e);
		release->matched++;
		admin_changes_release(release, e);
		return;
	}
	if (command)
		command->matched++;
	if (is_stored_held)
		suspended_hold_log(e);
	/* none of its deliveries is scheduled before the hold is durable */
	e->is_held |= command != NULL;
	queue_add_message(q, e);
	if (command && is_stored_held)
		admin_rows_changed(command, e->id);
	else if (command)
		admin_changes_hold_new(command, e);
}

bool
suspended_hold_is_unstored(const struct queue *q)
{
	const struct admin_command *command;

	TAILQ_FOREACH(command, &q->admin_commands, link)
		if (command->suspended_hold && command->unstored)
			return true;
	return false;
}
