/*
 * ticket_key: a ticket is computed from the number of the attempt, the message and the place of the
 * delivery in it, so it is right for that delivery alone, and none is stored. The key counts as
 * durable only when the spool has confirmed it; a failed store is tried again by the queue.
 */
#include "queue/ticket_key.h"

#include <errno.h>

#include "base/error_text.h"
#include "base/log.h"

uint64_t
ticket_of(const struct queue *q, uint64_t number, const struct delivery *delivery)
{
	uint32_t place = (uint32_t)(delivery - delivery_message(delivery)->deliveries);

	return ticket_make(&q->tickets, number, delivery_message(delivery)->id, place);
}

bool
ticket_is_right(
    const struct queue *q, uint64_t number, const struct delivery *delivery, uint64_t ticket)
{
	return ticket_of(q, number, delivery) == ticket;
}

static void
ticket_key_stored(int error, void *arg)
{
	struct queue *q = arg;

	if (error) {
		log_error("spool: the key of the tickets was not stored: %s", error_text(error));
		queue_retry_later(q);
		return;
	}
	q->tickets.is_durable = true;
	queue_wake(q);
}

/* Without a stored key no attempt begins: a later queue process could not check the tickets of
 * relay. */
void
ticket_key_store(struct queue *q)
{
	struct spool_entry entry = {.kind = SPOOL_NOTE, .note.name = STR(TICKETS_NOTE)};
	struct spool_batch batch = {
	    .entries = &entry, .count = 1, .urgency = SPOOL_NOW, .fn = ticket_key_stored, .arg = q};

	if (q->tickets.is_durable)
		return;
	tickets_ensure(&q->tickets);
	entry.note.value = str_make((const char *)q->tickets.key, sizeof q->tickets.key);
	if (spool_append(q->spool, &batch) != 0)
		ticket_key_stored(errno, q);
}
