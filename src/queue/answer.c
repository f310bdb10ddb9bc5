/*
 * answer: see the header.
 */
#include "queue/answer.h"

#include <errno.h>
#include <fcntl.h>

#include "base/log.h"
#include "base/mem.h"

static void
settle_entry(struct spool *s, const struct record *r, const struct index_place *at)
{
	struct item *item;
	struct note *note;

	if (r->type == RECORD_NOTE) {
		note = index_find_note(&s->index, r->entry.note.name);
		if (note && note->open > 0)
			note->open--;
		if (at)
			index_apply(&s->index, r, at);
		return;
	}
	if (!record_is_known((uint32_t)r->type)) {
		if (at)
			index_apply(&s->index, r, at);
		else
			unknown_not_moved(&s->index.unknown, r);
		return;
	}
	item = index_find(&s->index, r->entry.id);
	if (!item)
		return;
	item->open--;
	if (at)
		index_apply(&s->index, r, at);
	else
		index_review(&s->index, item);
}

/* What became durable is applied by the function that replays it after a crash. */
static void
settle_commit(struct spool *s, const struct batch *b, const struct commit *c)
{
	struct str rest = batch_payload(b, c);
	struct index_place at = {
	    c->segment, c->offset, RECORD_HEADER_BYTES + c->payload_bytes, rest};
	struct record r;
	bool bad;

	while (record_next(&rest, &r, &bad))
		settle_entry(s, &r, c->error ? NULL : &at);
	s->waiting_bytes -= c->span;
	s->stats.commits += !c->error;
	s->stats.failed += c->error != 0;
}

static void
answer_batch(struct spool *s, struct batch *b)
{
	for (struct segment *g = b->opened, *next; g; g = next) {
		next = g->next;
		index_add_segment(&s->index, g);
	}
	s->stats.syncs += b->syncs;
	s->stats.sync_ms += b->sync_ms;
	s->answering = b;
	for (size_t i = 0; i < b->count; i++) {
		settle_commit(s, b, &b->commits[i]);
		if (b->commits[i].fn)
			b->commits[i].fn(b->commits[i].error, b->commits[i].arg);
	}
	s->answering = NULL;
}

/* The body's descriptor, -1 with errno; EBADMSG: what was stored is not there any more. */
static int
open_body(struct spool *s, const struct item *i, const char *name)
{
	int fd = s->io->ops->open(s->io, name, O_RDONLY), error;
	off_t bytes;

	if (fd < 0) {
		errno = errno == ENOENT ? EBADMSG : errno;
		return -1;
	}
	if (s->io->ops->size(s->io, fd, &bytes) != 0)
		error = errno;
	else if ((uint64_t)bytes != i->body_bytes)
		error = EBADMSG;
	else
		return fd;
	s->io->ops->close(s->io, fd);
	errno = error;
	return -1;
}

static void
answer_unreadable(const struct reading *r, const char *file, uint32_t offset, int error)
{
	char id[ID_NUMBER_TEXT_BYTES];

	if (error == EBADMSG)
		log_error("spool: message %s is damaged: %s, offset %u: what stands there is not "
			  "what was stored", msgid_text(r->id, 0, id), file, offset);
	else
		log_error("spool: message %s cannot be read now: %s, offset %u: %s",
		    msgid_text(r->id, 0, id), file, offset, strerror(error));
	r->fn(NULL, error, r->arg);
}

static void
answer_reading(struct spool *s, const struct reading *r)
{
	struct item *i = index_find(&s->index, r->id);
	struct spool_content content = {.fd = -1};
	char name[WRITER_FILE_NAME_BYTES];
	struct record record;
	int error = i ? item_read(i, s->io, &s->room, &record) : ENOENT;

	if (error == ENOENT) {
		r->fn(NULL, error, r->arg);
		return;
	}
	if (error) {
		answer_unreadable(r, segment_name(i->segment->slot, name), i->offset, error);
		return;
	}
	if (i->in_file)
		content.fd = open_body(s, i, writer_file_name(i->id, name));
	if (i->in_file && content.fd < 0) {
		answer_unreadable(r, name, 0, errno);
		return;
	}
	content.envelope = record.entry.message.envelope;
	content.header = record.entry.message.header;
	content.body = record.entry.message.body;
	content.sums = record.entry.message.sums;
	r->fn(&content, 0, r->arg);
}

/* Those asked for meanwhile have their turn in the next round. */
static void
answer_readings(struct spool *s)
{
	struct reading *r;
	size_t count = 0;

	for (r = s->readings; r; r = r->next)
		count++;
	while (count-- > 0 && (r = s->readings)) {
		s->readings = r->next;
		answer_reading(s, r);
		mem_free(r);
	}
}

void
answer_all(struct spool *s)
{
	struct batch *b = writer_done(&s->writer), *next;

	for (; b; b = next) {
		next = b->next;
		answer_batch(s, b);
		writer_reuse(&s->writer, b);
	}
	answer_readings(s);
}
