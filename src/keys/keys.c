/*
 * keys: the only role that holds private keys.  It has no access to files or the network: main
 * passes key files as descriptors, and other roles send requests on channels that main has made
 * (sign_requests).  Each of several keys processes has all keys.
 */
#include "keys/keys.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>
#include <unistd.h>

#include "base/error_text.h"
#include "base/log.h"
#include "base/mem.h"
#include "keys/keyring.h"
#include "keys/sign_requests.h"

struct keys {
	struct keyring *keyring;
	struct sign_requests *requests;
};

static struct keys *
keys_of(struct role *r)
{
	struct keys *k = r->state;

	if (!k) {
		k = MEM_NEW(struct keys);
		k->keyring = keyring_new();
		k->requests = sign_requests_new(r, keyring_key_store(k->keyring));
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
			why = error_text(error);
		if (error || !keyring_put(keys_of(r)->keyring, grant->index, buf_str(&pem), &why))
			log_error("private key %.*s: %s", STR_ARG(grant->name), why);
		mem_wipe(pem.p, pem.cap);
	}
	buf_clear(&pem);
	close(fd);
}

/* ---- life cycle ---- */

static void
keys_add_peer(struct role *r, struct role_peer identity, int fd)
{
	sign_requests_add_peer(keys_of(r)->requests, identity, fd);
}

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
	sign_requests_free(&k->requests);
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
