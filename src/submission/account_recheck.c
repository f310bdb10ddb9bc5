/*
 * account_recheck: see the header.  One question at a time, about a bounded number of names; one
 * that is not answered is asked again a moment later, and those that were answered are not.  Names
 * that auth cannot tell wait until all others are told, and each time for longer.
 */
#include "submission/account_recheck.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "submission/smtpd_connection.h"

enum { RECHECK_NAMES = 200, RECHECK_BYTES_MAX = 64 << 10, RECHECK_AGAIN_MS = 1000,
	RECHECK_PAUSE_MAX_MS = 60 * 1000 };

struct recheck {
	struct submission *gate;
	struct request request;
	struct event *again;
	LIST_HEAD(, smtpd_connection) asked; /* about them, in the request */
	LIST_HEAD(, smtpd_connection) untold; /* auth could not tell: after all others */
	int64_t pause_ms; /* before they are asked about again */
	bool is_noted; /* in the log, that it does not succeed */
};

static void
recheck_stop(struct recheck *r)
{
	struct smtpd_connection *c;

	request_cancel(&r->request);
	event_del(r->again);
	while ((c = LIST_FIRST(&r->gate->unchecked)) || (c = LIST_FIRST(&r->asked)) ||
	       (c = LIST_FIRST(&r->untold)))
		smtpd_connection_set_checked(c);
	r->pause_ms = RECHECK_AGAIN_MS;
}

/* Those that are asked about now are in another list until the answer; a session that ends leaves
 * either. */
static void
recheck_collect_names(struct recheck *r, struct buf *names)
{
	struct smtpd_connection *c;

	for (int i = 0; i < RECHECK_NAMES && (c = LIST_FIRST(&r->gate->unchecked)); i++) {
		buf_adds(names, session_user(c->session));
		buf_addc(names, 0);
		LIST_REMOVE(c, unchecked_link);
		LIST_INSERT_HEAD(&r->asked, c, unchecked_link);
	}
}

static void
recheck_wait(struct recheck *r, int64_t pause_ms)
{
	int64_t ms = clock_timeout_ms(pause_ms);
	struct timeval wait = {ms / 1000, ms % 1000 * 1000};

	event_add(r->again, &wait);
}

/* Nobody is left but those who cannot be told. */
static void
recheck_pause(struct recheck *r)
{
	if (LIST_EMPTY(&r->untold)) {
		r->pause_ms = RECHECK_AGAIN_MS;
		return;
	}
	recheck_wait(r, r->pause_ms);
	if (r->pause_ms * 2 <= RECHECK_PAUSE_MAX_MS)
		r->pause_ms *= 2;
}

static void
recheck_ask(struct recheck *r)
{
	struct message_auth_users_ask m;
	struct buf names;

	buf_init(&names, RECHECK_BYTES_MAX);
	recheck_collect_names(r, &names);
	if (names.n && r->gate->auth) {
		m.users = buf_str(&names);
		request_ask(&r->request, r->gate->auth, MESSAGE_AUTH_USERS_ASK, &m);
	} else {
		recheck_pause(r);
	}
	buf_clear(&names);
}

static void
recheck_defer(struct recheck *r, struct smtpd_connection *c)
{
	LIST_REMOVE(c, unchecked_link);
	LIST_INSERT_HEAD(&r->untold, c, unchecked_link);
}

static void
recheck_failed(struct recheck *r, enum request_end end)
{
	char text[REQUEST_TEXT_BYTES];
	struct smtpd_connection *c;

	/* the next channel begins anew */
	if (end == REQUEST_LOST)
		return;
	if (!r->is_noted)
		log_warn("logins cannot be checked again: %s; asked again until they are",
		    request_text("auth", &r->request, end, text));
	r->is_noted = true;
	while ((c = LIST_FIRST(&r->asked)))
		recheck_defer(r, c);
	recheck_wait(r, RECHECK_AGAIN_MS);
}

static bool
recheck_has_name(struct str names, struct str user)
{
	struct str name;

	for (; names.n; names = str_from(names, name.n + 1)) {
		name = str_upto(names, str_find(names, 0));
		if (str_eq(name, user))
			return true;
	}
	return false;
}

/* Those that are told are done with. */
static void
recheck_end_answered(struct recheck *r, struct str unknown)
{
	struct smtpd_connection *c;

	while ((c = LIST_FIRST(&r->asked)))
		if (recheck_has_name(unknown, session_user(c->session)))
			recheck_defer(r, c);
		else
			smtpd_connection_set_checked(c);
}

static void
recheck_answered(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct recheck *r = arg;
	struct str gone, name;

	if (end != REQUEST_ANSWERED) {
		recheck_failed(r, end);
		return;
	}
	r->is_noted = false;
	recheck_end_answered(r, p->message->auth_users.unknown);
	for (gone = p->message->auth_users.gone; gone.n; gone = str_from(gone, name.n + 1)) {
		name = str_upto(gone, str_find(gone, 0));
		smtpd_connection_user_gone(r->gate, name);
	}
	recheck_ask(r);
}

static void
recheck_again(evutil_socket_t fd, short what, void *arg)
{
	struct recheck *r = arg;
	struct smtpd_connection *c;

	(void)fd;
	(void)what;
	if (LIST_EMPTY(&r->gate->unchecked))
		while ((c = LIST_FIRST(&r->untold))) {
			smtpd_connection_set_checked(c);
			smtpd_connection_set_unchecked(c);
		}
	recheck_ask(r);
}

void
recheck_begin(struct recheck *r)
{
	struct smtpd_connection *c;

	recheck_stop(r);
	LIST_FOREACH(c, &r->gate->connections, link)
		if (c->session && session_user(c->session).n)
			smtpd_connection_set_unchecked(c);
	recheck_ask(r);
}

struct recheck *
recheck_new(struct submission *g)
{
	struct recheck *r = MEM_NEW(struct recheck);

	r->gate = g;
	LIST_INIT(&r->asked);
	LIST_INIT(&r->untold);
	r->pause_ms = RECHECK_AGAIN_MS;
	request_init(&r->request, recheck_answered, r);
	r->again = evtimer_new(g->base, recheck_again, r);
	if (!r->again)
		die("no timer");
	return r;
}

void
recheck_free(struct recheck **p)
{
	struct recheck *r = *p;

	if (!r)
		return;
	recheck_stop(r);
	event_free(r->again);
	mem_free(r);
	*p = NULL;
}
