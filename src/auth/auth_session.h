/*
 * auth_session: one client's AUTH in the broker, from its start to the answer: who it claims to be,
 * whether that was checked lately, the proof, the count of failures, the line in the log.
 */
#ifndef AUTH_AUTH_SESSION_H
#define AUTH_AUTH_SESSION_H

#include "auth/broker.h"

enum { EXCHANGE_MAX = 32768, EXCHANGE_AGE_MAX_MS = 300000 };

enum exchange_state {
	EXCHANGE_WANTS_FIRST,
	EXCHANGE_WANTS_USER,
	EXCHANGE_WANTS_PASSWORD,
	EXCHANGE_CHECKING,
	EXCHANGE_WANTS_PROOF, /* SCRAM: the client's final message */
	EXCHANGE_WANTS_END,   /* SCRAM: it was right, and the client has our proof */
	EXCHANGE_DELAYED,
};

struct exchange_mechanism {
	const char *name;
	enum exchange_state first; /* what the first message of the client is */
	const char *prompt;
	bool (*claim)(struct str message, struct claim *out);
	bool has_password;
};

struct exchange_bytes { /* wiped when it goes */
	char *p;
	size_t n;
};

struct exchange {
	struct broker *broker;
	struct channel *from;
	uint64_t call;
	uint64_t session;
	enum exchange_state state;
	bool is_test;
	bool is_counted; /* its failure, see guesses.h */
	int64_t started_ms;
	uint64_t changes; /* broker->changes when the account was read */
	struct claim claim;
	const struct exchange_mechanism *mechanism;
	struct arena arena;
	struct str client, tls, hostname, binding, network;
	char network_bytes[CLAIM_NETWORK_BYTES];
	uint16_t port;
	struct exchange_bytes message; /* PLAIN's and SCRAM's first message, LOGIN's password */
	struct exchange_bytes challenge; /* SCRAM's */
	struct secret secret; /* of the account, or one that nothing fits */
	const char *reason; /* of a failure, for the log */
	struct crew_job job;
	struct event *delay;
	struct message_auth_answer answer; /* that waits for the delay */
};

/* Each is answered with AUTH_ANSWER on `from`, perhaps late. */
void exchange_start(
    struct broker *b, struct channel *from, uint64_t call, const struct message_auth_start *m);
void exchange_step(
    struct broker *b, struct channel *from, uint64_t call, const struct message_auth_step *m);
void exchange_cancel(struct broker *b, struct channel *from, const struct message_auth_cancel *m);

/* `test auth`: a real check of values user and password, not cached and not counted; answered
 * with rows. */
void exchange_test(struct broker *b, struct channel *from, uint64_t call, struct str values);

/* Nobody there will hear: NULL is everybody. */
void exchange_drop_all(struct broker *b, const struct channel *from);
/* Conversations that their client has left without a word. */
void exchange_sweep(struct broker *b);

/* The password that the client sent; empty: the mechanism has none. */
struct str exchange_password(const struct exchange *l);
/* For auth_result.c: the login is over; and the configuration that holds for it now. */
void exchange_end(struct exchange *l);
const struct conf *exchange_conf(const struct exchange *l);

#endif
