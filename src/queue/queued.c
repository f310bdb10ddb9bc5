/*
 * queued: all messages, by id and in their order, and what becomes of their recipients.
 */
#include "queue/queued.h"

#include "base/mem.h"

void
queued_init(struct queued_messages *queued)
{
	*queued = (struct queued_messages){.users = map_new(), .senders = map_new()};
	id_table_init(&queued->messages);
	id_table_init(&queued->ended);
}

void
queued_clear(struct queued_messages *queued)
{
	struct queued_message *e;

	while ((e = id_table_first(&queued->messages))) {
		e->unstored = 0;
		queued_remove(queued, &e);
	}
	while ((e = id_table_first(&queued->ended))) {
		id_table_remove(&queued->ended, e->id);
		queued_message_free(queued, &e);
	}
	id_table_clear(&queued->messages);
	id_table_clear(&queued->ended);
	map_free(&queued->users);
	map_free(&queued->senders);
}

/* ---- all messages ---- */

void
queued_add(struct queued_messages *queued, struct queued_message *e)
{
	if (queued->messages.count == 0 ||
	    (queued->oldest && e->arrival_ms < queued->oldest->arrival_ms))
		queued->oldest = e;
	id_table_add(&queued->messages, e);
	e->is_queued = true;
	queued->held += e->is_held;
	queued->bytes += e->bytes;
	queued->recipients += e->open;
}

void
queued_remove(struct queued_messages *queued, struct queued_message **e)
{
	if (queued->oldest == *e)
		queued->oldest = NULL;
	id_table_remove(&queued->messages, (*e)->id);
	queued->held -= (*e)->is_held;
	queued->bytes -= (*e)->bytes;
	queued->recipients -= (*e)->open;
	(*e)->is_queued = false;
	if ((*e)->unstored == 0) {
		queued_message_free(queued, e);
		return;
	}
	id_table_add(&queued->ended, *e);
	*e = NULL;
}

struct queued_message *
queued_find(const struct queued_messages *queued, struct msgid id)
{
	return id_table_find(&queued->messages, id);
}

void
queued_message_stored(struct queued_messages *queued, struct msgid id)
{
	struct queued_message *e = queued_find(queued, id);

	if (e) {
		e->unstored--;
		return;
	}
	e = id_table_find(&queued->ended, id);
	if (!e || --e->unstored > 0)
		return;
	id_table_remove(&queued->ended, id);
	queued_message_free(queued, &e);
}

void
queued_message_hold(struct queued_messages *queued, struct queued_message *e, bool is_held)
{
	if (e->is_queued) {
		queued->held -= e->is_held;
		queued->held += is_held;
	}
	e->is_held = is_held;
	e->is_damaged = e->is_damaged && is_held;
}

int64_t
queued_oldest_ms(struct queued_messages *queued)
{
	const struct queued_message *e = queued->oldest ? NULL : id_table_first(&queued->messages);

	for (; e; e = id_table_next(&queued->messages, e))
		if (!queued->oldest || e->arrival_ms < queued->oldest->arrival_ms)
			queued->oldest = e;
	return queued->oldest ? queued->oldest->arrival_ms : INT64_MAX;
}

/* ---- recipients ---- */

struct queued_ends
queued_message_ends(const struct queued_message *e)
{
	struct queued_ends ends = {0};

	for (uint32_t i = 0; i < e->recipient_count; i++) {
		const struct queued_recipient *recipient = &queued_message_recipients(e)[i];

		if (queued_recipient_is_open(recipient) || recipient->is_owed)
			continue;
		if (recipient->outcome == SPOOL_DONE)
			ends.sent++;
		else if (recipient->marks & MARK_DELETED)
			ends.deleted++;
		else if (recipient->marks & MARK_EXPIRED)
			ends.expired++;
		else
			ends.failed++;
	}
	return ends;
}

void
queued_recipient_set_detail(struct queued_recipient *recipient, struct str detail)
{
	uint16_t n = (uint16_t)detail.n;

	mem_free(recipient->detail);
	recipient->detail = NULL;
	if (detail.n == 0)
		return;
	recipient->detail = mem_new(sizeof n + n);
	memcpy(recipient->detail, &n, sizeof n);
	memcpy(recipient->detail + sizeof n, detail.p, n);
}

void
queued_recipient_set_attempts(struct queued_recipient *recipient, uint32_t attempts)
{
	attempts = attempts < QUEUED_ATTEMPTS_MAX ? attempts : QUEUED_ATTEMPTS_MAX;
	recipient->attempts = attempts & QUEUED_ATTEMPTS_MAX;
}

struct str
queued_recipient_detail(const struct queued_recipient *recipient)
{
	uint16_t n;

	if (!recipient->detail)
		return STR_NULL;
	memcpy(&n, recipient->detail, sizeof n);
	return str_make(recipient->detail + sizeof n, n);
}

void
queued_recipient_owe_report(
    struct queued_message *e, uint32_t number, enum spool_outcome outcome, uint8_t marks)
{
	struct queued_recipient *recipient = &queued_message_recipients(e)[number - 1];

	if (!recipient->is_owed) {
		e->deliveries[recipient->delivery].open--;
		e->owed++;
	}
	recipient->is_owed = true;
	recipient->outcome = outcome & 3u;
	recipient->marks = marks | (recipient->marks & MARK_WARNED);
}

void
queued_recipient_set_outcome(struct queued_messages *queued, struct queued_message *e,
    uint32_t number, enum spool_outcome outcome, uint8_t marks)
{
	struct queued_recipient *recipient = &queued_message_recipients(e)[number - 1];
	bool ends = outcome == SPOOL_DONE || outcome == SPOOL_FAILED;

	if (ends && !recipient->is_owed)
		e->deliveries[recipient->delivery].open--;
	if (recipient->is_owed)
		e->owed--;
	recipient->is_owed = false;
	recipient->outcome = outcome & 3u;
	recipient->marks = marks | (recipient->marks & MARK_WARNED);
	if (!ends)
		return;
	e->open--;
	if (e->is_queued)
		queued->recipients--;
}
