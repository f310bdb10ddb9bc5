/*
 * pool_header: see the header.
 */
#include "spool/pool_header.h"

#include <errno.h>

int
stock_failed(const struct stock *p, struct trouble *t, const char *what)
{
	trouble_tell(t, what);
	if (p->is_patient)
		trouble_pause(t, trouble_pause_ms(0));
	return -1;
}

int
stock_tell_mark(struct stock *p)
{
	if (!p->newest ||
	    (p->told_freed >= p->mark.freed && p->told_missing >= p->mark.missing_count))
		return 0;
	if (segment_write_mark(p->newest, p->io, &p->mark, p->told_count++) != 0)
		return -1;
	p->told_freed = p->mark.freed;
	p->told_missing = p->mark.missing_count;
	return 0;
}

/* One header that the medium does not take is that segment's matter; a second one right after it is
 * rather the disk's: then the next one is tried after a pause, so that not all of them are set
 * aside.  Any other error is the disk's from the first on. */
static int
stock_header_failed(struct stock *p, bool is_medium, const char *what)
{
	struct trouble *t = &p->header_trouble;
	unsigned before = t->failures;

	if (!is_medium)
		return stock_failed(p, t, what);
	t->failures++;
	trouble_tell(t, what);
	if (p->is_patient && before > 0)
		trouble_pause(t, trouble_pause_ms(before - 1));
	return -1;
}

/* One that the disk cannot write is set aside in its turn: it must not stop the others.  What is
 * damaged where the first frame belongs would pass for damage of the new use. */
static int
stock_write_header(struct stock *p, struct segment *s, const char *what)
{
	if (segment_write_header(s, p->io, &p->mark) == 0 &&
	    (!s->has_bad_start || segment_clear_start(s, p->io) == 0)) {
		if (s != p->making)
			trouble_end(&p->header_trouble, "segments can be prepared");
		return 0;
	}
	s->is_kept = segment_is_medium_error(errno);
	/* a part of its name when it is set aside */
	s->tag = segment_draw_tag();
	/* one in the making is removed, and says nothing of those in use before */
	if (s == p->making)
		return stock_failed(p, &p->making_trouble, what);
	return stock_header_failed(p, s->is_kept, what);
}

int
stock_prepare(struct stock *p, struct segment *s)
{
	/* when the newest cannot be written, the header itself has to do */
	(void)!stock_tell_mark(p);
	s->generation = ++p->generation;
	s->tag = segment_draw_tag();
	return stock_write_header(p, s, "cannot prepare a segment");
}

int
stock_write_free(struct stock *p, struct segment *s, const char *what)
{
	(void)!stock_tell_mark(p);
	s->generation = 0;
	s->tag = 0;
	return stock_write_header(p, s, what);
}
