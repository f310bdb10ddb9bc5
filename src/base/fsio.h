/*
 * fsio: the file operations of the spool, behind a table, so that the same spool runs on the real
 * disk and on a simulated one that forgets what was not synced.  Names are relative to one
 * directory and hold no slash.  Every call is -1 with errno on failure, as the system call is.
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
	bool is_private;                 /* nobody else may write to it */
	off_t bytes;
};

struct fsio_ops {
	/* flags as open(2); mode 0600 */
	int (*open)(struct fsio *f, const char *name, int flags);
	/* a nameless file for writing and reading */
	int (*open_nameless)(struct fsio *f);
	/* gives a nameless file its name */
	int (*name)(struct fsio *f, int fd, const char *name);
	int (*close)(struct fsio *f, int fd);
	ssize_t (*pread)(struct fsio *f, int fd, void *p, size_t n, off_t at);
	ssize_t (*pwritev)(struct fsio *f, int fd, const struct iovec *v, int count, off_t at);
	int (*size)(struct fsio *f, int fd, off_t *bytes_out);
	/* what stands under a name, without opening it or following a link; ENOENT: nothing */
	int (*inspect)(struct fsio *f, const char *name, struct fsio_file *out);
	int (*sync_data)(struct fsio *f, int fd);
	/* these bytes are written now, and waited for; durable they are after sync_data only */
	int (*write_back)(struct fsio *f, int fd, off_t at, off_t bytes);
	int (*sync_directory)(struct fsio *f);
	int (*rename)(struct fsio *f, const char *from, const char *to);
	int (*unlink)(struct fsio *f, const char *name);
	int (*list)(struct fsio *f, fsio_name_fn *fn, void *arg);
	/* bytes for an unprivileged user, and all bytes, of the file system */
	int (*space)(struct fsio *f, uint64_t *free_out, uint64_t *total_out);
	/* takes a lock that ends with this object or the process; EWOULDBLOCK: another holds it */
	int (*lock)(struct fsio *f, const char *name);
};

struct fsio {
	const struct fsio_ops *ops;
};

/*
 * All of v, in as many calls as the system needs, the ones that are interrupted (EINTR) a hundred
 * times at most; -1 with errno.  v is used up.  Each call of this and of fsio_read_all is progress
 * (metrics_progress): a slow disk is not a silent role.
 */
int fsio_write_all(struct fsio *f, int fd, struct iovec *v, int count, off_t at) MUST_USE;
/*
 * Fills the room as far as the file goes, likewise: 0, and *got_out says how much.  -1 with errno:
 * a part could not be read, at at + *got_out; what is in the room means nothing.
 */
int fsio_read_all(
    struct fsio *f, int fd, struct iovec room, off_t at, size_t *got_out) MUST_USE;

/* Does this errno say that the disk is full, or what the user may have of it? */
bool fsio_is_full(int error);

/* The real one, below an open directory, which it then owns; -1: only for open files. */
struct fsio *fsio_new(int directory_fd);
void fsio_free(struct fsio **f);

#endif
