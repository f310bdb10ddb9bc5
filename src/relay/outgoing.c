/*
 * outgoing: header, CRLF, body as one run of bytes, whether the body is in memory or in a file.
 */
#include "relay/outgoing.h"

#include "base/mem.h"
#include "mail/sums.h"

_Static_assert((int)OUTGOING_BLOCK_BYTES == (int)SUMS_BLOCK_BYTES, "each block has its sum");

bool
outgoing_piece(struct outgoing *o, uint64_t at, char *room, struct str *piece_out)
{
	uint64_t body_at = o->header.n + 2, left;

	if (at < o->header.n) {
		*piece_out = str_from(o->header, at);
		return true;
	}
	if (at < body_at) {
		*piece_out = str_from(STR("\r\n"), at - o->header.n);
		return true;
	}
	if (!o->read) {
		*piece_out = str_from(o->body, at - body_at);
		return true;
	}
	left = o->body_bytes - (at - body_at);
	*piece_out = str_make(room, left < OUTGOING_BLOCK_BYTES ? left : OUTGOING_BLOCK_BYTES);
	if (piece_out->n == 0)
		return true;
	if (!o->read(o->arg, at - body_at, room, piece_out->n))
		return false;
	o->is_damaged = o->sums.n && !sums_fit(o->sums, at - body_at, *piece_out);
	return !o->is_damaged;
}

static enum outgoing_sight
outgoing_judge(struct outgoing *o, unsigned facts)
{
	bool header_is_ascii = str_is_ascii(o->header);

	o->is_8bit = !header_is_ascii || (facts & FACTS_8BIT);
	o->needs_utf8 =
	    o->envelope->smtputf8 && (!header_is_ascii || !str_is_ascii(o->envelope->sender));
	return OUTGOING_SEEN;
}

enum outgoing_sight
outgoing_look(struct outgoing *o)
{
	char *room = NULL;
	struct str piece;
	bool ok;

	if (o->envelope->facts & FACTS_KNOWN)
		return outgoing_judge(o, o->envelope->facts);
	if (o->looked_at < o->header.n + 2)
		o->looked_at = o->header.n + 2;
	room = o->read ? mem_new(OUTGOING_BLOCK_BYTES) : NULL;
	ok = outgoing_piece(o, o->looked_at, room, &piece);
	if (ok)
		facts_take(&o->facts, piece);
	o->looked_at += piece.n;
	mem_free(room);
	if (!ok)
		return OUTGOING_UNREADABLE;
	if (piece.n && !o->facts.is_8bit)
		return OUTGOING_MORE;
	return outgoing_judge(o, facts_bits(&o->facts));
}

const struct recipient *
outgoing_recipient(const struct outgoing *o, size_t index)
{
	return &o->envelope->recipients[o->numbers[index] - 1];
}

uint64_t
outgoing_bytes(const struct outgoing *o)
{
	return o->header.n + 2 + (o->read ? o->body_bytes : o->body.n);
}

bool
outgoing_is_small(const struct outgoing *o)
{
	return !o->read;
}
