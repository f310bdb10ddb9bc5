/*
 * broker_backend: each question is a job of the pool of the back end's workers. A worker that
 * replaces another one reports which store it has: if it is not the one that the former worker had,
 * everything that was remembered of the accounts is dropped.
 */
#include "auth/broker_backend.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "conf/login_name.h"

enum {
	TROUBLE_BYTES = (int)BROKER_BACKEND_TROUBLE_BYTES + (int)BLOCKLIST_ERROR_BYTES + 320,
	SILENT_MS = 2000, /* then `status` shows it */
	PATIENCE_MS = 1000,
};

static const char broker_backend_silent_text[] =
    "the worker of the accounts does not answer: logins whose password is not in the cache are "
    "answered with 454 until it does";

_Static_assert((size_t)ACCOUNTS_ERROR_BYTES <= (size_t)METRICS_TROUBLE_BYTES,
    "sallyport status shows the error of the store whole");

const struct auth_backend *
broker_backend(void)
{
	return worker_kinds[WORKER_KIND_ACCOUNTS].backend;
}

/* ---- patience ---- */

static void
wait_for_backend(struct broker *b)
{
	struct timeval interval = {.tv_sec = PATIENCE_MS / 1000};

	if (!evtimer_pending(b->backend.patience, NULL))
		evtimer_add(b->backend.patience, &interval);
}

/* Runs only while the worker has a request: an idle broker does nothing. */
static void
on_patience_over(evutil_socket_t fd, short what, void *arg)
{
	struct broker *b = arg;
	int64_t silent_ms = worker_pool_silent_ms(b->pools[WORKER_KIND_ACCOUNTS]);
	bool is_silent = silent_ms >= SILENT_MS;

	(void)fd, (void)what;
	if (is_silent != b->backend.is_silent) {
		b->backend.is_silent = is_silent;
		broker_show_trouble(b);
	}
	if (silent_ms)
		wait_for_backend(b);
}

const char *
broker_backend_begin(struct broker *b, struct worker_pool_job *job)
{
	const char *reason = worker_pool_begin(b->pools[WORKER_KIND_ACCOUNTS], job);

	if (!reason)
		wait_for_backend(b);
	return reason;
}

void
broker_backend_init(struct broker *b)
{
	b->backend.patience = evtimer_new(b->role->base, on_patience_over, b);
	if (!b->backend.patience)
		die("no event for the back end");
}

/* ---- look-ups ---- */

static void
on_account(struct worker_pool_job *job, const union message *answer, const char *reason)
{
	struct broker_lookup *l = job->arg;
	struct auth_backend_account found = {.result = AUTH_BACKEND_BROKEN};
	const struct message_account *m = answer ? &answer->account : NULL;

	(void)reason;
	if (m) {
		found.result = (enum auth_backend_result)m->result;
		found.is_suspended = m->is_suspended;
		snprintf(found.name, sizeof found.name, "%.*s", STR_ARG(m->name));
		if (m->secret.n && !scram_secret_parse(m->secret, &found.secret))
			found.result = AUTH_BACKEND_BROKEN;
	}
	l->done(l, &found, l->arg);
	mem_wipe(&found, sizeof found);
}

bool
broker_look_up(struct broker *b, struct broker_lookup *l, struct str name, struct str network)
{
	l->message.name = name;
	l->job = (struct worker_pool_job){.type = MESSAGE_LOOK_UP,
	    .message = &l->message,
	    .network = network,
	    .done = on_account,
	    .arg = l};
	return broker_backend_begin(b, &l->job) == NULL;
}

void
broker_lookup_cancel(struct broker_lookup *l)
{
	worker_pool_cancel(&l->job);
}

bool
broker_lookup_resolve(const struct broker *b, const struct auth_backend_account *found,
    struct claimed_identity *identity)
{
	struct str name = str_of(found->name);

	if (str_eq(claimed_name(identity), name))
		return true;
	return claimed_complete(identity, login_name_domain(b->role->conf)) &&
	    str_eq(claimed_name(identity), name);
}

/* ---- what the worker reports ---- */

static void
forget_former_store(struct broker *b)
{
	password_cache_free(&b->cache);
	b->cache = password_cache_new();
}

static void
take_backend_state(struct broker *b, const struct message_backend_state *m)
{
	struct broker_backend_view *v = &b->backend;
	char store[BROKER_BACKEND_STORE_BYTES];
	bool is_new_worker = m->is_first || v->is_store_unsure;

	snprintf(store, sizeof store, "%.*s", STR_ARG(m->store));
	/* a new worker may have opened another store than the former one had */
	if (!m->is_first && m->exchanges != v->exchanges)
		forget_former_store(b);
	else if (is_new_worker && store[0] && v->store[0] && strcmp(store, v->store) != 0)
		forget_former_store(b);
	v->is_store_unsure = is_new_worker && !store[0];
	if (store[0])
		memcpy(v->store, store, sizeof v->store);
	if (m->is_first || m->changes != v->changes)
		b->changes++;
	v->changes = m->changes;
	v->exchanges = m->exchanges;
	v->is_directory_gone = m->is_directory_gone;
	snprintf(v->trouble, sizeof v->trouble, "%.*s", STR_ARG(m->trouble));
	broker_show_trouble(b);
}

void
broker_backend_report(const struct channel_packet *p, void *arg)
{
	struct broker *b = arg;

	if (p->type == MESSAGE_BACKEND_STATE)
		take_backend_state(b, &p->message->backend_state);
	else if (p->type != MESSAGE_HELLO)
		log_error("auth: unexpected %s from the accounts worker", message_name(p->type));
}

void
broker_backend_lost(struct broker *b)
{
	snprintf(b->backend.trouble, sizeof b->backend.trouble, "%s", broker_backend_silent_text);
	b->changes++;
	broker_show_trouble(b);
}

void
broker_show_trouble(const struct broker *b)
{
	const char *blocks = b->blocks ? blocklist_error(b->blocks) : "";
	const struct broker_backend_view *v = &b->backend;
	bool shows_silence = v->is_silent && !v->trouble[0];
	const char *trouble = shows_silence ? broker_backend_silent_text : v->trouble;
	struct buf text;

	buf_init(&text, TROUBLE_BYTES);
	if (v->is_directory_gone)
		buf_addf(&text, "%s%s", store_file_directory_gone_text,
		    trouble[0] || blocks[0] ? "; " : "");
	buf_addf(&text, "%s%s%s", trouble, trouble[0] && blocks[0] ? "; " : "", blocks);
	buf_addc(&text, 0);
	metrics_trouble(text.p);
	buf_clear(&text);
}

bool
broker_is_directory_gone(struct broker *b, struct buf *text)
{
	char path[PATH_MAX];
	bool is_gone = store_file_directory_is_gone(&b->state_directory, b->directory, path);

	if (is_gone)
		buf_addz(text, store_file_directory_gone_text);
	return is_gone;
}
