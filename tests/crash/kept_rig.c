/*
 * kept_rig: see the header.
 */
#include "kept_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/mem.h"
#include "spool/spool_internal.h"

const struct spool_options kept_options = {
    .segment_bytes = 4 * SPOOL_SEGMENT_MIN, .threadless = true,
    .envelope_bytes = 200}; /* the other messages are read again */

/* ---- the content of the disk ---- */

static void
kept_sum_name(const char *name, void *arg)
{
	struct kept_sum *k = arg;
	struct str s = simdisk_bytes(k->m->disk, name);

	k->sum += crc32c(crc32c(0, name, strlen(name)), s.p, s.n);
}

uint64_t
kept_disk(struct model *m)
{
	struct fsio *io = simdisk_io(m->disk);
	struct kept_sum k = {.m = m};

	if (io->ops->list(io, kept_sum_name, &k) != 0)
		model_broken(m, "no list");
	return k.sum;
}

static void
kept_count_copy(const char *name, void *arg)
{
	struct kept_sum *k = arg;
	struct str copy = simdisk_bytes(k->m->disk, name), all;
	char segment[SEGMENT_NAME_BYTES], more;
	unsigned generation, from;

	if (sscanf(name, "damaged-%u-%u%c", &generation, &from, &more) != 2)
		return;
	all = simdisk_bytes(k->m->disk, segment_name(k->slot, segment));
	k->copies++;
	k->wrong += from + copy.n > all.n || copy.n == 0 ||
	    memcmp(all.p + from, copy.p, copy.n) != 0;
}

unsigned
kept_copies(struct model *m, uint32_t slot)
{
	struct fsio *io = simdisk_io(m->disk);
	struct kept_sum k = {.m = m, .slot = slot};

	if (io->ops->list(io, kept_count_copy, &k) != 0)
		model_broken(m, "no list");
	if (k.wrong)
		model_broken(m, "%u copies are not whole", k.wrong);
	return k.copies;
}

/* ---- a spool with damage, and a message whose envelope is not understood ---- */

static bool
kept_message(const struct spool_message *found, void *arg)
{
	struct kept_heard *h = arg;

	(void)found;
	return h->messages++ > 0 || !h->is_strange;
}

static void
kept_note(struct str name, struct str value, void *arg)
{
	(void)name;
	(void)value;
	(void)arg;
}

bool
kept_open_as(struct model *m, struct kept_heard *h, bool accept_damage)
{
	struct spool_recovery r = {.message = kept_message, .note = kept_note, .arg = h};
	struct spool_options o = kept_options;

	h->messages = 0;
	o.accept_damage = accept_damage;
	o.io = simdisk_io(m->disk);
	m->spool = spool_open(&o, &r);
	return m->spool != NULL;
}

bool
kept_open(struct model *m, struct kept_heard *h)
{
	return kept_open_as(m, h, false);
}

/* Changes the stored bytes. */
static void
kept_spoil(struct model *m, const char *name, uint32_t at)
{
	struct fsio *io = simdisk_io(m->disk);
	int fd = io->ops->open(io, name, O_RDWR);
	struct iovec v = {(char[]){"spoilt"}, 6};

	if (fd < 0 || io->ops->pwritev(io, fd, &v, 1, at) != 6 || io->ops->sync_data(io, fd) != 0)
		die("kept: cannot spoil %s", name);
	io->ops->close(io, fd);
}

static void
kept_take_evidence(struct model *m, const struct stored_message *i, struct kept_evidence *out)
{
	char name[SEGMENT_NAME_BYTES];
	struct str all = simdisk_bytes(m->disk, segment_name(i->segment->slot, name));

	memcpy(out->header, all.p, sizeof out->header);
	out->bytes[out->count++] =
	    str_make(mem_text(all.p + i->offset, i->frame_bytes), i->frame_bytes);
}

void
kept_clear_evidence(struct kept_evidence *e)
{
	for (unsigned n = 0; n < e->count; n++)
		mem_free((char *)(uintptr_t)e->bytes[n].p);
}

void
kept_fill(struct model *m, unsigned messages, size_t body_bytes)
{
	struct kept_heard h = {0};

	if (!kept_open(m, &h))
		model_broken(m, "cannot be opened: errno %d", errno);
	for (unsigned n = 0; n < messages; n++) {
		model_submit(m, body_bytes, false);
		model_turn(m);
	}
	model_turn(m);
}

uint32_t
kept_damage_from(struct model *m, unsigned first, unsigned count, struct kept_evidence *evidence)
{
	uint32_t slot = m->spool->index.oldest->slot;
	char name[SEGMENT_NAME_BYTES];

	segment_name(slot, name);
	for (unsigned n = 0; n < count; n++) {
		struct stored_message *i =
		    index_find(&m->spool->index, m->messages[first + 2 * n].id);

		if (!i || i->segment->slot != slot) {
			model_broken(m, "message %u is elsewhere", first + 2 * n);
			continue;
		}
		kept_spoil(m, name, i->offset + 120);
		if (evidence)
			kept_take_evidence(m, i, evidence);
	}
	model_close(m);
	return slot;
}

uint32_t
kept_damage(struct model *m, unsigned messages, unsigned count, size_t body_bytes)
{
	kept_fill(m, messages, body_bytes);
	return kept_damage_from(m, 1, count, NULL);
}

/* ---- a name that cannot be inspected ---- */

const struct fsio_ops *kept_ops;
int kept_inspect_error;

int
kept_inspect(struct fsio *io, const char *name, struct fsio_file *out)
{
	if (!str_starts(str_of(name), STR("damaged-")))
		return kept_ops->inspect(io, name, out);
	errno = kept_inspect_error;
	return -1;
}

/* ---- room on the disk ---- */

void
kept_leave_room(struct model *m, uint64_t bytes)
{
	struct fsio *io = simdisk_io(m->disk);
	uint64_t have, all;

	simdisk_limit(m->disk, 1 << 30);
	if (io->ops->space(io, &have, &all) != 0)
		model_broken(m, "no space is told");
	simdisk_limit(m->disk, all - have + bytes);
}

void
kept_remove_unused(struct model *m, uint32_t slot)
{
	struct fsio *io = simdisk_io(m->disk);
	int fd = io->ops->open(io, NEWEST_SEGMENT_NAME, O_RDWR);
	char name[SEGMENT_NAME_BYTES];

	for (uint32_t n = 1; n < 16; n++)
		if (n != slot && simdisk_bytes(m->disk, segment_name(n, name)).n > 0 &&
		    io->ops->unlink(io, name) != 0)
			model_broken(m, "cannot remove %s", name);
	if (fd < 0 || segment_write_zeros(io, fd, 0, SEGMENT_SECTOR) != 0 ||
	    io->ops->sync_data(io, fd) != 0 || io->ops->sync_directory(io) != 0)
		model_broken(m, "cannot sync");
	io->ops->close(io, fd);
}
