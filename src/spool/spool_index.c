/*
 * spool_index: see the header.
 */
#include "spool/spool_index.h"

#include "base/log.h"
#include "base/mem.h"

struct key {
	char bytes[12];
};

static struct str
key_of(struct msgid id, struct key *k)
{
	memcpy(k->bytes, &id.session, 8);
	memcpy(k->bytes + 8, &id.number, 4);
	return str_make(k->bytes, sizeof k->bytes);
}

void
index_init(struct index *x)
{
	*x = (struct index){.items = map_new()};
	unknown_init(&x->unknown);
}

static void
free_note(struct note *n)
{
	mem_free((char *)(uintptr_t)n->name.p);
	mem_free((char *)(uintptr_t)n->value.p);
	mem_free(n);
}

static void
free_item(struct str key, void *value, void *arg)
{
	struct item *i = value;

	(void)key;
	(void)arg;
	item_free(&i);
}

void
index_clear(struct index *x, struct fsio *io)
{
	if (x->items)
		map_each(x->items, free_item, NULL);
	map_free(&x->items);
	for (struct note *n = x->notes, *next; n; n = next) {
		next = n->next;
		free_note(n);
	}
	while (x->oldest) {
		struct segment *s = index_take_oldest(x);

		segment_free(&s, io);
	}
	x->notes = NULL;
	unknown_clear(&x->unknown);
}

struct item *
index_find(const struct index *x, struct msgid id)
{
	struct key k;

	return map_get(x->items, key_of(id, &k));
}

struct item *
index_add(struct index *x, struct msgid id, uint32_t recipient_count)
{
	struct item *i = item_new(id, recipient_count);
	struct key k;

	map_put(x->items, key_of(id, &k), i);
	return i;
}

void
index_remove(struct index *x, struct item *i)
{
	struct key k;

	map_remove(x->items, key_of(i->id, &k));
	unknown_forget(&x->unknown, i->id);
	if (i->segment) {
		x->live_bytes -= i->frame_bytes;
		x->file_bytes -= i->in_file ? i->body_bytes : 0;
	}
	item_free(&i);
}

static void
apply_message(struct index *x, const struct record *r, const struct index_place *at)
{
	const struct spool_entry *e = &r->entry;
	struct item *i = index_find(x, e->id);

	if (id_ms(e->id.session) > x->newest_ms)
		x->newest_ms = id_ms(e->id.session);
	if (!i)
		i = index_add(x, e->id, e->message.recipient_count);
	if (i->recipient_count != e->message.recipient_count)
		return;
	if (i->segment) {
		x->live_bytes -= i->frame_bytes;
		x->file_bytes -= i->in_file ? i->body_bytes : 0;
		/* its content was lost: what is left of the body has another name by now */
		if (i->in_file && !e->message.in_file && x->gone)
			x->gone(i->id, INDEX_BODY, x->arg);
	}
	x->lost_count += i->is_aside && !i->is_lost && e->message.is_lost;
	i->is_lost = e->message.is_lost;
	i->envelope_bytes = (uint32_t)e->message.envelope.n;
	i->header_bytes = (uint32_t)e->message.header.n;
	i->body_bytes = r->body_bytes;
	i->in_file = e->message.in_file;
	item_set_readable(i);
	i->mismatches = 0;
	item_move(i, at->segment, at->offset, at->bytes);
	x->live_bytes += i->frame_bytes;
	x->file_bytes += i->in_file ? i->body_bytes : 0;
}

static void
apply_status(struct index *x, const struct spool_entry *e)
{
	struct item *i = index_find(x, e->id);

	/* of a message that is gone: its segment was freed, the statuses after it not yet */
	if (!i || !i->segment)
		return;
	item_set_status(i, &e->status);
	index_review(x, i);
}

void
index_review(struct index *x, struct item *i)
{
	unsigned files = (i->in_file ? INDEX_BODY : 0) |
	    (i->is_aside && !i->is_lost ? INDEX_ASIDE : 0);

	if (i->open > 0 || (i->segment && !item_is_settled(i)))
		return;
	if (i->segment && files && x->gone)
		x->gone(i->id, files, x->arg);
	index_remove(x, i);
}

struct note *
index_find_note(const struct index *x, struct str name)
{
	struct note *n = x->notes;

	while (n && !str_eq(n->name, name))
		n = n->next;
	return n;
}

static struct note *
add_note(struct index *x, struct str name)
{
	struct note *n;

	if (x->note_count >= INDEX_NOTES_MAX)
		return NULL;
	n = MEM_NEW(struct note);
	n->name = str_make(mem_text(name.p, name.n), name.n);
	n->next = x->notes;
	x->notes = n;
	x->note_count++;
	return n;
}

static void
apply_note(struct index *x, const struct spool_entry *e, struct segment *s)
{
	struct note *n = index_find_note(x, e->note.name);

	if (!n)
		n = add_note(x, e->note.name);
	if (!n)
		return;
	mem_free((char *)(uintptr_t)n->value.p);
	n->value = str_make(mem_text(e->note.value.p, e->note.value.n), e->note.value.n);
	n->segment = s;
}

/* While the log is read the message may come later: compaction has moved it on. */
static void
apply_unknown(struct index *x, const struct record *r, const struct index_place *at)
{
	struct msgid owner = unknown_owner(at->payload);

	if (!x->is_whole || !owner.session || index_find(x, owner))
		unknown_keep(&x->unknown, r, owner, at->segment);
}

void
index_apply(struct index *x, const struct record *r, const struct index_place *at)
{
	struct item *i;

	switch (r->type) {
	case RECORD_MESSAGE:
		apply_message(x, r, at);
		break;
	case RECORD_STATUS:
		apply_status(x, &r->entry);
		break;
	case RECORD_HOLD:
		i = index_find(x, r->entry.id);
		if (i && i->segment)
			item_set_hold(i, r->entry.hold.is_held, r->entry.hold.why);
		break;
	case RECORD_NOTE:
		apply_note(x, &r->entry, at->segment);
		break;
	case RECORD_SEAL:
		break;
	default:
		apply_unknown(x, r, at);
		break;
	}
}

static bool
index_has(struct msgid id, void *arg)
{
	return index_find(arg, id) != NULL;
}

bool
index_end_replay(struct index *x)
{
	x->is_whole = true;
	unknown_review(&x->unknown, index_has, x);
	return !x->unknown.is_full;
}

void
index_add_segment(struct index *x, struct segment *s)
{
	s->next = NULL;
	if (x->newest)
		x->newest->next = s;
	else
		x->oldest = s;
	x->newest = s;
	x->segment_count++;
	x->kept_count += s->is_kept;
}

struct segment *
index_take_oldest(struct index *x)
{
	struct segment *s = x->oldest;

	x->oldest = s->next;
	if (!x->oldest)
		x->newest = NULL;
	x->segment_count--;
	x->kept_count -= s->is_kept;
	s->next = NULL;
	return s;
}
