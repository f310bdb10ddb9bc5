/*
 * simdisk: inodes with what is on the platter, what the cache shows, and what lies between.
 */
#include "simdisk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

enum { SECTOR = 512, NAMES = 512, INODES = 1024, DESCRIPTORS = 512 };
enum { FIRST_FD = 1000, NAME_BYTES = 64 };

struct wish {                            /* written, not synced */
	struct wish *next;
	size_t at;
	size_t n;
	char bytes[];
};

struct content {
	char *p;
	size_t n;
	size_t cap;
};

struct inode {
	bool is_used;
	struct content cache;
	struct content platter;
	struct wish *wishes;             /* oldest first */
	struct wish **last;
};

struct entry {
	char name[NAME_BYTES];           /* empty: free */
	int inode;
};

struct change {                          /* of the directory, not synced */
	struct change *next;
	char removed[NAME_BYTES];
	char set[NAME_BYTES];
	int inode;
};

struct descriptor {
	bool is_open;
	bool is_read_only;
	int inode;
};

struct simdisk {
	struct fsio io;
	uint64_t seed;
	struct inode inodes[INODES];
	struct entry cache[NAMES];
	struct entry platter[NAMES];
	struct change *changes;
	struct descriptor descriptors[DESCRIPTORS];
	bool is_locked;
	uint64_t acts;
	uint64_t cut_at;
	bool is_cut;
	struct simdisk_fault fault;
	uint64_t fault_acts;
	uint64_t struck;
	uint64_t limit;
	bool ignores_syncs;
	bool writes_short;
};

/* ---- chance and faults ---- */

uint64_t
simdisk_draw(struct simdisk *d, uint64_t below)
{
	d->seed = d->seed * 6364136223846793005u + 1442695040888963407u;
	return (d->seed >> 33) % below;
}

/* false: this act does not happen, errno says why. */
static bool
may(struct simdisk *d, enum simdisk_act act)
{
	if ((act & SIMDISK_DURABLE) && d->cut_at && ++d->acts >= d->cut_at)
		d->is_cut = true;
	if (d->is_cut) {
		errno = EIO;
		return false;
	}
	if (!(d->fault.acts & act))
		return true;
	d->fault_acts++;
	if (d->fault_acts < d->fault.at || d->fault_acts >= d->fault.at + d->fault.times)
		return true;
	d->struck++;
	errno = d->fault.error;
	return false;
}

static int
refuse(int error)
{
	errno = error;
	return -1;
}

/* ---- contents ---- */

static void
put(struct content *c, size_t at, const char *p, size_t n)
{
	if (at + n > c->cap) {
		c->cap = at + n > 2 * c->cap ? at + n : 2 * c->cap;
		c->p = mem_grow(c->p, c->cap);
	}
	if (at > c->n && at > 0)
		memset(c->p + c->n, 0, at - c->n);
	if (n)
		memcpy(c->p + at, p, n);
	c->n = at + n > c->n ? at + n : c->n;
}

static void
drop_wishes(struct inode *i)
{
	for (struct wish *w = i->wishes, *next; w; w = next) {
		next = w->next;
		mem_free(w);
	}
	i->wishes = NULL;
	i->last = &i->wishes;
}

/* Each sector of each write reached the platter, or did not. */
static void
grant_some(struct simdisk *d, struct inode *i, unsigned percent)
{
	for (struct wish *w = i->wishes; w; w = w->next)
		for (size_t done = 0, part; done < w->n; done += part) {
			part = SECTOR - (w->at + done) % SECTOR;
			part = part < w->n - done ? part : w->n - done;
			if (simdisk_draw(d, 100) < percent)
				put(&i->platter, w->at + done, w->bytes + done, part);
		}
	drop_wishes(i);
}

static void
free_inode(struct inode *i)
{
	drop_wishes(i);
	mem_free(i->cache.p);
	mem_free(i->platter.p);
	*i = (struct inode){0};
	i->last = &i->wishes;
}

/* ---- names ---- */

static struct entry *
find(struct entry *directory, const char *name)
{
	for (int n = 0; n < NAMES; n++)
		if (strcmp(directory[n].name, name) == 0)
			return &directory[n];
	return NULL;
}

static void
set_name(struct entry *directory, const char *name, int inode)
{
	struct entry *e = find(directory, name);

	if (!e)
		e = find(directory, "");
	if (!e)
		die("simdisk: too many names");
	snprintf(e->name, sizeof e->name, "%s", name);
	e->inode = inode;
}

static void
remove_name(struct entry *directory, const char *name)
{
	struct entry *e = find(directory, name);

	if (e && *name)
		e->name[0] = 0;
}

static void
change(struct simdisk *d, const char *removed, const char *set, int inode)
{
	struct change *c = MEM_NEW(struct change), **at = &d->changes;

	snprintf(c->removed, sizeof c->removed, "%s", removed);
	snprintf(c->set, sizeof c->set, "%s", set);
	c->inode = inode;
	while (*at)
		at = &(*at)->next;
	*at = c;
	remove_name(d->cache, removed);
	if (*set)
		set_name(d->cache, set, inode);
}

static void
settle_changes(struct simdisk *d, unsigned percent)
{
	for (struct change *c = d->changes, *next; c; c = next) {
		next = c->next;
		if (simdisk_draw(d, 100) < percent) {
			remove_name(d->platter, c->removed);
			if (*c->set)
				set_name(d->platter, c->set, c->inode);
		}
		mem_free(c);
	}
	d->changes = NULL;
}

/* Inodes without name and descriptor are gone. */
static void
collect(struct simdisk *d)
{
	bool seen[INODES] = {false};

	for (int n = 0; n < NAMES; n++) {
		if (*d->cache[n].name)
			seen[d->cache[n].inode] = true;
		if (*d->platter[n].name)
			seen[d->platter[n].inode] = true;
	}
	for (struct change *c = d->changes; c; c = c->next)
		seen[c->inode] = true;
	for (int n = 0; n < DESCRIPTORS; n++)
		if (d->descriptors[n].is_open)
			seen[d->descriptors[n].inode] = true;
	for (int n = 0; n < INODES; n++)
		if (d->inodes[n].is_used && !seen[n])
			free_inode(&d->inodes[n]);
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

/* ---- the operations ---- */

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
sim_open(struct fsio *f, const char *name, int flags)
{
	struct simdisk *d = of(f);
	struct entry *e;
	int node;

	if (!may(d, SIMDISK_OPEN))
		return -1;
	e = find(d->cache, name);
	if (e && (flags & O_EXCL))
		return refuse(EEXIST);
	if (e)
		return new_descriptor(d, e->inode, flags);
	if (!(flags & O_CREAT))
		return refuse(ENOENT);
	node = new_inode(d);
	change(d, "", name, node);
	return new_descriptor(d, node, flags);
}

static int
sim_open_nameless(struct fsio *f)
{
	if (!may(of(f), SIMDISK_OPEN))
		return -1;
	return new_descriptor(of(f), new_inode(of(f)), O_RDWR);
}

static int
sim_name(struct fsio *f, int fd, const char *name)
{
	struct simdisk *d = of(f);

	if (!may(d, SIMDISK_NAME))
		return -1;
	if (find(d->cache, name))
		return refuse(EEXIST);
	change(d, "", name, descriptor(d, fd)->inode);
	return 0;
}

static int
sim_close(struct fsio *f, int fd)
{
	descriptor(of(f), fd)->is_open = false;
	collect(of(f));
	return 0;
}

static ssize_t
sim_pread(struct fsio *f, int fd, void *p, size_t n, off_t at)
{
	struct inode *i = inode(of(f), fd);

	if (!may(of(f), SIMDISK_READ))
		return -1;
	if ((size_t)at >= i->cache.n)
		return 0;
	n = n < i->cache.n - (size_t)at ? n : i->cache.n - (size_t)at;
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
	put(&i->cache, at, p, n);
}

static uint64_t
used_bytes(const struct simdisk *d)
{
	uint64_t n = 0;

	for (int i = 0; i < INODES; i++)
		n += d->inodes[i].is_used ? d->inodes[i].cache.n : 0;
	return n;
}

static bool
fits(const struct simdisk *d, const struct inode *i, size_t end)
{
	return !d->limit || end <= i->cache.n || used_bytes(d) + end - i->cache.n <= d->limit;
}

static ssize_t
sim_pwritev(struct fsio *f, int fd, const struct iovec *v, int count, off_t at)
{
	struct simdisk *d = of(f);
	struct inode *i = inode(d, fd);
	bool is_last = !may(d, SIMDISK_WRITE);
	int error = errno;
	size_t total = 0;

	if (descriptor(d, fd)->is_read_only)
		return refuse(EBADF);
	/* the write that the power cut interrupts may have been under way */
	if (is_last && !(d->is_cut && d->acts == d->cut_at))
		return refuse(error);
	for (int n = 0; n < count; n++) {
		size_t part = v[n].iov_len;

		if (d->writes_short && part > 1 && simdisk_draw(d, 4) == 0)
			part = 1 + simdisk_draw(d, part - 1);
		if (!fits(d, i, (size_t)at + total + part))
			return total ? (ssize_t)total : refuse(ENOSPC);
		wish_for(i, (size_t)at + total, v[n].iov_base, part);
		total += part;
		if (part < v[n].iov_len)
			break;
	}
	return is_last ? refuse(EIO) : (ssize_t)total;
}

static int
sim_size(struct fsio *f, int fd, off_t *bytes_out)
{
	*bytes_out = (off_t)inode(of(f), fd)->cache.n;
	return 0;
}

static int
sim_trust(struct fsio *f, int fd)
{
	(void)f;
	(void)fd;
	return 0;
}

/* After a failed sync the cache counts as clean: what did not reach the platter never will. */
static int
sim_sync_data(struct fsio *f, int fd)
{
	struct simdisk *d = of(f);

	if (!may(d, SIMDISK_SYNC)) {
		int error = errno;

		if (!d->is_cut)
			grant_some(d, inode(d, fd), 50);
		return refuse(error);
	}
	if (!d->ignores_syncs)
		grant_some(d, inode(d, fd), 100);
	return 0;
}

static int
sim_sync_directory(struct fsio *f)
{
	if (!may(of(f), SIMDISK_SYNC_DIRECTORY))
		return -1;
	settle_changes(of(f), 100);
	collect(of(f));
	return 0;
}

static int
sim_rename(struct fsio *f, const char *from, const char *to)
{
	struct entry *e = find(of(f)->cache, from);

	if (!may(of(f), SIMDISK_RENAME))
		return -1;
	if (!e)
		return refuse(ENOENT);
	change(of(f), from, to, e->inode);
	return 0;
}

static int
sim_unlink(struct fsio *f, const char *name)
{
	struct entry *e = find(of(f)->cache, name);

	if (!may(of(f), SIMDISK_UNLINK))
		return -1;
	if (!e)
		return refuse(ENOENT);
	change(of(f), name, "", e->inode);
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

static const struct fsio_ops sim_ops = {
    .open = sim_open,
    .open_nameless = sim_open_nameless,
    .name = sim_name,
    .close = sim_close,
    .pread = sim_pread,
    .pwritev = sim_pwritev,
    .size = sim_size,
    .trust = sim_trust,
    .sync_data = sim_sync_data,
    .sync_directory = sim_sync_directory,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .list = sim_list,
    .space = sim_space,
    .lock = sim_lock,
};

/* ---- its life ---- */

struct simdisk *
simdisk_new(uint64_t seed)
{
	struct simdisk *d = MEM_NEW(struct simdisk);

	d->io.ops = &sim_ops;
	d->seed = seed * 2 + 1;
	for (int n = 0; n < INODES; n++)
		d->inodes[n].last = &d->inodes[n].wishes;
	return d;
}

void
simdisk_free(struct simdisk **d)
{
	settle_changes(*d, 0);
	for (int n = 0; n < INODES; n++)
		free_inode(&(*d)->inodes[n]);
	mem_free(*d);
	*d = NULL;
}

struct fsio *
simdisk_io(struct simdisk *d)
{
	return &d->io;
}

void
simdisk_cut(struct simdisk *d, uint64_t at)
{
	d->acts = 0;
	d->cut_at = at;
}

bool
simdisk_is_cut(const struct simdisk *d)
{
	return d->is_cut;
}

void
simdisk_restart(struct simdisk *d)
{
	static const unsigned moods[] = {0, 100, 50, 90, 10};
	unsigned percent = moods[simdisk_draw(d, 5)];

	for (int n = 0; n < INODES; n++)
		grant_some(d, &d->inodes[n], percent);
	settle_changes(d, moods[simdisk_draw(d, 5)]);
	memcpy(d->cache, d->platter, sizeof d->cache);
	for (int n = 0; n < INODES; n++) {
		struct inode *i = &d->inodes[n];

		i->cache.n = 0;
		if (i->platter.n)
			put(&i->cache, 0, i->platter.p, i->platter.n);
	}
	memset(d->descriptors, 0, sizeof d->descriptors);
	collect(d);
	d->is_cut = false;
	d->cut_at = 0;
}

void
simdisk_fail(struct simdisk *d, struct simdisk_fault fault)
{
	d->fault = fault;
	d->fault_acts = 0;
	d->struck = 0;
}

uint64_t
simdisk_struck(const struct simdisk *d)
{
	return d->struck;
}

void
simdisk_limit(struct simdisk *d, uint64_t bytes)
{
	d->limit = bytes;
}

void
simdisk_ignore_syncs(struct simdisk *d)
{
	d->ignores_syncs = true;
}

void
simdisk_write_short(struct simdisk *d)
{
	d->writes_short = true;
}

struct str
simdisk_bytes(struct simdisk *d, const char *name)
{
	struct entry *e = find(d->cache, name);

	if (!e || !*name)
		return STR_NULL;
	return str_make(d->inodes[e->inode].cache.p, d->inodes[e->inode].cache.n);
}

void
simdisk_truncate(struct simdisk *d, const char *name, size_t bytes)
{
	struct entry *e = find(d->cache, name);

	if (e && bytes < d->inodes[e->inode].cache.n)
		d->inodes[e->inode].cache.n = bytes;
}

unsigned
simdisk_open_count(const struct simdisk *d)
{
	unsigned count = 0;

	for (int n = 0; n < DESCRIPTORS; n++)
		count += d->descriptors[n].is_open;
	return count;
}
