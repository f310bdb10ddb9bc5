/*
 * damage_copies: a copy is written under a temporary name (.new), synced and renamed.  A copy that
 * exists is never overwritten.
 */
#include "spool/damage_copies.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "spool/segment_space.h"

enum { DAMAGE_COPIES_PIECE_BYTES = 1 << 20 };

static void
damage_copies_name(
    const struct damage_copies_stretch *s, const char *end, char out[DAMAGE_COPIES_NAME_BYTES])
{
	snprintf(out, DAMAGE_COPIES_NAME_BYTES, "damaged-%llu-%u%s",
	    (unsigned long long)s->segment->generation, s->from, end);
}

/* The name in case the first name belongs to a copy of another length. */
static void
damage_copies_other_name(const struct damage_copies_stretch *s, char out[DAMAGE_COPIES_NAME_BYTES])
{
	snprintf(out, DAMAGE_COPIES_NAME_BYTES, "damaged-%llu-%u-%u",
	    (unsigned long long)s->segment->generation, s->from, s->to);
}

/* 1: there is a file of this name; 0: there is none; -1 with errno: that is not known. */
static int
damage_copies_inspect(struct fsio *io, const char *name, struct fsio_file *out)
{
	if (io->ops->inspect(io, name, out) == 0)
		return 1;
	return errno == ENOENT ? 0 : -1;
}

bool
damage_copies_is_unfinished(struct str name)
{
	return str_starts(name, STR("damaged-")) && name.n >= 4 &&
	    str_eq(str_from(name, name.n - 4), STR(".new"));
}

int
damage_copies_find(
    struct fsio *io, const struct damage_copies_stretch *s, char name_out[DAMAGE_COPIES_NAME_BYTES])
{
	struct fsio_file file;
	int found;

	damage_copies_name(s, "", name_out);
	found = damage_copies_inspect(io, name_out, &file);
	if (found > 0 && file.bytes != (off_t)(s->to - s->from)) {
		damage_copies_other_name(s, name_out);
		found = damage_copies_inspect(io, name_out, &file);
	}
	return found > 0 ? file.bytes == (off_t)(s->to - s->from) : found;
}

void
damage_copies_set_unsure(struct damage_copies *k, const struct damage_copies_stretch *s,
    const char *name, bool is_accepted)
{
	if (is_accepted) {
		log_warn("spool: %s cannot be looked at: %m; what is damaged is not copied under "
			 "this name", name);
		damage_copies_skip(k, s);
	} else if (!k->error) {
		k->error = errno;
		snprintf(k->unchecked, sizeof k->unchecked, "%s", name);
	}
}

void
damage_copies_add(struct damage_copies *k, const struct damage_copies_stretch *s)
{
	if (k->count < DAMAGE_COPIES_MAX) {
		k->stretches[k->count++] = *s;
		return;
	}
	k->over_limit++;
	damage_copies_skip(k, s);
}

void
damage_copies_skip(struct damage_copies *k, const struct damage_copies_stretch *s)
{
	k->skipped++;
	s->segment->is_uncopied = true;
}

/* In pieces: this bounds the memory, and the watchdog sees the progress. */
static int
damage_copies_copy_bytes(struct fsio *io, int fd, const struct damage_copies_stretch *s)
{
	struct iovec buffer = {mem_new(DAMAGE_COPIES_PIECE_BYTES), 0};
	int result = 0, error;
	uint32_t at = s->from;
	size_t got;

	while (result == 0 && at < s->to) {
		struct iovec v = buffer;

		v.iov_len =
		    s->to - at < DAMAGE_COPIES_PIECE_BYTES ? s->to - at : DAMAGE_COPIES_PIECE_BYTES;
		result = fsio_read_all(io, s->segment->fd, v, at, &got);
		if (result == 0 && got < v.iov_len) {
			errno = EIO;
			result = -1;
		}
		if (result == 0)
			result = fsio_write_all(io, fd, &v, 1, (off_t)(at - s->from));
		at += (uint32_t)got;
	}
	if (result == 0)
		result = io->ops->sync_data(io, fd);
	error = errno;
	mem_free(buffer.iov_base);
	errno = error;
	return result;
}

static int
damage_copies_write_as(
    struct fsio *io, const struct damage_copies_stretch *s, const char *name, const char *new)
{
	int fd, result, error;

	fd = io->ops->open(io, new, O_RDWR | O_CREAT | O_EXCL);
	if (fd < 0)
		return -1;
	result = damage_copies_copy_bytes(io, fd, s);
	error = errno;
	io->ops->close(io, fd);
	errno = error;
	return result == 0 ? io->ops->rename(io, new, name) : -1;
}

/* Chooses a name that is not in use: a copy of an earlier start is not overwritten.  False, logged:
 * there is none. */
static bool
damage_copies_choose_name(
    struct fsio *io, const struct damage_copies_stretch *s, char name_out[DAMAGE_COPIES_NAME_BYTES])
{
	struct fsio_file file;
	int found;

	damage_copies_name(s, "", name_out);
	found = damage_copies_inspect(io, name_out, &file);
	if (found > 0) {
		damage_copies_other_name(s, name_out);
		found = damage_copies_inspect(io, name_out, &file);
	}
	if (found < 0)
		log_warn("spool: segment %u: what is damaged from %u to %u is not copied now: %s "
			 "cannot be looked at: %m; the next start tries again", s->segment->slot,
		    s->from, s->to, name_out);
	else if (found > 0)
		log_warn("spool: segment %u: what is damaged from %u to %u is not copied now: "
			 "there is something else of the name %s; move it away and start again",
		    s->segment->slot, s->from, s->to, name_out);
	return found == 0;
}

/* False, logged: there is no copy. */
static bool
damage_copies_write_one(struct fsio *io, const struct damage_copies_stretch *s)
{
	char name[DAMAGE_COPIES_NAME_BYTES], new[DAMAGE_COPIES_NAME_BYTES];

	if (!damage_copies_choose_name(io, s, name))
		return false;
	damage_copies_name(s, ".new", new);
	if (damage_copies_write_as(io, s, name, new) == 0) {
		log_error("spool: segment %u: what is damaged from %u to %u is kept as %s",
		    s->segment->slot, s->from, s->to, name);
		return true;
	}
	log_warn("spool: segment %u: what is damaged from %u to %u is not copied now: %s cannot be "
		 "written: %m; the next start tries again", s->segment->slot, s->from, s->to, name);
	(void)!io->ops->unlink(io, new);
	return false;
}

/* ---- room ---- */

/* Ranges that are not copied because the disk has no room for them. */
struct damage_copies_unfit {
	unsigned count;
	uint64_t bytes;
	unsigned unasked;                /* ranges for which the free space is not known */
	int error;                       /* the reason for that */
};

/* How many bytes of free space are missing for a copy of so many bytes, beside the space that must
 * stay free.  -1 with errno: the free space is not known. */
static int
damage_copies_missing_bytes(const struct segment_pool *pool, uint64_t bytes, uint64_t *out)
{
	uint64_t have, all;

	if (pool->io->ops->space(pool->io, &have, &all) != 0)
		return -1;
	bytes += segment_space_first_bytes(pool, all);
	*out = have < bytes ? bytes - have : 0;
	return 0;
}

static bool
damage_copies_fit(const struct damage_copies_stretch *s, const struct segment_pool *pool,
    struct damage_copies_unfit *unfit)
{
	uint32_t bytes = s->to - s->from;
	uint64_t lack;

	if (damage_copies_missing_bytes(pool, bytes, &lack) != 0) {
		unfit->unasked++;
		unfit->error = errno;
		return false;
	}
	if (lack == 0)
		return true;
	unfit->count++;
	unfit->bytes += bytes;
	return false;
}

static void
damage_copies_log_unfit(const struct damage_copies_unfit *unfit, const struct segment_pool *pool)
{
	uint64_t lack = 0;

	if (unfit->count && damage_copies_missing_bytes(pool, unfit->bytes, &lack) == 0)
		log_warn("spool: %u damaged places are not copied now: the disk has no room for "
			 "their %llu bytes beside what must stay free (queue.minimum_free) and a "
			 "first segment; free %llu bytes and start again", unfit->count,
		    (unsigned long long)unfit->bytes, (unsigned long long)lack);
	else if (unfit->count)
		log_warn("spool: %u damaged places are not copied now: the disk had no room for "
			 "their %llu bytes", unfit->count, (unsigned long long)unfit->bytes);
	errno = unfit->error;
	if (unfit->unasked)
		log_warn("spool: %u damaged places are not copied now: the free space of the disk "
			 "is not known: %m; the next start tries again", unfit->unasked);
}

/* ---- all ---- */

static void
damage_copies_log_skipped(const struct damage_copies *k)
{
	if (k->over_limit)
		log_warn("spool: %u damaged places are not copied now: a start copies %d; the next "
			 "one goes on", k->over_limit, DAMAGE_COPIES_MAX);
	if (k->skipped)
		log_warn("spool: the segments of %u damaged places that are not copied are not "
			 "used again: when one is free, its file is kept as damaged-seg-*",
		    k->skipped);
}

void
damage_copies_write(struct damage_copies *k, struct segment_pool *pool)
{
	struct fsio *io = pool->io;
	struct damage_copies_unfit unfit = {.count = 0};
	unsigned made = 0;

	for (unsigned i = 0; i < k->count; i++) {
		if (damage_copies_fit(&k->stretches[i], pool, &unfit) &&
		    damage_copies_write_one(io, &k->stretches[i]))
			made++;
		else
			damage_copies_skip(k, &k->stretches[i]);
	}
	if (made && io->ops->sync_directory(io) != 0) {
		log_warn("spool: the names of damaged-* files are not durable: %m; the segments "
			 "that they are copies of are not used again");
		for (unsigned i = 0; i < k->count; i++)
			k->stretches[i].segment->is_uncopied = true;
	}
	damage_copies_log_unfit(&unfit, pool);
	damage_copies_log_skipped(k);
	/* those that were returned to the pool already */
	for (struct segment *g = pool->returned; g; g = g->next)
		g->is_unusable |= g->is_uncopied;
	k->count = k->over_limit = k->skipped = 0;
}
