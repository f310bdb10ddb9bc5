/*
 * lost_messages: collects the messages in damaged ranges, the gaps between messages, and the
 * statuses of messages that the log does not contain.  lost_messages_report.c logs them.
 */
#include "spool/lost_messages_state.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/metrics.h"

enum {
	LOST_MESSAGES_TEXT_BYTES = 600,
	LOST_MESSAGES_MAX = 100000,
	LOST_MESSAGES_PIECE_BYTES = 1 << 20,
};

struct lost_messages_key {
	char bytes[16];
};

static struct str
lost_messages_make_key(struct msgid id, uint32_t recipient, struct lost_messages_key *k)
{
	memcpy(k->bytes, &id.session, 8);
	memcpy(k->bytes + 8, &id.number, 4);
	memcpy(k->bytes + 12, &recipient, 4);
	return str_make(k->bytes, sizeof k->bytes);
}

static struct lost_messages *
lost_messages_of(struct replay *r)
{
	if (!r->lost_messages) {
		r->lost_messages = MEM_NEW(struct lost_messages);
		*r->lost_messages = (struct lost_messages){.recovery = r->spool->recovery,
		    .waiting = map_new(), .messages = map_new()};
	}
	return r->lost_messages;
}

/* ---- what is left of records ---- */

static struct str
lost_messages_addresses(const struct lost_messages *l, const struct frame_entry *r)
{
	struct str text;
	struct buf out;

	buf_init(&out, LOST_MESSAGES_TEXT_BYTES);
	if (l->recovery && l->recovery->describe)
		l->recovery->describe(r->entry.message.envelope, &out, l->recovery->arg);
	text = str_make(mem_text(out.n ? out.p : "", out.n), out.n);
	buf_clear(&out);
	return text;
}

/* What is left of a frame of this segment. */
struct lost_messages_frame {
	const struct segment *segment;
	uint32_t at;
	struct frame_header header;
	struct str payload;              /* shorter where the file ends before it */
	bool is_readable;                /* it is undamaged, in a file that is set aside */
};

static void
lost_messages_scan_message(
    struct lost_messages *l, const struct lost_messages_frame *f, const struct frame_entry *r)
{
	struct lost_messages_damaged *m;
	struct lost_messages_key k;
	struct str key = lost_messages_make_key(r->entry.id, 0, &k);

	if (map_get(l->messages, key) || map_count(l->messages) >= LOST_MESSAGES_MAX)
		return;
	m = MEM_NEW(struct lost_messages_damaged);
	*m = (struct lost_messages_damaged){.id = r->entry.id,
	    .slot = f->segment->slot,
	    .offset = f->at,
	    .is_readable = f->is_readable};
	m->addresses = lost_messages_addresses(l, r);
	m->recipient_count = r->entry.message.recipient_count;
	m->is_settled = mem_new(m->recipient_count * sizeof *m->is_settled);
	map_put(l->messages, key, m);
}

static void
lost_messages_apply_status(struct lost_messages *l, const struct spool_entry *e)
{
	struct lost_messages_key k;
	struct lost_messages_damaged *m =
	    map_get(l->messages, lost_messages_make_key(e->id, 0, &k));
	uint32_t n = e->status.number - 1;

	if (!m || !e->status.is_settled || n >= m->recipient_count || m->is_settled[n])
		return;
	m->is_settled[n] = true;
	m->settled_count++;
}

/* Zeros stand in for bytes after the end of the file.  Does what is left of the frame name all its
 * messages? */
static bool
lost_messages_scan_frame(struct lost_messages *l, const struct lost_messages_frame *f)
{
	char *padded = mem_new(f->header.payload_bytes + 1);
	struct str rest = str_make(padded, f->header.payload_bytes);
	uint32_t entries = 0;
	struct frame_entry r;
	bool bad;

	memcpy(padded, f->payload.p, f->payload.n);
	while (frame_next_entry(&rest, &r, &bad)) {
		entries += frame_is_known((uint32_t)r.type);
		if (r.type == FRAME_MESSAGE)
			lost_messages_scan_message(l, f, &r);
		else if (r.type == FRAME_STATUS && f->is_readable)
			lost_messages_apply_status(l, &r.entry);
	}
	mem_free(padded);
	return entries == f->header.entries;
}

/* Do frames fill the range one after the other, and does what is left of them name all their
 * messages? */
static bool
lost_messages_scan_bytes(
    struct replay *r, const struct segment *g, struct str bytes, uint32_t from, bool is_file)
{
	uint64_t sequence = r->last_sequence, filled = from;
	struct lost_messages_frame f = {.segment = g};
	bool is_named = true;

	for (uint32_t at = from; at + FRAME_HEADER_BYTES < bytes.n; at += FRAME_ALIGN) {
		if (at % LOST_MESSAGES_PIECE_BYTES == 0)
			metrics_progress();
		if (!frame_header_read(str_from(bytes, at), g->tag, &f.header))
			continue;
		f.at = at;
		f.payload = str_upto(
		    str_from(bytes, at + FRAME_HEADER_BYTES), f.header.payload_bytes);
		f.is_readable = is_file && frame_check(str_from(bytes, at), g->tag, &f.header);
		if (!lost_messages_scan_frame(lost_messages_of(r), &f) || at != filled ||
		    f.header.sequence <= sequence)
			is_named = false;
		sequence = f.header.sequence;
		filled = (uint64_t)at + f.header.span;
	}
	return is_named && filled >= bytes.n;
}

void
lost_messages_scan_damage(
    struct replay *r, const struct segment *g, struct str bytes, uint32_t from)
{
	(void)lost_messages_scan_bytes(r, g, bytes, from, false);
}

void
lost_messages_scan_file(struct replay *r, const struct segment *g, struct str bytes)
{
	(void)lost_messages_scan_bytes(r, g, bytes, SEGMENT_DATA, true);
}

/* ---- missing segments and ranges ---- */

static void
lost_messages_put_gap(struct lost_messages *l, struct lost_messages_gap gap)
{
	struct lost_messages_gap *last = &l->gaps[LOST_MESSAGES_GAPS_MAX - 1];

	if (l->gap_count < LOST_MESSAGES_GAPS_MAX) {
		l->gaps[l->gap_count++] = gap;
		return;
	}
	last->more++;
	last->after = (struct msgid){0, 0};
}

void
lost_messages_add_gap(struct replay *r, uint64_t generation)
{
	struct lost_messages *l = lost_messages_of(r);
	struct lost_messages_gap gap = {.generation = generation};
	const struct lost_messages_gap *last = &l->gaps[l->gap_count ? l->gap_count - 1 : 0];

	/* the range before the end of a truncated file is reported together with that end */
	if (l->gap_count > 0 && generation && last->generation == generation &&
	    !last->after.session) {
		gap.more = last->more;
		l->gap_count--;
	}
	lost_messages_put_gap(l, gap);
}

void
lost_messages_scan_stretch(
    struct replay *r, const struct segment *g, struct str bytes, uint32_t from)
{
	struct lost_messages *l = lost_messages_of(r);

	if (!lost_messages_scan_bytes(r, g, bytes, from, false))
		lost_messages_put_gap(l,
		    (struct lost_messages_gap){.generation = g->generation, .slot = g->slot,
			.from = from, .to = (uint32_t)bytes.n, .is_passed = true,
			.before = l->newest});
}

void
lost_messages_log_unfinished(const struct replay *r, const struct segment *g, uint32_t at)
{
	struct msgid before = r->lost_messages ? r->lost_messages->newest : (struct msgid){0, 0};
	char name[SEGMENT_NAME_BYTES], id[ID_NUMBER_TEXT_BYTES], after[96] = "";

	if (before.session)
		snprintf(after, sizeof after, " after the first line with \"id=%s\"",
		    msgid_text(before, 0, id));
	log_info("spool: what was written last to %s, at %u, is not whole, as a power cut leaves "
		 "it, and is dropped: it was not acknowledged then; if the disk has "
		 "damaged it since, the accept lines of its messages stand in this log%s",
	    segment_name(g->slot, name), at, after);
}

/* Compaction moves messages to newer segments.  So a message after the gap that is older than the
 * newest one before it does not limit the gap; nor does any message, if none stood before the gap
 * and segments were freed. */
void
lost_messages_pass_stored(struct replay *r, struct msgid id, uint64_t generation)
{
	struct lost_messages *l = lost_messages_of(r);

	for (unsigned i = 0; i < l->gap_count; i++) {
		struct lost_messages_gap *gap = &l->gaps[i];

		if (!gap->generation || gap->after.session ||
		    (!gap->is_passed && generation <= gap->generation))
			continue;
		if (!gap->is_passed)
			gap->before = l->newest;
		gap->is_passed = true;
		if (lost_messages_compare_ids(id, gap->before) > 0 &&
		    (gap->before.session || r->mark.freed == 0))
			gap->after = id;
	}
	if (lost_messages_compare_ids(id, l->newest) > 0)
		l->newest = id;
}

/* ---- of statuses ---- */

void
lost_messages_pass_status(struct replay *r, const struct spool_entry *e)
{
	struct lost_messages *l = r->lost_messages;
	struct lost_messages_recipient *missing;
	struct lost_messages_key k;

	if (l && map_count(l->messages) > 0)
		lost_messages_apply_status(l, e);
	if (!l || l->gap_count == 0)
		return;
	mem_free(map_remove(l->waiting, lost_messages_make_key(e->id, e->status.number, &k)));
	if (e->status.is_settled || index_find(&r->spool->index, e->id) ||
	    map_count(l->waiting) >= LOST_MESSAGES_MAX)
		return;
	missing = MEM_NEW(struct lost_messages_recipient);
	*missing = (struct lost_messages_recipient){e->id, e->status.number};
	map_put(l->waiting, lost_messages_make_key(e->id, e->status.number, &k), missing);
}

/* ---- the end ---- */

static void
lost_messages_free_damaged(struct str key, void *value, void *arg)
{
	struct lost_messages_damaged *m = value;

	(void)key;
	(void)arg;
	mem_free((char *)(uintptr_t)m->addresses.p);
	mem_free(m->is_settled);
	mem_free(m);
}

void
lost_messages_clear(struct replay *r)
{
	if (!r->lost_messages)
		return;
	map_each(r->lost_messages->messages, lost_messages_free_damaged, NULL);
	map_free_all(&r->lost_messages->waiting);
	map_free(&r->lost_messages->messages);
	mem_free(r->lost_messages);
	r->lost_messages = NULL;
}
