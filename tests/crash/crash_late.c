/*
 * crash_late: messages that are refused because the disk was too slow or failed: which ones of a
 * batch these are, what that costs, and that none of them exists after a power cut, on a full disk
 * as well.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cases.h"
#include "model.h"
#include "spool/spool_internal.h"

enum {
	WAIT_MS = 60000,
	PLENTY = 300,                    /* number of the first message that fills the disk */
	FULL_BYTES = 4 * SPOOL_SEGMENT_MIN + SEGMENT_SECTOR,
	BODY_BYTES = 9000,
	BODY_ROOM = 40000,               /* less than a segment */
};

static const struct fsio_ops *disk;
static struct fsio_ops slow;
static unsigned first_sync_ms, next_sync_ms, syncs;

static int
slow_sync(struct fsio *f, int fd)
{
	int result = disk->sync_data(f, fd);

	usleep((syncs++ ? next_sync_ms : first_sync_ms) * 1000);
	return result;
}

static void
count_segment(const char *name, void *arg)
{
	*(unsigned *)arg += strncmp(name, "seg-", 4) == 0;
}

static void
heard(int error, void *arg)
{
	*(int *)arg = error;
}

static struct msgid
id_of(unsigned n)
{
	return (struct msgid){((uint64_t)n + 1) << 20, 1};
}

static bool
append(struct model *m, struct spool_entry *e, int *answer)
{
	struct spool_batch b = {.entries = e, .count = 1, .fn = heard, .arg = answer};

	*answer = -1;
	return spool_append(m->spool, &b) == 0;
}

static bool
append_message(struct model *m, unsigned n, uint32_t wait_ms, int *answer)
{
	struct spool_entry e = {.kind = SPOOL_MESSAGE, .id = id_of(n)};

	e.message.recipient_count = 1;
	e.message.envelope = STR("e");
	e.message.header = STR("A: b\r\n");
	e.message.body = STR("x\r\n");
	e.message.fd = -1;
	m->spool->options.message_wait_ms = wait_ms;
	return append(m, &e, answer);
}

static bool
append_note(struct model *m, const char *name, int *answer)
{
	struct spool_entry e = {.kind = SPOOL_NOTE};

	e.note.name = str_make(name, strlen(name));
	e.note.value = STR("value");
	return append(m, &e, answer);
}

static bool
is_there(struct model *m, unsigned n)
{
	struct spool_message found;

	return spool_find(m->spool, id_of(n), &found);
}

static struct model *
begin(struct spool_options *o, uint64_t limit)
{
	struct model *m = model_new(5);

	*o = (struct spool_options){.segment_bytes = SPOOL_SEGMENT_MIN,
	    .threadless = true, .message_wait_ms = WAIT_MS};
	if (limit)
		simdisk_limit(m->disk, limit);
	o->io = simdisk_io(m->disk);
	disk = o->io->ops;
	slow = *disk;
	slow.sync_data = slow_sync;
	first_sync_ms = next_sync_ms = 0;
	model_reopen(m, o);
	o->io->ops = &slow;
	for (int n = 0; n < 40; n++)
		model_turn(m);
	return m;
}

static void
cut_power(struct model *m, struct spool_options *o)
{
	model_close(m);
	simdisk_restart(m->disk);
	first_sync_ms = next_sync_ms = 0;
	m->spool = spool_open(o, NULL);
	if (!m->spool)
		m->faults++;
}

static bool
end(struct model *m, struct spool_options *o)
{
	o->io->ops = disk;
	return model_end(m) == 0;
}

/* Each message waits 10 ms longer than the one before, with a note between them.  Those for which
 * the first sync was too late are refused, with those whose time is almost over, and no others. */
static bool
deadlines_differ(void)
{
	enum { MESSAGES = 200, FIRST_MS = 1000, STEP_MS = 10 };
	int answers[MESSAGES], notes[MESSAGES];
	unsigned refused = 0, segments = 0, more = 0;
	struct spool_options o;
	struct model *m = begin(&o, 0);
	bool is_good = true;

	(void)!o.io->ops->list(o.io, count_segment, &segments);
	for (unsigned n = 0; n < MESSAGES; n++) {
		is_good &= append_message(m, n, FIRST_MS + STEP_MS * n, &answers[n]);
		is_good &= append_note(m, "n", &notes[n]);
	}
	syncs = 0;
	first_sync_ms = FIRST_MS + 300;
	next_sync_ms = 2 * STEP_MS;
	model_turn(m);
	(void)!o.io->ops->list(o.io, count_segment, &more);
	for (unsigned n = 0; n < MESSAGES; n++) {
		refused += answers[n] == ETIMEDOUT;
		is_good &= notes[n] == 0 && (answers[n] == 0 || answers[n] == ETIMEDOUT);
		is_good &= n == 0 || answers[n - 1] == ETIMEDOUT || answers[n] == 0;
	}
	is_good &= refused >= 29 && refused < MESSAGES / 2 && syncs <= 8 && more <= segments + 2;
	is_good &= cases_told("the disk is too slow") == 1;
	cut_power(m, &o);
	for (unsigned n = 0; n < MESSAGES; n++)
		is_good &= is_there(m, n) == (answers[n] == 0);
	return end(m, &o) && is_good;
}

static void
count_body(const char *name, void *arg)
{
	*(unsigned *)arg += strstr(name, ".body") != NULL;
}

static unsigned
bodies(struct spool_options *o)
{
	unsigned count = 0;

	(void)!o->io->ops->list(o->io, count_body, &count);
	return count;
}

/* Until no segment is left but the active one, and the one for compaction. */
static bool
fill(struct model *m)
{
	unsigned n = PLENTY;
	int answer;

	for (; m->spool->writer.pool.ready && n < 2000; n++) {
		if (!append_message(m, n, WAIT_MS, &answer))
			return false;
		/* one more may be being made */
		for (int turn = 0; turn < 6; turn++)
			model_turn(m);
	}
	return n < 2000 && is_there(m, PLENTY);
}

/* The rest of the same write is valid, and the message is void. */
static bool
full_stock_and_late(void)
{
	struct spool_options o;
	struct model *m = begin(&o, FULL_BYTES);
	int late, note;
	bool is_good = fill(m);

	is_good &= append_message(m, 1, 200, &late) && append_note(m, "n", &note);
	syncs = 0;
	first_sync_ms = 300;
	model_turn(m);
	is_good &= late == ETIMEDOUT && note == 0;
	cut_power(m, &o);
	is_good &= !is_there(m, 1) && is_there(m, PLENTY);
	return end(m, &o) && is_good;
}

/* A message with a body file, and the sync of its record fails, without a segment whose seal could
 * make it void. */
static struct model *
begin_failing(struct spool_options *o, uint64_t seed, bool *is_good)
{
	struct model *m = begin(o, FULL_BYTES + BODY_ROOM);

	for (; seed; seed--)
		(void)simdisk_draw(m->disk, 2);
	*is_good &= fill(m);
	m->spool->options.message_wait_ms = WAIT_MS;
	*is_good &= model_submit(m, BODY_BYTES, true);
	/* the first one is that of the body */
	simdisk_fail(m->disk, (struct simdisk_fault){SIMDISK_SYNC, 2, 1, EIO});
	model_turn(m);
	*is_good &= m->bad == 1 && simdisk_struck(m->disk) == 1 && bodies(o) == 1;
	return m;
}

/* A start finds the record or not, and with it the complete message: it is not held as damaged. */
static bool
full_stock_and_failing(void)
{
	unsigned found = 0;
	bool is_good = true;

	for (uint64_t seed = 0; seed < 40 && is_good; seed++) {
		struct spool_options o;
		struct spool_message message;
		struct model *m = begin_failing(&o, seed, &is_good);

		cut_power(m, &o);
		if (spool_find(m->spool, m->messages[0].id, &message)) {
			found++;
			is_good &= !message.is_held;
		}
		is_good &= is_there(m, PLENTY);
		is_good &= end(m, &o);
	}
	return is_good && found > 0;
}

/* When there is room the record is made void, although nothing new is to be written, and then the
 * body is removed. */
static bool
full_stock_and_failing_then_room(void)
{
	struct spool_options o;
	struct spool_message message;
	bool is_good = true;
	struct model *m = begin_failing(&o, 0, &is_good);

	simdisk_limit(m->disk, FULL_BYTES + 3 * SPOOL_SEGMENT_MIN);
	for (int n = 0; n < 20; n++)
		model_turn(m);
	is_good &= bodies(&o) == 0 && !m->spool->writer.is_void_pending;
	cut_power(m, &o);
	is_good &= !spool_find(m->spool, m->messages[0].id, &message) && is_there(m, PLENTY);
	return end(m, &o) && is_good;
}

int
main(void)
{
	static const struct crash_case all[] = {
	    {"a batch with different deadlines: what is late is refused, and little else",
	        deadlines_differ},
	    {"a late message without another segment: it is void", full_stock_and_late},
	    {"a failed write without another segment: its body is kept", full_stock_and_failing},
	    {"and when there is a segment, it is void and the body goes",
	        full_stock_and_failing_then_room},
	};

	return cases_run(all, sizeof all / sizeof all[0]);
}
