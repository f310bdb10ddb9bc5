/*
 * id_table: an array of pointers in the order of adding, and an open hash table of places in it
 * (linear probing).  A removed slot is closed by moving later slots back.  Places that were removed
 * from the array are given up together, when the array is full or most of it is removed.
 */
#include "base/id_table.h"

#include "base/map.h"
#include "base/mem.h"

enum { ID_TABLE_FIRST = 16, ID_TABLE_LOAD = 8, ID_TABLE_LEAST_PART = 4 };

/* The bits of a slot that are a place; the others are bits of the hash, so that few objects with
 * another id are looked at. */
enum { ID_TABLE_PLACES = (1 << 26) - 1 };

void
id_table_init(struct id_table *t)
{
	*t = (struct id_table){0};
}

void
id_table_clear(struct id_table *t)
{
	mem_free(t->entries);
	mem_free(t->slots);
	id_table_init(t);
}

static uint64_t
id_table_hash(struct msgid id)
{
	char room[MSGID_KEY_BYTES];

	return map_hash(msgid_key(id, room));
}

static uint32_t
id_table_tag(uint64_t hash)
{
	return (uint32_t)(hash >> 32) & ~(uint32_t)ID_TABLE_PLACES;
}

static size_t
id_table_place(const struct id_table *t, size_t slot)
{
	return t->slots[slot] & ID_TABLE_PLACES;
}

static struct msgid
id_table_id(const struct id_table *t, size_t slot)
{
	return *(const struct msgid *)t->entries[id_table_place(t, slot) - 1];
}

/* Most objects of another id are passed over without a look at them. */
static bool
id_table_is_at(const struct id_table *t, size_t slot, struct msgid id, uint64_t hash)
{
	return ((t->slots[slot] ^ id_table_tag(hash)) & ~(uint32_t)ID_TABLE_PLACES) == 0 &&
	    msgid_eq(id_table_id(t, slot), id);
}

/* The slot of the object with this id, or the empty one where it would be. */
static size_t
id_table_slot(const struct id_table *t, struct msgid id, uint64_t hash)
{
	size_t slot = hash & (t->size - 1);

	while (t->slots[slot] && !id_table_is_at(t, slot, id, hash))
		slot = (slot + 1) & (t->size - 1);
	return slot;
}

static void
id_table_rehash(struct id_table *t, size_t size)
{
	mem_free(t->slots);
	t->slots = mem_new(size * sizeof *t->slots);
	t->size = size;
	for (size_t i = 0; i < t->used; i++)
		if (t->entries[i]) {
			uint64_t hash = id_table_hash(*(const struct msgid *)t->entries[i]);
			size_t slot = hash & (size - 1);

			while (t->slots[slot])
				slot = (slot + 1) & (size - 1);
			t->slots[slot] = (uint32_t)(i + 1) | id_table_tag(hash);
		}
}

/* Closes the gaps in the array. */
static void
id_table_compact(struct id_table *t)
{
	uint32_t *moved = mem_new((t->used + 1) * sizeof *moved);
	size_t used = 0;

	for (size_t i = 0; i < t->used; i++)
		if (t->entries[i]) {
			t->entries[used++] = t->entries[i];
			moved[i + 1] = (uint32_t)used;
		}
	for (size_t slot = 0; slot < t->size; slot++)
		t->slots[slot] = moved[id_table_place(t, slot)] |
		    (t->slots[slot] & ~(uint32_t)ID_TABLE_PLACES);
	t->used = used;
	t->first = 0;
	mem_free(moved);
}

/* Makes room for one more entry: a quarter of the places are used again, or there are more. */
static void
id_table_make_room(struct id_table *t)
{
	if (t->used == t->cap && t->count < t->cap / 4 * 3) {
		id_table_compact(t);
	} else if (t->used == t->cap) {
		t->cap = t->cap ? t->cap * 2 : ID_TABLE_FIRST;
		t->entries = mem_grow(t->entries, t->cap * sizeof *t->entries);
	}
	if (t->count + 1 > t->size / ID_TABLE_LOAD * (ID_TABLE_LOAD - 1))
		id_table_rehash(t, t->size ? t->size * 2 : ID_TABLE_FIRST);
}

void
id_table_add(struct id_table *t, void *object)
{
	struct msgid id = *(const struct msgid *)object;
	uint64_t hash = id_table_hash(id);
	size_t slot;

	id_table_make_room(t);
	slot = id_table_slot(t, id, hash);
	if (t->slots[slot] || t->used == ID_TABLE_PLACES)
		die("id_table: an id is added twice, or the table is full");
	t->entries[t->used++] = object;
	t->slots[slot] = (uint32_t)t->used | id_table_tag(hash);
	t->count++;
}

/* Moves later slots back into the empty one, so that each is found from its home. */
static void
id_table_close(struct id_table *t, size_t empty)
{
	size_t mask = t->size - 1;

	t->slots[empty] = 0;
	for (size_t slot = (empty + 1) & mask; t->slots[slot]; slot = (slot + 1) & mask) {
		size_t home = id_table_hash(id_table_id(t, slot)) & mask;

		if (((slot - home) & mask) < ((slot - empty) & mask))
			continue;
		t->slots[empty] = t->slots[slot];
		t->slots[slot] = 0;
		empty = slot;
	}
}

/* The slot of the object with this id; SIZE_MAX: there is none. */
static size_t
id_table_find_slot(const struct id_table *t, struct msgid id)
{
	size_t slot = t->size ? id_table_slot(t, id, id_table_hash(id)) : 0;

	return t->size && t->slots[slot] ? slot : SIZE_MAX;
}

/* No removed entry stands before the first object or after the last one. */
static void
id_table_trim(struct id_table *t)
{
	while (t->used > 0 && !t->entries[t->used - 1])
		t->used--;
	if (t->used == 0)
		t->first = 0;
	while (t->first < t->used && !t->entries[t->first])
		t->first++;
}

void *
id_table_remove(struct id_table *t, struct msgid id)
{
	size_t slot = id_table_find_slot(t, id), place;
	void *object;

	if (slot == SIZE_MAX)
		return NULL;
	place = id_table_place(t, slot) - 1;
	object = t->entries[place];
	t->entries[place] = NULL;
	id_table_close(t, slot);
	t->count--;
	id_table_trim(t);
	if (t->used > ID_TABLE_FIRST && t->count < t->used / ID_TABLE_LEAST_PART)
		id_table_compact(t);
	return object;
}

void *
id_table_find(const struct id_table *t, struct msgid id)
{
	size_t slot = id_table_find_slot(t, id);

	return slot < SIZE_MAX ? t->entries[id_table_place(t, slot) - 1] : NULL;
}

static void *
id_table_from(const struct id_table *t, size_t place)
{
	while (place < t->used && !t->entries[place])
		place++;
	return place < t->used ? t->entries[place] : NULL;
}

void *
id_table_first(const struct id_table *t)
{
	return id_table_from(t, t->first);
}

void *
id_table_next(const struct id_table *t, const void *object)
{
	size_t slot = id_table_find_slot(t, *(const struct msgid *)object);

	return slot < SIZE_MAX ? id_table_from(t, id_table_place(t, slot)) : NULL;
}

/* The last object before that place, which is counted from 0. */
static void *
id_table_before(const struct id_table *t, size_t place)
{
	while (place > t->first && !t->entries[place - 1])
		place--;
	return place > t->first ? t->entries[place - 1] : NULL;
}

void *
id_table_last(const struct id_table *t)
{
	return id_table_before(t, t->used);
}

void *
id_table_previous(const struct id_table *t, const void *object)
{
	size_t slot = id_table_find_slot(t, *(const struct msgid *)object);

	return slot < SIZE_MAX ? id_table_before(t, id_table_place(t, slot) - 1) : NULL;
}
