/*
 * list_index: a hash table over a list of the configuration, so that the cost of a lookup does not
 * depend on the length of the list.  list_index_make.h has those of a tree.  Keys are lower case
 * (ASCII) and live in the arena of the tree.  Of entries with equal keys the first one of the list
 * is found.
 */
#ifndef CONF_LIST_INDEX_H
#define CONF_LIST_INDEX_H

#include "conf/conf.h"

enum {
	LIST_INDEX_KEY_MAX = 1024, /* bytes; a longer key is not found */
	LIST_INDEX_NONE = -1,
};

/* Position in the list, or LIST_INDEX_NONE.  The key is compared without regard to ASCII case. */
int64_t list_index_find(const struct list_index *o, struct str key) MUST_USE;

/*
 * Writes the key of one grant of sender_policy.send_as: `user` may send as local@domain.
 * Unnecessary quotes in the local part make no difference.  An empty local part means every address
 * of the domain. False: the key is too long for the room.
 */
bool list_index_grant_key(struct str user, struct str local, struct str domain,
    char room[LIST_INDEX_KEY_MAX], struct str *key_out) MUST_USE;

struct list_index_table {
	struct arena *arena;
	struct list_index_entry *slots;
	size_t mask;
};

/* An empty table for so many keys; begun, filled and ended, it is an index. */
void list_index_begin(struct list_index_table *t, struct arena *arena, size_t count_max);
/* Adds a key with its position, unless it has the key already. */
void list_index_add(struct list_index_table *t, struct str key, size_t at);
struct list_index list_index_end(const struct list_index_table *t);

#endif
