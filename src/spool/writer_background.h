/*
 * writer_background: what the writer does beside the log, in order: it frees segments and removes
 * files. A file that the disk does not remove is tried again after a pause that grows; a start
 * removes what is left (recovery_bodies.h).
 */
#ifndef SPOOL_WRITER_BACKGROUND_H
#define SPOOL_WRITER_BACKGROUND_H

#include "spool/writer.h"

struct writer_job {
	STAILQ_ENTRY(writer_job) link;
	struct segment *segment;         /* to give back; NULL: a file to remove */
	uint64_t oldest;                 /* then: generation of the oldest one that is left */
	struct msgid id;
	bool is_set_aside;               /* what was put aside of it, else its body */
};

/* What is to be done, and what it is time to try again: at least one of them, and no more than the
 * next batch may wait for. */
void writer_background_run(struct spool_writer *w);
/* The removal of the body. */
void writer_background_add_body(struct writer_jobs *jobs, struct msgid id);
/* Is it time to try again what was not removed? */
bool writer_background_is_due(const struct spool_writer *w);
void writer_background_clear(struct spool_writer *w, struct writer_jobs *jobs);

#endif
