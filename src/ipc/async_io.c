/*
 * async_io: while a piece of a file is under way the thread owns its buffer, and the loop may not
 * touch it. A file that is dropped meanwhile calls nobody any more: its piece ends, its close
 * follows, and only then is it freed. When the thread does not end in time, the memory that it uses
 * is left to it.
 */
#include "ipc/async_io.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

struct async_io {
	struct tasks tasks;
	struct fsio *own_io;             /* NULL: that of a test is used */
	struct event *done_event;
	struct event *check_timer;              /* each second while a piece is in progress */
	size_t under_way;
	size_t closing;                  /* files that are dropped, and not closed yet */
	int event_fd;
	uint32_t stall_ms;
};

struct async_io_file {
	struct task task;
	struct async_io *disk;
	int fd;
	/* the piece; while it is in progress only the thread uses it */
	char *room;
	size_t room_bytes;
	size_t n;
	uint64_t at;
	int error;
	/* used by the loop only */
	bool is_busy;
	async_io_fn *fn;                     /* NULL: the file was dropped */
	void *arg;
};

/* ---- in the thread ---- */

static bool
async_io_run_read(struct fsio *io, void *of)
{
	struct async_io_file *f = of;
	size_t got;

	f->error = 0;
	if (fsio_read_all(io, f->fd, (struct iovec){f->room, f->n}, (off_t)f->at, &got) != 0)
		f->error = errno;
	else if (got < f->n)
		f->error = EIO;
	return true;
}

static bool
async_io_run_write(struct fsio *io, void *of)
{
	struct async_io_file *f = of;
	struct iovec v = {f->room, f->n};

	f->error = fsio_write_all(io, f->fd, &v, 1, (off_t)f->at) == 0 ? 0 : errno;
	return true;
}

static bool
async_io_run_close(struct fsio *io, void *of)
{
	struct async_io_file *f = of;

	io->ops->close(io, f->fd);
	f->fd = -1;
	return true;
}

/* ---- in the loop ---- */

static void
async_io_check_later(struct async_io *d)
{
	static const struct timeval second = {1, 0};

	if (!evtimer_pending(d->check_timer, NULL) && evtimer_add(d->check_timer, &second) != 0)
		die("disk: no timer");
}

static void
async_io_ask(struct async_io_file *f, const struct task_kind *kind)
{
	f->disk->under_way++;
	async_io_check_later(f->disk);
	tasks_submit(&f->disk->tasks, &f->task, kind, f);
}

static void
async_io_file_free(void *owner, void *of)
{
	struct async_io_file *f = of;

	(void)owner;
	f->disk->under_way--;
	f->disk->closing--;
	if (f->fd >= 0)
		f->disk->tasks.o.io->ops->close(f->disk->tasks.o.io, f->fd);
	mem_free(f->room);
	mem_free(f);
}

static void
async_io_file_close(struct async_io_file *f)
{
	static const struct task_kind kind = {
	    async_io_run_close, async_io_file_free, async_io_file_free, "close a body's file"};

	mem_free(f->room);
	f->room = NULL;
	async_io_ask(f, &kind);
}

static void
async_io_piece_done(void *owner, void *of)
{
	struct async_io_file *f = of;

	(void)owner;
	f->disk->under_way--;
	f->is_busy = false;
	if (f->fn)
		f->fn(f->error, str_make(f->room, f->error ? 0 : f->n), f->arg);
	else
		async_io_file_close(f);
}

static void
async_io_begin(struct async_io_file *f, const struct task_kind *kind, async_io_fn *fn, void *arg)
{
	f->is_busy = true;
	f->fn = fn;
	f->arg = arg;
	async_io_ask(f, kind);
}

static void
async_io_prepare_piece(struct async_io_file *f, uint64_t at, size_t n)
{
	if (f->is_busy || n > ASYNC_IO_PIECE_MAX)
		die("disk: a piece is requested while another is in progress, or is too large");
	if (n > f->room_bytes) {
		mem_free(f->room);
		f->room = mem_new(n);
		f->room_bytes = n;
	}
	f->at = at;
	f->n = n;
}

void
async_io_read(struct async_io_file *f, uint64_t at, size_t n, async_io_fn *fn, void *arg)
{
	static const struct task_kind kind = {
	    async_io_run_read, async_io_piece_done, async_io_file_free, "read the body"};

	async_io_prepare_piece(f, at, n);
	async_io_begin(f, &kind, fn, arg);
}

void
async_io_write(struct async_io_file *f, uint64_t at, struct str bytes, async_io_fn *fn, void *arg)
{
	static const struct task_kind kind = {
	    async_io_run_write, async_io_piece_done, async_io_file_free, "write the body"};

	async_io_prepare_piece(f, at, bytes.n);
	if (bytes.n)
		memcpy(f->room, bytes.p, bytes.n);
	async_io_begin(f, &kind, fn, arg);
}

bool
async_io_file_is_busy(const struct async_io_file *f)
{
	return f->is_busy;
}

struct async_io_file *
async_io_file_new(struct async_io *d, int fd, struct msgid id)
{
	struct async_io_file *f = MEM_NEW(struct async_io_file);

	f->disk = d;
	f->fd = fd;
	f->task.id = id;
	return f;
}

void
async_io_file_drop(struct async_io_file **p)
{
	struct async_io_file *f = *p;

	*p = NULL;
	if (!f)
		return;
	f->fn = NULL;
	f->disk->closing++;
	if (f->is_busy && !tasks_cancel(&f->disk->tasks, &f->task))
		return;
	f->disk->under_way -= f->is_busy;
	f->is_busy = false;
	async_io_file_close(f);
}

/* ---- the whole object ---- */

size_t
async_io_closing(const struct async_io *d)
{
	return d->closing;
}

int64_t
async_io_stalled_ms(struct async_io *d)
{
	return stall_ms(&d->tasks.stall);
}

static void
async_io_answer(evutil_socket_t fd, short what, void *arg)
{
	struct async_io *d = arg;
	eventfd_t count;

	(void)what;
	eventfd_read(fd, &count);
	tasks_dispatch(&d->tasks, d);
}

/* Publishes the duration for `sallyport status`. */
static void
async_io_show_stall(struct async_io *d)
{
	char text[METRICS_TROUBLE_BYTES] = "";

	(void)!stall_text(&d->tasks.stall, d->stall_ms, text, sizeof text);
	metrics_trouble(text);
	metrics_disk(async_io_stalled_ms(d));
}

static void
async_io_check(evutil_socket_t fd, short what, void *arg)
{
	struct async_io *d = arg;

	(void)fd;
	(void)what;
	stall_check(&d->tasks.stall, d->stall_ms);
	async_io_show_stall(d);
	/* the thread may have failed to wake the loop */
	tasks_dispatch(&d->tasks, d);
	if (d->under_way)
		async_io_check_later(d);
}

static void
async_io_clear(struct async_io *d)
{
	if (d->done_event)
		event_free(d->done_event);
	if (d->check_timer)
		event_free(d->check_timer);
	tasks_clear(&d->tasks, d);
	fsio_free(&d->own_io);
	if (d->event_fd >= 0)
		close(d->event_fd);
	mem_free(d);
}

static int
async_io_start(struct async_io *d, struct event_base *base)
{
	if (d->event_fd < 0)
		return -1;
	d->done_event = event_new(base, d->event_fd, EV_READ | EV_PERSIST, async_io_answer, d);
	d->check_timer = evtimer_new(base, async_io_check, d);
	if (!d->done_event || !d->check_timer || event_add(d->done_event, NULL) != 0)
		die("disk: no event");
	return tasks_start(&d->tasks);
}

struct async_io *
async_io_new(const struct async_io_setup *setup)
{
	struct async_io *d = MEM_NEW(struct async_io);
	struct tasks_setup t = {.thread = setup->thread, .is_thread = !setup->is_by_hand};
	int error;

	d->stall_ms = setup->stall_ms ? setup->stall_ms : STALL_LOGGED_MS;
	d->event_fd = t.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	d->own_io = setup->io ? NULL : fsio_new(-1);
	t.io = setup->io ? setup->io : d->own_io;
	tasks_init(&d->tasks, &t);
	if (async_io_start(d, setup->base) == 0)
		return d;
	error = errno;
	async_io_clear(d);
	errno = error;
	return NULL;
}

void
async_io_free(struct async_io **p)
{
	struct async_io *d = *p;

	*p = NULL;
	if (!d)
		return;
	if (tasks_stop_within(&d->tasks, ASYNC_IO_END_MS)) {
		async_io_clear(d);
		return;
	}
	/* the thread still uses the rest of it */
	stall_check(&d->tasks.stall, 0); /* logs what the thread waits for */
	log_warn("%s: thread %s still waits for the disk at the end", d->tasks.o.thread->owner,
	    d->tasks.o.thread->name);
	event_free(d->done_event);
	event_free(d->check_timer);
}
