/*
 * unknown_entries: see the header.
 */
#include "spool/unknown_entries.h"

#include "base/mem.h"

struct msgid
unknown_owner(struct str payload)
{
	struct record r;
	bool bad;

	while (record_next(&payload, &r, &bad))
		if (r.type == RECORD_MESSAGE || r.type == RECORD_STATUS || r.type == RECORD_HOLD)
			return r.entry.id;
	return (struct msgid){0};
}

static bool
unknown_is(const struct unknown *u, const struct unknown *other)
{
	return u->type == other->type && msgid_eq(u->owner, other->owner) &&
	    str_eq(u->bytes, other->bytes);
}

struct unknown_key {
	char bytes[12];
};

static struct str
unknown_key_of(struct msgid owner, struct unknown_key *k)
{
	memcpy(k->bytes, &owner.session, 8);
	memcpy(k->bytes + 8, &owner.number, 4);
	return str_make(k->bytes, sizeof k->bytes);
}

void
unknown_init(struct unknown_list *l)
{
	*l = (struct unknown_list){.owners = NULL};
	TAILQ_INIT(&l->all);
}

static void
unknown_add(struct unknown_list *l, const struct unknown *new)
{
	struct unknown *u = MEM_NEW(struct unknown);
	struct unknown_key k;

	*u = *new;
	u->bytes = str_make(mem_text(new->bytes.p, new->bytes.n), new->bytes.n);
	l->bytes += u->bytes.n + sizeof *u;
	TAILQ_INSERT_TAIL(&l->all, u, link);
	if (!l->owners)
		l->owners = map_new();
	u->sibling = map_put(l->owners, unknown_key_of(u->owner, &k), u);
}

void
unknown_keep(struct unknown_list *l, const struct record *r, struct msgid owner,
    struct segment *segment)
{
	struct unknown new = {.segment = segment,
	    .type = (uint32_t)r->type,
	    .owner = owner,
	    .bytes = r->unknown};
	struct unknown_key k;
	struct unknown *u = l->owners ? map_get(l->owners, unknown_key_of(owner, &k)) : NULL;

	while (u && !unknown_is(u, &new))
		u = u->sibling;
	if (u) {
		u->segment = segment;
		u->is_moving = false;
	} else if (l->bytes + new.bytes.n + sizeof new > UNKNOWN_READ_MAX) {
		l->is_full = true;
	} else {
		unknown_add(l, &new);
	}
}

void
unknown_not_moved(struct unknown_list *l, const struct record *r)
{
	struct unknown *u;

	TAILQ_FOREACH(u, &l->all, link)
		if (u->type == (uint32_t)r->type && str_eq(u->bytes, r->unknown))
			u->is_moving = false;
}

/* With those of the same owner. */
static void
unknown_drop(struct unknown_list *l, struct unknown *u)
{
	for (struct unknown *next; u; u = next) {
		next = u->sibling;
		TAILQ_REMOVE(&l->all, u, link);
		l->bytes -= u->bytes.n + sizeof *u;
		mem_free((char *)(uintptr_t)u->bytes.p);
		mem_free(u);
	}
}

void
unknown_forget(struct unknown_list *l, struct msgid owner)
{
	struct unknown_key k;

	if (!TAILQ_EMPTY(&l->all))
		unknown_drop(l, map_remove(l->owners, unknown_key_of(owner, &k)));
}

struct unknown_look {
	struct unknown_list *list;
	unknown_is_there_fn *fn;
	void *arg;
};

static void
unknown_review_owner(struct str key, void *value, void *arg)
{
	const struct unknown_look *look = arg;
	struct unknown *first = value;

	(void)key;
	if (first->owner.session && !look->fn(first->owner, look->arg))
		unknown_forget(look->list, first->owner);
}

void
unknown_review(struct unknown_list *l, unknown_is_there_fn *fn, void *arg)
{
	struct unknown_look look = {l, fn, arg};

	if (l->owners)
		map_each(l->owners, unknown_review_owner, &look);
	l->is_full |= l->bytes > UNKNOWN_BYTES_MAX;
}

struct unknown *
unknown_in(const struct unknown_list *l, const struct segment *segment, const struct unknown *last)
{
	struct unknown *u = last ? TAILQ_NEXT(last, link) : TAILQ_FIRST(&l->all);

	while (u && u->segment != segment)
		u = TAILQ_NEXT(u, link);
	return u;
}

static void
unknown_clear_owner(struct str key, void *value, void *arg)
{
	(void)key;
	unknown_drop(arg, value);
}

void
unknown_clear(struct unknown_list *l)
{
	if (l->owners)
		map_each(l->owners, unknown_clear_owner, l);
	map_free(&l->owners);
	l->is_full = false;
}
