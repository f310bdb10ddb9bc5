/*
 * crash_reads: the disk refuses reads.  A start is refused then, which changes nothing, and the
 * next start has everything.  In operation only that one read fails; compaction continues with what
 * can be read.  A start that accepts damage loses what is in the unreadable range, and nothing
 * more.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "model.h"
#include "spool/spool_fault.h"
#include "spool/spool_internal.h"

struct read_row {
	const char *what;
	struct simdisk_fault fault;
	bool is_harmless;                /* the start succeeds nevertheless */
};

static const struct read_row start_rows[] = {
    {"start: EIO on one read", {SIMDISK_READ, 0, 1, EIO}, false},
    {"start: EIO on all reads from one on", {SIMDISK_READ, 0, 1 << 30, EIO}, false},
    {"start: ENOMEM on a read", {SIMDISK_READ, 0, 1, ENOMEM}, false},
    {"start: EINTR on twenty reads", {SIMDISK_READ, 0, 20, EINTR}, true},
    {"start: EINTR for ever", {SIMDISK_READ, 0, 1 << 30, EINTR}, false},
    {"start: EIO on looking at a name", {SIMDISK_INSPECT, 0, 1, EIO}, false},
    {"start: EACCES on looking at a name", {SIMDISK_INSPECT, 0, 1, EACCES}, false},
    {"start: EIO on opening a file", {SIMDISK_OPEN, 0, 1, EIO}, false},
    {"start: EMFILE on opening a file", {SIMDISK_OPEN, 0, 1, EMFILE}, false},
    {"start: ENFILE on opening a file", {SIMDISK_OPEN, 0, 1, ENFILE}, false},
    {"start: ENOMEM on opening a file", {SIMDISK_OPEN, 0, 1, ENOMEM}, false},
    {"start: EACCES on opening a file", {SIMDISK_OPEN, 0, 1, EACCES}, false},
    {"start: EIO on a sync", {SIMDISK_SYNC | SIMDISK_SYNC_DIRECTORY, 0, 1, EIO}, false},
};

enum { PLACES = 40, ACTS = 200 };

static const struct spool_options options = {
    .segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};

static bool
reads_open(struct model *m, bool accept_damage)
{
	struct spool_options o = options;

	o.io = simdisk_io(m->disk);
	o.accept_damage = accept_damage;
	return model_open(m, &o);
}

static struct model *
reads_begin(uint64_t seed)
{
	struct model *m = model_new(seed);

	if (!reads_open(m, false))
		model_broken(m, "cannot be opened: errno %d", errno);
	return m;
}

/* A second start, without any fault, has everything. */
static void
reads_expect_all(struct model *m)
{
	model_close(m);
	simdisk_fail(m->disk, (struct simdisk_fault){0});
	if (reads_open(m, false))
		model_check(m);
	else
		model_broken(m, "cannot be opened afterwards: errno %d", errno);
}

static void
reads_work(struct model *m, int acts)
{
	for (int n = 0; n < acts; n++)
		if (!model_act(m))
			model_turn(m);
	model_turn(m);
	model_turn(m);
}

/* ---- at a start ---- */

struct read_tally {
	unsigned refused;
	unsigned struck;
	unsigned faults;
};

/* A shortage of the machine and a wrong mode are no damage: the option to accept damage has no
 * effect on them. */
static void
start_accepting(struct model *m, const struct simdisk_fault *fault)
{
	if (segment_is_medium_error(fault->error))
		return;
	model_close(m);
	simdisk_fail(m->disk, *fault);
	if (reads_open(m, true))
		model_broken(m, "opened with --accept-damage over errno %d", fault->error);
	else if (errno != fault->error)
		model_broken(m, "refused with errno %d, not %d", errno, fault->error);
}

static void
start_place(const struct read_row *row, uint64_t place, struct read_tally *t)
{
	struct model *m = reads_begin(place);
	struct simdisk_fault fault = row->fault;
	bool is_open;

	reads_work(m, ACTS);
	model_close(m);
	fault.at = place;
	simdisk_fail(m->disk, fault);
	is_open = reads_open(m, false);
	t->struck += simdisk_struck(m->disk) > 0;
	t->refused += !is_open;
	if (!is_open && errno != fault.error)
		model_broken(m, "refused with errno %d, not %d", errno, fault.error);
	if (!is_open && row->is_harmless)
		model_broken(m, "refused");
	if (!is_open)
		start_accepting(m, &fault);
	/* opened nevertheless (the place was not read, or a new segment failed): nothing is
	 * missing */
	if (is_open) {
		simdisk_fail(m->disk, (struct simdisk_fault){0});
		model_check(m);
	}
	reads_expect_all(m);
	t->faults += model_end(m);
}

static bool
start_row(const struct read_row *row)
{
	struct read_tally t = {0};

	for (uint64_t place = 1; place <= PLACES; place++)
		start_place(row, place, &t);
	printf("# %s: struck %u starts of %d, %u refused, %u broken promises\n", row->what,
	    t.struck, PLACES, t.refused, t.faults);
	return t.faults == 0 && t.struck > 0 && (t.refused > 0) == !row->is_harmless;
}

/* One read fails, and a header is damaged: the place of its segment follows from the other
 * segments, and what cannot be read is no evidence. */
static unsigned
damaged_header_place(uint64_t place, unsigned *refused)
{
	struct model *m = reads_begin(1);
	char name[SEGMENT_NAME_BYTES];
	bool is_open;

	for (int n = 0; n < 100; n++) {
		model_submit(m, 2000, false);
		model_turn(m);
	}
	segment_name(m->spool->index.oldest->next->slot, name);
	model_close(m);
	memset((char *)(uintptr_t)simdisk_bytes(m->disk, name).p, 'X', 8);
	simdisk_fail(m->disk, (struct simdisk_fault){SIMDISK_READ, place, 1, EIO});
	is_open = reads_open(m, false);
	if (!is_open && errno != EIO)
		model_broken(
		    m, "read %llu: refused with errno %d", (unsigned long long)place, errno);
	*refused += !is_open;
	/* the start made fewer reads */
	if (is_open) {
		simdisk_fail(m->disk, (struct simdisk_fault){0});
		model_check(m);
	}
	reads_expect_all(m);
	return model_end(m);
}

static bool
a_damaged_header_and_a_failed_read(void)
{
	unsigned faults = 0, refused = 0;

	for (uint64_t place = 1; place <= PLACES; place++)
		faults += damaged_header_place(place, &refused);
	printf("# %u starts of %d refused, %u broken promises\n", refused, PLACES, faults);
	return faults == 0 && refused > PLACES / 4;
}

/* ---- in operation ---- */

static bool
running_reads_fail(void)
{
	struct model *m = reads_begin(3);
	uint64_t before;

	reads_work(m, ACTS);
	before = m->read;
	m->reads_fail = true;
	simdisk_fail(m->disk, (struct simdisk_fault){SIMDISK_READ, 1, 1 << 30, EIO});
	for (int n = 0; n < 20; n++)
		model_read(m);
	if (m->read != before || m->unread != 20)
		model_broken(m, "read %llu, not %llu", (unsigned long long)m->read,
		    (unsigned long long)before);
	simdisk_fail(m->disk, (struct simdisk_fault){0});
	m->reads_fail = false;
	model_read(m);
	reads_expect_all(m);
	return model_end(m) == 0;
}

static void
reads_count_error(const struct spool_content *content, int error, void *arg)
{
	int *errors = arg;

	errors[errors[0]++] = content ? 0 : error;
	if (content && content->fd >= 0)
		die("not in a file");
}

static char *
reads_frame_of(struct model *m, struct msgid id)
{
	const struct stored_message *i = index_find(&m->spool->index, id);
	char name[SEGMENT_NAME_BYTES];
	struct str bytes = simdisk_bytes(m->disk, segment_name(i->segment->slot, name));

	return (char *)(uintptr_t)bytes.p + i->offset;
}

/* One wrong read may come from the memory or the bus; the second one in a row proves that it is the
 * disk. */
static bool
a_wrong_checksum_is_believed_at_the_second_read(void)
{
	struct model *m = reads_begin(4);
	struct spool_reading reading = {.task = NULL};
	int errors[8] = {1};
	struct msgid id;
	char *frame;

	model_submit(m, 1000, false);
	model_turn(m);
	id = m->messages[0].id;
	frame = reads_frame_of(m, id);
	for (int n = 0; n < 5; n++) {
		/* wrong, right, wrong, wrong, right */
		bool is_wrong = n == 0 || n == 2 || n == 3;

		frame[200] ^= is_wrong ? 1 : 0;
		spool_read(m->spool, &reading, id, reads_count_error, errors);
		spool_dispatch(m->spool);
		frame[200] ^= is_wrong ? 1 : 0;
	}
	if (errors[1] != SPOOL_FAULT_MISREAD || errors[2] || errors[3] != SPOOL_FAULT_MISREAD ||
	    errors[4] != EBADMSG || errors[5])
		model_broken(m, "errors %d %d %d %d %d", errors[1], errors[2], errors[3], errors[4],
		    errors[5]);
	reads_expect_all(m);
	return model_end(m) == 0;
}

/* ---- compaction ---- */

static uint64_t
reads_segments(struct model *m)
{
	struct spool_stats stats;

	spool_stats(m->spool, &stats);
	return stats.segments;
}

/* EIO permanently for one message: the other messages are copied, it is logged, its segment stays
 * until it can be read or is deleted, and then all is freed. */
static bool
one_unreadable_message(bool is_deleted)
{
	struct model *m = reads_begin(5);
	const struct stored_message *bad, *good;
	char name[SEGMENT_NAME_BYTES];
	struct msgid bad_id, good_id;

	model_submit(m, 1000, false);
	model_submit(m, 1000, false);
	model_turn(m);
	bad_id = m->messages[0].id;
	good_id = m->messages[1].id;
	bad = index_find(&m->spool->index, bad_id);
	simdisk_bad_place(m->disk, segment_name(bad->segment->slot, name), bad->offset,
	    bad->offset + 100);
	model_churn(m, 200);
	good = index_find(&m->spool->index, good_id);
	bad = index_find(&m->spool->index, bad_id);
	if (!good || !bad || good->segment == bad->segment ||
	    bad->segment != m->spool->index.oldest)
		model_broken(m, "the neighbour of an unreadable message did not move on");
	if (reads_segments(m) < 8)
		model_broken(m, "freed what an unreadable message needs");
	if (is_deleted)
		model_finish_all(m);
	else
		simdisk_bad_place(m->disk, name, 0, 0);
	/* the pause is a second at first, doubled each time */
	usleep(1100000);
	model_churn(m, 40);
	if (reads_segments(m) > 6)
		model_broken(m, "%llu segments are kept", (unsigned long long)reads_segments(m));
	if (!is_deleted)
		model_check(m);
	simdisk_bad_place(m->disk, name, 0, 0);
	reads_expect_all(m);
	return model_end(m) == 0;
}

static bool
an_unreadable_message_moves_when_it_can_be_read(void)
{
	return one_unreadable_message(false);
}

static bool
an_unreadable_message_is_given_up(void)
{
	return one_unreadable_message(true);
}

/* ---- a start that accepts damage ---- */

struct reads_count {
	const char *begin;
	unsigned count;
};

static void
reads_count_name(const char *name, void *arg)
{
	struct reads_count *c = arg;

	c->count += strncmp(name, c->begin, strlen(c->begin)) == 0;
}

/* How many names on the disk begin so. */
static unsigned
reads_names(struct model *m, const char *begin)
{
	struct fsio *io = simdisk_io(m->disk);
	struct reads_count c = {begin, 0};

	if (io->ops->list(io, reads_count_name, &c) != 0)
		model_broken(m, "no list");
	return c.count;
}

/* At any place: refused without the option; with it, what the unreadable 4 KB held is lost and
 * nothing else; the file is emptied, set aside and never read again.  In the page of the header
 * nothing is lost. */
static bool
accepted_place(uint64_t seed, bool is_header, unsigned *lost)
{
	struct model *m = reads_begin(seed);
	const struct segment *g;
	char name[SEGMENT_NAME_BYTES];
	size_t at;

	for (int n = 0; n < 60; n++) {
		model_submit(m, 1000 + simdisk_draw(m->disk, 2000), simdisk_draw(m->disk, 9) == 0);
		model_turn(m);
	}
	g = m->spool->index.oldest;
	at = SEGMENT_DATA + simdisk_draw(m->disk, 40000);
	if (is_header) {
		at = simdisk_draw(m->disk, SEGMENT_SECTOR);
		for (uint64_t n = simdisk_draw(m->disk, m->spool->index.segment_count); n > 0; n--)
			g = g->next;
	}
	segment_name(g->slot, name);
	model_close(m);
	simdisk_bad_place(m->disk, name, at, at + 100);
	if (reads_open(m, false))
		model_broken(m, "opened over a bad place");
	model_close(m);
	m->may_lose = true;
	if (!reads_open(m, true))
		model_broken(m, "refused although damage is accepted: errno %d", errno);
	else
		model_check(m);
	/* 4 or 8 KB are lost; a message takes 1 KB and more */
	if (m->lost > (is_header ? 0 : 9) || m->acked != 60)
		model_broken(m, "%u lost", m->lost);
	*lost += m->lost;
	m->may_lose = false;
	for (int n = 0; n < 20; n++)
		model_turn(m);
	if (reads_names(m, "damaged-seg-") != 1)
		model_broken(m, "the segment with the bad place is not kept");
	/* the range is still unreadable: nothing reads it any more */
	model_close(m);
	if (reads_open(m, false))
		model_check(m);
	else
		model_broken(m, "cannot be opened without the option afterwards");
	return model_end(m) == 0;
}

static bool
accepted_damage(void)
{
	unsigned lost = 0, good = 0;

	for (uint64_t seed = 1; seed <= PLACES; seed++)
		good += accepted_place(seed, false, &lost);
	printf("# %d bad places accepted, %u of %d messages lost\n", PLACES, lost, 60 * PLACES);
	return good == PLACES && lost > 0;
}

static bool
accepted_headers(void)
{
	unsigned lost = 0, good = 0;

	for (uint64_t seed = 1; seed <= PLACES; seed++)
		good += accepted_place(seed, true, &lost);
	return good == PLACES && lost == 0;
}

/* ---- cases ---- */

static const struct reads_case {
	const char *what;
	bool (*fn)(void);
} reads_cases[] = {
    {"a start with a damaged header, and EIO on one read", a_damaged_header_and_a_failed_read},
    {"while running all reads fail, and then no more", running_reads_fail},
    {"a wrong checksum is believed at the second read in a row",
	a_wrong_checksum_is_believed_at_the_second_read},
    {"an unreadable message lets the others move on, and follows",
	an_unreadable_message_moves_when_it_can_be_read},
    {"an unreadable message is deleted, and all is freed", an_unreadable_message_is_given_up},
    {"a start that accepts damage", accepted_damage},
    {"a start that accepts a header that cannot be read", accepted_headers},
};

int
main(void)
{
	size_t rows = sizeof start_rows / sizeof *start_rows;
	size_t cases = sizeof reads_cases / sizeof *reads_cases;
	bool all = true;

	log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_TO_FILE);
	printf("1..%zu\n", rows + cases);
	for (size_t i = 0; i < rows + cases; i++) {
		bool is_good = i < rows ? start_row(&start_rows[i]) : reads_cases[i - rows].fn();

		printf("%sok %zu - %s\n", is_good ? "" : "not ", i + 1,
		    i < rows ? start_rows[i].what : reads_cases[i - rows].what);
		all &= is_good;
	}
	return !all;
}
