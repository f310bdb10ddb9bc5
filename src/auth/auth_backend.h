/*
 * auth_backend: the contract of a back end: what knows the accounts. A back end runs in worker
 * processes of its own kind (worker_kinds.h), so its functions may block: the broker asks them over
 * a channel, and ends a worker that does not answer in time (broker_backend.h). A new back end is
 * one file with a struct auth_backend and a struct role_spec, and one row in worker_kinds.c.
 */
#ifndef AUTH_AUTH_BACKEND_H
#define AUTH_AUTH_BACKEND_H

#include "auth/claimed_identity.h"
#include "auth/user_admin.h"
#include "ipc/role.h"

enum auth_backend_result {
	AUTH_BACKEND_FOUND,
	AUTH_BACKEND_NONE,    /* the back end says that there is no such account */
	AUTH_BACKEND_DAMAGED, /* what is stored of this account is not valid; others may be fine */
	/* it cannot be said: an error or no answer, never an absence (454) */
	AUTH_BACKEND_BROKEN,
};

/* What the secrets of a back end can serve. */
enum { AUTH_BACKEND_PLAINTEXT = 1, AUTH_BACKEND_SCRAM = 2 };

struct auth_backend_account {
	enum auth_backend_result result;
	/* that the result is about: the account with exactly the name that was asked for, or with
	 * that name completed by the domain; after BROKEN the name that was asked for */
	char name[CLAIMED_USER_MAX + 1];
	bool is_suspended;
	/* FOUND: of the account. NONE, and a suspended account: one that matches no password, the
	 * same each time, so that the steps of a login do not show which names exist. */
	struct scram_secret secret;
};

/* What the broker must know without a question. */
struct auth_backend_state {
	uint64_t changes;   /* rises when what was read before may be out of date */
	uint64_t exchanges; /* rises when the store is another one: nothing remembered holds */
	struct str store;   /* bytes that differ if it is another store; empty: not known */
	bool is_directory_gone; /* the state directory was moved or removed */
	struct str trouble; /* why it cannot be used or trusted, for `status`; empty: it can */
};

/* The functions run in the worker. `store` is what `open` returned; strings and structs that are
 * returned are valid until the next call. */
struct auth_backend {
	const char *name;    /* in the log and in answers: "users" */
	unsigned mechanisms; /* AUTH_BACKEND_... */
	/* before the sandbox; never fails: a store that cannot be opened is AUTH_BACKEND_BROKEN.
	 * directory_fd is the state directory, or -1; is_new: the store may be made */
	void *(*open)(struct role *r, int directory_fd, bool is_new);
	void (*prepare)(void *store, struct sandbox *sandbox);
	/* in the sandbox, at the start and then every two seconds */
	void (*tick)(void *store);
	void (*close)(void *store);
	/* false: no account can be looked up now */
	bool (*is_usable)(void *store);
	void (*look_up)(void *store, struct str name, struct auth_backend_account *out);
	/* runs a command of user_admin.h; NULL: accounts cannot be changed here */
	uint8_t (*run)(void *store, const struct message_admin *m, struct user_admin_out *out);
	void (*state)(void *store, struct auth_backend_state *out);
};

#endif
