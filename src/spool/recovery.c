/*
 * recovery: lists the directory, sorts the segments, replays them, cleans up.  It makes no change
 * that would keep a second start from the same result.
 */
#include "spool/recovery.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "spool/damaged_headers.h"
#include "spool/pool_header.h"
#include "spool/recovery_absent.h"
#include "spool/recovery_bodies.h"
#include "spool/recovery_log.h"
#include "spool/recovery_report.h"
#include "spool/replay.h"
#include "spool/replay_refuse.h"
#include "spool/segment_chain.h"
#include "spool/segment_pool.h"
#include "spool/stale_segments.h"

/* A file with a name of ours that is not a usable segment; it is renamed when all else is read. */
struct recovery_foreign {
	struct recovery_foreign *next;
	uint32_t slot;
	const char *reason;              /* NULL: it is not a plain file and is not renamed */
};

struct recovery_listing {
	struct spool *spool;
	struct segment **segments;
	size_t count;
	size_t cap;
	struct replay replay;
	struct damaged_header *damaged;  /* segments with a damaged header */
	uint32_t slot_max;               /* of segments that belong to the spool */
	struct recovery_bodies bodies;
	struct buf stale;                /* names to remove, each with its NUL */
	struct buf set_aside_names;      /* names of files that were set aside, each with its NUL */
	struct recovery_foreign *foreign;
	unsigned stray_count;            /* names that do not belong to the spool */
	char stray[64];                  /* the first of them */
	bool is_whole;                   /* no segment of the log can be missing */
	struct recovery_absent absent;
};

enum { RECOVERY_STALE_BYTES_MAX = 64 << 20 };

/* ---- the directory ---- */

static void
recovery_add_segment(struct recovery_listing *l, uint32_t slot)
{
	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->segments = mem_grow(l->segments, l->cap * sizeof(struct segment *));
	}
	l->segments[l->count++] = segment_new(slot, -1, 0);
}

/* Names that the spool itself uses beside segments and bodies. */
static bool
recovery_is_known_name(struct str name)
{
	return str_eq(name, STR("lock")) || str_eq(name, STR(NEWEST_SEGMENT_NAME)) ||
	    str_starts(name, STR("damaged-")) || str_iends(name, STR(".body.lost"));
}

static void
recovery_add_stray(struct recovery_listing *l, const char *name)
{
	if (l->stray_count++ == 0)
		snprintf(l->stray, sizeof l->stray, "%s", name);
}

static void
recovery_add_name(const char *name, void *arg)
{
	struct recovery_listing *l = arg;
	struct str s = str_of(name);
	uint32_t slot;

	metrics_progress();
	if (segment_parse_name(name, "seg-", &slot))
		recovery_add_segment(l, slot);
	else if (segment_parse_name(name, "new-", &slot) || damage_copies_is_unfinished(s))
		buf_add(&l->stale, name, s.n + 1);
	else if (str_iends(s, STR(".body")))
		mem_free(map_put(l->bodies.files, s, mem_text(name, s.n)));
	else if (str_iends(s, STR(".aside")))
		buf_add(&l->set_aside_names, name, s.n + 1);
	else if (!recovery_is_known_name(s))
		recovery_add_stray(l, name);
}

/* For a start that was refused because of a missing file: logs which files of the directory may be
 * the missing ones. */
static void
recovery_log_missing(const struct recovery_listing *l)
{
	char name[SEGMENT_NAME_BYTES];
	int error = errno;

	for (struct recovery_foreign *f = l->foreign; f && error == ENOTRECOVERABLE; f = f->next)
		if (f->reason)
			log_error("spool: %s: %s; it may be the file that is missing",
			    segment_name(f->slot, name), f->reason);
	if (error == ENOTRECOVERABLE)
		recovery_absent_log(&l->absent);
	errno = error;
}

static void
recovery_add_foreign(struct recovery_listing *l, size_t at, const char *reason)
{
	struct recovery_foreign *f = MEM_NEW(struct recovery_foreign);

	*f = (struct recovery_foreign){l->foreign, l->segments[at]->slot, reason};
	l->foreign = f;
	segment_free(&l->segments[at], l->spool->io);
}

/* Files that cannot be used are renamed, for a person to examine. */
static void
recovery_set_aside_foreign(struct recovery_listing *l)
{
	struct spool *s = l->spool;
	char from[SEGMENT_NAME_BYTES], to[64];

	for (struct recovery_foreign *f = l->foreign; f; f = f->next) {
		metrics_progress();
		segment_name(f->slot, from);
		if (!f->reason) {
			log_warn("spool: %s is not a plain file and is left alone", from);
			continue;
		}
		snprintf(to, sizeof to, "damaged-%s-%016llx", from,
		    (unsigned long long)segment_make_tag());
		if (s->io->ops->rename(s->io, from, to) == 0)
			log_error("spool: %s: %s, kept as %s", from, f->reason, to);
		else
			log_error("spool: %s: %s, left alone: it cannot be renamed: %m", from,
			    f->reason);
	}
	if (l->stray_count)
		log_warn("spool: %u names in the directory are not the spool's and are left alone; "
			 "the first is \"%s\"", l->stray_count, l->stray);
}

/* The content is that of a segment, but another user may have written it: it may hold mail, so it
 * is neither trusted nor left out of the queue. */
static int
recovery_check_owner(struct recovery_listing *l, size_t at, const struct fsio_file *file)
{
	char name[SEGMENT_NAME_BYTES];

	if (file->is_ours && file->is_private)
		return 0;
	log_error("spool: %s is a segment, but %s; the spool is not opened: set its owner to that "
		  "of the directory (chown) and its mode to 0600 (chmod 600), or move it away if "
		  "it is not ours",
	    segment_name(l->segments[at]->slot, name),
	    file->is_ours ? "others may write to it" : "belongs to another user");
	errno = EPERM;
	return -1;
}

static const char *
recovery_foreign_reason(const struct fsio_file *file)
{
	if (!file->is_ours)
		return "not a file of ours";
	if (file->bytes == 0)
		return "it is empty";
	return file->bytes < SEGMENT_SECTOR ? "it is shorter than the header of a segment"
	                                    : "damaged header";
}

/* The header is not valid: the file is a segment nevertheless if it contains frames. */
static int
recovery_examine_damaged(struct recovery_listing *l, size_t at, const struct fsio_file *file,
    const struct segment_mark *mark)
{
	bool is_segment = false;

	if (file->is_ours && file->is_private &&
	    damaged_headers_examine(&l->replay, l->segments[at], &l->damaged, &is_segment) != 0)
		return -1;
	if (is_segment) {
		l->damaged->mark = *mark;
		segment_add_mark(&l->replay.mark, mark);
	} else {
		recovery_add_foreign(l, at, recovery_foreign_reason(file));
	}
	return 0;
}

static int
recovery_check_header(struct recovery_listing *l, size_t at, const struct fsio_file *file)
{
	struct segment *g = l->segments[at];
	enum segment_header_state state;
	struct segment_mark mark;
	char name[SEGMENT_NAME_BYTES];

	segment_name(g->slot, name);
	if (segment_read_header(g, l->spool->io, &state, &mark) != 0) {
		if (!l->spool->options.accept_damage || !replay_may_accept(errno))
			return replay_refuse(name, 0);
		/* what the disk has lost of the header is treated as damage: the rest may be
		 * undamaged */
		return recovery_examine_damaged(l, at, file, &mark);
	}
	if (state == SEGMENT_FOREIGN)
		return replay_refuse_version(name, 0, g->version);
	/* a truncated segment is not used again: a later start would miss its end */
	g->is_unusable = state == SEGMENT_GOOD && file->bytes < g->bytes;
	if (state == SEGMENT_GOOD) {
		if (recovery_check_owner(l, at, file) != 0)
			return -1;
		if (l->segments[at])
			segment_chain_merge_mark(&l->replay, g, &mark);
		return 0;
	}
	return recovery_examine_damaged(l, at, file, &mark);
}

/* -1: the whole spool must not be touched. */
static int
recovery_open_segment(struct recovery_listing *l, size_t at)
{
	struct segment *g = l->segments[at];
	struct fsio *io = l->spool->io;
	struct fsio_file file;
	char name[SEGMENT_NAME_BYTES];

	metrics_progress();
	segment_name(g->slot, name);
	if (io->ops->inspect(io, name, &file) != 0)
		return replay_refuse_for(name, "cannot be looked at");
	if (!file.is_plain) {
		recovery_add_foreign(l, at, NULL);
		return 0;
	}
	g->fd = io->ops->open(io, name, O_RDWR);
	if (g->fd >= 0)
		return recovery_check_header(l, at, &file);
	/* too small for a segment: no mail can be in it */
	if (errno == EACCES && !file.is_ours && file.bytes < SPOOL_SEGMENT_MIN) {
		recovery_add_foreign(l, at, "not a file of ours");
		return 0;
	}
	if (!l->spool->options.accept_damage || !replay_may_accept(errno))
		return replay_refuse_for(name, "cannot be opened");
	recovery_add_foreign(l, at, "it cannot be opened");
	return 0;
}

static int
recovery_by_generation(const void *a, const void *b)
{
	const struct segment *x = *(struct segment *const *)a, *y = *(struct segment *const *)b;

	return (x->generation > y->generation) - (x->generation < y->generation);
}

/* Segments with a damaged header get their generation, or are set aside. */
static int
recovery_assign_damaged(struct recovery_listing *l)
{
	struct segment **good = mem_new((l->count + 1) * sizeof(struct segment *));
	size_t count = 0;
	int result;

	for (size_t i = 0; i < l->count; i++)
		if (l->segments[i] && l->segments[i]->generation > 0)
			good[count++] = l->segments[i];
	result = damaged_headers_assign(&l->replay, l->damaged, good, count);
	mem_free(good);
	damaged_headers_clear(&l->damaged);
	for (size_t i = 0; i < l->count && result == 0; i++)
		if (l->segments[i] && l->segments[i]->has_bad_header &&
		    l->segments[i]->generation == 0)
			recovery_add_foreign(l, i, "damaged header");
	return result;
}

/* Opens all segments and sorts them, oldest first, without empty places; free ones go to the
 * pool. */
static int
recovery_open_segments(struct recovery_listing *l)
{
	struct segment_pool *p = &l->spool->writer.pool;
	size_t count_read = 0;

	for (size_t i = 0; i < l->count; i++)
		if (recovery_open_segment(l, i) != 0)
			return -1;
	if (recovery_assign_damaged(l) != 0)
		return -1;
	for (size_t i = 0; i < l->count; i++) {
		struct segment *g = l->segments[i];

		if (!g)
			continue;
		l->segments[i] = NULL;
		l->slot_max = g->slot > l->slot_max ? g->slot : l->slot_max;
		if (g->generation == 0)
			segment_pool_return(p, g);
		else
			l->segments[count_read++] = g;
	}
	l->count = count_read;
	if (count_read == 0)
		return 0;
	qsort(l->segments, count_read, sizeof(struct segment *), recovery_by_generation);
	p->generation = l->segments[count_read - 1]->generation;
	return 0;
}

/* ---- after the replay ---- */

/* The frames of the segment and the other segments gave the values that its header held. */
static void
recovery_rewrite_headers(struct spool *s)
{
	char name[SEGMENT_NAME_BYTES];

	for (struct segment *g = s->index.oldest; g; g = g->next)
		if (g->has_bad_header && segment_write_header(g, s->io, &s->writer.pool.mark) != 0)
			log_error("spool: the header of %s cannot be written: %m",
			    segment_name(g->slot, name));
}

/* Records which damage was accepted, so that the next start does not ask for it again, also when
 * there is no room for a segment. */
static void
recovery_write_mark(struct recovery_listing *l)
{
	if (l->replay.has_loss && segment_pool_write_mark(&l->spool->writer.pool) != 0)
		log_error("spool: that damage was accepted cannot be written: %m; the next start "
			  "may need --accept-damage again");
	if (l->replay.unlisted > 0)
		log_error("spool: %u of the damaged places that were accepted are more than the "
			  "spool can list (%d): later starts need --accept-damage again, until "
			  "what is older is freed", l->replay.unlisted, SEGMENT_MISSING_MAX);
}

static void
recovery_tidy(struct recovery_listing *l)
{
	struct fsio *io = l->spool->io;

	for (size_t at = 0; at < l->stale.n; at += strlen(l->stale.p + at) + 1) {
		metrics_progress();
		io->ops->unlink(io, l->stale.p + at);
	}
	/* what the next start needs comes before the copies, which may fill the disk */
	recovery_rewrite_headers(l->spool);
	recovery_write_mark(l);
	newest_segment_set(&l->spool->writer.newest_segment, l->spool->index.newest);
	recovery_set_aside_foreign(l);
	recovery_bodies_restore(l->spool, &l->bodies);
	recovery_bodies_tidy(l->spool, &l->bodies, l->is_whole);
	damage_copies_write(&l->replay.damage_copies, &l->spool->writer.pool);
	stale_segments_set_aside(&l->spool->writer.pool);
}

/* Files of a message that exists with its content are left from an attempt to set it aside that was
 * not completed: they are removed with the message. */
static void
recovery_find_set_aside(struct recovery_listing *l)
{
	struct spool *s = l->spool;

	for (size_t at = 0; at < l->set_aside_names.n;
	     at += strlen(l->set_aside_names.p + at) + 1) {
		struct str name = str_of(l->set_aside_names.p + at);
		bool is_body = str_iends(name, STR(".body.aside"));
		size_t end = is_body ? STR(".body.aside").n : STR(".aside").n;
		struct stored_message *i = NULL;
		struct msgid id;
		uint32_t recipient;

		if (msgid_parse(str_upto(name, name.n - end), &id, &recipient) && recipient == 0)
			i = index_find(&s->index, id);
		if (i && !i->is_lost)
			i->has_set_aside = true;
		else
			s->stats.set_aside += !is_body;
	}
}

static void
recovery_listing_clear(struct recovery_listing *l)
{
	for (size_t i = 0; i < l->count; i++)
		segment_free(&l->segments[i], l->spool->io);
	mem_free(l->segments);
	damaged_headers_clear(&l->damaged);
	replay_clear(&l->replay);
	map_free_all(&l->bodies.files);
	buf_clear(&l->bodies.to_restore);
	buf_clear(&l->stale);
	buf_clear(&l->set_aside_names);
	for (struct recovery_foreign *f = l->foreign, *next; f; f = next) {
		next = f->next;
		mem_free(f);
	}
}

/* If the file does not name a segment, none is missed: the start goes on as in a version without
 * this file. */
static int
recovery_read_newest(struct spool *s)
{
	enum newest_segment_state state;

	if (newest_segment_read(&s->writer.newest_segment, &state) != 0) {
		if (!replay_may_accept(errno))
			return replay_refuse(NEWEST_SEGMENT_NAME, 0);
		s->stats.quarantined++;
		log_error("spool: %s cannot be read: %m; so it is not known whether the file of "
			  "the newest segment is missing; it is written anew",
		    NEWEST_SEGMENT_NAME);
	} else if (state == NEWEST_SEGMENT_DAMAGED) {
		s->stats.quarantined++;
		log_error("spool: %s is damaged; so it is not known whether the file of the "
			  "newest segment is missing; it is written anew", NEWEST_SEGMENT_NAME);
	} else if (state == NEWEST_SEGMENT_FOREIGN) {
		log_warn("spool: %s is not a file of ours and is left alone; so it is not known "
			 "whether the file of the newest segment is missing", NEWEST_SEGMENT_NAME);
	}
	return 0;
}

/* Everything is read and checked before anything is changed. */
static int
recovery_read_all(struct recovery_listing *l)
{
	struct spool *s = l->spool;

	/* what a killed process left only in memory is made durable before the start relies on
	 * it */
	if (s->io->ops->sync_directory(s->io) != 0)
		return replay_refuse_for("the directory", "cannot be synced");
	if (s->io->ops->list(s->io, recovery_add_name, l) != 0)
		return replay_refuse_for("the directory", "cannot be listed");
	recovery_absent_find(&l->absent, l->segments, l->count);
	if (recovery_read_newest(s) != 0 || recovery_open_segments(l) != 0)
		return -1;
	for (struct recovery_foreign *f = l->foreign; f; f = f->next)
		s->stats.quarantined += f->reason != NULL;
	s->writer.pool.slot = l->slot_max + 1;
	l->replay.body_count = recovery_bodies_count(&l->bodies);
	if (recovery_log_run(&l->replay, l->segments, l->count, &l->is_whole) != 0) {
		recovery_log_missing(l);
		return -1;
	}
	recovery_find_set_aside(l);
	return recovery_bodies_check(s, &l->bodies);
}

int
spool_recover(struct spool *s, const struct spool_recovery *r)
{
	struct recovery_listing l = {.spool = s, .bodies.files = map_new(), .replay = {.spool = s}};
	struct recovery_report report = {0};
	int result, error;

	kept_envelopes_init(&l.replay.envelopes, s->options.envelope_bytes);
	buf_init(&l.stale, RECOVERY_STALE_BYTES_MAX);
	buf_init(&l.set_aside_names, RECOVERY_STALE_BYTES_MAX);
	buf_init(&l.bodies.to_restore, RECOVERY_STALE_BYTES_MAX);
	result = recovery_read_all(&l);
	if (result == 0 && r)
		result = recovery_report_all(s, r, &l.replay.envelopes, &report);
	if (result == 0) {
		recovery_tidy(&l);
		recovery_report_set_aside(s, &report);
	}
	error = errno;
	recovery_report_clear(&report);
	recovery_listing_clear(&l);
	errno = error;
	return result;
}
