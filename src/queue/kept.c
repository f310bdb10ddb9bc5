/*
 * kept: see the header.
 */
#include "queue/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "queue/stock_room.h"

enum { KEPT_PIECE_BYTES = 1 << 20 };

static void
kept_name(const struct kept_stretch *s, const char *end, char out[KEPT_NAME_BYTES])
{
	snprintf(out, KEPT_NAME_BYTES, "damaged-%llu-%u%s",
	    (unsigned long long)s->segment->generation, s->from, end);
}

/* Where the first name is that of a copy of another length. */
static void
kept_other_name(const struct kept_stretch *s, char out[KEPT_NAME_BYTES])
{
	snprintf(out, KEPT_NAME_BYTES, "damaged-%llu-%u-%u",
	    (unsigned long long)s->segment->generation, s->from, s->to);
}

/* 1: there is something of this name; 0: there is not; -1 with errno: that is not known. */
static int
kept_find(struct fsio *io, const char *name, struct fsio_file *out)
{
	if (io->ops->inspect(io, name, out) == 0)
		return 1;
	return errno == ENOENT ? 0 : -1;
}

bool
kept_is_unfinished(struct str name)
{
	return str_starts(name, STR("damaged-")) && name.n >= 4 &&
	    str_eq(str_from(name, name.n - 4), STR(".new"));
}

int
kept_find_copy(struct fsio *io, const struct kept_stretch *s, char name_out[KEPT_NAME_BYTES])
{
	struct fsio_file file;
	int found;

	kept_name(s, "", name_out);
	found = kept_find(io, name_out, &file);
	if (found > 0 && file.bytes != (off_t)(s->to - s->from)) {
		kept_other_name(s, name_out);
		found = kept_find(io, name_out, &file);
	}
	return found > 0 ? file.bytes == (off_t)(s->to - s->from) : found;
}

void
kept_set_unsure(struct kept *k, const char *name, int error)
{
	if (k->error)
		return;
	k->error = error;
	snprintf(k->unsure, sizeof k->unsure, "%s", name);
}

void
kept_add(struct kept *k, const struct kept_stretch *s)
{
	if (k->count < KEPT_MAX)
		k->item[k->count++] = *s;
	else
		k->others++;
}

/* In pieces: memory stays bounded, and each of them is progress. */
static int
kept_copy(struct fsio *io, int fd, const struct kept_stretch *s)
{
	struct iovec room = {mem_new(KEPT_PIECE_BYTES), 0};
	int result = 0, error;
	uint32_t at = s->from;
	size_t got;

	while (result == 0 && at < s->to) {
		struct iovec v = room;

		v.iov_len = s->to - at < KEPT_PIECE_BYTES ? s->to - at : KEPT_PIECE_BYTES;
		result = segment_read(io, s->segment->fd, v, at, &got);
		if (result == 0 && got < v.iov_len) {
			errno = EIO;
			result = -1;
		}
		if (result == 0)
			result = segment_write(io, fd, &v, 1, (off_t)(at - s->from));
		at += (uint32_t)got;
	}
	if (result == 0)
		result = io->ops->sync_data(io, fd);
	error = errno;
	mem_free(room.iov_base);
	errno = error;
	return result;
}

static int
kept_write_as(struct fsio *io, const struct kept_stretch *s, const char *name, const char *new)
{
	int fd, result, error;

	fd = io->ops->open(io, new, O_RDWR | O_CREAT | O_EXCL);
	if (fd < 0)
		return -1;
	result = kept_copy(io, fd, s);
	error = errno;
	io->ops->close(io, fd);
	errno = error;
	return result == 0 ? io->ops->rename(io, new, name) : -1;
}

static void
kept_write_one(struct fsio *io, const struct kept_stretch *s)
{
	char name[KEPT_NAME_BYTES], new[KEPT_NAME_BYTES];

	struct fsio_file file;

	kept_name(s, "", name);
	kept_name(s, ".new", new);
	/* what a start before has kept is not written over */
	if (kept_find(io, name, &file) != 0)
		kept_other_name(s, name);
	if (kept_find(io, name, &file) != 0)
		log_warn("spool: a copy of what is damaged in segment %u from %u to %u is not "
			 "made: there is something else of the name %s", s->segment->slot, s->from,
		    s->to, name);
	else if (kept_write_as(io, s, name, new) == 0)
		log_error("spool: segment %u: what is damaged from %u to %u is kept as %s",
		    s->segment->slot, s->from, s->to, name);
	else {
		log_warn("spool: cannot write %s: %m; the next start tries again", name);
		(void)!io->ops->unlink(io, new);
	}
}

/* It is used again soon, and what is damaged in it is gone then. */
static bool
kept_is_last_chance(const struct kept_stretch *s, const struct stock *pool)
{
	for (const struct segment *g = pool->returned; g; g = g->next)
		if (g == s->segment)
			return true;
	return false;
}

static bool
kept_has_room(const struct kept_stretch *s, const struct stock *pool)
{
	uint64_t have, all;

	if (kept_is_last_chance(s, pool))
		return true;
	return pool->io->ops->space(pool->io, &have, &all) == 0 &&
	    have >= stock_room_first_bytes(pool, all) + (s->to - s->from);
}

void
kept_write(struct kept *k, const struct stock *pool)
{
	struct fsio *io = pool->io;

	for (unsigned i = 0; i < k->count; i++) {
		if (kept_has_room(&k->item[i], pool))
			kept_write_one(io, &k->item[i]);
		else
			k->others++;
	}
	if (k->count && io->ops->sync_directory(io) != 0)
		log_warn("spool: the names of damaged-* files are not durable: %m");
	if (k->others)
		log_warn("spool: %u damaged places are not copied now, for their number or for "
			 "want of room: the next start does it",
		    k->others);
	k->count = k->others = 0;
}
