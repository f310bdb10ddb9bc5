/*
 * message_source: header, CRLF, body as one run of bytes, whether the body is in memory or in a
 * file.
 */
#include "relay/message_source.h"

#include "base/block_sums.h"
#include "base/clock.h"

_Static_assert(
    (int)MESSAGE_SOURCE_BLOCK_BYTES == (int)BLOCK_SUMS_BLOCK_BYTES, "each block has its sum");

/* Of the block of the body that begins at `at`. */
static size_t
message_source_block_bytes(const struct message_source *o, uint64_t at)
{
	uint64_t left = o->body_bytes - at;

	return left < MESSAGE_SOURCE_BLOCK_BYTES ? (size_t)left : MESSAGE_SOURCE_BLOCK_BYTES;
}

static enum message_source_answer
message_source_block(struct message_source *o, uint64_t at, struct str *block_out)
{
	size_t n = message_source_block_bytes(o, at);
	enum message_source_answer answer;

	*block_out = STR_NULL;
	if (n == 0)
		return MESSAGE_SOURCE_HERE;
	answer = o->read(o->arg, at, n, block_out);
	if (answer != MESSAGE_SOURCE_HERE)
		return answer;
	o->is_damaged = o->sums.n && !block_sums_match(o->sums, at, *block_out);
	return o->is_damaged ? MESSAGE_SOURCE_UNREADABLE : MESSAGE_SOURCE_HERE;
}

static void
message_source_note_wait(struct message_source *o, enum message_source_answer answer)
{
	if (answer != MESSAGE_SOURCE_AWAITED)
		o->awaited_since_ms = 0;
	else if (o->awaited_since_ms == 0)
		o->awaited_since_ms = clock_mono_ms();
}

int64_t
message_source_awaited_ms(const struct message_source *o)
{
	return o->awaited_since_ms ? clock_mono_ms() - o->awaited_since_ms : 0;
}

static struct str
message_source_header(const struct message_source *o)
{
	return o->is_encoded ? buf_str(&o->ascii) : o->header;
}

enum message_source_answer
message_source_read(struct message_source *o, uint64_t at, struct str *piece_out)
{
	struct str header = message_source_header(o);
	uint64_t body_at = header.n + 2;
	enum message_source_answer answer = MESSAGE_SOURCE_HERE;

	if (at < header.n)
		*piece_out = str_from(header, at);
	else if (at < body_at)
		*piece_out = str_from(STR("\r\n"), at - header.n);
	else if (o->read)
		answer = message_source_block(o, at - body_at, piece_out);
	else
		*piece_out = str_from(o->body, at - body_at);
	message_source_note_wait(o, answer);
	return answer;
}

void
message_source_read_ahead(struct message_source *o, uint64_t at)
{
	uint64_t body_at = message_source_header(o).n + 2, from = at < body_at ? 0 : at - body_at;
	struct str block;

	if (o->read && from < o->body_bytes)
		(void)o->read(o->arg, from, message_source_block_bytes(o, from), &block);
}

static enum message_source_scan_state
message_source_set_needs(struct message_source *o, unsigned facts)
{
	bool header_is_ascii = str_is_ascii(o->header);

	o->body_is_8bit = (facts & BODY_FACTS_8BIT) != 0;
	o->is_8bit = !header_is_ascii || o->body_is_8bit;
	o->needs_utf8 =
	    o->envelope->smtputf8 && (!header_is_ascii || !str_is_ascii(o->envelope->sender));
	return MESSAGE_SOURCE_SCANNED;
}

enum message_source_scan_state
message_source_scan(struct message_source *o)
{
	struct str piece;

	if (o->envelope->facts & BODY_FACTS_KNOWN)
		return message_source_set_needs(o, o->envelope->facts);
	if (o->looked_at < o->header.n + 2)
		o->looked_at = o->header.n + 2;
	switch (message_source_read(o, o->looked_at, &piece)) {
	case MESSAGE_SOURCE_HERE:
		break;
	case MESSAGE_SOURCE_AWAITED:
		return MESSAGE_SOURCE_SCAN_AWAITED;
	case MESSAGE_SOURCE_UNREADABLE:
		return MESSAGE_SOURCE_SCAN_FAILED;
	}
	body_facts_take(&o->facts, piece);
	o->looked_at += piece.n;
	if (piece.n && !o->facts.is_8bit)
		return MESSAGE_SOURCE_SCAN_MORE;
	return message_source_set_needs(o, body_facts_bits(&o->facts));
}

static bool
message_source_encode(struct message_source *o, struct header_fault *fault_out)
{
	if (o->ascii.n)
		return true;
	buf_init(&o->ascii, HEADER_ASCII_BYTES_MAX);
	if (header_to_ascii(o->header, &o->ascii, fault_out))
		return true;
	message_source_clear(o);
	return false;
}

bool
message_source_choose_header(
    struct message_source *o, bool has_smtputf8, struct header_fault *fault_out)
{
	bool is_ascii = str_is_ascii(o->header);
	bool is_encoded = !is_ascii && !has_smtputf8 && o->envelope->smtputf8;

	if (is_encoded && !message_source_encode(o, fault_out))
		return false;
	o->is_encoded = is_encoded;
	o->is_8bit = o->body_is_8bit || (!is_ascii && !is_encoded);
	return true;
}

void
message_source_clear(struct message_source *o)
{
	buf_clear(&o->ascii);
	o->is_encoded = false;
}

const struct envelope_recipient *
message_source_recipient(const struct message_source *o, size_t index)
{
	return &o->envelope->recipients[o->numbers[index] - 1];
}

uint64_t
message_source_bytes(const struct message_source *o)
{
	return message_source_header(o).n + 2 + (o->read ? o->body_bytes : o->body.n);
}

bool
message_source_is_small(const struct message_source *o)
{
	return !o->read;
}

struct smtp_status
message_source_late_status(void)
{
	return smtp_status_make(451, "4.3.0", "the stored message could not be read in time");
}
