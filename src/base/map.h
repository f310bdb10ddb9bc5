/*
 * map: bytes -> pointer, open hashing with SipHash-1-3 under a key drawn at start, so that a
 * stranger who chooses the names cannot choose the collisions.  Keys are copied.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

struct map;

struct map *map_new(void);
/* Values are the owner's: free them first (map_each). */
void map_free(struct map **m);
/* The values too, by mem_free.  *m may be NULL. */
void map_free_all(struct map **m);
size_t map_count(const struct map *m);

void *map_get(const struct map *m, struct str key);
/* Returns the value that stood there before, or NULL.  value must not be NULL. */
void *map_put(struct map *m, struct str key, void *value);
void *map_remove(struct map *m, struct str key);

/* Calls fn for each entry in no order; fn may remove that very entry, and no other. */
typedef void map_fn(struct str key, void *value, void *arg);
void map_each(struct map *m, map_fn *fn, void *arg);

/* Draws the key now, while nothing else runs. */
void map_prepare(void);
/* The hash itself, under the same key: for tables of one's own. */
uint64_t map_hash(struct str key);

#endif
