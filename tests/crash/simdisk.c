/*
 * simdisk: inodes with their durable content, their content in the cache, and the changes between
 * the two.
 */
#include "simdisk_parts.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"

/* ---- random choices and faults ---- */

uint64_t
simdisk_draw(struct simdisk *d, uint64_t below)
{
	d->seed = d->seed * 6364136223846793005u + 1442695040888963407u;
	return (d->seed >> 33) % below;
}

bool
simdisk_may(struct simdisk *d, enum simdisk_act act)
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

/* ---- contents ---- */

void
simdisk_put(struct content_bytes *c, size_t at, const char *p, size_t n)
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

void
simdisk_grant(struct simdisk *d, struct inode *i, unsigned percent)
{
	for (struct wish *w = i->wishes; w; w = w->next)
		for (size_t done = 0, part; done < w->n; done += part) {
			part = SECTOR - (w->at + done) % SECTOR;
			part = part < w->n - done ? part : w->n - done;
			if (simdisk_draw(d, 100) < percent)
				simdisk_put(&i->platter, w->at + done, w->bytes + done, part);
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

struct entry *
simdisk_find(struct entry *directory, const char *name)
{
	for (int n = 0; n < NAMES; n++)
		if (strcmp(directory[n].name, name) == 0)
			return &directory[n];
	return NULL;
}

static void
set_name(struct entry *directory, const char *name, int inode)
{
	struct entry *e = simdisk_find(directory, name);

	if (!e)
		e = simdisk_find(directory, "");
	if (!e)
		die("simdisk: too many names");
	snprintf(e->name, sizeof e->name, "%s", name);
	e->inode = inode;
}

static void
remove_name(struct entry *directory, const char *name)
{
	struct entry *e = simdisk_find(directory, name);

	if (e && *name)
		e->name[0] = 0;
}

void
simdisk_change(struct simdisk *d, const char *removed, const char *set, int inode)
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

void
simdisk_settle(struct simdisk *d, unsigned percent)
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

void
simdisk_collect(struct simdisk *d)
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

/* ---- begin, power cut, end ---- */

struct simdisk *
simdisk_new(uint64_t seed)
{
	struct simdisk *d = MEM_NEW(struct simdisk);

	d->io.ops = &simdisk_ops;
	d->seed = seed * 2 + 1;
	for (int n = 0; n < INODES; n++)
		d->inodes[n].last = &d->inodes[n].wishes;
	return d;
}

void
simdisk_free(struct simdisk **d)
{
	simdisk_settle(*d, 0);
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
		simdisk_grant(d, &d->inodes[n], percent);
	simdisk_settle(d, moods[simdisk_draw(d, 5)]);
	memcpy(d->cache, d->platter, sizeof d->cache);
	for (int n = 0; n < INODES; n++) {
		struct inode *i = &d->inodes[n];

		i->cache.n = 0;
		if (i->platter.n)
			simdisk_put(&i->cache, 0, i->platter.p, i->platter.n);
	}
	memset(d->descriptors, 0, sizeof d->descriptors);
	simdisk_collect(d);
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

const char *
simdisk_struck_name(const struct simdisk *d)
{
	return d->struck_name;
}

uint64_t
simdisk_struck_at(const struct simdisk *d)
{
	return d->struck_at;
}

void
simdisk_limit(struct simdisk *d, uint64_t bytes)
{
	d->limit = bytes;
}

void
simdisk_hide_space(struct simdisk *d, bool is_hidden)
{
	d->is_space_hidden = is_hidden;
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

void
simdisk_read_short(struct simdisk *d)
{
	d->reads_short = true;
}

void
simdisk_read_fail_at_random(struct simdisk *d, unsigned in)
{
	d->read_fails_in = in;
}

void
simdisk_bad_place(struct simdisk *d, const char *name, size_t from, size_t to)
{
	struct entry *e = simdisk_find(d->cache, name);

	d->bad_inode = e ? e->inode : -1;
	d->bad_from = from;
	d->bad_to = e ? to : 0;
}

void
simdisk_refuse_writes(struct simdisk *d, const char *name)
{
	struct entry *e = name ? simdisk_find(d->cache, name) : NULL;

	d->unwritable = e ? e->inode + 1 : 0;
}

struct str
simdisk_bytes(struct simdisk *d, const char *name)
{
	struct entry *e = simdisk_find(d->cache, name);

	if (!e || !*name)
		return STR_NULL;
	return str_make(d->inodes[e->inode].cache.p, d->inodes[e->inode].cache.n);
}

void
simdisk_truncate(struct simdisk *d, const char *name, size_t bytes)
{
	struct entry *e = simdisk_find(d->cache, name);

	if (e && bytes < d->inodes[e->inode].cache.n)
		d->inodes[e->inode].cache.n = bytes;
	if (e && bytes < d->inodes[e->inode].platter.n)
		d->inodes[e->inode].platter.n = bytes;
}

unsigned
simdisk_open_count(const struct simdisk *d)
{
	unsigned count = 0;

	for (int n = 0; n < DESCRIPTORS; n++)
		count += d->descriptors[n].is_open;
	return count;
}
