/*
 * spool: the part that runs in the event loop: opens and closes the spool, checks and queues what
 * is appended.
 */
#include "spool/spool.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "spool/admission.h"
#include "spool/compaction.h"
#include "spool/completion.h"
#include "spool/recovery.h"
#include "spool/replay_refuse.h"
#include "spool/spool_threads.h"

/* ---- opening and closing ---- */

static void
spool_remove_files(struct msgid id, unsigned files, void *arg)
{
	struct spool *s = arg;

	if (files & INDEX_BODY)
		writer_remove_body(&s->writer, id);
	if (files & INDEX_SET_ASIDE)
		writer_remove_set_aside(&s->writer, id);
}

static bool
spool_options_are_valid(const struct spool_options *o)
{
	uint32_t bytes = o->segment_bytes;

	return bytes == 0 || (bytes >= SPOOL_SEGMENT_MIN && bytes <= 1u << 30 && bytes % 4096 == 0);
}

static uint32_t
spool_segment_bytes(const struct spool_options *o)
{
	uint64_t have, all;

	if (o->io->ops->space(o->io, &have, &all) != 0)
		return DISK_SPACE_SEGMENT_MAX;
	return disk_space_segment_bytes(all, o->minimum_free_percent);
}

/* This precedes any change of the spool: if a thread cannot be started, the start is refused.  The
 * caller has called writer_hold_start, so that the writer and body_sync begin their work later. */
static int
spool_start_threads(struct spool *s)
{
	struct tasks *const tasks[] = {&s->reader, &s->upkeep, &s->body_files.tasks};
	int error = writer_start(&s->writer) == 0 ? 0 : errno;

	if (body_sync_start(&s->body_sync) != 0)
		error = errno;
	for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++)
		if (tasks_start(tasks[i]) != 0)
			error = errno;
	errno = error;
	if (error)
		log_error("spool: a thread cannot be made: %m (TasksMax= of the service, the limit "
			  "of processes of its user)");
	return error ? -1 : 0;
}

/* The caller has called writer_hold_start: after a refused start the threads do no work. */
static void
spool_end_threads(struct spool *s)
{
	int error = errno;

	s->writer.is_stopping = true;
	s->body_sync.is_stopping = true;
	writer_release_start(&s->writer);
	tasks_stop(&s->reader);
	tasks_stop(&s->upkeep);
	tasks_stop(&s->body_files.tasks);
	if (s->body_sync.is_thread)
		body_sync_stop(&s->body_sync);
	if (s->writer.is_thread)
		writer_stop(&s->writer);
	errno = error;
}

static int
spool_lock(struct spool *s)
{
	if (s->io->ops->lock(s->io, "lock") == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return replay_refuse_for("lock", "cannot be opened for writing");
	errno = EALREADY;
	return -1;
}

/* Reads and reports everything first: a start that is refused has written nothing. */
static int
spool_open_parts(struct spool *s, const struct spool_recovery *r)
{
	struct segment *opened;

	if (s->writer.event_fd < 0 || spool_lock(s) != 0)
		return -1;
	/* not the lock: recovery appends the statuses of a message that it sets aside */
	writer_hold_start(&s->writer);
	if (spool_start_threads(s) != 0 || spool_recover(s, r) != 0) {
		spool_end_threads(s);
		return -1;
	}
	s->index.unneeded = spool_remove_files;
	s->index.arg = s;
	/* without room for a new segment the stored messages can still be read and sent */
	if (writer_begin(&s->writer, &opened) != 0)
		log_error("spool: nothing can be stored now: %m");
	else
		index_add_segment(&s->index, opened);
	writer_release_start(&s->writer);
	body_files_begin(s);
	return 0;
}

static void
spool_free_parts(struct spool **s)
{
	tasks_clear(&(*s)->reader, *s);
	tasks_clear(&(*s)->upkeep, *s);
	tasks_clear(&(*s)->body_files.tasks, *s);
	body_files_clear(*s);
	spool_reads_clear(*s);
	index_clear(&(*s)->index, (*s)->io);
	body_sync_clear(&(*s)->body_sync);
	writer_clear(&(*s)->writer);
	buf_clear(&(*s)->buffer);
	mem_free(*s);
	*s = NULL;
}

static void
spool_init_tasks(struct spool *s, struct tasks *t, enum spool_thread thread)
{
	struct tasks_setup setup = {.thread = spool_thread(thread),
	    .io = s->io,
	    .event_fd = s->writer.event_fd,
	    .is_thread = !s->options.threadless};

	tasks_init(t, &setup);
}

struct spool *
spool_open(const struct spool_options *o, const struct spool_recovery *r)
{
	struct spool *s = MEM_NEW(struct spool);
	int error;

	s->options = *o;
	if (!o->message_wait_ms)
		s->options.message_wait_ms = SPOOL_MESSAGE_WAIT_MS;
	if (!o->stall_ms)
		s->options.stall_ms = STALL_LOGGED_MS;
	s->io = o->io;
	index_init(&s->index);
	s->index.statuses.owner = o->statuses;
	s->index.statuses.arg = o->statuses_arg;
	buf_init(&s->buffer, FRAME_PAYLOAD_MAX + FRAME_HEADER_BYTES);
	writer_init(&s->writer, s->io, !o->threadless);
	body_sync_init(&s->body_sync, &s->writer);
	spool_init_tasks(s, &s->reader, SPOOL_THREAD_READER);
	spool_init_tasks(s, &s->upkeep, SPOOL_THREAD_UPKEEP);
	spool_init_tasks(s, &s->body_files.tasks, SPOOL_THREAD_FILES);
	TAILQ_INIT(&s->body_files.waiting);
	spool_reads_init(&s->reads);
	s->writer.pool.bytes = o->segment_bytes ? o->segment_bytes : spool_segment_bytes(o);
	spool_set_minimum_free(s, o->minimum_free_percent);
	errno = EINVAL;
	s->recovery = r;
	if (spool_options_are_valid(o) && spool_open_parts(s, r) == 0) {
		s->recovery = NULL;
		spool_statuses_hand_over(&s->index.statuses);
		return s;
	}
	error = errno;
	/* the directory is left unchanged: it may belong to another process */
	spool_free_parts(&s);
	errno = error;
	return NULL;
}

void
spool_close(struct spool **s)
{
	struct batch_list done = STAILQ_HEAD_INITIALIZER(done);
	struct batch *b;

	if (!*s)
		return;
	tasks_halt(&(*s)->reader);
	tasks_halt(&(*s)->upkeep);
	tasks_halt(&(*s)->body_files.tasks);
	body_sync_stop(&(*s)->body_sync);
	writer_stop(&(*s)->writer);
	/* in case it could not be written when the segment was begun */
	if ((*s)->writer.pool.newest)
		newest_segment_set(&(*s)->writer.newest_segment, (*s)->writer.pool.newest);
	/* last: a read or sync of these that the disk does not complete must not delay what is to
	 * be durable */
	tasks_stop(&(*s)->reader);
	tasks_stop(&(*s)->upkeep);
	tasks_stop(&(*s)->body_files.tasks);
	spool_watch(*s);
	/* no callbacks are called any more; the segments are freed with the index */
	writer_take_done(&(*s)->writer, &done);
	while ((b = STAILQ_FIRST(&done))) {
		STAILQ_REMOVE_HEAD(&done, link);
		while (b->opened) {
			struct segment *g = b->opened;

			b->opened = g->next;
			index_add_segment(&(*s)->index, g);
		}
		batch_free(&b);
	}
	spool_free_parts(s);
}

int
spool_fd(const struct spool *s)
{
	return s->writer.event_fd;
}

static struct stall *
spool_stall(struct spool *s, enum spool_thread thread)
{
	struct stall *all[SPOOL_THREADS] = {
	    [SPOOL_THREAD_WRITER] = &s->writer.stall,
	    [SPOOL_THREAD_BODIES] = &s->body_sync.stall,
	    [SPOOL_THREAD_READER] = &s->reader.stall,
	    [SPOOL_THREAD_UPKEEP] = &s->upkeep.stall,
	    [SPOOL_THREAD_FILES] = &s->body_files.tasks.stall,
	};

	return all[thread];
}

void
spool_watch(struct spool *s)
{
	for (enum spool_thread t = 0; t < SPOOL_THREADS; t++)
		stall_check(spool_stall(s, t), s->options.stall_ms);
}

bool
spool_stall_text(struct spool *s, char *out, size_t bytes)
{
	for (enum spool_thread t = 0; t < SPOOL_THREADS; t++)
		if (stall_text(spool_stall(s, t), s->options.stall_ms, out, bytes))
			return true;
	return false;
}

int64_t
spool_thread_ms(struct spool *s, enum spool_thread thread)
{
	return stall_ms(spool_stall(s, thread));
}

void
spool_step(struct spool *s)
{
	body_sync_step(&s->body_sync);
	writer_step(&s->writer);
}

/* ---- appending ---- */

/* The message or note may not be moved or removed before this append has its result. */
static void
spool_count_open(struct spool *s, const struct spool_entry *e)
{
	struct stored_message *message;
	struct spool_note *note;

	if (e->kind == SPOOL_UNKNOWN)
		return;
	if (e->kind == SPOOL_NOTE) {
		note = index_find_note(&s->index, e->note.name);
		if (note)
			note->open_appends++;
		return;
	}
	message = index_find(&s->index, e->id);
	if (!message)
		message = index_add(&s->index, e->id, e->message.recipient_count);
	message->open_appends++;
}

/* A message with less than this part of its time left is refused. */
enum { SPOOL_WAIT_LEAST_PART = 20 };

static void
spool_limit_wait(const struct spool *s, struct batch_commit *c)
{
	uint32_t wait_ms = s->options.message_wait_ms;

	c->deadline_ms = clock_mono_ms() + wait_ms;
	c->start_by_ms = c->deadline_ms - wait_ms / SPOOL_WAIT_LEAST_PART;
}

/* A message with a body file joins the batch when that file is durable. */
static void
spool_queue_body(
    struct spool *s, const struct spool_batch *b, uint64_t body_bytes, int64_t newest_ms)
{
	struct batch *single = batch_new();
	struct batch_commit *c = batch_add(single, b, body_bytes, newest_ms);

	if (!c)
		die("spool: too many bytes wait to be stored");
	spool_limit_wait(s, c);
	s->waiting_bytes += c->span;
	body_sync_add(&s->body_sync, single);
}

static void
spool_queue_commit(struct spool *s, const struct spool_batch *b, uint64_t body_bytes, bool is_copy)
{
	int64_t newest = s->index.newest_ms;
	bool has_file = false;
	struct batch_commit *c;

	for (size_t i = 0; i < b->count; i++) {
		const struct spool_entry *e = &b->entries[i];

		spool_count_open(s, e);
		if (e->kind != SPOOL_MESSAGE)
			continue;
		if (id_ms(e->id.session) > newest)
			newest = id_ms(e->id.session);
		has_file |= e->message.in_file && !is_copy;
	}
	if (has_file) {
		spool_queue_body(s, b, body_bytes, newest);
		return;
	}
	writer_lock(&s->writer);
	c = batch_add(s->writer.filling, b, body_bytes, newest);
	if (!c)
		die("spool: too many bytes wait to be stored");
	c->is_bulk &= !is_copy;
	c->is_copy = is_copy;
	/* the one who appends statuses and reports tries them again, and no client waits for
	 * them */
	if (c->is_bulk && b->urgency != SPOOL_REPORT)
		spool_limit_wait(s, c);
	s->waiting_bytes += c->span;
	s->copies.waiting_bytes += is_copy ? c->span : 0;
	writer_unlock(&s->writer);
}

int
spool_append_copy(struct spool *s, const struct spool_batch *b, uint64_t body_bytes)
{
	if (s->waiting_bytes >= SPOOL_WAITING_MAX)
		return -1;
	spool_queue_commit(s, b, body_bytes, true);
	return 0;
}

int
spool_append(struct spool *s, const struct spool_batch *b)
{
	off_t body_bytes = 0;
	int file, error = admission_check_batch(s, b, &file);

	if (!error && file >= 0 && s->io->ops->size(s->io, file, &body_bytes) != 0)
		error = errno;
	if (error) {
		errno = error;
		return -1;
	}
	spool_queue_commit(s, b, (uint64_t)body_bytes, false);
	return 0;
}

/* ---- queries ---- */

bool
spool_find(struct spool *s, struct msgid id, struct spool_message *out)
{
	const struct stored_message *i = index_find(&s->index, id);

	if (!i || !i->segment)
		return false;
	stored_message_describe(i, out);
	out->recipients = spool_statuses_kept(&s->index.statuses, id);
	return true;
}

void
spool_dispatch(struct spool *s)
{
	completion_run(s);
	spool_reads_dispatch(s);
	tasks_dispatch(&s->upkeep, s);
	tasks_dispatch(&s->body_files.tasks, s);
	compaction_run(s);
}

void
spool_stats(struct spool *s, struct spool_stats *out)
{
	*out = s->stats;
	out->set_aside += s->index.lost_count;
	out->messages = index_count(&s->index);
	out->live_bytes = s->index.live_bytes + s->index.file_bytes;
	out->segments = s->index.segment_count;
	out->unremoved = atomic_load(&s->writer.unremoved_count);
	out->free_segments = atomic_load(&s->writer.spare_segments);
}

int64_t
spool_newest_ms(const struct spool *s)
{
	return s->index.newest_ms;
}
