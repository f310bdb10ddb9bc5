/*
 * broker_backend: the broker's side of a back end (auth_backend.h): it asks the worker, and hears
 * from the event loop what is stored of an account. Each question has a deadline and can be
 * cancelled; a worker that does not answer is ended and replaced. It also has what the worker
 * reports without a question: whether the store was exchanged, and what is wrong with it.
 */
#ifndef AUTH_BROKER_BACKEND_H
#define AUTH_BROKER_BACKEND_H

#include "auth/broker_state.h"

/* The back end of the broker: which mechanisms it serves, its name in the log. */
const struct auth_backend *broker_backend(void);

/* Makes what watches the worker; freed by the role. */
void broker_backend_init(struct broker *b);

struct broker_lookup;
/* The end of a look-up, from the loop. found is valid during the call; AUTH_BACKEND_BROKEN also
 * says that there was no answer in time. */
typedef void broker_lookup_fn(
    struct broker_lookup *l, const struct auth_backend_account *found, void *arg);

/* One look-up of an account. It is embedded in its owner, who ends it by broker_lookup_cancel. */
struct broker_lookup {
	broker_lookup_fn *done;
	void *arg;
	struct worker_pool_job job;
	struct message_look_up message;
};

/* Looks up what the name means; the name must live until the end. network: of the client, for the
 * fairness of the pool. False: it cannot be asked now (the same as BROKEN, and `done` is not
 * called). */
bool broker_look_up(struct broker *b, struct broker_lookup *l, struct str name,
    struct str network) MUST_USE;
/* The owner hears nothing any more; in any state, and any number of times. */
void broker_lookup_cancel(struct broker_lookup *l);
/* Sets the identity to the account that was found. False: the name that was found is not what the
 * identity means by the present configuration. */
bool broker_lookup_resolve(const struct broker *b, const struct auth_backend_account *found,
    struct claimed_identity *identity) MUST_USE;

/* Gives the worker a job. NULL, or the reason word, as worker_pool_begin. */
const char *broker_backend_begin(struct broker *b, struct worker_pool_job *job) MUST_USE;
/* Takes a message of the worker that is no answer; arg: the broker. */
void broker_backend_report(const struct channel_packet *p, void *arg);
/* The worker was ended, or its channel is lost: until the next one reports, `status` shows it. */
void broker_backend_lost(struct broker *b);
/* Shows in `status` the errors of the back end and of the blocklist. */
void broker_show_trouble(const struct broker *b);
/* True: the state directory was moved or removed while it is open, and no block can be stored; the
 * message is added to text. */
bool broker_is_directory_gone(struct broker *b, struct buf *text) MUST_USE;

#endif
