/*
 * stored_statuses: a status is made from the recipient, and the time of the next attempt from its
 * delivery.
 */
#include "queue/stored_statuses.h"

struct spool_recipient
queued_status(const struct queued_message *e, uint32_t number)
{
	const struct queued_recipient *recipient = &queued_message_recipients(e)[number - 1];
	const struct delivery *delivery = &e->deliveries[recipient->delivery];
	struct spool_recipient r = {.number = number,
	    .outcome = (enum spool_outcome)recipient->outcome,
	    .is_settled = !queued_recipient_is_open(recipient) && !recipient->is_owed,
	    .attempts = recipient->attempts,
	    .marks = recipient->marks,
	    .detail = queued_recipient_detail(recipient)};

	if (r.outcome == SPOOL_DEFERRED)
		r.next_ms = delivery->sched.due_ms;
	return r;
}

bool
queued_statuses(struct msgid id, struct spool_recipient *out, uint32_t count, void *arg)
{
	const struct queue *q = arg;
	const struct queued_message *e = queued_find(&q->queued, id);

	if (!e)
		e = id_table_find(&q->queued.ended, id);
	if (!e || e->recipient_count != count)
		return false;
	for (uint32_t n = 1; n <= count; n++)
		out[n - 1] = queued_status(e, n);
	return true;
}
