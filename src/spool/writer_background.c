/*
 * writer_background: see the header.
 */
#include "spool/writer_background.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"

enum { JOBS_MS = 100 };                  /* what came meanwhile waits no longer, but for one call */

/* -1 with errno; one that is not there is removed. */
static int
writer_jobs_unlink(struct writer *w, const char *name)
{
	return w->io->ops->unlink(w->io, name) == 0 || errno == ENOENT ? 0 : -1;
}

/* No start removes these: they are gone durably.  Either may never have been made. */
static int
writer_jobs_unlink_aside(struct writer *w, struct msgid id)
{
	char name[WRITER_FILE_NAME_BYTES];

	if (writer_jobs_unlink(w, writer_aside_name(id, name)) != 0 ||
	    writer_jobs_unlink(w, writer_aside_body_name(id, name)) != 0)
		return -1;
	return w->io->ops->sync_directory(w->io);
}

static int
writer_jobs_unlink_of(struct writer *w, const struct writer_job *j)
{
	char name[WRITER_FILE_NAME_BYTES];

	stall_begin(&w->stall, "remove the body", j->id);
	if (j->is_aside)
		return writer_jobs_unlink_aside(w, j->id);
	return writer_jobs_unlink(w, writer_file_name(j->id, name));
}

static void
writer_jobs_failed(struct writer *w, struct writer_job *j)
{
	char name[WRITER_FILE_NAME_BYTES], what[2 * WRITER_FILE_NAME_BYTES];
	struct trouble *t = &w->removal_trouble;
	int error = errno;

	if (j->is_aside)
		writer_aside_name(j->id, name);
	else
		writer_file_name(j->id, name);
	snprintf(what, sizeof what, "cannot remove %s, it is tried again", name);
	errno = error;
	trouble_tell(t, what);
	if (!trouble_is_pausing(t))
		trouble_pause(t, trouble_pause_ms(t->failures++));
	STAILQ_INSERT_TAIL(&w->unremoved, j, link);
	atomic_fetch_add(&w->unremoved_count, 1);
}

static bool
writer_jobs_remove(struct writer *w, struct writer_job *j)
{
	if (writer_jobs_unlink_of(w, j) != 0) {
		writer_jobs_failed(w, j);
		return false;
	}
	mem_free(j);
	return true;
}

static void
writer_jobs_do_one(struct writer *w, struct writer_job *j)
{
	if (!j->segment) {
		(void)writer_jobs_remove(w, j);
		return;
	}
	stall_begin(&w->stall, "free a segment", j->id);
	stock_release(&w->pool, j->segment, j->oldest);
	mem_free(j);
}

bool
writer_jobs_are_due(const struct writer *w)
{
	return !STAILQ_EMPTY(&w->unremoved) && !trouble_is_pausing(&w->removal_trouble);
}

/* The next one; NULL: there is none now.  Of those to try again a failed one comes last, after a
 * pause. */
static struct writer_job *
writer_jobs_take(struct writer *w)
{
	struct writer_job *j = STAILQ_FIRST(&w->todo);

	if (j) {
		STAILQ_REMOVE_HEAD(&w->todo, link);
		return j;
	}
	if (!writer_jobs_are_due(w))
		return NULL;
	j = STAILQ_FIRST(&w->unremoved);
	STAILQ_REMOVE_HEAD(&w->unremoved, link);
	atomic_fetch_sub(&w->unremoved_count, 1);
	return j;
}

void
writer_jobs_do(struct writer *w)
{
	int64_t end_ms = clock_mono_ms() + JOBS_MS;
	struct writer_job *j;

	do {
		j = writer_jobs_take(w);
		if (j)
			writer_jobs_do_one(w, j);
	} while (j && clock_mono_ms() < end_ms);
	if (STAILQ_EMPTY(&w->unremoved))
		trouble_end(&w->removal_trouble, "files are removed");
}

void
writer_jobs_add_body(struct writer_jobs *jobs, struct msgid id)
{
	struct writer_job *j = MEM_NEW(struct writer_job);

	j->id = id;
	STAILQ_INSERT_TAIL(jobs, j, link);
}

void
writer_jobs_clear(struct writer *w, struct writer_jobs *jobs)
{
	struct writer_job *j;

	while ((j = STAILQ_FIRST(jobs))) {
		STAILQ_REMOVE_HEAD(jobs, link);
		segment_free(&j->segment, w->io);
		mem_free(j);
	}
}
