/*
 * login: one client's AUTH in the broker, from its start to the answer: who it claims to be,
 * whether that was checked lately, the check by a worker, the count of failures, the line in the
 * log.
 */
#ifndef AUTH_LOGIN_H
#define AUTH_LOGIN_H

#include "auth/broker.h"

enum { LOGIN_MAX = 32768, LOGIN_AGE_MAX_MS = 300000 };

enum login_state {
	LOGIN_WANTS_FIRST,
	LOGIN_WANTS_USER,
	LOGIN_WANTS_PASSWORD,
	LOGIN_CHECKING,
	LOGIN_TALKING, /* SCRAM: the client owes a step */
	LOGIN_DELAYED,
};

struct login_mechanism {
	const char *name;
	enum login_state first; /* what the first message of the client is */
	const char *prompt;
	bool (*claim)(struct str message, struct claim *out);
	bool has_password;
};

struct login_bytes { /* wiped when it goes */
	char *p;
	size_t n;
};

struct login {
	struct broker *broker;
	struct channel *from;
	uint32_t call;
	uint64_t session;
	enum login_state state;
	bool is_test;
	int64_t started_ms;
	uint64_t changes; /* broker->changes when the account was read */
	struct claim claim;
	const struct login_mechanism *mechanism;
	struct arena arena;
	struct str client, tls, hostname, binding, network;
	char network_bytes[CLAIM_NETWORK_BYTES];
	uint16_t port;
	struct login_bytes message; /* PLAIN's and SCRAM's message, LOGIN's password */
	char secret_text[SECRET_TEXT_BYTES];
	const char *reason; /* of a failure, for the log */
	struct pool_job job;
	struct event *delay;
	struct message_auth_answer answer; /* that waits for the delay */
};

/* Each is answered with AUTH_ANSWER on `from`, perhaps late. */
void login_start(
    struct broker *b, struct channel *from, uint32_t call, const struct message_auth_start *m);
void login_step(
    struct broker *b, struct channel *from, uint32_t call, const struct message_auth_step *m);
void login_cancel(struct broker *b, struct channel *from, const struct message_auth_cancel *m);

/* `test auth`: a real check of values user and password, not cached and not counted; answered
 * with rows. */
void login_test(struct broker *b, struct channel *from, uint32_t call, struct str values);

/* Nobody there will hear: NULL is everybody. */
void login_drop_all(struct broker *b, const struct channel *from);
/* Conversations that their client has left without a word. */
void login_sweep(struct broker *b);

/* For verdict.c: the login is over; and the configuration that holds for it now. */
void login_end(struct login *l);
const struct conf *login_conf(const struct login *l);

#endif
