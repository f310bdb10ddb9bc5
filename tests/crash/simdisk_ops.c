/*
 * simdisk_ops: the file operations on a simulated disk.
 */
#include "simdisk_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/mem.h"

static int
refuse(int error)
{
	errno = error;
	return -1;
}

static int
new_inode(struct simdisk *d)
{
	for (int n = 0; n < INODES; n++)
		if (!d->inodes[n].is_used) {
			d->inodes[n].is_used = true;
			return n;
		}
	die("simdisk: too many inodes");
}

static struct simdisk *
of(struct fsio *f)
{
	return (struct simdisk *)f;
}

static int
new_descriptor(struct simdisk *d, int inode, int flags)
{
	for (int n = 0; n < DESCRIPTORS; n++)
		if (!d->descriptors[n].is_open) {
			d->descriptors[n] = (struct descriptor){
			    true, (flags & O_ACCMODE) == O_RDONLY, inode};
			return FIRST_FD + n;
		}
	return refuse(EMFILE);
}

static struct descriptor *
descriptor(struct simdisk *d, int fd)
{
	int n = fd - FIRST_FD;

	if (n < 0 || n >= DESCRIPTORS || !d->descriptors[n].is_open)
		die("simdisk: bad descriptor %d", fd);
	return &d->descriptors[n];
}

static struct inode *
inode(struct simdisk *d, int fd)
{
	return &d->inodes[descriptor(d, fd)->inode];
}

static int
sim_strike(struct simdisk *d, const char *name, uint64_t at)
{
	snprintf(d->struck_name, sizeof d->struck_name, "%s", name);
	d->struck_at = at;
	return -1;
}

static int
sim_strike_read(struct simdisk *d, int fd, uint64_t at)
{
	for (int n = 0; n < NAMES; n++)
		if (*d->cache[n].name && d->cache[n].inode == descriptor(d, fd)->inode)
			return sim_strike(d, d->cache[n].name, at);
	return sim_strike(d, "", at);
}

static int
sim_open(struct fsio *f, const char *name, int flags)
{
	struct simdisk *d = of(f);
	struct entry *e;
	int node;

	if (!simdisk_may(d, SIMDISK_OPEN))
		return sim_strike(d, name, 0);
	e = simdisk_find(d->cache, name);
	if (e && (flags & O_EXCL))
		return refuse(EEXIST);
	if (e)
		return new_descriptor(d, e->inode, flags);
	if (!(flags & O_CREAT))
		return refuse(ENOENT);
	node = new_inode(d);
	simdisk_change(d, "", name, node);
	return new_descriptor(d, node, flags);
}

static int
sim_open_nameless(struct fsio *f)
{
	if (!simdisk_may(of(f), SIMDISK_OPEN))
		return -1;
	return new_descriptor(of(f), new_inode(of(f)), O_RDWR);
}

static int
sim_name(struct fsio *f, int fd, const char *name)
{
	struct simdisk *d = of(f);

	if (!simdisk_may(d, SIMDISK_NAME))
		return -1;
	if (simdisk_find(d->cache, name))
		return refuse(EEXIST);
	simdisk_change(d, "", name, descriptor(d, fd)->inode);
	return 0;
}

static int
sim_close(struct fsio *f, int fd)
{
	descriptor(of(f), fd)->is_open = false;
	simdisk_collect(of(f));
	return 0;
}

static bool
sim_is_bad(struct simdisk *d, int fd, size_t at, size_t n)
{
	if (d->read_fails_in && simdisk_draw(d, d->read_fails_in) == 0) {
		d->struck++;
		return true;
	}
	return d->bad_to && descriptor(d, fd)->inode == d->bad_inode && at < d->bad_to &&
	    d->bad_from < at + n;
}

static ssize_t
sim_pread(struct fsio *f, int fd, void *p, size_t n, off_t at)
{
	struct simdisk *d = of(f);
	struct inode *i = inode(d, fd);

	if (!simdisk_may(d, SIMDISK_READ))
		return sim_strike_read(d, fd, (uint64_t)at);
	if ((size_t)at >= i->cache.n)
		return 0;
	n = n < i->cache.n - (size_t)at ? n : i->cache.n - (size_t)at;
	if (sim_is_bad(d, fd, (size_t)at, n))
		return refuse(EIO);
	if (d->reads_short && n > 1 && simdisk_draw(d, 3) == 0)
		n = 1 + simdisk_draw(d, n - 1);
	memcpy(p, i->cache.p + at, n);
	return (ssize_t)n;
}

static void
wish_for(struct inode *i, size_t at, const char *p, size_t n)
{
	struct wish *w = mem_new(sizeof *w + n);

	w->at = at;
	w->n = n;
	if (n)
		memcpy(w->bytes, p, n);
	*i->last = w;
	i->last = &w->next;
	simdisk_put(&i->cache, at, p, n);
}

static uint64_t
used_bytes(const struct simdisk *d)
{
	uint64_t n = 0;

	for (int i = 0; i < INODES; i++)
		n += d->inodes[i].is_used ? d->inodes[i].cache.n : 0;
	return n;
}

/* How many bytes of a write of n bytes are written at once: a short write ends at a sector, because
 * the part of a write within one sector reaches the disk completely or not at all. */
static size_t
sim_part(struct simdisk *d, const struct inode *i, size_t at, size_t n)
{
	size_t end = at + n, room;

	if (d->writes_short && n > SECTOR && simdisk_draw(d, 3) == 0)
		end -= 1 + simdisk_draw(d, n - 1);
	if (d->limit && end > i->cache.n) {
		room = d->limit > used_bytes(d) ? d->limit - used_bytes(d) : 0;
		end = end < i->cache.n + room ? end : i->cache.n + room;
	}
	if (end < at + n)
		end -= end % SECTOR;
	return end > at ? end - at : 0;
}

static ssize_t
sim_pwritev(struct fsio *f, int fd, const struct iovec *v, int count, off_t at)
{
	struct simdisk *d = of(f);
	struct inode *i = inode(d, fd);
	bool is_last = !simdisk_may(d, SIMDISK_WRITE);
	int error = errno;
	struct buf bytes;
	size_t n;

	if (descriptor(d, fd)->is_read_only)
		return refuse(EBADF);
	if (d->unwritable == descriptor(d, fd)->inode + 1)
		return refuse(EIO);
	/* the write that the power cut interrupts may have been in progress */
	if (is_last && !(d->is_cut && d->acts == d->cut_at))
		return refuse(error);
	buf_init(&bytes, UINT32_MAX);
	for (int k = 0; k < count; k++)
		buf_add(&bytes, v[k].iov_base, v[k].iov_len);
	n = sim_part(d, i, (size_t)at, bytes.n);
	if (n > 0)
		wish_for(i, (size_t)at, bytes.p, n);
	buf_clear(&bytes);
	if (n == 0)
		return refuse(ENOSPC);
	return is_last ? refuse(EIO) : (ssize_t)n;
}

static int
sim_size(struct fsio *f, int fd, off_t *bytes_out)
{
	*bytes_out = (off_t)inode(of(f), fd)->cache.n;
	return 0;
}

static int
sim_inspect(struct fsio *f, const char *name, struct fsio_file *out)
{
	struct simdisk *d = of(f);
	struct entry *e = simdisk_find(d->cache, name);

	if (!simdisk_may(d, SIMDISK_INSPECT))
		return sim_strike(d, name, 0);
	if (!e)
		return refuse(ENOENT);
	*out = (struct fsio_file){true, true, true, (off_t)d->inodes[e->inode].cache.n};
	return 0;
}

/* After a failed sync the cache counts as clean: what did not reach the disk never will. */
static int
sim_sync_data(struct fsio *f, int fd)
{
	struct simdisk *d = of(f);

	if (!simdisk_may(d, SIMDISK_SYNC)) {
		int error = errno;

		if (!d->is_cut)
			simdisk_grant(d, inode(d, fd), 50);
		return refuse(error);
	}
	if (!d->ignores_syncs)
		simdisk_grant(d, inode(d, fd), 100);
	return 0;
}

/* What is not synced may be lost: whether it was written before makes no difference. */
static int
sim_write_back(struct fsio *f, int fd, off_t at, off_t bytes)
{
	(void)fd;
	(void)at;
	(void)bytes;
	return of(f)->is_cut ? refuse(EIO) : 0;
}

static int
sim_sync_directory(struct fsio *f)
{
	if (!simdisk_may(of(f), SIMDISK_SYNC_DIRECTORY))
		return -1;
	simdisk_settle(of(f), 100);
	simdisk_collect(of(f));
	return 0;
}

static int
sim_rename(struct fsio *f, const char *from, const char *to)
{
	struct entry *e = simdisk_find(of(f)->cache, from);

	if (!simdisk_may(of(f), SIMDISK_RENAME))
		return -1;
	if (!e)
		return refuse(ENOENT);
	simdisk_change(of(f), from, to, e->inode);
	return 0;
}

static int
sim_unlink(struct fsio *f, const char *name)
{
	struct entry *e = simdisk_find(of(f)->cache, name);

	if (!simdisk_may(of(f), SIMDISK_UNLINK))
		return -1;
	if (!e)
		return refuse(ENOENT);
	simdisk_change(of(f), name, "", e->inode);
	return 0;
}

static int
sim_list(struct fsio *f, fsio_name_fn *fn, void *arg)
{
	if (of(f)->is_cut)
		return refuse(EIO);
	for (int n = 0; n < NAMES; n++)
		if (*of(f)->cache[n].name)
			fn(of(f)->cache[n].name, arg);
	return 0;
}

static int
sim_space(struct fsio *f, uint64_t *free_out, uint64_t *total_out)
{
	struct simdisk *d = of(f);
	uint64_t used = used_bytes(d);

	errno = EIO;
	if (d->is_space_hidden)
		return -1;
	*total_out = d->limit ? d->limit : 1u << 30;
	*free_out = used < *total_out ? *total_out - used : 0;
	return 0;
}

static int
sim_lock(struct fsio *f, const char *name)
{
	(void)name;
	if (of(f)->is_cut)
		return refuse(EIO);
	return 0;
}

const struct fsio_ops simdisk_ops = {
    .open = sim_open,
    .open_nameless = sim_open_nameless,
    .name = sim_name,
    .close = sim_close,
    .pread = sim_pread,
    .pwritev = sim_pwritev,
    .size = sim_size,
    .inspect = sim_inspect,
    .sync_data = sim_sync_data,
    .write_back = sim_write_back,
    .sync_directory = sim_sync_directory,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .list = sim_list,
    .space = sim_space,
    .lock = sim_lock,
};
