/*
 * async_io: see the header.
 */
#include "ipc/async_io.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

struct disk {
	struct tasks tasks;
	struct fsio *own_io;             /* NULL: a test's is used */
	struct event *answers;
	struct event *look;              /* each second while a piece is under way */
	size_t under_way;
	size_t closing;                  /* dropped, and not closed yet */
	int event_fd;
	uint32_t stall_ms;
};

struct disk_file {
	struct task task;
	struct disk *disk;
	int fd;
	/* the piece; while it is under way the thread's alone */
	char *room;
	size_t room_bytes;
	size_t n;
	uint64_t at;
	int error;
	/* the loop's */
	bool is_busy;
	disk_fn *fn;                     /* NULL: the file was dropped */
	void *arg;
};

/* ---- in the thread ---- */

static bool
disk_run_read(struct fsio *io, void *of)
{
	struct disk_file *f = of;
	size_t got;

	f->error = 0;
	if (fsio_read_all(io, f->fd, (struct iovec){f->room, f->n}, (off_t)f->at, &got) != 0)
		f->error = errno;
	else if (got < f->n)
		f->error = EIO;
	return true;
}

static bool
disk_run_write(struct fsio *io, void *of)
{
	struct disk_file *f = of;
	struct iovec v = {f->room, f->n};

	f->error = fsio_write_all(io, f->fd, &v, 1, (off_t)f->at) == 0 ? 0 : errno;
	return true;
}

static bool
disk_run_close(struct fsio *io, void *of)
{
	struct disk_file *f = of;

	io->ops->close(io, f->fd);
	f->fd = -1;
	return true;
}

/* ---- in the loop ---- */

static void
disk_look_later(struct disk *d)
{
	static const struct timeval second = {1, 0};

	if (!evtimer_pending(d->look, NULL) && evtimer_add(d->look, &second) != 0)
		die("disk: no timer");
}

static void
disk_ask(struct disk_file *f, const struct task_kind *kind)
{
	f->disk->under_way++;
	disk_look_later(f->disk);
	tasks_ask(&f->disk->tasks, &f->task, kind, f);
}

static void
disk_file_free(void *owner, void *of)
{
	struct disk_file *f = of;

	(void)owner;
	f->disk->under_way--;
	f->disk->closing--;
	if (f->fd >= 0)
		f->disk->tasks.o.io->ops->close(f->disk->tasks.o.io, f->fd);
	mem_free(f->room);
	mem_free(f);
}

static void
disk_file_close(struct disk_file *f)
{
	static const struct task_kind kind = {disk_run_close, disk_file_free, disk_file_free,
	    "close a body's file"};

	mem_free(f->room);
	f->room = NULL;
	disk_ask(f, &kind);
}

static void
disk_piece_done(void *owner, void *of)
{
	struct disk_file *f = of;

	(void)owner;
	f->disk->under_way--;
	f->is_busy = false;
	if (f->fn)
		f->fn(f->error, str_make(f->room, f->error ? 0 : f->n), f->arg);
	else
		disk_file_close(f);
}

static void
disk_begin(struct disk_file *f, const struct task_kind *kind, disk_fn *fn, void *arg)
{
	f->is_busy = true;
	f->fn = fn;
	f->arg = arg;
	disk_ask(f, kind);
}

static void
disk_prepare_piece(struct disk_file *f, uint64_t at, size_t n)
{
	if (f->is_busy || n > DISK_PIECE_MAX)
		die("disk: a piece is asked for beside another, or is too large");
	if (n > f->room_bytes) {
		mem_free(f->room);
		f->room = mem_new(n);
		f->room_bytes = n;
	}
	f->at = at;
	f->n = n;
}

void
disk_read(struct disk_file *f, uint64_t at, size_t n, disk_fn *fn, void *arg)
{
	static const struct task_kind kind = {disk_run_read, disk_piece_done, disk_file_free,
	    "read the body"};

	disk_prepare_piece(f, at, n);
	disk_begin(f, &kind, fn, arg);
}

void
disk_write(struct disk_file *f, uint64_t at, struct str bytes, disk_fn *fn, void *arg)
{
	static const struct task_kind kind = {disk_run_write, disk_piece_done, disk_file_free,
	    "write the body"};

	disk_prepare_piece(f, at, bytes.n);
	if (bytes.n)
		memcpy(f->room, bytes.p, bytes.n);
	disk_begin(f, &kind, fn, arg);
}

bool
disk_file_is_busy(const struct disk_file *f)
{
	return f->is_busy;
}

struct disk_file *
disk_file_new(struct disk *d, int fd, struct msgid id)
{
	struct disk_file *f = MEM_NEW(struct disk_file);

	f->disk = d;
	f->fd = fd;
	f->task.id = id;
	return f;
}

void
disk_file_drop(struct disk_file **p)
{
	struct disk_file *f = *p;

	*p = NULL;
	if (!f)
		return;
	f->fn = NULL;
	f->disk->closing++;
	if (f->is_busy && !tasks_cancel(&f->disk->tasks, &f->task))
		return;
	f->disk->under_way -= f->is_busy;
	f->is_busy = false;
	disk_file_close(f);
}

/* ---- all of them ---- */

size_t
disk_closing(const struct disk *d)
{
	return d->closing;
}

int64_t
disk_stalled_ms(struct disk *d)
{
	return stall_ms(&d->tasks.stall);
}

static void
disk_answer(evutil_socket_t fd, short what, void *arg)
{
	struct disk *d = arg;
	eventfd_t count;

	(void)what;
	eventfd_read(fd, &count);
	tasks_answer(&d->tasks, d);
}

/* For `sallyport status`. */
static void
disk_show(struct disk *d)
{
	char text[METRICS_TROUBLE_BYTES] = "";

	(void)!stall_text(&d->tasks.stall, d->stall_ms, text, sizeof text);
	metrics_trouble(text);
	metrics_disk(disk_stalled_ms(d));
}

static void
disk_look(evutil_socket_t fd, short what, void *arg)
{
	struct disk *d = arg;

	(void)fd;
	(void)what;
	stall_look(&d->tasks.stall, d->stall_ms);
	disk_show(d);
	/* the thread may have failed to wake the loop */
	tasks_answer(&d->tasks, d);
	if (d->under_way)
		disk_look_later(d);
}

static void
disk_clear(struct disk *d)
{
	if (d->answers)
		event_free(d->answers);
	if (d->look)
		event_free(d->look);
	tasks_clear(&d->tasks, d);
	fsio_free(&d->own_io);
	if (d->event_fd >= 0)
		close(d->event_fd);
	mem_free(d);
}

static int
disk_start(struct disk *d, struct event_base *base)
{
	if (d->event_fd < 0)
		return -1;
	d->answers = event_new(base, d->event_fd, EV_READ | EV_PERSIST, disk_answer, d);
	d->look = evtimer_new(base, disk_look, d);
	if (!d->answers || !d->look || event_add(d->answers, NULL) != 0)
		die("disk: no event");
	return tasks_start(&d->tasks);
}

struct disk *
disk_new(const struct disk_setup *setup)
{
	struct disk *d = MEM_NEW(struct disk);
	struct tasks_setup t = {.thread = setup->thread, .is_thread = !setup->is_by_hand};
	int error;

	d->stall_ms = setup->stall_ms ? setup->stall_ms : STALL_LOGGED_MS;
	d->event_fd = t.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	d->own_io = setup->io ? NULL : fsio_new(-1);
	t.io = setup->io ? setup->io : d->own_io;
	tasks_init(&d->tasks, &t);
	if (disk_start(d, setup->base) == 0)
		return d;
	error = errno;
	disk_clear(d);
	errno = error;
	return NULL;
}

void
disk_free(struct disk **p)
{
	struct disk *d = *p;

	*p = NULL;
	if (!d)
		return;
	if (tasks_stop_within(&d->tasks, DISK_END_MS)) {
		disk_clear(d);
		return;
	}
	/* the thread goes on to use the rest of it */
	stall_look(&d->tasks.stall, 0); /* what it waits for */
	log_warn("%s: thread %s still waits for the disk at the end", d->tasks.o.thread->owner,
	    d->tasks.o.thread->name);
	event_free(d->answers);
	event_free(d->look);
}
