/*
 * list_index: a hash table over a list of the configuration, so that the cost of a lookup does not
 * depend on the length of the list.  Built once, when a tree is complete.  Keys are lower case
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

/* Builds the indexes of a complete tree. */
void list_index_make_all(struct conf *c);

/* Position in the list, or LIST_INDEX_NONE.  The key is compared without regard to ASCII case. */
int64_t list_index_find(const struct list_index *o, struct str key) MUST_USE;

/*
 * Writes the key of one grant of sender_policy.send_as: `user` may send as local@domain.
 * Unnecessary quotes in the local part make no difference.  An empty local part means every address
 * of the domain. False: the key is too long for the room.
 */
bool list_index_grant_key(struct str user, struct str local, struct str domain,
    char room[LIST_INDEX_KEY_MAX], struct str *key_out) MUST_USE;

#endif
