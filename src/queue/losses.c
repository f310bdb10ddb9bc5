/*
 * losses: see the header.
 */
#include "queue/losses.h"

#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "mail/envelope.h"

enum {
	LOSSES_ARENA_MAX = 1 << 20,
	LOSSES_TEXT_BYTES = 600,
	LOSSES_NAMED = 3,                /* recipients in one line */
	LOSSES_KEPT_MAX = 100000,
	LOSSES_TOLD_MAX = 200,
};

/* ---- of what is left of a record ---- */

static void
losses_put_people(const struct envelope *e, struct buf *out)
{
	buf_adds(out, STR(" from <"));
	buf_adds(out, e->sender);
	for (uint32_t i = 0; i < e->recipient_count && i < LOSSES_NAMED; i++) {
		buf_adds(out, i ? STR(">, <") : STR("> to <"));
		buf_adds(out, e->recipients[i].address);
	}
	buf_adds(out, STR(">"));
	if (e->recipient_count > LOSSES_NAMED)
		buf_adds(out, STR(" and others"));
}

static void
losses_tell_message(const struct segment *g, uint32_t at, const struct record *r)
{
	char id[ID_NUMBER_TEXT_BYTES], name[SEGMENT_NAME_BYTES];
	struct envelope envelope;
	struct arena arena;
	struct buf people;

	arena_init(&arena, LOSSES_ARENA_MAX);
	buf_init(&people, LOSSES_TEXT_BYTES);
	if (envelope_decode(r->entry.message.envelope, &arena, &envelope))
		losses_put_people(&envelope, &people);
	log_error("spool: what stands at %u of %s is in message %s%.*s: it is lost, unless it had "
		  "come to its end; nobody is told of it but by this line: ask the sender to send "
		  "it again", at, segment_name(g->slot, name), msgid_text(r->entry.id, 0, id),
	    (int)people.n, people.n ? people.p : "");
	buf_clear(&people);
	arena_clear(&arena);
}

void
losses_tell_messages(
    const struct segment *g, struct str bytes, uint32_t from, const struct index *known)
{
	struct record_frame f;
	struct record r;
	bool bad;

	for (uint32_t at = from; at + RECORD_HEADER_BYTES < bytes.n; at += RECORD_ALIGN) {
		struct str rest = str_from(bytes, at + RECORD_HEADER_BYTES);

		if (!record_frame_read(str_from(bytes, at), g->tag, &f))
			continue;
		rest = str_upto(rest, f.payload_bytes);
		while (record_next(&rest, &r, &bad))
			if (r.type == RECORD_MESSAGE && !(known && index_find(known, r.entry.id)))
				losses_tell_message(g, at, &r);
	}
}

/* ---- of statuses ---- */

struct losses_key {
	char bytes[16];
};

struct losses_one {
	struct msgid id;
	uint32_t recipient;
};

static struct str
losses_key_of(const struct spool_entry *e, struct losses_key *k)
{
	memcpy(k->bytes, &e->id.session, 8);
	memcpy(k->bytes + 8, &e->id.number, 4);
	memcpy(k->bytes + 12, &e->status.number, 4);
	return str_make(k->bytes, sizeof k->bytes);
}

void
losses_see_status(struct replay *r, const struct spool_entry *e)
{
	struct losses_one *one;
	struct losses_key k;

	if (!r->has_loss)
		return;
	if (!r->waiting)
		r->waiting = map_new();
	mem_free(map_remove(r->waiting, losses_key_of(e, &k)));
	if (e->status.is_settled || index_find(&r->spool->index, e->id) ||
	    map_count(r->waiting) >= LOSSES_KEPT_MAX)
		return;
	one = MEM_NEW(struct losses_one);
	*one = (struct losses_one){e->id, e->status.number};
	map_put(r->waiting, losses_key_of(e, &k), one);
}

struct losses_tally {
	const struct replay *replay;
	unsigned count;
};

static void
losses_tell_one(struct str key, void *value, void *arg)
{
	const struct losses_one *one = value;
	struct losses_tally *t = arg;
	char id[ID_NUMBER_TEXT_BYTES];

	(void)key;
	if (index_find(&t->replay->spool->index, one->id))
		return;
	if (t->count++ < LOSSES_TOLD_MAX)
		log_error("spool: the message of recipient %s is missing, and was still being "
			  "tried", msgid_text(one->id, one->recipient, id));
}

void
losses_tell_missing(struct replay *r)
{
	struct losses_tally t = {r, 0};

	if (!r->has_loss)
		return;
	if (r->waiting)
		map_each(r->waiting, losses_tell_one, &t);
	log_error("spool: %u recipients of missing messages are known, %u of them are named above; "
		  "messages that had not been tried yet cannot be named: look for their accept "
		  "lines in this log",
	    t.count, t.count < LOSSES_TOLD_MAX ? t.count : LOSSES_TOLD_MAX);
}

static void
losses_free_one(struct str key, void *value, void *arg)
{
	(void)key;
	(void)arg;
	mem_free(value);
}

void
losses_clear(struct replay *r)
{
	if (r->waiting)
		map_each(r->waiting, losses_free_one, NULL);
	map_free(&r->waiting);
}
