/*
 * writer_jobs: see the header.
 */
#include "queue/writer_jobs.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"

enum { TRIED_AGAIN_MAX = 64 };

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

void
writer_jobs_do(struct writer *w, struct writer_jobs *jobs)
{
	struct writer_job *j;

	while ((j = STAILQ_FIRST(jobs))) {
		STAILQ_REMOVE_HEAD(jobs, link);
		if (!j->segment) {
			(void)writer_jobs_remove(w, j);
			continue;
		}
		stall_begin(&w->stall, "free a segment", j->id);
		stock_release(&w->pool, j->segment);
		mem_free(j);
	}
}

void
writer_jobs_remove_body(struct writer *w, struct msgid id)
{
	struct writer_job *j = MEM_NEW(struct writer_job);

	j->id = id;
	(void)writer_jobs_remove(w, j);
}

bool
writer_jobs_are_due(const struct writer *w)
{
	return !STAILQ_EMPTY(&w->unremoved) && !trouble_is_pausing(&w->removal_trouble);
}

/* Until one fails; that one comes last the next time. */
void
writer_jobs_try_again(struct writer *w)
{
	struct writer_job *j;

	for (int n = 0; n < TRIED_AGAIN_MAX && writer_jobs_are_due(w); n++) {
		j = STAILQ_FIRST(&w->unremoved);
		STAILQ_REMOVE_HEAD(&w->unremoved, link);
		atomic_fetch_sub(&w->unremoved_count, 1);
		(void)writer_jobs_remove(w, j);
	}
	if (STAILQ_EMPTY(&w->unremoved))
		trouble_end(&w->removal_trouble, "files are removed");
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
