/*
 * map: bytes -> pointer, a hash table with SipHash-1-3 under a random key of the process, so that a
 * remote party who chooses the names cannot choose the collisions.  Keys are copied.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

struct map;

/* An empty map. */
struct map *map_new(void);
/* The values belong to the caller, who frees them first (map_each). */
void map_free(struct map **m);
/* Frees the values too, with mem_free.  *m may be NULL. */
void map_free_all(struct map **m);
/* The number of entries. */
size_t map_count(const struct map *m);

/* The value of the key, or NULL. */
void *map_get(const struct map *m, struct str key);
/* Sets the value, which is not NULL.  Returns the previous value of the key, or NULL. */
void *map_put(struct map *m, struct str key, void *value);
/* Removes the entry.  Returns its value, or NULL. */
void *map_remove(struct map *m, struct str key);

/* Calls fn for each entry, in no particular order; fn may remove that entry, and no other. */
typedef void map_fn(struct str key, void *value, void *arg);
void map_each(struct map *m, map_fn *fn, void *arg);

/* Makes the random key now, while there are no other threads. */
void map_prepare(void);
/* The hash function itself, under the same key, for a caller's own tables. */
uint64_t map_hash(struct str key);

#endif
