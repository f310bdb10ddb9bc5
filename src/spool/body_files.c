/*
 * body_files: the thread opens files without a name until BODY_FILES_READY are open and every
 * waiting request can be served; it also closes the files that are given back.
 */
#include "spool/body_files.h"

#include <errno.h>

#include "base/mem.h"
#include "spool/admission.h"

struct body_file_task {
	struct task task;
	int fd;
	int error;
};

/* ---- in the thread ---- */

static bool
body_file_open_task(struct fsio *io, void *arg)
{
	struct body_file_task *t = arg;

	t->fd = io->ops->open_nameless(io);
	t->error = t->fd >= 0 ? 0 : errno ? errno : EIO;
	return true;
}

static bool
body_file_close_task(struct fsio *io, void *arg)
{
	struct body_file_task *t = arg;

	io->ops->close(io, t->fd);
	t->fd = -1;
	return true;
}

/* ---- in the loop ---- */

static void
body_file_task_drop(void *owner, void *arg)
{
	struct spool *s = owner;
	struct body_file_task *t = arg;

	if (t->fd >= 0)
		s->io->ops->close(s->io, t->fd);
	mem_free(t);
}

static void
body_files_close(struct spool *s, int fd)
{
	static const struct task_kind kind = {
	    body_file_close_task, body_file_task_drop, body_file_task_drop, "close a body's file"};
	struct body_file_task *t = MEM_NEW(struct body_file_task);

	t->fd = fd;
	tasks_submit(&s->body_files.tasks, &t->task, &kind, t);
}

static unsigned
body_files_wanted(const struct body_files *f)
{
	unsigned wanted =
	    f->has_failed || !f->tasks.is_thread ? 0 : BODY_FILES_READY - f->ready_count;
	const struct spool_file_wait *w;

	TAILQ_FOREACH(w, &f->waiting, link)
		if (++wanted >= BODY_FILES_OPENING_MAX)
			return BODY_FILES_OPENING_MAX;
	return wanted;
}

static void body_file_opened(void *owner, void *arg);

static void
body_files_open_more(struct spool *s)
{
	static const struct task_kind kind = {
	    body_file_open_task, body_file_opened, body_file_task_drop, "open a body's file"};
	struct body_files *f = &s->body_files;

	for (unsigned wanted = body_files_wanted(f); f->opening < wanted; f->opening++) {
		struct body_file_task *t = MEM_NEW(struct body_file_task);

		t->fd = -1;
		tasks_submit(&f->tasks, &t->task, &kind, t);
	}
}

/* The first waiting request gets the file, or the file is kept for the next one. */
static void
body_file_opened(void *owner, void *arg)
{
	struct spool *s = owner;
	struct body_files *f = &s->body_files;
	struct body_file_task *t = arg;
	struct spool_file_wait *w = TAILQ_FIRST(&f->waiting);
	int fd = t->fd, error = t->error;

	mem_free(t);
	f->opening--;
	f->has_failed = error != 0;
	if (w) {
		spool_file_cancel(w);
		w->fn(fd, error, w->arg);
	} else if (fd >= 0 && f->ready_count < BODY_FILES_READY) {
		f->ready[f->ready_count++] = fd;
	} else if (fd >= 0) {
		body_files_close(s, fd);
	}
	body_files_open_more(s);
}

void
body_files_begin(struct spool *s)
{
	body_files_open_more(s);
}

void
body_files_clear(struct spool *s)
{
	struct body_files *f = &s->body_files;
	struct spool_file_wait *w;

	while ((w = TAILQ_FIRST(&f->waiting)))
		spool_file_cancel(w);
	while (f->ready_count)
		s->io->ops->close(s->io, f->ready[--f->ready_count]);
}

/* ---- calls of the spool's user ---- */

int
spool_file(struct spool *s)
{
	struct body_files *f = &s->body_files;

	errno = admission_check_file(s);
	if (errno)
		return -1;
	if (!f->tasks.is_thread)
		return s->io->ops->open_nameless(s->io);
	errno = EAGAIN;
	/* requests that were made earlier come first */
	if (!f->ready_count || !TAILQ_EMPTY(&f->waiting))
		return -1;
	f->ready_count--;
	body_files_open_more(s);
	return f->ready[f->ready_count];
}

void
spool_file_request(struct spool *s, struct spool_file_wait *w, spool_file_fn *fn, void *arg)
{
	if (w->spool)
		die("spool: a file request that is waiting was made again");
	*w = (struct spool_file_wait){.spool = s, .fn = fn, .arg = arg};
	TAILQ_INSERT_TAIL(&s->body_files.waiting, w, link);
	body_files_open_more(s);
}

void
spool_file_cancel(struct spool_file_wait *w)
{
	if (w->spool)
		TAILQ_REMOVE(&w->spool->body_files.waiting, w, link);
	w->spool = NULL;
}

int
spool_file_bytes(struct spool *s, int fd, uint64_t *bytes_out)
{
	off_t bytes;

	if (s->io->ops->size(s->io, fd, &bytes) != 0)
		return -1;
	*bytes_out = (uint64_t)bytes;
	return 0;
}

void
spool_file_drop(struct spool *s, int fd)
{
	body_files_close(s, fd);
}
