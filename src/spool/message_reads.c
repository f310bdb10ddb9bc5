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

static struct reading *
reading_new(struct msgid id)
{
	struct reading *one = MEM_NEW(struct reading);

	one->id = id;
	one->fd = -1;
	TAILQ_INIT(&one->callers);
	buf_init(&one->room, RECORD_PAYLOAD_MAX + RECORD_HEADER_BYTES);
	return one;
}

/* Closes. */
static void
reading_free(struct reading *one, struct fsio *io)
{
	if (one->fd >= 0)
		io->ops->close(io, one->fd);
	buf_clear(&one->room);
	mem_free(one);
}

void
readings_init(struct readings *all)
{
	*all = (struct readings){.ahead = 0};
	TAILQ_INIT(&all->waiting);
	TAILQ_INIT(&all->read);
}

/* ---- in the thread ---- */

/* 0 and its descriptor, or the error. */
static int
reading_open_body(struct fsio *io, struct reading *one)
{
	char name[WRITER_FILE_NAME_BYTES];
	int fd = io->ops->open(io, writer_file_name(one->id, name), O_RDONLY), error = 0;
	off_t bytes;

	if (fd < 0)
		return errno == ENOENT ? FINDING_BODY_MISSING : errno ? errno : EIO;
	if (io->ops->size(io, fd, &bytes) != 0)
		error = errno;
	else if ((uint64_t)bytes != one->body_bytes)
		error = FINDING_BODY_CUT;
	if (error)
		io->ops->close(io, fd);
	else
		one->fd = fd;
	return error;
}

static bool
reading_run(struct fsio *io, void *of)
{
	struct reading *one = of;

	one->error = item_fetch(&one->place, io, &one->room, &one->record);
	if (one->error || !one->in_file)
		return true;
	one->error = reading_open_body(io, one);
	one->is_of_body = one->error != 0;
	return true;
}

static bool
reading_close(struct fsio *io, void *of)
{
	struct reading *one = of;

	io->ops->close(io, one->fd);
	one->fd = -1;
	return true;
}

/* ---- to the thread ---- */

static void
reading_done(void *owner, void *of)
{
	struct spool *s = owner;
	struct reading *one = of;

	TAILQ_INSERT_TAIL(&s->readings.read, one, link);
}

static void
reading_drop(void *owner, void *of)
{
	struct spool *s = owner;
	struct reading *one = of;
	struct spool_reading *r;

	while ((r = TAILQ_FIRST(&one->callers)))
		spool_read_cancel(r);
	reading_free(one, s->io);
}

static const struct task_kind reading_kind = {reading_run, reading_done, reading_drop, "read"};

static bool
readings_have_room(const struct readings *all, const struct reading *one)
{
	return all->ahead == 0 || (all->ahead < READINGS_AHEAD_MAX &&
	    all->ahead_bytes + one->place.frame_bytes <= READINGS_AHEAD_BYTES);
}

/* There is no such message: it is told without a read. */
static void
readings_skip(struct spool *s, struct reading *one)
{
	TAILQ_REMOVE(&s->readings.waiting, one, link);
	one->error = ENOENT;
	one->place.frame_bytes = 0;
	s->readings.ahead++;
	TAILQ_INSERT_TAIL(&s->readings.read, one, link);
	eventfd_write(s->writer.event_fd, 1);
}

static void
readings_hand_over(struct spool *s, struct reading *one, struct item *i)
{
	TAILQ_REMOVE(&s->readings.waiting, one, link);
	one->in_file = i->in_file;
	one->body_bytes = i->body_bytes;
	one->segment = i->segment;
	one->segment->readings++;
	s->readings.ahead++;
	s->readings.ahead_bytes += one->place.frame_bytes;
	one->task.id = one->id;
	tasks_ask(&s->reader, &one->task, &reading_kind, one);
}

/* As many as there is room for; those that everybody has cancelled are left out. */
static void
readings_go_on(struct spool *s)
{
	struct readings *all = &s->readings;
	struct reading *one;

	while ((one = TAILQ_FIRST(&all->waiting))) {
		struct item *i = index_find(&s->index, one->id);

		if (TAILQ_EMPTY(&one->callers)) {
			TAILQ_REMOVE(&all->waiting, one, link);
			if (i && i->reading == one)
				i->reading = NULL;
			reading_free(one, s->io);
		} else if (!i || !item_where(i, &one->place)) {
			readings_skip(s, one);
		} else if (readings_have_room(all, one)) {
			readings_hand_over(s, one, i);
		} else {
			return;
		}
	}
}

void
spool_read(
    struct spool *s, struct spool_reading *r, struct msgid id, spool_content_fn *fn, void *arg)
{
	struct item *i = index_find(&s->index, id);
	struct reading *one = i ? i->reading : NULL;

	if (r->of)
		die("spool: a reading that is under way was asked for again");
	if (!one) {
		one = reading_new(id);
		if (i)
			i->reading = one;
		TAILQ_INSERT_TAIL(&s->readings.waiting, one, link);
	}
	*r = (struct spool_reading){.of = one, .fn = fn, .arg = arg};
	TAILQ_INSERT_TAIL(&one->callers, r, link);
	readings_go_on(s);
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
reading_log_error(const struct reading *one)
{
	char id[ID_NUMBER_TEXT_BYTES], name[WRITER_FILE_NAME_BYTES];
	const char *text = finding_text(one->error), *wrong = finding_of_body(one->error);

	msgid_text(one->id, 0, id);
	if (one->is_of_body)
		log_error("spool: message %s: the body file %s %s%s", id,
		    writer_file_name(one->id, name), wrong ? wrong : "cannot be opened now: ",
		    wrong ? "" : text);
	else
		log_error("spool: message %s %s: %s, offset %u: %s%s", id,
		    one->error == EBADMSG ? "is damaged" : "cannot be read now",
		    segment_name(one->place.slot, name), one->place.offset, text,
		    one->error == FINDING_MISREAD ? "; wrong at the next read too, it is lost, and "
						  "its sender is told" : "");
}

/* Once, before the first is told: who asks from now on begins another read.  A message that went
 * away meanwhile is no message any more, whatever was read of it. */
static void
reading_end(struct spool *s, struct reading *one)
{
	struct item *i = index_find(&s->index, one->id);

	if (one->segment)
		one->segment->readings--;
	one->segment = NULL;
	if (!i || i->reading != one) {
		one->error = ENOENT;
		return;
	}
	i->reading = NULL;
	if (!one->is_of_body)
		one->error = item_judge(i, one->error);
	if (one->error && one->error != ENOENT)
		reading_log_error(one);
}

/* Each may cancel any other. */
static unsigned
reading_tell(struct reading *one, unsigned at_most)
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
reading_closed(void *owner, void *of)
{
	struct spool *s = owner;
	struct reading *one = of;

	s->readings.ahead--;
	s->readings.ahead_bytes -= one->place.frame_bytes;
	reading_free(one, s->io);
}

/* A body's file may be gone by now, and this descriptor the last of it: the thread closes it, which
 * may have the file system free all of it. */
static void
readings_finish(struct spool *s, struct reading *one)
{
	static const struct task_kind kind = {reading_close, reading_closed, reading_drop,
	    "close the body"};

	TAILQ_REMOVE(&s->readings.read, one, link);
	if (one->fd < 0)
		reading_closed(s, one);
	else
		tasks_ask(&s->reader, &one->task, &kind, one);
}

/* The rest has its turn after the other work of the loop. */
void
readings_answer(struct spool *s)
{
	struct readings *all = &s->readings;
	unsigned calls = 0;
	struct reading *one;

	tasks_answer(&s->reader, s);
	while (calls < READINGS_CALLS_PER_TURN && (one = TAILQ_FIRST(&all->read))) {
		if (!one->is_ended)
			reading_end(s, one);
		one->is_ended = true;
		calls += reading_tell(one, READINGS_CALLS_PER_TURN - calls);
		if (TAILQ_EMPTY(&one->callers))
			readings_finish(s, one);
	}
	readings_go_on(s);
	if (!TAILQ_EMPTY(&all->read))
		eventfd_write(s->writer.event_fd, 1);
}

/* ---- the end ---- */

static void
readings_drop(struct spool *s, struct reading_list *list)
{
	struct reading *one;

	while ((one = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, one, link);
		reading_drop(s, one);
	}
}

void
readings_clear(struct spool *s)
{
	readings_drop(s, &s->readings.waiting);
	readings_drop(s, &s->readings.read);
}
