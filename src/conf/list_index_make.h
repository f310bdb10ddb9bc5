/*
 * list_index_make: the indexes of the lists of a tree, built once, when it is complete.
 */
#ifndef CONF_LIST_INDEX_MAKE_H
#define CONF_LIST_INDEX_MAKE_H

#include "conf/conf.h"

/* Builds the indexes of a complete tree. */
void list_index_make_all(struct conf *c);

#endif
