/*
 * map: buckets of chained entries; the number of buckets is doubled when there are more entries.
 */
#include "base/map.h"

#include <pthread.h>
#include <sys/random.h>

#include "base/hash.h"
#include "base/mem.h"

struct map_entry {
	struct map_entry *next;
	uint64_t hash;
	void *value;
	size_t n;
	char key[];
};

struct map {
	struct map_entry **buckets;
	size_t size; /* a power of two */
	size_t count;
};

enum { FIRST_BUCKETS = 16 };

static struct hash_key own_key; /* written once, before it is read */

static void
draw_map_key(void)
{
	if (getrandom(&own_key, sizeof own_key, 0) != (ssize_t)sizeof own_key)
		die("no random bytes");
}

void
map_prepare(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, draw_map_key);
}

uint64_t
map_hash(struct str key)
{
	map_prepare();
	return hash_bytes(own_key, key);
}

struct map *
map_new(void)
{
	struct map *m = MEM_NEW(struct map);

	m->size = FIRST_BUCKETS;
	m->buckets = mem_new(m->size * sizeof *m->buckets);
	return m;
}

void
map_free(struct map **m)
{
	if (!*m)
		return;
	for (size_t i = 0; i < (*m)->size; i++)
		for (struct map_entry *e = (*m)->buckets[i], *next; e; e = next) {
			next = e->next;
			mem_free(e);
		}
	mem_free((*m)->buckets);
	mem_free(*m);
	*m = NULL;
}

void
map_free_all(struct map **m)
{
	for (size_t i = 0; *m && i < (*m)->size; i++)
		for (struct map_entry *e = (*m)->buckets[i]; e; e = e->next)
			mem_free(e->value);
	map_free(m);
}

size_t
map_count(const struct map *m)
{
	return m->count;
}

/* The link that points to the entry, or to the NULL at the end of its chain. */
static struct map_entry **
find_map_entry(const struct map *m, struct str key, uint64_t hash)
{
	struct map_entry **at = &m->buckets[hash & (m->size - 1)];

	while (*at && !((*at)->hash == hash && str_eq(str_make((*at)->key, (*at)->n), key)))
		at = &(*at)->next;
	return at;
}

void *
map_get(const struct map *m, struct str key)
{
	struct map_entry *e = *find_map_entry(m, key, map_hash(key));

	return e ? e->value : NULL;
}

static void
grow_map(struct map *m)
{
	size_t size = m->size * 2;
	struct map_entry **buckets = mem_new(size * sizeof *buckets);

	for (size_t i = 0; i < m->size; i++)
		for (struct map_entry *e = m->buckets[i], *next; e; e = next) {
			struct map_entry **at = &buckets[e->hash & (size - 1)];

			next = e->next;
			e->next = *at;
			*at = e;
		}
	mem_free(m->buckets);
	m->buckets = buckets;
	m->size = size;
}

void *
map_put(struct map *m, struct str key, void *value)
{
	uint64_t hash = map_hash(key);
	struct map_entry **at = find_map_entry(m, key, hash), *e = *at;

	if (e) {
		void *before = e->value;

		e->value = value;
		return before;
	}
	e = mem_new(sizeof *e + key.n);
	e->hash = hash;
	e->value = value;
	e->n = key.n;
	if (key.n)
		memcpy(e->key, key.p, key.n);
	*at = e;
	if (++m->count > m->size)
		grow_map(m);
	return NULL;
}

void *
map_remove(struct map *m, struct str key)
{
	struct map_entry **at = find_map_entry(m, key, map_hash(key)), *e = *at;
	void *value;

	if (!e)
		return NULL;
	value = e->value;
	*at = e->next;
	m->count--;
	mem_free(e);
	return value;
}

void
map_each(struct map *m, map_fn *fn, void *arg)
{
	for (size_t i = 0; i < m->size; i++)
		for (struct map_entry *e = m->buckets[i], *next; e; e = next) {
			next = e->next;
			fn(str_make(e->key, e->n), e->value, arg);
		}
}
