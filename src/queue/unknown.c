/*
 * unknown: see the header.
 */
#include "queue/unknown.h"

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

void
unknown_keep(struct unknown_list *l, const struct record *r, struct msgid owner,
    struct segment *segment)
{
	struct unknown new = {.segment = segment,
	    .type = (uint32_t)r->type,
	    .owner = owner,
	    .bytes = r->unknown};
	struct unknown **at = &l->first;

	for (; *at; at = &(*at)->next)
		if (unknown_is(*at, &new)) {
			(*at)->segment = segment;
			(*at)->is_moving = false;
			return;
		}
	if (l->bytes + new.bytes.n + sizeof new > UNKNOWN_BYTES_MAX) {
		l->is_full = true;
		return;
	}
	l->bytes += new.bytes.n + sizeof new;
	new.bytes = str_make(mem_text(new.bytes.p, new.bytes.n), new.bytes.n);
	*at = MEM_NEW(struct unknown);
	**at = new;
}

void
unknown_not_moved(struct unknown_list *l, const struct record *r)
{
	for (struct unknown *u = l->first; u; u = u->next)
		if (u->type == (uint32_t)r->type && str_eq(u->bytes, r->unknown))
			u->is_moving = false;
}

static void
unknown_drop(struct unknown_list *l, struct unknown **at)
{
	struct unknown *u = *at;

	*at = u->next;
	l->bytes -= u->bytes.n + sizeof *u;
	mem_free((char *)(uintptr_t)u->bytes.p);
	mem_free(u);
}

void
unknown_forget(struct unknown_list *l, struct msgid owner)
{
	struct unknown **at = &l->first;

	while (*at)
		if (msgid_eq((*at)->owner, owner))
			unknown_drop(l, at);
		else
			at = &(*at)->next;
}

struct unknown *
unknown_in(const struct unknown_list *l, const struct segment *segment, const struct unknown *last)
{
	struct unknown *u = last ? last->next : l->first;

	while (u && u->segment != segment)
		u = u->next;
	return u;
}

void
unknown_clear(struct unknown_list *l)
{
	while (l->first)
		unknown_drop(l, &l->first);
	l->is_full = false;
}
