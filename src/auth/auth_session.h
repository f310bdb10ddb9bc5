/*
 * auth_session: one client's AUTH exchange in the broker, from its start to the answer: the claimed
 * identity, the lookup in the cache, the check of the proof, the count of failures, the log line.
 * Submission names a session by its id; one session is answered over one channel.
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
	AUTH_SESSION_WANTS_FINAL, /* SCRAM: waits for the client's final message */
	/* SCRAM: the proof was right, and the client has the server's signature */
	AUTH_SESSION_WANTS_END,
	AUTH_SESSION_DELAYED,
};

struct auth_session_mechanism {
	const char *name;
	/* the state that waits for the client's first message */
	enum auth_session_state first_state;
	const char *prompt;
	bool (*parse)(struct str message, struct claimed_identity *out);
	bool has_password;
};

struct auth_session_bytes { /* wiped when it is freed */
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
	bool is_counted; /* its failure was counted, see guesses.h */
	int64_t started_ms;
	uint64_t changes; /* broker->changes when the account was read */
	struct claimed_identity identity;
	const struct auth_session_mechanism *mechanism;
	struct arena arena;
	struct str client, tls, hostname, binding, network;
	char network_bytes[CLAIMED_NETWORK_BYTES];
	uint16_t port;
	/* the first message of PLAIN and SCRAM, the password of LOGIN */
	struct auth_session_bytes message;
	struct auth_session_bytes challenge; /* the server's first message of SCRAM */
	struct scram_secret secret; /* of the account, or one that matches no password */
	const char *reason; /* of a failure, for the log */
	struct worker_pool_job job;
	struct event *delay;
	struct message_auth_answer answer; /* sent after the delay */
};

/* Each of the two requests is answered with AUTH_ANSWER on `channel`, perhaps later. */
void auth_session_start(
    struct broker *b, struct channel *channel, uint64_t call, const struct message_auth_start *m);
void auth_session_step(
    struct broker *b, struct channel *channel, uint64_t call, const struct message_auth_step *m);
/* The client cancelled, or its connection is closed: ends the session without an answer. */
void auth_session_cancel(
    struct broker *b, struct channel *channel, const struct message_auth_cancel *m);

/* `test auth`: checks the values user and password like a login, without the cache and without
 * counting; answers with rows. */
void auth_session_test(struct broker *b, struct channel *channel, uint64_t call, struct str values);

/* Ends all sessions of a channel that is lost, without an answer; NULL: all sessions. */
void auth_session_drop_all(struct broker *b, const struct channel *channel);
/* Ends the sessions whose client has not answered for AUTH_SESSION_AGE_MAX_MS. */
void auth_session_sweep(struct broker *b);

/* The password that the client sent; empty: the mechanism sends none. */
struct str auth_session_password(const struct auth_session *s);
/* For auth_result.c: frees the session; and the configuration that is now valid for it. */
void auth_session_end(struct auth_session *s);
const struct conf *auth_session_conf(const struct auth_session *s);

#endif
