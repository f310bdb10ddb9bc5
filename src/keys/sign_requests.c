/*
 * sign_requests: a list of channels, and for each channel a list of the requests that wait for the
 * store.  A request ends by its signature, at its deadline, or with its channel.
 */
#include "keys/sign_requests.h"

#include <event2/event_struct.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

enum { KEY_RETRY_MS = 20 };

/* A query for an unknown key, which is answered a moment later.  Main passes a new key to this role
 * before it passes the certificate to other roles; but the key and the query come on different
 * channels, and may arrive in another order. */
struct keys_retry {
	struct event timer;
	uint64_t call;
	char id[KEY_STORE_ID_BYTES];
};

/* A request for a signature, while the store works on it. */
struct sign_wait {
	struct keys_peer *peer;
	uint64_t call;
	struct key_store_signing *signing; /* NULL: `sign` has not returned yet */
	struct event deadline;
	bool has_ended; /* answered before `sign` returned */
	TAILQ_ENTRY(sign_wait) link;
};

struct keys_peer {
	struct sign_requests *requests;
	struct role_peer identity;
	struct channel *channel;
	struct keys_retry *retry; /* a peer waits for its answer: at most one */
	TAILQ_HEAD(, sign_wait) waits;
	LIST_ENTRY(keys_peer) link;
};

struct sign_requests {
	struct role *role;
	struct key_store *store;
	LIST_HEAD(, keys_peer) peers;
	size_t waiting;
};

/* ---- signatures ---- */

static void
answer_signed(struct keys_peer *peer, uint64_t call, struct str signature)
{
	struct message_signed answer = {signature.n > 0, signature};

	metrics_count(signature.n > 0 ? METRIC_SIGNATURES_OK : METRIC_SIGNATURES_FAILED, 1);
	(void)!channel_answer(peer->channel, call, MESSAGE_SIGNED, &answer, -1);
}

static void
free_sign_wait(struct sign_wait *wait)
{
	event_del(&wait->deadline);
	TAILQ_REMOVE(&wait->peer->waits, wait, link);
	wait->peer->requests->waiting--;
	mem_free(wait);
}

static void
on_store_signed(struct str signature, void *arg)
{
	struct sign_wait *wait = arg;

	answer_signed(wait->peer, wait->call, signature);
	if (wait->signing)
		free_sign_wait(wait);
	else
		wait->has_ended = true;
}

static void
cancel_sign_wait(struct sign_wait *wait)
{
	struct key_store *store = wait->peer->requests->store;

	store->operations->cancel(store, wait->signing);
	free_sign_wait(wait);
}

static void
sign_deadline_fired(evutil_socket_t fd, short what, void *arg)
{
	struct sign_wait *wait = arg;

	(void)fd;
	(void)what;
	log_error("keys: a signature took more than %d ms; refused", SIGN_REQUESTS_WAIT_MS);
	answer_signed(wait->peer, wait->call, STR(""));
	cancel_sign_wait(wait);
}

static struct sign_wait *
sign_wait_new(struct keys_peer *peer, uint64_t call)
{
	struct sign_wait *wait = MEM_NEW(struct sign_wait);

	wait->peer = peer;
	wait->call = call;
	event_assign(
	    &wait->deadline, peer->requests->role->base, -1, 0, sign_deadline_fired, wait);
	TAILQ_INSERT_TAIL(&peer->waits, wait, link);
	peer->requests->waiting++;
	return wait;
}

static void
handle_sign(struct keys_peer *peer, const struct channel_packet *p)
{
	const struct timeval wait_tv = {
	    SIGN_REQUESTS_WAIT_MS / 1000, SIGN_REQUESTS_WAIT_MS % 1000 * 1000};
	const struct message_sign *m = &p->message->sign;
	struct key_store_request request = {m->key_id, m->algorithm, m->is_hash, m->data};
	struct key_store *store = peer->requests->store;
	struct sign_wait *wait;

	metrics_work("sign");
	if (peer->requests->waiting >= SIGN_REQUESTS_MAX) {
		answer_signed(peer, p->call, STR(""));
		return;
	}
	wait = sign_wait_new(peer, p->call);
	wait->signing = store->operations->sign(store, &request, on_store_signed, wait);
	if (wait->has_ended)
		free_sign_wait(wait);
	else
		event_add(&wait->deadline, &wait_tv);
}

/* ---- questions about keys ---- */

static void
free_key_retry(struct keys_peer *peer)
{
	event_del(&peer->retry->timer);
	mem_free(peer->retry);
	peer->retry = NULL;
}

static bool
answer_key(struct keys_peer *peer, uint64_t call, struct str id, bool is_last)
{
	const struct key_store *store = peer->requests->store;
	struct message_key answer = {0};

	answer.known = store->operations->find(store, id, &answer.algorithm, &answer.bits);
	if (answer.known || is_last)
		(void)!channel_answer(peer->channel, call, MESSAGE_KEY, &answer, -1);
	return answer.known;
}

static void
key_retry_timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct keys_peer *peer = arg;

	(void)fd;
	(void)what;
	answer_key(
	    peer, peer->retry->call, str_make(peer->retry->id, KEY_STORE_ID_BYTES), true);
	free_key_retry(peer);
}

static void
handle_key_ask(struct keys_peer *peer, uint64_t call, struct str id)
{
	struct timeval wait = {0, KEY_RETRY_MS * 1000};
	bool may_wait = id.n == KEY_STORE_ID_BYTES && !peer->retry;

	if (answer_key(peer, call, id, !may_wait) || !may_wait)
		return;
	peer->retry = MEM_NEW(struct keys_retry);
	peer->retry->call = call;
	memcpy(peer->retry->id, id.p, KEY_STORE_ID_BYTES);
	event_assign(
	    &peer->retry->timer, peer->requests->role->base, -1, 0, key_retry_timer_fired, peer);
	event_add(&peer->retry->timer, &wait);
}

static void
on_key_request(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct keys_peer *peer = arg;

	if (p->fd >= 0)
		close(p->fd);
	if (p->type == MESSAGE_SIGN)
		handle_sign(peer, p);
	else if (p->type == MESSAGE_KEY_ASK)
		handle_key_ask(peer, p->call, p->message->key_ask.key_id);
	else if (p->type != MESSAGE_HELLO) {
		log_error("keys: unexpected %s", message_name(p->type));
		channel_refuse(c, p->call);
	}
}

static void
free_keys_peer(struct keys_peer *peer)
{
	struct sign_wait *wait;

	LIST_REMOVE(peer, link);
	while ((wait = TAILQ_FIRST(&peer->waits)))
		cancel_sign_wait(wait);
	if (peer->retry)
		free_key_retry(peer);
	channel_free(&peer->channel);
	mem_free(peer);
}

static void
keys_peer_lost(struct channel *c, void *arg)
{
	struct keys_peer *peer = arg;

	(void)c;
	role_peer_lost(peer->requests->role, peer->identity);
	free_keys_peer(peer);
}

/* Main has connected the two processes again, and the end of the former channel may not have been
 * handled yet. */
static void
drop_former_keys_peer(struct sign_requests *s, struct role_peer identity)
{
	struct keys_peer *peer, *next;

	for (peer = LIST_FIRST(&s->peers); peer; peer = next) {
		next = LIST_NEXT(peer, link);
		if (peer->identity.kind == identity.kind && peer->identity.index == identity.index)
			free_keys_peer(peer);
	}
}

void
sign_requests_add_peer(struct sign_requests *s, struct role_peer identity, int fd)
{
	struct keys_peer *peer = MEM_NEW(struct keys_peer);

	drop_former_keys_peer(s, identity);
	peer->identity = identity;
	peer->requests = s;
	TAILQ_INIT(&peer->waits);
	peer->channel = channel_new(s->role->base, fd, on_key_request, keys_peer_lost, peer);
	LIST_INSERT_HEAD(&s->peers, peer, link);
}

struct sign_requests *
sign_requests_new(struct role *r, struct key_store *store)
{
	struct sign_requests *s = MEM_NEW(struct sign_requests);

	s->role = r;
	s->store = store;
	LIST_INIT(&s->peers);
	return s;
}

void
sign_requests_free(struct sign_requests **s)
{
	if (!*s)
		return;
	while (!LIST_EMPTY(&(*s)->peers))
		free_keys_peer(LIST_FIRST(&(*s)->peers));
	mem_free(*s);
	*s = NULL;
}
