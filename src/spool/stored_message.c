/*
 * stored_message: a message is in the list of the segment of its record, which counts its bytes as
 * live.  A read is judged by the number of checksum errors in a row.
 */
#include "spool/stored_message.h"

#include <errno.h>

#include "base/mem.h"
#include "spool/spool_fault.h"

enum { STORED_MESSAGE_MISMATCHES_PROVE = 2 };

/* A value that the width of its field allows (see the assertion in the header). */
#define STORED_MESSAGE_FIELD(value, bits) ((uint64_t)(value) & (((uint64_t)1 << (bits)) - 1))

struct stored_message *
stored_message_new(struct slab *slab, struct msgid id, uint32_t recipient_count)
{
	struct stored_message *i = slab_new(slab);

	i->id = id;
	i->next_in_bucket = 0;
	i->recipient_count = STORED_MESSAGE_FIELD(recipient_count, STORED_MESSAGE_COUNT_BITS);
	return i;
}

struct stored_message_extra *
stored_message_ensure_extra(struct stored_message *i)
{
	if (!i->extra)
		i->extra = MEM_NEW(struct stored_message_extra);
	return i->extra;
}

const struct stored_message_extra *
stored_message_extra(const struct stored_message *i)
{
	static const struct stored_message_extra none;

	return i->extra ? i->extra : &none;
}

void
stored_message_drop_extra(struct stored_message *i)
{
	const struct stored_message_extra *x = stored_message_extra(i);

	if (x->read_task || x->copy || x->lost_task || x->wait || x->held_why.p || x->body_bytes ||
	    x->settled)
		return;
	mem_free(i->extra);
	i->extra = NULL;
}

uint64_t
stored_message_body_bytes(const struct stored_message *i)
{
	return i->in_file ? stored_message_extra(i)->body_bytes : i->body_bytes_inline;
}

void
stored_message_set_sizes(struct stored_message *i, const struct frame_entry *r)
{
	const struct spool_entry *e = &r->entry;

	i->is_lost = e->message.is_lost;
	i->in_file = e->message.in_file;
	i->envelope_bytes =
	    STORED_MESSAGE_FIELD(e->message.envelope.n, STORED_MESSAGE_SIZE_BITS);
	i->header_bytes = STORED_MESSAGE_FIELD(e->message.header.n, STORED_MESSAGE_SIZE_BITS);
	i->body_bytes_inline = i->in_file ? 0 : (uint32_t)r->body_bytes;
	if (i->in_file)
		stored_message_ensure_extra(i)->body_bytes = r->body_bytes;
	else if (i->extra)
		i->extra->body_bytes = 0;
	stored_message_drop_extra(i);
}

static struct stored_message *
stored_message_at(const struct stored_message *i, uint32_t number)
{
	return slab_at(slab_of(i), number);
}

struct stored_message *
stored_message_next(const struct stored_message *i)
{
	return stored_message_at(i, i->next);
}

static void
stored_message_leave_segment(struct stored_message *i)
{
	struct stored_message *next, *previous;
	struct segment *s = i->segment;

	if (!s)
		return;
	next = stored_message_at(i, i->next);
	previous = stored_message_at(i, i->previous);
	if (s->next_to_copy == i)
		s->next_to_copy = next;
	if (next)
		next->previous = i->previous;
	else
		s->last_message = previous;
	if (previous)
		previous->next = i->next;
	else
		s->messages = next;
	s->live_count--;
	s->live_bytes -= i->frame_bytes;
	i->next = i->previous = 0;
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
	if ((*i)->extra) {
		stored_message_set_text(&(*i)->extra->held_why, STR_NULL);
		mem_free((*i)->extra->settled);
		mem_free((*i)->extra);
	}
	slab_free(slab_of(*i), *i);
	*i = NULL;
}

void
stored_message_move(
    struct stored_message *i, struct segment *s, uint32_t offset, uint32_t frame_bytes)
{
	stored_message_leave_segment(i);
	i->segment = s;
	i->offset = offset;
	i->frame_bytes = STORED_MESSAGE_FIELD(frame_bytes, STORED_MESSAGE_SIZE_BITS);
	i->previous = s->last_message ? slab_number(s->last_message) : 0;
	if (s->last_message)
		s->last_message->next = slab_number(i);
	else
		s->messages = i;
	s->last_message = i;
	s->live_count++;
	s->live_bytes += frame_bytes;
}

/* The only recipient of a message needs no bit: the count says it. */
bool
stored_message_has_settled(const struct stored_message *i, uint32_t number)
{
	const uint64_t *settled = stored_message_extra(i)->settled;

	if (i->recipient_count == 1)
		return i->settled_count == 1;
	return settled && settled[(number - 1) / 64] >> (number - 1) % 64 & 1;
}

void
stored_message_settle(struct stored_message *i, uint32_t number)
{
	struct stored_message_extra *x;

	if (number < 1 || number > i->recipient_count || stored_message_has_settled(i, number))
		return;
	i->settled_count++;
	if (i->recipient_count == 1)
		return;
	x = stored_message_ensure_extra(i);
	if (!x->settled)
		x->settled = mem_new((i->recipient_count + 63) / 64 * sizeof *x->settled);
	x->settled[(number - 1) / 64] |= (uint64_t)1 << (number - 1) % 64;
}

int64_t
stored_message_set_unreadable(struct stored_message *i, int64_t now_ms)
{
	struct stored_message_extra *x = stored_message_ensure_extra(i);

	if (!x->wait) {
		x->wait = MEM_NEW(struct stored_message_wait);
		x->wait->since_ms = now_ms;
	}
	return now_ms - x->wait->since_ms;
}

void
stored_message_set_readable(struct stored_message *i)
{
	if (!stored_message_extra(i)->wait)
		return;
	if (i->segment) {
		i->segment->retry_ms = 0;
		i->segment->is_pass_done = false;
	}
	mem_free(i->extra->wait);
	i->extra->wait = NULL;
	stored_message_drop_extra(i);
}

void
stored_message_set_hold(struct stored_message *i, bool is_held, struct str why)
{
	i->is_held = is_held;
	if (why.n || i->extra)
		stored_message_set_text(&stored_message_ensure_extra(i)->held_why, why);
	stored_message_drop_extra(i);
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
	    .body_bytes = stored_message_body_bytes(i),
	    .is_held = i->is_held,
	    .held_why = stored_message_extra(i)->held_why,
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
