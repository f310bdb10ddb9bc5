/*
 * seals: reads the first frame of a segment.  A single inverted bit in it is repaired with the help
 * of the checksums.
 */
#include "spool/seals.h"

#include <string.h>

#include "base/metrics.h"

enum {
	SEALS_HEAD_BYTES = 96,           /* a frame's header, and an entry of 32 */
	SEALS_PIECE_BYTES = 1 << 20,
};

static bool
seals_parse(const struct segment *g, struct str at, struct frame_seal *out, uint64_t *sequence_out)
{
	struct frame_header f;
	struct frame_entry r;
	bool bad;

	if (!frame_check(at, g->tag, &f))
		return false;
	at = str_upto(str_from(at, FRAME_HEADER_BYTES), f.payload_bytes);
	if (!frame_next_entry(&at, &r, &bad) || r.type != FRAME_SEAL)
		return false;
	*out = r.seal;
	*sequence_out = f.sequence;
	return true;
}

/* Tries the bytes with each single bit inverted: the checksums show whether that repairs the frame.
 * A frame that a power cut tore is never repaired in this way. */
static bool
seals_parse_repaired(
    const struct segment *g, struct str at, struct frame_seal *out, uint64_t *sequence_out)
{
	char bytes[SEALS_HEAD_BYTES];
	size_t n = at.n < sizeof bytes ? at.n : sizeof bytes;

	memcpy(bytes, at.p, n);
	for (size_t bit = 0; bit < 8 * n; bit++) {
		char original = bytes[bit / 8];

		bytes[bit / 8] = (char)(original ^ 1 << bit % 8);
		if (seals_parse(g, str_make(bytes, n), out, sequence_out))
			return true;
		bytes[bit / 8] = original;
	}
	return false;
}

/* What stands in the place of the first frame. */
enum seals_start_state { SEALS_START_BEFORE, SEALS_START_OWN, SEALS_START_DAMAGED };

static enum seals_start_state
seals_classify_start(const struct segment *g, struct str at)
{
	uint64_t tag;

	at = str_upto(at, FRAME_HEADER_BYTES);
	if (frame_header_tag(at, &tag))
		return tag == g->tag ? SEALS_START_OWN : SEALS_START_BEFORE;
	for (size_t i = 0; i < at.n; i++)
		if (at.p[i])
			return SEALS_START_DAMAGED;
	return SEALS_START_BEFORE;
}

static enum seal_state
seals_classify(
    const struct segment *g, struct str at, struct frame_seal *out, uint64_t *sequence_out)
{
	at = str_upto(at, SEALS_HEAD_BYTES);
	if (!seals_parse(g, at, out, sequence_out) &&
	    !seals_parse_repaired(g, at, out, sequence_out))
		return seals_classify_start(g, at) == SEALS_START_BEFORE ? SEAL_NONE : SEAL_DAMAGED;
	if (g->generation > 0 && out->generation >= g->generation)
		return SEAL_DAMAGED;
	return SEAL_VALID;
}

enum seal_state
seals_find(const struct segment *g, struct str bytes, struct frame_seal *out,
    uint64_t *sequence_out)
{
	return seals_classify(g, str_from(bytes, SEGMENT_DATA), out, sequence_out);
}

enum seal_state
seals_read(
    struct fsio *io, const struct segment *g, struct frame_seal *out, uint64_t *sequence_out)
{
	char bytes[SEALS_HEAD_BYTES];
	struct iovec v = {bytes, sizeof bytes};
	struct str at = {bytes, 0};

	if (fsio_read_all(io, g->fd, v, SEGMENT_DATA, &at.n) != 0)
		return SEAL_UNREAD;
	return seals_classify(g, at, out, sequence_out);
}

void
seals_scan(const struct segment *g, struct str bytes, struct seals_summary *out)
{
	struct frame_header f;
	size_t at = SEGMENT_DATA;

	*out = (struct seals_summary){.has_frame = false};
	while (at + FRAME_HEADER_BYTES <= bytes.n) {
		if (at % SEALS_PIECE_BYTES == 0)
			metrics_progress();
		at += FRAME_ALIGN;
		if (!frame_header_read(str_from(bytes, at - FRAME_ALIGN), g->tag, &f))
			continue;
		if (!out->has_frame) {
			out->first = f.sequence;
			out->first_durable = f.durable;
		}
		out->has_frame = true;
		out->last_at = at - FRAME_ALIGN;
		out->durable = f.durable > out->durable ? f.durable : out->durable;
	}
}

bool
seals_was_durable(const struct seals_summary *s)
{
	return s->has_frame && s->durable + 1 >= s->first;
}

bool
seals_is_bad_start(const struct segment *g, struct str bytes)
{
	return seals_classify_start(g, str_from(bytes, SEGMENT_DATA)) == SEALS_START_DAMAGED;
}
