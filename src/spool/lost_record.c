/*
 * lost_record: the order is: the file and the second name of the body, the directory, the record.
 * A crash between two of these steps leaves the message as it was.
 */
#include "spool/lost_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/error_text.h"
#include "base/log.h"
#include "base/mem.h"
#include "spool/spool_internal.h"
#include "spool/spool_names.h"

enum {
	LOST_RECORD_HEAD_BYTES = 512,
	LOST_RECORD_HOLES_MAX = 16,
	LOST_RECORD_PIECE_BYTES = 64 << 10
};

struct lost_record_task {
	struct task task;
	struct msgid id;
	int reported_error;
	lost_record_fn *fn;
	void *arg;
	struct segment *segment;         /* counts it in its reads */
	bool is_set_aside;               /* fn was called with LOST_RECORD_SET_ASIDE */
	bool has_no_content;             /* lost already, and its record is damaged again */
	/* what the thread needs */
	struct stored_message_position position;
	uint32_t recipient_count;
	uint32_t envelope_bytes;
	uint32_t header_bytes;
	uint64_t body_bytes;
	bool in_file;
	char name[SPOOL_NAMES_BYTES]; /* of the file */
	char body_name[SPOOL_NAMES_BYTES];
	/* used by the thread only */
	unsigned step;
	char *bytes;                     /* of the record, as far as they can be read */
	uint32_t at;
	uint32_t unread;
	unsigned holes;
	int error;
};

const char *
lost_record_text(enum lost_record_result result)
{
	static const char *const text[] = {
	    [LOST_RECORD_BEGUN] = "it is in progress",
	    [LOST_RECORD_SET_ASIDE] = "what is left of it is set aside",
	    [LOST_RECORD_READABLE] = "its record can be read after all",
	    [LOST_RECORD_UNPROVEN] = "the last read does not prove the damage",
	    [LOST_RECORD_GONE] = "its delivery is finished",
	    [LOST_RECORD_BUSY] = "something of it is being delivered or stored",
	    [LOST_RECORD_MOVED] = "its record was written to another place meanwhile",
	    [LOST_RECORD_TOO_MANY] = "many other damaged messages are being set aside",
	    [LOST_RECORD_NOT_WRITTEN] = "what is left of it cannot be written to a file",
	    [LOST_RECORD_FULL] = "too much waits to be written to the disk",
	};

	return text[result];
}

void
lost_record_listen(struct spool *s, lost_record_found_fn *fn, void *arg)
{
	s->lost_fn = fn;
	s->lost_arg = arg;
}

/* ---- writing the file, in the thread ---- */

/* The result of a step: it is to be repeated, the next step follows, or errno is the reason of the
 * failure. */
enum lost_record_step {
	LOST_RECORD_STEP_FAILED = -1,
	LOST_RECORD_STEP_MORE,
	LOST_RECORD_STEP_DONE
};

/* Reads the next page; false: it cannot be read, and is filled with zeros. */
static bool
lost_record_salvage_page(struct fsio *io, struct lost_record_task *l)
{
	uint64_t position = (uint64_t)l->position.offset + l->at;
	uint32_t n = SEGMENT_SALVAGE_BYTES - (uint32_t)(position % SEGMENT_SALVAGE_BYTES);
	struct iovec v = {l->bytes + l->at, 0};
	size_t got;
	bool is_read;

	n = n < l->position.frame_bytes - l->at ? n : l->position.frame_bytes - l->at;
	v.iov_len = n;
	is_read = l->holes < LOST_RECORD_HOLES_MAX &&
	    fsio_read_all(io, l->position.fd, v, (off_t)position, &got) == 0;
	if (!is_read) {
		memset(l->bytes + l->at, 0, n);
		l->unread += n;
	}
	l->at += n;
	return is_read;
}

/* A disk may need seconds for each page that it cannot read: so other tasks run after each of
 * these, and after a number of them the rest is not tried. */
static enum lost_record_step
lost_record_salvage(struct fsio *io, struct lost_record_task *l)
{
	uint32_t end = l->at + LOST_RECORD_PIECE_BYTES;

	if (!l->bytes)
		l->bytes = mem_new(l->position.frame_bytes);
	while (l->at < l->position.frame_bytes && l->at < end)
		if (!lost_record_salvage_page(io, l) && l->holes < LOST_RECORD_HOLES_MAX) {
			l->holes++;
			break;
		}
	return l->at < l->position.frame_bytes ? LOST_RECORD_STEP_MORE : LOST_RECORD_STEP_DONE;
}

static int
lost_record_write(struct fsio *io, int fd, const struct lost_record_task *l)
{
	char head[LOST_RECORD_HEAD_BYTES], id[ID_NUMBER_TEXT_BYTES], name[SEGMENT_NAME_BYTES];
	int n = snprintf(head, sizeof head,
	    "Sallyport: what can be read of a message whose stored record is damaged.\n"
	    "id: %s\nrecipients: %u\n"
	    "record: %u bytes from %s, offset %u; %u of them cannot be read and are zero here\n"
	    "envelope: %u bytes\nheader: %u bytes\nbody: %llu bytes%s\n\n",
	    msgid_text(l->id, 0, id), l->recipient_count, l->position.frame_bytes,
	    segment_name(l->position.slot, name), l->position.offset, l->unread, l->envelope_bytes,
	    l->header_bytes, (unsigned long long)l->body_bytes,
	    l->in_file ? ", in a file of its own" : "");
	struct iovec v[2] = {{head, (size_t)n}, {l->bytes, l->position.frame_bytes}};

	if (fsio_write_all(io, fd, v, 2, 0) != 0)
		return -1;
	return io->ops->sync_data(io, fd);
}

/* A file that an earlier attempt left is overwritten. */
static enum lost_record_step
lost_record_write_file(struct fsio *io, struct lost_record_task *l)
{
	int fd = io->ops->open(io, l->name, O_RDWR | O_CREAT | O_TRUNC), result, error;

	if (fd < 0)
		return LOST_RECORD_STEP_FAILED;
	result = lost_record_write(io, fd, l);
	error = errno;
	io->ops->close(io, fd);
	errno = error;
	return result == 0 ? LOST_RECORD_STEP_DONE : LOST_RECORD_STEP_FAILED;
}

/* Gives the body file a second name, because the first name is removed with the message. */
static enum lost_record_step
lost_record_link_body(struct fsio *io, struct lost_record_task *l)
{
	char from[SPOOL_NAMES_BYTES];
	int fd, error, result;

	if (!l->in_file)
		return LOST_RECORD_STEP_DONE;
	fd = io->ops->open(io, spool_names_body(l->id, from), O_RDONLY);
	if (fd < 0)
		return errno == ENOENT ? LOST_RECORD_STEP_DONE : LOST_RECORD_STEP_FAILED;
	result = io->ops->name(io, fd, l->body_name);
	error = errno;
	io->ops->close(io, fd);
	errno = error;
	return result == 0 || error == EEXIST ? LOST_RECORD_STEP_DONE : LOST_RECORD_STEP_FAILED;
}

static enum lost_record_step
lost_record_sync(struct fsio *io, struct lost_record_task *l)
{
	(void)l;
	return io->ops->sync_directory(io) == 0 ? LOST_RECORD_STEP_DONE : LOST_RECORD_STEP_FAILED;
}

static bool
lost_record_set_aside_task(struct fsio *io, void *arg)
{
	static enum lost_record_step (*const steps[])(
	    struct fsio * io, struct lost_record_task * l) = {
	    lost_record_salvage, lost_record_write_file, lost_record_link_body, lost_record_sync};
	struct lost_record_task *l = arg;
	enum lost_record_step result = steps[l->step](io, l);

	if (result == LOST_RECORD_STEP_FAILED)
		l->error = errno ? errno : EIO;
	l->step += result == LOST_RECORD_STEP_DONE;
	return l->error || l->step == sizeof steps / sizeof *steps;
}

static bool
lost_record_check_task(struct fsio *io, void *arg)
{
	struct lost_record_task *l = arg;
	struct frame_entry r;
	struct buf buffer;

	buf_init(&buffer, FRAME_PAYLOAD_MAX + FRAME_HEADER_BYTES);
	l->error = stored_message_read_at(&l->position, io, &buffer, &r);
	buf_clear(&buffer);
	return true;
}

/* ---- the steps, in the event loop ---- */

static void
lost_record_free(void *owner, void *arg)
{
	struct spool *s = owner;
	struct lost_record_task *l = arg;

	l->segment->reads--;
	s->lost_task_count--;
	mem_free(l->bytes);
	mem_free(l);
}

/* The message, if it still exists. */
static struct stored_message *
lost_record_find_message(const struct spool *s, const struct lost_record_task *l)
{
	struct stored_message *i = index_find(&s->index, l->id);

	return i && stored_message_extra(i)->lost_task == l ? i : NULL;
}

/* The spool is closed: if the message was removed meanwhile, the files that were set aside of it
 * are removed too. */
static void
lost_record_drop(void *owner, void *arg)
{
	struct spool *s = owner;
	const struct lost_record_task *l = arg;

	if (!index_find(&s->index, l->id)) {
		s->io->ops->unlink(s->io, l->name);
		s->io->ops->unlink(s->io, l->body_name);
	}
	lost_record_free(s, arg);
}

/* fn may append the record; then an append about the message is in progress and this task does not
 * refer to it any more. */
static void
lost_record_answer(struct spool *s, struct lost_record_task *l, enum lost_record_result result)
{
	struct stored_message *i;

	l->is_set_aside = result == LOST_RECORD_SET_ASIDE;
	l->fn(result, l->arg);
	i = lost_record_find_message(s, l);
	if (!i)
		return;
	i->extra->lost_task = NULL;
	stored_message_drop_extra(i);
}

/* Is the message still in the state in which the task began?  BEGUN: yes. */
static enum lost_record_result
lost_record_recheck(const struct stored_message *i, const struct lost_record_task *l)
{
	if (!i)
		return LOST_RECORD_GONE;
	if (i->open_appends > 0)
		return LOST_RECORD_BUSY;
	return stored_message_is_at(i, l->segment, &l->position) ? LOST_RECORD_BEGUN
	                                                      : LOST_RECORD_MOVED;
}

static void
lost_record_log_failed(const struct lost_record_task *l)
{
	char id[ID_NUMBER_TEXT_BYTES];

	log_error("spool: message %s: what is left of it cannot be written to %s now: %s",
	    msgid_text(l->id, 0, id), l->name, error_text(l->error));
}

static void
lost_record_set_aside_done(void *owner, void *arg)
{
	struct spool *s = owner;
	struct lost_record_task *l = arg;
	enum lost_record_result result = lost_record_recheck(lost_record_find_message(s, l), l);

	if (result == LOST_RECORD_GONE) {
		/* the files of the message were removed with it, perhaps before this one was
		 * written */
		writer_remove_set_aside(&s->writer, l->id);
	} else if (l->error) {
		lost_record_log_failed(l);
		result = LOST_RECORD_NOT_WRITTEN;
	} else if (result == LOST_RECORD_BEGUN) {
		result = LOST_RECORD_SET_ASIDE;
	}
	lost_record_answer(s, l, result);
	lost_record_free(s, l);
}

/* BEGUN: it cannot be read, as the caller reported.  A shortage of memory or descriptors is no
 * evidence about the disk; nor is the first read in a row that does not match its checksum. */
static enum lost_record_result
lost_record_judge(struct stored_message *i, const struct lost_record_task *l)
{
	enum lost_record_result result = lost_record_recheck(i, l);
	int error;

	if (result != LOST_RECORD_BEGUN)
		return result;
	error = stored_message_judge_read(i, l->error);
	if (error == 0)
		return LOST_RECORD_READABLE;
	if (error == EBADMSG)
		return LOST_RECORD_BEGUN;
	if (l->reported_error == EBADMSG || l->error == EBADMSG || !segment_is_medium_error(error))
		return LOST_RECORD_UNPROVEN;
	return LOST_RECORD_BEGUN;
}

static void
lost_record_check_done(void *owner, void *arg)
{
	struct spool *s = owner;
	static const struct task_kind keep = {
	    lost_record_set_aside_task, lost_record_set_aside_done, lost_record_drop, "set aside"};
	struct lost_record_task *l = arg;
	struct stored_message *i = lost_record_find_message(s, l);
	enum lost_record_result result = lost_record_judge(i, l);

	l->error = 0;
	if (result == LOST_RECORD_BEGUN && l->has_no_content)
		result = LOST_RECORD_SET_ASIDE;
	if (result == LOST_RECORD_BEGUN) {
		/* from now on the files belong to the message, whatever the result is */
		i->has_set_aside = true;
		tasks_submit(&s->upkeep, &l->task, &keep, l);
		return;
	}
	lost_record_answer(s, l, result);
	lost_record_free(s, l);
}

static struct lost_record_task *
lost_record_new(struct stored_message *i, int reported_error)
{
	struct lost_record_task *l = MEM_NEW(struct lost_record_task);

	l->id = l->task.id = i->id;
	l->reported_error = reported_error;
	l->segment = i->segment;
	l->recipient_count = i->recipient_count;
	l->envelope_bytes = i->envelope_bytes;
	l->header_bytes = i->header_bytes;
	l->body_bytes = stored_message_body_bytes(i);
	l->in_file = i->in_file;
	l->has_no_content = i->is_lost;
	spool_names_aside(i->id, l->name);
	spool_names_aside_body(i->id, l->body_name);
	return l;
}

enum lost_record_result
lost_record_set_aside(struct spool *s, struct msgid id, int error, lost_record_fn *fn, void *arg)
{
	static const struct task_kind check = {
	    lost_record_check_task, lost_record_check_done, lost_record_free, "read again"};
	struct stored_message *i = index_find(&s->index, id);
	struct stored_message_position position;
	struct lost_record_task *l;

	if (!i || !stored_message_locate(i, &position))
		return LOST_RECORD_GONE;
	if (i->open_appends > 0 || stored_message_extra(i)->lost_task)
		return LOST_RECORD_BUSY;
	if (s->lost_task_count >= LOST_RECORD_AT_ONCE)
		return LOST_RECORD_TOO_MANY;
	l = lost_record_new(i, error);
	l->position = position;
	l->fn = fn;
	l->arg = arg;
	stored_message_ensure_extra(i)->lost_task = l;
	i->segment->reads++;
	s->lost_task_count++;
	tasks_submit(&s->upkeep, &l->task, &check, l);
	return LOST_RECORD_BEGUN;
}

/* ---- the record ---- */

static void
lost_record_set_status(const struct lost_record *l, struct spool_entry *e)
{
	for (size_t n = 0; n < l->count; n++)
		if (l->statuses[n].number == e->status.number)
			e->status = l->statuses[n];
}

/* The statuses of the recipients, except for those that the caller settles with it. */
static int
lost_record_append_entries(
    struct spool *s, const struct stored_message *i, const struct lost_record *l)
{
	const struct spool_recipient *statuses = spool_statuses_gather(&s->index.statuses, i);
	size_t count = 2 + i->recipient_count;
	struct spool_entry *entries;
	struct spool_batch b = {.urgency = SPOOL_NOW, .fn = l->fn, .arg = l->arg};
	int result;

	if (!statuses)
		return -1;
	b.entries = entries = mem_new(count * sizeof *entries);
	entries[0] = (struct spool_entry){.kind = SPOOL_MESSAGE, .id = i->id};
	entries[0].message.recipient_count = i->recipient_count;
	entries[0].message.envelope = l->envelope;
	entries[0].message.is_lost = true;
	entries[0].message.fd = -1;
	entries[1] = (struct spool_entry){.kind = SPOOL_HOLD, .id = i->id};
	entries[1].hold.is_held = i->is_held;
	entries[1].hold.why = stored_message_extra(i)->held_why;
	for (uint32_t n = 0; n < i->recipient_count; n++) {
		struct spool_entry *e = &entries[2 + n];

		*e = (struct spool_entry){.kind = SPOOL_STATUS, .id = i->id};
		e->status = statuses[n];
		lost_record_set_status(l, e);
	}
	b.count = count;
	result = spool_append_copy(s, &b, 0);
	mem_free(entries);
	return result;
}

enum lost_record_result
lost_record_append(struct spool *s, const struct lost_record *l)
{
	const struct stored_message *i = index_find(&s->index, l->id);

	if (!i || !stored_message_extra(i)->lost_task || !i->extra->lost_task->is_set_aside)
		die("spool: a message that was not set aside is appended as lost");
	return lost_record_append_entries(s, i, l) == 0 ? LOST_RECORD_BEGUN : LOST_RECORD_FULL;
}
