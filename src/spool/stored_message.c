/*
 * stored_message: a message is in the list of the segment of its record, which counts its bytes as
 * live.  A read is judged by the number of checksum errors in a row.
 */
#include "spool/stored_message.h"

#include <errno.h>

#include "base/mem.h"
#include "spool/spool_fault.h"

enum { STORED_MESSAGE_MISMATCHES_PROVE = 2 };

struct stored_message *
stored_message_new(struct msgid id, uint32_t recipient_count)
{
	struct stored_message *i = MEM_NEW(struct stored_message);

	i->id = id;
	i->recipient_count = recipient_count;
	return i;
}

static void
stored_message_leave_segment(struct stored_message *i)
{
	struct segment *s = i->segment;

	if (!s)
		return;
	if (s->next_to_copy == i)
		s->next_to_copy = i->next;
	if (i->next)
		i->next->previous = i->previous;
	else
		s->last_message = i->previous;
	if (i->previous)
		i->previous->next = i->next;
	else
		s->messages = i->next;
	s->live_count--;
	s->live_bytes -= i->frame_bytes;
	i->next = i->previous = NULL;
	i->segment = NULL;
}

static void
stored_message_set_text(struct str *at, struct str value)
{
	char *before = (char *)(uintptr_t)at->p;

	*at = value.n ? str_make(mem_text(value.p, value.n), value.n) : STR_NULL;
	mem_free(before);
}

void
stored_message_free(struct stored_message **i)
{
	if (!*i)
		return;
	stored_message_set_readable(*i);
	stored_message_leave_segment(*i);
	stored_message_set_text(&(*i)->held_why, STR_NULL);
	for (uint32_t n = 0; (*i)->recipients && n < (*i)->recipient_count; n++)
		stored_message_set_text(&(*i)->recipients[n].detail, STR_NULL);
	mem_free((*i)->recipients);
	mem_free(*i);
	*i = NULL;
}

void
stored_message_move(
    struct stored_message *i, struct segment *s, uint32_t offset, uint32_t frame_bytes)
{
	stored_message_leave_segment(i);
	i->segment = s;
	i->offset = offset;
	i->frame_bytes = frame_bytes;
	i->previous = s->last_message;
	if (s->last_message)
		s->last_message->next = i;
	else
		s->messages = i;
	s->last_message = i;
	s->live_count++;
	s->live_bytes += frame_bytes;
}

static void
stored_message_make_recipients(struct stored_message *i)
{
	i->recipients = mem_new(i->recipient_count * sizeof *i->recipients);
	for (uint32_t n = 0; n < i->recipient_count; n++)
		i->recipients[n].number = n + 1;
}

void
stored_message_set_status(struct stored_message *i, const struct spool_recipient *status)
{
	struct spool_recipient *r;
	struct str detail;
	bool was_settled;

	if (status->number < 1 || status->number > i->recipient_count)
		return;
	if (!i->recipients)
		stored_message_make_recipients(i);
	r = &i->recipients[status->number - 1];
	was_settled = r->is_settled;
	i->settled_count += !was_settled && status->is_settled;
	detail = r->detail;
	*r = *status;
	r->is_settled |= was_settled;
	r->detail = detail;
	stored_message_set_text(&r->detail, status->detail);
}

int64_t
stored_message_set_unreadable(struct stored_message *i, int64_t now_ms)
{
	if (!i->wait) {
		i->wait = MEM_NEW(struct stored_message_wait);
		i->wait->since_ms = now_ms;
	}
	return now_ms - i->wait->since_ms;
}

void
stored_message_set_readable(struct stored_message *i)
{
	if (i->wait && i->segment) {
		i->segment->retry_ms = 0;
		i->segment->is_pass_done = false;
	}
	mem_free(i->wait);
	i->wait = NULL;
}

void
stored_message_set_hold(struct stored_message *i, bool is_held, struct str why)
{
	i->is_held = is_held;
	stored_message_set_text(&i->held_why, why);
}

bool
stored_message_is_settled(const struct stored_message *i)
{
	return i->settled_count == i->recipient_count;
}

void
stored_message_describe(const struct stored_message *i, struct spool_message *out)
{
	*out = (struct spool_message){
	    .id = i->id,
	    .recipient_count = i->recipient_count,
	    .header_bytes = i->header_bytes,
	    .body_bytes = i->body_bytes,
	    .is_held = i->is_held,
	    .held_why = i->held_why,
	    .recipients = i->recipients,
	};
}

static bool
find_message_in_frame(struct msgid id, struct str payload, struct frame_entry *out)
{
	bool bad;

	while (frame_next_entry(&payload, out, &bad))
		if (out->type == FRAME_MESSAGE && msgid_eq(out->entry.id, id))
			return true;
	return false;
}

bool
stored_message_locate(const struct stored_message *i, struct stored_message_position *out)
{
	if (!i->segment)
		return false;
	*out = (struct stored_message_position){
	    .id = i->id,
	    .slot = i->segment->slot,
	    .fd = i->segment->fd,
	    .tag = i->segment->tag,
	    .offset = i->offset,
	    .frame_bytes = i->frame_bytes,
	};
	return true;
}

bool
stored_message_is_at(const struct stored_message *i, const struct segment *s,
    const struct stored_message_position *position)
{
	return i->segment == s && i->offset == position->offset;
}

int
stored_message_read_at(const struct stored_message_position *position, struct fsio *io,
    struct buf *buffer, struct frame_entry *out)
{
	struct frame_header f;
	struct iovec v = {.iov_len = position->frame_bytes};
	struct str payload;

	buf_reset(buffer);
	v.iov_base = buf_room(buffer, position->frame_bytes);
	if (!v.iov_base)
		return EMSGSIZE;
	if (fsio_read_all(io, position->fd, v, position->offset, &buffer->n) != 0)
		return errno;
	if (!frame_check(buf_str(buffer), position->tag, &f))
		return EBADMSG;
	payload = str_upto(str_from(buf_str(buffer), FRAME_HEADER_BYTES), f.payload_bytes);
	return find_message_in_frame(position->id, payload, out) ? 0 : EBADMSG;
}

int
stored_message_judge_read(struct stored_message *i, int error)
{
	if (error == 0)
		i->mismatches = 0;
	if (error != EBADMSG)
		return error;
	if (i->mismatches < STORED_MESSAGE_MISMATCHES_PROVE)
		i->mismatches++;
	return i->mismatches < STORED_MESSAGE_MISMATCHES_PROVE ? SPOOL_FAULT_MISREAD : EBADMSG;
}

int
stored_message_read(
    struct stored_message *i, struct fsio *io, struct buf *buffer, struct frame_entry *out)
{
	struct stored_message_position position;

	if (!stored_message_locate(i, &position))
		return ENOENT;
	return stored_message_judge_read(i, stored_message_read_at(&position, io, buffer, out));
}
