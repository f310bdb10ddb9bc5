/*
 * stored_message: see the header.
 */
#include "spool/stored_message.h"

#include <errno.h>

#include "base/mem.h"
#include "spool/spool_fault.h"

enum { MISMATCHES_PROVE = 2 };

struct item *
item_new(struct msgid id, uint32_t recipient_count)
{
	struct item *i = MEM_NEW(struct item);

	i->id = id;
	i->recipient_count = recipient_count;
	return i;
}

static void
leave_segment(struct item *i)
{
	struct segment *s = i->segment;

	if (!s)
		return;
	if (s->copies_next == i)
		s->copies_next = i->next;
	if (i->next)
		i->next->previous = i->previous;
	else
		s->last_item = i->previous;
	if (i->previous)
		i->previous->next = i->next;
	else
		s->items = i->next;
	s->live_count--;
	s->live_bytes -= i->frame_bytes;
	i->next = i->previous = NULL;
	i->segment = NULL;
}

static void
own(struct str *at, struct str value)
{
	char *before = (char *)(uintptr_t)at->p;

	*at = value.n ? str_make(mem_text(value.p, value.n), value.n) : STR_NULL;
	mem_free(before);
}

void
item_free(struct item **i)
{
	if (!*i)
		return;
	item_set_readable(*i);
	leave_segment(*i);
	own(&(*i)->held_why, STR_NULL);
	for (uint32_t n = 0; (*i)->recipients && n < (*i)->recipient_count; n++)
		own(&(*i)->recipients[n].detail, STR_NULL);
	mem_free((*i)->recipients);
	mem_free(*i);
	*i = NULL;
}

void
item_move(struct item *i, struct segment *s, uint32_t offset, uint32_t frame_bytes)
{
	leave_segment(i);
	i->segment = s;
	i->offset = offset;
	i->frame_bytes = frame_bytes;
	i->previous = s->last_item;
	if (s->last_item)
		s->last_item->next = i;
	else
		s->items = i;
	s->last_item = i;
	s->live_count++;
	s->live_bytes += frame_bytes;
}

static void
make_recipients(struct item *i)
{
	i->recipients = mem_new(i->recipient_count * sizeof *i->recipients);
	for (uint32_t n = 0; n < i->recipient_count; n++)
		i->recipients[n].number = n + 1;
}

void
item_set_status(struct item *i, const struct spool_recipient *status)
{
	struct spool_recipient *r;
	struct str detail;
	bool was_settled;

	if (status->number < 1 || status->number > i->recipient_count)
		return;
	if (!i->recipients)
		make_recipients(i);
	r = &i->recipients[status->number - 1];
	was_settled = r->is_settled;
	i->settled_count += !was_settled && status->is_settled;
	detail = r->detail;
	*r = *status;
	r->is_settled |= was_settled;
	r->detail = detail;
	own(&r->detail, status->detail);
}

int64_t
item_set_unreadable(struct item *i, int64_t now_ms)
{
	if (!i->wait) {
		i->wait = MEM_NEW(struct item_wait);
		i->wait->since_ms = now_ms;
	}
	return now_ms - i->wait->since_ms;
}

void
item_set_readable(struct item *i)
{
	if (i->wait && i->segment) {
		i->segment->retry_ms = 0;
		i->segment->is_looked_through = false;
	}
	mem_free(i->wait);
	i->wait = NULL;
}

void
item_set_hold(struct item *i, bool is_held, struct str why)
{
	i->is_held = is_held;
	own(&i->held_why, why);
}

bool
item_is_settled(const struct item *i)
{
	return i->settled_count == i->recipient_count;
}

void
item_describe(const struct item *i, struct spool_message *out)
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
find_message(struct msgid id, struct str payload, struct record *out)
{
	bool bad;

	while (record_next(&payload, out, &bad))
		if (out->type == RECORD_MESSAGE && msgid_eq(out->entry.id, id))
			return true;
	return false;
}

bool
item_where(const struct item *i, struct item_place *out)
{
	if (!i->segment)
		return false;
	*out = (struct item_place){
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
item_is_at(const struct item *i, const struct segment *s, const struct item_place *place)
{
	return i->segment == s && i->offset == place->offset;
}

int
item_fetch(const struct item_place *place, struct fsio *io, struct buf *room, struct record *out)
{
	struct record_frame f;
	struct iovec v = {.iov_len = place->frame_bytes};
	struct str payload;

	buf_reset(room);
	v.iov_base = buf_room(room, place->frame_bytes);
	if (!v.iov_base)
		return EMSGSIZE;
	if (fsio_read_all(io, place->fd, v, place->offset, &room->n) != 0)
		return errno;
	if (!record_frame_check(buf_str(room), place->tag, &f))
		return EBADMSG;
	payload = str_upto(str_from(buf_str(room), RECORD_HEADER_BYTES), f.payload_bytes);
	return find_message(place->id, payload, out) ? 0 : EBADMSG;
}

int
item_judge(struct item *i, int error)
{
	if (error == 0)
		i->mismatches = 0;
	if (error != EBADMSG)
		return error;
	if (i->mismatches < MISMATCHES_PROVE)
		i->mismatches++;
	return i->mismatches < MISMATCHES_PROVE ? FINDING_MISREAD : EBADMSG;
}

int
item_read(struct item *i, struct fsio *io, struct buf *room, struct record *out)
{
	struct item_place place;

	if (!item_where(i, &place))
		return ENOENT;
	return item_judge(i, item_fetch(&place, io, room, out));
}
