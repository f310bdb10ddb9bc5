/*
 * failure_list: networks and logins that have reached a limit of failures (guesses.h), with their
 * names, for the operator. The list decides nothing: the counts that refuse a login are in
 * failures.h, which stores no names. The list has a fixed size; when it is full, the entry that was
 * used least recently is replaced.
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
	enum failures_of kind; /* NETWORK, LOGIN_AT_NETWORK or LOGIN */
	char key[FAILURE_LIST_KEY_MAX]; /* its name in failures.h */
	size_t key_n;
	struct network network;          /* NETWORK, LOGIN_AT_NETWORK */
	char user[CLAIMED_USER_MAX + 1]; /* LOGIN_AT_NETWORK, LOGIN */
	int64_t since_ms;                /* UTC; 0: the entry is free */
	struct blocklist_refused refused;
	uint64_t last_used; /* order of the last use: the higher, the later */
};

struct failure_list {
	struct failure_list_entry entry[FAILURE_LIST_MAX];
	uint64_t use_count; /* number of uses so far */
};

/* The entry with that key, or a new one with since_ms 0, which the caller must fill in. */
struct failure_list_entry *failure_list_ensure(
    struct failure_list *l, enum failures_of kind, struct str key);
/* NULL: there is none. */
struct failure_list_entry *failure_list_find(
    struct failure_list *l, enum failures_of kind, struct str key);
/* Marks the entry as the one used last. */
void failure_list_used(struct failure_list *l, struct failure_list_entry *e);

#endif
