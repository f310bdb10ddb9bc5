/*
 * message_reads: see the header.
 */
#include "spool/message_reads.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>

#include "base/log.h"
#include "base/mem.h"
#include "spool/spool_fault.h"
#include "spool/spool_internal.h"

static struct spool_read_task *
spool_read_task_new(struct msgid id)
{
	struct spool_read_task *one = MEM_NEW(struct spool_read_task);

	one->id = id;
	one->fd = -1;
	TAILQ_INIT(&one->callers);
	buf_init(&one->room, FRAME_PAYLOAD_MAX + FRAME_HEADER_BYTES);
	return one;
}

/* Closes. */
static void
spool_read_task_free(struct spool_read_task *one, struct fsio *io)
{
	if (one->fd >= 0)
		io->ops->close(io, one->fd);
	buf_clear(&one->room);
	mem_free(one);
}

void
spool_reads_init(struct spool_reads *all)
{
	*all = (struct spool_reads){.ahead = 0};
	TAILQ_INIT(&all->waiting);
	TAILQ_INIT(&all->read);
}

/* ---- in the thread ---- */

/* 0 and its descriptor, or the error. */
static int
spool_read_task_open_body(struct fsio *io, struct spool_read_task *one)
{
	char name[WRITER_FILE_NAME_BYTES];
	int fd = io->ops->open(io, writer_body_name(one->id, name), O_RDONLY), error = 0;
	off_t bytes;

	if (fd < 0)
		return errno == ENOENT ? SPOOL_FAULT_BODY_MISSING : errno ? errno : EIO;
	if (io->ops->size(io, fd, &bytes) != 0)
		error = errno;
	else if ((uint64_t)bytes != one->body_bytes)
		error = SPOOL_FAULT_BODY_TRUNCATED;
	if (error)
		io->ops->close(io, fd);
	else
		one->fd = fd;
	return error;
}

static bool
spool_read_task_run(struct fsio *io, void *of)
{
	struct spool_read_task *one = of;

	one->error = stored_message_read_at(&one->place, io, &one->room, &one->record);
	if (one->error || !one->in_file)
		return true;
	one->error = spool_read_task_open_body(io, one);
	one->is_of_body = one->error != 0;
	return true;
}

static bool
spool_read_task_close(struct fsio *io, void *of)
{
	struct spool_read_task *one = of;

	io->ops->close(io, one->fd);
	one->fd = -1;
	return true;
}

/* ---- to the thread ---- */

static void
spool_read_task_done(void *owner, void *of)
{
	struct spool *s = owner;
	struct spool_read_task *one = of;

	TAILQ_INSERT_TAIL(&s->readings.read, one, link);
}

static void
spool_read_task_drop(void *owner, void *of)
{
	struct spool *s = owner;
	struct spool_read_task *one = of;
	struct spool_reading *r;

	while ((r = TAILQ_FIRST(&one->callers)))
		spool_read_cancel(r);
	spool_read_task_free(one, s->io);
}

static const struct task_kind spool_read_task_kind = {
    spool_read_task_run, spool_read_task_done, spool_read_task_drop, "read"};

static bool
spool_reads_have_room(const struct spool_reads *all, const struct spool_read_task *one)
{
	return all->ahead == 0 || (all->ahead < SPOOL_READS_AHEAD_MAX &&
	    all->ahead_bytes + one->place.frame_bytes <= SPOOL_READS_AHEAD_BYTES);
}

/* There is no such message: it is told without a read. */
static void
spool_reads_skip(struct spool *s, struct spool_read_task *one)
{
	TAILQ_REMOVE(&s->readings.waiting, one, link);
	one->error = ENOENT;
	one->place.frame_bytes = 0;
	s->readings.ahead++;
	TAILQ_INSERT_TAIL(&s->readings.read, one, link);
	eventfd_write(s->writer.event_fd, 1);
}

static void
spool_reads_hand_over(struct spool *s, struct spool_read_task *one, struct stored_message *i)
{
	TAILQ_REMOVE(&s->readings.waiting, one, link);
	one->in_file = i->in_file;
	one->body_bytes = i->body_bytes;
	one->segment = i->segment;
	one->segment->readings++;
	s->readings.ahead++;
	s->readings.ahead_bytes += one->place.frame_bytes;
	one->task.id = one->id;
	tasks_submit(&s->reader, &one->task, &spool_read_task_kind, one);
}

/* As many as there is room for; those that everybody has cancelled are left out. */
static void
spool_reads_start_next(struct spool *s)
{
	struct spool_reads *all = &s->readings;
	struct spool_read_task *one;

	while ((one = TAILQ_FIRST(&all->waiting))) {
		struct stored_message *i = index_find(&s->index, one->id);

		if (TAILQ_EMPTY(&one->callers)) {
			TAILQ_REMOVE(&all->waiting, one, link);
			if (i && i->reading == one)
				i->reading = NULL;
			spool_read_task_free(one, s->io);
		} else if (!i || !stored_message_locate(i, &one->place)) {
			spool_reads_skip(s, one);
		} else if (spool_reads_have_room(all, one)) {
			spool_reads_hand_over(s, one, i);
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
	struct spool_read_task *one = i ? i->reading : NULL;

	if (r->of)
		die("spool: a reading that is under way was asked for again");
	if (!one) {
		one = spool_read_task_new(id);
		if (i)
			i->reading = one;
		TAILQ_INSERT_TAIL(&s->readings.waiting, one, link);
	}
	*r = (struct spool_reading){.of = one, .fn = fn, .arg = arg};
	TAILQ_INSERT_TAIL(&one->callers, r, link);
	spool_reads_start_next(s);
}

void
spool_read_cancel(struct spool_reading *r)
{
	if (!r->of)
		return;
	TAILQ_REMOVE(&r->of->callers, r, link);
	r->of = NULL;
}

bool
spool_is_reading(const struct spool_reading *r)
{
	return r->of != NULL;
}

/* ---- what was read ---- */

static void
spool_read_task_log_error(const struct spool_read_task *one)
{
	char id[ID_NUMBER_TEXT_BYTES], name[WRITER_FILE_NAME_BYTES];
	const char *text = spool_fault_text(one->error), *wrong = spool_fault_of_body(one->error);

	msgid_text(one->id, 0, id);
	if (one->is_of_body)
		log_error("spool: message %s: the body file %s %s%s", id,
		    writer_body_name(one->id, name), wrong ? wrong : "cannot be opened now: ",
		    wrong ? "" : text);
	else
		log_error("spool: message %s %s: %s, offset %u: %s%s", id,
		    one->error == EBADMSG ? "is damaged" : "cannot be read now",
		    segment_name(one->place.slot, name), one->place.offset, text,
		    one->error == SPOOL_FAULT_MISREAD
		        ? "; wrong at the next read too, it is lost, and "
		          "its sender is told"
		        : "");
}

/* Once, before the first is told: who asks from now on begins another read.  A message that went
 * away meanwhile is no message any more, whatever was read of it. */
static void
spool_read_task_end(struct spool *s, struct spool_read_task *one)
{
	struct stored_message *i = index_find(&s->index, one->id);

	if (one->segment)
		one->segment->readings--;
	one->segment = NULL;
	if (!i || i->reading != one) {
		one->error = ENOENT;
		return;
	}
	i->reading = NULL;
	if (!one->is_of_body)
		one->error = stored_message_judge_read(i, one->error);
	if (one->error && one->error != ENOENT)
		spool_read_task_log_error(one);
}

/* Each may cancel any other. */
static unsigned
spool_read_task_answer(struct spool_read_task *one, unsigned at_most)
{
	const struct spool_entry *e = &one->record.entry;
	struct spool_content content = {.fd = one->fd};
	struct spool_reading *r;
	unsigned calls = 0;

	if (!one->error || one->is_of_body) {
		content.envelope = e->message.envelope;
		content.header = e->message.header;
		content.body = e->message.body;
		content.sums = e->message.sums;
	}
	while (calls < at_most && (r = TAILQ_FIRST(&one->callers))) {
		spool_read_cancel(r);
		calls++;
		r->is_of_body = one->is_of_body;
		r->fn(one->error && !one->is_of_body ? NULL : &content, one->error, r->arg);
	}
	return calls;
}

static void
spool_read_task_closed(void *owner, void *of)
{
	struct spool *s = owner;
	struct spool_read_task *one = of;

	s->readings.ahead--;
	s->readings.ahead_bytes -= one->place.frame_bytes;
	spool_read_task_free(one, s->io);
}

/* A body's file may be gone by now, and this descriptor the last of it: the thread closes it, which
 * may have the file system free all of it. */
static void
spool_reads_finish(struct spool *s, struct spool_read_task *one)
{
	static const struct task_kind kind = {
	    spool_read_task_close, spool_read_task_closed, spool_read_task_drop, "close the body"};

	TAILQ_REMOVE(&s->readings.read, one, link);
	if (one->fd < 0)
		spool_read_task_closed(s, one);
	else
		tasks_submit(&s->reader, &one->task, &kind, one);
}

/* The rest has its turn after the other work of the loop. */
void
spool_reads_dispatch(struct spool *s)
{
	struct spool_reads *all = &s->readings;
	unsigned calls = 0;
	struct spool_read_task *one;

	tasks_dispatch(&s->reader, s);
	while (calls < SPOOL_READS_CALLS_PER_TURN && (one = TAILQ_FIRST(&all->read))) {
		if (!one->is_ended)
			spool_read_task_end(s, one);
		one->is_ended = true;
		calls += spool_read_task_answer(one, SPOOL_READS_CALLS_PER_TURN - calls);
		if (TAILQ_EMPTY(&one->callers))
			spool_reads_finish(s, one);
	}
	spool_reads_start_next(s);
	if (!TAILQ_EMPTY(&all->read))
		eventfd_write(s->writer.event_fd, 1);
}

/* ---- the end ---- */

static void
spool_reads_drop(struct spool *s, struct spool_read_task_list *list)
{
	struct spool_read_task *one;

	while ((one = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, one, link);
		spool_read_task_drop(s, one);
	}
}

void
spool_reads_clear(struct spool *s)
{
	spool_reads_drop(s, &s->readings.waiting);
	spool_reads_drop(s, &s->readings.read);
}
