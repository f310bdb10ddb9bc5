/*
 * message_reads: a read passes from the waiting list to the reader thread, then to the list of
 * finished reads, whose callers are answered in spool_dispatch; last its body file is closed.
 */
#include "spool/message_reads.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>

#include "base/log.h"
#include "base/mem.h"
#include "spool/spool_fault.h"
#include "spool/spool_internal.h"
#include "spool/spool_names.h"

static struct spool_read_task *
spool_read_task_new(struct msgid id)
{
	struct spool_read_task *task = MEM_NEW(struct spool_read_task);

	task->id = id;
	task->fd = -1;
	TAILQ_INIT(&task->callers);
	buf_init(&task->buffer, FRAME_PAYLOAD_MAX + FRAME_HEADER_BYTES);
	return task;
}

/* Closes the body file, if it is open. */
static void
spool_read_task_free(struct spool_read_task *task, struct fsio *io)
{
	if (task->fd >= 0)
		io->ops->close(io, task->fd);
	buf_clear(&task->buffer);
	mem_free(task);
}

void
spool_reads_init(struct spool_reads *all)
{
	*all = (struct spool_reads){.ahead = 0};
	TAILQ_INIT(&all->waiting);
	TAILQ_INIT(&all->read);
}

/* ---- in the thread ---- */

/* 0 and the open body file in task->fd, or the error. */
static int
spool_read_task_open_body(struct fsio *io, struct spool_read_task *task)
{
	char name[SPOOL_NAMES_BYTES];
	int fd = io->ops->open(io, spool_names_body(task->id, name), O_RDONLY), error = 0;
	off_t bytes;

	if (fd < 0)
		return errno == ENOENT ? SPOOL_FAULT_BODY_MISSING : errno ? errno : EIO;
	if (io->ops->size(io, fd, &bytes) != 0)
		error = errno;
	else if ((uint64_t)bytes != task->body_bytes)
		error = SPOOL_FAULT_BODY_TRUNCATED;
	if (error)
		io->ops->close(io, fd);
	else
		task->fd = fd;
	return error;
}

static bool
spool_read_task_run(struct fsio *io, void *arg)
{
	struct spool_read_task *task = arg;

	task->error = stored_message_read_at(&task->position, io, &task->buffer, &task->record);
	if (task->error || !task->in_file)
		return true;
	task->error = spool_read_task_open_body(io, task);
	task->is_of_body = task->error != 0;
	return true;
}

static bool
spool_read_task_close(struct fsio *io, void *arg)
{
	struct spool_read_task *task = arg;

	io->ops->close(io, task->fd);
	task->fd = -1;
	return true;
}

/* ---- queueing the reads ---- */

static void
spool_read_task_done(void *owner, void *arg)
{
	struct spool *s = owner;
	struct spool_read_task *task = arg;

	TAILQ_INSERT_TAIL(&s->reads.read, task, link);
}

static void
spool_read_task_drop(void *owner, void *arg)
{
	struct spool *s = owner;
	struct spool_read_task *task = arg;
	struct spool_reading *r;

	while ((r = TAILQ_FIRST(&task->callers)))
		spool_read_cancel(r);
	spool_read_task_free(task, s->io);
}

static const struct task_kind spool_read_task_kind = {
    spool_read_task_run, spool_read_task_done, spool_read_task_drop, "read"};

/* New requests for the message get a read of their own. */
static void
spool_read_task_leave(struct stored_message *i)
{
	i->extra->read_task = NULL;
	stored_message_drop_extra(i);
}

static bool
spool_reads_have_room(const struct spool_reads *all, const struct spool_read_task *task)
{
	return all->ahead == 0 || (all->ahead < SPOOL_READS_AHEAD_MAX &&
	    all->ahead_bytes + task->position.frame_bytes <= SPOOL_READS_AHEAD_BYTES);
}

/* There is no such message: it is answered without a read. */
static void
spool_reads_skip(struct spool *s, struct spool_read_task *task)
{
	TAILQ_REMOVE(&s->reads.waiting, task, link);
	task->error = ENOENT;
	task->position.frame_bytes = 0;
	s->reads.ahead++;
	TAILQ_INSERT_TAIL(&s->reads.read, task, link);
	eventfd_write(s->writer.event_fd, 1);
}

static void
spool_reads_hand_over(struct spool *s, struct spool_read_task *task, struct stored_message *i)
{
	TAILQ_REMOVE(&s->reads.waiting, task, link);
	task->in_file = i->in_file;
	task->body_bytes = stored_message_body_bytes(i);
	task->segment = i->segment;
	task->segment->reads++;
	s->reads.ahead++;
	s->reads.ahead_bytes += task->position.frame_bytes;
	task->task.id = task->id;
	tasks_submit(&s->reader, &task->task, &spool_read_task_kind, task);
}

/* Starts as many reads as there is room for.  A read whose callers have all cancelled is
 * dropped. */
static void
spool_reads_start_next(struct spool *s)
{
	struct spool_reads *all = &s->reads;
	struct spool_read_task *task;

	while ((task = TAILQ_FIRST(&all->waiting))) {
		struct stored_message *i = index_find(&s->index, task->id);

		if (TAILQ_EMPTY(&task->callers)) {
			TAILQ_REMOVE(&all->waiting, task, link);
			if (i && stored_message_extra(i)->read_task == task)
				spool_read_task_leave(i);
			spool_read_task_free(task, s->io);
		} else if (!i || !stored_message_locate(i, &task->position)) {
			spool_reads_skip(s, task);
		} else if (spool_reads_have_room(all, task)) {
			spool_reads_hand_over(s, task, i);
		} else {
			return;
		}
	}
}

void
spool_read(
    struct spool *s, struct spool_reading *r, struct msgid id, spool_content_fn *fn, void *arg)
{
	struct stored_message *i = index_find(&s->index, id);
	struct spool_read_task *task = i ? stored_message_extra(i)->read_task : NULL;

	if (r->task)
		die("spool: a read that is in progress was requested again");
	if (!task) {
		task = spool_read_task_new(id);
		if (i)
			stored_message_ensure_extra(i)->read_task = task;
		TAILQ_INSERT_TAIL(&s->reads.waiting, task, link);
	}
	*r = (struct spool_reading){.task = task, .fn = fn, .arg = arg};
	TAILQ_INSERT_TAIL(&task->callers, r, link);
	spool_reads_start_next(s);
}

void
spool_read_cancel(struct spool_reading *r)
{
	if (!r->task)
		return;
	TAILQ_REMOVE(&r->task->callers, r, link);
	r->task = NULL;
}

bool
spool_is_reading(const struct spool_reading *r)
{
	return r->task != NULL;
}

/* ---- answering the callers ---- */

static void
spool_read_task_log_error(const struct spool_read_task *task)
{
	char id[ID_NUMBER_TEXT_BYTES], name[SPOOL_NAMES_BYTES];
	const char *text = spool_fault_text(task->error), *wrong = spool_fault_of_body(task->error);

	msgid_text(task->id, 0, id);
	if (task->is_of_body)
		log_error("spool: message %s: the body file %s %s%s", id,
		    spool_names_body(task->id, name), wrong ? wrong : "cannot be opened now: ",
		    wrong ? "" : text);
	else
		log_error("spool: message %s %s: %s, offset %u: %s%s", id,
		    task->error == EBADMSG ? "is damaged" : "cannot be read now",
		    segment_name(task->position.slot, name), task->position.offset, text,
		    task->error == SPOOL_FAULT_MISREAD
		        ? "; wrong at the next read too, it is lost, and "
		          "its sender gets a report"
		        : "");
}

/* Done once, before the first caller is answered: a later request starts another read.  A message
 * that was removed meanwhile does not exist any more, whatever was read of it. */
static void
spool_read_task_end(struct spool *s, struct spool_read_task *task)
{
	struct stored_message *i = index_find(&s->index, task->id);

	if (task->segment)
		task->segment->reads--;
	task->segment = NULL;
	if (!i || stored_message_extra(i)->read_task != task) {
		task->error = ENOENT;
		return;
	}
	spool_read_task_leave(i);
	if (!task->is_of_body)
		task->error = stored_message_judge_read(i, task->error);
	if (task->error && task->error != ENOENT)
		spool_read_task_log_error(task);
}

/* Each callback may cancel any other caller. */
static unsigned
spool_read_task_answer(struct spool_read_task *task, unsigned at_most)
{
	const struct spool_entry *e = &task->record.entry;
	struct spool_content content = {.fd = task->fd};
	struct spool_reading *r;
	unsigned calls = 0;

	if (!task->error || task->is_of_body) {
		content.envelope = e->message.envelope;
		content.header = e->message.header;
		content.body = e->message.body;
		content.sums = e->message.sums;
	}
	while (calls < at_most && (r = TAILQ_FIRST(&task->callers))) {
		spool_read_cancel(r);
		calls++;
		r->is_of_body = task->is_of_body;
		r->fn(task->error && !task->is_of_body ? NULL : &content, task->error, r->arg);
	}
	return calls;
}

static void
spool_read_task_closed(void *owner, void *arg)
{
	struct spool *s = owner;
	struct spool_read_task *task = arg;

	s->reads.ahead--;
	s->reads.ahead_bytes -= task->position.frame_bytes;
	spool_read_task_free(task, s->io);
}

/* The body file may have no name any more, and this may be its last descriptor: so the thread
 * closes it, because the file system then frees all its blocks. */
static void
spool_reads_finish(struct spool *s, struct spool_read_task *task)
{
	static const struct task_kind kind = {
	    spool_read_task_close, spool_read_task_closed, spool_read_task_drop, "close the body"};

	TAILQ_REMOVE(&s->reads.read, task, link);
	if (task->fd < 0)
		spool_read_task_closed(s, task);
	else
		tasks_submit(&s->reader, &task->task, &kind, task);
}

/* What is left follows after the other work of the event loop. */
void
spool_reads_dispatch(struct spool *s)
{
	struct spool_reads *all = &s->reads;
	unsigned calls = 0;
	struct spool_read_task *task;

	tasks_dispatch(&s->reader, s);
	while (calls < SPOOL_READS_CALLS_PER_TURN && (task = TAILQ_FIRST(&all->read))) {
		if (!task->is_ended)
			spool_read_task_end(s, task);
		task->is_ended = true;
		calls += spool_read_task_answer(task, SPOOL_READS_CALLS_PER_TURN - calls);
		if (TAILQ_EMPTY(&task->callers))
			spool_reads_finish(s, task);
	}
	spool_reads_start_next(s);
	if (!TAILQ_EMPTY(&all->read))
		eventfd_write(s->writer.event_fd, 1);
}

/* ---- the end ---- */

static void
spool_reads_drop(struct spool *s, struct spool_read_task_list *list)
{
	struct spool_read_task *task;

	while ((task = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, task, link);
		spool_read_task_drop(s, task);
	}
}

void
spool_reads_clear(struct spool *s)
{
	spool_reads_drop(s, &s->reads.waiting);
	spool_reads_drop(s, &s->reads.read);
}
