/*
 * frame: encoding and total decoding of frames and entries.
 */
#include "spool/frame.h"

#include <endian.h>

#include "base/block_sums.h"
#include "base/crc.h"

enum { MAGIC = 0x52465053 }; /* "SPFR" */

enum { MESSAGE_FIXED = 36, STATUS_FIXED = 36, HOLD_FIXED = 16, NOTE_FIXED = 4, SEAL_FIXED = 24 };

enum { MESSAGE_IN_FILE = 1, MESSAGE_LOST = 2 };

/* Parts behind the header of a message with a file: tag 4, length 4, contents. */
enum { PART_FIXED = 8, PART_SUMS = 1 };

static void
put16(struct buf *out, uint16_t v)
{
	v = htole16(v);
	buf_add(out, &v, sizeof v);
}

static void
put32(struct buf *out, uint32_t v)
{
	v = htole32(v);
	buf_add(out, &v, sizeof v);
}

static void
put64(struct buf *out, uint64_t v)
{
	v = htole64(v);
	buf_add(out, &v, sizeof v);
}

/* What is beyond the end reads as zero; the caller has checked the length of fixed parts. */
static uint64_t
take(struct str *s, size_t n)
{
	uint64_t v = 0;

	if (n <= s->n)
		memcpy(&v, s->p, n);
	*s = str_from(*s, n);
	return le64toh(v);
}

static bool
take_str(struct str *s, uint64_t n, struct str *out)
{
	if (n > s->n)
		return false;
	*out = str_upto(*s, n);
	*s = str_from(*s, n);
	return true;
}

static void
put_id(struct buf *out, struct msgid id)
{
	put64(out, id.session);
	put32(out, id.number);
}

static struct msgid
take_id(struct str *s)
{
	struct msgid id = {take(s, 8), 0};

	id.number = (uint32_t)take(s, 4);
	return id;
}

size_t
record_parts_bytes(uint64_t body_bytes)
{
	return PART_FIXED + sums_bytes(body_bytes);
}

static size_t
record_message_rest(const struct spool_entry *e, uint64_t body_bytes)
{
	if (!e->message.in_file)
		return e->message.body.n;
	return e->message.fd < 0 ? e->message.parts.n : record_parts_bytes(body_bytes);
}

static size_t
entry_length(const struct spool_entry *e, uint64_t body_bytes)
{
	switch (e->kind) {
	case SPOOL_MESSAGE:
		return MESSAGE_FIXED + e->message.envelope.n + e->message.header.n +
		    record_message_rest(e, body_bytes);
	case SPOOL_STATUS:
		return STATUS_FIXED + e->status.detail.n;
	case SPOOL_HOLD:
		return HOLD_FIXED + e->hold.why.n;
	case SPOOL_NOTE:
		return NOTE_FIXED + e->note.name.n + e->note.value.n;
	case SPOOL_UNKNOWN:
		return e->unknown.bytes.n;
	}
	return 0;
}

size_t
record_bytes(const struct spool_entry *e)
{
	return RECORD_ENTRY_BYTES + entry_length(e, 0);
}

static void
record_put_room(struct buf *out, uint64_t body_bytes)
{
	put32(out, PART_SUMS);
	put32(out, (uint32_t)sums_bytes(body_bytes));
	for (uint64_t n = 0; n < sums_bytes(body_bytes); n += SUMS_BYTES)
		put32(out, 0);
}

static void
put_message(struct buf *out, const struct spool_entry *e, uint64_t body_bytes)
{
	put_id(out, e->id);
	put32(out, e->message.recipient_count);
	put32(out, (e->message.in_file ? MESSAGE_IN_FILE : 0u) |
	        (e->message.is_lost ? MESSAGE_LOST : 0u));
	put32(out, (uint32_t)e->message.envelope.n);
	put32(out, (uint32_t)e->message.header.n);
	put64(out, body_bytes);
	buf_adds(out, e->message.envelope);
	buf_adds(out, e->message.header);
	if (!e->message.in_file)
		buf_adds(out, e->message.body);
	else if (e->message.fd < 0)
		buf_adds(out, e->message.parts);
	else
		record_put_room(out, body_bytes);
}

static void
put_status(struct buf *out, const struct spool_entry *e)
{
	const struct spool_recipient *r = &e->status;

	put_id(out, e->id);
	put32(out, r->number);
	buf_addc(out, (char)r->outcome);
	buf_addc(out, (char)r->is_settled);
	put16(out, 0);
	put32(out, r->attempts);
	put64(out, (uint64_t)r->next_ms);
	put32(out, r->marks);
	buf_adds(out, r->detail);
}

void
record_put(struct buf *out, const struct spool_entry *e, uint64_t body_bytes)
{
	put32(out, e->kind == SPOOL_UNKNOWN ? e->unknown.type : (uint32_t)e->kind + RECORD_MESSAGE);
	put32(out, (uint32_t)entry_length(e, body_bytes));
	switch (e->kind) {
	case SPOOL_MESSAGE:
		put_message(out, e, body_bytes);
		break;
	case SPOOL_STATUS:
		put_status(out, e);
		break;
	case SPOOL_HOLD:
		put_id(out, e->id);
		put32(out, e->hold.is_held);
		buf_adds(out, e->hold.why);
		break;
	case SPOOL_NOTE:
		put32(out, (uint32_t)e->note.name.n);
		buf_adds(out, e->note.name);
		buf_adds(out, e->note.value);
		break;
	case SPOOL_UNKNOWN:
		buf_adds(out, e->unknown.bytes);
		break;
	}
}

void
record_put_seal(struct buf *out, const struct record_seal *seal)
{
	put32(out, RECORD_SEAL);
	put32(out, SEAL_FIXED);
	put64(out, seal->generation);
	put64(out, seal->last_sequence);
	put32(out, seal->end);
	put32(out, 0);
}

/* Parts of a kind that this version does not know are kept as they are. */
static bool
record_take_parts(struct str s, struct record *out)
{
	struct spool_entry *e = &out->entry;
	struct str part;

	e->message.parts = s;
	while (s.n) {
		uint64_t tag = take(&s, 4), n = take(&s, 4);

		if (!take_str(&s, n, &part))
			return false;
		if (tag != PART_SUMS)
			continue;
		if (part.n != sums_bytes(out->body_bytes))
			return false;
		e->message.sums = part;
	}
	return true;
}

static bool
take_message(struct str s, struct record *out)
{
	struct spool_entry *e = &out->entry;
	uint64_t flags, envelope, header;

	e->kind = SPOOL_MESSAGE;
	if (s.n < MESSAGE_FIXED)
		return false;
	e->id = take_id(&s);
	e->message.recipient_count = (uint32_t)take(&s, 4);
	flags = take(&s, 4);
	envelope = take(&s, 4);
	header = take(&s, 4);
	out->body_bytes = take(&s, 8);
	e->message.in_file = flags & MESSAGE_IN_FILE;
	e->message.is_lost = flags & MESSAGE_LOST;
	e->message.fd = -1;
	if (!take_str(&s, envelope, &e->message.envelope) ||
	    !take_str(&s, header, &e->message.header))
		return false;
	e->message.sums = e->message.parts = STR_NULL;
	e->message.body = e->message.in_file ? STR_NULL : s;
	if (out->body_bytes > INT64_MAX || (!e->message.in_file && s.n != out->body_bytes) ||
	    (e->message.in_file && !record_take_parts(s, out)))
		return false;
	return e->message.recipient_count >= 1 &&
	    e->message.recipient_count <= SPOOL_RECIPIENTS_MAX;
}

static bool
take_status(struct str s, struct record *out)
{
	struct spool_recipient *r = &out->entry.status;
	uint64_t outcome, settled;

	out->entry.kind = SPOOL_STATUS;
	if (s.n < STATUS_FIXED)
		return false;
	out->entry.id = take_id(&s);
	r->number = (uint32_t)take(&s, 4);
	outcome = take(&s, 1);
	settled = take(&s, 1);
	take(&s, 2);
	r->attempts = (uint32_t)take(&s, 4);
	r->next_ms = (int64_t)take(&s, 8);
	r->marks = (uint32_t)take(&s, 4);
	r->detail = s;
	if (outcome > SPOOL_FAILED || settled > 1 || s.n > SPOOL_DETAIL_MAX)
		return false;
	r->outcome = (enum spool_outcome)outcome;
	r->is_settled = settled;
	return r->number >= 1 && r->number <= SPOOL_RECIPIENTS_MAX;
}

static bool
take_hold(struct str s, struct record *out)
{
	uint64_t held;

	out->entry.kind = SPOOL_HOLD;
	if (s.n < HOLD_FIXED || s.n > HOLD_FIXED + SPOOL_DETAIL_MAX)
		return false;
	out->entry.id = take_id(&s);
	held = take(&s, 4);
	out->entry.hold.is_held = held;
	out->entry.hold.why = s;
	return held <= 1;
}

static bool
take_note(struct str s, struct record *out)
{
	uint64_t name;

	out->entry.kind = SPOOL_NOTE;
	if (s.n < NOTE_FIXED)
		return false;
	name = take(&s, 4);
	if (name == 0 || name > SPOOL_NAME_MAX || !take_str(&s, name, &out->entry.note.name))
		return false;
	out->entry.note.value = s;
	return s.n <= SPOOL_NOTE_MAX;
}

static bool
take_seal(struct str s, struct record *out)
{
	if (s.n != SEAL_FIXED)
		return false;
	out->seal.generation = take(&s, 8);
	out->seal.last_sequence = take(&s, 8);
	out->seal.end = (uint32_t)take(&s, 4);
	return true;
}

static bool
take_entry(uint64_t type, struct str s, struct record *out)
{
	out->type = (enum record_type)type;
	switch (type) {
	case RECORD_MESSAGE:
		return take_message(s, out);
	case RECORD_STATUS:
		return take_status(s, out);
	case RECORD_HOLD:
		return take_hold(s, out);
	case RECORD_NOTE:
		return take_note(s, out);
	case RECORD_SEAL:
		return take_seal(s, out);
	default:
		out->unknown = s;
		return type != 0 && !record_is_critical((uint32_t)type);
	}
}

bool
record_next(struct str *rest, struct record *out, bool *bad_out)
{
	struct str bytes;
	uint64_t type, length;

	*bad_out = false;
	if (rest->n == 0)
		return false;
	*out = (struct record){0};
	type = rest->n < RECORD_ENTRY_BYTES ? 0 : take(rest, 4);
	length = type == 0 ? 0 : take(rest, 4);
	*bad_out = type == 0 || !take_str(rest, length, &bytes) || !take_entry(type, bytes, out);
	return !*bad_out;
}

void
record_frame_write(const struct record_frame *f, char *at)
{
	char bytes[RECORD_HEADER_BYTES];
	struct buf out = {.p = bytes, .cap = sizeof bytes, .max = sizeof bytes};
	uint32_t crc;

	put32(&out, MAGIC);
	put32(&out, 0);
	put64(&out, f->tag);
	put64(&out, f->sequence);
	put64(&out, f->durable);
	put64(&out, (uint64_t)f->newest_ms);
	put32(&out, f->span);
	put32(&out, f->payload_bytes);
	put32(&out, f->payload_crc);
	put32(&out, f->entries);
	put32(&out, f->version);
	put32(&out, 0);
	crc = htole32(crc32c(0, bytes + 8, sizeof bytes - 8));
	memcpy(bytes + 4, &crc, sizeof crc);
	memcpy(at, bytes, sizeof bytes);
}

bool
record_frame_read(struct str bytes, uint64_t tag, struct record_frame *out)
{
	struct str s = str_upto(bytes, RECORD_HEADER_BYTES);
	uint32_t crc;

	if (s.n < RECORD_HEADER_BYTES || take(&s, 4) != MAGIC)
		return false;
	crc = (uint32_t)take(&s, 4);
	if (crc != crc32c(0, s.p, s.n) || take(&s, 8) != tag)
		return false;
	out->tag = tag;
	out->sequence = take(&s, 8);
	out->durable = take(&s, 8);
	out->newest_ms = (int64_t)take(&s, 8);
	out->span = (uint32_t)take(&s, 4);
	out->payload_bytes = (uint32_t)take(&s, 4);
	out->payload_crc = (uint32_t)take(&s, 4);
	out->entries = (uint32_t)take(&s, 4);
	out->version = (uint32_t)take(&s, 4);
	return out->payload_bytes <= RECORD_PAYLOAD_MAX && out->span % RECORD_ALIGN == 0 &&
	    out->span >= record_span(out->payload_bytes);
}

bool
record_frame_tag(struct str bytes, uint64_t *tag_out)
{
	struct str s = str_upto(bytes, RECORD_HEADER_BYTES);

	if (s.n < RECORD_HEADER_BYTES || take(&s, 4) != MAGIC)
		return false;
	if ((uint32_t)take(&s, 4) != crc32c(0, s.p, s.n))
		return false;
	*tag_out = take(&s, 8);
	return true;
}

bool
record_frame_check(struct str bytes, uint64_t tag, struct record_frame *out)
{
	struct str payload = str_from(bytes, RECORD_HEADER_BYTES);

	if (!record_frame_read(bytes, tag, out) || payload.n < out->payload_bytes)
		return false;
	return crc32c(0, payload.p, out->payload_bytes) == out->payload_crc;
}
