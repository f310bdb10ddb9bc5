/*
 * frame: encodes and decodes frames and entries.  Decoding accepts any bytes.
 */
#include "spool/frame.h"

#include <endian.h>

#include "base/block_sums.h"
#include "base/crc.h"

enum { FRAME_MAGIC = 0x52465053 }; /* "SPFR" */

enum {
	FRAME_MESSAGE_FIXED = 36,
	FRAME_STATUS_FIXED = 36,
	FRAME_HOLD_FIXED = 16,
	FRAME_NOTE_FIXED = 4,
	FRAME_SEAL_FIXED = 24
};

enum { FRAME_MESSAGE_IN_FILE = 1, FRAME_MESSAGE_LOST = 2 };

/* Parts after the header of a message with a body file: tag 4, length 4, contents. */
enum { FRAME_PART_FIXED = 8, FRAME_PART_SUMS = 1 };

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

/* Bytes after the end read as zero; the caller has checked the length of fixed parts. */
static uint64_t
take_frame_number(struct str *s, size_t n)
{
	uint64_t v = 0;

	if (n <= s->n)
		memcpy(&v, s->p, n);
	*s = str_from(*s, n);
	return le64toh(v);
}

static bool
take_frame_str(struct str *s, uint64_t n, struct str *out)
{
	if (n > s->n)
		return false;
	*out = str_upto(*s, n);
	*s = str_from(*s, n);
	return true;
}

static void
put_frame_id(struct buf *out, struct msgid id)
{
	put64(out, id.session);
	put32(out, id.number);
}

static struct msgid
take_frame_id(struct str *s)
{
	struct msgid id = {take_frame_number(s, 8), 0};

	id.number = (uint32_t)take_frame_number(s, 4);
	return id;
}

size_t
frame_parts_bytes(uint64_t body_bytes)
{
	return FRAME_PART_FIXED + block_sums_bytes(body_bytes);
}

static size_t
frame_message_rest(const struct spool_entry *e, uint64_t body_bytes)
{
	if (!e->message.in_file)
		return e->message.body.n;
	return e->message.fd < 0 ? e->message.parts.n : frame_parts_bytes(body_bytes);
}

static size_t
frame_entry_length(const struct spool_entry *e, uint64_t body_bytes)
{
	switch (e->kind) {
	case SPOOL_MESSAGE:
		return FRAME_MESSAGE_FIXED + e->message.envelope.n + e->message.header.n +
		    frame_message_rest(e, body_bytes);
	case SPOOL_STATUS:
		return FRAME_STATUS_FIXED + e->status.detail.n;
	case SPOOL_HOLD:
		return FRAME_HOLD_FIXED + e->hold.why.n;
	case SPOOL_NOTE:
		return FRAME_NOTE_FIXED + e->note.name.n + e->note.value.n;
	case SPOOL_UNKNOWN:
		return e->unknown.bytes.n;
	}
	return 0;
}

size_t
frame_entry_bytes(const struct spool_entry *e)
{
	return FRAME_ENTRY_HEADER_BYTES + frame_entry_length(e, 0);
}

static void
frame_put_empty_sums(struct buf *out, uint64_t body_bytes)
{
	put32(out, FRAME_PART_SUMS);
	put32(out, (uint32_t)block_sums_bytes(body_bytes));
	for (uint64_t n = 0; n < block_sums_bytes(body_bytes); n += BLOCK_SUMS_BYTES)
		put32(out, 0);
}

static void
put_message_entry(struct buf *out, const struct spool_entry *e, uint64_t body_bytes)
{
	put_frame_id(out, e->id);
	put32(out, e->message.recipient_count);
	put32(out, (e->message.in_file ? FRAME_MESSAGE_IN_FILE : 0u) |
	        (e->message.is_lost ? FRAME_MESSAGE_LOST : 0u));
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
		frame_put_empty_sums(out, body_bytes);
}

static void
put_status_entry(struct buf *out, const struct spool_entry *e)
{
	const struct spool_recipient *r = &e->status;

	put_frame_id(out, e->id);
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
frame_put_entry(struct buf *out, const struct spool_entry *e, uint64_t body_bytes)
{
	put32(out, e->kind == SPOOL_UNKNOWN ? e->unknown.type : (uint32_t)e->kind + FRAME_MESSAGE);
	put32(out, (uint32_t)frame_entry_length(e, body_bytes));
	switch (e->kind) {
	case SPOOL_MESSAGE:
		put_message_entry(out, e, body_bytes);
		break;
	case SPOOL_STATUS:
		put_status_entry(out, e);
		break;
	case SPOOL_HOLD:
		put_frame_id(out, e->id);
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
frame_put_seal(struct buf *out, const struct frame_seal *seal)
{
	put32(out, FRAME_SEAL);
	put32(out, FRAME_SEAL_FIXED);
	put64(out, seal->generation);
	put64(out, seal->last_sequence);
	put32(out, seal->end);
	put32(out, 0);
}

/* Parts of a kind that this version does not know are kept unchanged. */
static bool
frame_take_parts(struct str s, struct frame_entry *out)
{
	struct spool_entry *e = &out->entry;
	struct str part;

	e->message.parts = s;
	while (s.n) {
		uint64_t tag = take_frame_number(&s, 4), n = take_frame_number(&s, 4);

		if (!take_frame_str(&s, n, &part))
			return false;
		if (tag != FRAME_PART_SUMS)
			continue;
		if (part.n != block_sums_bytes(out->body_bytes))
			return false;
		e->message.sums = part;
	}
	return true;
}

static bool
take_message_entry(struct str s, struct frame_entry *out)
{
	struct spool_entry *e = &out->entry;
	uint64_t flags, envelope, header;

	e->kind = SPOOL_MESSAGE;
	if (s.n < FRAME_MESSAGE_FIXED)
		return false;
	e->id = take_frame_id(&s);
	e->message.recipient_count = (uint32_t)take_frame_number(&s, 4);
	flags = take_frame_number(&s, 4);
	envelope = take_frame_number(&s, 4);
	header = take_frame_number(&s, 4);
	out->body_bytes = take_frame_number(&s, 8);
	e->message.in_file = flags & FRAME_MESSAGE_IN_FILE;
	e->message.is_lost = flags & FRAME_MESSAGE_LOST;
	e->message.fd = -1;
	if (!take_frame_str(&s, envelope, &e->message.envelope) ||
	    !take_frame_str(&s, header, &e->message.header))
		return false;
	e->message.sums = e->message.parts = STR_NULL;
	e->message.body = e->message.in_file ? STR_NULL : s;
	if (out->body_bytes > INT64_MAX || (!e->message.in_file && s.n != out->body_bytes) ||
	    (e->message.in_file && !frame_take_parts(s, out)))
		return false;
	return e->message.recipient_count >= 1 &&
	    e->message.recipient_count <= SPOOL_RECIPIENTS_MAX;
}

static bool
take_status_entry(struct str s, struct frame_entry *out)
{
	struct spool_recipient *r = &out->entry.status;
	uint64_t outcome, settled;

	out->entry.kind = SPOOL_STATUS;
	if (s.n < FRAME_STATUS_FIXED)
		return false;
	out->entry.id = take_frame_id(&s);
	r->number = (uint32_t)take_frame_number(&s, 4);
	outcome = take_frame_number(&s, 1);
	settled = take_frame_number(&s, 1);
	take_frame_number(&s, 2);
	r->attempts = (uint32_t)take_frame_number(&s, 4);
	r->next_ms = (int64_t)take_frame_number(&s, 8);
	r->marks = (uint32_t)take_frame_number(&s, 4);
	r->detail = s;
	if (outcome > SPOOL_FAILED || settled > 1 || s.n > SPOOL_DETAIL_MAX)
		return false;
	r->outcome = (enum spool_outcome)outcome;
	r->is_settled = settled;
	return r->number >= 1 && r->number <= SPOOL_RECIPIENTS_MAX;
}

static bool
take_hold_entry(struct str s, struct frame_entry *out)
{
	uint64_t held;

	out->entry.kind = SPOOL_HOLD;
	if (s.n < FRAME_HOLD_FIXED || s.n > FRAME_HOLD_FIXED + SPOOL_DETAIL_MAX)
		return false;
	out->entry.id = take_frame_id(&s);
	held = take_frame_number(&s, 4);
	out->entry.hold.is_held = held;
	out->entry.hold.why = s;
	return held <= 1;
}

static bool
take_note_entry(struct str s, struct frame_entry *out)
{
	uint64_t name;

	out->entry.kind = SPOOL_NOTE;
	if (s.n < FRAME_NOTE_FIXED)
		return false;
	name = take_frame_number(&s, 4);
	if (name == 0 || name > SPOOL_NAME_MAX || !take_frame_str(&s, name, &out->entry.note.name))
		return false;
	out->entry.note.value = s;
	return s.n <= SPOOL_NOTE_MAX;
}

static bool
take_seal_entry(struct str s, struct frame_entry *out)
{
	if (s.n != FRAME_SEAL_FIXED)
		return false;
	out->seal.generation = take_frame_number(&s, 8);
	out->seal.last_sequence = take_frame_number(&s, 8);
	out->seal.end = (uint32_t)take_frame_number(&s, 4);
	return true;
}

static bool
take_frame_entry(uint64_t type, struct str s, struct frame_entry *out)
{
	out->type = (enum frame_entry_type)type;
	switch (type) {
	case FRAME_MESSAGE:
		return take_message_entry(s, out);
	case FRAME_STATUS:
		return take_status_entry(s, out);
	case FRAME_HOLD:
		return take_hold_entry(s, out);
	case FRAME_NOTE:
		return take_note_entry(s, out);
	case FRAME_SEAL:
		return take_seal_entry(s, out);
	default:
		out->unknown = s;
		return type != 0 && !frame_is_critical((uint32_t)type);
	}
}

bool
frame_next_entry(struct str *rest, struct frame_entry *out, bool *bad_out)
{
	struct str bytes;
	uint64_t type, length;

	*bad_out = false;
	if (rest->n == 0)
		return false;
	*out = (struct frame_entry){0};
	type = rest->n < FRAME_ENTRY_HEADER_BYTES ? 0 : take_frame_number(rest, 4);
	length = type == 0 ? 0 : take_frame_number(rest, 4);
	*bad_out = type == 0 || !take_frame_str(rest, length, &bytes) ||
	           !take_frame_entry(type, bytes, out);
	return !*bad_out;
}

void
frame_header_write(const struct frame_header *f, char *at)
{
	char bytes[FRAME_HEADER_BYTES];
	struct buf out = {.p = bytes, .cap = sizeof bytes, .max = sizeof bytes};
	uint32_t crc;

	put32(&out, FRAME_MAGIC);
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

/* Most places that are looked at hold no frame. */
static inline bool
frame_has_magic(struct str bytes)
{
	uint32_t magic;

	if (bytes.n < FRAME_HEADER_BYTES)
		return false;
	memcpy(&magic, bytes.p, sizeof magic);
	return le32toh(magic) == FRAME_MAGIC;
}

bool
frame_header_read(struct str bytes, uint64_t tag, struct frame_header *out)
{
	struct str s = str_upto(bytes, FRAME_HEADER_BYTES);
	uint32_t crc;

	if (!frame_has_magic(bytes))
		return false;
	s = str_from(s, sizeof crc);
	crc = (uint32_t)take_frame_number(&s, 4);
	if (crc != crc32c(0, s.p, s.n) || take_frame_number(&s, 8) != tag)
		return false;
	out->tag = tag;
	out->sequence = take_frame_number(&s, 8);
	out->durable = take_frame_number(&s, 8);
	out->newest_ms = (int64_t)take_frame_number(&s, 8);
	out->span = (uint32_t)take_frame_number(&s, 4);
	out->payload_bytes = (uint32_t)take_frame_number(&s, 4);
	out->payload_crc = (uint32_t)take_frame_number(&s, 4);
	out->entries = (uint32_t)take_frame_number(&s, 4);
	out->version = (uint32_t)take_frame_number(&s, 4);
	return out->payload_bytes <= FRAME_PAYLOAD_MAX && out->span % FRAME_ALIGN == 0 &&
	    out->span >= frame_span(out->payload_bytes);
}

bool
frame_header_tag(struct str bytes, uint64_t *tag_out)
{
	struct str s = str_upto(bytes, FRAME_HEADER_BYTES);

	if (!frame_has_magic(bytes))
		return false;
	s = str_from(s, sizeof(uint32_t));
	if ((uint32_t)take_frame_number(&s, 4) != crc32c(0, s.p, s.n))
		return false;
	*tag_out = take_frame_number(&s, 8);
	return true;
}

bool
frame_check(struct str bytes, uint64_t tag, struct frame_header *out)
{
	struct str payload = str_from(bytes, FRAME_HEADER_BYTES);

	if (!frame_header_read(bytes, tag, out) || payload.n < out->payload_bytes)
		return false;
	return crc32c(0, payload.p, out->payload_bytes) == out->payload_crc;
}
