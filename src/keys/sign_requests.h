/*
 * sign_requests: the channels to other roles, and their requests for signatures and for what is
 * known of a key.  Each request is answered exactly once: with the signature, or with a refusal
 * when the store refuses, does not sign in time, or has too much to do.  A store that signs later
 * delays only the requests that wait for it.
 */
#ifndef KEYS_SIGN_REQUESTS_H
#define KEYS_SIGN_REQUESTS_H

#include "ipc/role.h"
#include "keys/key_store.h"

struct sign_requests;

enum {
	SIGN_REQUESTS_MAX = 1024,    /* that wait for the store at a time */
	SIGN_REQUESTS_WAIT_MS = 1500, /* less than a handshake waits for its answer */
};

/* Signs with this store, which stays the caller's. */
struct sign_requests *sign_requests_new(struct role *r, struct key_store *store);
/* Closes all channels and cancels what waits. */
void sign_requests_free(struct sign_requests **s);
/* A channel to a role; takes over fd.  It replaces the former channel to the same process. */
void sign_requests_add_peer(struct sign_requests *s, struct role_peer identity, int fd);

#endif
