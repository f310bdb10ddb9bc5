/*
 * writer: the thread, and its work between batches.
 */
#include "spool/writer.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "spool/active_segment.h"
#include "spool/layout.h"
#include "spool/segment_pool.h"
#include "spool/segment_space.h"
#include "spool/spool_threads.h"
#include "spool/writer_background.h"

enum { WRITER_SPACE_EVERY_MS = 1000, WRITER_SPACE_SHORT_MS = 100 };

void
writer_init(struct spool_writer *w, struct fsio *io, bool is_thread)
{
	pthread_condattr_t monotonic;

	*w = (struct spool_writer){
	    .io = io, .is_thread = is_thread, .pool.io = io, .newest_segment.io = io};
	w->pool.has_retry_pause = is_thread;
	stall_init(&w->stall, spool_thread(SPOOL_THREAD_WRITER));
	w->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&w->start, NULL);
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	STAILQ_INIT(&w->done);
	STAILQ_INIT(&w->spare);
	STAILQ_INIT(&w->jobs);
	STAILQ_INIT(&w->todo);
	STAILQ_INIT(&w->unvoided);
	STAILQ_INIT(&w->unremoved);
	w->filling = batch_new();
}

int
writer_begin(struct spool_writer *w, struct segment **opened_out)
{
	struct batch b = {.bytes = {0}};

	*opened_out = NULL;
	if (active_segment_open(w) != 0 || layout_write_seal(w, &b) != 0) {
		active_segment_publish(w);
		return -1;
	}
	*opened_out = b.opened;
	active_segment_publish(w);
	return 0;
}

/* The caller holds the lock. */
static struct batch *
writer_take_filling(struct spool_writer *w)
{
	struct batch *b = w->filling, *next = STAILQ_FIRST(&w->spare);

	if (b->count == 0)
		return NULL;
	if (next)
		STAILQ_REMOVE_HEAD(&w->spare, link);
	w->filling = next ? next : batch_new();
	return b;
}

/* The caller holds the lock; it is released meanwhile and held again on return. */
static void
writer_work(struct spool_writer *w)
{
	struct batch *b = writer_take_filling(w);
	const struct msgid none = {.number = 0};

	STAILQ_CONCAT(&w->todo, &w->jobs);
	pthread_mutex_unlock(&w->lock);
	if (b) {
		stall_begin(&w->stall, "write the log", none);
		layout_write_batch(w, b);
	}
	writer_background_run(w);
	if (segment_pool_has_work(&w->pool)) {
		stall_begin(&w->stall, "make a segment", none);
		segment_pool_work(&w->pool);
	}
	layout_void_failed(w);
	active_segment_publish(w);
	stall_end(&w->stall);
	pthread_mutex_lock(&w->lock);
}

static bool
writer_has_jobs(const struct spool_writer *w)
{
	return !STAILQ_EMPTY(&w->jobs) || !STAILQ_EMPTY(&w->todo);
}

void
writer_step(struct spool_writer *w)
{
	pthread_mutex_lock(&w->lock);
	writer_work(w);
	pthread_mutex_unlock(&w->lock);
}

static struct timespec
writer_time_after(int64_t ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	return t;
}

/* When space is short it is checked more often, so that no client is refused for long because of an
 * outdated value. */
static bool
writer_disk_is_short(const struct spool_writer *w)
{
	uint64_t all = atomic_load(&w->disk_bytes);

	return atomic_load(&w->free_bytes) < segment_space_share_bytes(&w->pool, all);
}

void
writer_check_disk(struct spool_writer *w)
{
	uint64_t have, all;

	if (w->io->ops->space(w->io, &have, &all) != 0) {
		if (!w->is_space_unknown)
			log_warn("spool: the free space of the disk is not known; until it is "
				 "messages that need a file of their own are answered with 451: "
				 "%m");
		w->is_space_unknown = true;
		have = all = 0;
	} else {
		w->is_space_unknown = false;
	}
	atomic_store(&w->disk_bytes, all);
	atomic_store(&w->free_bytes, have);
	w->space_ms = clock_mono_ms() +
	              (writer_disk_is_short(w) ? WRITER_SPACE_SHORT_MS : WRITER_SPACE_EVERY_MS);
}

static int64_t
writer_until_disk_check_ms(const struct spool_writer *w)
{
	int64_t ms = w->space_ms - clock_mono_ms();

	return ms > 0 ? ms : 0;
}

/* For how many milliseconds there is nothing to do. */
static int64_t
writer_idle_ms(struct spool_writer *w)
{
	int64_t lazy;

	if (writer_has_jobs(w) || w->is_stopping || segment_pool_has_work(&w->pool) ||
	    writer_background_is_due(w))
		return 0;
	if (w->filling->count == 0)
		return writer_until_disk_check_ms(w);
	if (w->filling->is_urgent)
		return 0;
	lazy = w->filling->lazy_since_ms + SPOOL_LAZY_MS - clock_mono_ms();
	return lazy > 0 && lazy <= SPOOL_LAZY_MS ? lazy : 0;
}

/* The caller holds the lock; it may be released meanwhile, and is held again on return. */
static void
writer_check_disk_if_due(struct spool_writer *w)
{
	const struct msgid none = {.number = 0};

	if (writer_until_disk_check_ms(w) > 0)
		return;
	pthread_mutex_unlock(&w->lock);
	stall_begin(&w->stall, "ask how much of the disk is free", none);
	writer_check_disk(w);
	stall_end(&w->stall);
	pthread_mutex_lock(&w->lock);
}

static void *
writer_thread_main(void *arg)
{
	struct spool_writer *w = arg;

	pthread_setname_np(pthread_self(), spool_thread_name(SPOOL_THREAD_WRITER));
	writer_await_start(w);
	pthread_mutex_lock(&w->lock);
	while (!w->is_stopping || w->filling->count > 0 || writer_has_jobs(w)) {
		int64_t ms;

		writer_check_disk_if_due(w);
		ms = writer_idle_ms(w);
		if (ms > 0) {
			struct timespec until = writer_time_after(ms);

			w->is_waiting = true;
			pthread_cond_timedwait(&w->wake, &w->lock, &until);
			w->is_waiting = false;
		} else {
			writer_work(w);
		}
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int
writer_start(struct spool_writer *w)
{
	int error;

	writer_check_disk(w);
	error = w->is_thread ? pthread_create(&w->thread, NULL, writer_thread_main, w) : 0;
	if (error) {
		w->is_thread = false;
		errno = error;
	}
	return error ? -1 : 0;
}

void
writer_stop(struct spool_writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->is_stopping = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	if (w->is_thread) {
		pthread_join(w->thread, NULL);
		return;
	}
	do {
		writer_step(w);
	} while (w->filling->count > 0 || writer_has_jobs(w));
}

void
writer_clear(struct spool_writer *w)
{
	writer_background_clear(w, &w->jobs);
	writer_background_clear(w, &w->todo);
	writer_background_clear(w, &w->unvoided);
	writer_background_clear(w, &w->unremoved);
	if (w->active && w->is_active_new)
		segment_free(&w->active, w->io);
	segment_pool_clear(&w->pool);
	batch_free(&w->filling);
	batch_list_clear(&w->spare);
	batch_list_clear(&w->done);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	pthread_mutex_destroy(&w->start);
	stall_clear(&w->stall);
	if (w->event_fd >= 0)
		close(w->event_fd);
}

void
writer_hold_start(struct spool_writer *w)
{
	pthread_mutex_lock(&w->start);
}

void
writer_release_start(struct spool_writer *w)
{
	pthread_mutex_unlock(&w->start);
}

void
writer_await_start(struct spool_writer *w)
{
	pthread_mutex_lock(&w->start);
	pthread_mutex_unlock(&w->start);
}
