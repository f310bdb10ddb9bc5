/*
 * auth_session: one client's AUTH in the broker, from its start to the answer: who it claims to be,
 * whether that was checked lately, the proof, the count of failures, the line in the log.
 */
#ifndef AUTH_AUTH_SESSION_H
#define AUTH_AUTH_SESSION_H

#include "auth/broker.h"

enum { AUTH_SESSION_MAX = 32768, AUTH_SESSION_AGE_MAX_MS = 300000 };

enum auth_session_state {
	AUTH_SESSION_WANTS_FIRST,
	AUTH_SESSION_WANTS_USER,
	AUTH_SESSION_WANTS_PASSWORD,
	AUTH_SESSION_CHECKING,
	AUTH_SESSION_WANTS_FINAL, /* SCRAM: the client's final message */
	AUTH_SESSION_WANTS_END,   /* SCRAM: it was right, and the client has our proof */
	AUTH_SESSION_DELAYED,
};

struct auth_session_mechanism {
	const char *name;
	enum auth_session_state first_state; /* what the first message of the client is */
	const char *prompt;
	bool (*parse)(struct str message, struct claimed_identity *out);
	bool has_password;
};

struct auth_session_bytes { /* wiped when it goes */
	char *p;
	size_t n;
};

struct auth_session {
	struct broker *broker;
	struct channel *channel;
	uint64_t call;
	uint64_t id;
	enum auth_session_state state;
	bool is_test;
	bool is_counted; /* its failure, see guesses.h */
	int64_t started_ms;
	uint64_t changes; /* broker->changes when the account was read */
	struct claimed_identity identity;
	const struct auth_session_mechanism *mechanism;
	struct arena arena;
	struct str client, tls, hostname, binding, network;
	char network_bytes[CLAIMED_NETWORK_BYTES];
	uint16_t port;
	struct auth_session_bytes message; /* PLAIN's and SCRAM's first message, LOGIN's password */
	struct auth_session_bytes challenge; /* SCRAM's */
	struct scram_secret secret; /* of the account, or one that nothing fits */
	const char *reason; /* of a failure, for the log */
	struct worker_pool_job job;
	struct event *delay;
	struct message_auth_answer answer; /* that waits for the delay */
};

/* Each is answered with AUTH_ANSWER on `from`, perhaps late. */
void auth_session_start(
    struct broker *b, struct channel *channel, uint64_t call, const struct message_auth_start *m);
void auth_session_step(
    struct broker *b, struct channel *channel, uint64_t call, const struct message_auth_step *m);
void auth_session_cancel(
    struct broker *b, struct channel *channel, const struct message_auth_cancel *m);

/* `test auth`: a real check of values user and password, not cached and not counted; answered
 * with rows. */
void auth_session_test(struct broker *b, struct channel *channel, uint64_t call, struct str values);

/* Nobody there will hear: NULL is everybody. */
void auth_session_drop_all(struct broker *b, const struct channel *channel);
/* Conversations that their client has left without a word. */
void auth_session_sweep(struct broker *b);

/* The password that the client sent; empty: the mechanism has none. */
struct str auth_session_password(const struct auth_session *s);
/* For auth_result.c: the login is over; and the configuration that holds for it now. */
void auth_session_end(struct auth_session *s);
const struct conf *auth_session_conf(const struct auth_session *s);

#endif
