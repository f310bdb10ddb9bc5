/*
 * writer_background: the work of the writer outside the log, in order: it frees segments and
 * removes files.  A file that the disk does not remove is tried again after a growing pause; a
 * start removes what is left (recovery_bodies.h).
 */
#ifndef SPOOL_WRITER_BACKGROUND_H
#define SPOOL_WRITER_BACKGROUND_H

#include "spool/writer_types.h"

/* Does the waiting jobs, and those whose retry is due: at least one of them, and no more than the
 * next batch may wait for. */
void writer_background_run(struct spool_writer *w);
/* Queues the removal of the body file. */
void writer_background_add_body(struct writer_jobs *jobs, struct msgid id);
/* Is it time to retry what was not removed? */
bool writer_background_is_due(const struct spool_writer *w);
/* Frees the jobs; their segments are closed. */
void writer_background_clear(struct spool_writer *w, struct writer_jobs *jobs);

#endif
