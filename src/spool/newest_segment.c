/*
 * newest_segment: the file has one sector, with a checksum.  It is overwritten in place, and its
 * name is synced once.
 */
#include "spool/newest_segment.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>

#include "base/crc.h"
#include "base/log.h"

struct newest_segment_content {
	char magic[8];
	uint32_t version;
	uint32_t slot;
	uint64_t generation;
	uint32_t zero;
	uint32_t crc;                    /* of all above */
};

enum { NEWEST_SEGMENT_VERSION = 1 };

static const char newest_segment_magic[8] = {'S', 'A', 'L', 'L', 'Y', 'N', 'E', 'W'};

/* ---- reading ---- */

static bool
newest_segment_parse(struct newest_segment *n, struct str bytes)
{
	struct newest_segment_content c;

	if (bytes.n < sizeof c)
		return false;
	memcpy(&c, bytes.p, sizeof c);
	if (memcmp(c.magic, newest_segment_magic, sizeof c.magic) != 0 ||
	    le32toh(c.version) != NEWEST_SEGMENT_VERSION ||
	    le32toh(c.crc) != crc32c(0, &c, offsetof(struct newest_segment_content, crc)))
		return false;
	n->generation = le64toh(c.generation);
	n->slot = le32toh(c.slot);
	n->is_recorded = true;
	return true;
}

static bool
newest_segment_is_blank(struct str bytes)
{
	for (size_t i = 0; i < bytes.n; i++)
		if (bytes.p[i])
			return false;
	return true;
}

static int
newest_segment_load(struct newest_segment *n, enum newest_segment_state *state_out)
{
	char sector[SEGMENT_SECTOR];
	struct iovec v = {sector, sizeof sector};
	int fd = n->io->ops->open(n->io, NEWEST_SEGMENT_NAME, O_RDONLY), result, error;
	size_t got;

	if (fd < 0)
		return -1;
	result = fsio_read_all(n->io, fd, v, 0, &got);
	error = errno;
	n->io->ops->close(n->io, fd);
	errno = error;
	if (result != 0)
		return -1;
	if (newest_segment_parse(n, str_make(sector, got)))
		*state_out = NEWEST_SEGMENT_GOOD;
	else if (!newest_segment_is_blank(str_make(sector, got)))
		*state_out = NEWEST_SEGMENT_DAMAGED;
	return 0;
}

int
newest_segment_read(struct newest_segment *n, enum newest_segment_state *state_out)
{
	struct fsio_file file;

	*state_out = NEWEST_SEGMENT_ABSENT;
	if (n->io->ops->inspect(n->io, NEWEST_SEGMENT_NAME, &file) != 0)
		return errno == ENOENT ? 0 : -1;
	n->is_named = true;
	n->is_foreign = !file.is_plain || !file.is_ours || !file.is_private;
	if (n->is_foreign)
		*state_out = NEWEST_SEGMENT_FOREIGN;
	else if (newest_segment_load(n, state_out) != 0)
		return -1;
	n->is_unknown =
	    *state_out == NEWEST_SEGMENT_FOREIGN || *state_out == NEWEST_SEGMENT_DAMAGED;
	return 0;
}

/* ---- writing ---- */

static int
newest_segment_write_file(struct newest_segment *n, int fd)
{
	struct newest_segment_content c = {.version = htole32(NEWEST_SEGMENT_VERSION),
	    .slot = htole32(n->slot),
	    .generation = htole64(n->generation)};
	char sector[SEGMENT_SECTOR] = {0};
	struct iovec v = {sector, sizeof sector};

	memcpy(c.magic, newest_segment_magic, sizeof c.magic);
	c.crc = htole32(crc32c(0, &c, offsetof(struct newest_segment_content, crc)));
	memcpy(sector, &c, sizeof c);
	if (fsio_write_all(n->io, fd, &v, 1, 0) != 0)
		return -1;
	return n->io->ops->sync_data(n->io, fd);
}

static int
newest_segment_write(struct newest_segment *n)
{
	int fd = n->io->ops->open(n->io, NEWEST_SEGMENT_NAME, O_RDWR | O_CREAT), result, error;

	if (fd < 0)
		return -1;
	result = newest_segment_write_file(n, fd);
	error = errno;
	n->io->ops->close(n->io, fd);
	errno = error;
	if (result != 0 || n->is_named)
		return result;
	if (n->io->ops->sync_directory(n->io) != 0)
		return -1;
	n->is_named = true;
	return 0;
}

void
newest_segment_set(struct newest_segment *n, const struct segment *g)
{
	uint64_t generation = g ? g->generation : 0;

	if (n->is_foreign || (n->is_recorded && n->generation == generation))
		return;
	n->generation = generation;
	n->slot = g ? g->slot : 0;
	n->is_recorded = newest_segment_write(n) == 0;
	if (!n->is_recorded)
		log_warn("spool: %s cannot be written: %m; if the file of the newest segment is "
			 "missing at a later start, that may not be noticed", NEWEST_SEGMENT_NAME);
}
