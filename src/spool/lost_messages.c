/*
 * lost_messages: see the header.
 */
#include "spool/lost_messages_state.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "mail/envelope.h"

enum {
	LOSSES_ARENA_MAX = 1 << 20,
	LOSSES_TEXT_BYTES = 600,
	LOSSES_NAMED = 3,                /* recipients in one line */
	LOSSES_KEPT_MAX = 100000,
	LOSSES_PIECE_BYTES = 1 << 20,
};

struct losses_key {
	char bytes[16];
};

static struct str
losses_key_of(struct msgid id, uint32_t recipient, struct losses_key *k)
{
	memcpy(k->bytes, &id.session, 8);
	memcpy(k->bytes + 8, &id.number, 4);
	memcpy(k->bytes + 12, &recipient, 4);
	return str_make(k->bytes, sizeof k->bytes);
}

static struct losses *
losses_of(struct replay *r)
{
	if (!r->losses) {
		r->losses = MEM_NEW(struct losses);
		*r->losses = (struct losses){.waiting = map_new(), .messages = map_new()};
	}
	return r->losses;
}

/* ---- of what is left of a record ---- */

static struct str
losses_people(const struct record *r)
{
	struct str bytes = r->entry.message.envelope, text;
	struct envelope e;
	struct arena arena;
	struct buf out;

	arena_init(&arena, LOSSES_ARENA_MAX);
	buf_init(&out, LOSSES_TEXT_BYTES);
	if (envelope_decode(bytes, &arena, &e)) {
		buf_adds(&out, STR(" from <"));
		buf_adds(&out, e.sender);
		for (uint32_t i = 0; i < e.recipient_count && i < LOSSES_NAMED; i++) {
			buf_adds(&out, i ? STR(">, <") : STR("> to <"));
			buf_adds(&out, e.recipients[i].address);
		}
		buf_adds(&out, STR(">"));
		if (e.recipient_count > LOSSES_NAMED)
			buf_adds(&out, STR(" and others"));
	}
	text = str_make(mem_text(out.n ? out.p : "", out.n), out.n);
	buf_clear(&out);
	arena_clear(&arena);
	return text;
}

/* What is left of a frame of this segment. */
struct losses_frame {
	const struct segment *segment;
	uint32_t at;
	struct record_frame header;
	struct str payload;              /* shorter where the file ends before it */
	bool is_kept;                    /* it is whole, in a file that is set aside */
};

static void
losses_see_message(struct losses *l, const struct losses_frame *f, const struct record *r)
{
	struct losses_message *m;
	struct losses_key k;
	struct str key = losses_key_of(r->entry.id, 0, &k);

	if (map_get(l->messages, key) || map_count(l->messages) >= LOSSES_KEPT_MAX)
		return;
	m = MEM_NEW(struct losses_message);
	*m = (struct losses_message){
	    .id = r->entry.id, .slot = f->segment->slot, .offset = f->at, .is_kept = f->is_kept};
	m->people = losses_people(r);
	m->recipient_count = r->entry.message.recipient_count;
	m->is_settled = mem_new(m->recipient_count * sizeof *m->is_settled);
	map_put(l->messages, key, m);
}

static void
losses_settle(struct losses *l, const struct spool_entry *e)
{
	struct losses_key k;
	struct losses_message *m = map_get(l->messages, losses_key_of(e->id, 0, &k));
	uint32_t n = e->status.number - 1;

	if (!m || !e->status.is_settled || n >= m->recipient_count || m->is_settled[n])
		return;
	m->is_settled[n] = true;
	m->settled_count++;
}

/* With zeros where the file ends before it.  Does what is left of it name all its messages? */
static bool
losses_see_frame(struct losses *l, const struct losses_frame *f)
{
	char *whole = mem_new(f->header.payload_bytes + 1);
	struct str rest = str_make(whole, f->header.payload_bytes);
	uint32_t entries = 0;
	struct record r;
	bool bad;

	memcpy(whole, f->payload.p, f->payload.n);
	while (record_next(&rest, &r, &bad)) {
		entries += record_is_known((uint32_t)r.type);
		if (r.type == RECORD_MESSAGE)
			losses_see_message(l, f, &r);
		else if (r.type == RECORD_STATUS && f->is_kept)
			losses_settle(l, &r.entry);
	}
	mem_free(whole);
	return entries == f->header.entries;
}

/* Do frames that follow each other fill it, and what is left of them names all their messages? */
static bool
losses_see_place(
    struct replay *r, const struct segment *g, struct str bytes, uint32_t from, bool is_file)
{
	uint64_t sequence = r->last_sequence, filled = from;
	struct losses_frame f = {.segment = g};
	bool is_named = true;

	for (uint32_t at = from; at + RECORD_HEADER_BYTES < bytes.n; at += RECORD_ALIGN) {
		if (at % LOSSES_PIECE_BYTES == 0)
			metrics_progress();
		if (!record_frame_read(str_from(bytes, at), g->tag, &f.header))
			continue;
		f.at = at;
		f.payload = str_upto(
		    str_from(bytes, at + RECORD_HEADER_BYTES), f.header.payload_bytes);
		f.is_kept = is_file && record_frame_check(str_from(bytes, at), g->tag, &f.header);
		if (!losses_see_frame(losses_of(r), &f) || at != filled ||
		    f.header.sequence <= sequence)
			is_named = false;
		sequence = f.header.sequence;
		filled = (uint64_t)at + f.header.span;
	}
	return is_named && filled >= bytes.n;
}

void
losses_see_damage(struct replay *r, const struct segment *g, struct str bytes, uint32_t from)
{
	(void)losses_see_place(r, g, bytes, from, false);
}

void
losses_see_file(struct replay *r, const struct segment *g, struct str bytes)
{
	(void)losses_see_place(r, g, bytes, SEGMENT_DATA, true);
}

/* ---- of what is not there ---- */

static void
losses_put_gap(struct losses *l, struct losses_gap gap)
{
	struct losses_gap *last = &l->gaps[LOSSES_GAPS_MAX - 1];

	if (l->gap_count < LOSSES_GAPS_MAX) {
		l->gaps[l->gap_count++] = gap;
		return;
	}
	last->more++;
	last->after = (struct msgid){0, 0};
}

void
losses_add_gap(struct replay *r, uint64_t generation)
{
	struct losses *l = losses_of(r);
	struct losses_gap gap = {.generation = generation};
	const struct losses_gap *last = &l->gaps[l->gap_count ? l->gap_count - 1 : 0];

	/* the stretch before the place where its file is cut short is told with its end */
	if (l->gap_count > 0 && generation && last->generation == generation &&
	    !last->after.session) {
		gap.more = last->more;
		l->gap_count--;
	}
	losses_put_gap(l, gap);
}

void
losses_see_stretch(struct replay *r, const struct segment *g, struct str bytes, uint32_t from)
{
	struct losses *l = losses_of(r);

	if (!losses_see_place(r, g, bytes, from, false))
		losses_put_gap(l,
		    (struct losses_gap){.generation = g->generation, .slot = g->slot,
			.from = from, .to = (uint32_t)bytes.n, .is_passed = true,
			.before = l->newest});
}

void
losses_tell_unfinished(const struct replay *r, const struct segment *g, uint32_t at)
{
	struct msgid before = r->losses ? r->losses->newest : (struct msgid){0, 0};
	char name[SEGMENT_NAME_BYTES], id[ID_NUMBER_TEXT_BYTES], behind[96] = "";

	if (before.session)
		snprintf(behind, sizeof behind, " behind the first line with \"id=%s\"",
		    msgid_text(before, 0, id));
	log_info("spool: what was written last to %s, at %u, is not whole, as a power cut leaves "
		 "it, and is dropped: then nobody was told that it is stored; if the disk has "
		 "damaged it since, the accept lines of its messages stand in this log%s",
	    segment_name(g->slot, name), at, behind);
}

/* Compaction moves messages on: of those behind a gap that are older than what stood before it
 * nothing follows; nor of any, if nothing stood before it and segments were freed. */
void
losses_see_stored(struct replay *r, struct msgid id, uint64_t generation)
{
	struct losses *l = losses_of(r);

	for (unsigned i = 0; i < l->gap_count; i++) {
		struct losses_gap *gap = &l->gaps[i];

		if (!gap->generation || gap->after.session ||
		    (!gap->is_passed && generation <= gap->generation))
			continue;
		if (!gap->is_passed)
			gap->before = l->newest;
		gap->is_passed = true;
		if (losses_compare(id, gap->before) > 0 &&
		    (gap->before.session || r->mark.freed == 0))
			gap->after = id;
	}
	if (losses_compare(id, l->newest) > 0)
		l->newest = id;
}

/* ---- of statuses ---- */

void
losses_see_status(struct replay *r, const struct spool_entry *e)
{
	struct losses *l = r->losses;
	struct losses_one *one;
	struct losses_key k;

	if (l && map_count(l->messages) > 0)
		losses_settle(l, e);
	if (!l || l->gap_count == 0)
		return;
	mem_free(map_remove(l->waiting, losses_key_of(e->id, e->status.number, &k)));
	if (e->status.is_settled || index_find(&r->spool->index, e->id) ||
	    map_count(l->waiting) >= LOSSES_KEPT_MAX)
		return;
	one = MEM_NEW(struct losses_one);
	*one = (struct losses_one){e->id, e->status.number};
	map_put(l->waiting, losses_key_of(e->id, e->status.number, &k), one);
}

/* ---- all of it ---- */

static void
losses_free_message(struct str key, void *value, void *arg)
{
	struct losses_message *m = value;

	(void)key;
	(void)arg;
	mem_free((char *)(uintptr_t)m->people.p);
	mem_free(m->is_settled);
	mem_free(m);
}

void
losses_clear(struct replay *r)
{
	if (!r->losses)
		return;
	map_each(r->losses->messages, losses_free_message, NULL);
	map_free_all(&r->losses->waiting);
	map_free(&r->losses->messages);
	mem_free(r->losses);
	r->losses = NULL;
}
