/*
 * auth_session: the state of one client's AUTH exchange in the broker, and its life. auth_exchange
 * runs the steps of the exchange; auth_result answers them, and guesses counts failures.
 */
#ifndef AUTH_AUTH_SESSION_H
#define AUTH_AUTH_SESSION_H

#include "auth/broker_backend.h"

enum { AUTH_SESSION_MAX = 32768, AUTH_SESSION_AGE_MAX_MS = 300000 };

enum auth_session_state {
	AUTH_SESSION_WANTS_FIRST,
	AUTH_SESSION_WANTS_USER,
	AUTH_SESSION_WANTS_PASSWORD,
	AUTH_SESSION_LOOKING_UP, /* the back end is asked for the account */
	AUTH_SESSION_CHECKING,   /* a worker checks the password */
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
	/* who gave the command, and the person as the tool says */
	struct str tested_by, tested_for;
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
	struct broker_lookup lookup;
	struct worker_pool_job job;
	struct message_check_start check; /* of the job */
	struct event *delay;
	struct message_auth_answer answer; /* sent after the delay */
};

/* A session that is to answer this request; auth_session_end frees it. */
struct auth_session *auth_session_new(
    struct broker *b, struct channel *channel, uint64_t call, uint64_t id);
/* From now on auth_session_find finds the session by its id. */
void auth_session_add(struct auth_session *s);
/* The session of this id on this channel (NULL: on any); NULL: there is none. */
struct auth_session *auth_session_find(
    const struct broker *b, const struct channel *channel, uint64_t id);
/* Ends and frees the session; its request is refused if it was not answered. */
void auth_session_end(struct auth_session *s);
/* Ends all sessions of a channel that is lost, without an answer; NULL: all sessions. */
void auth_session_drop_all(struct broker *b, const struct channel *channel);
/* Ends the sessions whose client has not answered for AUTH_SESSION_AGE_MAX_MS. */
void auth_session_sweep(struct broker *b);

/* The configuration that is now valid for the session. */
const struct conf *auth_session_conf(const struct auth_session *s);
/* The password that the client sent; empty: the mechanism sends none. */
struct str auth_session_password(const struct auth_session *s);
/* Stores a copy of the text in place of the former bytes, which are wiped. */
void auth_session_keep(struct auth_session_bytes *bytes, struct str from);

#endif
