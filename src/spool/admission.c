/*
 * admission: checks the bounds of every field, and the room on the disk.
 */
#include "spool/admission.h"

#include <errno.h>

#include "base/clock.h"

enum { ADMISSION_FRAME_OVERHEAD = 512, ADMISSION_STATUS_BYTES = 64 + SPOOL_DETAIL_MAX };

/* Segments that hold nothing are room for messages, so their bytes count as free.  A body file
 * needs room outside of them.  The reserve segment holds nothing either; but while messages get no
 * segment and none is idle, there is no reserve. */
void
spool_space(struct spool *s, struct disk_space *out)
{
	struct spool_writer *w = &s->writer;
	uint32_t segment_bytes = w->pool.bytes;

	if (s->options.threadless)
		writer_check_disk(w);
	*out = (struct disk_space){.free_bytes = atomic_load(&w->free_bytes),
	    .all_bytes = atomic_load(&w->disk_bytes),
	    .idle_bytes = atomic_load(&w->idle_bytes),
	    .segment_bytes = segment_bytes};
	out->share_bytes = disk_space_share_bytes(out->all_bytes, s->options.minimum_free_percent);
	out->reserve_bytes = out->idle_bytes ? 0 : segment_bytes;
	s->stats.disk_free_bytes = out->free_bytes;
	s->stats.disk_total_bytes = out->all_bytes;
}

int
admission_check_file(struct spool *s)
{
	return spool_admits_bodies(s, 0);
}

int
spool_admits_bodies(struct spool *s, uint64_t bytes)
{
	struct disk_space d;

	spool_space(s, &d);
	if (d.all_bytes == 0)
		return EIO;
	return d.free_bytes >= d.share_bytes + bytes ? 0 : ENOSPC;
}

uint64_t
spool_bodies_room(struct spool *s)
{
	struct disk_space d;

	spool_space(s, &d);
	if (d.all_bytes == 0)
		return UINT64_MAX;
	return d.free_bytes > d.share_bytes ? d.free_bytes - d.share_bytes : 0;
}

int
spool_admits(struct spool *s)
{
	struct disk_space d;

	spool_space(s, &d);
	if (!disk_space_has_share(&d))
		return ENOSPC;
	if (atomic_load(&s->writer.is_full))
		return atomic_load(&s->writer.full_error);
	return s->waiting_bytes >= SPOOL_WAITING_MAX ? EAGAIN : 0;
}

int
spool_admits_reports(struct spool *s)
{
	if (atomic_load(&s->writer.is_full_for_reports))
		return atomic_load(&s->writer.full_error);
	return s->waiting_bytes >= SPOOL_WAITING_MAX ? EAGAIN : 0;
}

void
spool_set_minimum_free(struct spool *s, uint32_t percent)
{
	s->options.minimum_free_percent = percent;
	atomic_store(&s->writer.pool.minimum_free_percent, percent);
}

/* Compaction must be able to copy every stored message: with all its statuses, in one frame, into
 * any segment. */
static int
check_new_message(const struct spool *s, const struct spool_entry *e)
{
	size_t bytes_max = frame_entry_bytes(e) + ADMISSION_FRAME_OVERHEAD + SPOOL_DETAIL_MAX +
	    (size_t)e->message.recipient_count * ADMISSION_STATUS_BYTES;
	uint32_t room = s->writer.pool.bytes / 8 * 7 - SEGMENT_DATA;
	uint64_t body_bytes;

	if (e->message.in_file) {
		if (spool_file_bytes((struct spool *)(uintptr_t)s, e->message.fd, &body_bytes) != 0)
			return errno;
		if (body_bytes > FRAME_BODY_MAX)
			return EMSGSIZE;
		bytes_max += frame_parts_bytes(body_bytes);
	}
	if (e->message.recipient_count < 1 || e->message.recipient_count > SPOOL_RECIPIENTS_MAX ||
	    e->id.number == 0)
		return EINVAL;
	if (index_find(&s->index, e->id))
		return EEXIST;
	return bytes_max > FRAME_PAYLOAD_MAX || bytes_max > room ? EMSGSIZE : 0;
}

/* The message with the id of e that the same batch brings before e; NULL if there is none. */
static const struct spool_entry *
find_earlier_in_batch(const struct spool_batch *b, const struct spool_entry *e)
{
	for (const struct spool_entry *m = b->entries; m < e; m++)
		if (m->kind == SPOOL_MESSAGE && msgid_eq(m->id, e->id))
			return m;
	return NULL;
}

static int
check_new_status(const struct spool *s, const struct spool_batch *b, const struct spool_entry *e)
{
	const struct stored_message *i = index_find(&s->index, e->id);
	const struct spool_entry *new = i ? NULL : find_earlier_in_batch(b, e);
	uint32_t count = i ? i->recipient_count : new ? new->message.recipient_count : 0;

	if (count == 0)
		return ENOENT;
	if (e->kind == SPOOL_HOLD)
		return e->hold.why.n <= SPOOL_DETAIL_MAX ? 0 : EINVAL;
	return e->status.number >= 1 && e->status.number <= count &&
	    e->status.detail.n <= SPOOL_DETAIL_MAX ? 0 : EINVAL;
}

static int
check_new_note(const struct spool *s, const struct spool_entry *e)
{
	struct str name = e->note.name;

	if (name.n < 1 || name.n > SPOOL_NAME_MAX || e->note.value.n > SPOOL_NOTE_MAX)
		return EINVAL;
	if (s->index.note_count >= INDEX_NOTES_MAX && !index_find_note(&s->index, name))
		return EINVAL;
	return 0;
}

static int
check_new_entry(const struct spool *s, const struct spool_batch *b, const struct spool_entry *e)
{
	switch (e->kind) {
	case SPOOL_MESSAGE:
		return find_earlier_in_batch(b, e) ? EEXIST : check_new_message(s, e);
	case SPOOL_STATUS:
	case SPOOL_HOLD:
		return check_new_status(s, b, e);
	case SPOOL_NOTE:
		return check_new_note(s, e);
	case SPOOL_UNKNOWN:
		break;
	}
	return EINVAL;
}

static int
check_batch_size(const struct spool *s, const struct spool_batch *b)
{
	uint32_t room = s->writer.pool.bytes / 8 * 7 - SEGMENT_DATA - ADMISSION_FRAME_OVERHEAD;
	size_t bytes = 0;

	for (size_t i = 0; i < b->count; i++)
		bytes += frame_entry_bytes(&b->entries[i]);
	return bytes > FRAME_PAYLOAD_MAX || bytes > room ? EMSGSIZE : 0;
}

/* A batch brings at most one body file. */
int
admission_check_batch(struct spool *s, const struct spool_batch *b, int *file_out)
{
	bool is_bulk = false;
	int error = b->count < 1 || b->count > SPOOL_ENTRIES_MAX ? EINVAL : 0;

	*file_out = -1;
	for (size_t i = 0; i < b->count && !error; i++) {
		const struct spool_entry *e = &b->entries[i];

		error = check_new_entry(s, b, e);
		if (e->kind != SPOOL_MESSAGE)
			continue;
		is_bulk = true;
		if (e->message.in_file && *file_out >= 0)
			error = EINVAL;
		if (e->message.in_file)
			*file_out = e->message.fd;
	}
	if (!error)
		error = check_batch_size(s, b);
	if (!error && *file_out >= 0)
		error = admission_check_file(s);
	if (!error && is_bulk)
		error = b->urgency == SPOOL_REPORT ? spool_admits_reports(s) : spool_admits(s);
	return !error && s->waiting_bytes >= SPOOL_WAITING_MAX ? EAGAIN : error;
}
