/*
 * writer_background: the waiting jobs come first; removals that failed wait in a list of their own
 * and are retried one after the other.
 */
#include "spool/writer_background.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "spool/segment_pool.h"
#include "spool/spool_names.h"

enum { WRITER_BACKGROUND_MS = 100 }; /* a new batch waits no longer than this and one call */

/* -1 with errno; a file that does not exist counts as removed. */
static int
writer_background_unlink(struct spool_writer *w, const char *name)
{
	return w->io->ops->unlink(w->io, name) == 0 || errno == ENOENT ? 0 : -1;
}

/* No start removes these files, so their removal is made durable.  Each of them may not exist. */
static int
writer_background_unlink_aside(struct spool_writer *w, struct msgid id)
{
	char name[SPOOL_NAMES_BYTES];

	if (writer_background_unlink(w, spool_names_aside(id, name)) != 0 ||
	    writer_background_unlink(w, spool_names_aside_body(id, name)) != 0)
		return -1;
	return w->io->ops->sync_directory(w->io);
}

static int
writer_background_unlink_of(struct spool_writer *w, const struct writer_job *j)
{
	char name[SPOOL_NAMES_BYTES];

	stall_begin(&w->stall, "remove the body", j->id);
	if (j->is_set_aside)
		return writer_background_unlink_aside(w, j->id);
	return writer_background_unlink(w, spool_names_body(j->id, name));
}

static void
writer_background_failed(struct spool_writer *w, struct writer_job *j)
{
	char name[SPOOL_NAMES_BYTES], what[2 * SPOOL_NAMES_BYTES];
	struct disk_retry *t = &w->removal_retry;
	int error = errno;

	if (j->is_set_aside)
		spool_names_aside(j->id, name);
	else
		spool_names_body(j->id, name);
	snprintf(what, sizeof what, "cannot remove %s, it is tried again", name);
	errno = error;
	disk_retry_log(t, what);
	if (!disk_retry_is_pausing(t))
		disk_retry_pause(t, disk_retry_pause_ms(t->failures++));
	STAILQ_INSERT_TAIL(&w->unremoved, j, link);
	atomic_fetch_add(&w->unremoved_count, 1);
}

static bool
writer_background_remove(struct spool_writer *w, struct writer_job *j)
{
	if (writer_background_unlink_of(w, j) != 0) {
		writer_background_failed(w, j);
		return false;
	}
	mem_free(j);
	return true;
}

static void
writer_background_do_one(struct spool_writer *w, struct writer_job *j)
{
	if (!j->segment) {
		(void)writer_background_remove(w, j);
		return;
	}
	stall_begin(&w->stall, "free a segment", j->id);
	segment_pool_release(&w->pool, j->segment, j->oldest);
	mem_free(j);
}

bool
writer_background_is_due(const struct spool_writer *w)
{
	return !STAILQ_EMPTY(&w->unremoved) && !disk_retry_is_pausing(&w->removal_retry);
}

/* The next job; NULL: there is none now.  Of those to be tried again a failed one comes last, after
 * a pause. */
static struct writer_job *
writer_background_take(struct spool_writer *w)
{
	struct writer_job *j = STAILQ_FIRST(&w->todo);

	if (j) {
		STAILQ_REMOVE_HEAD(&w->todo, link);
		return j;
	}
	if (!writer_background_is_due(w))
		return NULL;
	j = STAILQ_FIRST(&w->unremoved);
	STAILQ_REMOVE_HEAD(&w->unremoved, link);
	atomic_fetch_sub(&w->unremoved_count, 1);
	return j;
}

void
writer_background_run(struct spool_writer *w)
{
	int64_t end_ms = clock_mono_ms() + WRITER_BACKGROUND_MS;
	struct writer_job *j;

	do {
		j = writer_background_take(w);
		if (j)
			writer_background_do_one(w, j);
	} while (j && clock_mono_ms() < end_ms);
	if (STAILQ_EMPTY(&w->unremoved))
		disk_retry_end(&w->removal_retry, "files are removed");
}

void
writer_background_add_body(struct writer_jobs *jobs, struct msgid id)
{
	struct writer_job *j = MEM_NEW(struct writer_job);

	j->id = id;
	STAILQ_INSERT_TAIL(jobs, j, link);
}

void
writer_background_clear(struct spool_writer *w, struct writer_jobs *jobs)
{
	struct writer_job *j;

	while ((j = STAILQ_FIRST(jobs))) {
		STAILQ_REMOVE_HEAD(jobs, link);
		segment_free(&j->segment, w->io);
		mem_free(j);
	}
}
