/*
 * crash_stock: the pool of segments on disks that fill up or refuse writes: how much room there is,
 * what is logged about it, and what happens to segments whose header cannot be written.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cases.h"
#include "model.h"
#include "spool/segment_pool.h"
#include "spool/spool_internal.h"

enum { PIECES = 4, LARGE = PIECES << 20 };

/* ---- room on the disk ---- */

/* A spool with segments of several pieces, and room on the disk for so many of them. */
static struct model *
stock_begin(unsigned segments)
{
	struct spool_options o = {.segment_bytes = LARGE, .threadless = true};
	struct model *m = model_new(1);

	simdisk_limit(m->disk, (uint64_t)segments * LARGE + 1000);
	o.io = simdisk_io(m->disk);
	model_reopen(m, &o);
	if (!m->spool || !m->spool->writer.active)
		model_broken(m, "no segment to begin with");
	return m;
}

/* There was room when it was begun: so there is until it is made. */
static bool
what_is_made_already_is_room(void)
{
	struct model *m = stock_begin(3);
	struct segment_pool *p = &m->spool->writer.pool;
	unsigned pieces = 0;

	for (int n = 0; n < 4 * PIECES && !p->ready; n++) {
		if (!segment_pool_may_make(p, SEGMENT_FOR_MESSAGE))
			model_broken(m, "no room any more after %u bytes", p->made_bytes);
		if (spool_admits(m->spool) != 0)
			model_broken(m, "messages are refused after %u bytes", p->made_bytes);
		pieces += p->making && p->made_bytes > 0;
		model_turn(m);
	}
	if (!p->ready || pieces < PIECES)
		model_broken(m, "no segment was made in %u pieces", pieces);
	return model_end(m) == 0;
}

/* There is no room for messages, but room for a reserve. */
static bool
no_room_is_told_once(void)
{
	unsigned before = cases_told("no new segment");
	struct model *m = stock_begin(2);
	struct segment_pool *p = &m->spool->writer.pool;

	for (int n = 0; n < 10 * PIECES; n++)
		model_turn(m);
	if (!p->reserve)
		model_broken(m, "no reserve");
	if (cases_told("no new segment") != before + 1)
		model_broken(m, "told %u times", cases_told("no new segment") - before);
	return model_end(m) == 0;
}

/* All its zeros are written: when others fill the disk then, it is still completed. */
static bool
what_is_made_whole_is_room(void)
{
	unsigned before = cases_told("no new segment");
	struct model *m = stock_begin(3);
	struct segment_pool *p = &m->spool->writer.pool;

	for (int n = 0; n < 4 * PIECES && (!p->making || p->made_bytes < p->bytes); n++)
		model_turn(m);
	if (!p->making || p->made_bytes < p->bytes)
		model_broken(m, "no segment is made");
	simdisk_limit(m->disk, 2 * LARGE);
	if (!segment_pool_may_make(p, SEGMENT_FOR_ANY) ||
	    !segment_pool_may_make(p, SEGMENT_FOR_COPY))
		model_broken(m, "no room for a segment that is there");
	if (segment_pool_fill(p, SEGMENT_FOR_MESSAGE) != 0 ||
	    cases_told("no new segment") != before)
		model_broken(m, "it is not used");
	return model_end(m) == 0;
}

/* The one before was completed: that is no evidence of room for the next one. */
static bool
nothing_is_begun_without_room(void)
{
	struct model *m = stock_begin(3);
	struct segment_pool *p = &m->spool->writer.pool;
	struct segment *ready;

	for (int n = 0; n < 10 * PIECES && (!p->ready || !p->reserve); n++)
		model_turn(m);
	if (!p->ready || !p->reserve)
		model_broken(m, "no room for one and a reserve");
	ready = p->ready;
	p->ready = NULL;
	segment_pool_work(p);
	if (p->making)
		model_broken(m, "a file was begun");
	p->ready = ready;
	return model_end(m) == 0;
}

/* During the pause after headers that were not written, new segments are made. */
static bool
new_ones_are_made_in_the_pause(void)
{
	struct model *m = stock_begin(4);
	struct segment_pool *p = &m->spool->writer.pool;

	p->has_retry_pause = true;
	p->header_retry = (struct disk_retry){.error = EIO, .until_ms = INT64_MAX};
	for (int n = 0; n < 8 * PIECES && (!p->ready || !p->reserve); n++)
		model_turn(m);
	if (!p->ready || !p->reserve)
		model_broken(m, "none is made while headers pause");
	if (segment_pool_has_work(p))
		model_broken(m, "there is work that cannot be done");
	return model_end(m) == 0;
}

/* ---- headers that cannot be written ---- */

enum unwritable { UNWRITABLE_FREE, UNWRITABLE_OLDEST, UNWRITABLE_NO_DIRECTORY };

/* Much is stored, then all of it settled, again and again. */
static bool
work_beside_unwritable(struct model *m, enum unwritable kind, char name[SEGMENT_NAME_BYTES])
{
	bool is_good = true;

	for (int round = 0; round < 4; round++) {
		for (int n = 0; n < 60; n++) {
			is_good &= model_submit(m, 3000, false);
			model_turn(m);
		}
		if (round == 0 && kind != UNWRITABLE_FREE) {
			is_good &= m->spool->index.segment_count > 2;
			segment_name(m->spool->index.oldest->slot, name);
			simdisk_refuse_writes(m->disk, name);
		}
		if (round == 0 && kind == UNWRITABLE_NO_DIRECTORY)
			simdisk_fail(m->disk, (struct simdisk_fault){
						  SIMDISK_SYNC_DIRECTORY, 1, 10, EIO});
		model_finish_all(m);
		model_churn(m, 60);
	}
	return is_good;
}

/* The header of one segment cannot be written any more: it is set aside when its turn to be used or
 * freed comes, all others are used and freed as before, and nothing is refused. */
static bool
run_unwritable_segment(enum unwritable kind)
{
	struct model *m = model_new(1);
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};
	char name[SEGMENT_NAME_BYTES];
	struct segment_pool *p;
	bool is_good = true;

	o.io = simdisk_io(m->disk);
	model_reopen(m, &o);
	p = &m->spool->writer.pool;
	p->has_retry_pause = kind != UNWRITABLE_NO_DIRECTORY;
	if (kind == UNWRITABLE_FREE) {
		for (int n = 0; n < 1000 && !p->free; n++)
			model_churn(m, 1);
		is_good = p->free;
		segment_name(is_good ? p->free->slot : 0, name);
		simdisk_refuse_writes(m->disk, name);
	}
	is_good &= work_beside_unwritable(m, kind, name);
	is_good &= m->bad == 0 || kind == UNWRITABLE_NO_DIRECTORY;
	is_good &= !p->returned && !simdisk_bytes(m->disk, name).p;
	printf("# %s: %llu good, %llu refused, %s\n", name, (unsigned long long)m->good,
	    (unsigned long long)m->bad, p->returned ? "some are not freed" : "all freed");
	simdisk_fail(m->disk, (struct simdisk_fault){0});
	model_expect_work(m);
	model_check(m);
	model_close(m);
	simdisk_restart(m->disk);
	model_reopen(m, &o);
	return model_end(m) == 0 && is_good;
}

static bool
one_given_back(void)
{
	return run_unwritable_segment(UNWRITABLE_OLDEST);
}

static bool
one_that_is_free(void)
{
	return run_unwritable_segment(UNWRITABLE_FREE);
}

static bool
nor_the_directory(void)
{
	return run_unwritable_segment(UNWRITABLE_NO_DIRECTORY);
}

static void
stock_count_aside(const char *name, void *arg)
{
	*(unsigned *)arg += strncmp(name, "damaged-seg-", 12) == 0;
}

/* Counts the names of segments that were set aside. */
static unsigned
stock_aside(struct model *m)
{
	struct fsio *io = simdisk_io(m->disk);
	unsigned count = 0;

	if (io->ops->list(io, stock_count_aside, &count) != 0)
		model_broken(m, "no list");
	return count;
}

/* The disk writes nothing for a while: then a segment or two are set aside, not all that are
 * free. */
static bool
no_header_can_be_written(void)
{
	struct spool_options o = {.segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};
	struct model *m = model_new(1);
	struct segment_pool *p;

	o.io = simdisk_io(m->disk);
	model_reopen(m, &o);
	p = &m->spool->writer.pool;
	for (int n = 0; n < 200; n++) {
		model_submit(m, 3000, false);
		model_turn(m);
	}
	model_finish_all(m);
	for (int n = 0; n < 100 && (p->free_count < 2 || !p->ready || !p->reserve); n++)
		model_turn(m);
	if (p->free_count < 2)
		model_broken(m, "%u are free", p->free_count);
	p->has_retry_pause = true;
	simdisk_fail(m->disk, (struct simdisk_fault){SIMDISK_WRITE, 1, 1 << 30, EIO});
	for (int n = 0; n < 60; n++) {
		(void)model_submit(m, 100, false);
		model_turn(m);
	}
	/* the pause is a second at first */
	usleep(1100000);
	model_expect_work(m);
	printf("# %llu refused, %u set aside\n", (unsigned long long)m->bad, stock_aside(m));
	if (m->bad == 0 || stock_aside(m) > 2)
		model_broken(m, "%u segments are set aside", stock_aside(m));
	model_check(m);
	return model_end(m) == 0;
}

/* ---- a disk that refuses writes for another reason than a lack of room ---- */

/* Each kind of preparation fails: messages are refused with the disk's error; the log has one line
 * for each kind, and one when it works again. */
static bool
what_the_disk_says_is_told(void)
{
	struct model *m = stock_begin(20);
	struct segment_pool *p = &m->spool->writer.pool;
	unsigned told = cases_told("Read-only file system"), full = cases_told("No space left");
	unsigned again = cases_told(" again");
	int error = 0;

	for (int n = 0; n < 10 * PIECES; n++)
		model_turn(m);
	p->has_retry_pause = true;
	simdisk_fail(m->disk,
	    (struct simdisk_fault){SIMDISK_DURABLE | SIMDISK_OPEN, 1, 1 << 30, EROFS});
	for (int n = 0; n < 300; n++) {
		(void)model_submit(m, 100, false);
		model_turn(m);
		error = spool_admits(m->spool);
		if (n > 3 && error != EROFS)
			model_broken(m, "round %d: refused with %d", n, error);
		usleep(10000);
	}
	if (cases_told("Read-only file system") - told > 4 || cases_told("No space left") != full)
		model_broken(m, "told %u and %u times", cases_told("Read-only file system") - told,
		    cases_told("No space left") - full);
	simdisk_fail(m->disk, (struct simdisk_fault){0});
	usleep(1100000);
	for (int n = 0; n < 10 * PIECES; n++)
		model_turn(m);
	if (spool_admits(m->spool) != 0)
		model_broken(m, "still refused");
	model_expect_work(m);
	if (cases_told(" again") - again < 1 || cases_told(" again") - again > 3)
		model_broken(m, "told %u times that it works", cases_told(" again") - again);
	model_check(m);
	return model_end(m) == 0;
}

/* ---- cases ---- */

static const struct crash_case stock_cases[] = {
    {"what is made of a segment already counts as room", what_is_made_already_is_room},
    {"a segment whose zeros are complete needs no room", what_is_made_whole_is_room},
    {"without room no file is begun", nothing_is_begun_without_room},
    {"new segments are made while headers pause", new_ones_are_made_in_the_pause},
    {"room for a reserve and none for messages is told once", no_room_is_told_once},
    {"the header of a segment given back cannot be written", one_given_back},
    {"the header of a free segment cannot be written", one_that_is_free},
    {"nor can the directory be synced when it is set aside", nor_the_directory},
    {"no header can be written for a while: not all are set aside", no_header_can_be_written},
    {"a disk that became read-only is not called full", what_the_disk_says_is_told},
};

int
main(void)
{
	return cases_run(stock_cases, sizeof stock_cases / sizeof *stock_cases);
}
