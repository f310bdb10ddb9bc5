/*
 * fsio: the real disk, with one system call for each operation; and complete writes and reads for
 * any disk.
 */
#include "base/fsio.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/metrics.h"

enum { FSIO_PIECE_BYTES = 65536, FSIO_INTERRUPTED_MAX = 100 };

struct fsio_disk {
	struct fsio io;
	int directory;
	int lock; /* -1: none */
};

static int
fsio_directory(struct fsio *f)
{
	return ((struct fsio_disk *)f)->directory;
}

/* Files that root creates are given to the owner of the directory, whose processes read them next
 * (sallyportd -d). */
static int
give_to_directory_owner(struct fsio *f, int fd, int flags)
{
	struct stat st;

	if (fd < 0 || geteuid() != 0 || !(flags & (O_CREAT | O_TMPFILE)))
		return fd;
	if (fstat(fsio_directory(f), &st) == 0 && fchown(fd, st.st_uid, st.st_gid) == 0)
		return fd;
	close(fd);
	return -1;
}

static int
fsio_disk_open(struct fsio *f, const char *name, int flags)
{
	/* a pipe under one of our names must not block the caller; O_NONBLOCK has no effect on
	 * files */
	int more = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

	return give_to_directory_owner(
	    f, openat(fsio_directory(f), name, flags | more, 0600), flags);
}

static int
fsio_disk_open_nameless(struct fsio *f)
{
	int flags = O_TMPFILE | O_RDWR | O_CLOEXEC;

	return give_to_directory_owner(f, openat(fsio_directory(f), ".", flags, 0600), flags);
}

static int
fsio_disk_name(struct fsio *f, int fd, const char *name)
{
	char self[40];

	snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, self, fsio_directory(f), name, AT_SYMLINK_FOLLOW);
}

static int
fsio_disk_close(struct fsio *f, int fd)
{
	(void)f;
	return close(fd);
}

static ssize_t
fsio_disk_pread(struct fsio *f, int fd, void *p, size_t n, off_t at)
{
	(void)f;
	return pread(fd, p, n, at);
}

static ssize_t
fsio_disk_pwritev(struct fsio *f, int fd, const struct iovec *v, int count, off_t at)
{
	(void)f;
	return pwritev(fd, v, count, at);
}

static int
fsio_disk_size(struct fsio *f, int fd, off_t *bytes_out)
{
	struct stat st;

	(void)f;
	if (fstat(fd, &st) != 0)
		return -1;
	*bytes_out = st.st_size;
	return 0;
}

/* A second hard link (a backup) does not make a file less private. */
static int
fsio_disk_inspect(struct fsio *f, const char *name, struct fsio_file *out)
{
	struct stat st, directory;

	if (fstat(fsio_directory(f), &directory) != 0 ||
	    fstatat(fsio_directory(f), name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return -1;
	*out = (struct fsio_file){.is_plain = S_ISREG(st.st_mode),
	    .is_ours = st.st_uid == directory.st_uid,
	    .is_private = !(st.st_mode & 022),
	    .bytes = st.st_size};
	return 0;
}

static int
fsio_disk_sync_data(struct fsio *f, int fd)
{
	(void)f;
	return fdatasync(fd);
}

static int
fsio_disk_write_back(struct fsio *f, int fd, off_t at, off_t bytes)
{
	(void)f;
	return sync_file_range(fd, at, bytes,
	    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
}

static int
fsio_disk_sync_directory(struct fsio *f)
{
	return fsync(fsio_directory(f));
}

static int
fsio_disk_rename(struct fsio *f, const char *from, const char *to)
{
	return renameat(fsio_directory(f), from, fsio_directory(f), to);
}

static int
fsio_disk_unlink(struct fsio *f, const char *name)
{
	return unlinkat(fsio_directory(f), name, 0);
}

static int
fsio_disk_list(struct fsio *f, fsio_name_fn *fn, void *arg)
{
	int fd = openat(fsio_directory(f), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	int failed;

	if (!d) {
		failed = errno;
		if (fd >= 0)
			close(fd);
		errno = failed;
		return -1;
	}
	for (errno = 0; (e = readdir(d)); errno = 0)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			fn(e->d_name, arg);
	failed = errno;
	closedir(d);
	errno = failed;
	return failed ? -1 : 0;
}

static int
fsio_disk_space(struct fsio *f, uint64_t *free_out, uint64_t *total_out)
{
	struct statfs st;

	if (fstatfs(fsio_directory(f), &st) != 0)
		return -1;
	*free_out = (uint64_t)st.f_bavail * (uint64_t)st.f_bsize;
	*total_out = (uint64_t)st.f_blocks * (uint64_t)st.f_bsize;
	return 0;
}

/* The descriptor stays open, because the lock ends with it. */
static int
fsio_disk_lock(struct fsio *f, const char *name)
{
	int fd = fsio_disk_open(f, name, O_RDWR | O_CREAT);
	int failed;

	if (fd < 0)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		((struct fsio_disk *)f)->lock = fd;
		return 0;
	}
	failed = errno;
	close(fd);
	errno = failed;
	return -1;
}

static const struct fsio_ops fsio_disk_ops = {
    .open = fsio_disk_open,
    .open_nameless = fsio_disk_open_nameless,
    .name = fsio_disk_name,
    .close = fsio_disk_close,
    .pread = fsio_disk_pread,
    .pwritev = fsio_disk_pwritev,
    .size = fsio_disk_size,
    .inspect = fsio_disk_inspect,
    .sync_data = fsio_disk_sync_data,
    .write_back = fsio_disk_write_back,
    .sync_directory = fsio_disk_sync_directory,
    .rename = fsio_disk_rename,
    .unlink = fsio_disk_unlink,
    .list = fsio_disk_list,
    .space = fsio_disk_space,
    .lock = fsio_disk_lock,
};

bool
fsio_is_full(int error)
{
	return error == ENOSPC || error == EDQUOT;
}

struct fsio *
fsio_new(int directory_fd)
{
	struct fsio_disk *d = MEM_NEW(struct fsio_disk);

	d->io.ops = &fsio_disk_ops;
	d->directory = directory_fd;
	d->lock = -1;
	return &d->io;
}

void
fsio_free(struct fsio **f)
{
	if (!*f)
		return;
	if (((struct fsio_disk *)*f)->lock >= 0)
		close(((struct fsio_disk *)*f)->lock);
	if (fsio_directory(*f) >= 0)
		close(fsio_directory(*f));
	mem_free(*f);
	*f = NULL;
}

/* ---- whole writes and reads ---- */

/* Removes n written bytes from the front. */
static void
fsio_advance(struct iovec *v, int count, size_t n)
{
	for (int i = 0; i < count; i++) {
		size_t used = n < v[i].iov_len ? n : v[i].iov_len;

		v[i].iov_base = (char *)v[i].iov_base + used;
		v[i].iov_len -= used;
		n -= used;
	}
}

/* Should the failed call be repeated? */
static bool
fsio_is_interrupted(unsigned *times)
{
	return errno == EINTR && (*times)++ < FSIO_INTERRUPTED_MAX;
}

int
fsio_write_all(struct fsio *f, int fd, struct iovec *v, int count, off_t at)
{
	unsigned interrupted = 0;

	while (count > 0) {
		ssize_t n;

		if (v[0].iov_len == 0) {
			v++;
			count--;
			continue;
		}
		n = f->ops->pwritev(f, fd, v, count, at);
		metrics_progress();
		if (n < 0 && fsio_is_interrupted(&interrupted))
			continue;
		if (n == 0)
			errno = EIO;
		if (n <= 0)
			return -1;
		at += n;
		fsio_advance(v, count, (size_t)n);
	}
	return 0;
}

int
fsio_read_all(struct fsio *f, int fd, struct iovec room, off_t at, size_t *got_out)
{
	char *p = room.iov_base;
	size_t got = 0;
	unsigned interrupted = 0;

	while (got < room.iov_len) {
		size_t rest = room.iov_len - got;
		size_t want = rest < FSIO_PIECE_BYTES ? rest : FSIO_PIECE_BYTES;
		ssize_t n = f->ops->pread(f, fd, p + got, want, at + (off_t)got);

		metrics_progress();
		if (n < 0 && fsio_is_interrupted(&interrupted))
			continue;
		if (n <= 0) {
			*got_out = got;
			return n < 0 ? -1 : 0;
		}
		got += (size_t)n;
	}
	*got_out = got;
	return 0;
}
