/*
 * worker: the role that runs for the broker what blocks, one check at a time: Cyrus SASL reads the
 * client's message, and the key is derived from the password. A worker has no accounts and no
 * stored keys, and can access neither files nor clients; if it takes too long, main ends it.
 */
#include <fcntl.h>
#include <unistd.h>

#include "auth/auth.h"
#include "auth/cyrus_sasl.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

struct worker {
	struct role *role;
	struct channel *broker;
	struct role_peer broker_peer;
	bool has_sasl;
};

static const uint8_t outcomes[] = {
    [CYRUS_SASL_YES] = AUTH_OK,
    [CYRUS_SASL_NO] = AUTH_FAIL,
    [CYRUS_SASL_BROKEN] = AUTH_TEMPFAIL,
};

static void
check_sasl_login(struct worker *w, uint64_t call, const struct message_check_start *m)
{
	struct cyrus_sasl_login login = {.mechanism = m->mechanism, .hostname = m->hostname,
	    .user = m->user, .salt = m->salt, .iterations = m->iterations};
	uint8_t key[SCRAM_SECRET_KEY_BYTES];
	enum cyrus_sasl_result result = cyrus_sasl_check(&login, m->first, m->second, key);
	struct message_check_answer answer = {.outcome = outcomes[result], .key = STR("")};

	if (result == CYRUS_SASL_YES)
		answer.key = str_make((const char *)key, sizeof key);
	(void)!channel_answer(w->broker, call, MESSAGE_CHECK_ANSWER, &answer, -1);
	mem_wipe(key, sizeof key);
}

static void
on_worker_request(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct worker *w = arg;

	if (p->fd >= 0)
		close(p->fd);
	switch (p->type) {
	case MESSAGE_CHECK_START:
		metrics_work_on("check", p->message->check_start.user);
		metrics_blocking(true);
		check_sasl_login(w, p->call, &p->message->check_start);
		metrics_blocking(false);
		break;
	case MESSAGE_HELLO:
		break;
	default:
		log_error("worker: unexpected %s", message_name(p->type));
		channel_refuse(c, p->call);
	}
}

static void
worker_broker_lost(struct channel *c, void *arg)
{
	struct worker *w = arg;

	(void)c;
	channel_free(&w->broker);
	role_peer_lost(w->role, w->broker_peer);
}

static struct worker *
worker_of(struct role *r)
{
	struct worker *w = r->state;

	if (!w) {
		r->state = w = MEM_NEW(struct worker);
		w->role = r;
	}
	return w;
}

static void
worker_peer(struct role *r, struct role_peer peer, int fd)
{
	struct worker *w = worker_of(r);

	if (peer.kind != ROLE_AUTH) {
		close(fd);
		return;
	}
	channel_free(&w->broker);
	w->broker_peer = peer;
	w->broker = channel_new(r->base, fd, on_worker_request, worker_broker_lost, w);
}

static void
worker_prepare(struct role *r, struct sandbox *sandbox)
{
	(void)sandbox;
	worker_of(r)->has_sasl = cyrus_sasl_prepare() == 0;
}

/* Without /dev/urandom Cyrus SASL would silently use the time and the process id in place of random
 * bytes. */
static bool
has_random_device(void)
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
	if (has_random_device())
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
	channel_free(&w->broker);
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
