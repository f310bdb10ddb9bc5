/*
 * auth_session: what a session holds of a client's message, of the secret and of the challenge is
 * wiped when it ends. Sessions are in a map of the broker by their ids.
 */
#include "auth/auth_session.h"

#include "base/clock.h"
#include "base/mem.h"

enum { TEXTS_MAX = 4096 };

const struct conf *
auth_session_conf(const struct auth_session *s)
{
	return s->broker->role->conf;
}

struct str
auth_session_password(const struct auth_session *s)
{
	struct claimed_identity identity;

	if (!s->mechanism->has_password)
		return STR("");
	if (s->mechanism->first_state == AUTH_SESSION_WANTS_USER)
		return str_make(s->message.p, s->message.n);
	return claimed_parse_plain(str_make(s->message.p, s->message.n), &identity)
	           ? identity.password
	           : STR("");
}

/* ---- a session's life ---- */

static struct str
auth_session_key(const uint64_t *id)
{
	return str_make((const char *)id, sizeof *id);
}

static void
wipe_session_bytes(struct auth_session_bytes *bytes)
{
	if (bytes->p)
		mem_wipe(bytes->p, bytes->n);
	mem_free(bytes->p);
	*bytes = (struct auth_session_bytes){0};
}

void
auth_session_keep(struct auth_session_bytes *bytes, struct str from)
{
	wipe_session_bytes(bytes);
	bytes->p = mem_text(from.p, from.n);
	bytes->n = from.n;
}

void
auth_session_end(struct auth_session *s)
{
	if (map_get(s->broker->sessions, auth_session_key(&s->id)) == s)
		map_remove(s->broker->sessions, auth_session_key(&s->id));
	broker_lookup_cancel(&s->lookup);
	worker_pool_cancel(&s->job);
	/* not answered yet: the session started again, or its channel is lost */
	channel_refuse(s->channel, s->call);
	if (s->delay)
		event_free(s->delay);
	wipe_session_bytes(&s->message);
	wipe_session_bytes(&s->challenge);
	arena_clear(&s->arena);
	mem_wipe(&s->secret, sizeof s->secret);
	mem_free(s);
}

struct auth_session *
auth_session_new(struct broker *b, struct channel *channel, uint64_t call, uint64_t id)
{
	struct auth_session *s = MEM_NEW(struct auth_session);

	s->broker = b;
	s->channel = channel;
	s->call = call;
	s->id = id;
	s->started_ms = clock_mono_ms();
	arena_init(&s->arena, TEXTS_MAX);
	return s;
}

void
auth_session_add(struct auth_session *s)
{
	map_put(s->broker->sessions, auth_session_key(&s->id), s);
}

struct auth_session *
auth_session_find(const struct broker *b, const struct channel *channel, uint64_t id)
{
	struct auth_session *s = map_get(b->sessions, auth_session_key(&id));

	return s && (!channel || s->channel == channel) ? s : NULL;
}

/* ---- ending several sessions ---- */

struct auth_session_selection {
	const struct channel *channel; /* NULL: any */
	/* only sessions that are older than this and wait for their client */
	int64_t before_ms;
};

static void
end_selected_session(struct str key, void *value, void *arg)
{
	const struct auth_session_selection *selection = arg;
	struct auth_session *s = value;

	(void)key;
	if (selection->channel && s->channel != selection->channel)
		return;
	if (selection->before_ms && (s->started_ms >= selection->before_ms || s->call))
		return;
	auth_session_end(s);
}

void
auth_session_drop_all(struct broker *b, const struct channel *channel)
{
	map_each(b->sessions, end_selected_session,
	    &(struct auth_session_selection){.channel = channel});
}

void
auth_session_sweep(struct broker *b)
{
	map_each(b->sessions, end_selected_session,
	    &(struct auth_session_selection){
	        .before_ms = clock_mono_ms() - AUTH_SESSION_AGE_MAX_MS});
}
