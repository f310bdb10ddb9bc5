/*
 * fsio: the file operations of the spool, behind a table, so that the same spool runs on the real
 * disk and on a simulated disk that loses what was not synced.  Names are relative to one directory
 * and contain no slash.  Every call returns -1 with errno on failure, as the system call does.
 */
#ifndef BASE_FSIO_H
#define BASE_FSIO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base/str.h"

struct fsio;

typedef void fsio_name_fn(const char *name, void *arg);

struct fsio_file {
	bool is_plain;                   /* no directory, link, pipe or device */
	bool is_ours;                    /* belongs to the owner of the directory */
	bool is_private;                 /* no other user may write to it */
	off_t bytes;
};

struct fsio_ops {
	/* flags as open(2); mode 0600 */
	int (*open)(struct fsio *f, const char *name, int flags);
	/* a nameless file for writing and reading */
	int (*open_nameless)(struct fsio *f);
	/* links a nameless file under a name */
	int (*name)(struct fsio *f, int fd, const char *name);
	int (*close)(struct fsio *f, int fd);
	ssize_t (*pread)(struct fsio *f, int fd, void *p, size_t n, off_t at);
	ssize_t (*pwritev)(struct fsio *f, int fd, const struct iovec *v, int count, off_t at);
	int (*size)(struct fsio *f, int fd, off_t *bytes_out);
	/* describes what exists under a name, without opening it or following a link; ENOENT:
	 * nothing */
	int (*inspect)(struct fsio *f, const char *name, struct fsio_file *out);
	int (*sync_data)(struct fsio *f, int fd);
	/* writes these bytes to the disk now and waits for it; they are durable only after
	 * sync_data */
	int (*write_back)(struct fsio *f, int fd, off_t at, off_t bytes);
	int (*sync_directory)(struct fsio *f);
	int (*rename)(struct fsio *f, const char *from, const char *to);
	int (*unlink)(struct fsio *f, const char *name);
	int (*list)(struct fsio *f, fsio_name_fn *fn, void *arg);
	/* bytes free for an unprivileged user, and all bytes, of the file system */
	int (*space)(struct fsio *f, uint64_t *free_out, uint64_t *total_out);
	/* takes a lock that ends with this object or the process; EWOULDBLOCK: another process
	 * holds it */
	int (*lock)(struct fsio *f, const char *name);
};

struct fsio {
	const struct fsio_ops *ops;
};

/*
 * Writes all of v, in as many calls as the system needs, and repeats interrupted calls (EINTR) at
 * most a hundred times; -1 with errno.  The content of v is changed.  Each call of this and of
 * fsio_read_all is progress (metrics_progress): a role on a slow disk counts as alive.
 */
int fsio_write_all(struct fsio *f, int fd, struct iovec *v, int count, off_t at) MUST_USE;
/*
 * Fills the room as far as the file goes, in the same way: 0, and *got_out is the number of bytes.
 * -1 with errno: a part could not be read, at offset at + *got_out; the content of the room is
 * undefined.
 */
int fsio_read_all(
    struct fsio *f, int fd, struct iovec room, off_t at, size_t *got_out) MUST_USE;

/* Does this errno mean that the disk is full, or that the user's quota is used up? */
bool fsio_is_full(int error);

/* The real disk, in an open directory, which the object then owns; -1: only for files that are open
 * already. */
struct fsio *fsio_new(int directory_fd);
/* Closes the directory, releases the lock and frees the object. */
void fsio_free(struct fsio **f);

#endif
