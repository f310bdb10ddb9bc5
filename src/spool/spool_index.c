/*
 * spool_index: messages are found by id in a hash table, whose buckets are chains within the
 * messages; each is also in the list of the segment of its record.  The few notes are in one list.
 */
#include "spool/spool_index.h"

#include "base/map.h"
#include "base/mem.h"

/* Messages for each bucket, on average, before there are twice as many. */
enum { INDEX_BUCKETS_FIRST = 64, INDEX_CHAIN = 1 };

void
index_init(struct spool_index *x)
{
	*x = (struct spool_index){.bucket_count = INDEX_BUCKETS_FIRST};
	slab_init(&x->messages, sizeof(struct stored_message));
	x->buckets = mem_new(x->bucket_count * sizeof *x->buckets);
	spool_statuses_init(&x->statuses);
	unknown_entries_init(&x->unknown);
}

static void
free_spool_note(struct spool_note *n)
{
	mem_free((char *)(uintptr_t)n->name.p);
	mem_free((char *)(uintptr_t)n->value.p);
	mem_free(n);
}

static void
index_clear_messages(struct spool_index *x)
{
	for (size_t n = 0; x->buckets && n < x->bucket_count; n++)
		while (x->buckets[n]) {
			struct stored_message *i = slab_at(&x->messages, x->buckets[n]);

			x->buckets[n] = i->next_in_bucket;
			stored_message_free(&i);
		}
	mem_free(x->buckets);
	x->buckets = NULL;
	slab_clear(&x->messages);
}

void
index_clear(struct spool_index *x, struct fsio *io)
{
	index_clear_messages(x);
	spool_statuses_clear(&x->statuses);
	for (struct spool_note *n = x->notes, *next; n; n = next) {
		next = n->next;
		free_spool_note(n);
	}
	while (x->oldest) {
		struct segment *s = index_take_oldest(x);

		segment_free(&s, io);
	}
	x->notes = NULL;
	unknown_entries_clear(&x->unknown);
}

static size_t
index_bucket(const struct spool_index *x, struct msgid id)
{
	char room[MSGID_KEY_BYTES];

	return map_hash(msgid_key(id, room)) & (x->bucket_count - 1);
}

size_t
index_count(const struct spool_index *x)
{
	return x->messages.count;
}

struct stored_message *
index_find(const struct spool_index *x, struct msgid id)
{
	struct stored_message *i = slab_at(&x->messages, x->buckets[index_bucket(x, id)]);

	while (i && !msgid_eq(i->id, id))
		i = slab_at(&x->messages, i->next_in_bucket);
	return i;
}

static void
index_link(struct spool_index *x, struct stored_message *i)
{
	uint32_t *bucket = &x->buckets[index_bucket(x, i->id)];

	i->next_in_bucket = *bucket;
	*bucket = slab_number(i);
}

static void
index_unlink(struct spool_index *x, struct stored_message *i)
{
	uint32_t *at = &x->buckets[index_bucket(x, i->id)], number = slab_number(i);

	while (*at != number)
		at = &((struct stored_message *)slab_at(&x->messages, *at))->next_in_bucket;
	*at = i->next_in_bucket;
}

static void
index_grow(struct spool_index *x)
{
	uint32_t *before = x->buckets;
	size_t count = x->bucket_count;

	x->bucket_count *= 2;
	x->buckets = mem_new(x->bucket_count * sizeof *x->buckets);
	for (size_t n = 0; n < count; n++)
		for (uint32_t number = before[n]; number;) {
			struct stored_message *i = slab_at(&x->messages, number);

			number = i->next_in_bucket;
			index_link(x, i);
		}
	mem_free(before);
}

struct stored_message *
index_add(struct spool_index *x, struct msgid id, uint32_t recipient_count)
{
	struct stored_message *i = stored_message_new(&x->messages, id, recipient_count);

	index_link(x, i);
	if (x->messages.count > INDEX_CHAIN * x->bucket_count)
		index_grow(x);
	return i;
}

static void
index_uncount(struct spool_index *x, const struct stored_message *i)
{
	x->live_bytes -= i->frame_bytes;
	x->file_bytes -= i->in_file ? stored_message_body_bytes(i) : 0;
}

void
index_remove(struct spool_index *x, struct stored_message *i)
{
	index_unlink(x, i);
	unknown_entries_forget(&x->unknown, i->id);
	spool_statuses_forget(&x->statuses, i->id);
	if (i->segment)
		index_uncount(x, i);
	stored_message_free(&i);
}

static void
index_apply_message(
    struct spool_index *x, const struct frame_entry *r, const struct index_position *at)
{
	const struct spool_entry *e = &r->entry;
	struct stored_message *i = index_find(x, e->id);

	if (id_ms(e->id.session) > x->newest_ms)
		x->newest_ms = id_ms(e->id.session);
	if (!i)
		i = index_add(x, e->id, e->message.recipient_count);
	if (i->recipient_count != e->message.recipient_count)
		return;
	if (i->segment) {
		index_uncount(x, i);
		/* its content was lost: what is left of the body has another name already */
		if (i->in_file && !e->message.in_file && x->unneeded)
			x->unneeded(i->id, INDEX_BODY, x->arg);
	}
	x->lost_count += i->has_set_aside && !i->is_lost && e->message.is_lost;
	stored_message_set_sizes(i, r);
	stored_message_set_readable(i);
	i->mismatches = 0;
	stored_message_move(i, at->segment, at->offset, at->bytes);
	x->live_bytes += i->frame_bytes;
	x->file_bytes += i->in_file ? stored_message_body_bytes(i) : 0;
}

static void
index_apply_status(struct spool_index *x, const struct spool_entry *e)
{
	struct stored_message *i = index_find(x, e->id);

	/* a message that was removed: its segment was freed, the later statuses were not yet */
	if (!i || !i->segment)
		return;
	if (e->status.is_settled)
		stored_message_settle(i, e->status.number);
	spool_statuses_apply(&x->statuses, i, &e->status);
	index_remove_if_done(x, i);
}

void
index_remove_if_done(struct spool_index *x, struct stored_message *i)
{
	unsigned files = (i->in_file ? INDEX_BODY : 0) |
	    (i->has_set_aside && !i->is_lost ? INDEX_SET_ASIDE : 0);

	if (i->open_appends > 0 || (i->segment && !stored_message_is_settled(i)))
		return;
	if (i->segment && files && x->unneeded)
		x->unneeded(i->id, files, x->arg);
	index_remove(x, i);
}

struct spool_note *
index_find_note(const struct spool_index *x, struct str name)
{
	struct spool_note *n = x->notes;

	while (n && !str_eq(n->name, name))
		n = n->next;
	return n;
}

static struct spool_note *
index_add_note(struct spool_index *x, struct str name)
{
	struct spool_note *n;

	if (x->note_count >= INDEX_NOTES_MAX)
		return NULL;
	n = MEM_NEW(struct spool_note);
	n->name = str_make(mem_text(name.p, name.n), name.n);
	n->next = x->notes;
	x->notes = n;
	x->note_count++;
	return n;
}

static void
index_apply_note(struct spool_index *x, const struct spool_entry *e, struct segment *s)
{
	struct spool_note *n = index_find_note(x, e->note.name);

	if (!n)
		n = index_add_note(x, e->note.name);
	if (!n)
		return;
	mem_free((char *)(uintptr_t)n->value.p);
	n->value = str_make(mem_text(e->note.value.p, e->note.value.n), e->note.value.n);
	n->segment = s;
}

/* While the log is read the message may still follow: compaction has moved it. */
static void
index_apply_unknown(
    struct spool_index *x, const struct frame_entry *r, const struct index_position *at)
{
	struct msgid owner = unknown_entry_owner(at->payload);

	if (!x->is_whole || !owner.session || index_find(x, owner))
		unknown_entries_add(&x->unknown, r, owner, at->segment);
}

void
index_apply(struct spool_index *x, const struct frame_entry *r, const struct index_position *at)
{
	struct stored_message *i;

	switch (r->type) {
	case FRAME_MESSAGE:
		index_apply_message(x, r, at);
		break;
	case FRAME_STATUS:
		index_apply_status(x, &r->entry);
		break;
	case FRAME_HOLD:
		i = index_find(x, r->entry.id);
		if (i && i->segment)
			stored_message_set_hold(i, r->entry.hold.is_held, r->entry.hold.why);
		break;
	case FRAME_NOTE:
		index_apply_note(x, &r->entry, at->segment);
		break;
	case FRAME_SEAL:
		break;
	default:
		index_apply_unknown(x, r, at);
		break;
	}
}

static bool
index_has_message(struct msgid id, void *arg)
{
	return index_find(arg, id) != NULL;
}

bool
index_end_replay(struct spool_index *x)
{
	x->is_whole = true;
	unknown_entries_review(&x->unknown, index_has_message, x);
	return !x->unknown.is_full;
}

void
index_add_segment(struct spool_index *x, struct segment *s)
{
	s->next = NULL;
	if (x->newest)
		x->newest->next = s;
	else
		x->oldest = s;
	x->newest = s;
	x->segment_count++;
	x->unusable_count += s->is_unusable;
}

struct segment *
index_take_oldest(struct spool_index *x)
{
	struct segment *s = x->oldest;

	x->oldest = s->next;
	if (!x->oldest)
		x->newest = NULL;
	x->segment_count--;
	x->unusable_count -= s->is_unusable;
	s->next = NULL;
	return s;
}
