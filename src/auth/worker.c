/*
 * worker: does what blocks, one step at a time, for the broker: SASL conversations and password
 * derivations.  It holds no account, sees no file and no client; when it takes too long it is ended
 * from outside.
 */
#include <fcntl.h>
#include <unistd.h>

#include "auth/auth.h"
#include "auth/sasl.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/metrics.h"

enum { TALKS_MAX = 4096 };

struct worker {
	struct role *role;
	struct channel *broker;
	struct map *talks; /* SCRAM between its steps, by the broker's number */
	bool has_sasl;
};

static const uint8_t outcomes[] = {
    [SASL_TALK_GO_ON] = AUTH_CONTINUE,
    [SASL_TALK_YES] = AUTH_OK,
    [SASL_TALK_NO] = AUTH_FAIL,
    [SASL_TALK_BROKEN] = AUTH_TEMPFAIL,
};

static struct str
key_of(const uint64_t *conversation)
{
	return str_make((const char *)conversation, sizeof *conversation);
}

static void
answer(struct worker *w, uint64_t call, enum sasl_result result, struct str challenge)
{
	struct message_check_answer m = {.outcome = outcomes[result], .challenge = challenge};

	(void)!channel_answer(w->broker, call, MESSAGE_CHECK_ANSWER, &m, -1);
}

static void
forget(struct worker *w, uint64_t conversation)
{
	struct sasl_talk *t = map_remove(w->talks, key_of(&conversation));

	if (t)
		sasl_talk_end(&t);
}

static void
begin_talk(struct worker *w, uint64_t call, const struct message_check_start *m,
    const struct sasl_login *login)
{
	enum sasl_result result = SASL_TALK_BROKEN;
	struct str challenge = STR("");
	struct sasl_talk *t = NULL;

	forget(w, m->conversation);
	if (map_count(w->talks) < TALKS_MAX)
		t = sasl_talk_begin(login, m->first, &result, &challenge);
	answer(w, call, result, challenge);
	if (t)
		map_put(w->talks, key_of(&m->conversation), t);
}

static void
start(struct worker *w, uint64_t call, const struct message_check_start *m)
{
	struct sasl_login login = {.mechanism = m->mechanism, .hostname = m->hostname,
	    .binding = m->binding, .plus_offered = m->plus_offered, .user = m->user,
	    .secret = m->secret};

	if (str_eq(m->mechanism, STR("PLAIN")) || str_eq(m->mechanism, STR("LOGIN")))
		answer(w, call, sasl_talk_check(&login, m->first, m->second), STR(""));
	else
		begin_talk(w, call, m, &login);
}

static void
step(struct worker *w, uint64_t call, const struct message_check_step *m)
{
	struct sasl_talk *t = map_get(w->talks, key_of(&m->conversation));
	enum sasl_result result = SASL_TALK_BROKEN;
	struct str challenge = STR("");

	if (t)
		result = sasl_talk_step(t, m->response, &challenge);
	answer(w, call, result, challenge);
	if (result != SASL_TALK_GO_ON)
		forget(w, m->conversation);
}

static void
heard(struct channel *c, const struct packet *p, void *arg)
{
	struct worker *w = arg;

	if (p->fd >= 0)
		close(p->fd);
	switch (p->type) {
	case MESSAGE_CHECK_START:
		metrics_work_on("check", p->message->check_start.user);
		metrics_blocking(true);
		start(w, p->call, &p->message->check_start);
		metrics_blocking(false);
		break;
	case MESSAGE_CHECK_STEP:
		metrics_work("check, next step");
		metrics_blocking(true);
		step(w, p->call, &p->message->check_step);
		metrics_blocking(false);
		break;
	case MESSAGE_CHECK_CANCEL:
		forget(w, p->message->check_cancel.conversation);
		break;
	case MESSAGE_HELLO:
		break;
	default:
		log_error("worker: unexpected %s", message_name(p->type));
		channel_refuse(c, p->call);
	}
}

static void
end_talk(struct str key, void *value, void *arg)
{
	struct sasl_talk *t = value;

	(void)key;
	(void)arg;
	sasl_talk_end(&t);
}

static void
forget_all(struct worker *w)
{
	map_each(w->talks, end_talk, NULL);
	map_free(&w->talks);
	channel_free(&w->broker);
}

static void
lost(struct channel *c, void *arg)
{
	struct worker *w = arg;

	(void)c;
	forget_all(w);
	w->talks = map_new();
}

static void
worker_broker_lost(struct channel *c, void *arg)
{
	struct worker *w = arg;

	lost(c, w);
	role_peer_lost(w->role, ROLE_AUTH, 0);
}

static struct worker *
worker_of(struct role *r)
{
	struct worker *w = r->state;

	if (!w) {
		r->state = w = MEM_NEW(struct worker);
		w->role = r;
		w->talks = map_new();
	}
	return w;
}

static void
worker_peer(struct role *r, enum role_kind kind, unsigned index, int fd)
{
	struct worker *w = worker_of(r);

	(void)index;
	if (kind != ROLE_AUTH) {
		close(fd);
		return;
	}
	lost(NULL, w);
	w->broker = channel_new(r->base, fd, heard, worker_broker_lost, w);
}

static void
worker_prepare(struct role *r, struct sandbox *sandbox)
{
	(void)sandbox;
	worker_of(r)->has_sasl = sasl_talk_prepare() == 0;
}

/* Without /dev/urandom Cyrus goes on silently with time and process number in place of
 * randomness. */
static bool
has_random(void)
{
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	char byte;
	bool ok = fd >= 0 && read(fd, &byte, 1) == 1;

	if (fd >= 0)
		close(fd);
	return ok;
}

static int
worker_start(struct role *r)
{
	if (!worker_of(r)->has_sasl)
		return -1;
	if (has_random())
		return 0;
	log_error("worker: /dev/urandom cannot be read");
	return -1;
}

static void
worker_end(struct role *r)
{
	struct worker *w = r->state;

	if (!w)
		return;
	forget_all(w);
	mem_free(w);
	r->state = NULL;
}

static const struct sandbox_path paths[] = {{.path = "/dev/urandom"}};

const struct role_spec worker_role = {
    .name = "worker",
    .conf = CONF_AUTH,
    .sandbox = {.needs = SANDBOX_READ, .paths = paths, .path_count = 1},
    .peer = worker_peer,
    .prepare = worker_prepare,
    .start = worker_start,
    .end = worker_end,
};
