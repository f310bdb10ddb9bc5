/*
 * compaction_entries: what is in its initial state is not written again.
 */
#include "spool/compaction_entries.h"

static bool
compaction_has_hold(const struct stored_message *i)
{
	return i->is_held || stored_message_extra(i)->held_why.n;
}

struct spool_entry
compaction_hold_entry(const struct stored_message *i)
{
	struct spool_entry e = {.kind = SPOOL_HOLD, .id = i->id};

	e.hold.is_held = i->is_held;
	e.hold.why = stored_message_extra(i)->held_why;
	return e;
}

static struct spool_entry
compaction_status_entry(const struct stored_message *i, const struct spool_recipient *status)
{
	return (struct spool_entry){.kind = SPOOL_STATUS, .id = i->id, .status = *status};
}

size_t
compaction_message_bytes(struct spool *s, const struct stored_message *i)
{
	const struct spool_recipient *statuses = spool_statuses_gather(&s->index.statuses, i);
	size_t bytes = i->frame_bytes;
	struct spool_entry e;

	if (!statuses)
		return 0;
	if (compaction_has_hold(i)) {
		e = compaction_hold_entry(i);
		bytes += frame_entry_bytes(&e);
	}
	for (uint32_t n = 0; n < i->recipient_count; n++)
		if (!spool_statuses_is_initial(&statuses[n])) {
			e = compaction_status_entry(i, &statuses[n]);
			bytes += frame_entry_bytes(&e);
		}
	return bytes + FRAME_ALIGN;
}

size_t
compaction_message_entries(struct spool *s, const struct stored_message *i,
    const struct frame_entry *r, struct spool_entry *entries)
{
	const struct spool_recipient *statuses = spool_statuses_gather(&s->index.statuses, i);
	size_t count = 0;

	if (!statuses)
		return 0;
	entries[count] = r->entry;
	entries[count++].message.fd = -1;
	if (compaction_has_hold(i))
		entries[count++] = compaction_hold_entry(i);
	for (uint32_t n = 0; n < i->recipient_count; n++)
		if (!spool_statuses_is_initial(&statuses[n]))
			entries[count++] = compaction_status_entry(i, &statuses[n]);
	return count;
}
