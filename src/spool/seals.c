/*
 * seals: see the header.
 */
#include "spool/seals.h"

#include <string.h>

#include "base/metrics.h"

enum {
	SEALS_HEAD_BYTES = 96,           /* a frame's header, and an entry of 32 */
	SEALS_PIECE_BYTES = 1 << 20,
};

static bool
seals_take(const struct segment *g, struct str at, struct record_seal *out, uint64_t *sequence_out)
{
	struct record_frame f;
	struct record r;
	bool bad;

	if (!record_frame_check(at, g->tag, &f))
		return false;
	at = str_upto(str_from(at, RECORD_HEADER_BYTES), f.payload_bytes);
	if (!record_next(&at, &r, &bad) || r.type != RECORD_SEAL)
		return false;
	*out = r.seal;
	*sequence_out = f.sequence;
	return true;
}

/* With one bit of it turned over again: the checksums say which.  What a power cut tore never fits
 * in that way. */
static bool
seals_take_mended(
    const struct segment *g, struct str at, struct record_seal *out, uint64_t *sequence_out)
{
	char bytes[SEALS_HEAD_BYTES];
	size_t n = at.n < sizeof bytes ? at.n : sizeof bytes;

	memcpy(bytes, at.p, n);
	for (size_t bit = 0; bit < 8 * n; bit++) {
		char whole = bytes[bit / 8];

		bytes[bit / 8] = (char)(whole ^ 1 << bit % 8);
		if (seals_take(g, str_make(bytes, n), out, sequence_out))
			return true;
		bytes[bit / 8] = whole;
	}
	return false;
}

/* What stands where the first frame belongs. */
enum seals_start { SEALS_START_BEFORE, SEALS_START_OWN, SEALS_START_DAMAGED };

static enum seals_start
seals_start(const struct segment *g, struct str at)
{
	uint64_t tag;

	at = str_upto(at, RECORD_HEADER_BYTES);
	if (record_frame_tag(at, &tag))
		return tag == g->tag ? SEALS_START_OWN : SEALS_START_BEFORE;
	for (size_t i = 0; i < at.n; i++)
		if (at.p[i])
			return SEALS_START_DAMAGED;
	return SEALS_START_BEFORE;
}

static enum seal_state
seals_judge(const struct segment *g, struct str at, struct record_seal *out, uint64_t *sequence_out)
{
	at = str_upto(at, SEALS_HEAD_BYTES);
	if (!seals_take(g, at, out, sequence_out) && !seals_take_mended(g, at, out, sequence_out))
		return seals_start(g, at) == SEALS_START_BEFORE ? SEAL_NONE : SEAL_DAMAGED;
	if (g->generation > 0 && out->generation >= g->generation)
		return SEAL_DAMAGED;
	return SEAL_OWN;
}

enum seal_state
seals_find(const struct segment *g, struct str bytes, struct record_seal *out,
    uint64_t *sequence_out)
{
	return seals_judge(g, str_from(bytes, SEGMENT_DATA), out, sequence_out);
}

enum seal_state
seals_read(
    struct fsio *io, const struct segment *g, struct record_seal *out, uint64_t *sequence_out)
{
	char bytes[SEALS_HEAD_BYTES];
	struct iovec v = {bytes, sizeof bytes};
	struct str at = {bytes, 0};

	if (fsio_read_all(io, g->fd, v, SEGMENT_DATA, &at.n) != 0)
		return SEAL_UNREAD;
	return seals_judge(g, at, out, sequence_out);
}

void
seals_look(const struct segment *g, struct str bytes, struct seals_sight *out)
{
	struct record_frame f;
	size_t at = SEGMENT_DATA;

	*out = (struct seals_sight){.has_frame = false};
	while (at + RECORD_HEADER_BYTES <= bytes.n) {
		if (at % SEALS_PIECE_BYTES == 0)
			metrics_progress();
		at += RECORD_ALIGN;
		if (!record_frame_read(str_from(bytes, at - RECORD_ALIGN), g->tag, &f))
			continue;
		if (!out->has_frame) {
			out->first = f.sequence;
			out->first_durable = f.durable;
		}
		out->has_frame = true;
		out->last_at = at - RECORD_ALIGN;
		out->durable = f.durable > out->durable ? f.durable : out->durable;
	}
}

bool
seals_was_durable(const struct seals_sight *s)
{
	return s->has_frame && s->durable + 1 >= s->first;
}

bool
seals_is_bad_start(const struct segment *g, struct str bytes)
{
	return seals_start(g, str_from(bytes, SEGMENT_DATA)) == SEALS_START_DAMAGED;
}
