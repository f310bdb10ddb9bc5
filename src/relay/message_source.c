/*
 * message_source: header, CRLF, body as one run of bytes, whether the body is in memory or in a
 * file.
 */
#include "relay/message_source.h"

#include "base/block_sums.h"
#include "base/clock.h"

_Static_assert((int)OUTGOING_BLOCK_BYTES == (int)SUMS_BLOCK_BYTES, "each block has its sum");

/* Of the block of the body that begins at `at`. */
static size_t
outgoing_block_bytes(const struct outgoing *o, uint64_t at)
{
	uint64_t left = o->body_bytes - at;

	return left < OUTGOING_BLOCK_BYTES ? (size_t)left : OUTGOING_BLOCK_BYTES;
}

static enum outgoing_answer
outgoing_block(struct outgoing *o, uint64_t at, struct str *block_out)
{
	size_t n = outgoing_block_bytes(o, at);
	enum outgoing_answer answer;

	*block_out = STR_NULL;
	if (n == 0)
		return OUTGOING_HERE;
	answer = o->read(o->arg, at, n, block_out);
	if (answer != OUTGOING_HERE)
		return answer;
	o->is_damaged = o->sums.n && !sums_fit(o->sums, at, *block_out);
	return o->is_damaged ? OUTGOING_UNREADABLE : OUTGOING_HERE;
}

static void
outgoing_note_wait(struct outgoing *o, enum outgoing_answer answer)
{
	if (answer != OUTGOING_AWAITED)
		o->awaited_since_ms = 0;
	else if (o->awaited_since_ms == 0)
		o->awaited_since_ms = clock_mono_ms();
}

int64_t
outgoing_awaited_ms(const struct outgoing *o)
{
	return o->awaited_since_ms ? clock_mono_ms() - o->awaited_since_ms : 0;
}

static struct str
outgoing_header(const struct outgoing *o)
{
	return o->is_encoded ? buf_str(&o->ascii) : o->header;
}

enum outgoing_answer
outgoing_piece(struct outgoing *o, uint64_t at, struct str *piece_out)
{
	struct str header = outgoing_header(o);
	uint64_t body_at = header.n + 2;
	enum outgoing_answer answer = OUTGOING_HERE;

	if (at < header.n)
		*piece_out = str_from(header, at);
	else if (at < body_at)
		*piece_out = str_from(STR("\r\n"), at - header.n);
	else if (o->read)
		answer = outgoing_block(o, at - body_at, piece_out);
	else
		*piece_out = str_from(o->body, at - body_at);
	outgoing_note_wait(o, answer);
	return answer;
}

void
outgoing_ahead(struct outgoing *o, uint64_t at)
{
	uint64_t body_at = outgoing_header(o).n + 2, from = at < body_at ? 0 : at - body_at;
	struct str block;

	if (o->read && from < o->body_bytes)
		(void)o->read(o->arg, from, outgoing_block_bytes(o, from), &block);
}

static enum outgoing_sight
outgoing_judge(struct outgoing *o, unsigned facts)
{
	bool header_is_ascii = str_is_ascii(o->header);

	o->body_is_8bit = (facts & FACTS_8BIT) != 0;
	o->is_8bit = !header_is_ascii || o->body_is_8bit;
	o->needs_utf8 =
	    o->envelope->smtputf8 && (!header_is_ascii || !str_is_ascii(o->envelope->sender));
	return OUTGOING_SEEN;
}

enum outgoing_sight
outgoing_look(struct outgoing *o)
{
	struct str piece;

	if (o->envelope->facts & FACTS_KNOWN)
		return outgoing_judge(o, o->envelope->facts);
	if (o->looked_at < o->header.n + 2)
		o->looked_at = o->header.n + 2;
	switch (outgoing_piece(o, o->looked_at, &piece)) {
	case OUTGOING_HERE:
		break;
	case OUTGOING_AWAITED:
		return OUTGOING_NOT_YET;
	case OUTGOING_UNREADABLE:
		return OUTGOING_NOT_SEEN;
	}
	facts_take(&o->facts, piece);
	o->looked_at += piece.n;
	if (piece.n && !o->facts.is_8bit)
		return OUTGOING_MORE;
	return outgoing_judge(o, facts_bits(&o->facts));
}

static bool
outgoing_encode(struct outgoing *o, struct header_fault *fault_out)
{
	if (o->ascii.n)
		return true;
	buf_init(&o->ascii, HEADER_ASCII_BYTES_MAX);
	if (header_to_ascii(o->header, &o->ascii, fault_out))
		return true;
	outgoing_clear(o);
	return false;
}

bool
outgoing_fit(struct outgoing *o, bool has_smtputf8, struct header_fault *fault_out)
{
	bool is_ascii = str_is_ascii(o->header);
	bool is_encoded = !is_ascii && !has_smtputf8 && o->envelope->smtputf8;

	if (is_encoded && !outgoing_encode(o, fault_out))
		return false;
	o->is_encoded = is_encoded;
	o->is_8bit = o->body_is_8bit || (!is_ascii && !is_encoded);
	return true;
}

void
outgoing_clear(struct outgoing *o)
{
	buf_clear(&o->ascii);
	o->is_encoded = false;
}

const struct recipient *
outgoing_recipient(const struct outgoing *o, size_t index)
{
	return &o->envelope->recipients[o->numbers[index] - 1];
}

uint64_t
outgoing_bytes(const struct outgoing *o)
{
	return outgoing_header(o).n + 2 + (o->read ? o->body_bytes : o->body.n);
}

bool
outgoing_is_small(const struct outgoing *o)
{
	return !o->read;
}

struct status
outgoing_late_status(void)
{
	return status_make(451, "4.3.0", "the stored message could not be read in time");
}
