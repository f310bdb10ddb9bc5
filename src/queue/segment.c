/*
 * segment: header, names, whole writes and patient reads.
 */
#include "queue/segment.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/crc.h"
#include "base/mem.h"

static const char magic[8] = "SALLYSEG";

/* Little endian; the checksum is over all before it. */
struct header {
	char magic[8];
	uint32_t version;
	uint32_t bytes;
	uint64_t generation;
	uint64_t tag;
	uint32_t zero;
	uint32_t crc;
};

_Static_assert(sizeof(struct header) == 40, "no padding");

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
segment_draw_tag(void)
{
	uint64_t tag;

	if (getrandom(&tag, sizeof tag, 0) != (ssize_t)sizeof tag)
		die("no random bytes");
	return tag;
}

int
segment_write_header(const struct segment *s, struct fsio *io)
{
	static const char zeros[SEGMENT_SECTOR - sizeof(struct header)];
	struct header h = {.version = htole32(SEGMENT_VERSION), .bytes = htole32(s->bytes)};
	struct iovec v[2] = {{&h, sizeof h}, {(void *)(uintptr_t)zeros, sizeof zeros}};

	memcpy(h.magic, magic, sizeof magic);
	h.generation = htole64(s->generation);
	h.tag = htole64(s->tag);
	h.crc = htole32(crc32c(0, &h, offsetof(struct header, crc)));
	if (segment_write(io, s->fd, v, 2, 0) != 0)
		return -1;
	return io->ops->sync_data(io, s->fd);
}

enum segment_verdict
segment_read_header(struct segment *s, struct fsio *io)
{
	struct header h;

	if (segment_read(io, s->fd, (struct iovec){&h, sizeof h}, 0) != sizeof h)
		return SEGMENT_BAD;
	if (memcmp(h.magic, magic, sizeof magic) != 0 ||
	    le32toh(h.crc) != crc32c(0, &h, offsetof(struct header, crc)))
		return SEGMENT_BAD;
	if (le32toh(h.version) != SEGMENT_VERSION)
		return SEGMENT_FOREIGN;
	s->bytes = le32toh(h.bytes);
	s->generation = le64toh(h.generation);
	s->tag = le64toh(h.tag);
	return s->bytes >= SPOOL_SEGMENT_MIN && s->bytes <= 1u << 30 ? SEGMENT_GOOD : SEGMENT_BAD;
}

/* Takes n written bytes off the front. */
static void
advance(struct iovec *v, int count, size_t n)
{
	for (int i = 0; i < count; i++) {
		size_t used = n < v[i].iov_len ? n : v[i].iov_len;

		v[i].iov_base = (char *)v[i].iov_base + used;
		v[i].iov_len -= used;
		n -= used;
	}
}

int
segment_write(struct fsio *io, int fd, struct iovec *v, int count, off_t at)
{
	while (count > 0) {
		ssize_t n;

		if (v[0].iov_len == 0) {
			v++;
			count--;
			continue;
		}
		n = io->ops->pwritev(io, fd, v, count, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO;
		if (n <= 0)
			return -1;
		at += n;
		advance(v, count, (size_t)n);
	}
	return 0;
}

size_t
segment_read(struct fsio *io, int fd, struct iovec room, off_t at)
{
	enum { PIECE = 65536 };
	char *p = room.iov_base;
	size_t got = 0;

	while (got < room.iov_len) {
		size_t want = room.iov_len - got < PIECE ? room.iov_len - got : PIECE;
		ssize_t n = io->ops->pread(io, fd, p + got, want, at + (off_t)got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			break;
		/* a sector that cannot be read costs its piece, not the segment */
		if (n < 0) {
			memset(p + got, 0, want);
			n = (ssize_t)want;
		}
		got += (size_t)n;
	}
	return got;
}
