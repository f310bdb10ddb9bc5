/*
 * segment: header, marks, file names, and reading a file on a failing disk.
 */
#include "spool/segment.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/crc.h"
#include "base/mem.h"

enum { SEGMENT_ZEROS_BYTES = 1 << 16 };

static const char magic[8] = "SALLYSEG";

/* Little endian; the checksum covers all before it. */
struct segment_header {
	char magic[8];
	uint32_t version;
	uint32_t bytes;
	uint64_t generation;
	uint64_t tag;
	uint32_t zero;
	uint32_t crc;
};

_Static_assert(sizeof(struct segment_header) == 40, "no padding");

/* After the header, and once more in sectors of its own; 0.1.0 wrote zeros there. */
struct segment_header_mark {
	char magic[4];
	uint32_t count;
	uint64_t freed;
	uint64_t missing[SEGMENT_MISSING_MAX];
	uint32_t zero;
	uint32_t crc;                    /* of all above */
	/* earlier versions wrote zeros from here on, and did not read it */
	uint64_t oldest;
	uint32_t more_zero;
	uint32_t more_crc;               /* of all above */
};

static const char mark_magic[4] = "MARK";

_Static_assert(sizeof(struct segment_header_mark) == 424, "no padding");
_Static_assert(sizeof(struct segment_header) + sizeof(struct segment_header_mark) <= SEGMENT_SECTOR,
    "one sector");

char *
segment_name(uint32_t slot, char out[SEGMENT_NAME_BYTES])
{
	snprintf(out, SEGMENT_NAME_BYTES, "seg-%08u", slot);
	return out;
}

char *
segment_new_name(uint32_t slot, char out[SEGMENT_NAME_BYTES])
{
	snprintf(out, SEGMENT_NAME_BYTES, "new-%08u", slot);
	return out;
}

char *
segment_set_aside_name(const struct segment *s, char out[SEGMENT_SET_ASIDE_BYTES])
{
	snprintf(out, SEGMENT_SET_ASIDE_BYTES, "damaged-seg-%08u-%016llx", s->slot,
	    (unsigned long long)s->tag);
	return out;
}

bool
segment_parse_name(const char *name, const char *prefix, uint32_t *slot_out)
{
	struct str s = str_of(name);
	uint64_t slot;

	if (!str_starts(s, str_of(prefix)) || s.n != 12)
		return false;
	if (!str_u64(str_from(s, 4), &slot) || slot >= SEGMENT_SLOTS_MAX)
		return false;
	*slot_out = (uint32_t)slot;
	return true;
}

struct segment *
segment_new(uint32_t slot, int fd, uint32_t bytes)
{
	struct segment *s = MEM_NEW(struct segment);

	s->slot = slot;
	s->fd = fd;
	s->bytes = bytes;
	return s;
}

void
segment_free(struct segment **s, struct fsio *io)
{
	if (!*s)
		return;
	if ((*s)->fd >= 0)
		io->ops->close(io, (*s)->fd);
	mem_free(*s);
	*s = NULL;
}

uint64_t
segment_make_tag(void)
{
	uint64_t tag;

	if (getrandom(&tag, sizeof tag, 0) != (ssize_t)sizeof tag)
		die("no random bytes");
	return tag;
}

/* The pages of one write stay together in the kernel's cache, and each later write of a frame has
 * to process all of those that it touches: so no write is large. */
int
segment_write_zeros(struct fsio *io, int fd, uint32_t at, uint32_t bytes)
{
	static const char zeros[SEGMENT_ZEROS_BYTES];
	uint32_t part;

	for (uint32_t done = 0; done < bytes; done += part) {
		struct iovec v = {(void *)(uintptr_t)zeros, SEGMENT_ZEROS_BYTES};

		part = bytes - done < SEGMENT_ZEROS_BYTES ? bytes - done : SEGMENT_ZEROS_BYTES;
		v.iov_len = part;
		if (fsio_write_all(io, fd, &v, 1, (off_t)at + done) != 0)
			return -1;
	}
	return 0;
}

/* ---- marks ---- */

/* Where there is no room, generations that are freed by now are left out. */
static void
segment_drop_freed(struct segment_mark *mark)
{
	unsigned count = 0;

	for (unsigned i = 0; i < mark->missing_count; i++)
		if (mark->missing[i] > mark->freed)
			mark->missing[count++] = mark->missing[i];
	mark->missing_count = count;
}

bool
segment_add_missing(struct segment_mark *mark, uint64_t generation)
{
	if (segment_is_missing(mark, generation))
		return true;
	if (mark->missing_count == SEGMENT_MISSING_MAX)
		segment_drop_freed(mark);
	if (mark->missing_count == SEGMENT_MISSING_MAX)
		return generation <= mark->freed;
	mark->missing[mark->missing_count++] = generation;
	return true;
}

bool
segment_is_missing(const struct segment_mark *mark, uint64_t generation)
{
	for (unsigned i = 0; i < mark->missing_count; i++)
		if (mark->missing[i] == generation)
			return true;
	return false;
}

uint64_t
segment_mark_last(const struct segment_mark *mark)
{
	uint64_t last = mark->oldest > mark->freed ? mark->oldest : mark->freed;

	for (unsigned i = 0; i < mark->missing_count; i++)
		last = mark->missing[i] > last ? mark->missing[i] : last;
	return last;
}

void
segment_add_mark(struct segment_mark *to, const struct segment_mark *from)
{
	if (from->freed > to->freed)
		to->freed = from->freed;
	if (from->oldest > to->oldest)
		to->oldest = from->oldest;
	for (unsigned i = 0; i < from->missing_count; i++)
		(void)!segment_add_missing(to, from->missing[i]);
}

static void
segment_encode_mark(char *at, const struct segment_mark *mark)
{
	struct segment_header_mark h = {
	    .freed = htole64(mark->freed), .oldest = htole64(mark->oldest)};

	memcpy(h.magic, mark_magic, sizeof h.magic);
	for (unsigned i = 0; i < mark->missing_count; i++)
		h.missing[i] = htole64(mark->missing[i]);
	h.count = htole32(mark->missing_count);
	h.crc = htole32(crc32c(0, &h, offsetof(struct segment_header_mark, crc)));
	h.more_crc = htole32(crc32c(0, &h, offsetof(struct segment_header_mark, more_crc)));
	memcpy(at, &h, sizeof h);
}

static void
segment_decode_mark(struct str bytes, size_t at, struct segment_mark *out)
{
	struct segment_mark m = {.is_known = true};
	struct segment_header_mark h;

	if (bytes.n < at + sizeof h)
		return;
	memcpy(&h, bytes.p + at, sizeof h);
	m.freed = le64toh(h.freed);
	if (memcmp(h.magic, mark_magic, sizeof h.magic) != 0 ||
	    le32toh(h.crc) != crc32c(0, &h, offsetof(struct segment_header_mark, crc)))
		return;
	if (le32toh(h.more_crc) == crc32c(0, &h, offsetof(struct segment_header_mark, more_crc)))
		m.oldest = le64toh(h.oldest);
	for (uint32_t i = 0; i < le32toh(h.count) && i < SEGMENT_MISSING_MAX; i++)
		(void)!segment_add_missing(&m, le64toh(h.missing[i]));
	out->is_known = true;
	segment_add_mark(out, &m);
}

int
segment_write_mark(const struct segment *s, struct fsio *io, const struct segment_mark *mark,
    unsigned number)
{
	off_t at = SEGMENT_MARK_AT + (off_t)(number % SEGMENT_MARK_SLOTS) * SEGMENT_SECTOR;
	char sector[SEGMENT_SECTOR] = {0};
	struct iovec v = {sector, sizeof sector};

	segment_encode_mark(sector, mark);
	if (fsio_write_all(io, s->fd, &v, 1, at) != 0)
		return -1;
	return io->ops->sync_data(io, s->fd);
}

/* ---- headers ---- */

int
segment_write_header(const struct segment *s, struct fsio *io, const struct segment_mark *mark)
{
	struct segment_header h = {.version = htole32(SEGMENT_VERSION), .bytes = htole32(s->bytes)};
	char sector[SEGMENT_SECTOR] = {0};
	struct iovec v = {sector, sizeof sector};

	memcpy(h.magic, magic, sizeof magic);
	h.generation = htole64(s->generation);
	h.tag = htole64(s->tag);
	h.crc = htole32(crc32c(0, &h, offsetof(struct segment_header, crc)));
	memcpy(sector, &h, sizeof h);
	segment_encode_mark(sector + sizeof h, mark);
	if (fsio_write_all(io, s->fd, &v, 1, 0) != 0)
		return -1;
	return io->ops->sync_data(io, s->fd);
}

int
segment_clear_start(const struct segment *s, struct fsio *io)
{
	if (segment_write_zeros(io, s->fd, SEGMENT_DATA, SEGMENT_SECTOR) != 0)
		return -1;
	return io->ops->sync_data(io, s->fd);
}

int
segment_read_header(struct segment *s, struct fsio *io, enum segment_header_state *state_out,
    struct segment_mark *mark_out)
{
	char bytes[SEGMENT_MARK_AT + SEGMENT_MARK_SLOTS * SEGMENT_SECTOR] = {0};
	struct segment_header h;
	size_t got;

	*state_out = SEGMENT_BAD;
	*mark_out = (struct segment_mark){0};
	if (fsio_read_all(io, s->fd, (struct iovec){bytes, sizeof bytes}, 0, &got) != 0)
		return -1;
	segment_decode_mark(str_make(bytes, got), sizeof h, mark_out);
	for (size_t n = 0; n < SEGMENT_MARK_SLOTS; n++)
		segment_decode_mark(str_make(bytes, got), SEGMENT_MARK_AT + n * SEGMENT_SECTOR,
		    mark_out);
	memcpy(&h, bytes, sizeof h);
	if (got < sizeof h || memcmp(h.magic, magic, sizeof magic) != 0 ||
	    le32toh(h.crc) != crc32c(0, &h, offsetof(struct segment_header, crc)))
		return 0;
	s->version = le32toh(h.version);
	s->bytes = le32toh(h.bytes);
	s->generation = le64toh(h.generation);
	s->tag = le64toh(h.tag);
	if (s->version != SEGMENT_VERSION)
		*state_out = SEGMENT_FOREIGN;
	else if (s->bytes >= SPOOL_SEGMENT_MIN && s->bytes <= 1u << 30)
		*state_out = SEGMENT_GOOD;
	return 0;
}

/* ---- reading a file on a failing disk ---- */

bool
segment_is_medium_error(int error)
{
	return error == EIO || error == EUCLEAN || error == EBADMSG || error == ENODATA ||
	    error == EREMOTEIO || error == EILSEQ;
}

static void
segment_add_hole(struct segment_holes *h, uint32_t from, uint32_t to)
{
	if (h->count && h->item[h->count - 1].to == from) {
		h->item[h->count - 1].to = to;
		return;
	}
	if (h->count == h->cap) {
		h->cap = h->cap ? 2 * h->cap : 16;
		h->item = mem_grow(h->item, h->cap * sizeof *h->item);
	}
	h->item[h->count++] = (struct segment_hole){from, to};
}

/* The failure of a larger read does not show which of its pages cannot be read. */
static int
segment_salvage_page(
    struct fsio *io, int fd, struct iovec page, uint32_t at, struct segment_holes *holes)
{
	size_t got;

	if (fsio_read_all(io, fd, page, at, &got) == 0)
		return 0;
	if (!segment_is_medium_error(errno))
		return -1;
	holes->error = errno;
	memset(page.iov_base, 0, page.iov_len);
	segment_add_hole(holes, at, at + (uint32_t)page.iov_len);
	return 0;
}

int
segment_salvage(struct fsio *io, int fd, struct iovec buffer, struct segment_holes *holes,
    size_t *got_out)
{
	size_t at = 0, got;

	while (at < buffer.iov_len) {
		struct iovec rest = {(char *)buffer.iov_base + at, buffer.iov_len - at};
		int result = fsio_read_all(io, fd, rest, (off_t)at, &got);

		at += got;
		if (result == 0)
			break;
		rest.iov_base = (char *)buffer.iov_base + at;
		rest.iov_len = SEGMENT_SALVAGE_BYTES - at % SEGMENT_SALVAGE_BYTES;
		if (rest.iov_len > buffer.iov_len - at)
			rest.iov_len = buffer.iov_len - at;
		if (!segment_is_medium_error(errno) ||
		    segment_salvage_page(io, fd, rest, (uint32_t)at, holes) != 0) {
			*got_out = at;
			return -1;
		}
		at += rest.iov_len;
	}
	*got_out = at;
	return 0;
}

bool
segment_has_hole(const struct segment_holes *holes, uint32_t from, uint32_t to)
{
	for (size_t i = 0; i < holes->count; i++)
		if (holes->item[i].from < to && from < holes->item[i].to)
			return true;
	return false;
}

void
segment_holes_clear(struct segment_holes *holes)
{
	mem_free(holes->item);
	*holes = (struct segment_holes){0};
}
