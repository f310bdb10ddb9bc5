/*
 * writer_queues: batches and jobs move from list to list by their links, so that the lock is never
 * held while the disk works.  The writer waits for `wake`, the event loop for `event_fd`.
 */
#include "spool/writer_queues.h"

#include <sys/eventfd.h>

#include "base/mem.h"

void
writer_lock(struct spool_writer *w)
{
	pthread_mutex_lock(&w->lock);
}

/* Wakes the thread only if it sleeps: after a write it checks for new work by itself. */
void
writer_unlock(struct spool_writer *w)
{
	bool wake = w->is_waiting &&
	    (!STAILQ_EMPTY(&w->jobs) || w->filling->is_urgent || w->filling->count == 1);

	pthread_mutex_unlock(&w->lock);
	if (wake)
		pthread_cond_signal(&w->wake);
}

void
writer_add_done(struct spool_writer *w, struct batch *b)
{
	pthread_mutex_lock(&w->lock);
	STAILQ_INSERT_TAIL(&w->done, b, link);
	pthread_mutex_unlock(&w->lock);
	eventfd_write(w->event_fd, 1);
}

void
writer_take_done(struct spool_writer *w, struct batch_list *list)
{
	eventfd_t count;

	eventfd_read(w->event_fd, &count);
	pthread_mutex_lock(&w->lock);
	STAILQ_CONCAT(list, &w->done);
	pthread_mutex_unlock(&w->lock);
}

void
writer_reuse(struct spool_writer *w, struct batch *b)
{
	struct batch *first;

	batch_reset(b);
	pthread_mutex_lock(&w->lock);
	/* one waits and one is filled: any other came from a batch that was divided */
	first = STAILQ_FIRST(&w->spare);
	if (!first || !STAILQ_NEXT(first, link)) {
		STAILQ_INSERT_HEAD(&w->spare, b, link);
		b = NULL;
	}
	pthread_mutex_unlock(&w->lock);
	batch_free(&b);
}

static void
writer_add_job(struct spool_writer *w, struct writer_job job)
{
	struct writer_job *j = MEM_NEW(struct writer_job);

	*j = job;
	writer_lock(w);
	STAILQ_INSERT_TAIL(&w->jobs, j, link);
	writer_unlock(w);
}

void
writer_free_segment(struct spool_writer *w, struct segment *s, uint64_t oldest)
{
	writer_add_job(w, (struct writer_job){.segment = s, .oldest = oldest});
}

void
writer_remove_body(struct spool_writer *w, struct msgid id)
{
	writer_add_job(w, (struct writer_job){.id = id});
}

void
writer_remove_set_aside(struct spool_writer *w, struct msgid id)
{
	writer_add_job(w, (struct writer_job){.id = id, .is_set_aside = true});
}
