/*
 * id: a source keeps one number, milliseconds and counter, that only grows: when the clock is set
 * back, or the counter of a millisecond is used up, the ids run ahead of the clock. A source has no
 * lock. Text is written in upper case and read in both.
 */
#include "base/id.h"

#include "base/clock.h"

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

enum { COUNTER_BITS = 7, SLOT_BITS = 6, NODE_BITS = 5, LOW_BITS = 18, TEXT = 12 };

void
id_source_init(struct id_source *s, uint8_t node, uint8_t slot, int64_t floor_ms)
{
	uint64_t floor = floor_ms > 0 ? (uint64_t)floor_ms + 1 : 0;

	*s = (struct id_source){
	    .node = node % ID_NODES, .slot = slot % ID_SLOTS, .last = floor << COUNTER_BITS};
}

uint64_t
id_next(struct id_source *s)
{
	uint64_t now = (uint64_t)clock_ms() << COUNTER_BITS;
	uint64_t ms;

	s->last = now > s->last ? now : s->last + 1;
	ms = s->last >> COUNTER_BITS;
	return ms << LOW_BITS | (uint64_t)s->node << (SLOT_BITS + COUNTER_BITS) |
	    (uint64_t)s->slot << COUNTER_BITS | (s->last & 127);
}

int64_t
id_ms(uint64_t id)
{
	return (int64_t)(id >> LOW_BITS);
}

char *
id_text(uint64_t id, char out[ID_TEXT_BYTES])
{
	for (int i = TEXT - 1; i >= 0; i--, id >>= 5)
		out[i] = alphabet[id & 31];
	out[TEXT] = 0;
	return out;
}

static bool
parse_id(struct str text, uint64_t *out)
{
	uint64_t id = 0;

	if (text.n != TEXT)
		return false;
	for (size_t i = 0; i < TEXT; i++) {
		char c = (char)(text.p[i] >= 'a' && text.p[i] <= 'z' ? text.p[i] - 32 : text.p[i]);
		const char *at = c ? strchr(alphabet, c) : NULL;

		if (!at)
			return false;
		id = id << 5 | (uint64_t)(at - alphabet);
	}
	*out = id;
	return true;
}

/* Without printf: the id of a message is formatted a dozen times. */
static char *
add_decimal(char *to, char before, uint32_t value)
{
	char digits[10];
	int n = 0;

	*to++ = before;
	do
		digits[n++] = (char)('0' + value % 10);
	while ((value /= 10));
	while (n > 0)
		*to++ = digits[--n];
	*to = '\0';
	return to;
}

char *
msgid_text(struct msgid id, uint32_t recipient, char out[ID_NUMBER_TEXT_BYTES])
{
	char *end;

	id_text(id.session, out);
	if (id.number == 0)
		return out;
	end = add_decimal(out + TEXT, '-', id.number);
	if (recipient)
		add_decimal(end, '.', recipient);
	return out;
}

static bool
parse_msgid_number(struct str text, uint32_t *out)
{
	uint64_t v;

	if (!str_u64(text, &v) || v == 0 || v > UINT32_MAX)
		return false;
	*out = (uint32_t)v;
	return true;
}

bool
msgid_parse(struct str text, struct msgid *out, uint32_t *recipient_out)
{
	size_t dash = str_find(text, '-'), dot;
	struct msgid id = {0, 0};
	uint32_t recipient = 0;
	struct str rest;

	if (!parse_id(str_upto(text, dash), &id.session))
		return false;
	rest = str_from(text, dash);
	if (rest.n > 0) {
		rest = str_from(rest, 1);
		dot = str_find(rest, '.');
		if (!parse_msgid_number(str_upto(rest, dot), &id.number))
			return false;
		if (dot < rest.n && !parse_msgid_number(str_from(rest, dot + 1), &recipient))
			return false;
	}
	*out = id;
	*recipient_out = recipient;
	return true;
}
