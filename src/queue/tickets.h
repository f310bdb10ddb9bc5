/*
 * tickets: what relay must show to be believed about a delivery that this queue process does not
 * remember (it was handed out by a queue before it, or was given back because its time was over).
 * A ticket is a MAC over the number of the job, its message and its place in the message; the key
 * is drawn once for a spool and kept in it.  So relay can say nothing about a message that it was
 * not given.
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
	bool is_durable; /* the spool has it: jobs may be handed out */
};

/* The key as the spool kept it; false: that is no key. */
bool tickets_load(struct tickets *t, struct str value) MUST_USE;
/* Draws a key, when there is none. */
void tickets_ensure(struct tickets *t);
/* place: of the recipients in the message that the job is for. */
uint64_t ticket_make(const struct tickets *t, uint64_t job, struct msgid id, uint32_t place);

#endif
