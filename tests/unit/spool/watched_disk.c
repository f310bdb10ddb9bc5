#include "watched_disk.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "spool/spool_threads.h"

struct watched_disk watched;

static bool
is_stuck_thread(void)
{
	char name[32] = "";

	pthread_getname_np(pthread_self(), name, sizeof name);
	return watched.stuck_thread < 0 ||
	       strcmp(name, spool_thread_name((enum spool_thread)watched.stuck_thread)) == 0;
}

static void
pass(enum operation which)
{
	if (pthread_equal(pthread_self(), watched.loop)) {
		watched.in_loop[which] += watched.is_running;
		return;
	}
	watched.calls[which]++;
	if (which != (enum operation)watched.stuck_operation || !is_stuck_thread())
		return;
	watched.stuck++;
	while (which == (enum operation)watched.stuck_operation)
		usleep(1000);
}

static int
watch_open(struct fsio *f, const char *name, int flags)
{
	pass(OPEN);
	return rig.disk->open(f, name, flags);
}

static int
watch_open_nameless(struct fsio *f)
{
	pass(OPEN_NAMELESS);
	errno = watched.open_error;
	return errno ? -1 : rig.disk->open_nameless(f);
}

static int
watch_name(struct fsio *f, int fd, const char *name)
{
	pass(NAME);
	return rig.disk->name(f, fd, name);
}

static int
watch_close(struct fsio *f, int fd)
{
	pass(CLOSE);
	return rig.disk->close(f, fd);
}

static ssize_t
watch_pread(struct fsio *f, int fd, void *p, size_t n, off_t at)
{
	pass(PREAD);
	return rig.disk->pread(f, fd, p, n, at);
}

static ssize_t
watch_pwritev(struct fsio *f, int fd, const struct iovec *v, int count, off_t at)
{
	pass(PWRITEV);
	return rig.disk->pwritev(f, fd, v, count, at);
}

static int
watch_inspect(struct fsio *f, const char *name, struct fsio_file *out)
{
	pass(INSPECT);
	return rig.disk->inspect(f, name, out);
}

static int
watch_sync_data(struct fsio *f, int fd)
{
	pass(SYNC_DATA);
	return rig.disk->sync_data(f, fd);
}

static int
watch_write_back(struct fsio *f, int fd, off_t at, off_t bytes)
{
	pass(WRITE_BACK);
	return rig.disk->write_back(f, fd, at, bytes);
}

static int
watch_sync_directory(struct fsio *f)
{
	pass(SYNC_DIRECTORY);
	return rig.disk->sync_directory(f);
}

static int
watch_rename(struct fsio *f, const char *from, const char *to)
{
	pass(RENAME);
	return rig.disk->rename(f, from, to);
}

static int
watch_unlink(struct fsio *f, const char *name)
{
	pass(UNLINK);
	return rig.disk->unlink(f, name);
}

static int
watch_list(struct fsio *f, fsio_name_fn *fn, void *arg)
{
	pass(LIST);
	return rig.disk->list(f, fn, arg);
}

void
watch_disk(struct fsio_ops *ops)
{
	ops->open = watch_open;
	ops->open_nameless = watch_open_nameless;
	ops->name = watch_name;
	ops->close = watch_close;
	ops->pread = watch_pread;
	ops->pwritev = watch_pwritev;
	ops->inspect = watch_inspect;
	ops->sync_data = watch_sync_data;
	ops->write_back = watch_write_back;
	ops->sync_directory = watch_sync_directory;
	ops->rename = watch_rename;
	ops->unlink = watch_unlink;
	ops->list = watch_list;
}
