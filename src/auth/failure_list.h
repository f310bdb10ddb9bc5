/*
 * failure_list: networks and logins that have reached a limit of failures (guesses.h), by name, for
 * the operator; what holds is in failures.h, which knows no names.  Of fixed size: the one that was
 * refused least recently is forgotten first.
 */
#ifndef AUTH_FAILURE_LIST_H
#define AUTH_FAILURE_LIST_H

#include "auth/blocklist.h"
#include "auth/failures.h"

enum {
	FAILURE_LIST_MAX = 256,
	FAILURE_LIST_KEY_MAX = 1 + CLAIMED_USER_MAX + CLAIMED_NETWORK_BYTES
};

struct failure_list_entry {
	enum failures_of kind; /* NETWORK, PLACE or LOGIN */
	char key[FAILURE_LIST_KEY_MAX]; /* its name there */
	size_t key_n;
	struct network network;        /* NETWORK, PLACE */
	char user[CLAIMED_USER_MAX + 1]; /* PLACE, LOGIN */
	int64_t since_ms;              /* UTC; 0: a free place */
	struct blocklist_refused refused;
	uint64_t last_used;                 /* of the last refusal: the higher, the later */
};

struct failure_list {
	struct failure_list_entry entry[FAILURE_LIST_MAX];
	uint64_t use_count; /* so far */
};

/* The entry of that name, or a new one, which is then the caller's to describe (since_ms 0). */
struct failure_list_entry *failure_list_ensure(
    struct failure_list *l, enum failures_of kind, struct str key);
/* NULL: none. */
struct failure_list_entry *failure_list_find(
    struct failure_list *l, enum failures_of kind, struct str key);
/* It was refused now. */
void failure_list_used(struct failure_list *l, struct failure_list_entry *e);

#endif
