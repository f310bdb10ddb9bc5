/*
 * pool_header: see the header.
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

/* One header that the medium does not take is that segment's matter; a second one right after it is
 * rather the disk's: then the next one is tried after a pause, so that not all of them are set
 * aside.  Any other error is the disk's from the first on. */
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

/* One that the disk cannot write is set aside in its turn: it must not stop the others.  What is
 * damaged where the first frame belongs would pass for damage of the new use. */
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
	/* a part of its name when it is set aside */
	s->tag = segment_make_tag();
	/* one in the making is removed, and says nothing of those in use before */
	if (s == p->making)
		return segment_pool_failed(p, &p->making_retry, what);
	return segment_pool_header_failed(p, s->is_unusable, what);
}

int
segment_pool_prepare(struct segment_pool *p, struct segment *s)
{
	/* when the newest cannot be written, the header itself has to do */
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
