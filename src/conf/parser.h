/*
 * parser: libconfig's tree -> struct conf.
 */
#ifndef CONF_PARSER_H
#define CONF_PARSER_H

#include "conf/diagnostics.h"

struct read_tree; /* libconfig's, kept for the places of keys */

/* Parses the source and stores every key that it gives into c.  is_whole: a file of the operator's,
 * in which required keys must stand; else a part of one.  NULL when the syntax is wrong; notes may
 * say more even when a tree is returned. */
struct read_tree *read_source(
    const struct source *s, bool is_whole, struct conf *c, struct notes *notes);
void read_free(struct read_tree **t);
/* The line of "routes.[1].host", or of the nearest group around it. */
int read_line(const struct read_tree *t, const char *path);
/* The line of a key in the group with that index of a list; a list of one may be written as one
 * group. */
int read_item_line(const struct read_tree *t, const char *list, size_t index, const char *name);

#endif
