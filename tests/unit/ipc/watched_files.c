#include "watched_files.h"

#include <errno.h>
#include <unistd.h>

struct watched_files watched;

static void
pass(enum operation which, int fd)
{
	watched.calls++;
	if ((int)which != watched.stuck_in || fd != watched.stuck_fd)
		return;
	watched.stuck++;
	while ((int)which == watched.stuck_in && fd == watched.stuck_fd)
		usleep(1000);
}

static bool
is_interrupted(void)
{
	errno = EINTR;
	return watched.interrupted > 0 && watched.interrupted-- > 0;
}

static ssize_t
watch_pread(struct fsio *f, int fd, void *p, size_t n, off_t at)
{
	(void)f;
	pass(PREAD, fd);
	if (is_interrupted())
		return -1;
	/* in parts, as a system call may */
	return watched.real->ops->pread(watched.real, fd, p, n > 1000 ? n / 2 : n, at);
}

static ssize_t
watch_pwritev(struct fsio *f, int fd, const struct iovec *v, int count, off_t at)
{
	struct iovec part = {v->iov_base, v->iov_len > 1000 ? v->iov_len / 2 : v->iov_len};

	(void)f;
	pass(PWRITEV, fd);
	if (is_interrupted())
		return -1;
	errno = watched.write_error;
	return errno ? -1 : watched.real->ops->pwritev(watched.real, fd, &part, count, at);
}

static int
watch_close(struct fsio *f, int fd)
{
	(void)f;
	pass(CLOSE, fd);
	return watched.real->ops->close(watched.real, fd);
}

void
watched_files_begin(void)
{
	watched.real = fsio_new(-1);
	watched.ops = (struct fsio_ops){
	    .pread = watch_pread, .pwritev = watch_pwritev, .close = watch_close};
	watched.io.ops = &watched.ops;
	watched.stuck_fd = -1;
}

void
watched_files_release(void)
{
	watched.stuck_in = NONE;
	watched.interrupted = 0;
}

void
watched_files_end(void)
{
	fsio_free(&watched.real);
}

void
stand_still(enum operation which, int fd)
{
	watched.stuck = 0;
	watched.stuck_fd = fd;
	watched.stuck_in = (int)which;
}

void
await_stuck(void)
{
	while (!watched.stuck)
		usleep(1000);
}
