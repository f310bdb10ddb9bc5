/*
 * crash_kept: starts that find damage and something that is to be set aside.  One that is refused
 * changes nothing on the disk.  After one that went on, or that the power cut off, the damage counts
 * as known only where the whole copy of it is durable.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/crc.h"
#include "base/mem.h"
#include "cases.h"
#include "model.h"
#include "queue/kept.h"
#include "queue/store.h"

enum { SEEDS = 15, MESSAGES = 12, ACTS_MAX = 400, MANY = 70 };

static const struct spool_options options = {
    .segment_bytes = 4 * SPOOL_SEGMENT_MIN, .threadless = true};

/* ---- what the disk holds ---- */

struct kept_sum {
	struct model *m;
	uint64_t sum;
	unsigned copies;                 /* of damaged stretches */
	unsigned wrong;                  /* those that are not what stands in the segment */
	uint32_t slot;                   /* of the segment that was damaged */
};

static void
kept_sum_name(const char *name, void *arg)
{
	struct kept_sum *k = arg;
	struct str s = simdisk_bytes(k->m->disk, name);

	k->sum += crc32c(crc32c(0, name, strlen(name)), s.p, s.n);
}

/* The same for the same names and bytes. */
static uint64_t
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

static unsigned
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

struct kept_heard {
	unsigned messages;
	bool is_strange;                 /* the first one */
};

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

static bool
kept_open_as(struct model *m, struct kept_heard *h, bool accept_damage)
{
	struct spool_recovery r = {kept_message, kept_note, h};
	struct spool_options o = options;

	h->messages = 0;
	o.accept_damage = accept_damage;
	o.io = simdisk_io(m->disk);
	m->spool = spool_open(&o, &r);
	return m->spool != NULL;
}

static bool
kept_open(struct model *m, struct kept_heard *h)
{
	return kept_open_as(m, h, false);
}

/* On the platter. */
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

/* What stood where messages were damaged, as the disk has it. */
struct kept_evidence {
	struct str bytes[MANY];
	unsigned count;
	char header[SEGMENT_SECTOR];     /* of their segment */
};

static void
kept_take_evidence(struct model *m, const struct item *i, struct kept_evidence *out)
{
	char name[SEGMENT_NAME_BYTES];
	struct str all = simdisk_bytes(m->disk, segment_name(i->segment->slot, name));

	memcpy(out->header, all.p, sizeof out->header);
	out->bytes[out->count++] =
	    str_make(mem_text(all.p + i->offset, i->frame_bytes), i->frame_bytes);
}

static void
kept_clear_evidence(struct kept_evidence *e)
{
	for (unsigned n = 0; n < e->count; n++)
		mem_free((char *)(uintptr_t)e->bytes[n].p);
}

static void
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

/* Every second message is damaged, `count` of them from this one on, and the spool is closed; returns
 * the slot of their segment.  evidence may be NULL. */
static uint32_t
kept_damage_from(struct model *m, unsigned first, unsigned count, struct kept_evidence *evidence)
{
	uint32_t slot = m->spool->index.oldest->slot;
	char name[SEGMENT_NAME_BYTES];

	segment_name(slot, name);
	for (unsigned n = 0; n < count; n++) {
		struct item *i = index_find(&m->spool->index, m->messages[first + 2 * n].id);

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

static uint32_t
kept_damage(struct model *m, unsigned messages, unsigned count, size_t body_bytes)
{
	kept_fill(m, messages, body_bytes);
	return kept_damage_from(m, 1, count, NULL);
}

/* ---- refused ---- */

/* false: the start had fewer reads. */
static bool
kept_refuse(uint64_t read, unsigned *late, unsigned *faults)
{
	struct model *m = model_new(1);
	struct kept_heard h = {.is_strange = true};
	uint64_t before;
	bool is_open, was_read;

	(void)kept_damage(m, MESSAGES, 2, 2000);
	before = kept_disk(m);
	simdisk_fail(m->disk, (struct simdisk_fault){SIMDISK_READ, read, 1, EIO});
	is_open = kept_open(m, &h);
	was_read = simdisk_struck(m->disk) > 0;
	simdisk_fail(m->disk, (struct simdisk_fault){0});
	*late += !is_open && h.messages > 0;
	if (!is_open && kept_disk(m) != before)
		model_broken(m, "read %llu: refused, and the disk is changed",
		    (unsigned long long)read);
	if (!is_open && (!kept_open(m, &h) || m->spool->stats.quarantined != 2))
		model_broken(m, "read %llu: not told by the next start",
		    (unsigned long long)read);
	*faults += model_end(m);
	return was_read;
}

static bool
a_refused_start_changes_nothing(void)
{
	unsigned late = 0, faults = 0;
	uint64_t read = 1;

	while (read < ACTS_MAX && kept_refuse(read, &late, &faults))
		read++;
	printf("# %llu reads fail, %u of them when messages are told, %u broken promises\n",
	    (unsigned long long)read - 1, late, faults);
	return faults == 0 && late > 0 && read < ACTS_MAX;
}

/* ---- cut off ---- */

/* Opened: what counts as known has a copy, all damage has one afterwards. */
static void
kept_expect(struct model *m, uint32_t slot, unsigned known_least)
{
	unsigned before = kept_copies(m, slot);
	struct kept_heard h = {0};
	const struct spool_stats *s;

	if (!kept_open(m, &h)) {
		model_broken(m, "refused: errno %d", errno);
		return;
	}
	s = &m->spool->stats;
	if (s->quarantined + s->known_damages != 2 || s->known_damages < known_least)
		model_broken(m, "%llu told, %llu known", (unsigned long long)s->quarantined,
		    (unsigned long long)s->known_damages);
	if (s->known_damages > before)
		model_broken(m, "%llu known, %u copies", (unsigned long long)s->known_damages,
		    before);
	if (kept_copies(m, slot) != 2)
		model_broken(m, "%u copies", kept_copies(m, slot));
	model_close(m);
}

/* The power fails at act `cut` of the first start; false: it had fewer acts. */
static bool
kept_cut(uint64_t seed, uint64_t cut, unsigned *faults)
{
	struct model *m = model_new(seed);
	uint32_t slot = kept_damage(m, MESSAGES, 2, 2000);
	struct kept_heard h = {0};
	bool was_cut;

	simdisk_cut(m->disk, cut);
	(void)kept_open(m, &h);
	was_cut = simdisk_is_cut(m->disk);
	model_close(m);
	simdisk_restart(m->disk);
	kept_expect(m, slot, was_cut ? 0 : 2);
	simdisk_restart(m->disk);
	kept_expect(m, slot, 2);
	*faults += model_end(m);
	return was_cut;
}

static bool
damage_is_known_where_its_copy_is_durable(void)
{
	unsigned cuts = 0, faults = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		for (uint64_t cut = 1; cut < ACTS_MAX && kept_cut(seed, cut, &faults); cut++)
			cuts++;
	printf("# %u power cuts, %u broken promises\n", cuts, faults);
	return faults == 0 && cuts > SEEDS;
}

/* ---- more than one start copies ---- */

static bool
a_second_start_copies_the_rest(void)
{
	struct model *m = model_new(1);
	uint32_t slot = kept_damage(m, 2 * MANY + 1, MANY, 10);
	uint64_t told[3] = {MANY, MANY - KEPT_MAX, 0};
	struct kept_heard h = {0};

	for (int n = 0; n < 3; n++) {
		if (!kept_open(m, &h) || m->spool->stats.quarantined != told[n])
			model_broken(m, "start %d does not tell %llu", n,
			    (unsigned long long)told[n]);
		model_close(m);
	}
	if (kept_copies(m, slot) != MANY)
		model_broken(m, "%u copies of %d", kept_copies(m, slot), MANY);
	return model_end(m) == 0;
}

/* ---- a copy of another length is there ---- */

struct kept_first {
	char name[KEPT_NAME_BYTES];
	unsigned count;
};

static void
kept_take_name(const char *name, void *arg)
{
	struct kept_first *f = arg;

	if (strncmp(name, "damaged-", 8) == 0 && f->count++ == 0)
		snprintf(f->name, sizeof f->name, "%s", name);
}

static struct kept_first
kept_names(struct model *m)
{
	struct fsio *io = simdisk_io(m->disk);
	struct kept_first f = {.count = 0};

	if (io->ops->list(io, kept_take_name, &f) != 0)
		model_broken(m, "no list");
	return f;
}

static bool
a_copy_is_not_written_over(void)
{
	struct model *m = model_new(1);
	struct kept_heard h = {0};
	struct kept_first first;

	(void)kept_damage(m, MESSAGES, 1, 2000);
	if (!kept_open(m, &h))
		model_broken(m, "refused: errno %d", errno);
	model_close(m);
	first = kept_names(m);
	/* as if the stretch had been another one when it was made */
	simdisk_truncate(m->disk, first.name, 100);
	for (uint64_t told = 1; told != UINT64_MAX; told--) {
		if (!kept_open(m, &h) || m->spool->stats.quarantined != told)
			model_broken(m, "not told %llu times", (unsigned long long)told);
		model_close(m);
		if (simdisk_bytes(m->disk, first.name).n != 100 || kept_names(m).count != 2)
			model_broken(m, "%u copies", kept_names(m).count);
	}
	return model_end(m) == 0;
}

/* ---- a name that cannot be looked at ---- */

static const struct fsio_ops *kept_ops;
static int kept_inspect_error;

static int
kept_inspect(struct fsio *io, const char *name, struct fsio_file *out)
{
	if (!str_starts(str_of(name), STR("damaged-")))
		return kept_ops->inspect(io, name, out);
	errno = kept_inspect_error;
	return -1;
}

/* What the option cannot help is refused with it as well. */
static void
kept_expect_unsure(struct model *m, int error, bool may_accept)
{
	struct kept_heard h = {0};
	uint64_t disk = kept_disk(m);
	unsigned advised = cases_told_both("cannot be looked at", "--accept-damage");
	unsigned told = cases_told_both("damaged-1-", "move");

	kept_inspect_error = error;
	if (kept_open_as(m, &h, false) || errno != error)
		model_broken(m, "opened, or refused with errno %d", errno);
	model_close(m);
	if (cases_told_both("damaged-1-", "move") != told + 1 ||
	    cases_told_both("at offset 0", "damaged-"))
		model_broken(m, "the name is not told, or not what to do");
	advised = cases_told_both("cannot be looked at", "--accept-damage") - advised;
	if (advised != may_accept)
		model_broken(m, "the option is advised though it does not help, or is not");
	if (kept_disk(m) != disk)
		model_broken(m, "a refused start has changed the disk");
	if (kept_open_as(m, &h, true) != may_accept)
		model_broken(m, "with the option: errno %d", errno);
	if (!may_accept && kept_disk(m) != disk)
		model_broken(m, "a start refused with the option has changed the disk");
	if (may_accept && (!m->spool || m->spool->stats.quarantined != 1))
		model_broken(m, "not counted");
	model_close(m);
}

static bool
a_name_that_cannot_be_looked_at(void)
{
	struct model *m = model_new(1);
	struct fsio *io = simdisk_io(m->disk);
	struct kept_heard h = {0};
	struct fsio_ops ops;
	uint32_t slot = kept_damage(m, MESSAGES, 1, 2000);

	kept_ops = io->ops;
	ops = *io->ops;
	ops.inspect = kept_inspect;
	io->ops = &ops;
	kept_expect_unsure(m, ENOMEM, false);
	kept_expect_unsure(m, EIO, true);
	io->ops = kept_ops;
	if (kept_copies(m, slot) != 0)
		model_broken(m, "a copy was made");
	/* once it can be looked at, all is as ever */
	for (uint64_t told = 1; told != UINT64_MAX; told--) {
		if (!kept_open(m, &h) || m->spool->stats.quarantined != told)
			model_broken(m, "not told %llu times", (unsigned long long)told);
		model_close(m);
	}
	if (kept_copies(m, slot) != 1)
		model_broken(m, "%u copies", kept_copies(m, slot));
	return model_end(m) == 0;
}

/* ---- room ---- */

/* Leaves the disk so many free bytes. */
static void
kept_leave_room(struct model *m, uint64_t bytes)
{
	struct fsio *io = simdisk_io(m->disk);
	uint64_t have, all;

	simdisk_limit(m->disk, 1 << 30);
	if (io->ops->space(io, &have, &all) != 0)
		model_broken(m, "no space is told");
	simdisk_limit(m->disk, all - have + bytes);
}

/* All but the one that holds the messages; nothing names the newest, as in older versions. */
static void
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

/* A start that must tell three damaged messages, and then has work. */
static void
kept_expect_told(struct model *m, const struct spool_options *o)
{
	if (!model_open(m, o) || !m->spool->writer.active)
		model_broken(m, "nothing can be stored");
	else if (m->spool->stats.quarantined != 3)
		model_broken(m, "not told");
	for (int n = 0; n < 20 && m->spool; n++)
		model_turn(m);
	model_close(m);
}

static void
kept_add_bytes(const char *name, void *arg)
{
	struct kept_sum *k = arg;

	if (str_starts(str_of(name), STR("damaged-")))
		k->sum += simdisk_bytes(k->m->disk, name).n;
}

/* So many bytes of copies did not fit into `spare`: the log says how many more they need. */
static void
kept_expect_lack(struct model *m, uint64_t spare)
{
	struct kept_sum k = {.m = m};
	struct fsio *io = simdisk_io(m->disk);
	char words[80];

	if (io->ops->list(io, kept_add_bytes, &k) != 0)
		model_broken(m, "no list");
	snprintf(words, sizeof words, "; free %llu bytes and start again",
	    (unsigned long long)(k.sum - spare));
	if (cases_told_both("3 damaged places are not copied now", words) != 1)
		model_broken(m, "not told: %s", words);
}

/* There is room for a segment or for copies: new mail comes first, the next start copies. */
static bool
copies_leave_room_for_a_segment(void)
{
	enum { SPARE = 1000 };
	struct spool_options o = options;
	struct model *m = model_new(1);
	uint32_t slot = kept_damage(m, MESSAGES, 3, 2000);

	o.io = simdisk_io(m->disk);
	m->may_lose = true;
	kept_remove_unused(m, slot);
	kept_leave_room(m, options.segment_bytes + SPARE);
	for (unsigned copies = 0; copies <= 3; copies += 3) {
		kept_expect_told(m, &o);
		if (kept_copies(m, slot) != copies)
			model_broken(m, "%u copies, not %u", kept_copies(m, slot), copies);
		kept_leave_room(m, options.segment_bytes + 10 * SPARE);
	}
	kept_expect_lack(m, SPARE);
	return model_end(m) == 0;
}

/* What must stay free is not for copies. */
static bool
copies_leave_the_free_share(void)
{
	struct spool_options o = options;
	struct model *m = model_new(1);
	uint32_t slot = kept_damage(m, MESSAGES, 3, 2000);

	o.io = simdisk_io(m->disk);
	o.minimum_free_percent = 20;
	kept_leave_room(m, options.segment_bytes / 8);
	m->may_lose = true;
	for (unsigned copies = 0; copies <= 3; copies += 3) {
		kept_expect_told(m, &o);
		if (kept_copies(m, slot) != copies)
			model_broken(m, "%u copies, not %u", kept_copies(m, slot), copies);
		kept_leave_room(m, 4 * options.segment_bytes);
	}
	return model_end(m) == 0;
}

/* ---- what is not copied ---- */

enum kept_reason {
	KEPT_NO_ROOM,
	KEPT_ROOM_UNKNOWN,
	KEPT_TOO_MANY,
	KEPT_UNWRITTEN,
	KEPT_NAME_UNSURE,                /* before it is told; this is accepted */
	KEPT_NAME_UNSURE_LATER,          /* when it is written */
	KEPT_NAME_TAKEN,
	KEPT_UNSYNCED,                   /* there are copies, of which a power cut may leave none */
	KEPT_REASONS,
};

static const char *const kept_reason_told[] = {
    [KEPT_NO_ROOM] = "bytes and start again",
    [KEPT_ROOM_UNKNOWN] = "does not say what room it has",
    [KEPT_TOO_MANY] = "a start copies 64",
    [KEPT_UNWRITTEN] = "cannot be written",
    [KEPT_NAME_UNSURE] = "cannot be looked at",
    [KEPT_NAME_UNSURE_LATER] = "cannot be looked at",
    [KEPT_NAME_TAKEN] = "there is something else of the name",
    [KEPT_UNSYNCED] = "are not durable",
};

static int
kept_space(struct fsio *io, uint64_t *free_out, uint64_t *total_out)
{
	(void)io;
	(void)free_out;
	(void)total_out;
	errno = EIO;
	return -1;
}

/* While the log is read each name is looked at once, and is not there; later it does not answer, or
 * is taken. */
static enum kept_reason kept_inspect_reason;
static unsigned kept_inspect_first;

static int
kept_inspect_late(struct fsio *io, const char *name, struct fsio_file *out)
{
	if (!str_starts(str_of(name), STR("damaged-")))
		return kept_ops->inspect(io, name, out);
	if (kept_inspect_first > 0) {
		kept_inspect_first--;
		return kept_ops->inspect(io, name, out);
	}
	if (kept_inspect_reason == KEPT_NAME_TAKEN) {
		*out = (struct fsio_file){.bytes = 1, .is_plain = true};
		return 0;
	}
	errno = EIO;
	return -1;
}

struct kept_file_search {
	struct model *m;
	const struct kept_evidence *evidence;
	bool is_there[MANY];
};

static void
kept_search_file(const char *name, void *arg)
{
	struct kept_file_search *f = arg;
	struct str all = simdisk_bytes(f->m->disk, name);
	const struct kept_evidence *e = f->evidence;

	if (kept_is_unfinished(str_of(name)))
		return;
	/* one in use is not written over, as long as it has its header */
	if (!str_starts(str_of(name), STR("damaged-")) &&
	    (all.n < sizeof e->header || memcmp(all.p, e->header, sizeof e->header) != 0))
		return;
	for (unsigned n = 0; n < e->count; n++)
		f->is_there[n] |= memmem(all.p, all.n, e->bytes[n].p, e->bytes[n].n) != NULL;
}

static void
kept_expect_evidence(struct model *m, const struct kept_evidence *e, const char *when)
{
	struct kept_file_search f = {.m = m, .evidence = e};
	struct fsio *io = simdisk_io(m->disk);
	unsigned left = 0;

	if (io->ops->list(io, kept_search_file, &f) != 0)
		model_broken(m, "no list");
	for (unsigned n = 0; n < e->count; n++)
		left += f.is_there[n];
	if (left != e->count)
		model_broken(m, "%s %u of %u damaged messages are left", when, left, e->count);
}

/* The messages go, all of them, and their segment with them. */
static void
kept_finish(struct model *m, uint32_t slot)
{
	model_finish_all(m);
	for (int n = 0; n < 40; n++)
		model_turn(m);
	if (m->spool->index.oldest->slot == slot && !simdisk_is_cut(m->disk))
		model_broken(m, "the segment is not freed");
}

static void
kept_fail_as(struct model *m, enum kept_reason reason, struct fsio_ops *ops)
{
	struct fsio *io = simdisk_io(m->disk);

	kept_ops = io->ops;
	*ops = *io->ops;
	io->ops = ops;
	kept_inspect_reason = reason;
	kept_inspect_error = EIO;
	switch (reason) {
	case KEPT_NO_ROOM:
		kept_leave_room(m, options.segment_bytes / 8);
		break;
	case KEPT_ROOM_UNKNOWN:
		ops->space = kept_space;
		break;
	case KEPT_UNWRITTEN:
		simdisk_fail(m->disk, (struct simdisk_fault){SIMDISK_RENAME, 1, 1, EIO});
		break;
	case KEPT_UNSYNCED:
		/* the first one comes before anything is read */
		simdisk_fail(m->disk, (struct simdisk_fault){SIMDISK_SYNC_DIRECTORY, 2, 1, EIO});
		break;
	case KEPT_NAME_UNSURE:
		ops->inspect = kept_inspect;
		break;
	case KEPT_NAME_UNSURE_LATER:
	case KEPT_NAME_TAKEN:
		ops->inspect = kept_inspect_late;
		break;
	case KEPT_TOO_MANY:
	case KEPT_REASONS:
		break;
	}
}

static bool
kept_open_accepting(struct model *m, bool accept_damage, unsigned minimum_free)
{
	struct spool_options o = options;

	o.io = simdisk_io(m->disk);
	o.accept_damage = accept_damage;
	o.minimum_free_percent = minimum_free;
	return model_open(m, &o);
}

/* A closed spool: all of its first segment is sealed, the last message too, and every second one is
 * damaged. */
static uint32_t
kept_damage_sealed(
    struct model *m, unsigned messages, unsigned count, struct kept_evidence *evidence)
{
	struct kept_heard h = {0};

	kept_fill(m, messages, 1000);
	model_close(m);
	if (!kept_open(m, &h))
		model_broken(m, "cannot be opened: errno %d", errno);
	m->may_lose = true;
	return kept_damage_from(m, 0, count, evidence);
}

/* The start goes on without a copy, and says why.  What stood there is not written over then, though
 * the segment is freed; the log goes on, and the next start has nothing to tell. */
static bool
run_uncopied(enum kept_reason reason, unsigned messages)
{
	struct model *m = model_new(1);
	struct kept_evidence evidence = {.count = 0};
	unsigned count = reason == KEPT_TOO_MANY ? MANY : (messages + 1) / 2;
	struct fsio_ops ops;
	uint32_t slot;
	bool is_good;
	unsigned aside = cases_told("any more, kept as damaged-seg-");

	messages = reason == KEPT_TOO_MANY ? 2 * MANY : messages;
	slot = kept_damage_sealed(m, messages, count, &evidence);
	kept_inspect_first = count;
	kept_fail_as(m, reason, &ops);
	if (!kept_open_accepting(m, reason == KEPT_NAME_UNSURE, 10))
		model_broken(m, "reason %d: refused: errno %d", reason, errno);
	else if (m->spool->stats.quarantined != count)
		model_broken(m, "reason %d: not counted", reason);
	simdisk_io(m->disk)->ops = kept_ops;
	if (cases_told_both(reason == KEPT_UNSYNCED ? "copies" : "not copied",
		kept_reason_told[reason]) == 0)
		model_broken(m, "reason %d: not told", reason);
	if (reason != KEPT_UNSYNCED && kept_copies(m, slot) == count)
		model_broken(m, "reason %d: all are copied", reason);
	if (m->spool)
		kept_finish(m, slot);
	kept_expect_evidence(m, &evidence, "when it is freed");
	if (cases_told("any more, kept as damaged-seg-") != aside + 1)
		model_broken(m, "reason %d: its file is not set aside", reason);
	model_close(m);
	simdisk_limit(m->disk, 1 << 30);
	if (!kept_open_accepting(m, false, 10) || m->spool->stats.quarantined > 0)
		model_broken(m, "reason %d: the next start tells of it", reason);
	kept_expect_evidence(m, &evidence, "at the next start");
	kept_clear_evidence(&evidence);
	is_good = model_end(m) == 0;
	if (!is_good)
		printf("# reason %d, %u messages\n", reason, messages);
	return is_good;
}

static bool
what_is_not_copied_is_not_written_over(void)
{
	bool all = true;

	for (enum kept_reason reason = 0; reason < KEPT_REASONS; reason++)
		for (unsigned messages = 1; messages <= MESSAGES; messages += MESSAGES - 1)
			all &= run_uncopied(reason, messages);
	return all;
}

/* The disk has room for some copies.  The power fails at act `cut` of the start and of the work by
 * which the segment is freed; false: there were fewer acts. */
static bool
kept_cut_uncopied(uint64_t seed, uint64_t cut, unsigned *faults)
{
	struct model *m = model_new(seed);
	struct kept_evidence evidence = {.count = 0};
	uint32_t slot = kept_damage_sealed(m, MESSAGES, MESSAGES / 2, &evidence);
	bool was_cut;

	kept_remove_unused(m, slot);
	kept_leave_room(m, options.segment_bytes + MESSAGES / 4 * 1500);
	simdisk_cut(m->disk, cut);
	if (kept_open_accepting(m, false, 0))
		kept_finish(m, slot);
	was_cut = simdisk_is_cut(m->disk);
	model_close(m);
	simdisk_restart(m->disk);
	kept_expect_evidence(m, &evidence, "after the power cut");
	simdisk_limit(m->disk, 1 << 30);
	if (kept_open_accepting(m, false, 0)) {
		model_check(m);
		kept_finish(m, slot);
	} else {
		model_broken(m, "refused: errno %d", errno);
	}
	kept_expect_evidence(m, &evidence, "when it is freed");
	kept_clear_evidence(&evidence);
	*faults += model_end(m);
	return was_cut;
}

static bool
power_cuts_beside_what_is_not_copied(void)
{
	unsigned cuts = 0, faults = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		for (uint64_t cut = 1; cut < ACTS_MAX && kept_cut_uncopied(seed, cut, &faults);
		     cut++)
			cuts++;
	printf("# %u power cuts, %u broken promises\n", cuts, faults);
	return faults == 0 && cuts > 10 * SEEDS && cases_told("damaged places are not copied now") &&
	    cases_told("is kept as damaged-1-") && cases_told("any more, kept as damaged-seg-");
}

/* It holds nothing that the log needs, and was given back before anything is copied. */
static bool
one_given_back_is_set_aside(void)
{
	struct model *m = model_new(1);
	struct kept k = {.count = 0};
	struct kept_stretch s = {.from = SEGMENT_DATA, .to = SEGMENT_DATA + 100};
	struct stock *p;

	kept_fill(m, 1, 1000);
	p = &m->spool->writer.pool;
	for (int n = 0; n < 40 && !p->ready; n++)
		model_turn(m);
	s.segment = p->ready;
	p->ready = NULL;
	stock_give_back(p, s.segment);
	kept_leave(&k, &s);
	kept_write(&k, p);
	for (int n = 0; n < 40; n++)
		model_turn(m);
	if (cases_told("any more, kept as damaged-seg-") != 1)
		model_broken(m, "it is used again");
	return model_end(m) == 0;
}

/* ---- all ---- */

static const struct crash_case kept_cases[] = {
    {"a refused start changes nothing", a_refused_start_changes_nothing},
    {"damage is known only where its whole copy is durable",
	damage_is_known_where_its_copy_is_durable},
    {"a copy of another length is not written over", a_copy_is_not_written_over},
    {"a name damaged-* that cannot be looked at", a_name_that_cannot_be_looked_at},
    {"copies leave room for a segment", copies_leave_room_for_a_segment},
    {"copies leave the disk its free share", copies_leave_the_free_share},
    {"what one start does not copy the next one does", a_second_start_copies_the_rest},
    {"what is not copied is not written over", what_is_not_copied_is_not_written_over},
    {"nor when the power fails meanwhile", power_cuts_beside_what_is_not_copied},
    {"nor where the segment was given back already", one_given_back_is_set_aside},
};

int
main(void)
{
	return cases_run(kept_cases, sizeof kept_cases / sizeof *kept_cases);
}
