/*
 * pool_header: before a header is overwritten, the newest segment records what was freed
 * (segment_pool_write_mark).  A failed write pauses the work on headers or sets the segment aside.
 */
#include "spool/pool_header.h"

#include <errno.h>

int
segment_pool_failed(const struct segment_pool *p, struct disk_retry *t, const char *what)
{
	disk_retry_log(t, what);
	if (p->has_retry_pause)
		disk_retry_pause(t, disk_retry_pause_ms(0));
	return -1;
}

int
segment_pool_write_mark(struct segment_pool *p)
{
	if (!p->newest ||
	    (p->written_freed >= p->mark.freed && p->written_missing >= p->mark.missing_count))
		return 0;
	if (segment_write_mark(p->newest, p->io, &p->mark, p->mark_writes++) != 0)
		return -1;
	p->written_freed = p->mark.freed;
	p->written_missing = p->mark.missing_count;
	return 0;
}

/* The first header that the disk cannot write is attributed to its segment; a second one right
 * after it, to the disk: then the next attempt comes after a pause, so that not all segments are
 * set aside.  Any other error is attributed to the disk at once. */
static int
segment_pool_header_failed(struct segment_pool *p, bool is_medium, const char *what)
{
	struct disk_retry *t = &p->header_retry;
	unsigned before = t->failures;

	if (!is_medium)
		return segment_pool_failed(p, t, what);
	t->failures++;
	disk_retry_log(t, what);
	if (p->has_retry_pause && before > 0)
		disk_retry_pause(t, disk_retry_pause_ms(before - 1));
	return -1;
}

/* A segment that the disk cannot write is set aside in its turn: it must not stop the others.
 * Damage where the first frame belongs would be taken for damage of the new use, so it is
 * overwritten. */
static int
segment_pool_write_header(struct segment_pool *p, struct segment *s, const char *what)
{
	if (segment_write_header(s, p->io, &p->mark) == 0 &&
	    (!s->has_bad_start || segment_clear_start(s, p->io) == 0)) {
		if (s != p->making)
			disk_retry_end(&p->header_retry, "segments can be prepared");
		return 0;
	}
	s->is_unusable = segment_is_medium_error(errno);
	/* it becomes a part of the name when the file is set aside */
	s->tag = segment_make_tag();
	/* a new file is removed, and is no evidence about used ones */
	if (s == p->making)
		return segment_pool_failed(p, &p->making_retry, what);
	return segment_pool_header_failed(p, s->is_unusable, what);
}

int
segment_pool_prepare(struct segment_pool *p, struct segment *s)
{
	/* if the newest segment cannot be written, the mark in this header has to do */
	(void)!segment_pool_write_mark(p);
	s->generation = ++p->generation;
	s->tag = segment_make_tag();
	return segment_pool_write_header(p, s, "cannot prepare a segment");
}

int
segment_pool_write_free(struct segment_pool *p, struct segment *s, const char *what)
{
	(void)!segment_pool_write_mark(p);
	s->generation = 0;
	s->tag = 0;
	return segment_pool_write_header(p, s, what);
}
