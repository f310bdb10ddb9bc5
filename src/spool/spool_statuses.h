/*
 * spool_statuses: where the status of a recipient is while its message lives.  The owner of the
 * statuses (the queue) keeps them: it gets those that the log holds with each message when the
 * spool is opened, and is asked for them when a message is written again.  Until then, and when
 * there is no owner, they are kept here as they became durable.
 */
#ifndef SPOOL_SPOOL_STATUSES_H
#define SPOOL_SPOOL_STATUSES_H

#include "spool/spool_types.h"

struct stored_message;

struct spool_statuses {
	struct map *kept;                /* by id: struct spool_statuses_kept */
	spool_statuses_fn *owner;        /* NULL: there is none */
	void *arg;
	bool is_handed_over;             /* the owner has all that it takes */
	struct spool_recipient *gathered; /* the result of spool_statuses_gather */
	size_t cap;
};

/* Nothing is kept, and there is no owner. */
void spool_statuses_init(struct spool_statuses *t);
void spool_statuses_clear(struct spool_statuses *t);

/* The status became durable: it is kept here, unless the owner has it.  Numbers above the count are
 * ignored; a settled recipient stays settled. */
void spool_statuses_apply(struct spool_statuses *t, const struct stored_message *i,
    const struct spool_recipient *status);
/* The statuses that are kept here, one for each recipient; NULL: all are in the initial state, or
 * the owner has them. */
const struct spool_recipient *spool_statuses_kept(const struct spool_statuses *t, struct msgid id);
/* Frees what is kept of the message. */
void spool_statuses_forget(struct spool_statuses *t, struct msgid id);
/* From now on the owner, if there is one, keeps the statuses of all messages but those that are
 * kept here now: those which it did not take. */
void spool_statuses_hand_over(struct spool_statuses *t);
/* The present status of each recipient, from the one who keeps them.  Valid until the next call,
 * with its strings.  NULL: the owner does not know the message, so that it cannot be written again
 * now; the next start gives it to the owner again. */
const struct spool_recipient *spool_statuses_gather(
    struct spool_statuses *t, const struct stored_message *i);
/* Is the status the initial one, so that it need not be written? */
bool spool_statuses_is_initial(const struct spool_recipient *r);

#endif
