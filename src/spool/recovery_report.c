/*
 * recovery_report: see the header.
 */
#include "spool/recovery_report.h"

#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "spool/replay.h"
#include "spool/set_aside.h"
#include "spool/spool_fault.h"

/* A moment ago replay could read it: what fails now is the system, not the message. */
static int
recover_tell_refuse(const struct item *i, int error)
{
	char id[ID_NUMBER_TEXT_BYTES], name[SEGMENT_NAME_BYTES];

	log_error("spool: message %s was read once and cannot be read again",
	    msgid_text(i->id, 0, id));
	errno = error;
	return replay_refuse(segment_name(i->segment->slot, name), i->offset);
}

static void
recover_tell_add(struct recover_tell *t, struct msgid id)
{
	if (t->count == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 16;
		t->strange = mem_grow(t->strange, t->cap * sizeof *t->strange);
	}
	t->strange[t->count++] = id;
}

static int
recover_tell_one(struct spool *s, const struct spool_recovery *r, struct item *i,
    struct recover_tell *out)
{
	struct spool_message m;
	struct record record;
	int error;

	metrics_work_id("recover: schedule", i->id);
	metrics_progress();
	error = item_read(i, s->io, &s->room, &record);
	if (error)
		return recover_tell_refuse(i, error);
	item_describe(i, &m);
	m.envelope = record.entry.message.envelope;
	if (!r->message(&m, r->arg))
		recover_tell_add(out, i->id);
	return 0;
}

int
recover_tell_all(struct spool *s, const struct spool_recovery *r, struct recover_tell *out)
{
	for (struct segment *g = s->index.oldest; g; g = g->next)
		for (struct item *i = g->items; i; i = i->next)
			if (recover_tell_one(s, r, i, out) != 0)
				return -1;
	for (struct note *n = s->index.notes; n; n = n->next)
		r->note(n->name, n->value, r->arg);
	return 0;
}

void
recover_tell_aside(struct spool *s, const struct recover_tell *t)
{
	char id[ID_NUMBER_TEXT_BYTES];
	struct record record;

	for (size_t n = 0; n < t->count; n++) {
		struct item *i = index_find(&s->index, t->strange[n]);
		int error = i ? item_read(i, s->io, &s->room, &record) : ENOENT;

		metrics_progress();
		if (error)
			log_error("spool: message %s: its envelope is not understood, and it "
				  "cannot be read now to be set aside: %s; it stays in the spool, "
				  "is not delivered, and the next start tries again",
			    msgid_text(t->strange[n], 0, id), finding_text(error));
		else
			aside_put(s, i, &record);
	}
}

void
recover_tell_clear(struct recover_tell *t)
{
	mem_free(t->strange);
	*t = (struct recover_tell){0};
}
