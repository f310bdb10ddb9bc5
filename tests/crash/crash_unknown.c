/*
 * crash_unknown: what this version cannot decode.  Entries of a newer version are kept through
 * compaction, or stop the start if they must be understood; so do newer frames and segments.
 */
#include <errno.h>

#include "base/crc.h"
#include "cases.h"
#include "spool/spool_internal.h"
#include "unknown_rig.h"

/* ---- a frame of a newer version ---- */

struct newer {
	uint32_t type;
	uint32_t version;                /* of the frame; 0: the present one */
	bool has_message;                /* it is about the model's first message */
};

static const char marker[] = "an entry of a newer version";

static void
newer_payload(const struct model *m, const struct newer *w, struct buf *out)
{
	struct spool_entry hold = {.kind = SPOOL_HOLD, .id = m->messages[0].id};
	struct spool_entry new = {.kind = SPOOL_UNKNOWN};

	new.unknown.type = w->type;
	new.unknown.bytes = str_make(marker, sizeof marker);
	buf_init(out, 4096);
	if (w->has_message)
		frame_put_entry(out, &hold, 0);
	frame_put_entry(out, &new, 0);
}

/* Appends it after all frames of the newest segment; the spool is closed afterwards. */
static void
newer_append(struct model *m, const struct newer *w)
{
	const struct segment *g = m->spool->index.newest;
	struct frame_header f = {.tag = g->tag,
	    .sequence = m->spool->writer.sequence + 1,
	    .durable = m->spool->writer.sequence,
	    .entries = 1,
	    .version = w->version};
	uint32_t at = m->spool->writer.at;
	char name[SEGMENT_NAME_BYTES], *p;
	struct buf payload;

	newer_payload(m, w, &payload);
	f.payload_bytes = (uint32_t)payload.n;
	f.payload_crc = crc32c(0, payload.p, payload.n);
	f.span = frame_span(payload.n);
	segment_name(g->slot, name);
	p = (char *)(uintptr_t)simdisk_bytes(m->disk, name).p + at;
	frame_header_write(&f, p);
	memcpy(p + FRAME_HEADER_BYTES, payload.p, payload.n);
	buf_clear(&payload);
	model_close(m);
}

static unsigned
newer_count(const struct model *m)
{
	const struct unknown_entry *u;
	unsigned count = 0;

	TAILQ_FOREACH(u, &m->spool->index.unknown.all, link)
		count += str_eq(u->bytes, str_make(marker, sizeof marker));
	return count;
}

static struct model *
newer_spool(const struct newer *w)
{
	struct model *m = model_new(7);

	if (!unknown_open(m))
		model_broken(m, "cannot be opened");
	model_submit(m, 1000, false);
	model_submit(m, 1000, false);
	model_turn(m);
	newer_append(m, w);
	return m;
}

static bool
newer_is_refused(const struct newer *w)
{
	struct model *m = newer_spool(w);

	if (unknown_open(m) || errno != EPROTO)
		model_broken(m, "type %u, version %u: not refused: errno %d", w->type, w->version,
		    errno);
	return unknown_end(m);
}

static bool
critical_types_are_refused(void)
{
	static const struct newer rows[] = {
	    {32768, 0, false}, {32769, 0, true}, {65536, 0, false}, {65537, 0, true},
	    {1u << 17, 0, false}, {UINT32_MAX, 0, false}, {99, 2, false}, {2000, UINT32_MAX, true}};
	bool all = true;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		all &= newer_is_refused(&rows[i]);
	return all;
}

static bool
newer_is_kept(const struct newer *w)
{
	struct model *m = newer_spool(w);

	for (int round = 0; round < 3; round++) {
		if (!unknown_open(m)) {
			model_broken(m, "refused: errno %d", errno);
			return unknown_end(m);
		}
		if (newer_count(m) != 1)
			model_broken(m, "round %d: %u entries", round, newer_count(m));
		model_churn(m, 300);
		if (newer_count(m) != 1 || m->spool->index.segment_count > 8)
			model_broken(m, "after compaction: %u entries in %llu segments",
			    newer_count(m), (unsigned long long)m->spool->index.segment_count);
		model_close(m);
	}
	if (!unknown_open(m))
		model_broken(m, "refused at the end");
	model_check(m);
	/* it ends with its message, if it has one */
	model_finish_all(m);
	if (newer_count(m) != (w->has_message ? 0 : 1))
		model_broken(m, "%u entries of finished messages", newer_count(m));
	return unknown_end(m);
}

static bool
other_types_are_kept(void)
{
	static const struct newer rows[] = {{6, 0, false}, {99, 0, true}, {32767, 1, true}};
	bool all = true;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		all &= newer_is_kept(&rows[i]);
	return all;
}

/* ---- entries in another segment than their message ---- */

static const struct newer of_message = {99, 0, true};

static const struct stored_message *
apart_message(const struct model *m)
{
	return index_find(&m->spool->index, m->messages[0].id);
}

static uint64_t
apart_entry_generation(const struct model *m)
{
	const struct unknown_entry *u = TAILQ_FIRST(&m->spool->index.unknown.all);

	return u ? u->segment->generation : 0;
}

static void
apart_reopen(struct model *m)
{
	model_close(m);
	if (!unknown_open(m))
		model_broken(m, "cannot be opened: errno %d", errno);
}

/* The message is in one segment, the entry about it two segments later. */
static struct model *
apart_begin(uint64_t seed)
{
	struct model *m = model_new(seed);

	if (!unknown_open(m))
		model_broken(m, "cannot be opened");
	model_submit(m, 1000, false);
	model_submit(m, 1000, false);
	model_turn(m);
	apart_reopen(m);
	model_churn(m, 5);
	apart_reopen(m);
	/* it keeps the entry's segment from being freed */
	model_submit(m, 1000, false);
	model_turn(m);
	newer_append(m, &of_message);
	if (!unknown_open(m))
		model_broken(m, "cannot be opened");
	if (apart_entry_generation(m) < apart_message(m)->segment->generation + 2)
		model_broken(m, "the entry is in segment %llu",
		    (unsigned long long)apart_entry_generation(m));
	return m;
}

/* Until the first segment is free: the message was copied, the entry was not. */
static void
apart_free_first(struct model *m)
{
	const struct segment *first = m->spool->index.oldest;
	uint64_t before = apart_entry_generation(m);

	for (int n = 0; n < 200 && m->spool->index.oldest == first; n++)
		model_churn(m, 1);
	if (m->spool->index.oldest == first || apart_entry_generation(m) != before)
		model_broken(m, "the entry is in segment %llu",
		    (unsigned long long)apart_entry_generation(m));
}

static bool
entries_before_their_message_are_kept(void)
{
	struct model *m = apart_begin(20);

	apart_free_first(m);
	if (apart_message(m)->segment->generation <= apart_entry_generation(m))
		model_broken(m, "the message has not moved");
	for (int round = 0; round < 3; round++) {
		apart_reopen(m);
		if (newer_count(m) != 1)
			model_broken(m, "round %d: %u entries", round, newer_count(m));
		model_churn(m, 100);
	}
	if (m->spool->index.segment_count > 8)
		model_broken(m, "the segment of the entry is not freed");
	apart_reopen(m);
	model_check(m);
	model_finish_all(m);
	if (newer_count(m) != 0)
		model_broken(m, "%u entries of finished messages", newer_count(m));
	return unknown_end(m);
}

static void
apart_finish(struct model *m)
{
	struct spool_entry e[MODEL_RECIPIENTS] = {{.kind = SPOOL_STATUS}};
	struct spool_batch b = {.entries = e, .count = m->messages[0].recipient_count};

	for (uint32_t n = 0; n < b.count; n++) {
		e[n] = (struct spool_entry){.kind = SPOOL_STATUS, .id = m->messages[0].id};
		e[n].status.number = n + 1;
		e[n].status.outcome = SPOOL_DONE;
		e[n].status.is_settled = true;
	}
	if (spool_append(m->spool, &b) != 0)
		model_broken(m, "append: errno %d", errno);
	model_turn(m);
	m->messages[0].fate = MODEL_NONE;
}

/* Its message is settled, and the segment of that message is free: nothing in the log shows any
 * more that it existed. */
static bool
entries_of_no_message_go_at_the_start(void)
{
	struct model *m = apart_begin(21);
	uint64_t entry = apart_entry_generation(m);

	apart_finish(m);
	apart_free_first(m);
	if (newer_count(m) != 0)
		model_broken(m, "%u entries of a finished message", newer_count(m));
	if (m->spool->index.oldest->generation > entry)
		model_broken(m, "the segment of the entry is gone");
	apart_reopen(m);
	if (newer_count(m) != 0 || m->spool->index.unknown.bytes != 0)
		model_broken(m, "%u entries of no message", newer_count(m));
	model_check(m);
	return unknown_end(m);
}

/* The frame of a copied entry names its message; it must not undo what is answered meanwhile. */
static bool
a_hold_during_the_copy_stands(void)
{
	struct model *m = apart_begin(22);
	struct spool_entry e = {.kind = SPOOL_HOLD, .id = m->messages[0].id};
	struct spool_batch b = {.entries = &e, .count = 1, .urgency = SPOOL_NOW};
	struct spool_message found;
	uint64_t before;

	apart_free_first(m);
	m->spool->copies.next_ms = INT64_MAX;
	model_churn(m, 60);
	before = apart_entry_generation(m);
	if (m->spool->index.oldest->generation != before)
		model_broken(m, "its segment is not the oldest");
	e.hold.is_held = true;
	e.hold.why = STR("by hand");
	if (spool_append(m->spool, &b) != 0)
		model_broken(m, "append: errno %d", errno);
	m->spool->copies.next_ms = 0;
	spool_dispatch(m->spool);
	for (int n = 0; n < 5; n++)
		model_turn(m);
	if (newer_count(m) != 1 || apart_entry_generation(m) == before)
		model_broken(m, "the entry was not copied");
	apart_reopen(m);
	if (!spool_find(m->spool, e.id, &found) || !found.is_held)
		model_broken(m, "the hold is undone");
	return unknown_end(m);
}

/* Writes this version into a segment's header, with the right checksum. */
static void
set_header_version(struct model *m, uint32_t version)
{
	struct str s = simdisk_bytes(m->disk, "seg-00000001");
	char *p = (char *)(uintptr_t)s.p;
	uint32_t crc;

	memcpy(p + 8, &version, 4);
	crc = crc32c(0, p, 36);
	memcpy(p + 36, &crc, 4);
}

static bool
newer_segments_are_refused(void)
{
	struct model *m = model_new(8);
	struct spool_options o = unknown_options;

	if (!unknown_open(m))
		model_broken(m, "cannot be opened");
	model_submit(m, 1000, false);
	model_turn(m);
	model_close(m);
	set_header_version(m, 2);
	if (unknown_open(m) || errno != EPROTO)
		model_broken(m, "not refused: errno %d", errno);
	model_close(m);
	/* damage may be accepted, a newer version may not */
	o.io = simdisk_io(m->disk);
	o.accept_damage = true;
	if (model_open(m, &o) || errno != EPROTO)
		model_broken(m, "not refused where damage is accepted: errno %d", errno);
	model_close(m);
	set_header_version(m, 1);
	if (unknown_open(m))
		model_check(m);
	else
		model_broken(m, "changed although it was refused");
	return unknown_end(m);
}

/* ---- cases ---- */

static const struct crash_case unknown_cases[] = {
    {"entries that must be understood, and newer frames, stop the start",
	critical_types_are_refused},
    {"other entries of a newer version are kept through compaction", other_types_are_kept},
    {"an entry that stands before its message is kept", entries_before_their_message_are_kept},
    {"an entry without a message is dropped at the start", entries_of_no_message_go_at_the_start},
    {"a hold that is answered while an entry is copied stands", a_hold_during_the_copy_stands},
    {"a newer segment stops the start", newer_segments_are_refused},
};

int
main(void)
{
	return cases_run(unknown_cases, sizeof unknown_cases / sizeof *unknown_cases);
}
