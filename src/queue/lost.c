/*
 * lost: see the header.  The order is: file and second name of the body, directory, record.  A
 * crash between any two of them leaves the message as it was.
 */
#include "queue/lost.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "queue/store.h"

enum { NAME_BYTES = 64, HEAD_BYTES = 512, HOLES_MAX = 16 };

void
lost_listen(struct spool *s, lost_found_fn *fn, void *arg)
{
	s->lost_fn = fn;
	s->lost_arg = arg;
}

/* ---- the file ---- */

/* The record, a page at a time; what cannot be read is zero.  Returns how many bytes that is.  A
 * disk may need seconds for each page that it cannot read: after some of them the rest is left. */
static uint32_t
lost_salvage(struct spool *s, const struct item *i, char *to)
{
	uint32_t unread = 0, n;
	unsigned holes = 0;
	size_t got;

	memset(to, 0, i->frame_bytes);
	for (uint32_t at = 0; at < i->frame_bytes; at += n) {
		uint64_t place = (uint64_t)i->offset + at;
		struct iovec v = {to + at, 0};

		n = SEGMENT_SALVAGE_BYTES - (uint32_t)(place % SEGMENT_SALVAGE_BYTES);
		n = n < i->frame_bytes - at ? n : i->frame_bytes - at;
		v.iov_len = n;
		if (holes < HOLES_MAX && segment_read(s->io, i->segment->fd, v, (off_t)place,
					     &got) == 0)
			continue;
		memset(to + at, 0, n);
		unread += n;
		holes++;
	}
	return unread;
}

static int
lost_write(struct spool *s, int fd, const struct item *i, char *bytes, uint32_t unread)
{
	char head[HEAD_BYTES], id[ID_NUMBER_TEXT_BYTES], name[SEGMENT_NAME_BYTES];
	int n = snprintf(head, sizeof head,
	    "Sallyport: what can be read of a message whose stored record is damaged.\n"
	    "id: %s\nrecipients: %u\n"
	    "record: %u bytes from %s, offset %u; %u of them cannot be read and are zero here\n"
	    "envelope: %u bytes\nheader: %u bytes\nbody: %llu bytes%s\n\n",
	    msgid_text(i->id, 0, id), i->recipient_count, i->frame_bytes,
	    segment_name(i->segment->slot, name), i->offset, unread, i->envelope_bytes,
	    i->header_bytes, (unsigned long long)i->body_bytes,
	    i->in_file ? ", in a file of its own" : "");
	struct iovec v[2] = {{head, (size_t)n}, {bytes, i->frame_bytes}};

	if (segment_write(s->io, fd, v, 2, 0) != 0)
		return -1;
	return s->io->ops->sync_data(s->io, fd);
}

static int
lost_keep_record(struct spool *s, const struct item *i, const char *name, bool *is_new_out)
{
	char *bytes = mem_new(i->frame_bytes);
	uint32_t unread = lost_salvage(s, i, bytes);
	struct fsio_file file;
	int fd, result = -1, error;

	*is_new_out = s->io->ops->inspect(s->io, name, &file) != 0;
	fd = s->io->ops->open(s->io, name, O_RDWR | O_CREAT | O_TRUNC);
	if (fd >= 0)
		result = lost_write(s, fd, i, bytes, unread);
	error = errno;
	if (fd >= 0)
		s->io->ops->close(s->io, fd);
	mem_free(bytes);
	errno = error;
	return result;
}

/* A second name: the first one goes with the message. */
static int
lost_keep_body(struct spool *s, const struct item *i)
{
	char from[WRITER_FILE_NAME_BYTES], to[NAME_BYTES];
	int fd, result, error;

	if (!i->in_file)
		return 0;
	snprintf(to, sizeof to, "%s.aside", writer_file_name(i->id, from));
	fd = s->io->ops->open(s->io, from, O_RDONLY);
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	result = s->io->ops->name(s->io, fd, to);
	error = errno;
	s->io->ops->close(s->io, fd);
	errno = error;
	return result == 0 || error == EEXIST ? 0 : -1;
}

static int
lost_keep(struct spool *s, const struct item *i)
{
	char name[NAME_BYTES], id[ID_NUMBER_TEXT_BYTES];
	bool is_new;
	int error;

	msgid_text(i->id, 0, id);
	snprintf(name, sizeof name, "%s.aside", id);
	if (lost_keep_record(s, i, name, &is_new) == 0 && lost_keep_body(s, i) == 0 &&
	    s->io->ops->sync_directory(s->io) == 0) {
		s->stats.set_aside += is_new;
		return 0;
	}
	error = errno;
	log_error("spool: message %s is damaged, and what is left of it cannot be written to %s "
		  "now: %s; it is tried again later", id, name, strerror(error));
	errno = error;
	return -1;
}

/* ---- the record ---- */

static void
lost_set_end(const struct lost *l, struct spool_entry *e)
{
	for (size_t n = 0; n < l->count; n++)
		if (l->ends[n].number == e->status.number)
			e->status = l->ends[n];
}

/* Its recipients' states as they are, but for those that come to their end by this. */
static int
lost_append(struct spool *s, const struct item *i, const struct lost *l)
{
	size_t count = 2 + i->recipient_count;
	struct spool_entry *entries = mem_new(count * sizeof *entries);
	struct spool_batch b = {
	    .entries = entries, .urgency = SPOOL_NOW, .fn = l->fn, .arg = l->arg};
	int result;

	entries[0] = (struct spool_entry){.kind = SPOOL_MESSAGE, .id = i->id};
	entries[0].message.recipient_count = i->recipient_count;
	entries[0].message.envelope = l->envelope;
	entries[0].message.is_lost = true;
	entries[0].message.fd = -1;
	entries[1] = (struct spool_entry){.kind = SPOOL_HOLD, .id = i->id};
	entries[1].hold.is_held = i->is_held;
	entries[1].hold.why = i->held_why;
	for (uint32_t n = 0; n < i->recipient_count; n++) {
		struct spool_entry *e = &entries[2 + n];

		*e = (struct spool_entry){.kind = SPOOL_STATUS, .id = i->id};
		if (i->recipients)
			e->status = i->recipients[n];
		e->status.number = n + 1;
		lost_set_end(l, e);
	}
	b.count = count;
	result = store_copy(s, &b, 0);
	mem_free(entries);
	return result;
}

/* 0: it cannot be read, as the caller said; else an errno.  That memory or descriptors are short
 * now says nothing of the disk. */
static int
lost_check(struct spool *s, struct item *i, int said)
{
	struct record r;
	int error;

	if (i->open > 0)
		return EBUSY;
	error = item_read(i, s->io, &s->room, &r);
	if (error == 0)
		return EEXIST;
	if (error == EBADMSG)
		return 0;
	return said == EBADMSG || error != EIO ? EAGAIN : 0;
}

int
lost_put(struct spool *s, const struct lost *l)
{
	struct item *i = index_find(&s->index, l->id);
	int error = i && i->segment ? lost_check(s, i, l->error) : ENOENT;

	if (error) {
		errno = error;
		return -1;
	}
	if (lost_keep(s, i) != 0)
		return -1;
	errno = EAGAIN;
	return lost_append(s, i, l);
}
