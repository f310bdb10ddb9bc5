/*
 * envelope: the stored form is a sequence of fields, each a tag (2 bytes), a length (2 bytes) and
 * that many bytes, all little endian. Numbers have as many bytes as they need (up to 8), empty
 * values are omitted; a recipient is a field that holds fields. A tag never gets a new meaning.
 * Fields whose tag is not in the tables below are preserved, in the envelope and in each recipient.
 */
#include "mail/envelope.h"

#include "mail/mail_address.h"
#include "mail/smtp_command.h"

enum { HEAD_BYTES = 4, NUMBER_BYTES = 8, ID_BYTES = 12 };
enum { TAG_ID = 1, TAG_RECIPIENT = 2 };

enum kind { TEXT, NUMBER, ID };

struct envelope_field {
	uint16_t tag;
	uint8_t kind;
	uint8_t size; /* of the member, for numbers */
	uint16_t offset;
	uint64_t max;                 /* of a number */
	bool (*may_be)(struct str s); /* of a text that is not empty: whether it is allowed */
};

#define MEMBER(type, member) sizeof(((type *)NULL)->member), offsetof(type, member)
#define F_TEXT(tag, type, member, may_be)                                                          \
	{                                                                                          \
		tag, TEXT, MEMBER(type, member), 0, may_be                                         \
	}
#define F_NUMBER(tag, type, member, max)                                                           \
	{                                                                                          \
		tag, NUMBER, MEMBER(type, member), max, NULL                                       \
	}

/* A login, also one with U+0080 to U+009F, which version 0.1.0 accepted; and texts that this
 * program wrote. */
static bool
envelope_is_text(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return s.n <= ENVELOPE_TEXT_MAX && str_is_utf8(s);
}

static const struct envelope_field envelope_fields[] = {
    {TAG_ID, ID, MEMBER(struct envelope, id), 0, NULL},
    F_NUMBER(3, struct envelope, kind, ENVELOPE_REPORT),
    F_NUMBER(4, struct envelope, arrival_ms, UINT64_MAX),
    F_TEXT(5, struct envelope, user, envelope_is_text),
    F_TEXT(6, struct envelope, sender, mail_address_is_storable),
    F_TEXT(7, struct envelope, header_from, envelope_is_text),
    F_TEXT(8, struct envelope, client, envelope_is_text),
    F_TEXT(9, struct envelope, credential, envelope_is_text),
    F_TEXT(10, struct envelope, pool, envelope_is_text),
    F_NUMBER(11, struct envelope, body, BODY_8BITMIME),
    F_NUMBER(12, struct envelope, smtputf8, 1),
    F_NUMBER(13, struct envelope, requiretls, 1),
    F_NUMBER(14, struct envelope, ret, RETURN_HEADERS),
    F_TEXT(15, struct envelope, envid, smtp_command_is_envid),
    F_NUMBER(16, struct envelope, priority, UINT32_MAX),
    F_NUMBER(17, struct envelope, hold_until_ms, UINT64_MAX),
    F_NUMBER(18, struct envelope, deliver_by_ms, UINT64_MAX),
    F_NUMBER(19, struct envelope, header_bytes, UINT32_MAX),
    F_NUMBER(20, struct envelope, body_bytes, UINT64_MAX),
    F_NUMBER(21, struct envelope, facts, UINT32_MAX),
    {0},
};

static const struct envelope_field recipient_fields[] = {
    F_TEXT(1, struct envelope_recipient, address, mail_address_is_storable),
    F_TEXT(2, struct envelope_recipient, orcpt, smtp_command_is_orcpt),
    F_NUMBER(3, struct envelope_recipient, notify, 15),
    {0},
};

/* ---- numbers ---- */

static uint64_t
load_envelope_member(const void *member, size_t size)
{
	uint64_t v = 0;

	memcpy(&v, member, size); /* little endian hosts only, see the assertion below */
	return v;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "members are read by their low bytes");

static uint64_t
get_envelope_number(struct str s)
{
	uint64_t v = 0;

	for (size_t i = 0; i < s.n; i++)
		v |= (uint64_t)(unsigned char)s.p[i] << (8 * i);
	return v;
}

/* ---- encode ---- */

static void
put_envelope_field_head(struct buf *out, unsigned tag, size_t n)
{
	char head[HEAD_BYTES] = {(char)tag, (char)(tag >> 8), (char)n, (char)(n >> 8)};

	if (n > UINT16_MAX)
		out->over = true;
	buf_add(out, head, sizeof head);
}

static void
put_envelope_text(struct buf *out, unsigned tag, struct str s)
{
	if (s.n == 0)
		return;
	put_envelope_field_head(out, tag, s.n);
	buf_adds(out, s);
}

static void
put_envelope_number(struct buf *out, unsigned tag, uint64_t v)
{
	char bytes[NUMBER_BYTES];
	size_t n = 0;

	for (; v; v >>= 8)
		bytes[n++] = (char)v;
	put_envelope_text(out, tag, str_make(bytes, n));
}

static void
put_envelope_id(struct buf *out, unsigned tag, const struct msgid *id)
{
	char bytes[ID_BYTES];

	memcpy(bytes, &id->session, 8);
	memcpy(bytes + 8, &id->number, 4);
	put_envelope_text(out, tag, str_make(bytes, sizeof bytes));
}

static void
put_fields(struct buf *out, const struct envelope_field *fields, const void *source)
{
	for (const struct envelope_field *f = fields; f->tag; f++) {
		const char *member = (const char *)source + f->offset;

		if (f->kind == TEXT)
			put_envelope_text(out, f->tag, *(const struct str *)(const void *)member);
		else if (f->kind == NUMBER)
			put_envelope_number(out, f->tag, load_envelope_member(member, f->size));
		else
			put_envelope_id(out, f->tag, (const struct msgid *)(const void *)member);
	}
}

static void
put_recipient(struct buf *out, const struct envelope_recipient *r)
{
	size_t at = out->n, n;

	put_envelope_field_head(out, TAG_RECIPIENT, 0);
	put_fields(out, recipient_fields, r);
	buf_adds(out, r->unknown);
	if (!buf_ok(out))
		return;
	n = out->n - at - HEAD_BYTES;
	if (n > UINT16_MAX)
		out->over = true;
	out->p[at + 2] = (char)n;
	out->p[at + 3] = (char)(n >> 8);
}

bool
envelope_encode(const struct envelope *e, struct buf *out)
{
	size_t start = out->n;

	put_fields(out, envelope_fields, e);
	for (uint32_t i = 0; i < e->recipient_count; i++)
		put_recipient(out, &e->recipients[i]);
	buf_adds(out, e->unknown);
	return buf_ok(out) && out->n - start <= ENVELOPE_BYTES_MAX &&
	       e->recipient_count <= ENVELOPE_RECIPIENTS_MAX;
}

/* ---- decode ---- */

static bool
take_envelope_field(struct str *rest, unsigned *tag_out, struct str *value_out)
{
	size_t n;

	if (rest->n < HEAD_BYTES)
		return false;
	*tag_out = (unsigned)get_envelope_number(str_upto(*rest, 2));
	n = (size_t)get_envelope_number(str_make(rest->p + 2, 2));
	*rest = str_from(*rest, HEAD_BYTES);
	if (n > rest->n)
		return false;
	*value_out = str_upto(*rest, n);
	*rest = str_from(*rest, n);
	return true;
}

static bool
set_envelope_number(const struct envelope_field *f, void *member, struct str value)
{
	uint64_t v;

	if (value.n > NUMBER_BYTES)
		return false;
	v = get_envelope_number(value);
	if (v > f->max)
		return false;
	memcpy(member, &v, f->size);
	return true;
}

static bool
set_envelope_id(struct msgid *id, struct str value)
{
	if (value.n != ID_BYTES)
		return false;
	memcpy(&id->session, value.p, 8);
	memcpy(&id->number, value.p + 8, 4);
	return true;
}

static bool
set_envelope_field(const struct envelope_field *f, void *target, struct str value)
{
	void *member = (char *)target + f->offset;

	if (f->kind == NUMBER)
		return set_envelope_number(f, member, value);
	if (f->kind == ID)
		return set_envelope_id(member, value);
	*(struct str *)member = value;
	return value.n == 0 || f->may_be(value);
}

static const struct envelope_field *
find_envelope_field(const struct envelope_field *fields, unsigned tag)
{
	while (fields->tag && fields->tag != tag)
		fields++;
	return fields->tag ? fields : NULL;
}

/* One container (the envelope, or one recipient) that is being decoded. */
struct envelope_decoder {
	const struct envelope_field *fields;
	void *target;
	uint64_t seen; /* a bit for each known tag: each at most once */
	char *unknown; /* unknown fields; has room for the whole container */
	size_t unknown_bytes;
};

static bool
decode_known(struct envelope_decoder *d, unsigned tag, struct str value)
{
	const struct envelope_field *f = find_envelope_field(d->fields, tag);

	if (d->seen & UINT64_C(1) << tag)
		return false;
	d->seen |= UINT64_C(1) << tag;
	return set_envelope_field(f, d->target, value);
}

static void
add_unknown_field(struct envelope_decoder *d, struct str raw)
{
	memcpy(d->unknown + d->unknown_bytes, raw.p, raw.n);
	d->unknown_bytes += raw.n;
}

static bool
decode_recipient(struct str bytes, struct arena *arena, struct envelope_recipient *out)
{
	struct envelope_decoder d = {.fields = recipient_fields, .target = out};
	struct str rest = bytes, value;
	unsigned tag;

	while (rest.n) {
		const char *at = rest.p;

		if (!take_envelope_field(&rest, &tag, &value))
			return false;
		if (find_envelope_field(d.fields, tag)) {
			if (!decode_known(&d, tag, value))
				return false;
			continue;
		}
		if (!d.unknown)
			d.unknown = arena_new(arena, bytes.n);
		add_unknown_field(&d, str_make(at, (size_t)(rest.p - at)));
	}
	out->unknown = str_make(d.unknown, d.unknown_bytes);
	return out->address.n > 0;
}

static bool
count_recipients(struct str rest, uint32_t *count_out, bool *has_unknown_out)
{
	struct str value;
	unsigned tag;

	*count_out = 0;
	*has_unknown_out = false;
	while (rest.n) {
		if (!take_envelope_field(&rest, &tag, &value))
			return false;
		if (tag == TAG_RECIPIENT)
			++*count_out;
		else if (!find_envelope_field(envelope_fields, tag))
			*has_unknown_out = true;
	}
	return *count_out <= ENVELOPE_RECIPIENTS_MAX;
}

/* count_recipients has checked that all fields are complete. */
static bool
decode_fields(
    struct envelope_decoder *d, struct str rest, struct arena *arena, struct envelope *out)
{
	struct envelope_recipient *next = out->recipients;
	struct str value;
	unsigned tag;

	while (rest.n) {
		const char *at = rest.p;

		if (!take_envelope_field(&rest, &tag, &value))
			return false;
		if (tag == TAG_RECIPIENT) {
			if (!decode_recipient(value, arena, next++))
				return false;
		} else if (find_envelope_field(envelope_fields, tag)) {
			if (!decode_known(d, tag, value))
				return false;
		} else {
			add_unknown_field(d, str_make(at, (size_t)(rest.p - at)));
		}
	}
	return true;
}

bool
envelope_decode(struct str bytes, struct arena *arena, struct envelope *out)
{
	struct envelope_decoder d = {.fields = envelope_fields, .target = out};
	bool has_unknown;

	*out = (struct envelope){0};
	if (bytes.n > ENVELOPE_BYTES_MAX ||
	    !count_recipients(bytes, &out->recipient_count, &has_unknown))
		return false;
	out->recipients = ARENA_ARRAY(arena, struct envelope_recipient, out->recipient_count);
	if (has_unknown)
		d.unknown = arena_new(arena, bytes.n);
	if (!decode_fields(&d, bytes, arena, out))
		return false;
	out->unknown = str_make(d.unknown, d.unknown_bytes);
	return (d.seen & UINT64_C(1) << TAG_ID) != 0;
}
