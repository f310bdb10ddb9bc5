/*
 * tickets: proof that relay was given an attempt, for attempts that this queue process does not
 * remember (an earlier queue process began it, or it was given up at its deadline).  A ticket is a
 * MAC over the id of the attempt, its message and the place of its delivery in the message.  The
 * key is drawn once for a spool and stored in it.  So relay can report nothing about a message that
 * it was not given.
 */
#ifndef QUEUE_TICKETS_H
#define QUEUE_TICKETS_H

#include "base/id.h"
#include "base/str.h"

enum { TICKETS_KEY_BYTES = 32 };
#define TICKETS_NOTE "tickets"

struct tickets {
	unsigned char key[TICKETS_KEY_BYTES];
	bool is_known;   /* there is a key */
	bool is_durable; /* it is in the spool: attempts may begin */
};

/* value: the key as stored in the spool; false: it is no key. */
bool tickets_load(struct tickets *t, struct str value) MUST_USE;
/* Draws a key, when there is none. */
void tickets_ensure(struct tickets *t);
/* place: of the delivery in the message. */
uint64_t ticket_make(const struct tickets *t, uint64_t attempt_id, struct msgid id, uint32_t place);

#endif
