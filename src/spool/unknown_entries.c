/*
 * unknown_entries: all entries are in one list, in log order; a map finds those of one message.
 * An equal entry that is added again has moved.
 */
#include "spool/unknown_entries.h"

#include "base/mem.h"

struct msgid
unknown_entry_owner(struct str payload)
{
	struct frame_entry r;
	bool bad;

	while (frame_next_entry(&payload, &r, &bad))
		if (r.type == FRAME_MESSAGE || r.type == FRAME_STATUS || r.type == FRAME_HOLD)
			return r.entry.id;
	return (struct msgid){0};
}

static bool
unknown_entry_equals(const struct unknown_entry *u, const struct unknown_entry *other)
{
	return u->type == other->type && msgid_eq(u->owner, other->owner) &&
	    str_eq(u->bytes, other->bytes);
}

void
unknown_entries_init(struct unknown_entries *l)
{
	*l = (struct unknown_entries){.owners = NULL};
	TAILQ_INIT(&l->all);
}

static void
unknown_entries_insert(struct unknown_entries *l, const struct unknown_entry *new)
{
	struct unknown_entry *u = MEM_NEW(struct unknown_entry);
	char room[MSGID_KEY_BYTES];

	*u = *new;
	u->bytes = str_make(mem_text(new->bytes.p, new->bytes.n), new->bytes.n);
	l->bytes += u->bytes.n + sizeof *u;
	TAILQ_INSERT_TAIL(&l->all, u, link);
	if (!l->owners)
		l->owners = map_new();
	u->sibling = map_put(l->owners, msgid_key(u->owner, room), u);
}

void
unknown_entries_add(struct unknown_entries *l, const struct frame_entry *r, struct msgid owner,
    struct segment *segment)
{
	struct unknown_entry new = {.segment = segment,
	    .type = (uint32_t)r->type,
	    .owner = owner,
	    .bytes = r->unknown};
	char room[MSGID_KEY_BYTES];
	struct unknown_entry *u =
	    l->owners ? map_get(l->owners, msgid_key(owner, room)) : NULL;

	while (u && !unknown_entry_equals(u, &new))
		u = u->sibling;
	if (u) {
		u->segment = segment;
		u->is_moving = false;
	} else if (l->bytes + new.bytes.n + sizeof new > UNKNOWN_ENTRIES_READ_MAX) {
		l->is_full = true;
	} else {
		unknown_entries_insert(l, &new);
	}
}

void
unknown_entries_not_moved(struct unknown_entries *l, const struct frame_entry *r)
{
	struct unknown_entry *u;

	TAILQ_FOREACH(u, &l->all, link)
		if (u->type == (uint32_t)r->type && str_eq(u->bytes, r->unknown))
			u->is_moving = false;
}

/* Frees the entry and the following ones of the same owner. */
static void
unknown_entries_drop(struct unknown_entries *l, struct unknown_entry *u)
{
	for (struct unknown_entry *next; u; u = next) {
		next = u->sibling;
		TAILQ_REMOVE(&l->all, u, link);
		l->bytes -= u->bytes.n + sizeof *u;
		mem_free((char *)(uintptr_t)u->bytes.p);
		mem_free(u);
	}
}

void
unknown_entries_forget(struct unknown_entries *l, struct msgid owner)
{
	char room[MSGID_KEY_BYTES];

	if (!TAILQ_EMPTY(&l->all))
		unknown_entries_drop(l, map_remove(l->owners, msgid_key(owner, room)));
}

struct unknown_entries_review {
	struct unknown_entries *list;
	unknown_entry_exists_fn *fn;
	void *arg;
};

static void
unknown_entries_review_owner(struct str key, void *value, void *arg)
{
	const struct unknown_entries_review *review = arg;
	struct unknown_entry *first = value;

	(void)key;
	if (first->owner.session && !review->fn(first->owner, review->arg))
		unknown_entries_forget(review->list, first->owner);
}

void
unknown_entries_review(struct unknown_entries *l, unknown_entry_exists_fn *fn, void *arg)
{
	struct unknown_entries_review review = {l, fn, arg};

	if (l->owners)
		map_each(l->owners, unknown_entries_review_owner, &review);
	l->is_full |= l->bytes > UNKNOWN_ENTRIES_BYTES_MAX;
}

struct unknown_entry *
unknown_entries_next(const struct unknown_entries *l, const struct segment *segment,
    const struct unknown_entry *last)
{
	struct unknown_entry *u = last ? TAILQ_NEXT(last, link) : TAILQ_FIRST(&l->all);

	while (u && u->segment != segment)
		u = TAILQ_NEXT(u, link);
	return u;
}

static void
unknown_entries_clear_owner(struct str key, void *value, void *arg)
{
	(void)key;
	unknown_entries_drop(arg, value);
}

void
unknown_entries_clear(struct unknown_entries *l)
{
	if (l->owners)
		map_each(l->owners, unknown_entries_clear_owner, l);
	map_free(&l->owners);
	l->is_full = false;
}
