/*
 * stale_segments: a frame of such a segment was acknowledged if its sequence number is not below
 * that of the seal that voids the segment.
 */
#include "spool/stale_segments.h"

#include <errno.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "spool/lost_messages.h"
#include "spool/replay_refuse.h"
#include "spool/segment_pool.h"

enum { STALE_SEGMENTS_PIECE_BYTES = 1 << 20 };

int
stale_segments_unreadable(struct replay *r, struct segment *g, uint64_t offset)
{
	char name[SEGMENT_NAME_BYTES], new_name[SEGMENT_SET_ASIDE_BYTES];

	segment_name(g->slot, name);
	if (!segment_is_medium_error(errno))
		return replay_refuse(name, offset);
	g->is_unusable = true;
	r->spool->stats.quarantined++;
	log_error("spool: %s (generation %llu) cannot be read at offset %llu: %m; the log does not "
		  "need it: it is set aside as %s", name, (unsigned long long)g->generation,
	    (unsigned long long)offset, segment_set_aside_name(g, new_name));
	return 0;
}

/* -1 with errno, logged.  It is not synced, because nothing of it is used. */
static int
stale_segments_read(struct replay *r, struct segment *g, struct str *out)
{
	struct fsio *io = r->spool->io;
	struct iovec buffer = {0};
	off_t bytes;
	size_t got = 0;
	int result = io->ops->size(io, g->fd, &bytes);

	if (result == 0) {
		buffer.iov_len = bytes > g->bytes ? g->bytes : (size_t)bytes;
		buffer.iov_base = mem_new(buffer.iov_len);
		result = fsio_read_all(io, g->fd, buffer, 0, &got);
	}
	*out = str_make(buffer.iov_base, result == 0 ? got : 0);
	return result == 0 ? 0 : stale_segments_unreadable(r, g, got);
}

/*
 * Was anything in it acknowledged, as far as is known?  A process uses no sequence number twice, so
 * what a failed write left has lower numbers than the seal that makes it void; a start that went on
 * without the file used the same numbers again.  For a segment that was freed there is no such seal
 * any more.  The first frame is the segment's own seal, and holds no message.
 */
static bool
stale_segments_has_messages(const struct segment *g, const struct replay_end *end, struct str bytes)
{
	uint64_t from = end->kind == REPLAY_FREED ? 0 : end->voided_by;
	struct frame_header f;

	for (size_t at = SEGMENT_DATA + FRAME_ALIGN; at + FRAME_HEADER_BYTES <= bytes.n;
	     at += FRAME_ALIGN) {
		if (at % STALE_SEGMENTS_PIECE_BYTES == 0)
			metrics_progress();
		if (frame_check(str_from(bytes, at), g->tag, &f) && f.sequence >= from)
			return true;
	}
	return false;
}

/* The reason why acknowledged messages are not read. */
static const char *
stale_segments_reason(const struct replay *r, const struct segment *g, const struct replay_end *end)
{
	if (segment_is_missing(&r->mark, g->generation))
		return "it was missing at an earlier start, which went on without it, because "
		       "--accept-damage was given";
	if (end->kind == REPLAY_FREED)
		return "it was freed, or an earlier start went on without it, and the statuses "
		       "of its messages are gone or cannot be read";
	return "it was put back after a start that went on without it";
}

static void
stale_segments_log(
    struct replay *r, struct segment *g, const struct replay_end *end, struct str bytes)
{
	char name[SEGMENT_NAME_BYTES], new_name[SEGMENT_SET_ASIDE_BYTES];

	g->is_unusable = true;
	r->spool->stats.quarantined++;
	log_error(
	    "spool: %s (generation %llu) holds messages that were acknowledged, and is not "
	    "read, because %s: it is set aside as %s; those of its messages that are not in the "
	    "log are named next: sallyportd(8), BACKUP AND RESTORE, tells how to deliver "
	    "them from that file",
	    segment_name(g->slot, name), (unsigned long long)g->generation,
	    stale_segments_reason(r, g, end), segment_set_aside_name(g, new_name));
	lost_messages_scan_file(r, g, bytes);
}

int
stale_segments_check(struct replay *r, struct segment *g, const struct replay_end *end)
{
	struct str bytes = STR_NULL;
	int result = 0, error;

	metrics_work("recover: read a segment that is not needed");
	metrics_progress();
	/* if the seal is unreadable, that is logged already */
	if (end->state != SEAL_UNREAD)
		result = stale_segments_read(r, g, &bytes);
	error = errno;
	if (result == 0 && stale_segments_has_messages(g, end, bytes))
		stale_segments_log(r, g, end, bytes);
	mem_free((char *)(uintptr_t)bytes.p);
	segment_pool_return(&r->spool->writer.pool, g);
	errno = error;
	return result;
}

static bool
stale_segments_rename(struct fsio *io, const struct segment *g)
{
	char name[SEGMENT_NAME_BYTES], new_name[SEGMENT_SET_ASIDE_BYTES];

	segment_name(g->slot, name);
	segment_set_aside_name(g, new_name);
	if (io->ops->rename(io, name, new_name) != 0) {
		log_warn(
		    "spool: %s cannot be renamed to %s: %m; it is tried again", name, new_name);
		return false;
	}
	log_warn("spool: %s is not used any more, kept as %s", name, new_name);
	return true;
}

void
stale_segments_set_aside(struct segment_pool *p)
{
	struct segment **at = &p->returned;
	bool is_changed = false;

	while (*at) {
		struct segment *g = *at;

		metrics_progress();
		if (!g->is_unusable || !stale_segments_rename(p->io, g)) {
			at = &g->next;
			continue;
		}
		*at = g->next;
		segment_free(&g, p->io);
		is_changed = true;
	}
	if (is_changed && p->io->ops->sync_directory(p->io) != 0)
		log_warn("spool: the names of damaged-seg-* files are not durable: %m");
}
