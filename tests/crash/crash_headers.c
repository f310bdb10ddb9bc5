/*
 * crash_headers: after random work with power cuts, headers and seals of the log are damaged.  If
 * all their content is stored elsewhere as well, nothing is lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "missing_rig.h"

static void
missing_expect_all(struct model *m, bool accept_damage)
{
	m->may_lose = true;
	if (missing_open(m, accept_damage))
		model_check(m);
	else
		model_broken(m, "refused: errno %d", errno);
	if (m->lost)
		model_broken(m, "%u messages are lost", m->lost);
	model_close(m);
}

/* One bit is inverted in one seal; all files exist. */
static void
missing_seal_alone(struct model *m, const struct missing_log *log)
{
	missing_harm_seal(m, log->slot[simdisk_draw(m->disk, log->count)], MISSING_BIT);
	missing_expect_all(m, false);
}

static void
missing_harm_header(struct model *m, uint32_t slot)
{
	char name[SEGMENT_NAME_BYTES];
	struct str s = simdisk_bytes(m->disk, segment_name(slot, name));

	memset((char *)(uintptr_t)s.p + simdisk_draw(m->disk, 36), 'X', 4);
}

/* A header is damaged, and the seal that would name its segment has one inverted bit. */
static void
missing_header_and_bit(struct model *m, const struct missing_log *log)
{
	size_t number = simdisk_draw(m->disk, log->count - 1);

	missing_harm_header(m, log->slot[number]);
	missing_harm_seal(m, log->slot[number + 1], MISSING_BIT);
	missing_expect_all(m, false);
	missing_expect_all(m, false);
}

/* The same, and nothing is left of the seal: no loss stays unlogged, and undamaged messages are
 * kept. */
static void
missing_header_and_seal(struct model *m, const struct missing_log *log)
{
	size_t number = simdisk_draw(m->disk, log->count - 1);

	missing_harm_header(m, log->slot[number]);
	missing_harm_seal(m, log->slot[number + 1], MISSING_ALL);
	m->may_lose = true;
	if (missing_open(m, false))
		model_check(m);
	else if (errno != ENOTRECOVERABLE)
		model_broken(m, "refused with errno %d", errno);
	if (m->lost)
		model_broken(m, "%u messages are lost without a word", m->lost);
	model_close(m);
	missing_expect_all(m, true);
}

/* The same, and the disk cannot read it: the start that accepts it uses what is undamaged. */
static void
missing_header_and_unread(struct model *m, const struct missing_log *log)
{
	size_t number = simdisk_draw(m->disk, log->count - 1);
	bool is_there = false;

	missing_harm_header(m, log->slot[number]);
	missing_harm_seal(m, log->slot[number + 1], MISSING_UNREADABLE);
	m->may_lose = true;
	if (missing_open(m, false))
		model_broken(m, "opened over an unreadable place");
	model_close(m);
	if (!missing_open(m, true)) {
		model_broken(m, "refused although damage is accepted: errno %d", errno);
		return;
	}
	for (struct segment *g = m->spool->index.oldest; g; g = g->next)
		is_there |= g->slot == log->slot[number];
	if (!is_there)
		model_broken(m, "what is whole is not used");
	model_check(m);
}

static void
missing_header(struct model *m, const struct missing_log *log)
{
	size_t from = simdisk_draw(m->disk, log->count), count = 1 + simdisk_draw(m->disk, 2);
	char name[SEGMENT_NAME_BYTES];

	for (size_t i = 0; i < count; i++) {
		struct str s = simdisk_bytes(
		    m->disk, segment_name(log->slot[(from + i) % log->count], name));

		memset((char *)(uintptr_t)s.p + simdisk_draw(m->disk, 36), 'X', 4);
	}
	if (!missing_open(m, false)) {
		model_broken(m, "refused for a damaged header: errno %d", errno);
		return;
	}
	model_check(m);
	if (m->spool->stats.quarantined == 0)
		model_broken(m, "not counted");
	model_submit(m, 1000, false);
	model_turn(m);
	model_close(m);
	if (!missing_open(m, false)) {
		model_broken(m, "refused after a damaged header: errno %d", errno);
		return;
	}
	model_check(m);
	if (m->spool->stats.quarantined != 0)
		model_broken(m, "told again");
}

/* A free file has a damaged header and frames of a former use: none of them is applied. */
static void
missing_free_header(struct model *m, const struct missing_log *log)
{
	char name[SEGMENT_NAME_BYTES];

	for (uint32_t slot = 1; slot < SEGMENTS; slot++) {
		struct str s = simdisk_bytes(m->disk, segment_name(slot, name));
		bool is_live = false;

		for (size_t i = 0; i < log->count; i++)
			is_live |= log->slot[i] == slot;
		if (s.n > 0 && !is_live)
			memset((char *)(uintptr_t)s.p + simdisk_draw(m->disk, 36), 'X', 4);
	}
	if (missing_open(m, false))
		model_check(m);
	else
		model_broken(m, "refused for the header of a free file: errno %d", errno);
}

static const struct missing_case header_cases[] = {
    {"a seal has a flipped bit", missing_seal_alone},
    {"a header is damaged, and the seal that names it has a flipped bit", missing_header_and_bit},
    {"a header is damaged, and nothing is left of the seal that names it",
	missing_header_and_seal},
    {"a header is damaged, and the seal that names it cannot be read", missing_header_and_unread},
    {"one or two headers are damaged", missing_header},
    {"the headers of all free files are damaged", missing_free_header},
};

int
main(void)
{
	size_t count = sizeof header_cases / sizeof *header_cases;

	missing_begin(count);
	return !missing_run_all(header_cases, count, 1);
}
