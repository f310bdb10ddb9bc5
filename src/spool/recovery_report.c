/*
 * recovery_report: the envelope of a message is the one that the replay has kept, or is read from
 * the disk once more.
 */
#include "spool/recovery_report.h"

#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "spool/replay_refuse.h"
#include "spool/set_aside.h"
#include "spool/spool_fault.h"

/* The replay could read it shortly before: so this failure concerns the system, not the message. */
static int
recovery_report_refuse(const struct stored_message *i, int error)
{
	char id[ID_NUMBER_TEXT_BYTES], name[SEGMENT_NAME_BYTES];

	log_error("spool: message %s was read once and cannot be read again",
	    msgid_text(i->id, 0, id));
	errno = error;
	return replay_refuse(segment_name(i->segment->slot, name), i->offset);
}

static void
recovery_report_add_unknown(struct recovery_report *t, struct msgid id)
{
	if (t->count == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 16;
		t->not_understood = mem_grow(t->not_understood, t->cap * sizeof *t->not_understood);
	}
	t->not_understood[t->count++] = id;
}

static int
recovery_report_read(struct spool *s, struct stored_message *i, struct str *envelope_out)
{
	struct frame_entry record;
	int error = stored_message_read(i, s->io, &s->buffer, &record);

	if (error)
		return recovery_report_refuse(i, error);
	*envelope_out = record.entry.message.envelope;
	return 0;
}

static int
recovery_report_one(struct spool *s, const struct spool_recovery *r, struct stored_message *i,
    struct kept_envelopes *envelopes, struct recovery_report *out)
{
	struct spool_message m;

	metrics_work_id("recover: schedule", i->id);
	metrics_progress();
	stored_message_describe(i, &m);
	if (!kept_envelopes_find(envelopes, &s->index, i, &m.envelope) &&
	    recovery_report_read(s, i, &m.envelope) != 0)
		return -1;
	m.recipients = spool_statuses_kept(&s->index.statuses, i->id);
	if (!r->message(&m, r->arg))
		recovery_report_add_unknown(out, i->id);
	else if (s->options.statuses)
		spool_statuses_forget(&s->index.statuses, i->id);
	return 0;
}

int
recovery_report_all(struct spool *s, const struct spool_recovery *r,
    struct kept_envelopes *envelopes, struct recovery_report *out)
{
	for (struct segment *g = s->index.oldest; g; g = g->next)
		for (struct stored_message *i = g->messages; i; i = stored_message_next(i))
			if (recovery_report_one(s, r, i, envelopes, out) != 0)
				return -1;
	for (struct spool_note *n = s->index.notes; n; n = n->next)
		r->note(n->name, n->value, r->arg);
	return 0;
}

void
recovery_report_set_aside(struct spool *s, const struct recovery_report *t)
{
	char id[ID_NUMBER_TEXT_BYTES];
	struct frame_entry record;

	for (size_t n = 0; n < t->count; n++) {
		struct stored_message *i = index_find(&s->index, t->not_understood[n]);
		int error = i ? stored_message_read(i, s->io, &s->buffer, &record) : ENOENT;

		metrics_progress();
		if (error)
			log_error("spool: message %s: its envelope is not understood, and it "
				  "cannot be read now to be set aside: %s; it stays in the spool, "
				  "is not delivered, and the next start tries again",
			    msgid_text(t->not_understood[n], 0, id), spool_fault_text(error));
		else
			set_aside_message(s, i, &record);
	}
}

void
recovery_report_clear(struct recovery_report *t)
{
	mem_free(t->not_understood);
	*t = (struct recovery_report){0};
}
