/*
 * list_index: open addressing with linear steps; at least half of the slots are unused, so each
 * search ends. The hash has no secret key, because clients choose no stored key. Nothing is
 * removed, and nothing changes after list_index_end. A key that is too long for its room is not
 * found.
 */
#include "conf/list_index.h"

#include "base/hash.h"

/* The slot of the key, or the unused one where it belongs.  The keys come from the
 * administrator. */
static struct list_index_entry *
list_index_slot(struct list_index_entry *slots, size_t mask, struct str key)
{
	size_t i = hash_bytes((struct hash_key){0, 0}, key) & mask;

	while (slots[i].key.p && !str_eq(slots[i].key, key))
		i = (i + 1) & mask;
	return &slots[i];
}

void
list_index_begin(struct list_index_table *t, struct arena *arena, size_t count_max)
{
	size_t size = 2;

	while (size < 2 * (count_max + 1))
		size *= 2;
	*t = (struct list_index_table){
	    arena, ARENA_ARRAY(arena, struct list_index_entry, size), size - 1};
	for (size_t i = 0; i < size; i++)
		t->slots[i] = (struct list_index_entry){STR_NULL, 0};
}

void
list_index_add(struct list_index_table *t, struct str key, size_t at)
{
	struct str own = arena_lower(t->arena, key);
	struct list_index_entry *slot = list_index_slot(t->slots, t->mask, own);

	if (!slot->key.p)
		*slot = (struct list_index_entry){own, (uint32_t)at};
}

struct list_index
list_index_end(const struct list_index_table *t)
{
	return (struct list_index){t->slots, t->mask};
}

int64_t
list_index_find(const struct list_index *o, struct str key)
{
	const struct list_index_entry *found;
	char room[LIST_INDEX_KEY_MAX];

	if (key.n > sizeof room || !o->entry)
		return LIST_INDEX_NONE;
	for (size_t i = 0; i < key.n; i++)
		room[i] = char_lower(key.p[i]);
	found =
	    list_index_slot((struct list_index_entry *)o->entry, o->mask, str_make(room, key.n));
	return found->key.p ? (int64_t)found->at : LIST_INDEX_NONE;
}

/* ---- grants of sender_policy.send_as ---- */

/* Copies a quoted local part without its quotes and backslashes (RFC 5321 section 4.1.2). */
static size_t
list_index_unquote(struct str local, char *to)
{
	bool is_quoted = local.n >= 2 && local.p[0] == '"';
	struct str inside = is_quoted ? str_make(local.p + 1, local.n - 2) : local;
	size_t n = 0;

	for (size_t i = 0; i < inside.n; i++) {
		if (is_quoted && inside.p[i] == '\\' && i + 1 < inside.n)
			i++;
		to[n++] = inside.p[i];
	}
	return n;
}

bool
list_index_grant_key(struct str user, struct str local, struct str domain,
    char room[LIST_INDEX_KEY_MAX], struct str *key_out)
{
	size_t n = user.n;

	if (user.n + local.n + domain.n + 2 > LIST_INDEX_KEY_MAX)
		return false;
	memcpy(room, user.p, user.n);
	room[n++] = '\0';
	n += list_index_unquote(local, room + n);
	room[n++] = '@';
	memcpy(room + n, domain.p, domain.n);
	*key_out = str_make(room, n + domain.n);
	return true;
}
