/*
 * suspended_holds: see the header.
 */
#include "queue/suspended_holds.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/login_name.h"
#include "queue/admin_changes.h"

enum { COMING_TEXT_BYTES = 2048 };

struct suspended_hold {
	LIST_ENTRY(suspended_hold) link;
	struct admin_command *errand; /* NULL: it has ended */
	struct str account, why;
	int64_t at_ms;    /* of the newest session that can be meant */
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
suspended_hold_free(struct suspended_hold *c)
{
	if (c->errand)
		c->errand->coming = NULL;
	LIST_REMOVE(c, link);
	mem_free((char *)c->account.p);
	mem_free((char *)c->why.p);
	mem_free(c);
}

/* Those that are over go; how many are left. */
static size_t
suspended_hold_count(struct queue *q)
{
	struct suspended_hold *c, *after;
	size_t count = 0;

	for (c = LIST_FIRST(&q->comings); c; c = after) {
		after = LIST_NEXT(c, link);
		if (c->errand || clock_mono_ms() < c->until_ms)
			count++;
		else
			suspended_hold_free(c);
	}
	return count;
}

/* Those of an account that are older than this one, which holds in their place; those whose
 * commands are under way go at the end of these.  The latest time that they say. */
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
		if (!older->errand)
			suspended_hold_free(older);
	}
	return at_ms;
}

void
suspended_hold_add(struct admin_command *errand)
{
	struct queue *q = errand->queue;
	struct str account = errand->filter.account;
	int64_t now = clock_ms(), former;
	struct suspended_hold *c;
	struct buf why;

	if (account.n == 0 || errand->is_dry_run)
		return;
	former = suspended_hold_replace(LIST_FIRST(&q->comings), account);
	errand->is_coming_lost = suspended_hold_count(q) >= SUSPENDED_HOLD_MAX;
	if (errand->is_coming_lost)
		return;
	c = MEM_NEW(struct suspended_hold);
	buf_init(&why, SPOOL_DETAIL_MAX);
	c->errand = errand;
	c->account = suspended_hold_copy(account);
	c->why = suspended_hold_copy(admin_changes_hold_why(errand, &why));
	/* after a clock that was set back, ids go on above the newest one */
	c->at_ms = now > q->newest_ms ? now : q->newest_ms;
	c->at_ms = former > c->at_ms ? former : c->at_ms;
	c->until_ms = clock_mono_ms() + SUSPENDED_HOLD_MS;
	LIST_INSERT_HEAD(&q->comings, c, link);
	errand->coming = c;
	buf_clear(&why);
}

static bool
coming_is_released(const struct suspended_hold *c, const struct admin_command *errand)
{
	const struct admin_filter *f = &errand->filter;

	return (str_ieq(c->account, f->account) || str_ieq(c->account, f->user) ||
		   str_ieq(c->account, f->other_user)) &&
	    (errand->held_for.n == 0 || admin_changes_is_held_for(errand, c->why));
}

void
suspended_hold_remove(const struct admin_command *errand)
{
	struct queue *q = errand->queue;
	struct suspended_hold *c, *after;

	if (errand->is_dry_run || admin_filter_is_narrow(&errand->filter))
		return;
	for (c = LIST_FIRST(&q->comings); c; c = after) {
		after = LIST_NEXT(c, link);
		if (coming_is_released(c, errand))
			suspended_hold_free(c);
	}
}

static void
coming_add_unheld(const struct admin_command *errand, struct buf *out)
{
	if (errand->failed)
		buf_addf(out,
		    ", %zu %s not, because the spool could not store it: %s", errand->failed,
		    errand->failed == 1 ? "is" : "are", strerror(errand->error));
	if (errand->is_coming_lost)
		buf_addz(out,
		    ", but not what was being stored, or came from its sessions later: too many "
		    "users were suspended at the same time");
}

void
suspended_hold_alert(const struct admin_command *errand)
{
	struct str account = errand->filter.account;
	size_t held = errand->held + errand->changed;
	char object[LOGIN_NAME_BYTES + 64];
	struct buf text;

	if (!errand->coming && !errand->is_coming_lost)
		return;
	snprintf(object, sizeof object, "queued mail of %.*s%s%s", STR_ARG(account),
	    errand->failed ? ", not stored" : "",
	    errand->is_coming_lost ? ", and not what comes" : "");
	buf_init(&text, COMING_TEXT_BYTES);
	buf_addf(&text, "%zu queued message%s of login %.*s %s held", held, held == 1 ? "" : "s",
	    STR_ARG(account), held == 1 ? "is" : "are");
	coming_add_unheld(errand, &text);
	buf_addf(&text, " (user suspend --hold), by %.*s%s%.*s", STR_ARG(errand->by),
	    errand->claim.n ? " for " : "", STR_ARG(errand->claim));
	role_alert(errand->queue->role, NOTICE_ACCESS, str_of(object), "%.*s",
	    STR_ARG(buf_str(&text)));
	buf_clear(&text);
}

void
suspended_hold_command_ended(struct admin_command *errand)
{
	struct suspended_hold *c = errand->coming, *newer;

	errand->coming = NULL;
	if (!c)
		return;
	c->errand = NULL;
	newer = LIST_FIRST(&errand->queue->comings);
	while (newer != c && !str_ieq(newer->account, c->account))
		newer = LIST_NEXT(newer, link);
	(void)suspended_hold_replace(LIST_NEXT(newer, link), newer->account);
}

void
suspended_hold_clear(struct queue *q)
{
	struct suspended_hold *c;

	while ((c = LIST_FIRST(&q->comings)))
		suspended_hold_free(c);
}

/* ---- messages ---- */

static bool
suspended_hold_fits(const struct suspended_hold *c, const struct queued_message *e)
{
	return id_ms(e->id.session) <= c->at_ms && str_ieq(c->account, e->user->name);
}

static struct suspended_hold *
suspended_hold_find(struct queue *q, const struct queued_message *e)
{
	struct suspended_hold *c;

	if (suspended_hold_count(q) == 0)
		return NULL;
	LIST_FOREACH(c, &q->comings, link)
		if (suspended_hold_fits(c, e))
			return c;
	return NULL;
}

struct str
suspended_hold_reason(struct queue *q, const struct queued_message *e)
{
	const struct suspended_hold *c = suspended_hold_find(q, e);

	return c ? c->why : STR_NULL;
}

bool
suspended_hold_is_awaited(const struct admin_command *errand, const struct queued_message *e)
{
	return errand->coming && suspended_hold_fits(errand->coming, e);
}

static void
suspended_hold_log(const struct queued_message *e)
{
	char id[ID_NUMBER_TEXT_BYTES];

	log_info("message %s is held as it comes: its user was suspended with --hold while it was "
		 "handed over", msgid_text(e->id, 0, id));
}

void
suspended_hold_message_stored(struct queue *q, struct queued_message *e)
{
	struct suspended_hold *c = suspended_hold_find(q, e);
	struct admin_command *errand = c ? c->errand : NULL;
	bool is_stored_held = e->is_held;

	if (errand)
		errand->matched++;
	if (is_stored_held)
		suspended_hold_log(e);
	/* nothing of it is scheduled before its hold is durable */
	e->is_held |= errand != NULL;
	queue_add_message(q, e);
	if (errand && is_stored_held)
		admin_command_changed(errand, e->id);
	else if (errand)
		admin_changes_hold_new(errand, e);
}

bool
suspended_hold_is_unstored(const struct queue *q)
{
	const struct admin_command *errand;

	TAILQ_FOREACH(errand, &q->errands, link)
		if (errand->coming && errand->unstored)
			return true;
	return false;
}
