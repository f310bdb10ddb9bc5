/* rig: the simulated disk, in the process of the queue. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fsio.h"
#include "rig_parts.h"
#include "spool/spool.h"

struct rig_disk *rig_disk;
static const struct fsio_ops *rig_real;
static struct fsio_ops rig_ops;

static bool
rig_holds(const void *p, ssize_t n, const char *words)
{
	return words[0] && n > 0 && memmem(p, (size_t)n, words, strlen(words));
}

static ssize_t
rig_pread(struct fsio *f, int fd, void *p, size_t n, off_t at)
{
	ssize_t got = rig_real->pread(f, fd, p, n, at);

	rig_disk->reads++;
	while (rig_disk->blocks_reads)
		usleep(1000);
	if (rig_holds(p, got, rig_disk->stuck) && rig_disk->reads_allowed-- <= 0) {
		rig_disk->reads_blocked++;
		while (rig_holds(p, got, rig_disk->stuck))
			usleep(1000);
	}
	if (rig_holds(p, got, rig_disk->unreadable)) {
		errno = EIO;
		return -1;
	}
	if (rig_holds(p, got, rig_disk->wrong) && rig_disk->wrong_reads-- > 0) {
		const char *words =
		    memmem(p, (size_t)got, rig_disk->wrong, strlen(rig_disk->wrong));

		((char *)p)[words - (char *)p] ^= 1;
	}
	return got;
}

/* errno is set. */
static bool
rig_refuses(void)
{
	errno = EROFS;
	return rig_disk->is_read_only;
}

/* Files of messages that were set aside are not the log. */
static atomic_int rig_aside_fd = -1;

static int
rig_open(struct fsio *f, const char *name, int flags)
{
	int fd;

	if ((flags & O_CREAT) && rig_refuses())
		return -1;
	fd = rig_real->open(f, name, flags);
	if (strstr(name, ".aside"))
		rig_aside_fd = fd;
	return fd;
}

static int
rig_close(struct fsio *f, int fd)
{
	if (fd == rig_aside_fd)
		rig_aside_fd = -1;
	return rig_real->close(f, fd);
}

static bool
rig_writes(int fd, const struct iovec *v, int count, const char *words)
{
	bool is_in = false;

	for (int n = 0; n < count && fd != rig_aside_fd; n++)
		is_in |= rig_holds(v[n].iov_base, (ssize_t)v[n].iov_len, words);
	return is_in;
}

static ssize_t
rig_pwritev(struct fsio *f, int fd, const struct iovec *v, int count, off_t at)
{
	if (rig_refuses())
		return -1;
	rig_disk->watched_writes += rig_writes(fd, v, count, rig_disk->watched);
	if (rig_writes(fd, v, count, rig_disk->unwritten)) {
		rig_disk->unwritten_blocked++;
		while (rig_disk->unwritten[0])
			usleep(1000);
	}
	if (rig_writes(fd, v, count, rig_disk->unwritable) && rig_disk->failing_writes-- > 0) {
		errno = EIO;
		return -1;
	}
	return rig_real->pwritev(f, fd, v, count, at);
}

static int
rig_open_nameless(struct fsio *f)
{
	if (rig_refuses())
		return -1;
	rig_disk->opens++;
	while (rig_disk->opens_nothing)
		usleep(1000);
	return rig_real->open_nameless(f);
}

/* The free space is what the test sets, whatever else runs on the machine. */
static int
rig_space(struct fsio *f, uint64_t *free_out, uint64_t *total_out)
{
	int result = rig_real->space(f, free_out, total_out);

	while (rig_disk->is_space_stuck)
		usleep(1000);
	if (rig_disk->total_bytes)
		*total_out = rig_disk->total_bytes;
	*free_out = *total_out / 100 * rig_disk->free_percent;
	return result;
}

static int
rig_name(struct fsio *f, int fd, const char *name)
{
	return rig_refuses() ? -1 : rig_real->name(f, fd, name);
}

static int
rig_sync_data(struct fsio *f, int fd)
{
	return rig_refuses() ? -1 : rig_real->sync_data(f, fd);
}

static int
rig_write_back(struct fsio *f, int fd, off_t at, off_t bytes)
{
	return rig_refuses() ? -1 : rig_real->write_back(f, fd, at, bytes);
}

static int
rig_sync_directory(struct fsio *f)
{
	return rig_refuses() ? -1 : rig_real->sync_directory(f);
}

static int
rig_rename(struct fsio *f, const char *from, const char *to)
{
	return rig_refuses() ? -1 : rig_real->rename(f, from, to);
}

static int
rig_unlink(struct fsio *f, const char *name)
{
	return rig_refuses() ? -1 : rig_real->unlink(f, name);
}

struct fsio *__real_fsio_new(int directory_fd);
struct fsio *__wrap_fsio_new(int directory_fd);

struct fsio *
__wrap_fsio_new(int directory_fd)
{
	struct fsio *io = __real_fsio_new(directory_fd);

	if (!rig_disk)
		return io;
	rig_real = io->ops;
	rig_ops = *io->ops;
	rig_ops.open = rig_open;
	rig_ops.close = rig_close;
	rig_ops.pread = rig_pread;
	rig_ops.pwritev = rig_pwritev;
	rig_ops.open_nameless = rig_open_nameless;
	rig_ops.name = rig_name;
	rig_ops.sync_data = rig_sync_data;
	rig_ops.write_back = rig_write_back;
	rig_ops.sync_directory = rig_sync_directory;
	rig_ops.rename = rig_rename;
	rig_ops.unlink = rig_unlink;
	rig_ops.space = rig_space;
	io->ops = &rig_ops;
	return io;
}

void __real_spool_read(struct spool *s, struct spool_reading *r, struct msgid id,
    spool_content_fn *fn, void *arg);
void __wrap_spool_read(struct spool *s, struct spool_reading *r, struct msgid id,
    spool_content_fn *fn, void *arg);

void
__wrap_spool_read(
    struct spool *s, struct spool_reading *r, struct msgid id, spool_content_fn *fn, void *arg)
{
	if (rig_disk)
		rig_disk->reads_asked++;
	__real_spool_read(s, r, id, fn, arg);
}
