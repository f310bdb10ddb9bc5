/*
 * keys: the only role that holds private keys.  It has no access to files or the network: main
 * passes key files as descriptors, and other roles send requests on channels that main has made.
 */
#include "keys/keys.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "keys/keyring.h"

enum { KEY_RETRY_MS = 20 };

/* A query for an unknown key, which is answered a moment later.  Main passes a new key to this role
 * before it passes the certificate to other roles; but the key and the query come on different
 * channels, and may arrive in another order. */
struct keys_retry {
	struct event timer;
	uint64_t call;
	char id[KEYRING_ID_BYTES];
};

struct keys_peer {
	struct keys *keys;
	struct role_peer identity;
	struct channel *channel;
	struct keys_retry *retry; /* a peer waits for its answer: at most one */
	struct keys_peer *next;
};

struct keys {
	struct role *role;
	struct event_base *base;
	struct keyring *keyring;
	struct keys_peer *peers;
};

static struct keys *
keys_of(struct role *r)
{
	struct keys *k = r->state;

	if (!k) {
		k = MEM_NEW(struct keys);
		k->role = r;
		k->base = r->base;
		k->keyring = keyring_new();
		r->state = k;
	}
	return k;
}

/* ---- key files ---- */

static void
keys_grant(struct role *r, const struct message_grant *grant, int fd)
{
	const char *why = NULL;
	struct buf pem;
	int error;

	if (fd < 0)
		return;
	buf_init(&pem, KEYRING_FILE_MAX);
	/* allocated in full at once: if the buffer grew, parts of the key would stay in freed
	 * memory */
	if (grant->kind == GRANT_PRIVATE_KEY && buf_room(&pem, KEYRING_FILE_MAX)) {
		error = buf_read_file(&pem, fd) == 0 ? 0 : errno;
		if (error)
			why = strerrordesc_np(error);
		if (error || !keyring_put(keys_of(r)->keyring, grant->index, buf_str(&pem), &why))
			log_error("private key %.*s: %s", STR_ARG(grant->name), why);
		mem_wipe(pem.p, pem.cap);
	}
	buf_clear(&pem);
	close(fd);
}

/* ---- requests ---- */

static void
answer_sign(struct keys *k, struct channel *c, const struct channel_packet *p)
{
	const struct message_sign *m = &p->message->sign;
	struct keyring_request request = {m->key_id, m->algorithm, m->is_hash, m->data};
	unsigned char signature[KEYRING_SIGNATURE_MAX];
	size_t n;
	struct message_signed answer;

	metrics_work("sign");
	n = keyring_sign(k->keyring, &request, signature);
	answer = (struct message_signed){n > 0, {(const char *)signature, n}};
	(void)!channel_answer(c, p->call, MESSAGE_SIGNED, &answer, -1);
}

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
	struct message_key answer = {0};

	answer.known = keyring_find(peer->keys->keyring, id, &answer.algorithm, &answer.bits);
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
	    peer, peer->retry->call, str_make(peer->retry->id, KEYRING_ID_BYTES), true);
	free_key_retry(peer);
}

static void
handle_key_ask(struct keys_peer *peer, uint64_t call, struct str id)
{
	struct timeval wait = {0, KEY_RETRY_MS * 1000};
	bool may_wait = id.n == KEYRING_ID_BYTES && !peer->retry;

	if (answer_key(peer, call, id, !may_wait) || !may_wait)
		return;
	peer->retry = MEM_NEW(struct keys_retry);
	peer->retry->call = call;
	memcpy(peer->retry->id, id.p, KEYRING_ID_BYTES);
	event_assign(&peer->retry->timer, peer->keys->base, -1, 0, key_retry_timer_fired, peer);
	event_add(&peer->retry->timer, &wait);
}

static void
on_key_request(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct keys_peer *peer = arg;

	if (p->fd >= 0)
		close(p->fd);
	if (p->type == MESSAGE_SIGN)
		answer_sign(peer->keys, c, p);
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
	struct keys_peer **link = &peer->keys->peers;

	while (*link != peer)
		link = &(*link)->next;
	*link = peer->next;
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
	role_peer_lost(peer->keys->role, peer->identity);
	free_keys_peer(peer);
}

/* Main has connected the two processes again, and the end of the former channel may not have been
 * handled yet. */
static void
keys_drop_former_peer(struct keys *k, struct role_peer identity)
{
	struct keys_peer *peer, *next;

	for (peer = k->peers; peer; peer = next) {
		next = peer->next;
		if (peer->identity.kind == identity.kind && peer->identity.index == identity.index)
			free_keys_peer(peer);
	}
}

static void
keys_add_peer(struct role *r, struct role_peer identity, int fd)
{
	struct keys_peer *peer = MEM_NEW(struct keys_peer);

	keys_drop_former_peer(keys_of(r), identity);
	peer->identity = identity;
	peer->keys = keys_of(r);
	peer->channel = channel_new(r->base, fd, on_key_request, keys_peer_lost, peer);
	peer->next = peer->keys->peers;
	peer->keys->peers = peer;
}

/* ---- life cycle ---- */

/* The random generator and the keyring open the files that they need. */
static void
keys_prepare(struct role *r, struct sandbox *sandbox)
{
	unsigned char some[16];

	(void)sandbox;
	keys_of(r);
	if (gnutls_rnd(GNUTLS_RND_KEY, some, sizeof some) != 0 ||
	    gnutls_rnd(GNUTLS_RND_NONCE, some, sizeof some) != 0)
		die("keys: no random bytes");
}

static int
keys_start(struct role *r)
{
	keys_of(r);
	return 0;
}

static void
keys_end(struct role *r)
{
	struct keys *k = r->state;

	if (!k)
		return;
	while (k->peers)
		free_keys_peer(k->peers);
	keyring_free(&k->keyring);
	mem_free(k);
	r->state = NULL;
}

const struct role_spec keys_role = {
    .name = "keys",
    .conf = CONF_KEYS,
    .grant = keys_grant,
    .peer = keys_add_peer,
    .prepare = keys_prepare,
    .start = keys_start,
    .end = keys_end,
};
