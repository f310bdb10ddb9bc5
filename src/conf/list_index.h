/*
 * list_index: a list of the configuration as a hash table, so that a look-up costs the same however
 * long the list is.  Made once, when a tree is complete; keys are lower case (ASCII) and live in
 * the tree's arena.  Of entries with equal keys the first one of the list is found.
 */
#ifndef CONF_LIST_INDEX_H
#define CONF_LIST_INDEX_H

#include "conf/conf.h"

enum {
	LIST_INDEX_KEY_MAX = 1024, /* bytes; a longer key is not found */
	LIST_INDEX_NONE = -1,
};

/* Makes the orders of a complete tree. */
void list_index_make_all(struct conf *c);

/* Position in the list, or LIST_INDEX_NONE.  The key is compared without regard to ASCII case. */
int64_t list_index_find(const struct list_index *o, struct str key) MUST_USE;

/*
 * The key of one grant of sender_policy.send_as: `user` may send as local@domain.  Needless quoting
 * of the local part does not matter.  An empty local part stands for every address of the domain.
 * False: longer than the room.
 */
bool list_index_grant_key(struct str user, struct str local, struct str domain,
    char room[LIST_INDEX_KEY_MAX], struct str *key_out) MUST_USE;

#endif
