/*
 * account_recheck: one request at a time, with a bounded number of names. A request that fails is
 * repeated a moment later; sessions that were answered are not asked about again. Names for which
 * auth has no answer wait until all others are answered, and each time for longer. A session is in
 * one list at most, and leaves it when it ends.
 */
#include "submission/account_recheck.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "submission/smtpd_connection.h"

enum { RECHECK_NAMES = 200, RECHECK_BYTES_MAX = 64 << 10, RECHECK_AGAIN_MS = 1000,
	RECHECK_PAUSE_MAX_MS = 60 * 1000 };

struct recheck {
	struct submission *submission;
	struct request request;
	struct event *retry_timer;
	LIST_HEAD(, smtpd_connection) in_request; /* the present request is about them */
	LIST_HEAD(, smtpd_connection) unanswered; /* asked about again after all others */
	int64_t retry_ms;                         /* until they are asked about again */
	bool is_failure_logged; /* that requests fail */
};

static void
recheck_stop(struct recheck *r)
{
	struct smtpd_connection *c;

	request_cancel(&r->request);
	event_del(r->retry_timer);
	while ((c = LIST_FIRST(&r->submission->unchecked)) || (c = LIST_FIRST(&r->in_request)) ||
	       (c = LIST_FIRST(&r->unanswered)))
		smtpd_connection_set_checked(c);
	r->retry_ms = RECHECK_AGAIN_MS;
}

/* The sessions of the present request are in another list until its answer; a session that ends
 * leaves either list. */
static void
recheck_collect_names(struct recheck *r, struct buf *names)
{
	struct smtpd_connection *c;

	for (int i = 0; i < RECHECK_NAMES && (c = LIST_FIRST(&r->submission->unchecked)); i++) {
		buf_adds(names, session_user(c->session));
		buf_addc(names, 0);
		LIST_REMOVE(c, unchecked_link);
		LIST_INSERT_HEAD(&r->in_request, c, unchecked_link);
	}
}

static void
recheck_start_retry_timer(struct recheck *r, int64_t retry_ms)
{
	int64_t ms = clock_timeout_ms(retry_ms);
	struct timeval wait = {ms / 1000, ms % 1000 * 1000};

	event_add(r->retry_timer, &wait);
}

/* Only sessions without an answer are left. */
static void
recheck_retry_unanswered(struct recheck *r)
{
	if (LIST_EMPTY(&r->unanswered)) {
		r->retry_ms = RECHECK_AGAIN_MS;
		return;
	}
	recheck_start_retry_timer(r, r->retry_ms);
	if (r->retry_ms * 2 <= RECHECK_PAUSE_MAX_MS)
		r->retry_ms *= 2;
}

static void
recheck_ask(struct recheck *r)
{
	struct message_auth_users_ask m;
	struct buf names;

	buf_init(&names, RECHECK_BYTES_MAX);
	recheck_collect_names(r, &names);
	if (names.n && r->submission->auth) {
		m.users = buf_str(&names);
		request_ask(&r->request, r->submission->auth, MESSAGE_AUTH_USERS_ASK, &m);
	} else {
		recheck_retry_unanswered(r);
	}
	buf_clear(&names);
}

static void
recheck_defer(struct recheck *r, struct smtpd_connection *c)
{
	LIST_REMOVE(c, unchecked_link);
	LIST_INSERT_HEAD(&r->unanswered, c, unchecked_link);
}

static void
recheck_failed(struct recheck *r, enum request_end end)
{
	char text[REQUEST_TEXT_BYTES];
	struct smtpd_connection *c;

	/* the next channel begins again */
	if (end == REQUEST_LOST)
		return;
	if (!r->is_failure_logged)
		log_warn("logins cannot be checked again: %s; asked again until they are",
		    request_text("auth", &r->request, end, text));
	r->is_failure_logged = true;
	while ((c = LIST_FIRST(&r->in_request)))
		recheck_defer(r, c);
	recheck_start_retry_timer(r, RECHECK_AGAIN_MS);
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

/* Sessions that were answered are done with. */
static void
recheck_end_answered(struct recheck *r, struct str unknown)
{
	struct smtpd_connection *c;

	while ((c = LIST_FIRST(&r->in_request)))
		if (recheck_has_name(unknown, session_user(c->session)))
			recheck_defer(r, c);
		else
			smtpd_connection_set_checked(c);
}

static void
recheck_answered(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct recheck *r = arg;
	struct str removed, name;

	if (end != REQUEST_ANSWERED) {
		recheck_failed(r, end);
		return;
	}
	r->is_failure_logged = false;
	recheck_end_answered(r, p->message->auth_users.unknown);
	for (removed = p->message->auth_users.gone; removed.n;
	     removed = str_from(removed, name.n + 1)) {
		name = str_upto(removed, str_find(removed, 0));
		smtpd_connection_user_gone(r->submission, name);
	}
	recheck_ask(r);
}

static void
on_recheck_retry_timer(evutil_socket_t fd, short what, void *arg)
{
	struct recheck *r = arg;
	struct smtpd_connection *c;

	(void)fd;
	(void)what;
	if (LIST_EMPTY(&r->submission->unchecked))
		while ((c = LIST_FIRST(&r->unanswered))) {
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
	LIST_FOREACH(c, &r->submission->connections, link)
		if (c->session && session_user(c->session).n)
			smtpd_connection_set_unchecked(c);
	recheck_ask(r);
}

struct recheck *
recheck_new(struct submission *submission)
{
	struct recheck *r = MEM_NEW(struct recheck);

	r->submission = submission;
	LIST_INIT(&r->in_request);
	LIST_INIT(&r->unanswered);
	r->retry_ms = RECHECK_AGAIN_MS;
	request_init(&r->request, recheck_answered, r);
	r->retry_timer = evtimer_new(submission->base, on_recheck_retry_timer, r);
	if (!r->retry_timer)
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
	event_free(r->retry_timer);
	mem_free(r);
	*p = NULL;
}
