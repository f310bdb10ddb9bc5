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

struct coming {
	LIST_ENTRY(coming) link;
	struct errand *errand; /* NULL: it has ended */
	struct str account, why;
	int64_t at_ms;    /* of the newest session that can be meant */
	int64_t until_ms; /* monotonic */
};

const char coming_too_many[] =
    "what is in the queue is held, but not what is being stored at this moment, or comes from the "
    "user's sessions later: too many users were suspended with --hold in the last minutes: do it "
    "again in some minutes\n";

static struct str
coming_copy(struct str s)
{
	return str_make(mem_text(s.p, s.n), s.n);
}

static void
coming_free(struct coming *c)
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
coming_count(struct queue *q)
{
	struct coming *c, *after;
	size_t count = 0;

	for (c = LIST_FIRST(&q->comings); c; c = after) {
		after = LIST_NEXT(c, link);
		if (c->errand || clock_mono_ms() < c->until_ms)
			count++;
		else
			coming_free(c);
	}
	return count;
}

/* Those of an account that are older than this one, which holds in their place; those whose
 * commands are under way go at the end of these.  The latest time that they say. */
static int64_t
coming_replace(struct coming *older, struct str account)
{
	int64_t at_ms = 0;
	struct coming *after;

	for (; older; older = after) {
		after = LIST_NEXT(older, link);
		if (!str_ieq(older->account, account))
			continue;
		at_ms = older->at_ms > at_ms ? older->at_ms : at_ms;
		if (!older->errand)
			coming_free(older);
	}
	return at_ms;
}

void
coming_add(struct errand *errand)
{
	struct queue *q = errand->queue;
	struct str account = errand->filter.account;
	int64_t now = clock_ms(), former;
	struct coming *c;
	struct buf why;

	if (account.n == 0 || errand->is_dry_run)
		return;
	former = coming_replace(LIST_FIRST(&q->comings), account);
	errand->is_coming_lost = coming_count(q) >= COMING_MAX;
	if (errand->is_coming_lost)
		return;
	c = MEM_NEW(struct coming);
	buf_init(&why, SPOOL_DETAIL_MAX);
	c->errand = errand;
	c->account = coming_copy(account);
	c->why = coming_copy(changes_hold_why(errand, &why));
	/* after a clock that was set back, ids go on above the newest one */
	c->at_ms = now > q->newest_ms ? now : q->newest_ms;
	c->at_ms = former > c->at_ms ? former : c->at_ms;
	c->until_ms = clock_mono_ms() + COMING_MS;
	LIST_INSERT_HEAD(&q->comings, c, link);
	errand->coming = c;
	buf_clear(&why);
}

static bool
coming_is_released(const struct coming *c, const struct errand *errand)
{
	const struct filter *f = &errand->filter;

	return (str_ieq(c->account, f->account) || str_ieq(c->account, f->user) ||
		   str_ieq(c->account, f->other_user)) &&
	    (errand->held_for.n == 0 || changes_is_held_for(errand, c->why));
}

void
coming_drop(const struct errand *errand)
{
	struct queue *q = errand->queue;
	struct coming *c, *after;

	if (errand->is_dry_run || filter_is_narrow(&errand->filter))
		return;
	for (c = LIST_FIRST(&q->comings); c; c = after) {
		after = LIST_NEXT(c, link);
		if (coming_is_released(c, errand))
			coming_free(c);
	}
}

static void
coming_add_unheld(const struct errand *errand, struct buf *out)
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
coming_alert(const struct errand *errand)
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
coming_errand_gone(struct errand *errand)
{
	struct coming *c = errand->coming, *newer;

	errand->coming = NULL;
	if (!c)
		return;
	c->errand = NULL;
	newer = LIST_FIRST(&errand->queue->comings);
	while (newer != c && !str_ieq(newer->account, c->account))
		newer = LIST_NEXT(newer, link);
	(void)coming_replace(LIST_NEXT(newer, link), newer->account);
}

void
coming_clear(struct queue *q)
{
	struct coming *c;

	while ((c = LIST_FIRST(&q->comings)))
		coming_free(c);
}

/* ---- messages ---- */

static bool
coming_fits(const struct coming *c, const struct entry *e)
{
	return id_ms(e->id.session) <= c->at_ms && str_ieq(c->account, e->user->name);
}

static struct coming *
coming_find(struct queue *q, const struct entry *e)
{
	struct coming *c;

	if (coming_count(q) == 0)
		return NULL;
	LIST_FOREACH(c, &q->comings, link)
		if (coming_fits(c, e))
			return c;
	return NULL;
}

struct str
coming_why(struct queue *q, const struct entry *e)
{
	const struct coming *c = coming_find(q, e);

	return c ? c->why : STR_NULL;
}

bool
coming_is_awaited(const struct errand *errand, const struct entry *e)
{
	return errand->coming && coming_fits(errand->coming, e);
}

static void
coming_log(const struct entry *e)
{
	char id[ID_NUMBER_TEXT_BYTES];

	log_info("message %s is held as it comes: its user was suspended with --hold while it was "
		 "handed over", msgid_text(e->id, 0, id));
}

void
coming_take(struct queue *q, struct entry *e)
{
	struct coming *c = coming_find(q, e);
	struct errand *errand = c ? c->errand : NULL;
	bool is_stored_held = e->is_held;

	if (errand)
		errand->matched++;
	if (is_stored_held)
		coming_log(e);
	/* nothing of it is scheduled before its hold is durable */
	e->is_held |= errand != NULL;
	queue_take(q, e);
	if (errand && is_stored_held)
		errand_changed(errand, e->id);
	else if (errand)
		changes_hold_new(errand, e);
}

bool
coming_is_unstored(const struct queue *q)
{
	const struct errand *errand;

	TAILQ_FOREACH(errand, &q->errands, link)
		if (errand->coming && errand->unstored)
			return true;
	return false;
}
