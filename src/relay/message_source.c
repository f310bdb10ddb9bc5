/*
 * message_source: presents header, CRLF and body as one sequence of bytes.  The body is in memory
 * or in a file.
 */
#include "relay/message_source.h"

#include "base/block_sums.h"
#include "base/clock.h"

_Static_assert(
    (int)MESSAGE_SOURCE_BLOCK_BYTES == (int)BLOCK_SUMS_BLOCK_BYTES, "each block has its sum");

/* The size of the block of the body that begins at `at`. */
static size_t
message_source_block_bytes(const struct message_source *source, uint64_t at)
{
	uint64_t left = source->body_bytes - at;

	return left < MESSAGE_SOURCE_BLOCK_BYTES ? (size_t)left : MESSAGE_SOURCE_BLOCK_BYTES;
}

static enum message_source_answer
message_source_block(struct message_source *source, uint64_t at, struct str *block_out)
{
	size_t n = message_source_block_bytes(source, at);
	enum message_source_answer answer;

	*block_out = STR_NULL;
	if (n == 0)
		return MESSAGE_SOURCE_AVAILABLE;
	answer = source->read(source->arg, at, n, block_out);
	if (answer != MESSAGE_SOURCE_AVAILABLE)
		return answer;
	source->is_damaged = source->sums.n && !block_sums_match(source->sums, at, *block_out);
	return source->is_damaged ? MESSAGE_SOURCE_UNREADABLE : MESSAGE_SOURCE_AVAILABLE;
}

static void
message_source_note_wait(struct message_source *source, enum message_source_answer answer)
{
	if (answer != MESSAGE_SOURCE_AWAITED)
		source->awaited_since_ms = 0;
	else if (source->awaited_since_ms == 0)
		source->awaited_since_ms = clock_mono_ms();
}

int64_t
message_source_awaited_ms(const struct message_source *source)
{
	return source->awaited_since_ms ? clock_mono_ms() - source->awaited_since_ms : 0;
}

static struct str
message_source_header(const struct message_source *source)
{
	return source->is_encoded ? buf_str(&source->ascii) : source->header;
}

enum message_source_answer
message_source_read(struct message_source *source, uint64_t at, struct str *piece_out)
{
	struct str header = message_source_header(source);
	uint64_t body_at = header.n + 2;
	enum message_source_answer answer = MESSAGE_SOURCE_AVAILABLE;

	if (at < header.n)
		*piece_out = str_from(header, at);
	else if (at < body_at)
		*piece_out = str_from(STR("\r\n"), at - header.n);
	else if (source->read)
		answer = message_source_block(source, at - body_at, piece_out);
	else
		*piece_out = str_from(source->body, at - body_at);
	message_source_note_wait(source, answer);
	return answer;
}

void
message_source_read_ahead(struct message_source *source, uint64_t at)
{
	uint64_t body_at = message_source_header(source).n + 2,
	         from = at < body_at ? 0 : at - body_at;
	struct str block;

	if (source->read && from < source->body_bytes)
		(void)source->read(
		    source->arg, from, message_source_block_bytes(source, from), &block);
}

static enum message_source_scan_state
message_source_set_needs(struct message_source *source, unsigned facts)
{
	bool header_is_ascii = str_is_ascii(source->header);

	source->body_is_8bit = (facts & BODY_FACTS_8BIT) != 0;
	source->is_8bit = !header_is_ascii || source->body_is_8bit;
	source->needs_utf8 = source->envelope->smtputf8 &&
	                     (!header_is_ascii || !str_is_ascii(source->envelope->sender));
	return MESSAGE_SOURCE_SCANNED;
}

enum message_source_scan_state
message_source_scan(struct message_source *source)
{
	struct str piece;

	if (source->envelope->facts & BODY_FACTS_KNOWN)
		return message_source_set_needs(source, source->envelope->facts);
	if (source->scanned_bytes < source->header.n + 2)
		source->scanned_bytes = source->header.n + 2;
	switch (message_source_read(source, source->scanned_bytes, &piece)) {
	case MESSAGE_SOURCE_AVAILABLE:
		break;
	case MESSAGE_SOURCE_AWAITED:
		return MESSAGE_SOURCE_SCAN_AWAITED;
	case MESSAGE_SOURCE_UNREADABLE:
		return MESSAGE_SOURCE_SCAN_FAILED;
	}
	body_facts_take(&source->facts, piece);
	source->scanned_bytes += piece.n;
	if (piece.n && !source->facts.is_8bit)
		return MESSAGE_SOURCE_SCAN_MORE;
	return message_source_set_needs(source, body_facts_bits(&source->facts));
}

static bool
message_source_encode(struct message_source *source, struct header_fault *fault_out)
{
	if (source->ascii.n)
		return true;
	buf_init(&source->ascii, HEADER_ASCII_BYTES_MAX);
	if (header_to_ascii(source->header, &source->ascii, fault_out))
		return true;
	message_source_clear(source);
	return false;
}

bool
message_source_choose_header(
    struct message_source *source, bool has_smtputf8, struct header_fault *fault_out)
{
	bool is_ascii = str_is_ascii(source->header);
	bool is_encoded = !is_ascii && !has_smtputf8 && source->envelope->smtputf8;

	if (is_encoded && !message_source_encode(source, fault_out))
		return false;
	source->is_encoded = is_encoded;
	source->is_8bit = source->body_is_8bit || (!is_ascii && !is_encoded);
	return true;
}

void
message_source_clear(struct message_source *source)
{
	buf_clear(&source->ascii);
	source->is_encoded = false;
}

const struct envelope_recipient *
message_source_recipient(const struct message_source *source, size_t index)
{
	return &source->envelope->recipients[source->numbers[index] - 1];
}

uint64_t
message_source_bytes(const struct message_source *source)
{
	return message_source_header(source).n + 2 +
	       (source->read ? source->body_bytes : source->body.n);
}

bool
message_source_is_small(const struct message_source *source)
{
	return !source->read;
}

struct smtp_status
message_source_late_status(void)
{
	return smtp_status_make(451, "4.3.0", "the stored message could not be read in time");
}
