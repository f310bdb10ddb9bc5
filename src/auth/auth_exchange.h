/*
 * auth_exchange: the AUTH exchange with one client, from its start to the answer: which mechanism,
 * the claimed identity, the lookup in the cache, the check of the proof. auth_result answers.
 * Submission names a session by its id; one session is answered over one channel.
 */
#ifndef AUTH_AUTH_EXCHANGE_H
#define AUTH_AUTH_EXCHANGE_H

#include "auth/broker_state.h"

/* Each of the two requests is answered with AUTH_ANSWER on `channel`, perhaps later. */
void auth_exchange_start(
    struct broker *b, struct channel *channel, uint64_t call, const struct message_auth_start *m);
void auth_exchange_step(
    struct broker *b, struct channel *channel, uint64_t call, const struct message_auth_step *m);
/* The client cancelled, or its connection is closed: ends the session without an answer. */
void auth_exchange_cancel(
    struct broker *b, struct channel *channel, const struct message_auth_cancel *m);

/* `test auth`: checks the values user and password like a login, without the cache and without
 * counting; answers with rows.  The log line names who tests. */
void auth_exchange_test(
    struct broker *b, struct channel *channel, uint64_t call, const struct message_admin *m);

#endif
