/*
 * failure_list: networks and logins that have reached a limit of failures (guesses.h), by name, for
 * the operator; what holds is in failures.h, which knows no names.  Of fixed size: the one that was
 * refused least recently is forgotten first.
 */
#ifndef AUTH_FAILURE_LIST_H
#define AUTH_FAILURE_LIST_H

#include "auth/blocklist.h"
#include "auth/failures.h"

enum { LIMITED_MAX = 256, LIMITED_KEY_MAX = 1 + CLAIM_USER_MAX + CLAIM_NETWORK_BYTES };

struct limited_entry {
	enum failures_of what; /* NETWORK, PLACE or LOGIN */
	char key[LIMITED_KEY_MAX]; /* its name there */
	size_t key_n;
	struct network network;        /* NETWORK, PLACE */
	char user[CLAIM_USER_MAX + 1]; /* PLACE, LOGIN */
	int64_t since_ms;              /* UTC; 0: a free place */
	struct block_refused refused;
	uint64_t turn;                 /* of the last refusal: the higher, the later */
};

struct limited {
	struct limited_entry entry[LIMITED_MAX];
	uint64_t turns; /* so far */
};

/* The entry of that name, or a new one, which is then the caller's to describe (since_ms 0). */
struct limited_entry *limited_ensure(struct limited *l, enum failures_of what, struct str key);
/* NULL: none. */
struct limited_entry *limited_find(struct limited *l, enum failures_of what, struct str key);
/* It was refused now. */
void limited_used(struct limited *l, struct limited_entry *e);

#endif
