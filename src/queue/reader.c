/*
 * reader: see the header.
 */
#include "queue/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>

#include "base/mem.h"
#include "queue/writer.h"

struct reading *
reading_new(struct msgid id)
{
	struct reading *one = MEM_NEW(struct reading);

	one->id = id;
	one->fd = -1;
	TAILQ_INIT(&one->callers);
	buf_init(&one->room, RECORD_PAYLOAD_MAX + RECORD_HEADER_BYTES);
	return one;
}

void
reading_free(struct reading *one, struct fsio *io)
{
	if (one->fd >= 0)
		io->ops->close(io, one->fd);
	buf_clear(&one->room);
	mem_free(one);
}

void
reader_init(struct reader *r, struct fsio *io, int event_fd, bool is_thread)
{
	*r = (struct reader){.io = io, .event_fd = event_fd, .is_thread = is_thread};
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->wake, NULL);
	TAILQ_INIT(&r->asked);
	TAILQ_INIT(&r->done);
}

/* ---- reading ---- */

/* The descriptor, -1 with errno; EBADMSG: what was stored is not there any more. */
static int
reader_open_body(struct fsio *io, const struct reading *one)
{
	char name[WRITER_FILE_NAME_BYTES];
	int fd = io->ops->open(io, writer_file_name(one->id, name), O_RDONLY), error;
	off_t bytes;

	if (fd < 0) {
		errno = errno == ENOENT ? EBADMSG : errno;
		return -1;
	}
	if (io->ops->size(io, fd, &bytes) != 0)
		error = errno;
	else if ((uint64_t)bytes != one->body_bytes)
		error = EBADMSG;
	else
		return fd;
	io->ops->close(io, fd);
	errno = error;
	return -1;
}

static void
reader_read(struct fsio *io, struct reading *one)
{
	one->error = item_fetch(&one->place, io, &one->room, &one->record);
	if (one->error || !one->in_file)
		return;
	one->fd = reader_open_body(io, one);
	one->is_of_body = one->fd < 0;
	if (one->is_of_body)
		one->error = errno ? errno : EIO;
}

/* ---- the thread ---- */

/* Called and left with the lock held. */
static void
reader_work(struct reader *r, struct reading *one)
{
	TAILQ_REMOVE(&r->asked, one, link);
	pthread_mutex_unlock(&r->lock);
	reader_read(r->io, one);
	pthread_mutex_lock(&r->lock);
	/* the loop takes all of them at once */
	if (TAILQ_EMPTY(&r->done))
		eventfd_write(r->event_fd, 1);
	TAILQ_INSERT_TAIL(&r->done, one, link);
}

static void *
reader_run(void *arg)
{
	struct reader *r = arg;
	struct reading *one;

	pthread_mutex_lock(&r->lock);
	while (!r->is_stopping) {
		one = TAILQ_FIRST(&r->asked);
		if (one) {
			reader_work(r, one);
			continue;
		}
		r->is_waiting = true;
		pthread_cond_wait(&r->wake, &r->lock);
		r->is_waiting = false;
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

int
reader_start(struct reader *r)
{
	int error = r->is_thread ? pthread_create(&r->thread, NULL, reader_run, r) : 0;

	if (error) {
		r->is_thread = false;
		errno = error;
	}
	return error ? -1 : 0;
}

void
reader_stop(struct reader *r)
{
	pthread_mutex_lock(&r->lock);
	r->is_stopping = true;
	pthread_cond_signal(&r->wake);
	pthread_mutex_unlock(&r->lock);
	if (r->is_thread)
		pthread_join(r->thread, NULL);
}

void
reader_clear(struct reader *r)
{
	pthread_cond_destroy(&r->wake);
	pthread_mutex_destroy(&r->lock);
}

void
reader_step(struct reader *r)
{
	struct reading *one;

	pthread_mutex_lock(&r->lock);
	while ((one = TAILQ_FIRST(&r->asked)))
		reader_work(r, one);
	pthread_mutex_unlock(&r->lock);
}

void
reader_ask(struct reader *r, struct reading *one)
{
	bool wake;

	pthread_mutex_lock(&r->lock);
	TAILQ_INSERT_TAIL(&r->asked, one, link);
	wake = r->is_waiting;
	pthread_mutex_unlock(&r->lock);
	if (wake)
		pthread_cond_signal(&r->wake);
}

void
reader_done(struct reader *r, struct reading_list *list)
{
	pthread_mutex_lock(&r->lock);
	TAILQ_CONCAT(list, &r->done, link);
	pthread_mutex_unlock(&r->lock);
}
